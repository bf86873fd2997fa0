//! A stack through a bad connection: it is described as it is, or there is an error.

use std::fs;

use crate::account::Account;
use crate::faults::{Fault, Proxy};

const FAULTS: [Fault; 5] = [Fault::Throttled, Fault::Internal, Fault::Cut, Fault::CutBody, Fault::HalfBody];

#[test]
fn nothing_is_missing_after_faults() {
    let account = Account::with_demo();
    account.upload("trail");
    let file = account.configure("repository", "stack.json", "demo.ledger", "attached");
    let args = ["record", "--stack", "demo", "--from", "trail", "--config", file.to_str().unwrap()];
    account.run(&args);
    let recorded = || ["stack.json", "demo.ledger"].map(|name| fs::read(file.with_file_name(name)).unwrap());
    let expected = recorded();
    for round in 0..3 {
        for name in ["stack.json", "demo.ledger"] {
            fs::remove_file(file.with_file_name(name)).unwrap();
        }
        // Each answer of the account is spoilt in one of the rounds, in one of five ways.
        let which = move |number: usize, _: &_| (number % 3 == round).then(|| FAULTS[number / 3 % FAULTS.len()]);
        let proxy = Proxy::start(account.url(), which);
        let mut command = account.policyc(&args);
        crate::account::done({
            command.env("AWS_ENDPOINT_URL", proxy.url());
            command
        });
        for (found, expected) in recorded().iter().zip(&expected) {
            let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
            let other = found.lines().zip(expected.lines()).find(|(a, b)| a != b);
            assert!(other.is_none() && found.len() == expected.len(), "round {round}: {other:?}");
        }
        assert!(proxy.requests() > 40, "{}", proxy.requests());
    }
}
