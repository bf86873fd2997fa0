//! The Python that tests drive other people's tools with: environments below `target/`, made from `tests/requirements*.txt`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The interpreter of the environment that `tests/requirements.txt` describes.
#[allow(dead_code)] // each test crate uses the environments it needs
pub(crate) fn python() -> PathBuf {
    environment("test-venv", "tests/requirements.txt")
}

/// The interpreter of the environment with ministack, whose botocore is not the one that moto's boto3 wants.
#[allow(dead_code)] // each test crate uses the environments it needs
pub(crate) fn ministack() -> PathBuf {
    environment("test-ministack", "tests/requirements-ministack.txt")
}

/// An environment is made or brought up to date first. Tests run in several processes at once, so a file lock lets one of
/// them do it.
pub(crate) fn environment(name: &str, requirements: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let venv = target.join(name);
    let (bin, stamp) = (venv.join("bin/python"), venv.join("requirements.txt"));
    let wanted = Path::new(env!("CARGO_MANIFEST_DIR")).join(requirements);

    let lock = fs::File::create(target.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if fs::read(&stamp).ok() != Some(fs::read(&wanted).unwrap()) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(&bin).args(pip).arg(&wanted));
        fs::copy(&wanted, &stamp).unwrap();
    }
    bin
}

/// What a script of `tests/emulators` answers on ministack: a question in JSON on its standard input, the answer on its output.
#[allow(dead_code)] // each test crate uses the environments it needs
pub(crate) fn on_ministack(script: &str, question: &serde_json::Value) -> serde_json::Value {
    let mut child = Command::new(ministack())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulators").join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{script} failed");
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The standard output of a command that must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?} failed:\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
