//! One look-up in event history: its pages, one after the other, whatever comes in between.
//!
//! Source: AWS CloudTrail API Reference, LookupEvents.

use std::time::Duration;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::operation::lookup_events::LookupEventsOutput;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};

use super::event_history::EventHistoryError;
use super::failure::Failure;
use super::pace::{Pace, backoff, chance};
use super::spool::{Held, Next, Page, Spool};

/// By which attribute events are looked up; LookupEvents takes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum By {
    /// The session's name; for a role on EC2 it is the instance's id.
    Username,
    /// The event's name.
    EventName,
    /// The name or ARN of a resource that the event is about.
    ResourceName,
}

/// One question to event history.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Lookup {
    /// Each region has its own history.
    pub region: String,
    /// The attribute.
    pub by: By,
    /// Its value.
    pub value: String,
}

impl Lookup {
    /// A name for a folder: no other look-up of the region has it.
    #[must_use]
    pub fn file_name(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_@,+".contains(c);
        let escape = |c: char| if plain(c) { c.to_string() } else { format!("%{:x};", u32::from(c)) };
        format!("{:?}={}", self.by, self.value.chars().map(escape).collect::<String>())
    }

    fn attribute(&self) -> Result<LookupAttribute, EventHistoryError> {
        let key = match self.by {
            By::Username => LookupAttributeKey::Username,
            By::EventName => LookupAttributeKey::EventName,
            By::ResourceName => LookupAttributeKey::ResourceName,
        };
        let built = LookupAttribute::builder().attribute_key(key).attribute_value(&self.value).build();
        built.map_err(|e| self.malformed(e.to_string()))
    }

    fn malformed(&self, reason: impl Into<String>) -> EventHistoryError {
        EventHistoryError::Malformed { lookup: self.to_string(), reason: reason.into() }
    }
}

impl std::fmt::Display for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} in {}", self.by, self.value, self.region)
    }
}

/// How patient a look-up is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long an answer may take.
    pub timeout: Duration,
    /// How often one page is asked for before giving up.
    pub tries: u32,
    /// The first wait after a failure; it doubles.
    pub base: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), tries: 10, base: Duration::from_millis(500) }
    }
}

/// How LookupEvents says that a token is not valid any more.
const TOKEN_LOST: &str = "InvalidNextTokenException";

/// So often a token may be lost without an older event having been found.
const LOSSES: u32 = 3;

/// What a look-up works with.
pub(super) struct Desk<'a> {
    pub(super) client: &'a Client,
    pub(super) pace: &'a Pace,
    pub(super) spool: &'a Spool,
    pub(super) patience: Patience,
    /// The earliest time that event history reaches now, in seconds since 1970.
    pub(super) earliest: &'a (dyn Fn() -> i64 + Send + Sync),
    /// Told after each page: the earliest time reached.
    pub(super) told: &'a (dyn Fn(i64) + Send + Sync),
}

/// What became of one request.
enum Asked {
    Page(Box<LookupEventsOutput>),
    /// The token is not valid any more.
    TokenLost(String),
}

/// Fetches what is not there yet of a look-up over `from` to `to`, in seconds since 1970.
pub(super) async fn fetch(desk: &Desk<'_>, lookup: &Lookup, from: i64, to: i64) -> Result<(), EventHistoryError> {
    let begin = || {
        let from = from.max((desk.earliest)());
        (from <= to).then_some(Next { from, to, token: None })
    };
    let (mut number, last) = desk.spool.last(lookup)?;
    // Where nothing was asked yet there is a page all the same, without events, that says how to begin.
    let mut last = last.unwrap_or_else(|| {
        let next = begin();
        Page { since: next.as_ref().map_or(to, |n| n.from), next, oldest: None, ordered: true, events: Vec::new() }
    });
    if last.next.is_none() && number == 0 {
        desk.spool.write(lookup, 0, &last)?;
    }
    let mut losses = (0, None);
    while let Some(now) = last.next.clone() {
        match ask(desk, lookup, &now).await? {
            Asked::Page(answer) => {
                last = page(lookup, now, &last, &answer)?;
                desk.spool.write(lookup, number, &last)?;
                number += 1;
                (desk.told)(if last.next.is_none() { from } else { last.oldest.unwrap_or(to) });
            }
            Asked::TokenLost(reason) => {
                losses = if losses.1 == Some(last.oldest) { (losses.0 + 1, losses.1) } else { (1, Some(last.oldest)) };
                if losses.0 > LOSSES || now.token.is_none() {
                    return Err(EventHistoryError::Refused { lookup: lookup.to_string(), reason });
                }
                // Newest come first, so all that is missing is at most as new as the oldest that is there.
                let newest = last.oldest.filter(|_| last.ordered).unwrap_or(to);
                last.next = begin().map(|fresh| Next { to: newest.max(fresh.from), ..fresh });
                if last.next.is_none() {
                    last.events.clear();
                    desk.spool.write(lookup, number, &last)?;
                }
            }
        }
    }
    Ok(())
}

/// Asks for one page until there is an answer or patience ends.
async fn ask(desk: &Desk<'_>, lookup: &Lookup, next: &Next) -> Result<Asked, EventHistoryError> {
    let mut reason = String::new();
    for tries in 1..=desk.patience.tries {
        desk.pace.turn().await;
        let request = (desk.client.lookup_events())
            .lookup_attributes(lookup.attribute()?)
            .start_time(DateTime::from_secs(next.from))
            .end_time(DateTime::from_secs(next.to))
            .max_results(50)
            .set_next_token(next.token.clone());
        // The SDK's own tries would pass the pace by.
        let once =
            aws_sdk_cloudtrail::config::Builder::new().retry_config(aws_sdk_cloudtrail::config::retry::RetryConfig::disabled());
        let answer = tokio::time::timeout(desk.patience.timeout, request.customize().config_override(once).send()).await;
        let failure = match answer {
            Ok(Ok(page)) => return Ok(Asked::Page(Box::new(page))),
            Ok(Err(error)) => Failure::of(&error),
            Err(_) => Failure::late(desk.patience.timeout),
        };
        let wait = backoff(desk.patience.base, tries, chance());
        reason = match failure {
            Failure::Denied(reason) => return Err(EventHistoryError::Denied { region: lookup.region.clone(), reason }),
            Failure::Final(reason) if reason.starts_with(TOKEN_LOST) => return Ok(Asked::TokenLost(reason)),
            Failure::Final(reason) => return Err(EventHistoryError::Refused { lookup: lookup.to_string(), reason }),
            Failure::Throttled(reason) => {
                // All look-ups of the region share its limit.
                desk.pace.hold(wait);
                reason
            }
            Failure::Passing(reason) => {
                tokio::time::sleep(wait).await;
                reason
            }
        };
    }
    Err(EventHistoryError::Unanswered { lookup: lookup.to_string(), tries: desk.patience.tries, reason })
}

/// A page as it is kept.
fn page(lookup: &Lookup, asked: Next, before: &Page, answer: &LookupEventsOutput) -> Result<Page, EventHistoryError> {
    let events = answer.events().iter().map(|event| held(lookup, event)).collect::<Result<Vec<_>, _>>()?;
    let token = answer.next_token().map(str::to_owned);
    if token.is_some() && token == asked.token && events.is_empty() {
        return Err(lookup.malformed("the same token came back with a page of no events"));
    }
    let times: Vec<i64> = before.oldest.into_iter().chain(events.iter().map(|e| e.time)).collect();
    Ok(Page {
        since: before.since.max(asked.from),
        oldest: times.iter().min().copied(),
        ordered: before.ordered && times.is_sorted_by(|newer, older| newer >= older),
        next: token.map(|token| Next { token: Some(token), ..asked }),
        events,
    })
}

/// An event that lacks what it needs would be an event less.
fn held(lookup: &Lookup, event: &Event) -> Result<Held, EventHistoryError> {
    let missing = |what: &str| lookup.malformed(format!("an event has no `{what}`"));
    Ok(Held {
        id: event.event_id().ok_or_else(|| missing("EventId"))?.to_owned(),
        time: event.event_time().ok_or_else(|| missing("EventTime"))?.secs(),
        record: event.cloud_trail_event().ok_or_else(|| missing("CloudTrailEvent"))?.to_owned(),
    })
}
