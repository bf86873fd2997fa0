//! Policies of a live stack, compared with those from the same records on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use policyc::catalog::Catalog;
use serde_json::{Value, json};

use crate::account::{Account, ROLES, done, policies, records, same};
use crate::faults::{Fault, Proxy};
use crate::lookup_server::{Behaviour, LookupServer};

fn roles_of(stack: &str) -> impl Iterator<Item = &'static str> {
    ROLES.iter().filter(move |(s, _)| *s == stack).map(|(_, id)| *id)
}

fn of_stack(all: &BTreeMap<String, String>, stack: &str) -> BTreeMap<String, String> {
    roles_of(stack).map(|id| (id.to_owned(), all[id].clone())).collect()
}

/// What the trail of the test logs.
const SELECTORS: &str = r#"{"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": true,
    "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]}]}"#;

const MANAGEMENT: &str = r#"{"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": true}]}"#;

#[test]
fn from_a_trail_in_s3_as_from_its_files() {
    let account = Account::with_demo();
    account.upload("trail");
    let expected = account.derived_from_disk("disk", &account.home.path().join("AWSLogs"), Some(SELECTORS));
    assert_eq!(expected.len(), 3);
    for (stack, from, out) in [
        ("ssm-demo", "trail", "a"),
        ("ssm-demo", "s3://trail", "b"),
        ("ssm-demo-privatelink", "trail", "c"),
        ("ssm-demo-privatelink", "s3://trail/AWSLogs/111122223333", "d"),
    ] {
        account.run(&["derive", "--stack", stack, "--from", from, "--out", out]);
        let found = policies(&account.home.path().join(out));
        same(&found, &of_stack(&expected, stack), &format!("{stack} from {from}"));
    }
}

/// As in a member's account, where the organisation's trail can be read and not asked.
#[test]
fn from_a_trail_of_which_nobody_says_what_it_logs() {
    let account = Account::with_demo();
    account.upload("trail");
    let expected = account.derived_from_disk("disk", &account.home.path().join("AWSLogs"), None);
    let proxy = Proxy::start(account.url(), |_, request| {
        request.header("x-amz-target").ends_with("GetEventSelectors").then_some(Fault::Denied)
    });
    for from in ["trail", "s3://trail"] {
        let mut command =
            account.policyc(&["derive", "--stack", "ssm-demo", "--from", from, "--out", "out", "--report", "report.json"]);
        command.env("AWS_ENDPOINT_URL", proxy.url());
        let output = done(command);
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!told.contains("u{a}"), "{told}");
        let out = account.home.path().join("out");
        same(&policies(&out), &of_stack(&expected, "ssm-demo"), from);
        assert!(told.contains("warning coverage-unknown what the trail `arn:aws:cloudtrail:"), "{told}");
        assert!(told.contains("needs the permission cloudtrail:GetEventSelectors"), "{told}");
        let report: Value = serde_json::from_slice(&fs::read(account.home.path().join("report.json")).unwrap()).unwrap();
        for id in roles_of("ssm-demo") {
            assert_eq!(report[id]["coverage"]["declared"], false, "{id}");
            let seen = report[id]["coverage"]["data"].to_string();
            assert!(
                seen.contains("AWS::SSMMessages::ControlChannel"),
                "{id}: as far as it was seen, which no selector says: {seen}"
            );
        }
    }
    let mut command = account.policyc(&["coverage", "--from", "trail"]);
    let output = command.env("AWS_ENDPOINT_URL", proxy.url()).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "what it is to judge is missing");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cloudtrail:GetEventSelectors"));
}

/// Event history over the account's records, whose clock is ours.
pub(crate) fn history(account: &Account) -> LookupServer {
    let now = jiff::Timestamp::now().as_second();
    LookupServer::start(&records(account), Behaviour { now, rate: 3, ..Behaviour::default() })
}

/// The records that event history shows of the stacks: management events, of the instances or of those who show features.
fn shown(account: &Account) -> Vec<Value> {
    let ids: BTreeSet<String> =
        ROLES.iter().map(|(stack, id)| account.role(stack, id)["instance"].as_str().unwrap().to_owned()).collect();
    let rules = Catalog::embedded().features().iter().flat_map(|f| &f.signs);
    let names: BTreeSet<String> = rules.filter_map(|r| Some(r.operator.as_deref()?.split_once(':')?.1.to_owned())).collect();
    let theirs = |r: &Value| {
        let arn = r["userIdentity"]["arn"].as_str().unwrap_or_default();
        r["userIdentity"]["type"] == "AssumedRole" && ids.contains(arn.rsplit('/').next().unwrap())
    };
    let named = |r: &Value| names.contains(r["eventName"].as_str().unwrap_or_default());
    records(account).into_iter().filter(|r| r["eventCategory"] == "Management" && (theirs(r) || named(r))).collect()
}

#[test]
fn from_event_history_as_from_what_it_shows() {
    let account = Account::with_demo();
    let server = history(&account);
    fs::write(account.home.path().join("shown.json"), json!({ "Records": shown(&account) }).to_string()).unwrap();
    let expected = account.derived_from_disk("disk", &account.home.path().join("shown.json"), Some(MANAGEMENT));
    for stack in ["ssm-demo", "ssm-demo-privatelink"] {
        let mut command = account.policyc(&["derive", "--stack", stack, "--out", stack, "--report", "report.json"]);
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url());
        let output = done(command);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("instance(s) over 90 days: about"), "{told}");
        same(&policies(&account.home.path().join(stack)), &of_stack(&expected, stack), stack);
        let report: Value = serde_json::from_slice(&fs::read(account.home.path().join("report.json")).unwrap()).unwrap();
        for id in roles_of(stack) {
            let report = &report[id];
            assert_eq!(report["coverage"], json!({"data": [], "excluded": [], "declared": true}), "{id}");
            let verdict = |action: &str| {
                let all = report["actions"].as_array().unwrap();
                all.iter().find(|a| a["action"] == action).unwrap()["verdict"].clone()
            };
            assert_eq!(verdict("cloudwatch:PutMetricData"), "blind", "{id}: what it cannot show is said");
        }
        assert!(
            !account
                .home
                .path()
                .join(".cache/policyc/event-history")
                .read_dir()
                .unwrap()
                .any(|e| { crate::account::files(&e.unwrap().path()).iter().any(|f| f.extension().is_some_and(|e| e == "gz")) }),
            "pages go when they have been read"
        );
    }
}

#[test]
fn an_instance_that_runs_and_was_never_seen_is_an_error() {
    let account = Account::with_demo();
    let id = account.role("ssm-demo", "NatInstanceRole")["instance"].as_str().unwrap().to_owned();
    let theirs = |r: &Value| r["userIdentity"]["arn"].as_str().unwrap_or_default().ends_with(&id);
    let others: Vec<Value> = records(&account).into_iter().filter(|r| !theirs(r)).collect();
    let server =
        LookupServer::start(&others, Behaviour { now: jiff::Timestamp::now().as_second(), rate: 3, ..Behaviour::default() });
    let mut command = account.policyc(&["derive", "--stack", "ssm-demo", "--out", "out"]);
    let output = command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", server.url()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("no call of the running instance(s)") && told.contains(&id), "{told}");
    assert!(!account.home.path().join("out").exists());
}
