//! What sources could show, of which resources and on which days: what is not seen there is unseen, everything else is blind.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use policyc::ledger::coverage::Hidden;
use policyc::ledger::{Coverage, Coverages, Days, format};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const ROLE: &str = "web";
const INSTANCE: &str = "i-0123456789abcdef0";
const S3: &str = "AWS::S3::Object";

fn policyc(home: &Path, arguments: &[&str]) -> (i32, String, String) {
    let done =
        Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(home).env("NO_COLOR", "1").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
}

fn record(day: &str, source: &str, name: &str, more: &Json) -> Json {
    let mut record = json!({
        "eventVersion": "1.11", "eventType": "AwsApiCall", "eventTime": format!("{day}T12:00:00Z"), "awsRegion": "eu-west-1",
        "eventSource": source, "eventName": name, "eventID": format!("{day}-{name}"), "recipientAccountId": "111122223333",
        "sourceIPAddress": "203.0.113.7", "userAgent": "test", "requestParameters": null, "managementEvent": true, "eventCategory": "Management",
        "userIdentity": {
            "type": "AssumedRole", "accountId": "111122223333", "principalId": format!("AROA:{INSTANCE}"),
            "arn": format!("arn:aws:sts::111122223333:assumed-role/{ROLE}/{INSTANCE}"),
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": format!("arn:aws:iam::111122223333:role/{ROLE}"), "userName": ROLE}},
        },
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

fn put(day: &str, bucket: &str) -> Json {
    let resources = json!([{"type": S3, "ARN": format!("arn:aws:s3:::{bucket}/k")}, {"type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}")}]);
    let parameters = json!({"bucketName": bucket, "key": "k"});
    let more =
        json!({"managementEvent": false, "eventCategory": "Data", "resources": resources, "requestParameters": parameters});
    record(day, "s3.amazonaws.com", "PutObject", &more)
}

fn inventory(day: &str) -> Json {
    record(day, "ssm.amazonaws.com", "PutInventory", &json!({}))
}

/// A trail's file, with what the trail logs, if that is known, as a ledger.
fn observed(home: &Path, name: &str, records: &[Json], selectors: Option<&Json>) -> String {
    let (file, ledger) = (home.join(format!("{name}.json")), format!("{name}.ledger"));
    fs::write(&file, json!({"Records": records}).to_string()).unwrap();
    let declared = home.join(format!("{name}.selectors.json"));
    let (file, declared_path) = (file.display().to_string(), declared.display().to_string());
    let mut arguments = vec!["observe", &file, "--role", ROLE, "-o", &ledger];
    if let Some(selectors) = selectors {
        fs::write(&declared, selectors.to_string()).unwrap();
        arguments.extend(["--coverage", &declared_path]);
    }
    let (code, out, err) = policyc(home, &arguments);
    assert_eq!(code, 0, "{out}{err}");
    ledger
}

/// The verdict on s3:GetObject, which nobody ever called, and the sentence about it.
fn verdict(home: &Path, trails: &[&str], more: &[&str]) -> (String, String) {
    let mut arguments = vec!["derive", "--role", ROLE, "--account", "111122223333", "--format", "json"];
    trails.iter().for_each(|trail| arguments.extend(["--trail", trail]));
    arguments.extend(more);
    let (code, out, err) = policyc(home, &arguments);
    assert_eq!(code, 0, "{out}{err}");
    let report: Json = serde_json::from_str(&out).unwrap();
    let row = report["actions"].as_array().unwrap().iter().find(|a| a["action"] == "s3:GetObject").unwrap().clone();
    (row["verdict"].as_str().unwrap().to_owned(), row["because"].as_str().unwrap().to_owned())
}

fn selectors(buckets: &[&str]) -> Json {
    let data = json!([{"Type": S3, "Values": buckets}]);
    let resources = if buckets.is_empty() { json!([]) } else { data };
    json!({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": resources}]})
}

/// The regression: an event of the one bucket that is logged made all buckets count as logged.
#[test]
fn a_type_that_is_logged_on_some_buckets_is_blind_on_the_others() {
    let home = tempfile::tempdir().unwrap();
    let records = [put("2026-09-01", "one"), inventory("2026-09-01"), inventory("2026-09-02")];
    let check = |logged: &Json, expected: &str, because: &str| {
        let ledger = observed(home.path(), "trail", &records, Some(logged));
        let (file, coverage) = (
            home.path().join("trail.json").display().to_string(),
            home.path().join("trail.selectors.json").display().to_string(),
        );
        for (trail, more) in [(ledger, vec![]), (file, vec!["--coverage", coverage.as_str()])] {
            let (verdict, says) = verdict(home.path(), &[&trail], &more);
            assert_eq!(verdict, expected, "{trail} {logged}");
            assert!(says.contains(because), "{says}");
        }
    };
    check(&selectors(&["arn:aws:s3"]), "unseen", "the source would have shown it, and did not");
    check(&selectors(&["arn:aws:s3:::one/", "arn:aws:s3:::two/"]), "blind", "on arn:aws:s3:::one/…, arn:aws:s3:::two/… only");
    check(&selectors(&[]), "blind", "the source could not have shown it");
}

/// A feature gets what the source could not have shown: of the service's buckets those that the selectors leave out.
#[test]
fn the_floor_is_what_the_selectors_leave_out() {
    let home = tempfile::tempdir().unwrap();
    let sent = |day: &str, document: &str| {
        let alice = json!({"type": "IAMUser", "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/alice", "userName": "alice"});
        let parameters = json!({"instanceIds": [INSTANCE], "documentName": document});
        record(day, "ssm.amazonaws.com", "SendCommand", &json!({"requestParameters": parameters, "userIdentity": alice}))
    };
    let (package, agent) = (sent("2026-09-01", "AWS-ConfigureAWSPackage"), sent("2026-09-02", "AWS-UpdateSSMAgent"));
    let records = [inventory("2026-09-01"), package, agent];
    let granted = |logged: &[&str]| -> BTreeSet<String> {
        let ledger = observed(home.path(), "floor", &records, Some(&selectors(logged)));
        let arguments = ["derive", "--role", ROLE, "--account", "111122223333", "--format", "json", "--trail", &ledger];
        let (code, out, err) = policyc(home.path(), &arguments);
        assert_eq!(code, 0, "{out}{err}");
        let report: Json = serde_json::from_str(&out).unwrap();
        let row = report["actions"].as_array().unwrap().iter().find(|a| a["action"] == "s3:GetObject").unwrap().clone();
        row["resources"].as_array().unwrap().iter().map(|r| r.as_str().unwrap().to_owned()).collect()
    };
    let all = granted(&[]);
    assert!(all.len() > 1, "{all:?}");
    assert!(granted(&["arn:aws:s3"]).is_empty());
    let one = all.first().unwrap().clone();
    let rest = granted(&[one.trim_end_matches('*')]);
    assert_eq!(rest, all.iter().filter(|r| **r != one).cloned().collect::<BTreeSet<_>>());
}

#[test]
fn days_without_data_events_are_no_evidence() {
    let home = tempfile::tempdir().unwrap();
    let (with, without) = (selectors(&["arn:aws:s3"]), selectors(&[]));
    let early = [put("2026-09-01", "one"), inventory("2026-09-01"), put("2026-09-10", "one"), inventory("2026-09-10")];
    let late = [inventory("2026-09-11"), inventory("2026-11-29")];
    let later = [put("2026-09-11", "one"), inventory("2026-11-29"), put("2026-11-29", "one")];
    for (a, b, expected, because) in [
        (Some(&with), Some(&without), "blind", "the source shows it from 2026-09-01 to 2026-09-10 only"),
        (None, None, "blind", "the source shows it from 2026-09-01 to 2026-09-10 only"),
        (Some(&with), None, "blind", "the source shows it from 2026-09-01 to 2026-09-10 only"),
        (None, Some(&without), "blind", "the source could not have shown it"),
        (Some(&with), Some(&with), "unseen", "the source would have shown it"),
    ] {
        let (first, second) = (observed(home.path(), "early", &early, a), observed(home.path(), "late", &late, b));
        for order in [[&first, &second], [&second, &first]] {
            let (code, _, err) = policyc(home.path(), &["merge", order[0], order[1], order[0], "-o", "all.ledger"]);
            assert_eq!(code, 0, "{err}");
            for trails in [vec!["all.ledger"], vec![order[0], order[1]], vec!["all.ledger", &first]] {
                let (found, says) = verdict(home.path(), &trails, &[]);
                assert_eq!(found, expected, "{a:?} {b:?} {trails:?}");
                assert!(says.starts_with(because), "{says}");
            }
        }
        // Each alone says of its own days what it knows.
        assert_eq!(verdict(home.path(), &[&first], &[]).0, "unseen");
    }
    // Data events on every day, nothing declared: as far as they were seen.
    let (first, second) = (observed(home.path(), "early", &early, None), observed(home.path(), "late", &later, None));
    assert_eq!(verdict(home.path(), &[&first, &second], &[]).0, "unseen");
    // A trail for management events and one for data events, at the same time.
    let data_only = json!({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": false, "DataResources": [{"Type": S3, "Values": ["arn:aws:s3"]}]}]});
    let (first, second) = (
        observed(home.path(), "early", &[inventory("2026-09-01"), inventory("2026-09-10")], Some(&without)),
        observed(home.path(), "late", &[put("2026-09-01", "one"), put("2026-09-10", "one")], Some(&data_only)),
    );
    assert_eq!(verdict(home.path(), &[&first, &second], &[]).0, "unseen");
}

/// What is declared of the records says nothing of the days of a ledger that is read with them.
#[test]
fn a_declaration_is_about_the_records_and_not_about_ledgers() {
    let home = tempfile::tempdir().unwrap();
    let (with, without) = (selectors(&["arn:aws:s3"]), selectors(&[]));
    let early = observed(home.path(), "early", &[inventory("2026-06-01"), inventory("2026-06-10")], Some(&without));
    let late = observed(home.path(), "late", &[inventory("2026-09-01"), put("2026-09-01", "one")], Some(&with));
    let (file, declared) = ("late.json", ["--coverage", "late.selectors.json"]);
    assert_eq!(verdict(home.path(), &[&early, file], &declared).0, "blind");
    assert_eq!(verdict(home.path(), &[file], &declared).0, "unseen");
    // Where there are no records, it can only be about the ledgers.
    assert_eq!(verdict(home.path(), &[&late], &declared).0, "unseen");
}

/// The agent opens its control channel once and keeps it: that the source shows no such call is no evidence. Metrics know no
/// resources, so that seeing them is seeing all, and the namespace is narrowed to those that were seen.
#[test]
fn channels_last_and_metrics_are_seen_as_a_whole() {
    let home = tempfile::tempdir().unwrap();
    let data = |kind: &str| json!({"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": [kind]}]});
    let management = json!({"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]});
    let channel = json!({"AdvancedEventSelectors": [management, data("AWS::SSMMessages::ControlChannel")]});
    let metric = |namespace: &str| {
        let more = json!({
            "managementEvent": false, "eventCategory": "Data", "resources": [{"type": "AWS::CloudWatch::Metric"}],
            "requestParameters": {"namespace": namespace},
        });
        record("2026-09-01", "monitoring.amazonaws.com", "PutMetricData", &more)
    };
    let ledger = observed(home.path(), "channel", &[inventory("2026-09-01")], Some(&channel));
    let metrics = observed(home.path(), "metrics", &[metric("Acme/App"), inventory("2026-09-01")], None);
    let statement = |ledger: &str, action: &str| -> Json {
        let arguments = ["derive", "--role", ROLE, "--account", "111122223333", "--trail", ledger, "--out", "policy.json"];
        let (code, out, err) = policyc(home.path(), &arguments);
        assert_eq!(code, 0, "{out}{err}");
        let policy: Json = serde_json::from_slice(&fs::read(home.path().join("policy.json")).unwrap()).unwrap();
        let has = |s: &&Json| s["Action"].as_array().unwrap().iter().any(|a| a == action);
        policy["Statement"].as_array().unwrap().iter().find(has).cloned().unwrap_or_else(|| panic!("{action}: {policy}"))
    };
    statement(&ledger, "ssmmessages:CreateControlChannel");
    statement(&ledger, "ssmmessages:OpenControlChannel");
    let granted = statement(&metrics, "cloudwatch:PutMetricData");
    assert_eq!(granted["Condition"]["StringEquals"]["cloudwatch:namespace"], "Acme/App", "{granted}");
}

/// Schema 1 had one coverage and no days; it is taken for true of the days of its own ledger, and of no other.
#[test]
fn older_ledgers_still_read() {
    let home = tempfile::tempdir().unwrap();
    let written = observed(home.path(), "new", &[put("2026-09-01", "one"), inventory("2026-09-10")], None);
    let text = fs::read_to_string(home.path().join(&written)).unwrap();
    let old = |declared: bool| -> String {
        let lines =
            text.lines().filter(|line| !line.starts_with("{\"seen\"")).map(|line| line.replace("\"schema\":3", "\"schema\":1"));
        let coverage = json!({"coverage": {"data": [S3], "excluded": ["kms.amazonaws.com"], "declared": declared}}).to_string();
        let mut lines: Vec<String> = lines.collect();
        lines.insert(1, coverage);
        lines.join("\n")
    };
    let late = observed(home.path(), "late", &[inventory("2026-11-29")], None);
    for declared in [true, false] {
        let text = old(declared);
        assert!(text.starts_with("{\"policyc\":\"ledger\",\"schema\":1}\n{\"coverage\""), "{text}");
        let read = format::read(text.as_bytes()).unwrap();
        assert_eq!((read.shown().data, read.shown().declared), (BTreeSet::from([S3.to_owned()]), declared));
        assert_eq!(read.shown().excluded.len(), usize::from(declared));
        assert_eq!(format::read(&format::write(&read)).unwrap(), read);
        fs::write(home.path().join("old.ledger"), &text).unwrap();
        assert_eq!(verdict(home.path(), &["old.ledger"], &[]).0, "unseen");
        assert_eq!(verdict(home.path(), &["old.ledger", &late], &[]).0, "blind");
        // Written one after the other, each keeps its own days.
        let both = format!("{text}\n{}", fs::read_to_string(home.path().join(&late)).unwrap());
        fs::write(home.path().join("both.ledger"), both).unwrap();
        assert_eq!(verdict(home.path(), &["both.ledger"], &[]).0, "blind");
    }
}

fn day(n: u8) -> String {
    format!("2026-09-{n:02}")
}

fn days() -> impl Strategy<Value = Days> {
    prop::collection::vec((1..28_u8, 0..6_u8), 0..3).prop_map(|stretches| {
        let mut days = Days::default();
        stretches.iter().for_each(|(first, more)| days.merge(&Days::between(&day(*first), &day((first + more).min(28)))));
        days
    })
}

fn coverage() -> impl Strategy<Value = Coverage> {
    let kinds = || {
        prop::sample::subsequence(vec!["a", "b", "c"], 0..=2)
            .prop_map(|k| k.into_iter().map(str::to_owned).collect::<BTreeSet<_>>())
    };
    let places = prop::collection::btree_set(prop::sample::select(vec!["x/", "x/y/", "z/"]).prop_map(str::to_owned), 1..3);
    let partly = prop::collection::btree_map(prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned), places, 0..2);
    let hidden = prop::sample::subsequence(vec![Hidden::ManagementReads, Hidden::ManagementWrites], 0..=2);
    (kinds(), kinds(), partly, hidden).prop_map(|(data, excluded, partly, hidden)| {
        let partly: BTreeMap<String, BTreeSet<String>> = partly.into_iter().filter(|(kind, _)| !data.contains(kind)).collect();
        Coverage { data, excluded, partly, hidden: hidden.into_iter().collect(), declared: true, ..Coverage::default() }
    })
}

fn coverages() -> impl Strategy<Value = Coverages> {
    let seen = prop::collection::btree_map(prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned), days(), 0..2);
    let declared = prop::collection::btree_map(coverage(), days(), 0..3);
    (seen, declared).prop_map(|(seen, declared)| {
        let mut all = Coverages { declared, ..Coverages::default() };
        seen.iter().filter(|(_, days)| !days.is_empty()).for_each(|(kind, days)| {
            all.saw(kind, &Days::between(&days.ends().unwrap().0.to_string(), &days.ends().unwrap().1.to_string()))
        });
        all
    })
}

fn merged(parts: &[&Coverages]) -> Coverages {
    parts.iter().fold(Coverages::default(), |mut all, part| {
        all.merge((*part).clone());
        all
    })
}

proptest! {
    /// INVARIANT (coverage-merge)
    #[test]
    fn merging_knows_no_order_and_no_twice(a in coverages(), b in coverages(), c in coverages()) {
        prop_assert_eq!(merged(&[&a, &b, &c]), merged(&[&c, &a, &b]));
        prop_assert_eq!(merged(&[&a, &merged(&[&b, &c])]), merged(&[&merged(&[&a, &b]), &c]));
        prop_assert_eq!(merged(&[&a, &b, &a]), merged(&[&a, &b]));
        prop_assert_eq!(merged(&[&a, &Coverages::default()]), a);
    }

    /// What is shown throughout is shown on each day by some source, as a plain count of days has it.
    #[test]
    fn throughout_is_on_every_day(all in coverages(), first in 1..28_u8, more in 0..6_u8) {
        let window: Vec<u8> = (first..=(first + more).min(28)).collect();
        let shown = all.throughout(&Days::between(&day(window[0]), &day(*window.last().unwrap())));
        let on = |n: u8| Days::between(&day(n), &day(n));
        let by_some = |n: u8, is: &dyn Fn(&Coverage) -> bool| all.declared.iter().any(|(c, days)| is(c) && days.cover(&on(n)));
        for kind in ["a", "b", "c"] {
            let plainly = if all.declared.is_empty() {
                all.seen.get(kind).is_some_and(|days| window.iter().all(|n| days.cover(&on(*n))))
            } else {
                window.iter().all(|n| by_some(*n, &|c| c.data.contains(kind)))
            };
            prop_assert_eq!(shown.data.contains(kind), plainly, "{} {:?}", kind, all);
            for place in ["x/", "x/y/", "z/", "w/"] {
                let everywhere = !all.declared.is_empty() && window.iter().all(|n| by_some(*n, &|c| c.shows(kind, place)));
                prop_assert_eq!(shown.shows(kind, place), everywhere || plainly, "{} {} {:?}", kind, place, all);
            }
        }
        // Management events are shown unless a source leaves them out on a day on which no other shows them.
        let every = 1..=28_u8;
        for half in [Hidden::ManagementReads, Hidden::ManagementWrites] {
            let lost = every.clone().any(|n| by_some(n, &|c| c.hidden.contains(&half)) && !by_some(n, &|c| !c.hidden.contains(&half)));
            prop_assert_eq!(shown.hidden.contains(&half), lost);
        }
    }

    /// A source that shows no data events makes none shown, whatever its days.
    #[test]
    fn what_shows_nothing_adds_nothing(all in coverages(), own in days(), first in 1..28_u8) {
        prop_assume!(!all.declared.is_empty());
        let none = Coverage { declared: true, ..Coverage::default() };
        let more = merged(&[&all, &Coverages { declared: BTreeMap::from([(none, own)]), ..Coverages::default() }]);
        let window = Days::between(&day(first), &day(first + 1));
        prop_assert_eq!(all.throughout(&window).data, more.throughout(&window).data);
    }
}
