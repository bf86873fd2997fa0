//! Moto's server on loopback.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::python;

/// A running server; it ends with this value.
pub(crate) struct Moto {
    child: Child,
    pub(crate) url: String,
}

impl Moto {
    #[allow(dead_code)] // each test that takes it in uses a part of it
    pub(crate) fn start() -> Self {
        Self::start_as("123456789012")
    }

    /// One for an account, with the policies that AWS manages.
    #[allow(dead_code)]
    pub(crate) fn start_as(account: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulators/moto_server.py");
        let mut command = Command::new(python::python());
        command.arg(script).args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        command.env("MOTO_ACCOUNT_ID", account).env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let moto = Self { child, url: format!("http://{address}") };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "moto does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        moto
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
