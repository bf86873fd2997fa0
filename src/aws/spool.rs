//! Where pages of event history lie until all of them are there.
//!
//! A folder for each region, in it one for each look-up, in it its pages. A page says itself how its look-up goes on, and is
//! written beside its place and renamed, so at every moment what lies here is complete as far as it goes. Pages hold whole
//! records, access key ids included: the folder is its owner's alone, and goes when its records have been read.
//!
//! What a look-up found is read a day at a time, for all of it need not fit into memory; before each page stands from when to when
//! its events are, so that the others stay unread.
//!
//! INVARIANT (spool-same): what [`Spool::events`] gives of a stretch of time depends on the events that were found and on nothing
//! else: not on how they were cut into pages, nor on how often the fetching was interrupted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lookup::Lookup;

/// An event as it lies in a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// `EventId`.
    pub id: String,
    /// `EventTime`, in seconds since 1970.
    pub time: i64,
    /// `CloudTrailEvent`: the record as JSON.
    pub record: String,
}

/// One page and how its look-up goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How it goes on; `None` where this is the last one.
    pub next: Option<Next>,
    /// The earliest time that all of it was asked for, in seconds since 1970.
    pub since: i64,
    /// The earliest event so far, in seconds since 1970.
    pub oldest: Option<i64>,
    /// Whether all events so far came in the order of time, the newest first.
    pub ordered: bool,
    /// Its events.
    pub events: Vec<Held>,
}

/// How a look-up goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// `StartTime`, in seconds since 1970.
    pub from: i64,
    /// `EndTime`.
    pub to: i64,
    /// `NextToken`, which belongs to these times.
    pub token: Option<String>,
}

/// What stands before a page: its earliest and its latest event, where it has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Span(Option<(i64, i64)>);

impl Span {
    fn of(page: &Page) -> Self {
        let times = || page.events.iter().map(|event| event.time);
        Self(times().min().zip(times().max()))
    }

    /// Whether it has to be read for a stretch of time.
    fn touches(self, from: i64, to: i64) -> bool {
        self.0.is_some_and(|(first, last)| first < to && last >= from)
    }
}

/// A stretch of time in which a look-up has events: at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// Its beginning, in seconds since 1970.
    pub from: i64,
    /// Its end, which does not belong to it.
    pub to: i64,
    /// The first and the last of the pages that may hold its events.
    pages: (usize, usize),
}

/// A day's length in seconds.
pub const DAY: i64 = 86_400;

/// A stretch of more pages is cut where it can be: what is read at once has to fit into memory.
const PAGES: usize = 200;

/// Adds what there is from a moment on.
fn cut(spans: &[Span], from: i64, length: i64, all: &mut Vec<Stretch>) {
    let to = from + length;
    let mut touched = spans.iter().enumerate().filter(|(_, span)| span.touches(from, to)).map(|(at, _)| at);
    let Some(first) = touched.next() else { return };
    let (last, count) = touched.fold((first, 1), |(_, count), at| (at, count + 1));
    let parts = match length {
        DAY => 24,
        3600 => 60,
        _ => 1,
    };
    if count > PAGES && parts > 1 {
        (0..parts).for_each(|part| cut(spans, from + part * (length / parts), length / parts, all));
    } else {
        all.push(Stretch { from, to, pages: (first, last) });
    }
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The system does not let us. The user's to mend.
    #[error("`{path}` cannot be used for event history: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process writes there.
    #[error("`{0}` is in use by another run of policyc")]
    Busy(PathBuf),
    /// It holds the pages of another question.
    #[error("`{0}` holds the event history of another question; remove it, or name another folder")]
    Other(PathBuf),
    /// A page that was there is gone or damaged.
    #[error("`{0}` was damaged while it was in use; remove it and start again")]
    Damaged(PathBuf),
}

/// The folder.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// Held as long as the folder is in use.
    _lock: fs::File,
}

const QUESTION: &str = "question.json";

impl Spool {
    /// Opens the folder for a question: a new one, or the one that was asked before.
    ///
    /// Gives what was written there when the question was first asked, which may be a little older than `question`: `same` says
    /// whether it is still the same.
    ///
    /// # Errors
    /// When the folder cannot be written, is in use, or holds another question.
    pub fn open<Q: Serialize + for<'a> Deserialize<'a>>(
        folder: &Path,
        question: Q,
        same: impl FnOnce(&Q, &Q) -> bool,
    ) -> Result<(Self, Q), SpoolError> {
        private(folder).map_err(|source| file(folder, source))?;
        let lock = folder.join("lock");
        let held = fs::File::create(&lock).map_err(|source| file(&lock, source))?;
        if held.try_lock().is_err() {
            return Err(SpoolError::Busy(folder.to_owned()));
        }
        let spool = Self { folder: folder.to_owned(), _lock: held };
        let path = folder.join(QUESTION);
        let Ok(bytes) = fs::read(&path) else {
            let bytes = serde_json::to_vec_pretty(&question).map_err(|e| file(&path, e.into()))?;
            replace(&path, &bytes).map_err(|source| file(&path, source))?;
            return Ok((spool, question));
        };
        match serde_json::from_slice::<Q>(&bytes) {
            Ok(before) if same(&before, &question) => Ok((spool, before)),
            _ => Err(SpoolError::Other(folder.to_owned())),
        }
    }

    /// How many pages of a look-up are there, and the last of them.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn last(&self, lookup: &Lookup) -> Result<(usize, Option<Page>), SpoolError> {
        let folder = self.of(lookup);
        private(&folder).map_err(|source| file(&folder, source))?;
        let mut count = 0;
        while self.page(lookup, count).is_file() {
            count += 1;
        }
        while let Some(at) = count.checked_sub(1) {
            let path = self.page(lookup, at);
            match self.read(lookup, at) {
                Ok(page) => return Ok((count, Some(page))),
                // The system cut it short, not we. It goes before another is written, or that one could find it behind itself.
                Err(_) => fs::remove_file(&path).map_err(|source| file(&path, source))?,
            }
            count = at;
        }
        Ok((0, None))
    }

    /// Writes a page.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, lookup: &Lookup, number: usize, page: &Page) -> Result<(), SpoolError> {
        let path = self.page(lookup, number);
        let pack = || {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            serde_json::to_writer(&mut out, &Span::of(page))?;
            out.write_all(b"\n")?;
            serde_json::to_writer(&mut out, page)?;
            replace(&path, &out.finish()?)
        };
        pack().map_err(|source| file(&path, source))
    }

    /// The stretches of time in which a look-up has events, from the earliest on: days, and parts of days that have many.
    ///
    /// # Errors
    /// When a page is gone or damaged.
    pub fn stretches(&self, lookup: &Lookup) -> Result<Vec<Stretch>, SpoolError> {
        let (count, _) = self.last(lookup)?;
        let span = |at: usize| self.span(lookup, at).map_err(|_| SpoolError::Damaged(self.page(lookup, at)));
        let spans = (0..count).map(span).collect::<Result<Vec<Span>, _>>()?;
        let first = spans.iter().filter_map(|span| span.0).map(|(first, _)| first).min();
        let last = spans.iter().filter_map(|span| span.0).map(|(_, last)| last).max();
        let mut all = Vec::new();
        if let Some((first, last)) = first.zip(last) {
            (first.div_euclid(DAY)..=last.div_euclid(DAY)).for_each(|day| cut(&spans, day * DAY, DAY, &mut all));
        }
        Ok(all)
    }

    /// Every event of a stretch of a look-up once, in the order of time, in the form of `aws cloudtrail lookup-events`.
    ///
    /// # Errors
    /// When a page is gone or damaged.
    pub fn events(&self, lookup: &Lookup, stretch: &Stretch) -> Result<Vec<u8>, SpoolError> {
        let mut all: BTreeMap<(i64, String), String> = BTreeMap::new();
        for number in stretch.pages.0..=stretch.pages.1 {
            let page = self.read(lookup, number).map_err(|_| SpoolError::Damaged(self.page(lookup, number)))?;
            let own = page.events.into_iter().filter(|event| (stretch.from..stretch.to).contains(&event.time));
            all.extend(own.map(|event| ((event.time, event.id), event.record)));
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Event<'a> {
            event_id: &'a str,
            cloud_trail_event: &'a str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Events<'a> {
            events: Vec<Event<'a>>,
        }
        let events = all.iter().map(|((_, id), record)| Event { event_id: id, cloud_trail_event: record }).collect();
        serde_json::to_vec(&Events { events }).map_err(|e| file(&self.of(lookup), e.into()))
    }

    /// Whether a look-up found any event.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn found(&self, lookup: &Lookup) -> Result<bool, SpoolError> {
        Ok(self.last(lookup)?.1.is_some_and(|page| page.oldest.is_some()))
    }

    /// The earliest time that all of a look-up was asked for, in seconds since 1970.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn since(&self, lookup: &Lookup) -> Result<i64, SpoolError> {
        Ok(self.last(lookup)?.1.map(|page| page.since).unwrap_or_default())
    }

    /// Removes the folder.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn remove(self) -> Result<(), SpoolError> {
        fs::remove_dir_all(&self.folder).map_err(|source| file(&self.folder, source))
    }

    fn of(&self, lookup: &Lookup) -> PathBuf {
        self.folder.join(&lookup.region).join(lookup.file_name())
    }

    fn page(&self, lookup: &Lookup, number: usize) -> PathBuf {
        self.of(lookup).join(format!("{number:06}.json.gz"))
    }

    fn read(&self, lookup: &Lookup, number: usize) -> std::io::Result<Page> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(fs::File::open(self.page(lookup, number))?).read_to_end(&mut text)?;
        let begin = text.iter().position(|byte| *byte == b'\n').unwrap_or_default();
        Ok(serde_json::from_slice(text.get(begin..).unwrap_or_default())?)
    }

    /// A page's first line.
    fn span(&self, lookup: &Lookup, number: usize) -> std::io::Result<Span> {
        let text = flate2::read::GzDecoder::new(fs::File::open(self.page(lookup, number))?);
        let mut line = String::new();
        BufReader::with_capacity(256, text).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

fn file(path: &Path, source: std::io::Error) -> SpoolError {
    SpoolError::File { path: path.to_owned(), source }
}

/// Written beside and renamed: there is never half a file.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    beside.write_all(bytes)?;
    beside.persist(path).map(drop).map_err(|e| e.error)
}

/// A folder that is its owner's alone.
fn private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
