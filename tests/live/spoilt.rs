//! A stack through a bad connection: it is described as it is, or there is an error.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use policyc::aws::discover::{DiscoverError, Discovery, Where, discover};
use policyc::aws::lookup::Patience;

use crate::account::Account;
use crate::faults::{Fault, PATIENCE, Proxy};

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

/// Discovery through CloudFormation, EC2 and IAM, with little patience.
fn discovered(url: &str, tries: u32) -> Result<Discovery, DiscoverError> {
    let credentials = Credentials::new("AKIAEXAMPLE", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .retry_config(aws_config::retry::RetryConfig::disabled());
    let place = Where { partition: "aws".to_owned(), account: "111122223333".to_owned(), region: "us-east-1".to_owned() };
    let names = BTreeSet::from(["ssm-demo-privatelink".to_owned()]);
    let patience = Patience { timeout: PATIENCE, tries, base: Duration::from_millis(4) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(discover(&names, &place, &config.build(), patience))
}

#[test]
fn a_description_is_whole_or_an_error_says_what_is_missing() {
    let account = Account::with_demo();
    let seen = Proxy::start(account.url(), |_, _| None);
    // On a busy machine moto itself may be slower than this patience.
    let expected = discovered(&seen.url(), 20).unwrap();
    let faults = [Fault::Throttled, Fault::Internal, Fault::Cut, Fault::CutBody, Fault::HalfBody, Fault::Slow, Fault::Silent];
    for fault in faults {
        let now_and_then = Proxy::start(account.url(), move |number, _| (number % 4 == 1).then_some(fault));
        assert_eq!(discovered(&now_and_then.url(), 20).unwrap(), expected, "{fault:?}");
        for first in [0, 6, 12] {
            let from_now_on = Proxy::start(account.url(), move |number, _| (number >= first).then_some(fault));
            let error = discovered(&from_now_on.url(), 2).unwrap_err();
            assert!(matches!(error, DiscoverError::Failed { tries: 2, .. }), "{fault:?} from {first}: {error}");
        }
    }
    let denied = Proxy::start(account.url(), |number, _| (number >= 6).then_some(Fault::Denied));
    let error = discovered(&denied.url(), 20).unwrap_err();
    assert!(matches!(error, DiscoverError::Denied { .. }) && error.to_string().contains("it needs the permission"), "{error}");
}

/// A log file that is broken where it lies is named, and nothing is written.
#[test]
fn a_broken_object_is_named() {
    let check = |spoil: fn(&mut Vec<u8>)| {
        let account = Account::with_demo();
        let logs = crate::account::files(&account.home.path().join("AWSLogs"));
        let path = logs.iter().find(|path| path.to_str().unwrap().contains("/CloudTrail/us-east-1/")).unwrap();
        let mut bytes = fs::read(path).unwrap();
        spoil(&mut bytes);
        fs::write(path, &bytes).unwrap();
        account.upload("trail");
        let output =
            account.policyc(&["derive", "--stack", "ssm-demo", "--from", "s3://trail", "--out", "out"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("s3://trail") && told.contains(path.file_name().unwrap().to_str().unwrap()), "{told}");
        assert!(!account.home.path().join("out").exists());
    };
    check(|bytes| bytes.truncate(bytes.len() / 2));
    check(|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
    });
    check(|bytes| *bytes = b"no log file".to_vec());
}
