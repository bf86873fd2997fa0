//! The ledger's file format: one JSON value a line.
//!
//! The first line is `{"policyc":"ledger","schema":3}`; every other line is one entry. Lines are sorted, so that a small
//! change of activity is a small difference between two files, and each stands for itself, so that files that are written
//! one after the other into one file read as their merger.
//!
//! Schema 1 had one coverage for everything, without days. It reads as true of the days of its ledger, which is all that is known.
//! Schema 2 had no calls that show no need.
//!
//! INVARIANT (ledger-roundtrip): what is written reads back as the same ledger, and equal ledgers are written as equal bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::coverage::Hidden;
use super::{Bare, Coverage, Coverages, Days, Evidence, Heartbeat, Ledger, SCHEMA, Sign, Source, SourceId, Use};

/// Why bytes are not a ledger that can be read. The fault is the file's.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file does not begin as ledgers do.
    #[error("it does not begin with the header of a ledger")]
    NoHeader,
    /// A newer version of the tool wrote it, or none did.
    #[error("its schema is {0}, and this version reads 1 to {SCHEMA}")]
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
    /// Of schema 1.
    Coverage(Undated),
    /// Data events of a type were seen.
    Seen(String, Days),
    /// What somebody declared, and the days it is true of.
    Declared(Coverage, Days),
    Use(Use, Evidence),
    /// Since schema 3.
    Bare(Bare, Evidence),
    Heartbeat(Heartbeat, Evidence),
    Sign(Sign, Evidence),
    OperatorAddress(String),
    Unmapped(String, Evidence),
}

/// A coverage of schema 1.
#[derive(Serialize, Deserialize)]
struct Undated {
    data: BTreeSet<String>,
    excluded: BTreeSet<String>,
    #[serde(default)]
    hidden: BTreeSet<Hidden>,
    declared: bool,
}

impl Undated {
    /// What it says of the ledger that it stands in.
    fn dated(self, ledger: &mut Ledger) {
        let Self { data, excluded, hidden, declared } = self;
        if declared {
            return ledger.declare(Coverage { data, excluded, hidden, declared, ..Coverage::default() });
        }
        let days = ledger.days();
        data.iter().for_each(|kind| ledger.coverage.saw(kind, &days));
    }
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
    let (mut all, mut ledger, mut undated) = (Ledger::default(), Ledger::default(), Vec::new());
    let mut end = |ledger: &mut Ledger, undated: &mut Vec<Undated>| {
        undated.drain(..).for_each(|old| old.dated(ledger));
        all.merge(std::mem::take(ledger));
    };
    for (line, text) in lines(bytes) {
        match header(text) {
            Some(schema) if !(1..=u64::from(SCHEMA)).contains(&schema) => return Err(LedgerError::Schema(schema)),
            Some(_) => end(&mut ledger, &mut undated),
            None => match serde_json::from_slice(text).map_err(|error| entry_error(line, &error))? {
                Entry::Coverage(old) => undated.push(old),
                entry => ledger.merge(alone(entry, line)?),
            },
        }
    }
    end(&mut ledger, &mut undated);
    Ok(all)
}

/// Writes a ledger.
#[must_use]
pub fn write(ledger: &Ledger) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, &Header { policyc: NAME, schema: u64::from(SCHEMA) });
    let own = |(a, b): (&SourceId, &Source)| Entry::Source(a.clone(), b.clone());
    let entries = (ledger.sources.iter().map(own))
        .chain(ledger.coverage.seen.iter().map(|(kind, days)| Entry::Seen(kind.clone(), days.clone())))
        .chain(ledger.coverage.declared.iter().map(|(coverage, days)| Entry::Declared(coverage.clone(), days.clone())))
        .chain(ledger.uses.iter().map(|(used, seen)| Entry::Use(used.clone(), seen.clone())))
        .chain(ledger.bare.iter().map(|(call, seen)| Entry::Bare(call.clone(), seen.clone())))
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
        Entry::Use(_, seen) | Entry::Bare(_, seen) | Entry::Heartbeat(_, seen) => Some(seen),
        Entry::Sign(_, seen) | Entry::Unmapped(_, seen) => Some(seen),
        Entry::Source(..) | Entry::Coverage(_) | Entry::Seen(..) | Entry::Declared(..) | Entry::OperatorAddress(_) => None,
    };
    if let Some(reason) = seen.and_then(contradiction) {
        return Err(LedgerError::Entry { line, reason });
    }
    match entry {
        Entry::Source(id, source) => ledger.sources = BTreeMap::from([(id, source)]),
        Entry::Coverage(old) => old.dated(&mut ledger),
        Entry::Seen(kind, days) => ledger.coverage.saw(&kind, &days),
        Entry::Declared(coverage, days) => {
            ledger.coverage = Coverages { declared: BTreeMap::from([(coverage, days)]), ..Coverages::default() };
        }
        Entry::Use(used, seen) => ledger.uses = BTreeMap::from([(used, seen)]),
        Entry::Bare(call, seen) => ledger.bare = BTreeMap::from([(call, seen)]),
        Entry::Heartbeat(beat, seen) => ledger.heartbeats = BTreeMap::from([(beat, seen)]),
        Entry::Sign(sign, seen) => ledger.signs = BTreeMap::from([(sign, seen)]),
        Entry::OperatorAddress(address) => ledger.operator_addresses.extend([address]),
        Entry::Unmapped(event, seen) => ledger.unmapped = BTreeMap::from([(event, seen)]),
    }
    Ok(ledger)
}

/// What is wrong with evidence: times in another form would sort wrongly ever after, and more samples than are kept would make
/// merging twice a difference.
fn contradiction(seen: &Evidence) -> Option<String> {
    let times = [&seen.first, &seen.last].into_iter().chain(seen.samples.iter().map(|(time, _)| time));
    let odd = times.into_iter().find(|time| !is_normal(time));
    if let Some(time) = odd {
        return Some(format!("`{}` is not a time as ledgers write it", time.chars().take(40).collect::<String>()));
    }
    if seen.first > seen.last {
        return Some("the first event comes after the last".to_owned());
    }
    (seen.samples.len() > Evidence::SAMPLES).then(|| format!("more than {} events are named", Evidence::SAMPLES))
}

/// Whether this is `YYYY-MM-DDTHH:MM:SSZ`.
fn is_normal(time: &str) -> bool {
    time.len() == 20 && time.parse::<jiff::Timestamp>().is_ok_and(|parsed| parsed.to_string() == time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"policyc":"ledger","schema":3}"#;

    #[test]
    fn what_is_no_ledger() {
        let check = |text: &str, says: &str| {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        };
        check("", "does not begin");
        check("{\"Records\":[]}", "does not begin");
        check("{\"policyc\":\"policy\",\"schema\":1}", "does not begin");
        check("{\"policyc\":\"ledger\",\"schema\":4}", "schema is 4, and this version reads 1 to 3");
        check("{\"policyc\":\"ledger\",\"schema\":0}", "schema is 0");
        check(&format!("{HEAD}\n{{\"policyc\":\"ledger\",\"schema\":4}}"), "schema is 4");
        check(&format!("{HEAD}\n{{\"seen\":[\"AWS::S3::Object\",[[\"2026-09-02\",\"2026-09-01\"]]]}}"), "are no days");
        check(&format!("{HEAD}\n\n{{\"dream\":1}}"), "line 3: unknown variant `dream`");
        check(&format!("{HEAD}\n[]"), "line 2");
        let unmapped = |first: &str, last: &str, samples: &str| {
            format!(
                r#"{HEAD}{}{{"unmapped":["s:n",{{"first":"{first}","last":"{last}","counts":{{}},"samples":[{samples}]}}]}}"#,
                '\n'
            )
        };
        let (day, next) = ("2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z");
        assert_eq!(read(unmapped(day, next, "").as_bytes()).unwrap().unmapped.len(), 1);
        check(&unmapped(day, "2026-09-01T00:00:00.5Z", ""), "`2026-09-01T00:00:00.5Z` is not a time");
        check(&unmapped(day, next, r#"["now","e"]"#), "`now` is not a time");
        check(&unmapped(next, day, ""), "the first event comes after the last");
        let many: Vec<String> = (0..65).map(|n| format!(r#"["{day}","e{n}"]"#)).collect();
        check(&unmapped(day, next, &many.join(",")), "more than 64 events");
    }

    #[test]
    fn older_schemas_read() {
        let line = r#"{"operator-address":"203.0.113.7"}"#;
        for schema in 1..=SCHEMA {
            let text = format!("{}\n{line}", HEAD.replace('3', &schema.to_string()));
            assert_eq!(read(text.as_bytes()).unwrap().operator_addresses.len(), 1, "{text}");
        }
    }

    #[test]
    fn headers_are_recognised() {
        assert!(looks_like_ledger(HEAD.as_bytes()));
        assert!(looks_like_ledger(format!("\u{feff}\r\n{HEAD}\r\n").as_bytes()));
        assert!(looks_like_ledger(br#"{ "schema": 7, "policyc": "ledger" }"#), "of any version, for a clear error");
        assert!(!looks_like_ledger(br#"{"Records":[{"policyc":"ledger","schema":1}]}"#));
        assert_eq!(write(&Ledger::default()), format!("{HEAD}\n").into_bytes());
    }
}
