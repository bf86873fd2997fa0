//! The Node.js packages that tests run as processes: folders below `target/`, each made from a lock file of `tests/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder in which the packages of `tests/NAME/package-lock.json` are installed; it is made or brought up to date first.
/// Tests run in several processes at once, so a file lock lets one of them do it.
pub(crate) fn packages(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let home = target.join(format!("test-{name}"));
    let (manifest, lock_file, stamp) = ("package.json", "package-lock.json", home.join("installed.json"));

    let lock = fs::File::create(target.join(format!("test-{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let lock_bytes = fs::read(wanted.join(lock_file)).unwrap();
    if fs::read(&stamp).ok().as_ref() != Some(&lock_bytes) {
        fs::create_dir_all(&home).unwrap();
        for file in [manifest, lock_file] {
            fs::copy(wanted.join(file), home.join(file)).unwrap();
        }
        let npm = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        let done = Command::new("npm").args(npm).current_dir(&home).output();
        let done = done.unwrap_or_else(|e| panic!("npm did not start ({e}): install Node.js 20 or newer, with npm"));
        assert!(done.status.success(), "npm ci: {}", String::from_utf8_lossy(&done.stderr));
        fs::write(&stamp, &lock_bytes).unwrap();
    }
    home
}
