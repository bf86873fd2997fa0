//! The Node.js packages that tests use: `target/test-node`, made from `tests/package.json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds `node_modules`, which is made or brought up to date first. Tests run in several processes at
/// once, so a file lock lets one of them do it.
pub(crate) fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let home = target.join("test-node");
    let wanted = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/package.json")).unwrap();

    let lock = fs::File::create(target.join("test-node.lock")).unwrap();
    lock.lock().unwrap();
    if fs::read(home.join("installed")).ok().as_ref() != Some(&wanted) {
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("package.json"), &wanted).unwrap();
        let arguments = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"];
        let done = Command::new("npm").args(arguments).current_dir(&home).output();
        let done = done.unwrap_or_else(|e| panic!("npm: {e}; these tests need Node.js 20 or newer with npm"));
        assert!(done.status.success(), "npm install failed:\n{}", String::from_utf8_lossy(&done.stderr));
        fs::write(home.join("installed"), &wanted).unwrap();
    }
    home
}
