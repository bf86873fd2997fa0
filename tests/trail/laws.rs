//! INVARIANT (observe-order): what is in the ledger depends on the events alone.

use std::num::NonZeroUsize;

use jiff::Span;
use jiff::civil::Date;
use policyc::ledger::{Ledger, format};
use policyc::trail::{Input, Observer, Options};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::made::{self, get, gzip, heartbeat, read};

/// Events of a small world: few ids, so that they meet again, and few names, so that some collapse.
fn event() -> impl Strategy<Value = Value> {
    let id = (0_u8..12).prop_map(|n| format!("e{n:02}"));
    let time = (0_u8..4).prop_map(|n| format!("2026-09-01T00:00:0{n}Z"));
    (id, 0_u8..6, "[a-c](/[a-d]){0,2}", time, 0_u8..3).prop_map(|(id, what, key, time, from)| {
        // An event's content follows from its id, as it does in reality, but for the account it was delivered to.
        let n = id.bytes().map(usize::from).sum::<usize>() + usize::from(what);
        let mut record = match n % 7 {
            0 => heartbeat(&id),
            1 => made::by(
                "assumed-role/ops/alice",
                &id,
                "ssm.amazonaws.com",
                "StartSession",
                json!({"requestParameters": {"target": made::INSTANCE}}),
            ),
            2 => made::call(&id, "ssm.amazonaws.com", "GetDocument", json!({"errorCode": "AccessDeniedException"})),
            3 => made::call(&id, "sts.amazonaws.com", "GetCallerIdentity", json!({})),
            4 => made::call(&id, "signin.amazonaws.com", "ConsoleLogin", json!({"eventType": "AwsConsoleSignIn"})),
            _ => get(&id, &key),
        };
        record["eventTime"] = json!(time);
        record["sourceIPAddress"] = json!(format!("203.0.113.{from}"));
        if what == 5 {
            record["sharedEventID"] = json!(format!("s-{}", n % 4));
        }
        record
    })
}

fn events() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(event(), 1..30)
}

fn file(events: &[Value]) -> Vec<u8> {
    gzip(json!({"Records": events}).to_string().as_bytes())
}

fn ledger(files: &[Vec<u8>], threads: usize) -> Ledger {
    let names: Vec<String> = (0..files.len()).map(|n| format!("{n}.json.gz")).collect();
    let named: Vec<(&str, Vec<u8>)> = names.iter().map(String::as_str).zip(files.iter().cloned()).collect();
    let options = Options { threads: NonZeroUsize::new(threads), names: 2, ..Options::default() };
    let mut ledger = read(&named, &options).unwrap().ledger;
    for source in ledger.sources.values_mut() {
        source.name.clear(); // files are named here by their order
    }
    ledger
}

/// The ledger without what depends on which event lies in which file.
fn decisions(mut ledger: Ledger) -> Ledger {
    ledger.sources.clear();
    let all = ledger.uses.values_mut().chain(ledger.heartbeats.values_mut()).chain(ledger.signs.values_mut());
    for evidence in all.chain(ledger.unmapped.values_mut()).chain(ledger.bare.values_mut()) {
        evidence.counts.clear();
    }
    ledger
}

fn counts(ledger: &Ledger) -> Vec<u64> {
    ledger.uses.values().map(|seen| seen.counts.values().sum()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_of_files_and_events_and_threads_do_not_matter(events in events(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5), turn in any::<prop::sample::Index>()) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(events.len())).chain([0, events.len()]).collect();
        at.sort_unstable();
        let mut files: Vec<Vec<u8>> = at.windows(2).map(|pair| file(&events[pair[0]..pair[1]])).collect();
        let straight = ledger(&files, 1);
        let turn = turn.index(files.len());
        files.rotate_left(turn);
        prop_assert_eq!(&straight, &ledger(&files, 1));
        files.reverse();
        prop_assert_eq!(&straight, &ledger(&files, 4));
        let again = files.clone();
        files.extend(again);
        prop_assert_eq!(&straight, &ledger(&files, 3), "every file delivered twice");

        let mut shuffled = events.clone();
        shuffled.rotate_left(turn % events.len());
        shuffled.reverse();
        let whole = ledger(&[file(&shuffled)], 1);
        prop_assert_eq!(counts(&straight), counts(&whole), "an event counts once, in however many files it lies");
        prop_assert_eq!(decisions(straight), decisions(whole));
    }

    /// INVARIANT (observe-forgets).
    #[test]
    fn forgetting_days_that_are_over_changes_nothing(mut events in events(), again in prop::collection::vec(any::<bool>(), 30)) {
        let day = |event: &Value| event["eventID"].as_str().unwrap()[1..].parse::<usize>().unwrap() % 4;
        // One event names one thing here: of several whose names collapse later, each counts.
        let mut seen = std::collections::BTreeSet::new();
        events.retain(|event| seen.insert(event["eventID"].to_string()));
        for event in &mut events {
            event["eventTime"] = json!(format!("2026-09-{:02}T00:00:00Z", day(event) + 1));
            event.as_object_mut().unwrap().remove("sharedEventID");
        }
        // Of each day's events some are delivered once more, with those of the next day.
        let of = |wanted: usize| {
            let late = |at: usize| again[at] && day(&events[at]) + 1 == wanted;
            let all = events.iter().enumerate().filter(|(at, event)| day(event) == wanted || late(*at));
            all.map(|(_, event)| event.clone()).collect::<Vec<_>>()
        };
        let delivered: Vec<Vec<Value>> = (0..5).map(of).collect();
        let files: Vec<Vec<u8>> = delivered.iter().map(|events| file(events)).collect();
        let (interest, options) = (made::interest(), Options { names: 2, ..Options::default() });
        let mut observer = Observer::new(&interest, made::catalog(), options);
        for (at, bytes) in files.iter().enumerate() {
            observer.forget(Date::constant(2026, 9, 1).checked_add(Span::new().days(i64::try_from(at).unwrap() - 1)).unwrap());
            observer.add(&[Input::new(format!("{at}.json.gz"), || Ok(bytes.clone()))]).unwrap();
        }
        let (forgetting, straight) = (observer.finish().ledger, ledger(&files, 1));
        prop_assert_eq!(counts(&forgetting), counts(&straight));
        prop_assert_eq!(forgetting.sources.len(), 1, "one source stands for all");
        let records = forgetting.sources.values().flat_map(|source| source.records.values()).sum::<u64>();
        prop_assert_eq!(records, delivered.iter().map(Vec::len).sum::<usize>() as u64);
        prop_assert_eq!(decisions(forgetting), decisions(straight));
    }

    #[test]
    fn ledgers_of_parts_merge_to_the_ledger_of_the_whole(a in events(), b in events()) {
        let (a, b) = (distinct(a), distinct(b));
        let whole = ledger(&[file(&a), file(&b)], 2);
        let parts = [ledger(&[file(&a)], 1), ledger(&[file(&b)], 1)].map(|part| format::write(&part));
        prop_assert_eq!(decisions(whole.clone()), decisions(ledger(&parts, 2)));
        prop_assert_eq!(decisions(whole.clone()), decisions(ledger(&[parts.concat()], 1)), "written into one file");
        prop_assert_eq!(decisions(whole), decisions(ledger(&[parts[0].clone(), parts[1].clone(), file(&a)], 2)), "and read again");
    }

    /// INVARIANT (ledger-roundtrip).
    #[test]
    fn ledgers_read_back(events in events()) {
        let ledger = ledger(&[file(&events)], 1);
        let bytes = format::write(&ledger);
        let again = format::read(&bytes).unwrap();
        prop_assert_eq!(&again, &ledger);
        prop_assert_eq!(format::write(&again), bytes);
    }
}

/// Without `sharedEventID`: which of its copies' ids is told depends on which copies are at hand.
fn distinct(mut events: Vec<Value>) -> Vec<Value> {
    for event in &mut events {
        event.as_object_mut().unwrap().remove("sharedEventID");
    }
    events
}

#[test]
fn an_event_delivered_twice_counts_once() {
    let mut copy = get("e2", "a");
    copy["sharedEventID"] = json!("s");
    let mut other = get("e3", "a");
    other["sharedEventID"] = json!("s");
    let files = [file(&[get("e1", "a"), get("e1", "a"), copy]), file(&[get("e1", "a"), other])];
    for seen in ledger(&files, 2).uses.values() {
        assert_eq!(seen.calls(), 2);
        assert_eq!(seen.counts.len(), 1, "both in the source with the smallest digest");
        let ids: Vec<&str> = seen.samples.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids, ["e1", "e2"]);
    }
    let mut nameless = get("", "a");
    nameless["eventID"] = json!(null);
    let mut later = nameless.clone();
    later["eventTime"] = json!("2026-09-01T00:00:09Z");
    let seen = ledger(&[file(&[nameless.clone(), nameless, later])], 1);
    assert!(seen.uses.values().all(|seen| seen.calls() == 2), "records without an id are told apart by what they say");
}
