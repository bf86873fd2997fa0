//! Days in UTC, as stretches without gaps.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

/// A set of days.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Vec<(String, String)>", into = "Vec<(String, String)>")]
pub struct Days {
    /// INVARIANT (days-apart): stretches by their first day, none of which touches or overlaps another.
    stretches: BTreeMap<Date, Date>,
}

impl Days {
    /// From the day of one time to that of another, as ledgers write times, or dates; empty where one is neither.
    #[must_use]
    pub fn between(first: &str, last: &str) -> Self {
        let day = |text: &str| text.get(..10)?.parse::<Date>().ok();
        let stretches = day(first).zip(day(last)).filter(|(first, last)| first <= last);
        Self { stretches: stretches.into_iter().collect() }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// The first and the last.
    #[must_use]
    pub fn ends(&self) -> Option<(Date, Date)> {
        Some((*self.stretches.first_key_value()?.0, *self.stretches.last_key_value()?.1))
    }

    /// These and others.
    pub fn merge(&mut self, other: &Self) {
        for (first, last) in &other.stretches {
            self.add(*first, *last);
        }
    }

    fn add(&mut self, mut first: Date, mut last: Date) {
        let day = 1.day();
        let (before, after) = (first.saturating_sub(day), last.saturating_add(day));
        let touching: Vec<(Date, Date)> =
            self.stretches.range(..=after).filter(|(_, end)| **end >= before).map(|(a, b)| (*a, *b)).collect();
        for (start, end) in touching {
            self.stretches.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.stretches.insert(first, last);
    }

    /// Everything from the first of all to the last.
    pub fn widen(&mut self, other: &Self) {
        self.merge(other);
        self.stretches = self.ends().into_iter().collect();
    }

    /// Whether every one of the others is among these.
    #[must_use]
    pub fn cover(&self, others: &Self) -> bool {
        let within = |first: &Date, last: &Date| self.stretches.range(..=*first).next_back().is_some_and(|(_, end)| end >= last);
        others.stretches.iter().all(|(first, last)| within(first, last))
    }
}

impl std::fmt::Display for Days {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<String> = self.stretches.iter().map(|(first, last)| format!("{first} to {last}")).collect();
        f.write_str(&texts.join(", "))
    }
}

impl From<Days> for Vec<(String, String)> {
    fn from(days: Days) -> Self {
        days.stretches.into_iter().map(|(first, last)| (first.to_string(), last.to_string())).collect()
    }
}

impl TryFrom<Vec<(String, String)>> for Days {
    type Error = String;

    fn try_from(stretches: Vec<(String, String)>) -> Result<Self, String> {
        let mut days = Self::default();
        for (first, last) in &stretches {
            let one = Self::between(first, last);
            if one.is_empty() || first.len() != 10 || last.len() != 10 {
                return Err(format!("`{first}` to `{last}` are no days"));
            }
            days.merge(&one);
        }
        Ok(days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(stretches: &[(u8, u8)]) -> Days {
        let mut days = Days::default();
        for (first, last) in stretches {
            days.merge(&Days::between(&format!("2026-09-{first:02}"), &format!("2026-09-{last:02}T23:59:59Z")));
        }
        days
    }

    #[test]
    fn stretches_that_touch_are_one() {
        let check = |stretches: &[(u8, u8)], expected: &str| assert_eq!(days(stretches).to_string(), expected, "{stretches:?}");
        check(&[(1, 5), (6, 10)], "2026-09-01 to 2026-09-10");
        check(&[(6, 10), (1, 5)], "2026-09-01 to 2026-09-10");
        check(&[(1, 5), (7, 10)], "2026-09-01 to 2026-09-05, 2026-09-07 to 2026-09-10");
        check(&[(1, 5), (7, 10), (4, 8)], "2026-09-01 to 2026-09-10");
        check(&[(1, 10), (3, 4)], "2026-09-01 to 2026-09-10");
        check(&[], "");
        assert!(Days::between("never", "2026-09-01").is_empty() && Days::between("2026-09-02", "2026-09-01").is_empty());
        assert!(Days::try_from(vec![("2026-09-02".to_owned(), "2026-09-01".to_owned())]).is_err());
    }

    #[test]
    fn what_covers_what() {
        let check = |own: &[(u8, u8)], others: &[(u8, u8)], expected: bool| {
            assert_eq!(days(own).cover(&days(others)), expected, "{own:?} {others:?}");
        };
        check(&[(1, 10)], &[(1, 10)], true);
        check(&[(1, 10)], &[(2, 3), (9, 10)], true);
        check(&[(1, 10)], &[(1, 11)], false);
        check(&[(1, 4), (6, 10)], &[(4, 6)], false);
        check(&[], &[], true);
        check(&[], &[(1, 1)], false);
    }
}
