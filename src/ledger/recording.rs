//! A ledger as it lies in a repository: what decides, and little else.
//!
//! INVARIANT (recording-stable): the same activity is recorded as the same bytes, in whichever files or pages it came and however
//! much of other people's was in them. Only how often names were used that collapsed, and events that were delivered again days later,
//! is an upper bound, because a long time is read without remembering every event of it.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Evidence, Ledger, Source, SourceId, format};

/// So many events are named for each use.
const NAMED: usize = 3;

/// The ledger with one source in place of many files, and few events named. `name` says what it is a recording of.
#[must_use]
pub fn recorded(mut ledger: Ledger, name: &str) -> Ledger {
    ledger.sources.clear();
    let calls: Vec<u64> = evidence(&mut ledger).map(shortened).collect();
    let bytes = format::write(&ledger);
    let id = SourceId(Sha256::digest(&bytes).iter().take(8).map(|b| format!("{b:02x}")).collect());
    for (seen, count) in evidence(&mut ledger).zip(&calls) {
        seen.counts = BTreeMap::from([(id.clone(), *count)]);
    }
    let records = BTreeMap::from([("recorded".to_owned(), calls.iter().sum())]);
    ledger.sources = BTreeMap::from([(id, Source { name: name.to_owned(), records })]);
    ledger
}

fn evidence(ledger: &mut Ledger) -> impl Iterator<Item = &mut Evidence> {
    let seen = ledger.uses.values_mut().chain(ledger.bare.values_mut()).chain(ledger.heartbeats.values_mut());
    seen.chain(ledger.signs.values_mut()).chain(ledger.unmapped.values_mut())
}

/// Names fewer events; gives how many there were.
fn shortened(seen: &mut Evidence) -> u64 {
    let calls = seen.calls();
    seen.abridged |= seen.samples.len() > NAMED;
    seen.samples = std::mem::take(&mut seen.samples).into_iter().take(NAMED).collect::<BTreeSet<_>>();
    // While the source is not known yet, the number itself is part of what is digested.
    seen.counts = BTreeMap::from([(SourceId(String::new()), calls)]);
    calls
}
