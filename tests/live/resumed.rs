//! A run that is killed, and begun again.

use std::process::Stdio;
use std::time::Duration;

use crate::account::{Account, done, policies, same};
use crate::derived::history;

#[test]
fn killed_at_any_moment_and_begun_again_it_gives_the_same() {
    let account = Account::with_demo();
    let args = |out: &'static str| ["derive", "--stack", "ssm-demo-privatelink", "--out", out, "--cache", out];
    let server = history(&account);
    let command = |out: &'static str| {
        let mut command = account.policyc(&args(out));
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url()).stdout(Stdio::null());
        command
    };
    done(command("whole"));
    let whole = server.answered();
    let expected = policies(&account.home.path().join("whole"));
    assert_eq!(expected.len(), 1);
    // A page takes half a second, and all of these together are less than the whole.
    for wait in [500, 900, 1300] {
        let mut child = command("cut").stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let before = server.answered();
    done(command("cut"));
    same(&policies(&account.home.path().join("cut")), &expected, "cut");
    let again = server.answered() - whole;
    assert!(before > whole && again <= whole + 3 * 4, "{again} pages instead of {whole}");
}
