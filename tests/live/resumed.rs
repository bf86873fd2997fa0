//! A run that is killed, and begun again.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::account::{Account, done, files, policies, same};
use crate::derived::history;
use crate::faults::Proxy;

/// Begins a command and kills it a while after something has happened; says whether it was still running.
fn killed(mut command: Command, happened: impl Fn() -> bool, later: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if happened() {
            std::thread::sleep(later);
            let runs = child.try_wait().unwrap().is_none();
            let _ = child.kill();
            child.wait().unwrap();
            return runs;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// No file that was left anywhere holds the secret of whoever ran the command.
fn keep_no_secret(folder: &Path) {
    for path in files(folder) {
        let (mut bytes, mut plain) = (fs::read(&path).unwrap(), Vec::new());
        if flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut plain).is_ok() {
            bytes = plain;
        }
        assert!(!String::from_utf8_lossy(&bytes).contains("secret-of-the-operator"), "{}", path.display());
    }
}

/// INVARIANT (history-killed): killed at any page, and while it writes, event history gives the same when it is begun again.
#[test]
fn killed_at_any_moment_and_begun_again_it_gives_the_same() {
    let account = Account::with_demo();
    let args = |out: &'static str| ["derive", "--stack", "ssm-demo-privatelink", "--out", out, "--cache", out];
    let server = history(&account);
    let command = |out: &'static str| {
        let mut command = account.policyc(&args(out));
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url());
        command
    };
    done(command("whole"));
    let whole = server.answered();
    let expected = policies(&account.home.path().join("whole"));
    assert_eq!(expected.len(), 1);
    let written = || fs::read_to_string(account.home.path().join("cut/PrivateLinkInstanceRole.json")).ok();
    fs::create_dir_all(account.home.path().join("cut")).unwrap();
    // After each page, at different moments of the half second to the next, and while nothing was asked yet.
    let mut kills = 0;
    for round in 0..10 {
        let before = server.answered();
        let happened = || round == 0 || server.answered() > before;
        if !killed(command("cut"), happened, ms(if round == 0 { 60 } else { 7 * round })) {
            break;
        }
        kills += 1;
        keep_no_secret(&account.home.path().join("cut"));
        assert!(written().is_none_or(|text| text == expected["PrivateLinkInstanceRole"]), "there is never half a policy");
    }
    assert!(kills >= 6, "{kills} kills of {whole} pages");
    done(command("cut"));
    same(&policies(&account.home.path().join("cut")), &expected, "cut");
    let again = server.answered() - whole;
    assert!(again <= whole + kills * 4, "{again} pages instead of {whole}, after {kills} kills");
}

/// INVARIANT (trail-killed): killed at any request to the account, and while it writes, a recording from a trail is the same when it is
/// made again.
#[test]
fn a_recording_that_is_killed_anywhere_is_whole_or_not_there() {
    let account = Account::with_demo();
    account.upload("trail");
    let file = account.configure("repository", "stack.json", "demo.ledger", "attached");
    let args = ["record", "--stack", "demo", "--from", "trail", "--config", file.to_str().unwrap()];
    let proxy = Proxy::start(account.url(), |_, _| None);
    let command = || {
        let mut command = account.policyc(&args);
        command.env("AWS_ENDPOINT_URL", proxy.url());
        command
    };
    let recorded = || ["stack.json", "demo.ledger"].map(|name| fs::read(file.with_file_name(name)).ok());
    done(command());
    let (requests, expected) = (proxy.requests(), recorded());
    assert!(expected.iter().all(Option::is_some) && requests > 40);
    let mut last = 0;
    // At every sixth request, and then, when all was asked, ever later until it is done.
    let moments = (0..requests).step_by(6).map(|n| (n, 0)).chain((0..60).map(|n| (requests, 5 * n)));
    for (number, later) in moments {
        for name in ["stack.json", "demo.ledger"] {
            let _ = fs::remove_file(file.with_file_name(name));
        }
        let before = proxy.requests();
        let runs = killed(command(), || proxy.requests() >= before + number, ms(later));
        for (found, expected) in recorded().iter().zip(&expected) {
            assert!(found.is_none() || found == expected, "half a file, killed at request {number} and {later} ms later");
        }
        if !runs {
            assert_eq!(recorded(), expected, "it says that it is done");
            last += 1;
            if last > 3 {
                break;
            }
        }
    }
    assert!(last > 0, "it was killed until the end");
    done(command());
    assert!(recorded() == expected);
    keep_no_secret(account.home.path());
}
