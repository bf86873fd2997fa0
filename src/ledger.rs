//! The intermediate representation: who used what, on which resource, with which outcome, from where, first and last.
//!
//! A [`Ledger`] is what the front end makes of any amount of CloudTrail and what the passes read. It is versioned,
//! small, free of secrets (no access keys, no parameters beyond resource names) and **mergeable**: ledgers of parts of a
//! trail merge to the ledger of the whole, in any order, with duplicates, as often as you like.
//!
//! INVARIANT (ledger-merge): merging is associative, commutative and idempotent in everything that decides; counts are
//! exact for each source file, identified by digest, and upper bounds beyond it.

pub mod address;
pub mod collapse;
pub mod coverage;
pub mod days;
pub mod entry;
pub mod format;
pub mod mask;
pub mod recording;
pub mod selectors;
pub mod sources;

use std::collections::{BTreeMap, BTreeSet};

pub use coverage::Coverage;
pub use days::Days;
pub use entry::{Bare, Evidence, Heartbeat, Origin, Outcome, Session, Sign, SourceId, Target, Use};
pub use sources::Coverages;

/// One file or stream that was read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// The file's name as given, without folders that lead to it.
    pub name: String,
    /// How many records it held, by kind (`api-call`, `service-event`, `insight`, `digest`, …).
    pub records: BTreeMap<String, u64>,
}

impl Source {
    /// Folds in what else is known of the same bytes: they may have been read under two names.
    pub fn merge(&mut self, other: Self) {
        self.name = std::mem::take(&mut self.name).min(other.name);
        for (kind, count) in other.records {
            let slot = self.records.entry(kind).or_default();
            *slot = (*slot).max(count);
        }
    }
}

/// What was seen, folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The files read, by digest.
    pub sources: BTreeMap<SourceId, Source>,
    /// What the sources could show, and when.
    pub coverage: Coverages,
    /// Every distinct use and its evidence.
    pub uses: BTreeMap<Use, Evidence>,
    /// Calls of instances' sessions that show no need of a permission: they only tell where the credentials are.
    pub bare: BTreeMap<Bare, Evidence>,
    /// Reports of the SSM agent about itself (`UpdateInstanceInformation`).
    pub heartbeats: BTreeMap<Heartbeat, Evidence>,
    /// Other people's calls that show a feature in use, such as an operator's `StartSession`.
    pub signs: BTreeMap<Sign, Evidence>,
    /// Addresses from which people (IAM users, console sessions) worked, for judging origins.
    pub operator_addresses: BTreeSet<String>,
    /// Events of the role's sessions that the catalogue cannot map: `source:name` → evidence.
    pub unmapped: BTreeMap<String, Evidence>,
}

/// The version of the ledger's file format.
pub const SCHEMA: u32 = 3;

impl Ledger {
    /// Folds another ledger into this one.
    pub fn merge(&mut self, other: Self) {
        for (id, source) in other.sources {
            match self.sources.entry(id) {
                std::collections::btree_map::Entry::Vacant(slot) => drop(slot.insert(source)),
                std::collections::btree_map::Entry::Occupied(mut slot) => slot.get_mut().merge(source),
            }
        }
        self.coverage.merge(other.coverage);
        self.operator_addresses.extend(other.operator_addresses);
        fold(&mut self.uses, other.uses);
        fold(&mut self.bare, other.bare);
        fold(&mut self.heartbeats, other.heartbeats);
        fold(&mut self.signs, other.signs);
        fold(&mut self.unmapped, other.unmapped);
    }

    /// What the sources could show throughout, from the first event to the last.
    #[must_use]
    pub fn shown(&self) -> Coverage {
        self.coverage.throughout(&self.days())
    }

    /// Notes that somebody declared what the source of these records shows: it is true of their days.
    pub fn declare(&mut self, coverage: Coverage) {
        let days = self.days();
        self.coverage.declared.entry(coverage).or_default().merge(&days);
    }

    fn days(&self) -> Days {
        self.window().map(|(first, last)| Days::between(&first, &last)).unwrap_or_default()
    }

    /// The time of the earliest and the latest event, in RFC 3339, `None` when nothing was seen. Calls that show no need do not count:
    /// nothing but suspicion comes of them.
    #[must_use]
    pub fn window(&self) -> Option<(String, String)> {
        let all = || {
            let evidence = self.uses.values().chain(self.heartbeats.values()).chain(self.signs.values());
            evidence.chain(self.unmapped.values())
        };
        let first = all().map(|e| &e.first).min()?;
        let last = all().map(|e| &e.last).max()?;
        Some((first.clone(), last.clone()))
    }
}

fn fold<K: Ord>(into: &mut BTreeMap<K, Evidence>, from: BTreeMap<K, Evidence>) {
    fold_all(into, from);
}

/// Folds entries of which some may be the same.
fn fold_all<K: Ord>(into: &mut BTreeMap<K, Evidence>, from: impl IntoIterator<Item = (K, Evidence)>) {
    for (key, evidence) in from {
        match into.entry(key) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(evidence);
            }
            std::collections::btree_map::Entry::Occupied(mut slot) => slot.get_mut().merge(evidence),
        }
    }
}
