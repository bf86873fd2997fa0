//! What the sources of a ledger could show, and when.
//!
//! What a source shows is known for the days of its own records only: a trail with data events of ten days, merged with one without for
//! ninety, says nothing of the absence of such an event on the other eighty. So each declaration is kept with its days, and what was
//! not declared with the days between the first and the last event that was seen; only what holds for every day is relied on.
//!
//! INVARIANT (coverage-merge): merging is associative, commutative and idempotent, and more days that do not show something never make it
//! shown.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::{Coverage, Hidden, shortest};
use super::days::Days;

/// What the sources could show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverages {
    /// Types of resources of which data events were seen, and the days from the first to the last.
    pub seen: BTreeMap<String, Days>,
    /// What somebody declared, and the days it is true of.
    pub declared: BTreeMap<Coverage, Days>,
}

impl Coverages {
    /// Folds those of other sources into these.
    pub fn merge(&mut self, other: Self) {
        for (kind, days) in other.seen {
            self.saw(&kind, &days);
        }
        for (coverage, days) in other.declared {
            self.declared.entry(coverage).or_default().merge(&days);
        }
    }

    /// Notes that data events of a type were seen.
    pub fn saw(&mut self, kind: &str, days: &Days) {
        match self.seen.get_mut(kind) {
            Some(known) => known.widen(days),
            None => drop(self.seen.insert(kind.to_owned(), days.clone())),
        }
    }

    /// What was shown on every one of some days.
    ///
    /// Without a declaration: management events, and data events of the types that were seen from the first day to the last. With
    /// one: of data events what declared sources show on each of the days; of management events what no source leaves out on a day on
    /// which no other shows it.
    #[must_use]
    pub fn throughout(&self, days: &Days) -> Coverage {
        if self.declared.is_empty() {
            let (data, part): (Vec<_>, Vec<_>) = self.seen.iter().partition(|(_, seen)| seen.cover(days));
            return Coverage {
                data: data.into_iter().map(|(kind, _)| kind.clone()).collect(),
                sometimes: part.into_iter().map(|(kind, seen)| (kind.clone(), seen.clone())).collect(),
                ..Coverage::default()
            };
        }
        let mut all = Coverage { declared: true, ..Coverage::default() };
        let kinds: BTreeSet<&String> = self.declared.keys().flat_map(|c| c.data.iter().chain(c.partly.keys())).collect();
        for kind in kinds {
            let whole = self.on(|c| c.data.contains(kind));
            if self.declared.keys().any(|c| c.data.contains(kind)) && whole.cover(days) {
                all.data.insert(kind.clone());
                continue;
            }
            let places = self.declared.keys().filter_map(|c| c.partly.get(kind)).flatten();
            let shown = |place: &&String| self.on(|c| c.shows(kind, place)).cover(days);
            let places: BTreeSet<String> = shortest(places.filter(shown).cloned().collect());
            if !places.is_empty() {
                all.partly.insert(kind.clone(), places);
            }
            if !whole.is_empty() {
                all.sometimes.insert(kind.clone(), whole);
            }
        }
        let left_out =
            |hides: &dyn Fn(&Coverage) -> bool, shows: &dyn Fn(&Coverage) -> bool| !self.on(shows).cover(&self.on(hides));
        let halves = [Hidden::ManagementReads, Hidden::ManagementWrites].into_iter();
        all.hidden = halves.filter(|half| left_out(&|c| c.hidden.contains(half), &|c| !c.hidden.contains(half))).collect();
        let named: BTreeSet<&String> = self.declared.keys().flat_map(|c| &c.excluded).collect();
        let shows = |c: &Coverage, source: &String| c.hidden.is_empty() && !c.excluded.contains(source);
        let excluded = named.into_iter().filter(|s| left_out(&|c| c.excluded.contains(*s), &|c| shows(c, s)));
        all.excluded = excluded.cloned().collect();
        all
    }

    /// The days of the sources of which something is true.
    fn on(&self, is: impl Fn(&Coverage) -> bool) -> Days {
        let mut days = Days::default();
        self.declared.iter().filter(|(coverage, _)| is(coverage)).for_each(|(_, own)| days.merge(own));
        days
    }
}
