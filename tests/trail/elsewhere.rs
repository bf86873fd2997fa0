//! Calls with an instance's credentials from somewhere else are found, whatever they are; from the instance's own address those that
//! show no need leave no trace.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::made::{self, INSTANCE, ROLE, call, gzip, heartbeat};

const ELSEWHERE: &str = "198.51.100.9";

fn policyc(home: &Path, arguments: &[&str]) {
    let done = Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(home).output().unwrap();
    // Without a need there is nothing to write, which is 1.
    assert!(matches!(done.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The report on an instance that reported twice, and of which these records were found as well.
fn report(records: &[Value]) -> Value {
    let home = tempfile::tempdir().unwrap();
    let mut beats = [heartbeat("h1"), heartbeat("h2")];
    beats[1]["eventTime"] = json!("2026-09-02T00:00:00Z");
    let all: Vec<&Value> = beats.iter().chain(records).collect();
    fs::write(home.path().join("trail.json.gz"), gzip(json!({"Records": all}).to_string().as_bytes())).unwrap();
    policyc(home.path(), &["observe", "trail.json.gz", "--role", ROLE, "-o", "seen.ledger"]);
    let [seen, kept] = ["trail.json.gz", "seen.ledger"].map(|trail| {
        let (role, out) = (["--role", ROLE, "--account", made::ACCOUNT, "--region", "eu-west-1"], "report.json");
        let baseline = ["--baseline", "AmazonEC2RoleforSSM", "--out", "policy.json", "--report", out];
        policyc(home.path(), &[&["derive", "--trail", trail][..], &role, &baseline].concat());
        let mut report: Value = serde_json::from_slice(&fs::read(home.path().join(out)).unwrap()).unwrap();
        report.as_object_mut().unwrap().remove("certificate"); // it names the ledger
        // Told when the names collapse, which in a ledger they have.
        report["findings"].as_array_mut().unwrap().retain(|finding| finding["code"] != "collapsed-names");
        report
    });
    assert_eq!(seen, kept, "a ledger says what its trail does");
    seen
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// One call, made later than everything else, from here or there.
fn one(source: &str, name: &str, more: &Value, from: &str) -> Value {
    let mut fields = json!({"eventTime": "2026-09-20T00:00:00Z", "sourceIPAddress": from, "userAgent": "aws-cli/2"});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call("stolen", source, name, fields)
}

fn is_found(source: &str, name: &str, more: Value, action: &str) {
    let (nothing, found) = (report(&[]), report(&[one(source, name, &more, ELSEWHERE)]));
    let rows = found["suspicious"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{name}: {found:#}");
    assert_eq!((rows[0]["event"].as_str(), rows[0]["action"].as_str()), (Some("stolen"), Some(action)));
    let why = rows[0]["why"].as_str().unwrap();
    assert!([INSTANCE, ELSEWHERE, "203.0.113.7"].iter().all(|part| why.contains(part)), "{why}");
    assert!(codes(&found).contains(&"suspicious-origin"), "{:?}", codes(&found));
    // Nothing else comes of it.
    for key in ["policy", "actions", "outside", "denied", "failed", "proof", "instances", "window", "activity", "coverage"] {
        assert_eq!(found[key], nothing[key], "{name}: {key}");
    }
}

#[test]
fn stolen_credentials_that_only_ask_who_they_are_are_found() {
    is_found("sts.amazonaws.com", "GetCallerIdentity", json!({}), "sts:GetCallerIdentity");
    is_found("sts.amazonaws.com", "GetSessionToken", json!({"errorCode": "AccessDenied"}), "sts:GetSessionToken");
}

#[test]
fn signing_in_to_the_console_with_stolen_credentials_is_found() {
    let sign_in = json!({"eventType": "AwsConsoleSignIn", "responseElements": {"ConsoleLogin": "Success"}});
    is_found("signin.amazonaws.com", "ConsoleLogin", sign_in, "signin:ConsoleLogin");
    is_found("signin.amazonaws.com", "GetSigninToken", json!({"eventType": "AwsConsoleSignIn"}), "signin:GetSigninToken");
}

#[test]
fn a_call_through_somebody_elses_endpoint_that_needs_no_permission_is_found() {
    let through = json!({"sourceIPAddress": "10.0.0.1", "vpcEndpointId": "vpce-9", "vpcEndpointAccountId": "999999999999"});
    let found = report(&[one("sts.amazonaws.com", "GetCallerIdentity", &through, "")]);
    assert_eq!(found["suspicious"][0]["event"], "stolen", "{found:#}");
}

#[test]
fn an_event_that_is_not_in_the_catalogue_is_found_when_it_came_from_elsewhere() {
    for (source, name, action) in [
        ("new-service.amazonaws.com", "DoThing", "new-service:DoThing"),
        ("new-service.amazonaws.com", "Do a.thing\u{1b}", "new-service:Do_a_thing_"),
        (".", "DoThing", "_:DoThing"),
    ] {
        let unmapped = |from| report(&[one(source, name, &json!({}), from)]);
        let (found, own) = (unmapped(ELSEWHERE), unmapped("203.0.113.7"));
        assert_eq!(found["suspicious"][0]["action"], action, "{found:#}");
        assert!(own["suspicious"].as_array().unwrap().is_empty() && !codes(&own).contains(&"suspicious-origin"));
        for report in [&found, &own] {
            assert_eq!(report["unmapped"][0]["event"], format!("{source}:{name}"));
            assert_eq!(report["policy"], own["policy"]);
        }
    }
}

#[test]
fn from_the_instances_own_address_it_leaves_no_trace() {
    let nothing = report(&[]);
    for (source, name, more) in [
        ("sts.amazonaws.com", "GetCallerIdentity", json!({})),
        ("signin.amazonaws.com", "ConsoleLogin", json!({"eventType": "AwsConsoleSignIn"})),
        // A service that calls in the session's name has an address of its own.
        ("sts.amazonaws.com", "GetCallerIdentity", json!({"sourceIPAddress": "athena.amazonaws.com"})),
    ] {
        assert_eq!(report(&[one(source, name, &more, "203.0.113.7")]), nothing, "{name}");
    }
}

#[test]
fn what_people_with_the_role_call_without_a_permission_is_not_kept() {
    let who = format!("assumed-role/{ROLE}/alice");
    let record = made::by(&who, "e1", "sts.amazonaws.com", "GetCallerIdentity", json!({"sourceIPAddress": ELSEWHERE}));
    let ledger = made::one(record.to_string().as_bytes()).ledger;
    assert_eq!((ledger.bare.len(), ledger.uses.len()), (0, 0));
}

/// So many calls from elsewhere: on one name, on a name each, or without any.
fn many(count: usize, each: impl Fn(usize) -> Value) -> (Vec<String>, String) {
    let record = |n: usize| {
        let mut record = each(n);
        record["eventID"] = json!(format!("s{n:04}"));
        record["sourceIPAddress"] = json!(ELSEWHERE);
        record
    };
    let found = report(&(0..count).map(record).collect::<Vec<_>>());
    let whys = found["suspicious"].as_array().unwrap().iter().map(|row| row["why"].as_str().unwrap().to_owned());
    let finding = found["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "suspicious-origin").unwrap();
    (whys.collect(), finding["message"].as_str().unwrap().to_owned())
}

#[test]
fn where_not_every_suspicious_call_is_named_the_report_says_how_many_there_were() {
    let asks = |_| one("sts.amazonaws.com", "GetCallerIdentity", &json!({}), ELSEWHERE);
    let reads = |_| made::get("", "secret");
    let lists = |n| made::get("", &format!("folder/{n}")); // so many names collapse
    let check = |(whys, finding): (Vec<String>, String), rows: usize, calls: usize| {
        assert_eq!(whys.len(), rows);
        let (said, told) = (format!("({calls} calls, {rows} of them named)"), format!("{rows} of them are named"));
        assert!(whys.iter().all(|why| why.contains(&said) == (rows < calls)), "{}", whys[0]);
        assert!(finding.starts_with(&format!("{calls} call(s)")), "{finding}");
        assert_eq!(finding.contains(&told), rows < calls, "{finding}");
        assert!(rows < calls || !finding.contains("named") && !whys[0].contains("named"));
    };
    check(many(64, asks), 64, 64);
    check(many(65, asks), 64, 65);
    check(many(64, reads), 64, 64);
    check(many(65, reads), 64, 65);
    check(many(256, lists), 256, 256);
    check(many(300, lists), 64, 300);
}
