//! `policyc coverage`: what a trail shows of a baseline, and that the selectors it prints show the rest.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeSet;
use std::process::Command;

use policyc::catalog::{Catalog, baselines};
use policyc::derive::verdict::actions_named;
use policyc::iam::{Action, Policy};
use policyc::ledger::selectors::{EventSelectors, LoggedRole, Selector};
use policyc::review::coverage::CoverageReport;
use serde_json::{Value, json};

const BASELINE: &str = "AmazonEC2RoleforSSM";

fn actions() -> BTreeSet<Action> {
    let policy = Policy::parse(baselines::find(BASELINE).unwrap().document).unwrap();
    actions_named(&policy, Catalog::embedded())
}

fn role() -> LoggedRole {
    LoggedRole { account: "111122223333".to_owned(), name: "web".to_owned(), partition: None }
}

fn report(selectors: Option<&Value>, role: Option<&LoggedRole>) -> CoverageReport {
    let selectors = selectors.map(|s| EventSelectors::parse(s.to_string().as_bytes()).unwrap());
    CoverageReport::new(BASELINE, &actions(), selectors.as_ref(), role.map_or(&[], std::slice::from_ref), Catalog::embedded())
}

fn basic(fields: Value) -> Value {
    json!({ "EventSelectors": [fields] })
}

/// Selectors as trails have them, and how many of the baseline's 41 actions they show.
fn trails() -> Vec<(Option<Value>, usize)> {
    let objects = |arn: &str| json!([{ "Type": "AWS::S3::Object", "Values": [arn] }]);
    let console = json!({ "Field": "userIdentity.arn", "StartsWith": ["arn:aws:sts::111122223333:assumed-role/other/"] });
    vec![
        (None, 21),
        (Some(basic(json!({ "ReadWriteType": "All", "IncludeManagementEvents": true }))), 21),
        (Some(basic(json!({ "ReadWriteType": "All", "DataResources": objects("arn:aws:s3") }))), 27),
        (Some(basic(json!({ "ReadWriteType": "All", "DataResources": objects("arn:aws:s3:::logs/") }))), 21),
        (Some(basic(json!({ "ReadWriteType": "ReadOnly", "DataResources": objects("arn:aws:s3") }))), 13),
        (Some(basic(json!({ "IncludeManagementEvents": false, "DataResources": objects("arn:aws:s3") }))), 6),
        (Some(basic(json!({ "ExcludeManagementEventSources": ["ssm.amazonaws.com"] }))), 9),
        (Some(json!({ "EventSelectors": [] })), 0),
        (
            Some(json!({ "AdvancedEventSelectors": [{ "Name": "others", "FieldSelectors": [
                { "Field": "eventCategory", "Equals": ["Data"] }, { "Field": "resources.type", "Equals": ["AWS::S3::Object"] }, console
            ] }] })),
            0,
        ),
    ]
}

#[test]
fn what_trails_show() {
    for (selectors, shown) in trails() {
        let report = report(selectors.as_ref(), None);
        assert_eq!((report.shown.len(), report.shown.len() + report.blind.len()), (shown, 41), "{selectors:?}");
    }
}

/// What is logged on some buckets only is said to be.
#[test]
fn what_is_shown_in_part_says_where() {
    let why = |selectors: &Value| -> String {
        let found = report(Some(selectors), None).blind.into_iter().find(|b| b.action.as_str() == "s3:GetObject");
        found.unwrap().why
    };
    let of = |values: Value| {
        basic(json!({ "ReadWriteType": "All", "DataResources": [{ "Type": "AWS::S3::Object", "Values": values }] }))
    };
    let (one, two) = ("arn:aws:s3:::one/", "arn:aws:s3:::two/");
    assert_eq!(why(&of(json!([one, two]))), format!("a data event of AWS::S3::Object, logged on {one}…, {two}… only"));
    assert_eq!(why(&basic(json!({ "ReadWriteType": "All" }))), "a data event of AWS::S3::Object");
}

/// INVARIANT (coverage-closes): under the printed selectors everything is shown that any selector can show, what was logged still is,
/// and nothing is left to print.
#[test]
fn what_is_printed_shows_the_rest() {
    for (selectors, _) in trails() {
        for role in [None, Some(role())] {
            let before = report(selectors.as_ref(), role.as_ref());
            let printed: Value = serde_json::from_str(&before.selectors_json()).unwrap();
            let after = report(Some(&json!({ "AdvancedEventSelectors": printed })), role.as_ref());
            let unseeable: BTreeSet<_> = before.blind.iter().filter(|b| b.shown_by.is_none()).map(|b| &b.action).collect();
            assert_eq!(after.blind.iter().map(|b| &b.action).collect::<BTreeSet<_>>(), unseeable, "{selectors:?}");
            assert!(after.selectors.is_empty() && after.would_log.is_empty(), "{selectors:?}");
            let promised: usize = before.would_log.iter().map(|w| w.actions.len()).sum();
            assert_eq!(after.shown.len(), before.shown.len() + promised, "{selectors:?}");
            let today = selectors.as_ref().map(|s| EventSelectors::parse(s.to_string().as_bytes()).unwrap()).unwrap_or_default();
            let kept = |s: &&Selector| s.category() != "Management";
            assert!(today.selectors.iter().filter(kept).all(|s| before.selectors.contains(s)), "{selectors:?}");
        }
    }
}

#[test]
fn the_command_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("selectors.json");
    std::fs::write(&file, r#"{"EventSelectors":[{"ReadWriteType":"All"}]}"#).unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_policyc")).arg("coverage").args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let path = file.to_str().unwrap();
    let (code, json, _) = run(&["--selectors", path, "--role", "web", "--account", "111122223333", "--format", "json"]);
    let printed: Value = serde_json::from_str(&json).unwrap();
    let expected = report(Some(&json!({ "EventSelectors": [{ "ReadWriteType": "All" }] })), Some(&role()));
    assert_eq!((code, printed), (Some(0), serde_json::to_value(expected).unwrap()));

    let (code, text, _) = run(&["--selectors", path]);
    assert_eq!(code, Some(0));
    for says in
        ["21 of 41 actions are shown, 20 are blind", "s3:GetObject", "AWS::SSMMessages::ControlChannel", "put-event-selectors"]
    {
        assert!(text.contains(says), "`{says}` is missing in\n{text}");
    }
    let (code, text, _) = run(&["--stack", "demo"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("AmazonEC2RoleforSSM"), "{text}");

    let (code, _, error) = run(&["--role", "web"]);
    assert!(code == Some(2) && error.contains("needs `--account ID`"), "{error}");
    std::fs::write(&file, "{}").unwrap();
    let (code, _, error) = run(&["--selectors", path]);
    assert!(code == Some(2) && error.contains("expected `EventSelectors`"), "{error}");
}
