//! Five hundred instances over ninety days.

use std::collections::{BTreeMap, BTreeSet};

use policyc::aws::discover::Machine;
use policyc::aws::estimate::{Estimate, spoken};
use policyc::aws::event_history::{Instance, Question};
use policyc::catalog::Catalog;
use serde_json::{Value, json};

use crate::event_history::{NOW, REGION, names, now, options, quick, run};
use crate::lookup_server::LookupServer;
use crate::records::{ACCOUNT, ledger};

const INSTANCES: usize = 500;
const DAYS: i64 = 90;

fn id(number: usize) -> String {
    format!("i-{number:017x}")
}

/// A report a day: the real ones come every five minutes, and make more pages and nothing else.
fn report(number: usize, day: i64) -> Value {
    let time = jiff::Timestamp::from_second(now() - day * 86_400 - 3600).unwrap();
    json!({
        "eventVersion": "1.11", "eventTime": time.to_string(), "eventSource": "ssm.amazonaws.com",
        "eventName": "UpdateInstanceInformation", "awsRegion": REGION, "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-sdk-go/1.55 amazon-ssm-agent/3.3.1", "eventID": format!("{number}-{day}"),
        "eventType": "AwsApiCall", "eventCategory": "Management", "recipientAccountId": ACCOUNT,
        "requestParameters": {"instanceId": id(number), "agentVersion": "3.3.1", "platformType": "Linux"},
        "userIdentity": {"type": "AssumedRole", "accountId": ACCOUNT,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/fleet/{}", id(number))},
    })
}

/// INVARIANT (history-requests): a look-up takes as many requests as it has pages, and at most one more.
#[test]
fn a_large_stack_takes_no_request_too_many() {
    // Some came late, and one in five is gone.
    let days = |number: usize| DAYS - 1 - (number % 7 * 10) as i64;
    let records: Vec<Value> = (0..INSTANCES).flat_map(|n| (0..days(n)).map(move |day| report(n, day))).collect();
    let server = LookupServer::start(&records, quick());
    let instance = |n: usize| Instance { id: id(n), region: REGION.to_owned(), running: !n.is_multiple_of(5) };
    let question = Question {
        account: ACCOUNT.to_owned(),
        regions: BTreeSet::from([REGION.to_owned()]),
        instances: (0..INSTANCES).map(instance).collect(),
        days: 90,
        ..Question::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let fetched = run(&server.url(), &question, folder.path(), &options()).unwrap();
    let ledger = ledger(&fetched.inputs());
    let sessions: BTreeMap<&str, u64> = ledger.heartbeats.iter().map(|(h, e)| (h.session.name.as_str(), e.calls())).collect();
    assert_eq!(sessions.len(), INSTANCES);
    let calls: u64 = ledger.uses.values().map(|seen| seen.samples.len() as u64).sum();
    assert_eq!(calls, (0..INSTANCES).map(|n| days(n).min(64) as u64).sum::<u64>(), "nothing is missing");
    let pages: usize = (0..INSTANCES).map(|n| (days(n) as usize).div_ceil(50)).sum::<usize>() + names().len();
    let lookups = question.lookups(Catalog::embedded()).len();
    let asked = server.asked().len();
    assert!((pages..=pages + lookups).contains(&asked), "{asked} requests for {pages} pages of {lookups} look-ups");
}

#[test]
fn how_long_it_would_take_is_known_before() {
    let since = Some("2026-01-01T00:00:00Z".parse().unwrap());
    let machine = |n: usize| Machine { id: id(n), role: "fleet".to_owned(), running: true, since };
    let machines: Vec<Machine> = (0..INSTANCES).map(machine).collect();
    let limits = &Catalog::embedded().event_history;
    let estimate = Estimate::of(&machines, names().len() as u64, 90, NOW.parse().unwrap(), limits);
    let told = estimate.told(INSTANCES, 90, limits);
    assert!(told[0].starts_with("event history of 500 instance(s) over 90 days: about 2"), "{told:?}");
    assert!(told[1].contains("`--from trail`") && told[1].contains("Athena"), "{told:?}");
    assert_eq!(spoken(estimate.time), "1 d 12 h");
}
