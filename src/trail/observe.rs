//! Many files at once: from named bytes to one ledger.
//!
//! INVARIANT (observe-order): the ledger depends on which events are in the input and in which files, and on nothing else: not on
//! the order of the files, on how often an event was delivered, nor on the number of threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::civil::Date;
use rayon::prelude::*;

use super::caller::Interest;
use super::gather::{Digits, Gathered};
use super::inflate::{InflateError, Limits, inflate};
use super::read::{Reader, Reading};
use super::scan;
use crate::catalog::Catalog;
use crate::finding::{Code, Finding};
use crate::ledger::format::{self, LedgerError};
use crate::ledger::{Coverage, Ledger, Source};

/// A file or stream, opened when its turn comes, so that only as many are in memory as there are threads.
pub struct Input<'a> {
    /// Its name, for people.
    pub name: String,
    /// Gives its bytes, compressed or not.
    pub open: Box<dyn Fn() -> std::io::Result<Vec<u8>> + Send + Sync + 'a>,
}

impl<'a> Input<'a> {
    /// An input that is opened by `open`.
    pub fn new(name: impl Into<String>, open: impl Fn() -> std::io::Result<Vec<u8>> + Send + Sync + 'a) -> Self {
        Self { name: name.into(), open: Box::new(open) }
    }
}

/// How to go about it.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Goes on without what cannot be read, and reports each as a finding.
    pub skip_unreadable: bool,
    /// How many threads read; `None` is as many as there are cores.
    pub threads: Option<NonZeroUsize>,
    /// What one file may hold.
    pub limits: Limits,
    /// So many different names may stand beside each other before their shape is kept instead.
    pub names: usize,
    /// What the records were declared to show. It says nothing of ledgers among the inputs, unless there is nothing else.
    pub declared: Option<&'a Coverage>,
    /// Told after each file how many are done, and of how many.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            skip_unreadable: false,
            threads: None,
            limits: Limits::default(),
            names: 256,
            declared: None,
            progress: &|_, _| {},
        }
    }
}

/// What was seen, and what there is to tell about the reading of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// What was seen.
    pub ledger: Ledger,
    /// Unknown records, skipped input, collapsed names.
    pub findings: Vec<Finding>,
}

/// Why reading stopped. The fault is the input's.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The input could not be opened.
    #[error("`{name}` cannot be opened: {source}")]
    Open {
        /// The input's name.
        name: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The input could not be inflated.
    #[error("`{name}` cannot be read: {source}")]
    Inflate {
        /// The input's name.
        name: String,
        /// What is wrong with it.
        source: InflateError,
    },
    /// A record could not be read.
    #[error("record {index} of `{name}` (line {line}, byte {offset}) cannot be read: {reason}")]
    Record {
        /// The input's name.
        name: String,
        /// How many records of the input come before it.
        index: u64,
        /// In which line of the inflated input it begins, counted from 1.
        line: usize,
        /// How many bytes of the inflated input come before it.
        offset: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A ledger among the input could not be read.
    #[error("the ledger `{name}` cannot be read: {source}")]
    Ledger {
        /// The input's name.
        name: String,
        /// What is wrong with it.
        source: LedgerError,
    },
}

impl TrailError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Open { .. } => "check the path and its permissions, or go on without it with `--skip-unreadable`",
            Self::Inflate { source: InflateError::OtherCompression(_), .. } => {
                "unpack it first, or go on without it with `--skip-unreadable`"
            }
            Self::Inflate { source: InflateError::TooLarge(_) | InflateError::TooDense(_), .. } => {
                "look at what it is; a real trail can be split into smaller files; or go on without it with `--skip-unreadable`"
            }
            Self::Inflate { .. } | Self::Record { .. } => {
                "fetch the file again from its bucket, or go on without it with `--skip-unreadable`"
            }
            Self::Ledger { .. } => "write the ledger again from its trail, or go on without it with `--skip-unreadable`",
        }
    }
}

/// Reads all inputs into one ledger.
///
/// An input may hold CloudTrail records in any of the shapes of [`scan`], gzipped or not, or a ledger.
///
/// # Errors
///
/// Of the inputs that cannot be read, the first in the order given, unless [`Options::skip_unreadable`] turns it into a finding.
pub fn observe(
    inputs: &[Input<'_>],
    interest: &Interest,
    catalog: &Catalog,
    options: &Options<'_>,
) -> Result<Observation, TrailError> {
    let mut observer = Observer::new(interest, catalog, *options);
    observer.add(inputs)?;
    Ok(observer.finish())
}

/// [`observe`] for inputs that come one batch after the other: it makes no difference how they are cut into batches.
pub struct Observer<'a> {
    reading: Reading<'a>,
    options: Options<'a>,
    gathered: Gathered,
}

impl<'a> Observer<'a> {
    /// One that has read nothing yet.
    #[must_use]
    pub fn new(interest: &'a Interest, catalog: &'a Catalog, options: Options<'a>) -> Self {
        let reading = Reading { interest, catalog, skip_unreadable: options.skip_unreadable };
        Self { reading, options, gathered: Gathered::default() }
    }

    /// Reads some inputs.
    ///
    /// # Errors
    ///
    /// As [`observe`]; nothing of this batch is kept then.
    pub fn add(&mut self, inputs: &[Input<'_>]) -> Result<(), TrailError> {
        let (reading, options) = (&self.reading, &self.options);
        let (done, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let one = |(at, input): (usize, &Input<'_>)| {
            if failed.load(Ordering::Relaxed) < at {
                return Part::default();
            }
            let part = match file(input, reading, &options.limits) {
                Ok(gathered) => Part { gathered, error: None },
                Err(error) if options.skip_unreadable => Part { gathered: skipped(&error), error: None },
                Err(error) => {
                    failed.fetch_min(at, Ordering::Relaxed);
                    Part { gathered: Gathered::default(), error: Some((at, error)) }
                }
            };
            (options.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, inputs.len());
            part
        };
        let work = || {
            let parts = inputs.par_iter().enumerate().map(one);
            parts.reduce(Part::default, |a, b| a.join(b, options.names))
        };
        // Where no threads can be had, those that are there do.
        let pool = options.threads.and_then(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build().ok());
        let all = match pool {
            Some(pool) => pool.install(work),
            None => work(),
        };
        if let Some((_, error)) = all.error {
            return Err(error);
        }
        self.gathered = std::mem::take(&mut self.gathered).join(all.gathered, options.names);
        Ok(())
    }

    /// Says that no event of a day before this one (in UTC) will come again, so that memory does not grow with the time that is
    /// read: their number is kept, and that of all goes to one source that stands for the files. An event that does come again
    /// counts twice, and so does one that named two things whose names collapse later; it shows nothing else for that.
    ///
    /// INVARIANT (observe-forgets): where the days come in their order, whatever decides is the same as without this, and so is how
    /// often each thing was seen, but for names that collapsed: of those it is an upper bound.
    pub fn forget(&mut self, before: Date) {
        self.gathered.forget(before, self.options.names);
    }

    /// What all of them showed.
    #[must_use]
    pub fn finish(self) -> Observation {
        let (ledger, findings) = self.gathered.finish(self.options.names, self.options.declared);
        Observation { ledger, findings }
    }
}

/// What some of the inputs gave, and the first of their errors.
#[derive(Default)]
struct Part {
    gathered: Gathered,
    error: Option<(usize, TrailError)>,
}

impl Part {
    fn join(self, other: Self, names: usize) -> Self {
        let error = match (self.error, other.error) {
            (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
            (a, b) => a.or(b),
        };
        Self { gathered: self.gathered.join(other.gathered, names), error }
    }
}

/// Reads one input.
fn file(input: &Input<'_>, reading: &Reading<'_>, limits: &Limits) -> Result<Gathered, TrailError> {
    let name = || input.name.clone();
    let bytes = (input.open)().map_err(|source| TrailError::Open { name: name(), source })?;
    let digits = Digits::of(&bytes);
    let bytes = inflate(bytes, limits).map_err(|source| TrailError::Inflate { name: name(), source })?;
    if format::looks_like_ledger(&bytes) {
        let ledger = format::read(&bytes).map_err(|source| TrailError::Ledger { name: name(), source })?;
        let mut gathered = Gathered::default();
        gathered.given(only(ledger, reading.interest));
        return Ok(gathered);
    }
    let mut reader = Reader::new(reading, &input.name, digits);
    let read = scan::scan(&bytes, &mut |item| reader.item(item, &bytes));
    read.map_err(|broken| reader.error(&broken, &bytes))?;
    Ok(reader.finish())
}

/// The part of a ledger that is asked for.
fn only(mut ledger: Ledger, interest: &Interest) -> Ledger {
    ledger.uses.retain(|used, _| interest.wants(&used.session));
    ledger.bare.retain(|call, _| interest.wants(&call.session));
    ledger.heartbeats.retain(|beat, _| interest.wants(&beat.session));
    ledger.signs.retain(|sign, _| interest.wants_account(&sign.account));
    ledger
}

fn skipped(error: &TrailError) -> Gathered {
    let mut gathered = Gathered::default();
    gathered.unreadable.insert(Finding::new(Code::UnreadableInput, format!("skipped: {error}")));
    gathered
}

/// The source as the ledger names it: without the folders that lead to it.
pub(super) fn source(name: &str) -> Source {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    Source { name: name.to_owned(), records: std::collections::BTreeMap::new() }
}
