//! From bytes to records, whatever they are wrapped in.
//!
//! Read are, alone or one after the other (JSON lines): a record; `{"Records":[…]}`, as CloudTrail delivers; a list of
//! records; `{"Events":[{"CloudTrailEvent":"…"}]}`, as `aws cloudtrail lookup-events` prints; lists of such pages; a digest
//! file. One record is looked at after the other, so a file costs its own bytes and nothing more, however it is nested.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::glance::{Glance, Text};

/// Where in a file something stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// How many records of the file come before it.
    pub index: u64,
    /// How many bytes of the inflated file come before it.
    pub offset: usize,
}

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where it begins.
    pub place: Place,
    /// What is wrong with it.
    pub reason: String,
    /// Whether nothing behind it can be read either.
    pub last: bool,
}

/// A record as it was found.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What the first look told.
    pub glance: Glance<'a>,
    /// The record's own JSON.
    pub text: &'a str,
    /// Where it was found; for event history the wrapping object.
    pub place: Place,
}

/// What [`scan`] calls: takes a record or a broken one, and an error ends the scan.
pub type Visit<'v> = dyn FnMut(Result<Seen<'_>, Broken>) -> Result<(), Broken> + 'v;

/// The most bytes of one record. CloudTrail's own limit is 256 KB, and 1 MB in an event data store.
pub const LONGEST_RECORD: usize = 8 << 20;

/// How deep lists of lists and pages may be nested.
const DEEPEST: usize = 4;

/// Calls `visit` for every record, in order; also for one that cannot be read, and then goes on behind it if `visit` says so.
///
/// # Errors
///
/// The first error that `visit` returns.
pub fn scan(bytes: &[u8], visit: &mut Visit<'_>) -> Result<(), Broken> {
    let mut scanner = Scanner { bytes, at: 0, index: 0, visit };
    match scanner.file() {
        Ok(()) | Err(Stop::Lost) => Ok(()),
        Err(Stop::Told(broken)) => Err(broken),
    }
}

/// The line, counted from 1, in which a byte stands.
#[must_use]
pub fn line(bytes: &[u8], offset: usize) -> usize {
    memchr::memchr_iter(b'\n', bytes.get(..offset).unwrap_or(bytes)).count() + 1
}

/// Why scanning ends before the end.
enum Stop {
    /// The visitor said so.
    Told(Broken),
    /// Nothing behind this place can be read, and the visitor knows.
    Lost,
}

struct Scanner<'a, 'v> {
    bytes: &'a [u8],
    at: usize,
    index: u64,
    visit: &'v mut Visit<'v>,
}

impl<'a> Scanner<'a, '_> {
    fn file(&mut self) -> Result<(), Stop> {
        if self.bytes.starts_with(&[0xff, 0xfe]) || self.bytes.starts_with(&[0xfe, 0xff]) {
            return self.lose("it is UTF-16, and JSON is UTF-8");
        }
        if self.bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
            self.at = 3;
        }
        if self.peek().is_none() {
            return self.lose("it is empty");
        }
        while let Some(byte) = self.peek() {
            match byte {
                b'{' | b'[' => self.value(0)?,
                _ => {
                    self.broken(self.at, "here should begin a JSON object or list".to_owned(), false)?;
                    self.next_line(self.at)?;
                }
            }
        }
        Ok(())
    }

    /// A record, a page, or a list of these.
    fn value(&mut self, depth: usize) -> Result<(), Stop> {
        match self.peek() {
            Some(b'{') if self.is_page() => self.page(depth),
            Some(b'{') => self.object(depth),
            Some(b'[') if depth < DEEPEST => self.list(depth + 1),
            Some(b'[') => self.lose("lists are nested too deep"),
            _ => {
                let start = self.at;
                self.broken(start, "a record is a JSON object".to_owned(), false)?;
                self.skip::<IgnoredAny>().map(|_| ())
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), Stop> {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => return self.lose("between two records should be a comma"),
                None => return self.lose("the list has no end: the file was cut short"),
            }
        }
    }

    /// Whether the object here begins as pages do; those that do not are found out by the first look.
    fn is_page(&self) -> bool {
        let inside = self.bytes.get(self.at + 1..).unwrap_or_default().trim_ascii_start();
        inside.starts_with(b"\"Records\"") || inside.starts_with(b"\"Events\"")
    }

    /// An object that holds a list of records under `Records` or `Events`, among whatever else.
    fn page(&mut self, depth: usize) -> Result<(), Stop> {
        if depth >= DEEPEST {
            return self.lose("pages are nested too deep");
        }
        self.at += 1;
        loop {
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(());
            }
            if self.peek() != Some(b'"') {
                return self.lose("here should begin a key");
            }
            let key = self.skip::<Text<'a>>()?;
            if self.peek() != Some(b':') {
                return self.lose("behind a key should be a colon");
            }
            self.at += 1;
            match (&*key, self.peek()) {
                ("Records" | "Events", Some(b'[')) => self.list(depth + 1)?,
                ("Records" | "Events", Some(byte)) if byte != b'n' => return self.lose("here should begin a list of records"),
                _ => {
                    self.skip::<IgnoredAny>()?;
                }
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                Some(_) => return self.lose("between two keys should be a comma"),
                None => return self.lose("the object has no end: the file was cut short"),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Stop> {
        let start = self.at;
        let glance = match self.read::<Glance<'a>>() {
            Ok(glance) => glance,
            Err(error) => {
                let after = if depth == 0 { None } else { end_of_value(self.bytes, start) };
                self.broken(start, reason(&error), depth > 0 && after.is_none())?;
                return match after {
                    Some(end) => {
                        self.at = end;
                        Ok(())
                    }
                    None if depth == 0 => self.next_line(start),
                    None => Err(Stop::Lost),
                };
            }
        };
        if glance.records.0 || glance.events.0 {
            self.at = start;
            return self.page(depth);
        }
        let found = match self.bytes.get(start..self.at) {
            Some(own) if own.len() <= LONGEST_RECORD => std::str::from_utf8(own).map_err(|_| "it is not UTF-8".to_owned()),
            _ => Err(format!("it is longer than {LONGEST_RECORD} bytes")),
        };
        let place = Place { index: self.index, offset: start };
        match found {
            Ok(_) if !glance.wrapped.is_empty() => match Glance::read(&glance.wrapped) {
                Ok(inner) => self.record(Seen { glance: inner, text: &glance.wrapped, place }),
                Err(error) => self.broken(start, format!("in `CloudTrailEvent`: {}", reason(&error)), false),
            },
            Ok(text) => self.record(Seen { glance, text, place }),
            Err(why) => self.broken(start, why, false),
        }
    }

    fn record(&mut self, seen: Seen<'_>) -> Result<(), Stop> {
        if seen.glance.is_blank() {
            return self.broken(seen.place.offset, "it has no field of a CloudTrail record".to_owned(), false);
        }
        self.index += 1;
        (self.visit)(Ok(seen)).map_err(Stop::Told)
    }

    fn broken(&mut self, offset: usize, reason: String, last: bool) -> Result<(), Stop> {
        let place = Place { index: self.index, offset };
        self.index += 1;
        (self.visit)(Err(Broken { place, reason, last })).map_err(Stop::Told)
    }

    fn lose(&mut self, reason: &str) -> Result<(), Stop> {
        self.broken(self.at, reason.to_owned(), true)?;
        Err(Stop::Lost)
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.at += blank;
        rest.get(blank).copied()
    }

    /// Reads the value here and steps behind it.
    fn read<T: Deserialize<'a>>(&mut self) -> Result<T, serde_json::Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<T>();
        let value = values.next().unwrap_or_else(|| Err(serde::de::Error::custom("the file was cut short")))?;
        self.at += values.byte_offset();
        Ok(value)
    }

    /// [`Scanner::read`], where nothing can be read behind what cannot be.
    fn skip<T: Deserialize<'a>>(&mut self) -> Result<T, Stop> {
        match self.read() {
            Ok(value) => Ok(value),
            Err(error) => {
                self.broken(self.at, reason(&error), true)?;
                Err(Stop::Lost)
            }
        }
    }

    /// Steps to the next line after `from` that begins with an object.
    fn next_line(&mut self, from: usize) -> Result<(), Stop> {
        let rest = self.bytes.get(from..).unwrap_or_default();
        match memchr::memmem::find(rest, b"\n{") {
            Some(end) => {
                self.at = from + end + 1;
                Ok(())
            }
            None => Err(Stop::Lost),
        }
    }
}

/// Where an object or list ends, judged by its brackets and strings alone; for going on behind one that is no JSON.
fn end_of_value(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut rest = bytes.iter().enumerate().skip(start);
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'\\' if quoted => {
                rest.next();
            }
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// What serde_json says, without its line and column (they count from the record) and without quoting half a file.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(says, _)| says);
    text.chars().take(200).collect()
}
