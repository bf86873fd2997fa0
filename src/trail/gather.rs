//! What was seen so far, counted so that it can be put together in any order.
//!
//! INVARIANT (one-event-one-count): an event counts once for each thing it shows, in the source with the smallest digest that
//! holds it, however often it was delivered. Every operation here is associative, commutative and idempotent for that.
//!
//! To tell events apart takes memory for each of them. Whoever reads a long time in the order of days can have those
//! [forgotten](Gathered::forget) that will not come again; then they are counted in one source that stands for all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::record::Record;
use crate::finding::{Code, Finding};
use crate::ledger::collapse::{self, Fold, Shape};
use crate::ledger::{Bare, Coverage, Coverages, Evidence, Heartbeat, Ledger, Sign, Source, SourceId, Use};

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

/// A day as a number whose order is that of time: 20261119.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Day(u32);

impl Day {
    /// The day of a time in RFC 3339; what is none is earlier than every day.
    fn of(time: &str) -> Self {
        let digits = time.bytes().take(10).filter(u8::is_ascii_digit);
        let number = digits.fold(0_u32, |all, digit| all.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')));
        Self(number)
    }

    fn at(date: Date) -> Self {
        Self::of(&date.to_string())
    }
}

/// The evidence of one thing, while files are still being read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    first: String,
    last: String,
    /// By a digest of the event's key: the smallest source that holds it, and its day.
    events: HashMap<u128, (Digits, Day), foldhash::quality::RandomState>,
    /// How many events were forgotten.
    forgotten: u64,
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
        let held = (event.source, Day::of(&event.time));
        let slot = self.events.entry(event.digest).or_insert(held);
        *slot = (*slot).min(held);
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

    /// Forgets the events of earlier days, and their number not.
    fn forget(&mut self, before: Day) {
        let held = self.events.len();
        self.events.retain(|_, (_, day)| *day >= before);
        self.forgotten += held.saturating_sub(self.events.len()) as u64;
        // A day's events take as much room as the next day's, and no more.
        if self.events.capacity() / 4 > self.events.len() {
            self.events.shrink_to_fit();
        }
    }

    /// `whole` is the source that stands for all, where there is one.
    fn evidence(self, whole: Option<&SourceId>) -> Evidence {
        let mut counts: BTreeMap<SourceId, u64> = BTreeMap::new();
        if let Some(whole) = whole {
            counts.insert(whole.clone(), self.forgotten + self.events.len() as u64);
        } else {
            for (source, _) in self.events.into_values() {
                *counts.entry(source.id()).or_default() += 1;
            }
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
        for (event, held) in other.events {
            let slot = self.events.entry(event).or_insert(held);
            *slot = (*slot).min(held);
        }
        self.forgotten += other.forgotten;
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
    bare: BTreeMap<Bare, Tally>,
    heartbeats: BTreeMap<Heartbeat, Tally>,
    signs: BTreeMap<Sign, Tally>,
    unmapped: BTreeMap<String, Tally>,
    unknown: BTreeMap<(String, Digits), Unknown>,
    /// Ledgers among the input.
    given: Ledger,
    shapes: BTreeSet<Shape>,
    /// So many uses are worth collapsing on the way.
    patience: usize,
    /// What stands for the sources whose events were forgotten.
    whole: Whole,
}

/// One source in place of many.
#[derive(Debug, Default)]
struct Whole {
    digits: u64,
    files: u64,
    records: BTreeMap<String, u64>,
    unknown: BTreeMap<String, Unknown>,
}

impl Whole {
    fn take(&mut self, sources: BTreeMap<SourceId, Source>) {
        for (id, source) in sources {
            // A sum, so that the order does not matter.
            self.digits = self.digits.wrapping_add(u64::from_str_radix(&id.0, 16).unwrap_or_default());
            self.files += 1;
            for (kind, count) in source.records {
                *self.records.entry(kind).or_default() += count;
            }
        }
    }

    fn join(&mut self, other: Self) {
        self.digits = self.digits.wrapping_add(other.digits);
        self.files += other.files;
        other.records.into_iter().for_each(|(kind, count)| *self.records.entry(kind).or_default() += count);
        kinds(&mut self.unknown, other.unknown);
    }

    fn source(&mut self) -> (SourceId, Source) {
        let records = std::mem::take(&mut self.records);
        (Digits(self.digits).id(), Source { name: format!("{} files", self.files), records })
    }
}

impl Gathered {
    pub(super) fn used(&mut self, used: Use, event: &Event) {
        self.uses.entry(used).or_default().count(event);
    }

    pub(super) fn bare(&mut self, call: Bare, event: &Event) {
        add(&mut self.bare, call, event);
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
        self.whole.join(other.whole);
        if self.uses.len() < other.uses.len() {
            std::mem::swap(&mut self.uses, &mut other.uses);
        }
        for (used, tally) in other.uses {
            match self.uses.get_mut(&used) {
                Some(slot) => slot.fold(tally),
                None => drop(self.uses.insert(used, tally)),
            }
        }
        fold(&mut self.bare, other.bare);
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

    /// Forgets the events of days before this one: none of them will come again. Should one all the same, it counts twice.
    ///
    /// Names are collapsed first, as they would be in the end: of one event under two names of the same shape it could not be told
    /// afterwards that it is one.
    pub(super) fn forget(&mut self, before: Date, limit: usize) {
        let (uses, shapes) = collapse::collapse_uses(std::mem::take(&mut self.uses), limit);
        self.uses = uses.into_iter().collect();
        self.shapes.extend(shapes);
        let before = Day::at(before);
        let tallies = self.uses.values_mut().chain(self.heartbeats.values_mut()).chain(self.signs.values_mut());
        tallies.chain(self.unmapped.values_mut()).chain(self.bare.values_mut()).for_each(|tally| tally.forget(before));
        self.whole.take(std::mem::take(&mut self.sources));
        kinds(&mut self.whole.unknown, std::mem::take(&mut self.unknown).into_iter().map(|((what, _), seen)| (what, seen)));
    }

    /// The ledger of everything, with names collapsed, and what there is to tell.
    pub(super) fn finish(mut self, limit: usize, declared: Option<&Coverage>) -> (Ledger, Vec<Finding>) {
        // While events are still told apart, so that the counts of a collapsed name are exact.
        let (uses, shapes) = collapse::collapse_uses(self.uses, limit);
        self.shapes.extend(shapes);
        let mut whole = None;
        if self.whole.files > 0 {
            self.whole.take(std::mem::take(&mut self.sources));
            self.sources = BTreeMap::from([self.whole.source()]);
            whole = self.sources.keys().next().cloned();
        }
        let whole = whole.as_ref();
        let mut ledger = Ledger {
            uses: evidence(uses, whole),
            bare: evidence(self.bare, whole),
            heartbeats: evidence(self.heartbeats, whole),
            signs: evidence(self.signs, whole),
            unmapped: evidence(self.unmapped, whole),
            sources: self.sources,
            operator_addresses: self.addresses,
            coverage: self.coverage,
        };
        let own = ledger.window().is_some();
        if let Some(coverage) = declared.filter(|_| own) {
            ledger.declare(coverage.clone());
        }
        if self.given != Ledger::default() {
            ledger.merge(self.given);
            if let Some(coverage) = declared.filter(|_| !own) {
                ledger.declare(coverage.clone());
            }
            let (uses, shapes) = collapse::collapse_uses(ledger.uses, limit);
            ledger.uses = uses;
            self.shapes.extend(shapes);
        }
        let mut findings: Vec<Finding> = self.unreadable.into_iter().collect();
        kinds(&mut self.whole.unknown, self.unknown.into_iter().map(|((what, _), seen)| (what, seen)));
        findings.extend(unknown_records(self.whole.unknown));
        findings.extend(collapse::findings(&ledger, &self.shapes));
        (ledger, findings)
    }
}

fn evidence<K: Ord>(tallies: BTreeMap<K, Tally>, whole: Option<&SourceId>) -> BTreeMap<K, Evidence> {
    tallies.into_iter().map(|(key, tally)| (key, tally.evidence(whole))).collect()
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

/// Sums up what is known of records of unknown kinds.
fn kinds(into: &mut BTreeMap<String, Unknown>, more: impl IntoIterator<Item = (String, Unknown)>) {
    for (what, (count, first)) in more {
        match into.get_mut(&what) {
            Some(slot) => *slot = (slot.0 + count, std::mem::take(&mut slot.1).min(first)),
            None => drop(into.insert(what, (count, first))),
        }
    }
}

/// One finding for each unknown kind.
fn unknown_records(kinds: BTreeMap<String, Unknown>) -> Vec<Finding> {
    let say = |(what, (count, (file, index))): (String, Unknown)| {
        let message = format!("{count} record(s) are {what}, the first is record {index} of `{file}`; they grant nothing");
        Finding::new(Code::UnknownRecord, message)
    };
    kinds.into_iter().map(say).collect()
}
