//! How long event history will take, before it begins.

use std::time::Duration;

use jiff::Timestamp;

use super::discover::Machine;
use crate::catalog::history::EventHistory;

/// How long event history will take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// How many requests it is likely to take in the region that takes most.
    pub requests: u64,
    /// How long they take at the rate that AWS allows.
    pub time: Duration,
}

impl Estimate {
    /// From here on a trail in S3 is the better way.
    pub const LONG: Duration = Duration::from_secs(3600);

    /// Estimates the look-ups of instances: the agent of each reports every few minutes while it runs, and each report is an event.
    /// `others` are look-ups of which nothing is known; each takes a request at least.
    #[must_use]
    pub fn of<'a>(
        machines: impl IntoIterator<Item = &'a Machine>,
        others: u64,
        days: u32,
        now: Timestamp,
        limits: &EventHistory,
    ) -> Self {
        let window = u64::from(days.min(limits.days)) * 1440;
        let minutes = |machine: &Machine| {
            let age = machine.since.map(|since| now.duration_since(since).as_secs() / 60);
            age.map_or(window, |age| u64::try_from(age).unwrap_or_default().min(window))
        };
        let page = u64::from(limits.heartbeat_minutes.max(1) * limits.events_per_page.max(1));
        let requests = others + machines.into_iter().map(|machine| minutes(machine) / page + 1).sum::<u64>();
        Self { requests, time: Duration::from_secs(requests / u64::from(limits.requests_per_second.max(1))) }
    }

    /// What there is to say of it before it begins, line by line.
    #[must_use]
    pub fn told(&self, instances: usize, days: u32, limits: &EventHistory) -> Vec<String> {
        let (requests, time, rate) = (self.requests, spoken(self.time), limits.requests_per_second);
        let first = format!(
            "event history of {instances} instance(s) over {days} days: about {requests} requests, {time} at the {rate} a second that AWS allows in a region"
        );
        let advice =
            "that is long; a trail in S3 is read in minutes: `--from trail` or `--from s3://BUCKET/PREFIX`, or ask Athena";
        [first].into_iter().chain(self.is_long().then(|| advice.to_owned())).collect()
    }

    /// Whether a trail in S3 is the better way.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.time > Self::LONG
    }
}

/// A length of time as people say it: `45 s`, `12 min`, `3 h 20 min`, `1 d 12 h`.
#[must_use]
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, 0, _) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn machine(since: Option<&str>) -> Machine {
        let since = since.map(|t| t.parse().unwrap());
        Machine { id: "i-1".to_owned(), role: "web".to_owned(), running: true, since }
    }

    #[test]
    fn heartbeats_take_the_time() {
        let now = "2026-11-20T00:00:00Z".parse().unwrap();
        let limits = &Catalog::embedded().event_history;
        let check = |count: usize, since: Option<&str>, others: u64, requests: u64, says: &str| {
            let machines = vec![machine(since); count];
            let estimate = Estimate::of(&machines, others, 90, now, limits);
            assert_eq!((estimate.requests, spoken(estimate.time).as_str()), (requests, says), "{count} {since:?}");
        };
        check(1, Some("2026-11-19T00:00:00Z"), 4, 10, "5 s");
        check(3, None, 0, 1557, "12 min");
        check(20, Some("2020-01-01T00:00:00Z"), 0, 10_380, "1 h 26 min");
        check(500, None, 20, 259_520, "1 d 12 h");
        assert!(Estimate::of(&vec![machine(None); 20], 0, 90, now, limits).is_long());
        assert!(!Estimate::of(&[machine(None)], 0, 90, now, limits).is_long());
    }

    #[test]
    fn spoken_times() {
        for (seconds, says) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (86_400, "1 d"), (90_060, "1 d 1 h")] {
            assert_eq!(spoken(Duration::from_secs(seconds)), says);
        }
    }
}
