//! The log files of a trail in its bucket: which there are.
//!
//! Only the folders of the accounts, regions and days that are asked for are listed.
//!
//! Source of the layout: AWS CloudTrail User Guide, "Finding your CloudTrail log files":
//! `PREFIX/AWSLogs/[ORGANISATION/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/FILE`.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use jiff::civil::Date;

use super::failure::{Failure, GaveUp, tried};
use super::listing::Listing;
use super::lookup::Patience;
use super::whole::Whole;

/// Where a trail delivers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// What stands before `AWSLogs/`: empty, or with a slash at its end.
    pub prefix: String,
    /// What stands between `AWSLogs/` and the accounts, where that is known.
    pub organisation: Option<String>,
    /// The only account that is meant, where one was named.
    pub account: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The accounts whose activity it is.
    pub accounts: BTreeSet<String>,
    /// The regions.
    pub regions: BTreeSet<String>,
    /// The first day, in UTC.
    pub from: Date,
    /// The last day, in UTC. Files of the day after it are read too, for they hold the last day's latest events.
    pub to: Date,
}

/// A log file as the bucket lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// The day of its folder, such as `2026/11/19`.
    pub day: String,
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its entity tag, without quotes.
    pub etag: String,
}

/// Why log files could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// What was given names no bucket. The user's fault.
    #[error(
        "`{0}` is not a place of log files; expected `s3://BUCKET/PREFIX`, the prefix as the trail has it or up to the account"
    )]
    NoPlace(String),
    /// The caller may not. The bucket's owner can change that.
    #[error(
        "`s3://{bucket}/{key}` is refused ({reason}); it needs the permission {permission}, and kms:Decrypt where the trail encrypts with a key"
    )]
    Denied {
        /// The bucket.
        bucket: String,
        /// The key or prefix.
        key: String,
        /// What AWS says.
        reason: String,
        /// What is needed.
        permission: &'static str,
    },
    /// The bucket or an object is not there, or not to be had this way.
    #[error("`s3://{bucket}/{key}` cannot be had: {reason}")]
    Refused {
        /// The bucket.
        bucket: String,
        /// The key or prefix.
        key: String,
        /// What AWS says.
        reason: String,
    },
    /// It failed again and again.
    #[error("`s3://{bucket}/{key}` could not be fetched in {tries} tries: {reason}")]
    Failed {
        /// The bucket.
        bucket: String,
        /// The key or prefix.
        key: String,
        /// How often.
        tries: u32,
        /// The last failure.
        reason: String,
    },
    /// There is nothing where something was expected; an empty policy would be the alternative.
    #[error("below `s3://{bucket}/{prefix}` lies no log file of the accounts, regions and days asked for")]
    Nothing {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
    },
    /// Fetching ended before its time. This typically indicates a bug in policyc.
    #[error("fetching from `s3://{bucket}` ended before its time, so log files are missing")]
    Lost {
        /// The bucket.
        bucket: String,
    },
    /// No log file is that large.
    #[error("`s3://{bucket}/{key}` has {size} bytes, more than any log file")]
    TooLarge {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// Its size.
        size: u64,
    },
}

const FOLDER: &str = "AWSLogs";

/// The kinds of log files that hold calls; digests and insights hold none.
const KINDS: [&str; 2] = ["CloudTrail", "CloudTrail-NetworkActivity"];

impl Place {
    /// Reads `s3://BUCKET/PREFIX`, where the prefix may go on as far as the account.
    ///
    /// # Errors
    /// When it is not such an address.
    pub fn parse(text: &str) -> Result<Self, BucketError> {
        let wrong = || BucketError::NoPlace(text.to_owned());
        let mut parts = text.strip_prefix("s3://").ok_or_else(wrong)?.split('/').filter(|part| !part.is_empty());
        let bucket = parts.next().ok_or_else(wrong)?.to_owned();
        let before: Vec<&str> = parts.by_ref().take_while(|part| *part != FOLDER).collect();
        let rest: Vec<&str> = parts.collect();
        let is_organisation = |part: &str| part.starts_with("o-");
        let prefix = before.iter().map(|part| format!("{part}/")).collect();
        let (organisation, rest) = match rest.as_slice() {
            [first, rest @ ..] if is_organisation(first) => (Some((*first).to_owned()), rest),
            rest => (None, rest),
        };
        match rest {
            [] => Ok(Self { bucket, prefix, organisation, account: None }),
            [account] => Ok(Self { bucket, prefix, organisation, account: Some((*account).to_owned()) }),
            // Deeper would leave out days or regions without saying so.
            _ => Err(wrong()),
        }
    }
}

/// One try: those of the SDK would not read a body again that was cut.
pub(super) fn once() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::new().retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
}

/// What listing and fetching work with.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) patience: Patience,
}

impl Bucket {
    /// Opens a bucket: finds out in which region it is and asks there.
    ///
    /// # Errors
    /// When the bucket does not exist.
    pub async fn open(client: &Client, name: &str, patience: Patience) -> Result<Self, BucketError> {
        let bucket = Self { client: client.clone(), name: name.to_owned(), patience };
        let region = bucket.tried("", "s3:ListBucket", patience.timeout, || async { bucket.region().await }).await?;
        let here = client.config().region().map(ToString::to_string);
        let Some(region) = region.filter(|region| Some(region) != here.as_ref()) else { return Ok(bucket) };
        let there = client.config().to_builder().region(Region::new(region)).build();
        Ok(Self { client: Client::from_conf(there), ..bucket })
    }

    /// The bucket's region; S3 says it to everybody, with a refusal too.
    async fn region(&self) -> Result<Option<String>, Failure> {
        let request = self.client.head_bucket().bucket(&self.name).customize().config_override(once());
        match request.send().await {
            Ok(found) => Ok(found.bucket_region().map(str::to_owned)),
            Err(error) => {
                let header = error.raw_response().and_then(|raw| raw.headers().get("x-amz-bucket-region"));
                header.map_or_else(|| Err(Failure::of(&error)), |region| Ok(Some(region.to_owned())))
            }
        }
    }

    /// Every log file of what is wanted, day by day; only as many are listed as are asked for.
    ///
    /// # Errors
    /// When a listing fails, and when there is none at all.
    pub async fn list(&self, place: &Place, wanted: &Wanted) -> Result<Listing, BucketError> {
        let root = format!("{}{FOLDER}/", place.prefix);
        let mut roots = BTreeSet::new();
        match &place.organisation {
            Some(organisation) => drop(roots.insert(format!("{root}{organisation}/"))),
            None => {
                roots.extend(self.organisations(&root).await?);
                roots.insert(root.clone());
            }
        }
        let mut folders = Vec::new();
        for root in &roots {
            for account in wanted.accounts.iter().filter(|account| place.account.as_ref().is_none_or(|only| only == *account)) {
                for (kind, region) in KINDS.iter().flat_map(|kind| wanted.regions.iter().map(move |region| (kind, region))) {
                    folders.push(format!("{root}{account}/{kind}/{region}/"));
                }
            }
        }
        let mut listing = Listing::of(folders, wanted);
        if listing.is_empty(self).await? {
            return Err(BucketError::Nothing { bucket: self.name.clone(), prefix: root });
        }
        Ok(listing)
    }

    /// The folders of organisations.
    async fn organisations(&self, root: &str) -> Result<Vec<String>, BucketError> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = self.page(&format!("{root}o-"), None, Some("/"), token).await?;
            found.extend(page.common_prefixes().iter().filter_map(|p| p.prefix()).map(str::to_owned));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    pub(super) async fn page(
        &self,
        prefix: &str,
        start: Option<&str>,
        delimiter: Option<&str>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, BucketError> {
        let ask = || async {
            let request = (self.client.list_objects_v2())
                .bucket(&self.name)
                .prefix(prefix)
                .set_start_after(start.map(str::to_owned))
                .set_delimiter(delimiter.map(str::to_owned))
                .set_continuation_token(token.clone());
            let request = request.customize().config_override(once()).interceptor(Whole);
            request.send().await.map_err(|error| Failure::of(&error))
        };
        self.tried(prefix, "s3:ListBucket", self.patience.timeout, ask).await
    }

    /// Tries until it is done or cannot be.
    pub(super) async fn tried<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        key: &str,
        permission: &'static str,
        limit: Duration,
        ask: impl Fn() -> F,
    ) -> Result<T, BucketError> {
        let (bucket, key) = (self.name.clone(), key.to_owned());
        tried(&self.patience, limit, ask).await.map_err(|GaveUp { failure, tries }| match failure {
            Failure::Denied(reason) => BucketError::Denied { bucket, key, reason, permission },
            Failure::Final(reason) => BucketError::Refused { bucket, key, reason },
            Failure::Throttled(reason) | Failure::Passing(reason) => BucketError::Failed { bucket, key, tries, reason },
        })
    }
}
