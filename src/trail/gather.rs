//! What was seen so far, counted so that it can be put together in any order.
//!
//! INVARIANT (one-event-one-count): an event counts once for each thing it shows, in the source with the smallest digest that
//! holds it, however often it was delivered. Every operation here is associative, commutative and idempotent for that.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use super::record::Record;
use crate::finding::{Code, Finding};
use crate::ledger::collapse::{self, Fold, Shape};
use crate::ledger::{Coverages, Evidence, Heartbeat, Ledger, Sign, Source, SourceId, Use};

/// One event, as far as counting needs it.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// What two deliveries of the same event share: `sharedEventID`, else `eventID`, else a digest of the record.
    key: String,
    digest: u128,
    /// The id to look it up by.
    id: String,
    time: String,
    source: Digits,
}

impl Event {
    /// The event that a record tells of; `text` is the record as it was found in `source`.
    pub(super) fn of(record: &Record, text: &str, source: Digits) -> Self {
        let digest =
            |text: &str| Sha256::digest(text.as_bytes()).iter().take(16).fold(0, |all, byte| all << 8 | u128::from(*byte));
        let ids = [record.shared_event_id.as_deref().unwrap_or_default(), &record.event_id];
        let key =
            ids.into_iter().find(|id| !id.is_empty()).map_or_else(|| format!("record-{:032x}", digest(text)), str::to_owned);
        let id = if record.event_id.is_empty() { key.clone() } else { record.event_id.clone() };
        Self { digest: digest(&key), key, id, time: record.event_time.clone(), source }
    }
}

/// The first eight bytes of a source's SHA-256. Their order is that of the text in [`SourceId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Digits(u64);

impl Digits {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    pub(super) fn id(self) -> SourceId {
        SourceId(format!("{:016x}", self.0))
    }
}

/// The evidence of one thing, while files are still being read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    first: String,
    last: String,
    /// By a digest of the event's key: the smallest source that holds it.
    events: HashMap<u128, Digits, foldhash::quality::RandomState>,
    /// The earliest events, by time and key, with their ids.
    samples: BTreeMap<(String, String), String>,
}

impl Tally {
    /// Counts one event.
    fn count(&mut self, event: &Event) {
        if self.first.is_empty() || event.time < self.first {
            self.first.clone_from(&event.time);
        }
        if event.time > self.last {
            self.last.clone_from(&event.time);
        }
        let source = self.events.entry(event.digest).or_insert(event.source);
        *source = (*source).min(event.source);
        let full = self.samples.len() >= Evidence::SAMPLES;
        let late = |((time, key), _): (&(String, String), &String)| (time, key) < (&event.time, &event.key);
        if !(full && self.samples.last_key_value().is_some_and(late)) {
            self.sample((event.time.clone(), event.key.clone()), event.id.clone());
        }
    }

    fn sample(&mut self, event: (String, String), id: String) {
        match self.samples.get_mut(&event) {
            Some(known) => *known = std::mem::take(known).min(id),
            None => drop(self.samples.insert(event, id)),
        }
        if self.samples.len() > Evidence::SAMPLES {
            self.samples.pop_last();
        }
    }

    fn evidence(self) -> Evidence {
        let mut counts: BTreeMap<SourceId, u64> = BTreeMap::new();
        for source in self.events.into_values() {
            *counts.entry(source.id()).or_default() += 1;
        }
        let samples = self.samples.into_iter().map(|((time, _), id)| (time, id)).collect();
        Evidence { first: self.first, last: self.last, counts, samples, abridged: false }
    }
}

impl Fold for Tally {
    fn fold(&mut self, mut other: Self) {
        self.first = std::mem::take(&mut self.first).min(other.first);
        self.last = std::mem::take(&mut self.last).max(other.last);
        if self.events.len() < other.events.len() {
            std::mem::swap(&mut self.events, &mut other.events);
        }
        for (event, source) in other.events {
            let slot = self.events.entry(event).or_insert(source);
            *slot = (*slot).min(source);
        }
        for (event, id) in other.samples {
            self.sample(event, id);
        }
    }
}

/// Records of one unknown kind in one source: how many, and the first of them as file and index.
type Unknown = (u64, (String, u64));

/// Everything that some of the files showed.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) sources: BTreeMap<SourceId, Source>,
    pub(super) coverage: Coverages,
    pub(super) addresses: BTreeSet<String>,
    pub(super) unreadable: BTreeSet<Finding>,
    uses: HashMap<Use, Tally, foldhash::quality::RandomState>,
    heartbeats: BTreeMap<Heartbeat, Tally>,
    signs: BTreeMap<Sign, Tally>,
    unmapped: BTreeMap<String, Tally>,
    unknown: BTreeMap<(String, Digits), Unknown>,
    /// Ledgers among the input.
    given: Ledger,
    shapes: BTreeSet<Shape>,
    /// So many uses are worth collapsing on the way.
    patience: usize,
}

impl Gathered {
    pub(super) fn used(&mut self, used: Use, event: &Event) {
        self.uses.entry(used).or_default().count(event);
    }

    pub(super) fn beat(&mut self, heartbeat: Heartbeat, event: &Event) {
        add(&mut self.heartbeats, heartbeat, event);
    }

    pub(super) fn signed(&mut self, sign: Sign, event: &Event) {
        add(&mut self.signs, sign, event);
    }

    pub(super) fn not_mapped(&mut self, name: String, event: &Event) {
        add(&mut self.unmapped, name, event);
    }

    pub(super) fn not_known(&mut self, what: String, source: Digits, file: &str, index: u64) {
        self.unknown.entry((what, source)).or_insert_with(|| (0, (file.to_owned(), index))).0 += 1;
    }

    pub(super) fn given(&mut self, ledger: Ledger) {
        self.given.merge(ledger);
    }

    /// Takes in what other files showed; names that explode are collapsed before they fill the memory.
    pub(super) fn join(mut self, mut other: Self, limit: usize) -> Self {
        for (id, source) in other.sources {
            match self.sources.get_mut(&id) {
                Some(known) => known.merge(source),
                None => drop(self.sources.insert(id, source)),
            }
        }
        self.coverage.merge(other.coverage);
        self.addresses.extend(other.addresses);
        self.unreadable.extend(other.unreadable);
        self.shapes.extend(other.shapes);
        self.given.merge(other.given);
        if self.uses.len() < other.uses.len() {
            std::mem::swap(&mut self.uses, &mut other.uses);
        }
        for (used, tally) in other.uses {
            match self.uses.get_mut(&used) {
                Some(slot) => slot.fold(tally),
                None => drop(self.uses.insert(used, tally)),
            }
        }
        fold(&mut self.heartbeats, other.heartbeats);
        fold(&mut self.signs, other.signs);
        fold(&mut self.unmapped, other.unmapped);
        for (key, seen) in other.unknown {
            let slot = self.unknown.entry(key).or_insert_with(|| seen.clone());
            *slot = std::mem::take(slot).min(seen);
        }
        let patience = self.patience.max(other.patience).max(limit.saturating_mul(16));
        if self.uses.len() > patience {
            let (uses, shapes) = collapse::collapse_uses(self.uses, limit);
            self.uses = uses.into_iter().collect();
            self.shapes.extend(shapes);
        }
        self.patience = patience.max(self.uses.len().saturating_mul(2));
        self
    }

    /// The ledger of everything, with names collapsed, and what there is to tell.
    pub(super) fn finish(mut self, limit: usize) -> (Ledger, Vec<Finding>) {
        // While events are still told apart, so that the counts of a collapsed name are exact.
        let (uses, shapes) = collapse::collapse_uses(self.uses, limit);
        self.shapes.extend(shapes);
        let mut ledger = Ledger {
            sources: self.sources,
            uses: evidence(uses),
            heartbeats: evidence(self.heartbeats),
            signs: evidence(self.signs),
            operator_addresses: self.addresses,
            unmapped: evidence(self.unmapped),
            coverage: self.coverage,
        };
        if self.given != Ledger::default() {
            ledger.merge(self.given);
            let (uses, shapes) = collapse::collapse_uses(ledger.uses, limit);
            ledger.uses = uses;
            self.shapes.extend(shapes);
        }
        let mut findings: Vec<Finding> = self.unreadable.into_iter().collect();
        findings.extend(unknown_records(self.unknown));
        findings.extend(collapse::findings(&ledger, &self.shapes));
        (ledger, findings)
    }
}

fn evidence<K: Ord>(tallies: BTreeMap<K, Tally>) -> BTreeMap<K, Evidence> {
    tallies.into_iter().map(|(key, tally)| (key, tally.evidence())).collect()
}

fn add<K: Ord>(into: &mut BTreeMap<K, Tally>, key: K, event: &Event) {
    into.entry(key).or_default().count(event);
}

fn fold<K: Ord>(into: &mut BTreeMap<K, Tally>, from: BTreeMap<K, Tally>) {
    for (key, tally) in from {
        match into.get_mut(&key) {
            Some(slot) => slot.fold(tally),
            None => drop(into.insert(key, tally)),
        }
    }
}

/// One finding for each unknown kind.
fn unknown_records(unknown: BTreeMap<(String, Digits), Unknown>) -> Vec<Finding> {
    let mut kinds: BTreeMap<String, Unknown> = BTreeMap::new();
    for ((what, _), (count, first)) in unknown {
        match kinds.get_mut(&what) {
            Some(slot) => *slot = (slot.0 + count, std::mem::take(&mut slot.1).min(first)),
            None => drop(kinds.insert(what, (count, first))),
        }
    }
    let say = |(what, (count, (file, index))): (String, Unknown)| {
        let message = format!("{count} record(s) are {what}, the first is record {index} of `{file}`; they grant nothing");
        Finding::new(Code::UnknownRecord, message)
    };
    kinds.into_iter().map(say).collect()
}
