//! Every wrapping that records come in, and every kind of record that lies among them.

use policyc::finding::Code;
use policyc::ledger::format;
use serde_json::{Value, json};

use crate::made::{self, get, gzip, heartbeat, one};

/// The file holds the same two events, whatever it looks like.
fn check(shape: &str, bytes: &[u8]) {
    let seen = one(bytes);
    let plain = one(json!({"Records": [get("e1", "a"), heartbeat("e2")]}).to_string().as_bytes());
    let (uses, events) = (&seen.ledger.uses, |ledger: &policyc::ledger::Ledger| {
        let all = ledger.uses.iter().map(|(used, seen)| (used.clone(), seen.samples.clone()));
        all.collect::<Vec<_>>()
    });
    assert!(uses.len() >= 2, "{shape}: {uses:?}");
    assert_eq!(events(&seen.ledger), events(&plain.ledger), "{shape}");
    assert_eq!(seen.ledger.heartbeats.len(), 1, "{shape}");
    assert_eq!(seen.ledger.sources.values().next().unwrap().records["api-call"], 2, "{shape}");
    assert_eq!(seen.ledger.sources.values().next().unwrap().name, "trail.json", "{shape}");
    assert!(seen.findings.is_empty(), "{shape}: {:?}", seen.findings);
}

fn wrapped(record: &Value) -> Value {
    json!({"EventId": record["eventID"], "EventName": record["eventName"], "ReadOnly": "true", "EventTime": "2026-09-01T00:00:00+00:00",
           "Username": "x", "Resources": [], "CloudTrailEvent": record.to_string()})
}

#[test]
fn wrappings() {
    let (a, b) = (get("e1", "a"), heartbeat("e2"));
    let records = json!({"Records": [a, b]});
    let page = |record: &Value| json!({"Events": [wrapped(record)], "NextToken": "opaque"});
    let both = json!({"Events": [wrapped(&a), wrapped(&b)]});
    let shapes: Vec<(&str, String)> = vec![
        ("a trail's file", records.to_string()),
        ("a trail's file, printed for people", format!("\n{records:#}\n")),
        ("with a byte order mark", format!("\u{feff}{records}")),
        ("other keys around the records", format!(r#"{{"x":[1,{{"Records":[3]}}],"Records":[{a},{b}],"y":null}}"#)),
        ("no records in between", format!(r#"{{"Records":[{a}],"Events":null,"z":"}}"}}{{"Records":[{b}]}}"#)),
        ("JSON lines", format!("{a}\n{b}\n")),
        ("JSON lines of Windows, no line end at the end", format!("{a}\r\n\r\n{b}")),
        ("records one after the other, printed for people", format!("{a:#}\n{b:#}")),
        ("a list of records", json!([a, b]).to_string()),
        ("event history", both.to_string()),
        ("event history, printed for people", format!("{both:#}")),
        ("a list of pages", json!([page(&a), page(&b)]).to_string()),
        ("pages as JSON lines", format!("{}\n{}\n", page(&a), page(&b))),
        ("a list of events of event history", json!([wrapped(&a), wrapped(&b)]).to_string()),
        ("token first", format!(r#"{{"NextToken":"x","Events":[{},{}]}}"#, wrapped(&a), wrapped(&b))),
        ("a list of a trail's files", json!([{"Records": [a]}, {"Records": [b]}, {"Records": []}]).to_string()),
    ];
    for (shape, text) in &shapes {
        check(shape, text.as_bytes());
        check(&format!("{shape}, gzip"), &gzip(text.as_bytes()));
        let (left, right) = text.as_bytes().split_at(text.len() / 2);
        check(&format!("{shape}, two members"), &[gzip(left), gzip(right)].concat());
    }
}

#[test]
fn one_record_is_a_file() {
    assert_eq!(one(get("e1", "a").to_string().as_bytes()).ledger.sources.values().next().unwrap().records["api-call"], 1);
    assert!(one(br#"{"Records":[]}"#).ledger.uses.is_empty());
    assert!(one(br#"{"Events":[]}"#).ledger.uses.is_empty());
    assert!(one(b"[]").ledger.uses.is_empty());
}

#[test]
fn keys_that_need_escapes_are_the_same_keys() {
    let text = json!({"Records": [get("e1", "a"), heartbeat("e2")]}).to_string();
    check("escaped", text.replace("userIdentity", "user\\u0049dentity").replace("assumed-role/", "assumed-role\\/").as_bytes());
}

/// Files with these fields instead of the usual ones count as this kind and show no use.
fn kind(name: &str, fields: Value) {
    let record = made::call("e1", "s3.amazonaws.com", "PutObject", fields);
    let seen = one(json!({"Records": [record]}).to_string().as_bytes());
    assert_eq!(seen.ledger.sources.values().next().unwrap().records, [(name.to_owned(), 1)].into(), "{record}");
    assert_eq!(
        seen.findings.iter().map(|f| f.code).collect::<Vec<_>>(),
        vec![Code::UnknownRecord; usize::from(name == "unknown")]
    );
    assert!(seen.ledger.uses.is_empty() || name == "api-call", "{record}");
}

#[test]
fn kinds_are_counted_and_only_calls_count() {
    kind("api-call", json!({}));
    kind("api-call", json!({"eventVersion": "1.02", "eventCategory": null, "managementEvent": null}));
    kind("api-call", json!({"eventVersion": "1.47", "newField": {"x": [1]}}));
    kind("service-event", json!({"eventType": "AwsServiceEvent"}));
    kind("console", json!({"eventType": "AwsConsoleSignIn"}));
    kind("console", json!({"eventType": "AwsConsoleAction"}));
    kind("insight", json!({"eventType": "AwsCloudTrailInsight", "eventCategory": "Insight"}));
    kind("network-activity", json!({"eventType": "AwsVpceEvents", "eventCategory": "NetworkActivity"}));
    kind("aggregated", json!({"eventType": "AwsAggregatedEvent", "eventCategory": "Aggregated", "eventVersion": "1.0"}));
    kind("unknown", json!({"eventType": "AwsMoonPhase"}));
    kind("unknown", json!({"eventCategory": "Dreams"}));
    kind("unknown", json!({"eventVersion": "2.0"}));
    let digest = json!({"awsAccountId": made::ACCOUNT, "digestStartTime": "2026-09-01T00:00:00Z", "logFiles": []});
    assert_eq!(one(digest.to_string().as_bytes()).ledger.sources.values().next().unwrap().records["digest"], 1);
}

#[test]
fn an_unknown_record_is_named() {
    let record = made::call("e1", "s3.amazonaws.com", "PutObject", json!({"eventType": "AwsMoonPhase"}));
    let file = json!({"Records": [get("e0", "a"), record, record]}).to_string();
    let findings = one(file.as_bytes()).findings;
    let told = findings[0].to_string();
    assert_eq!(findings.len(), 1);
    for part in ["2 record(s)", "AwsMoonPhase", "record 1 of `a/b/trail.json`"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_refusal_of_an_endpoint_is_denied_and_no_need() {
    let fields = json!({"eventType": "AwsVpceEvents", "eventCategory": "NetworkActivity", "errorCode": "VpceAccessDenied",
                        "vpcEndpointId": "vpce-1", "sourceIPAddress": "10.0.0.1"});
    let seen = one(made::call("e1", "s3.amazonaws.com", "PutObject", fields).to_string().as_bytes()).ledger;
    assert!(!seen.uses.is_empty());
    assert!(seen.uses.keys().all(|used| used.outcome == policyc::ledger::Outcome::Denied("VpceAccessDenied".to_owned())));
}

#[test]
fn other_peoples_calls_are_not_ours() {
    let check = |who: &str, fields: Value, uses: bool| {
        let record = made::by(who, "e1", "ec2.amazonaws.com", "DescribeInstances", fields);
        assert_eq!(!one(record.to_string().as_bytes()).ledger.uses.is_empty(), uses, "{record}");
    };
    check("assumed-role/web-Role/i-0123456789abcdef0", json!({}), true);
    check("assumed-role/web-Role/deploy", json!({}), true); // told as `role-shared` later
    check("assumed-role/web-Role-admin/i-0123456789abcdef0", json!({}), false);
    check("assumed-role/aws:ec2-instance/i-0123456789abcdef0", json!({}), false);
    check("assumed-role/web-Role/i-0123456789abcdef0", json!({"eventType": "AwsServiceEvent"}), false);
    check("assumed-role/x", json!({"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}}), false);
    check("assumed-role/x", json!({"userIdentity": null}), false);
    let elsewhere = format!("arn:aws:sts::999999999999:assumed-role/{}/{}", made::ROLE, made::INSTANCE);
    check("assumed-role/x", json!({"userIdentity": {"type": "AssumedRole", "arn": elsewhere}}), false);
}

#[test]
fn coverage_is_what_data_events_were_seen() {
    assert_eq!(one(get("e1", "a").to_string().as_bytes()).ledger.coverage.seen.len(), 2);
    let other = made::by(
        "assumed-role/other/x",
        "e1",
        "sqs.amazonaws.com",
        "SendMessage",
        json!({"eventCategory": null, "managementEvent": false, "resources": [{"type": "AWS::SQS::Queue"}]}),
    );
    let seen = one(other.to_string().as_bytes()).ledger.coverage.seen;
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), ["AWS::SQS::Queue"], "also what others did shows what the trail holds");
    assert!(one(heartbeat("e1").to_string().as_bytes()).ledger.coverage.seen.is_empty());
}

#[test]
fn a_ledger_among_the_input_is_merged() {
    let whole = one(json!({"Records": [get("e1", "a"), heartbeat("e2")]}).to_string().as_bytes()).ledger;
    assert_eq!(one(&format::write(&whole)).ledger, whole);
    assert_eq!(one(&gzip(&format::write(&whole))).ledger, whole);
    let mut foreign = whole.clone();
    foreign.uses = foreign
        .uses
        .into_iter()
        .map(|(mut used, seen)| {
            used.session.role = "other".to_owned();
            (used, seen)
        })
        .collect();
    assert!(one(&format::write(&foreign)).ledger.uses.is_empty(), "other roles are left out");
}
