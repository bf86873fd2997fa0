//! Ministack's server on loopback: an account that evaluates policies.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::asked::ACCOUNT;
use crate::python;

/// A running server; it ends with this value.
pub(crate) struct Ministack {
    child: Child,
    _home: tempfile::TempDir,
    pub(crate) url: String,
}

impl Ministack {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// One that enforces IAM.
    pub(crate) fn enforcing() -> Self {
        Self::with(&[("AUTH", "true"), ("AWS_ACCESS_KEY_ID", "root"), ("AWS_SECRET_ACCESS_KEY", "root")])
    }

    fn with(environment: &[(&str, &str)]) -> Self {
        let python = python::ministack();
        let home = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(python);
        command.args(["-m", "ministack"]).current_dir(home.path()).env("TMPDIR", home.path());
        command.envs(environment.iter().copied());
        command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", address.port().to_string())
            .env("MINISTACK_ACCOUNT_ID", ACCOUNT);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let ministack = Self { child, _home: home, url: format!("http://{address}") };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "ministack does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        ministack
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
