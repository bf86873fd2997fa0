//! The ledger's file format: one JSON value a line.
//!
//! The first line is `{"policyc":"ledger","schema":1}`; every other line is one entry. Lines are sorted, so that a small
//! change of activity is a small difference between two files, and each stands for itself, so that files that are written
//! one after the other into one file read as their merger.
//!
//! INVARIANT (ledger-roundtrip): what is written reads back as the same ledger, and equal ledgers are written as equal bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Coverage, Evidence, Heartbeat, Ledger, SCHEMA, Sign, Source, SourceId, Use};

/// Why bytes are not a ledger that can be read. The fault is the file's.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file does not begin as ledgers do.
    #[error("it does not begin with the header of a ledger")]
    NoHeader,
    /// A newer version of the tool wrote it, or none did.
    #[error("its schema is {0}, and this version reads {SCHEMA}")]
    Schema(u64),
    /// A line is no entry of a ledger.
    #[error("line {line}: {reason}")]
    Entry {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    policyc: &'a str,
    schema: u64,
}

/// What the header says this file is.
const NAME: &str = "ledger";

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Entry {
    Source(SourceId, Source),
    Coverage(Coverage),
    Use(Use, Evidence),
    Heartbeat(Heartbeat, Evidence),
    Sign(Sign, Evidence),
    OperatorAddress(String),
    Unmapped(String, Evidence),
}

/// Whether bytes begin as a ledger of any version does.
#[must_use]
pub fn looks_like_ledger(bytes: &[u8]) -> bool {
    lines(bytes).next().is_some_and(|(_, line)| header(line).is_some())
}

/// Reads a ledger, or several that were written one after the other.
///
/// # Errors
///
/// Where the bytes are not a ledger, or one of a schema that this version does not know.
pub fn read(bytes: &[u8]) -> Result<Ledger, LedgerError> {
    if !looks_like_ledger(bytes) {
        return Err(LedgerError::NoHeader);
    }
    let mut ledger = Ledger::default();
    for (line, text) in lines(bytes) {
        match header(text) {
            Some(schema) if schema != u64::from(SCHEMA) => return Err(LedgerError::Schema(schema)),
            Some(_) => {}
            None => {
                let entry: Entry = serde_json::from_slice(text).map_err(|error| entry_error(line, &error))?;
                ledger.merge(alone(entry, line)?);
            }
        }
    }
    Ok(ledger)
}

/// Writes a ledger.
#[must_use]
pub fn write(ledger: &Ledger) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, &Header { policyc: NAME, schema: u64::from(SCHEMA) });
    let own = |(a, b): (&SourceId, &Source)| Entry::Source(a.clone(), b.clone());
    let entries = (ledger.sources.iter().map(own))
        .chain((ledger.coverage != Coverage::default()).then(|| Entry::Coverage(ledger.coverage.clone())))
        .chain(ledger.uses.iter().map(|(used, seen)| Entry::Use(used.clone(), seen.clone())))
        .chain(ledger.heartbeats.iter().map(|(beat, seen)| Entry::Heartbeat(beat.clone(), seen.clone())))
        .chain(ledger.signs.iter().map(|(sign, seen)| Entry::Sign(sign.clone(), seen.clone())))
        .chain(ledger.operator_addresses.iter().cloned().map(Entry::OperatorAddress))
        .chain(ledger.unmapped.iter().map(|(event, seen)| Entry::Unmapped(event.clone(), seen.clone())));
    entries.for_each(|entry| put(&mut out, &entry));
    out
}

/// Appends one line. Every key in these types is text, so nothing here can fail to become JSON.
fn put(out: &mut Vec<u8>, value: &impl Serialize) {
    if let Ok(line) = serde_json::to_vec(value) {
        out.extend_from_slice(&line);
        out.push(b'\n');
    }
}

/// The lines that hold something, counted from 1.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.is_empty())
}

/// The schema, where a line is a header.
fn header(line: &[u8]) -> Option<u64> {
    let head = line.get(..line.len().min(200))?;
    serde_json::from_slice::<Header<'_>>(head).ok().filter(|header| header.policyc == NAME).map(|header| header.schema)
}

fn entry_error(line: usize, error: &serde_json::Error) -> LedgerError {
    LedgerError::Entry { line, reason: error.to_string().chars().take(200).collect() }
}

/// A ledger of one entry.
fn alone(entry: Entry, line: usize) -> Result<Ledger, LedgerError> {
    let mut ledger = Ledger::default();
    let seen = match &entry {
        Entry::Use(_, seen) | Entry::Heartbeat(_, seen) | Entry::Sign(_, seen) | Entry::Unmapped(_, seen) => Some(seen),
        Entry::Source(..) | Entry::Coverage(_) | Entry::OperatorAddress(_) => None,
    };
    if let Some(reason) = seen.and_then(contradiction) {
        return Err(LedgerError::Entry { line, reason });
    }
    match entry {
        Entry::Source(id, source) => ledger.sources = BTreeMap::from([(id, source)]),
        Entry::Coverage(coverage) => ledger.coverage = coverage,
        Entry::Use(used, seen) => ledger.uses = BTreeMap::from([(used, seen)]),
        Entry::Heartbeat(beat, seen) => ledger.heartbeats = BTreeMap::from([(beat, seen)]),
        Entry::Sign(sign, seen) => ledger.signs = BTreeMap::from([(sign, seen)]),
        Entry::OperatorAddress(address) => ledger.operator_addresses.extend([address]),
        Entry::Unmapped(event, seen) => ledger.unmapped = BTreeMap::from([(event, seen)]),
    }
    Ok(ledger)
}

/// What is wrong with evidence, such as times in another form, which would sort wrongly ever after.
fn contradiction(seen: &Evidence) -> Option<String> {
    let times = [&seen.first, &seen.last].into_iter().chain(seen.samples.iter().map(|(time, _)| time));
    let odd = times.into_iter().find(|time| !is_normal(time));
    odd.map(|time| format!("`{}` is not a time as ledgers write it", time.chars().take(40).collect::<String>()))
}

/// Whether this is `YYYY-MM-DDTHH:MM:SSZ`.
fn is_normal(time: &str) -> bool {
    time.len() == 20 && time.parse::<jiff::Timestamp>().is_ok_and(|parsed| parsed.to_string() == time)
}
