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
const NOW: &str = "2026-11-20T12:00:00Z";
const REGION: &str = "us-east-1";

fn now() -> i64 {
    NOW.parse::<Timestamp>().unwrap().as_second()
}

/// The clock of the recording, and as many requests as there may be.
fn quick() -> Behaviour {
    Behaviour { now: now(), rate: usize::MAX, ..Behaviour::default() }
}

fn client(url: &str, region: &str) -> Client {
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

fn options() -> Options {
    let patience = Patience { timeout: Duration::from_secs(5), tries: 6, base: Duration::from_millis(4) };
    let clock = Arc::new(|| NOW.parse().unwrap());
    Options { patience, spacing: Some(Duration::ZERO), clock, ..Options::default() }
}

/// The instances of the recorded stacks.
fn instances() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cfn/recording/stack.json");
    let stack: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let roles = stack["stacks"].as_object().unwrap().values().flat_map(|s| s["roles"].as_object().unwrap().values());
    let ids = roles.flat_map(|role| role["instances"].as_array().unwrap().iter());
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn question() -> Question {
    let all = instances().into_iter().map(|id| Instance { id, region: REGION.to_owned(), running: true });
    Question { account: ACCOUNT.to_owned(), regions: BTreeSet::from([REGION.to_owned()]), instances: all.collect(), days: 90 }
}

/// A run in a runtime of its own, as the command line has it.
fn run(server: &str, question: &Question, folder: &Path, options: &Options) -> Result<Fetched, EventHistoryError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(fetch_all(question, &clients(server, question), folder, Catalog::embedded(), options))
}

/// What event history can show of the recording, as records on disk: the instances' own management events and the events that show
/// features.
fn expected(records: &[Value]) -> Vec<Value> {
    let (ids, names) = (instances(), names());
    let arn = |r: &Value| r["userIdentity"]["arn"].as_str().unwrap_or_default().to_owned();
    let theirs = |r: &Value| r["userIdentity"]["type"] == "AssumedRole" && ids.contains(arn(r).rsplit('/').next().unwrap());
    let shown = |r: &&Value| theirs(r) || names.contains(r["eventName"].as_str().unwrap_or_default());
    records.iter().filter(|r| r["eventCategory"] == "Management" && r["awsRegion"] == REGION).filter(shown).cloned().collect()
}

fn names() -> BTreeSet<String> {
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
