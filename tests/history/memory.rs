//! How much memory it takes to read a fleet's history: as much for a long time as for a short one.
//!
//! What is measured is a process of its own, the test's own binary begun again, in which nothing else happens. For the figures of
//! `docs/live.md`:
//!
//! ```sh
//! FLEET='{"instances":500,"days":90,"every":300}' cargo test --test history measured -- --ignored --nocapture
//! ```

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use policyc::aws::event_history::{Instance, Question};
use policyc::aws::fetch::{Batches, Load};
use policyc::aws::past;
use policyc::aws::{bucket::Bucket, bucket::Place, bucket::Wanted};
use policyc::catalog::Catalog;
use policyc::trail::{Interest, Observer, Options};
use serde_json::{Value, json};

use crate::bucket::{client, patience, runtime};
use crate::event_history::{NOW, REGION, options, run};
use crate::fleet::{Fleet, ROLE, history, id, role_arn, trail};
use crate::records::ACCOUNT;

/// What the process is to do.
const TASK: &str = "POLICYC_TEST_TASK";

#[derive(serde::Serialize, serde::Deserialize)]
struct Task {
    fleet: Fleet,
    url: String,
    /// The folder for pages; a trail is read where there is none.
    folder: Option<String>,
}

/// What it says.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Done {
    /// The most memory that it had, in KB.
    peak: u64,
    calls: u64,
    instances: usize,
    seconds: f64,
    /// How long it kept a core busy, in seconds, which does not depend on what else the machine did.
    busy: f64,
}

/// The other process; it does nothing where it was not begun by one of the tests.
#[test]
#[ignore = "other tests begin it, in a process of its own"]
fn process() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Task = serde_json::from_str(&task).unwrap();
    let begun = Instant::now();
    let interest = Interest { account: Some(ACCOUNT.to_owned()), roles: BTreeSet::from([ROLE.to_owned()]) };
    let mut observer = Observer::new(&interest, Catalog::embedded(), Options::default());
    match &task.folder {
        Some(folder) => from_event_history(&task, Path::new(folder), &mut observer),
        None => from_trail(&task, &mut observer),
    }
    let ledger = observer.finish().ledger;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let spent = std::fs::read_to_string("/proc/self/stat").unwrap();
    // `utime` and `stime` in ticks, of which Linux has a hundred a second everywhere; the name before them may hold spaces.
    let ticks = spent.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    let done = Done {
        peak: peak.trim().trim_end_matches(" kB").parse().unwrap(),
        calls: ledger.uses.values().map(policyc::ledger::Evidence::calls).sum(),
        instances: ledger.uses.keys().map(|used| &used.session.name).collect::<BTreeSet<_>>().len(),
        seconds: begun.elapsed().as_secs_f64(),
        busy: ticks.map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum(),
    };
    println!("\ndone {}", serde_json::to_string(&done).unwrap());
}

fn from_event_history(task: &Task, folder: &Path, observer: &mut Observer<'_>) {
    let plain =
        Question { account: ACCOUNT.to_owned(), regions: BTreeSet::from([REGION.to_owned()]), days: 90, ..Question::default() };
    let of_roles = Question { roles: BTreeSet::from([role_arn()]), ..plain.clone() };
    let sessions = run(&task.url, &of_roles, &folder.join("roles"), &options()).unwrap();
    let past = past::instances(&sessions.inputs()).unwrap();
    assert_eq!(past.values().map(BTreeSet::len).sum::<usize>() as i64, task.fleet.instances);
    let instance = |n: i64| Instance { id: id(n), region: REGION.to_owned(), running: true };
    let question = Question { instances: (0..task.fleet.instances).map(instance).collect(), ..plain };
    let events = run(&task.url, &question, &folder.join("sessions"), &options()).unwrap();
    events.observe(observer).unwrap();
}

fn from_trail(task: &Task, observer: &mut Observer<'_>) {
    let set = |text: &str| BTreeSet::from([text.to_owned()]);
    let to = NOW.parse::<jiff::Timestamp>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
    let from = to.checked_sub(jiff::Span::new().days(90)).unwrap();
    let wanted = Wanted { accounts: set(ACCOUNT), regions: set(REGION), from, to };
    let runtime = runtime();
    let batches = runtime.block_on(async {
        let bucket = Bucket::open(&client(&task.url, REGION), "trail", patience()).await.unwrap();
        let listing = bucket.list(&Place::parse("s3://trail").unwrap(), &wanted).await.unwrap();
        Batches::begin(bucket, listing, Load::default())
    });
    batches.observe(observer, &|_| {}).unwrap();
}

fn done(task: &Task) -> Done {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["memory::process", "--exact", "--ignored", "--nocapture"]);
    let output = command.env(TASK, serde_json::to_string(task).unwrap()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("done "));
    serde_json::from_str(line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))).unwrap()
}

fn of_history(fleet: Fleet) -> Done {
    let (server, folder) = (history(fleet), tempfile::tempdir().unwrap());
    done(&Task { fleet, url: server.url(), folder: Some(folder.path().to_str().unwrap().to_owned()) })
}

fn of_trail(fleet: Fleet, every: i64) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let server = trail(fleet, every, folder.path());
    done(&Task { fleet, url: server.url(), folder: None })
}

/// Compares a short time with one five times as long.
#[track_caller]
fn check(instances: i64, measure: impl Fn(Fleet) -> Done) {
    let of = |days: i64| measure(Fleet { instances, days, every: 300 });
    let (short, long) = (of(5), of(25));
    // The last quarter of an hour is not asked for of event history, which can be three reports less.
    for (done, days) in [(&short, 5), (&long, 25)] {
        let (all, few) = ((days * 288 * instances) as u64, 4 * instances as u64);
        assert!((all - few..=all + few).contains(&done.calls), "{done:?}: {all}");
        assert_eq!(done.instances as i64, instances);
    }
    assert!(long.peak < short.peak + short.peak / 5, "{short:?} {long:?}");
}

/// INVARIANT (history-memory).
#[test]
fn event_history_of_five_times_as_long_takes_no_more_memory() {
    check(2, of_history);
}

/// INVARIANT (fetch-memory).
#[test]
fn a_trail_of_five_times_as_long_takes_no_more_memory() {
    check(20, |fleet| of_trail(fleet, 3600));
}

/// The figures of `docs/live.md`.
#[test]
#[ignore = "it takes as long as it takes"]
fn measured() {
    let text = std::env::var("FLEET").unwrap_or_else(|_| json!({"instances": 20, "days": 30, "every": 300}).to_string());
    let fleet: Fleet = serde_json::from_str(&text).unwrap();
    let way: Value = std::env::var("FROM").map_or(Value::Null, Into::into);
    if way != "event-history" {
        println!("{fleet:?} from a trail: {:?}", of_trail(fleet, fleet.every));
    }
    if way != "trail" {
        println!("{fleet:?} from event history: {:?}", of_history(fleet));
    }
}
