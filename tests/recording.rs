//! The recording of the demo: what is committed is what the generator writes, it tells one story with the templates and
//! `stack.json`, and its records have the shapes of real ones.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "../examples/record_demo/recording/mod.rs"]
mod recording;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

type Keys = BTreeSet<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn inflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

/// The records of the ordinary log files.
fn records() -> Vec<Value> {
    let mut records = Vec::new();
    for (name, bytes) in recording::files().unwrap() {
        if name.contains("/CloudTrail/") {
            let file: Value = serde_json::from_slice(&inflated(&bytes)).unwrap();
            records.extend(file["Records"].as_array().unwrap().clone());
        }
    }
    records
}

fn event(record: &Value) -> String {
    format!("{} {}", record["eventSource"].as_str().unwrap_or_default(), record["eventName"].as_str().unwrap_or_default())
}

fn keys(value: &Value) -> Keys {
    value.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn the_committed_files_are_what_the_generator_writes() {
    let folder = root().join("cfn/recording");
    let mut committed: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for path in files_below(&folder) {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/");
        committed.insert(name, fs::read(path).unwrap());
    }
    committed.remove("README.md");
    let written = recording::files().unwrap();
    assert_eq!(committed.keys().collect::<Vec<_>>(), written.keys().collect::<Vec<_>>(), "run the example `record_demo`");
    for (name, bytes) in &written {
        assert!(committed[name] == *bytes, "`{name}` differs: run the example `record_demo`");
    }
}

#[test]
fn templates_description_and_records_tell_one_story() {
    let description: Value = serde_json::from_slice(&recording::files().unwrap()["stack.json"]).unwrap();
    let mut origins: BTreeMap<String, Keys> = BTreeMap::new();
    for (name, template) in [
        ("ssm-demo", "cfn/ssm-session-mgr-example.yaml"),
        ("ssm-demo-privatelink", "cfn/ssm-session-mgr-privatelink-example.yaml"),
    ] {
        let text = fs::read_to_string(root().join(template)).unwrap();
        let stack = &description["stacks"][name];
        for logical in keys(&stack["resources"]).union(&keys(&stack["roles"])) {
            assert!(text.contains(&format!("\n  {logical}:\n    Type: ")), "{logical} is not in {template}");
        }
        for role in stack["roles"].as_object().unwrap().values() {
            let texts = |key: &str| role[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned());
            for instance in texts("instances") {
                let session = format!("{}/{instance}", role["name"].as_str().unwrap());
                origins.insert(session, texts("addresses").chain(texts("endpoints")).collect());
            }
        }
    }
    assert_eq!(origins.len(), 3, "three instances");

    let mut elsewhere = Vec::new();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for record in records() {
        let arn = record["userIdentity"]["arn"].as_str().unwrap_or_default().to_owned();
        let Some((session, own)) = origins.iter().find(|(s, _)| arn.ends_with(s.as_str())) else { continue };
        assert_eq!(record["userIdentity"]["sessionContext"]["ec2RoleDelivery"], "2.0", "{record}");
        *seen.entry(session).or_default() += 1;
        let origin = record["vpcEndpointId"].as_str().or(record["sourceIPAddress"].as_str()).unwrap();
        if !own.contains(origin) {
            elsewhere.push(format!("{} {origin}", event(&record)));
        }
    }
    assert_eq!(seen.len(), 3, "every instance was active: {seen:?}");
    assert_eq!(elsewhere, ["ssm.amazonaws.com GetParameters 192.0.2.66"]);
}

/// Fields that records have had only since a version later than the published ones, or only in some circumstances.
/// Source: CloudTrail User Guide, record contents.
const CIRCUMSTANTIAL: [&str; 6] =
    ["errorCode", "errorMessage", "vpcEndpointId", "vpcEndpointAccountId", "sessionCredentialFromConsole", "tlsDetails"];

/// Request parameters that no published record happens to have.
/// Source: Systems Manager API Reference; the agent's source for what it reports of itself.
const DOCUMENTED: [(&str, &str); 4] = [
    ("ssm.amazonaws.com StartSession", "documentName"),
    ("ssm.amazonaws.com SendCommand", "comment"),
    ("ssm.amazonaws.com PutComplianceItems", "uploadType"),
    ("ssm.amazonaws.com UpdateInstanceInformation", "availabilityZoneId"),
];

/// What published records of one event have in common.
#[derive(Default)]
struct Shape {
    always: Option<Keys>,
    parameters: Keys,
}

fn published(shared: &Path) -> Vec<Value> {
    let mut records: Vec<Value> = Vec::new();
    for path in files_below(&shared.join("records")) {
        let text = String::from_utf8(inflated(&fs::read(path).unwrap())).unwrap();
        records.extend(text.lines().map(|l| serde_json::from_str(l).unwrap()));
    }
    for path in files_below(&shared.join("acceptance/scenarios")).iter().filter(|p| p.extension().is_some_and(|e| e == "gz")) {
        let file: Value = serde_json::from_slice(&inflated(&fs::read(path).unwrap())).unwrap();
        records.extend(file["Records"].as_array().cloned().unwrap_or_default());
    }
    records
}

/// Compares with the published records where they lie; without them there is nothing to compare, and the test says so.
#[test]
fn shapes_are_those_of_published_records_where_they_are_at_hand() {
    let shared = std::env::var_os("POLICYC_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    if !shared.join("records").is_dir() {
        println!("no published records at hand: nothing compared");
        return;
    }
    let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
    // What fields there can be is a matter of the service: no event has all of them in the few records there are.
    let mut possible: BTreeMap<String, Keys> = BTreeMap::new();
    for record in published(&shared) {
        let shape = shapes.entry(event(&record)).or_default();
        let fields = keys(&record);
        possible.entry(record["eventSource"].to_string()).or_default().extend(fields.clone());
        shape.parameters.extend(keys(&record["requestParameters"]));
        shape.always = Some(shape.always.take().map_or_else(|| fields.clone(), |a| a.intersection(&fields).cloned().collect()));
    }

    let mut compared = BTreeSet::new();
    for record in records() {
        let name = event(&record);
        let Some(shape) = shapes.get(&name) else { continue };
        compared.insert(name.clone());
        for field in keys(&record) {
            let known = possible[&record["eventSource"].to_string()].contains(&field);
            assert!(known || CIRCUMSTANTIAL.contains(&field.as_str()), "{name} has no {field}");
        }
        for field in shape.always.iter().flatten() {
            let has = record.get(field).is_some() || CIRCUMSTANTIAL.contains(&field.as_str());
            assert!(has, "{name} lacks {field}");
        }
        for parameter in keys(&record["requestParameters"]) {
            let known = shape.parameters.contains(&parameter) || DOCUMENTED.contains(&(name.as_str(), parameter.as_str()));
            assert!(known, "{name} has no parameter {parameter}");
        }
    }
    assert!(compared.len() >= 20, "only {compared:?}");
}

#[test]
fn fields_come_in_the_order_of_the_service() {
    const ORDER: [&str; 25] = [
        "eventVersion",
        "userIdentity",
        "eventTime",
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "errorCode",
        "errorMessage",
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "requestID",
        "eventID",
        "readOnly",
        "resources",
        "eventType",
        "apiVersion",
        "managementEvent",
        "recipientAccountId",
        "vpcEndpointId",
        "vpcEndpointAccountId",
        "eventCategory",
        "tlsDetails",
    ];
    for record in records() {
        let got: Vec<&String> = record.as_object().unwrap().keys().filter(|k| ORDER.contains(&k.as_str())).collect();
        let expected: Vec<&str> = ORDER.into_iter().filter(|k| record.get(k).is_some()).collect();
        assert_eq!(got, expected, "{}", event(&record));
    }
}
