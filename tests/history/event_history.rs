//! Event history against a server that keeps CloudTrail's rules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::{BehaviorVersion, Credentials, Region};
use jiff::Timestamp;
use policyc::aws::event_history::{EventHistoryError, Fetched, Instance, Options, Question, fetch_all};
use policyc::aws::lookup::Patience;
use policyc::catalog::Catalog;
use serde_json::Value;

use crate::lookup_server::{Behaviour, LookupServer};
use crate::records::{ACCOUNT, ledger, ledger_of, records};

/// After the recording.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";
pub(crate) const REGION: &str = "us-east-1";

pub(crate) fn now() -> i64 {
    NOW.parse::<Timestamp>().unwrap().as_second()
}

/// The clock of the recording, and as many requests as there may be.
pub(crate) fn quick() -> Behaviour {
    Behaviour { now: now(), rate: usize::MAX, ..Behaviour::default() }
}

pub(crate) fn client(url: &str, region: &str) -> Client {
    let config = aws_sdk_cloudtrail::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new("AKIAEXAMPLE", "secret", None, None, "test"))
        .endpoint_url(url);
    Client::from_conf(config.build())
}

fn clients(url: &str, question: &Question) -> BTreeMap<String, Client> {
    question.regions.iter().map(|region| (region.clone(), client(url, region))).collect()
}

pub(crate) fn options() -> Options {
    let patience = Patience { timeout: Duration::from_secs(5), tries: 6, base: Duration::from_millis(4) };
    let clock = Arc::new(|| NOW.parse().unwrap());
    Options { patience, spacing: Some(Duration::ZERO), clock, ..Options::default() }
}

/// The instances of the recorded stacks.
pub(crate) fn instances() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cfn/recording/stack.json");
    let stack: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let roles = stack["stacks"].as_object().unwrap().values().flat_map(|s| s["roles"].as_object().unwrap().values());
    let ids = roles.flat_map(|role| role["instances"].as_array().unwrap().iter());
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

pub(crate) fn question() -> Question {
    let all = instances().into_iter().map(|id| Instance { id, region: REGION.to_owned(), running: true });
    Question {
        account: ACCOUNT.to_owned(),
        regions: BTreeSet::from([REGION.to_owned()]),
        instances: all.collect(),
        days: 90,
        ..Question::default()
    }
}

/// A run in a runtime of its own, as the command line has it.
pub(crate) fn run(server: &str, question: &Question, folder: &Path, options: &Options) -> Result<Fetched, EventHistoryError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(fetch_all(question, &clients(server, question), folder, Catalog::embedded(), options))
}

/// What event history can show of the recording, as records on disk: the instances' own management events and the events that show
/// features.
pub(crate) fn expected(records: &[Value]) -> Vec<Value> {
    let (ids, names) = (instances(), names());
    let arn = |r: &Value| r["userIdentity"]["arn"].as_str().unwrap_or_default().to_owned();
    let theirs = |r: &Value| r["userIdentity"]["type"] == "AssumedRole" && ids.contains(arn(r).rsplit('/').next().unwrap());
    let shown = |r: &&Value| theirs(r) || names.contains(r["eventName"].as_str().unwrap_or_default());
    records.iter().filter(|r| r["eventCategory"] == "Management" && r["awsRegion"] == REGION).filter(shown).cloned().collect()
}

pub(crate) fn names() -> BTreeSet<String> {
    let rules = Catalog::embedded().features().iter().flat_map(|f| &f.signs);
    rules.filter_map(|r| Some(r.operator.as_deref()?.split_once(':')?.1.to_owned())).collect()
}

#[test]
fn it_equals_the_same_records_on_disk() {
    let records = records();
    let check = |behaviour: Behaviour| {
        let server = LookupServer::start(&records, behaviour.clone());
        let folder = tempfile::tempdir().unwrap();
        let fetched = run(&server.url(), &question(), folder.path(), &options()).unwrap();
        assert!(ledger(&fetched.inputs()) == ledger_of(&expected(&records)), "{behaviour:?}");
        server.answered()
    };
    let pages = check(quick());
    assert!(!expected(&records).is_empty() && pages > instances().len() + names().len(), "more than one page a look-up");
    check(Behaviour { empty: 3, ..quick() });
    check(Behaviour { token_life: 2, ..quick() });
    check(Behaviour { rate: 2, per: Duration::from_millis(8), ..quick() });
}

#[test]
fn each_region_has_its_own_history() {
    let mut records = records();
    let moved: Vec<Value> = expected(&records).into_iter().take(3).collect();
    for (number, mut record) in moved.into_iter().enumerate() {
        record["awsRegion"] = "eu-west-1".into();
        record["eventID"] = format!("moved-{number}").into();
        records.push(record);
    }
    let server = LookupServer::start(&records, quick());
    let both = Question { regions: BTreeSet::from([REGION.to_owned(), "eu-west-1".to_owned()]), ..question() };
    let check = |question: &Question, regions: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let fetched = run(&server.url(), question, folder.path(), &options()).unwrap();
        let found: BTreeSet<String> = ledger(&fetched.inputs()).uses.into_keys().map(|used| used.region).collect();
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), regions);
    };
    check(&question(), &[REGION]);
    check(&both, &["eu-west-1", REGION]);
}

#[test]
fn a_running_instance_that_was_never_seen_is_an_error() {
    let server = LookupServer::start(&records(), quick());
    let check = |running: bool, expected: Option<&str>| {
        let mut question = question();
        question.instances.insert(Instance { id: "i-00000000000000bad".to_owned(), region: REGION.to_owned(), running });
        let folder = tempfile::tempdir().unwrap();
        let says = run(&server.url(), &question, folder.path(), &options()).err().map(|e| e.to_string());
        assert_eq!(says.is_some(), expected.is_some(), "{says:?}");
        assert!(expected.is_none_or(|part| says.unwrap().contains(part)));
    };
    check(false, None);
    check(true, Some("no call of the running instance(s) `i-00000000000000bad`"));
}

/// Whether it names the role by its ARN or by its name alone.
#[test]
fn instances_that_are_gone_are_found_by_their_role() {
    let arn = "arn:aws:iam::111122223333:role/fleet/web-Role";
    for named in [arn, "web-Role"] {
        let record = serde_json::json!({
            "eventVersion": "1.11", "eventTime": "2026-11-01T00:00:00Z", "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
            "awsRegion": REGION, "eventID": "a", "eventType": "AwsApiCall", "eventCategory": "Management", "managementEvent": true,
            "recipientAccountId": ACCOUNT, "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
            "requestParameters": {"roleArn": arn, "roleSessionName": "i-0fedcba9876543210"},
            "resources": [{"accountId": ACCOUNT, "type": "AWS::IAM::Role", "ARN": named}]
        });
        let server = LookupServer::start(&[record], quick());
        let of_roles = Question { instances: BTreeSet::new(), roles: BTreeSet::from([arn.to_owned()]), ..question() };
        let folder = tempfile::tempdir().unwrap();
        let fetched = run(&server.url(), &of_roles, folder.path(), &options()).unwrap();
        let found = policyc::aws::past::instances(&fetched.inputs()).unwrap();
        assert_eq!(found, BTreeMap::from([(arn.to_owned(), BTreeSet::from(["i-0fedcba9876543210".to_owned()]))]), "{named}");
    }
}

/// What happened in the last minutes may arrive at any time, so it is not asked for, and nothing changes when it does.
#[test]
fn what_may_still_arrive_is_left_for_next_time() {
    let records = records();
    let server = LookupServer::start(&records, Behaviour { tick: 1, ..quick() });
    let mut late = expected(&records)[0].clone();
    let mut early = late.clone();
    (late["eventTime"], late["eventID"]) = ("2026-11-20T11:52:00Z".into(), "late".into());
    (early["eventTime"], early["eventID"]) = ("2026-11-20T11:40:00Z".into(), "early".into());
    server.arrive(&late, now() + 1);
    server.arrive(&early, now() - 60);
    let folder = tempfile::tempdir().unwrap();
    let fetched = run(&server.url(), &question(), folder.path(), &options()).unwrap();
    let with_early: Vec<Value> = expected(&records).into_iter().chain([early]).collect();
    assert!(ledger(&fetched.inputs()) == ledger_of(&with_early));
    assert_eq!(fetched.window.1.to_string(), "2026-11-20T11:45:00Z");
}

/// INVARIANT (history-pace): no region is asked more than twice in any second, by however many look-ups.
#[test]
fn two_requests_a_second() {
    let server = LookupServer::start(&records(), Behaviour { now: now(), ..Behaviour::default() });
    let folder = tempfile::tempdir().unwrap();
    let mut question = question();
    question.instances.pop_last();
    question.instances.pop_last();
    let options = Options { spacing: None, ..options() };
    run(&server.url(), &question, folder.path(), &options).unwrap();
    let asked = server.asked();
    assert!(asked.len() > 6 && asked.iter().all(|a| a.error.is_empty()), "{asked:?}");
    let second = Duration::from_secs(1);
    assert!(asked.windows(3).all(|three| three[2].at - three[0].at > second), "{asked:?}");
}

#[test]
fn a_spool_belongs_to_one_question_and_one_run() {
    let server = LookupServer::start(&records(), quick());
    let folder = tempfile::tempdir().unwrap();
    let first = run(&server.url(), &question(), folder.path(), &options()).unwrap();
    let says = |question: &Question| run(&server.url(), question, folder.path(), &options()).unwrap_err().to_string();
    assert!(says(&question()).contains("is in use by another run"));
    drop(first);
    let other = Question { days: 30, ..question() };
    assert!(says(&other).contains("holds the event history of another question"));
    let again = run(&server.url(), &question(), folder.path(), &options()).unwrap();
    again.remove().unwrap();
    assert!(!folder.path().exists());
    let nowhere = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml/spool");
    let error = run(&server.url(), &question(), &nowhere, &options()).unwrap_err().to_string();
    assert!(error.contains("cannot be used for event history"), "{error}");
}
