//! When things were seen: the uses of each day, and when each permission of the result was needed for the first time.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::derive::{Derivation, Grant, Need};
use crate::iam::{Action, Pattern};
use crate::ledger::{Evidence, Ledger};

/// The activity behind a result.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Activity {
    /// The days on which something was used, in order.
    pub days: Vec<Day>,
    /// The permissions that were seen, in the order in which they were needed for the first time.
    pub first_seen: Vec<FirstSeen>,
    /// Whether the curve of newly seen permissions has gone flat.
    pub growth: Growth,
}

/// One day of activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The date, UTC.
    pub date: String,
    /// How often permissions of the result were used. A call that needs two permissions counts twice.
    pub uses: u64,
    /// Whether there may have been more: only the earliest events of each use are kept one by one.
    pub at_least: bool,
}

/// A permission of the result and when it was needed for the first time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FirstSeen {
    /// The time, RFC 3339.
    pub time: String,
    /// The action.
    pub action: Action,
    /// The resource as the result has it.
    pub resource: Pattern,
}

/// How the number of permissions that were seen has grown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Growth {
    /// What is to be said of it.
    pub verdict: Trend,
    /// How many permissions of the result were seen.
    pub permissions: usize,
    /// How many of them in one call only: many of these mean that more are still to come.
    pub seen_once: usize,
    /// When the latest of them was needed for the first time, RFC 3339; empty where nothing was seen.
    pub last_new: String,
    /// How many days the trail covers, from the first to the last event.
    pub window_days: i64,
    /// How many of them, at the end, brought nothing new.
    pub quiet_days: i64,
}

/// What is to be said of the growth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// At least half of the window brought nothing new.
    Flat,
    /// New permissions were needed in the later half of the window.
    Growing,
    /// The window is shorter than [`Growth::SHORT`] days, and nothing can be said.
    #[default]
    TooShort,
}

impl Growth {
    /// Below this many days nothing is said: two weeks hold two of each weekday, and what happens once a week is seen twice.
    pub const SHORT: i64 = 14;
}

impl Activity {
    /// What a derivation has seen, within the window of its ledger.
    #[must_use]
    pub fn of(derivation: &Derivation, ledger: &Ledger) -> Self {
        let seen: Vec<(&Grant, Evidence)> =
            derivation.grants.iter().filter_map(|g| Some((g, evidence(g, &derivation.needs)?))).collect();
        let mut first_seen: Vec<FirstSeen> = seen
            .iter()
            .map(|(g, e)| FirstSeen { time: e.first.clone(), action: g.action.clone(), resource: g.resource.clone() })
            .collect();
        first_seen.sort();
        first_seen.dedup();
        let growth = growth(&first_seen, seen.iter().filter(|(_, e)| e.calls() == 1).count(), ledger);
        Self { days: days(&derivation.needs), first_seen, growth }
    }
}

/// Everything that was seen of a grant.
fn evidence(grant: &Grant, needs: &[Need]) -> Option<Evidence> {
    let found = grant.needs.iter().filter_map(|i| needs.get(*i)?.evidence.clone());
    found.reduce(|mut all, more| {
        all.merge(more);
        all
    })
}

fn days(needs: &[Need]) -> Vec<Day> {
    let mut days: BTreeMap<String, Day> = BTreeMap::new();
    let mut open: Vec<(String, String)> = Vec::new();
    let mut count = |time: &str, uses: u64| {
        let date = day(time).to_owned();
        let slot = days.entry(date.clone()).or_insert(Day { date, uses: 0, at_least: false });
        slot.uses += uses;
    };
    for evidence in needs.iter().filter_map(|n| n.evidence.as_ref()) {
        evidence.samples.iter().for_each(|(time, _)| count(time, 1));
        let kept = evidence.samples.len() as u64;
        let latest = evidence.samples.last().map_or("", |(time, _)| time.as_str());
        if evidence.calls() > kept {
            // The last event is known by its time, the others between it and the latest sample only by their number.
            count(&evidence.last, u64::from(evidence.last.as_str() > latest));
            open.push((day(latest).to_owned(), day(&evidence.last).to_owned()));
        }
    }
    let mut days: Vec<Day> = days.into_values().collect();
    for day in &mut days {
        day.at_least = open.iter().any(|(from, to)| (from..=to).contains(&&day.date));
    }
    days
}

fn growth(first_seen: &[FirstSeen], seen_once: usize, ledger: &Ledger) -> Growth {
    let (Some(last), Some((from, to))) = (first_seen.last(), ledger.window()) else { return Growth::default() };
    let (window_days, quiet_days) = (between(&from, &to), between(&last.time, &to));
    let verdict = match window_days {
        ..Growth::SHORT => Trend::TooShort,
        _ if quiet_days * 2 >= window_days => Trend::Flat,
        _ => Trend::Growing,
    };
    Growth { verdict, permissions: first_seen.len(), seen_once, last_new: last.time.clone(), window_days, quiet_days }
}

/// Whole days from one time to another; none where either cannot be read.
fn between(from: &str, to: &str) -> i64 {
    let seconds = |t: &str| t.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second);
    match (seconds(from), seconds(to)) {
        (Ok(from), Ok(to)) => (to - from) / 86_400,
        _ => 0,
    }
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}
