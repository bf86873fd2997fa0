//! Recordings: small, the same each time, free of what has no place in a repository, and enough.

use std::fs;
use std::path::Path;

use crate::account::{Account, done, policies, same};
use crate::derived::history;

/// Everything that looks like an address: four numbers with dots.
fn addresses(text: &str) -> Vec<String> {
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    let words = text.split(|c: char| !plain(c)).filter(|w| w.parse::<std::net::Ipv4Addr>().is_ok_and(|a| !a.is_unspecified()));
    words.map(str::to_owned).collect()
}

fn check_private(folder: &Path) {
    for name in ["stack.json", "demo.ledger"] {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        // Versions of agents look like addresses and are none.
        let shown: Vec<String> = addresses(&text).into_iter().filter(|a| !a.starts_with("3.")).collect();
        assert_eq!(shown, Vec::<String>::new(), "{name}");
        for word in ["AKIA", "ASIA", "AROA", "alice", "bob", "carol", "secret", "EXAMPLETOKEN"] {
            assert!(!text.contains(word), "{name} holds {word}: {}", &text[text.find(word).unwrap().saturating_sub(80)..][..160]);
        }
    }
}

#[test]
fn a_recording_derives_what_the_account_does() {
    let account = Account::with_demo();
    account.upload("trail");
    for baseline in ["AmazonEC2RoleforSSM", "attached"] {
        let file = account.configure(baseline, "stack.json", "demo.ledger", baseline);
        let (folder, config) = (file.parent().unwrap(), file.to_str().unwrap());
        account.run(&["record", "--stack", "demo", "--from", "trail", "--config", config]);
        check_private(folder);
        let ledger = fs::read(folder.join("demo.ledger")).unwrap();
        let description = fs::read(folder.join("stack.json")).unwrap();
        assert!(ledger.len() < 120_000, "{} bytes", ledger.len());
        account.run(&["record", "--stack", "demo", "--from", "s3://trail", "--config", config]);
        assert!(fs::read(folder.join("demo.ledger")).unwrap() == ledger, "recorded again it is the same, whatever way it came");
        account.run(&["record", "--stack", "demo", "--from", "trail", "--config", config]);
        assert!(fs::read(folder.join("stack.json")).unwrap() == description);
        account.run(&["derive", "--stack", "demo", "--config", config]);
        account.run(&["check", "--stack", "demo", "--config", config]);
        let out = format!("{baseline}-live");
        account.run(&["derive", "--stack", "ssm-demo", "--from", "trail", "--out", &out]);
        account.run(&["derive", "--stack", "ssm-demo-privatelink", "--from", "trail", "--out", &out]);
        let live = policies(&account.home.path().join(&out));
        assert_eq!(live.len(), 3);
        same(&policies(&folder.join("policies")), &live, baseline);
    }
}

#[test]
fn event_history_is_recorded_the_same_however_it_is_cut() {
    let account = Account::with_demo();
    let record = |name: &str| {
        let file = account.configure(name, "stack.json", "demo.ledger", "attached");
        let server = history(&account);
        let mut command = account.policyc(&["record", "--stack", "demo", "--config", file.to_str().unwrap()]);
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url());
        done(command);
        check_private(file.parent().unwrap());
        fs::read(file.with_file_name("demo.ledger")).unwrap()
    };
    assert!(record("one") == record("two"));
}
