//! What `policyc permissions` prints, for people and as a policy. What is really asked is compared with it in `tests/live`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::process::Command;

use policyc::catalog::Catalog;
use policyc::iam::Policy;

fn permissions(arguments: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_policyc"));
    let done = command.arg("permissions").args(arguments.split(' ')).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
}

#[test]
fn the_more_is_said_the_narrower_it_is() {
    let whole = "record --from s3://logs/org/AWSLogs/o-abc/111122223333 --stack web --account 111122223333 --region eu-central-1 \
                 --key arn:aws:kms:eu-central-1:111122223333:key/k";
    insta::assert_snapshot!("narrow", permissions(whole).1);
    insta::assert_snapshot!("wide", permissions("record").1);
    insta::assert_snapshot!("why", permissions("coverage --why").1);
    assert!(permissions("record --from trail --region cn-north-1").1.contains("arn:aws-cn:s3:::*"));
}

#[test]
fn every_policy_is_one_and_every_action_exists() {
    let catalog = Catalog::embedded();
    for known in &catalog.operations.commands {
        let from = if known.from == "s3" { "s3://logs" } else { &known.from };
        for option in known.options.iter().map(|o| format!(" --{o}")).chain([String::new(), " --stack web".to_owned()]) {
            let arguments = format!("{} --from {from}{option}", known.command);
            let (code, text, told) = permissions(&arguments);
            assert_eq!(code, 0, "{arguments}: {told}");
            let policy = Policy::parse(text.as_bytes()).unwrap();
            assert_eq!(policy.statements.is_empty(), told.contains("nothing is asked of AWS"), "{arguments}");
            assert!(
                !["STACK", "BUCKET", "ACCOUNT", "REGION", "PREFIX", "PARTITION"].iter().any(|word| text.contains(word)),
                "{text}"
            );
        }
    }
    for operation in &catalog.operations.operations {
        let named = operation.permissions.iter().map(|p| catalog.describe_action(p).unwrap().action.to_string());
        assert_eq!(named.collect::<Vec<_>>(), operation.permissions, "{}", operation.operation);
        assert!(!operation.why.is_empty() && !operation.purposes.is_empty());
        assert_eq!(operation.resources.is_empty(), operation.permissions.is_empty(), "{}", operation.operation);
        // Only where the service knows no resource is it any.
        for action in operation.permissions.iter().map(|p| catalog.describe_action(p).unwrap()) {
            let any = operation.resources.iter().any(|resource| resource == "*");
            assert!(!any || action.resource_types.iter().all(|t| !t.required), "{}", operation.operation);
        }
    }
}

#[test]
fn what_cannot_be_is_said() {
    let check = |arguments: &str, expected: &str| {
        let (code, out, told) = permissions(arguments);
        assert!(code == 2 && out.is_empty() && told.contains(expected), "{arguments}: {code} {told}");
    };
    check("prove", "`prove` asks nothing of AWS; these do: record, derive, report, explain, check, coverage");
    check("coverage --from event-history", "`coverage` does not read from `event-history`; it reads from trail");
    check("record --simulate", "`record` has no option --simulate");
    check("record --account 1", "`1` is not an account id");
    check("record --stack a*", "`a*` is not the name of a stack or region");
    check("record --bucket s3://", "`s3://` is not a place");
    check("record --bucket s3://b/*", "`s3://b/*` has characters that mean something else in a policy");
    check("record --key alias/k", "`alias/k` is not the ARN of a key");
    check("record --format json", "--why");
}
