//! The log files of a trail in its bucket: their bytes, many at once, in batches that fit into memory.
//!
//! INVARIANT (fetch-whole): every file that was listed is given, byte for byte, in the order of the list, or there is an error that
//! names one that is not.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStreamError;
use jiff::civil::Date;
use md5::{Digest, Md5};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::bucket::{Bucket, BucketError, Object, once};
use super::discreet::told;
use super::failure::Failure;
use super::listing::Listing;
use crate::trail::{Input, Observer, TrailError};

/// How much is fetched at once.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// So many files at the same time.
    pub at_once: usize,
    /// A batch ends with the file that makes it so many bytes.
    pub bytes: u64,
    /// A batch ends with this many files.
    pub files: usize,
    /// No file may be larger.
    pub largest: u64,
}

impl Default for Load {
    fn default() -> Self {
        // A log file has at most 50 MB before it is compressed (AWS CloudTrail User Guide, "CloudTrail log file examples").
        Self { at_once: 24, bytes: 16 << 20, files: 512, largest: 256 << 20 }
    }
}

/// A file by its key, with its bytes.
pub type Fetched = (String, Vec<u8>);

/// Files of one day.
#[derive(Debug)]
struct Batch {
    /// As folders are named.
    day: String,
    files: Vec<Fetched>,
}

/// Batches of files. At most three are in memory: one with the reader, one that waits, one that is being fetched.
#[derive(Debug)]
pub struct Batches {
    bucket: String,
    window: (Date, Date),
    /// After the last batch there is a `None`: where it does not come, files are missing.
    ready: mpsc::Receiver<Result<Option<Batch>, BucketError>>,
}

/// How far reading is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// How many files were read.
    pub files: u64,
    /// The day that was read last.
    pub day: Date,
    /// How much of the time that was asked for is done, from 0 to 1.
    pub done: f64,
}

/// Why log files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// They could not be had.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// They are not what they should be.
    #[error("s3://{bucket}: {source}")]
    Trail {
        /// The bucket.
        bucket: String,
        /// What is wrong.
        source: TrailError,
    },
}

impl Batches {
    /// Begins to fetch files, on the runtime in which this is called.
    #[must_use]
    pub fn begin(bucket: Bucket, mut listing: Listing, load: Load) -> Self {
        let (send, ready) = mpsc::channel(1);
        let (name, window) = (bucket.name.clone(), listing.window);
        tokio::spawn(async move {
            let (bucket, mut over) = (Arc::new(bucket), None);
            loop {
                let fetched = match cut(&mut listing, &bucket, &mut over, &load).await {
                    Ok(None) => Ok(None),
                    Ok(Some((day, objects))) => fetch(&bucket, objects, &load).await.map(|files| Some(Batch { day, files })),
                    Err(error) => Err(error),
                };
                let last = !matches!(fetched, Ok(Some(_)));
                if send.send(fetched).await.is_err() || last {
                    return;
                }
            }
        });
        Self { bucket: name, window, ready }
    }

    /// Reads all of them, as they come; waits for them, so not for use inside of the runtime. Memory does not grow with their number.
    ///
    /// # Errors
    /// When a file cannot be had, or is none that can be read.
    pub fn observe(mut self, observer: &mut Observer<'_>, told: &dyn Fn(&Progress)) -> Result<(), ReadError> {
        let (mut files, mut last) = (0, String::new());
        let (from, to) = self.window;
        let days = |date: Date| f64::from(date.since(from).map_or(0, |span| span.get_days()));
        loop {
            let lost = || BucketError::Lost { bucket: self.bucket.clone() };
            let Some(batch) = self.ready.blocking_recv().ok_or_else(lost)?? else { return Ok(()) };
            let date = Date::strptime("%Y/%m/%d", &batch.day).unwrap_or(from);
            if batch.day != last {
                // An event that is delivered twice is so within a day.
                observer.forget(date.yesterday().unwrap_or(date));
                last.clone_from(&batch.day);
            }
            let inputs: Vec<_> = batch.files.iter().map(|(key, bytes)| Input::new(key.clone(), || Ok(bytes.clone()))).collect();
            observer.add(&inputs).map_err(|source| ReadError::Trail { bucket: self.bucket.clone(), source })?;
            files += inputs.len() as u64;
            told(&Progress { files, day: date, done: days(date) / days(to).max(1.0) });
        }
    }
}

/// The next files, all of one day; `over` is the one that is of the next.
async fn cut(
    listing: &mut Listing,
    bucket: &Bucket,
    over: &mut Option<Object>,
    load: &Load,
) -> Result<Option<(String, Vec<Object>)>, BucketError> {
    let (mut batch, mut bytes): (Vec<Object>, u64) = (Vec::new(), 0);
    while bytes < load.bytes && batch.len() < load.files {
        let next = match over.take() {
            Some(object) => Some(object),
            None => listing.next(bucket).await?,
        };
        let Some(object) = next else { break };
        if batch.first().is_some_and(|first| first.day != object.day) {
            *over = Some(object);
            break;
        }
        bytes = bytes.saturating_add(object.size);
        batch.push(object);
    }
    Ok(batch.first().map(|first| first.day.clone()).map(|day| (day, batch)))
}

/// Fetches a batch, so many at once, in the order of the list.
async fn fetch(bucket: &Arc<Bucket>, batch: Vec<Object>, load: &Load) -> Result<Vec<Fetched>, BucketError> {
    let mut waiting = batch.into_iter().enumerate();
    let mut under_way = JoinSet::new();
    let mut done = Vec::new();
    loop {
        while under_way.len() < load.at_once.max(1) {
            let Some((at, object)) = waiting.next() else { break };
            if object.size > load.largest {
                return Err(BucketError::TooLarge { bucket: bucket.name.clone(), key: object.key, size: object.size });
            }
            let bucket = bucket.clone();
            under_way.spawn(async move { (at, bucket.get(&object).await.map(|bytes| (object.key, bytes))) });
        }
        let Some(finished) = under_way.join_next().await else { break };
        let (at, fetched) = finished.map_err(|e| BucketError::Refused {
            bucket: bucket.name.clone(),
            key: String::new(),
            reason: format!("its task ended before its time: {e}"),
        })?;
        done.push((at, fetched?));
    }
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, file)| file).collect())
}

/// A connection that gives fewer bytes a second is given up.
const SLOWEST: u64 = 64 << 10;

impl Bucket {
    /// A file's bytes, whole.
    async fn get(&self, object: &Object) -> Result<Vec<u8>, BucketError> {
        let limit = self.patience.timeout + Duration::from_secs(object.size / SLOWEST);
        self.tried(&object.key, "s3:GetObject", limit, || self.get_once(object)).await
    }

    async fn get_once(&self, object: &Object) -> Result<Vec<u8>, Failure> {
        let request = self.client.get_object().bucket(&self.name).key(&object.key).customize().config_override(once());
        let answer = request.send().await.map_err(|error| Failure::of(&error))?;
        // Under a key of KMS the tag is no digest of the bytes, and that of a file in parts is one of the parts'.
        let plain = answer.ssekms_key_id().is_none() && object.etag.len() == 32;
        let body = answer.body.collect().await.map_err(|error| spoilt(&error))?;
        let bytes = body.to_vec();
        if bytes.len() as u64 != object.size {
            return Err(Failure::Passing(format!("{} of {} bytes came", bytes.len(), object.size)));
        }
        if plain && hex(&Md5::digest(&bytes)) != object.etag.to_ascii_lowercase() {
            return Err(Failure::Passing("its bytes are not those of its entity tag".to_owned()));
        }
        Ok(bytes)
    }
}

fn spoilt(error: &ByteStreamError) -> Failure {
    Failure::Passing(format!("its bytes did not come whole: {}", told(error)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
