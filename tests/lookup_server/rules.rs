//! What a look-up is answered with.

use std::time::Instant;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{State, Token};

/// An event as event history holds it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) region: String,
    pub(crate) id: String,
    pub(crate) time: i64,
    pub(crate) record: Value,
    /// The moment from which it is found.
    pub(crate) available: i64,
}

impl Stored {
    /// The event, where event history would show it: management events and none else.
    pub(crate) fn of(record: &Value) -> Option<Self> {
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let management = match record["eventCategory"].as_str() {
            Some(category) => category == "Management",
            None => record["managementEvent"].as_bool().unwrap_or(true) && record["eventID"].is_string(),
        };
        let time: jiff::Timestamp = record["eventTime"].as_str()?.parse().ok()?;
        management.then(|| Self {
            region: text("awsRegion"),
            id: text("eventID"),
            time: time.as_second(),
            record: record.clone(),
            available: i64::MIN,
        })
    }

    /// `Username` is a session's name, a user's name, or nothing.
    fn username(&self) -> &str {
        let identity = &self.record["userIdentity"];
        match identity["type"].as_str() {
            Some("AssumedRole") => identity["arn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default(),
            Some("Root") => "root",
            _ => identity["userName"].as_str().unwrap_or_default(),
        }
    }

    fn attribute(&self, key: &str) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match key {
            "Username" => self.username().to_owned(),
            "EventName" => text(&self.record["eventName"]),
            "EventSource" => text(&self.record["eventSource"]),
            "EventId" => self.id.clone(),
            "ReadOnly" => self.record["readOnly"].as_bool().unwrap_or(false).to_string(),
            "AccessKeyId" => text(&self.record["userIdentity"]["accessKeyId"]),
            _ => String::new(),
        }
    }

    /// Whether the event has the attribute with this value. It may be about several resources.
    fn has(&self, key: &str, value: &str) -> bool {
        match key {
            "ResourceName" => self.record["resources"].as_array().is_some_and(|all| all.iter().any(|r| r["ARN"] == value)),
            _ => self.attribute(key) == value,
        }
    }

    fn page_entry(&self) -> Value {
        json!({
            "EventId": self.id,
            "EventName": self.attribute("EventName"),
            "ReadOnly": self.attribute("ReadOnly"),
            "AccessKeyId": self.attribute("AccessKeyId"),
            "EventTime": self.time as f64,
            "EventSource": self.attribute("EventSource"),
            "Username": self.username(),
            "Resources": [],
            "CloudTrailEvent": self.record.to_string(),
        })
    }
}

const KEYS: [&str; 8] =
    ["EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"];

/// The name of an error and what it says.
type Refusal = (&'static str, String);

pub(super) fn look_up(state: &mut State, region: &str, query: &Value) -> Result<Value, Refusal> {
    pace(state, region)?;
    if state.asked.len() >= state.behaviour.deny_from {
        return Err(("AccessDeniedException", "not authorized to perform: cloudtrail:LookupEvents".to_owned()));
    }
    let size = page_size(query)?;
    let attribute = attribute(query)?;
    let now = state.behaviour.now;
    let (from, to) = times(query, now)?;
    let mut plain = query.clone();
    let given = plain.as_object_mut().and_then(|o| o.remove("NextToken"));
    let after = match &given {
        Some(token) => Some(follow(state, region, &plain, token)?),
        None => None,
    };
    state.answered += 1;
    state.pages += 1;

    let mut found: Vec<_> = state.events.get(region).into_iter().flatten().filter(|e| e.available <= now).collect();
    found.retain(|e| (from..=to).contains(&e.time));
    found.retain(|e| attribute.as_ref().is_none_or(|(key, value)| e.has(key, value)));
    found.sort_by(|a, b| (b.time, &b.id).cmp(&(a.time, &a.id)));
    found.retain(|e| after.as_ref().is_none_or(|(time, id)| (e.time, &e.id) < (*time, id)));

    let hollow = state.behaviour.empty > 0 && state.pages.is_multiple_of(state.behaviour.empty);
    let take = if hollow { 0 } else { size };
    let more = found.len() > take;
    let last = found.get(..take.min(found.len())).and_then(<[_]>::last).map(|e| (e.time, e.id.clone())).or(after);
    let events: Vec<Value> = found.iter().take(take).map(|e| e.page_entry()).collect();
    let mut page = json!({ "Events": events });
    if more {
        let after = last.unwrap_or((i64::MAX, String::new()));
        page["NextToken"] = json!(issue(state, region, plain, after));
    }
    Ok(page)
}

/// Two requests a second for an account and region, whatever they ask.
fn pace(state: &mut State, region: &str) -> Result<(), Refusal> {
    let (rate, per) = (state.behaviour.rate, state.behaviour.per);
    let recent = state.recent.entry(region.to_owned()).or_default();
    recent.retain(|at| at.elapsed() < per);
    if recent.len() >= rate {
        return Err(("ThrottlingException", "Rate exceeded".to_owned()));
    }
    recent.push(Instant::now());
    Ok(())
}

fn page_size(query: &Value) -> Result<usize, Refusal> {
    match query.get("MaxResults").map(|n| n.as_u64().unwrap_or(0)) {
        None => Ok(50),
        Some(n @ 1..=50) => Ok(n as usize),
        Some(n) => Err(("InvalidMaxResultsException", format!("{n} is not between 1 and 50"))),
    }
}

fn attribute(query: &Value) -> Result<Option<(String, String)>, Refusal> {
    let refuse = |says: &str| Err(("InvalidLookupAttributesException", says.to_owned()));
    let list = query["LookupAttributes"].as_array().cloned().unwrap_or_default();
    let Some(only) = list.first() else { return Ok(None) };
    let (key, value) = (only["AttributeKey"].as_str().unwrap_or_default(), only["AttributeValue"].as_str().unwrap_or_default());
    match () {
        () if list.len() > 1 => refuse("one attribute a call"),
        () if !KEYS.contains(&key) => refuse("no such attribute"),
        () if value.is_empty() || value.chars().count() > 2000 => refuse("a value has 1 to 2000 characters"),
        () => Ok(Some((key.to_owned(), value.to_owned()))),
    }
}

fn times(query: &Value, now: i64) -> Result<(i64, i64), Refusal> {
    let oldest = now - 90 * 86_400;
    let from = query["StartTime"].as_f64().map_or(oldest, |t| t as i64);
    let to = query["EndTime"].as_f64().map_or(now, |t| t as i64);
    if from > to || from < oldest {
        return Err(("InvalidTimeRangeException", format!("{from} to {to}, and it is {now}")));
    }
    Ok((from, to))
}

fn issue(state: &mut State, region: &str, query: Value, after: (i64, String)) -> String {
    let name = format!("{region}{query}{after:?}{}", state.pages);
    let name: String = Sha256::digest(name).iter().map(|b| format!("{b:02x}")).collect();
    state.tokens.insert(name.clone(), Token { region: region.to_owned(), query, after, issued: state.answered });
    name
}

fn follow(state: &State, region: &str, query: &Value, token: &Value) -> Result<(i64, String), Refusal> {
    let known = token.as_str().and_then(|t| state.tokens.get(t));
    let known = known.filter(|t| t.region == region && t.query == *query);
    let known = known.filter(|t| state.answered - t.issued < state.behaviour.token_life);
    known.map(|t| t.after.clone()).ok_or_else(|| {
        (
            "InvalidNextTokenException",
            "the token expired, or was used with other parameters than those it was given for".to_owned(),
        )
    })
}
