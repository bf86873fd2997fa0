//! The log files of a trail in its bucket: their bytes, many at once, in batches that fit into memory.
//!
//! INVARIANT (fetch-whole): every file that was listed is given, byte for byte, in the order of the list, or there is an error that
//! names one that is not.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStreamError;
use md5::{Digest, Md5};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::bucket::{Bucket, BucketError, Object, once};
use super::discreet::told;
use super::failure::Failure;

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

/// Batches of files. At most three are in memory: one with the reader, one that waits, one that is being fetched.
#[derive(Debug)]
pub struct Batches {
    ready: mpsc::Receiver<Result<Vec<Fetched>, BucketError>>,
}

impl Batches {
    /// Begins to fetch files, on the runtime in which this is called.
    #[must_use]
    pub fn begin(bucket: Bucket, objects: Vec<Object>, load: Load) -> Self {
        let (send, ready) = mpsc::channel(1);
        tokio::spawn(async move {
            let bucket = Arc::new(bucket);
            for batch in cut(objects, &load) {
                let fetched = fetch(&bucket, batch, &load).await;
                let failed = fetched.is_err();
                if send.send(fetched).await.is_err() || failed {
                    return;
                }
            }
        });
        Self { ready }
    }

    /// The next batch, `None` after the last; waits for it, so not for use inside of the runtime.
    pub fn next_batch(&mut self) -> Option<Result<Vec<Fetched>, BucketError>> {
        self.ready.blocking_recv()
    }
}

/// The list, cut into batches.
fn cut(objects: Vec<Object>, load: &Load) -> Vec<Vec<Object>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for object in objects {
        bytes += object.size;
        batch.push(object);
        if bytes >= load.bytes || batch.len() >= load.files {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
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
