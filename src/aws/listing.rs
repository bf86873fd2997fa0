//! Which log files there are, listed as they are asked for: a trail of many regions has more of them than anybody should hold in
//! memory.
//!
//! INVARIANT (listing-days): files come in the order of their days, whatever folders they are in, and in that of their keys within a
//! day.

use std::collections::VecDeque;

use jiff::civil::Date;

use super::bucket::{Bucket, BucketError, Object, Wanted};

/// The log files of some folders.
#[derive(Debug)]
pub struct Listing {
    folders: Vec<Folder>,
    /// The first and the last day, as folders are named.
    days: (String, String),
    /// The first day and the one behind the last.
    pub(super) window: (Date, Date),
}

/// A folder of days, as far as it is listed.
#[derive(Debug)]
struct Folder {
    prefix: String,
    /// Listed and not yet asked for.
    waiting: VecDeque<Object>,
    next: Page,
}

#[derive(Debug)]
enum Page {
    First,
    After(String),
    None,
}

impl Listing {
    /// The files of these folders; nothing is listed yet.
    pub(super) fn of(folders: Vec<String>, wanted: &Wanted) -> Self {
        let day = |date: Date| date.strftime("%Y/%m/%d").to_string();
        // Files of the day after the last one hold its latest events.
        let end = wanted.to.tomorrow().unwrap_or(wanted.to);
        let folder = |prefix| Folder { prefix, waiting: VecDeque::new(), next: Page::First };
        Self {
            folders: folders.into_iter().map(folder).collect(),
            days: (day(wanted.from), day(end)),
            window: (wanted.from, end),
        }
    }

    /// The next file, `None` after the last.
    ///
    /// # Errors
    /// When the bucket cannot be listed.
    pub async fn next(&mut self, bucket: &Bucket) -> Result<Option<Object>, BucketError> {
        self.fill(bucket).await?;
        let waiting = self.folders.iter_mut().filter(|folder| !folder.waiting.is_empty());
        let first = waiting.min_by(|a, b| a.waiting.front().cmp(&b.waiting.front()));
        Ok(first.and_then(|folder| folder.waiting.pop_front()))
    }

    /// Whether there is no file, or none any more.
    pub(super) async fn is_empty(&mut self, bucket: &Bucket) -> Result<bool, BucketError> {
        self.fill(bucket).await?;
        Ok(self.folders.iter().all(|folder| folder.waiting.is_empty()))
    }

    async fn fill(&mut self, bucket: &Bucket) -> Result<(), BucketError> {
        for folder in &mut self.folders {
            while folder.waiting.is_empty() && !matches!(folder.next, Page::None) {
                folder.list(bucket, &self.days).await?;
            }
        }
        Ok(())
    }
}

impl Folder {
    /// Lists one more page.
    async fn list(&mut self, bucket: &Bucket, (first, last): &(String, String)) -> Result<(), BucketError> {
        let token = match std::mem::replace(&mut self.next, Page::None) {
            Page::First => None,
            Page::After(token) => Some(token),
            Page::None => return Ok(()),
        };
        let page = bucket.page(&self.prefix, Some(&format!("{}{first}", self.prefix)), None, token).await?;
        self.next = page.next_continuation_token().map_or(Page::None, |token| Page::After(token.to_owned()));
        for object in page.contents() {
            let key = object.key().unwrap_or_default();
            let day = key.strip_prefix(&self.prefix).and_then(|rest| rest.get(..10)).unwrap_or_default();
            if day > last.as_str() {
                self.next = Page::None;
                return Ok(());
            }
            if !key.ends_with('/') {
                let etag = object.e_tag().unwrap_or_default().trim_matches('"').to_owned();
                let size = u64::try_from(object.size().unwrap_or_default()).unwrap_or_default();
                self.waiting.push_back(Object { day: day.to_owned(), key: key.to_owned(), size, etag });
            }
        }
        Ok(())
    }
}
