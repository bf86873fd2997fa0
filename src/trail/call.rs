//! From a record to the permissions its call needed.
//!
//! One call may need several actions and several resources. What the record does not say is not guessed: an action whose
//! required resource is not named needs the resource type of the account and region, marked as not known.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::record::Record;
use super::resource::Finder;
use crate::catalog::Catalog;
use crate::catalog::errors::Meaning;
use crate::catalog::events::{Choose, Mapping};
use crate::iam::{Action, Arn, Pattern};
use crate::ledger::Outcome;

/// One permission that a call needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The action.
    pub action: Action,
    /// The resource, `*` where the action knows none.
    pub resource: Pattern,
    /// Whether the record named the resource.
    pub resource_known: bool,
    /// Condition keys that the record gives.
    pub context: BTreeMap<String, String>,
}

/// Whether the catalogue could map the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It could.
    Mapped,
    /// The event needs no permission, for this reason.
    NoPermissionNeeded(String),
    /// It could not; nothing is guessed.
    Unmapped,
}

/// What a record needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    /// The permissions.
    pub needs: Vec<Need>,
    /// Whether the event is known.
    pub note: Note,
}

/// The permissions that a record's call needed.
#[must_use]
pub fn calls(record: &Record, catalog: &Catalog) -> Calls {
    if let Some(needs) = refused(record, catalog) {
        return Calls { needs, note: Note::Mapped };
    }
    let (actions, choose) = match catalog.map_event(&record.event_source, &record.event_name) {
        Mapping::Actions(actions, choose) => (actions, choose),
        Mapping::None(reason) => return Calls { needs: Vec::new(), note: Note::NoPermissionNeeded(reason) },
        Mapping::Unknown => return Calls { needs: Vec::new(), note: Note::Unmapped },
    };
    let finder = Finder { record, catalog };
    let mut needs = Vec::new();
    for action in chosen(record, actions, choose) {
        if choose == Some(Choose::CopySource) && action.name() == "GetObject" {
            needs.extend(copy_source(record, &finder, &action));
            continue;
        }
        for action in adjusted(record, catalog, action) {
            for (resource, resource_known) in finder.resources(&action) {
                needs.push(Need { context: context(record, catalog, &action), action: action.clone(), resource, resource_known });
            }
        }
    }
    needs.extend(listing(record, catalog, &finder));
    needs.sort();
    needs.dedup();
    Calls { needs, note: Note::Mapped }
}

/// What became of the call.
#[must_use]
pub fn outcome(record: &Record, catalog: &Catalog) -> Outcome {
    let Some(code) = record.error_code.as_deref().filter(|c| !c.is_empty()) else { return Outcome::Succeeded };
    let refused = record.error_message.as_deref().is_some_and(|m| m.contains("is not authorized to perform"));
    match catalog.errors.meaning(&record.event_source, code) {
        Meaning::Denied => Outcome::Denied(code.to_owned()),
        _ if refused => Outcome::Denied(code.to_owned()),
        Meaning::Authorised => Outcome::FailedAuthorised(code.to_owned()),
        Meaning::Nothing => Outcome::Failed(code.to_owned()),
    }
}

/// A refusal's message names action and resource: it is authoritative, and often all there is.
///
/// Source: IAM User Guide, "Troubleshoot access denied error messages".
fn refused(record: &Record, catalog: &Catalog) -> Option<Vec<Need>> {
    let message = record.error_message.as_deref()?;
    let (_, rest) = message.split_once("is not authorized to perform: ")?;
    let mut words = rest.split_whitespace();
    let action = catalog.canonical(&Action::parse(words.next()?.trim_end_matches([',', '.']))?);
    let context = context(record, catalog, &action);
    let need = |(resource, resource_known)| Need { action: action.clone(), resource, resource_known, context: context.clone() };
    let resources = match rest.split_once("on resource: ").and_then(|(_, after)| refused_resource(after)) {
        Some(named) => vec![(asked_for(named), true)],
        // What the message does not name, the record may.
        None => Finder { record, catalog }.resources(&action),
    };
    Some(resources.into_iter().map(need).collect())
}

/// The resource at the beginning of the rest of a message: in quotes, or before the reason; names may hold blanks.
fn refused_resource(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once("\" because ").or_else(|| quoted.rsplit_once('"')).map(|(resource, _)| resource);
    }
    let reason = [" because ", " with an explicit deny"].iter().filter_map(|reason| text.find(reason)).min();
    let named = reason.map_or_else(|| text.split_whitespace().next(), |at| text.get(..at));
    named.map(|resource| resource.trim_end_matches([',', '.'])).filter(|resource| !resource.is_empty())
}

/// The resource of a refusal as a pattern: AWS writes `*` there for what the request left open.
fn asked_for(text: &str) -> Pattern {
    match text.strip_suffix('*') {
        Some("") => Pattern::any(),
        Some(stem) if stem.ends_with([':', '/']) => Pattern::literal(stem).then(&Pattern::any()),
        _ => Pattern::literal(text),
    }
}

/// The actions of an event that needs only some of those it may need.
fn chosen(record: &Record, actions: Vec<Action>, choose: Option<Choose>) -> Vec<Action> {
    let words: Vec<String> = match choose {
        Some(Choose::TransactItems) => member_names(record),
        Some(Choose::SqlVerb) => {
            statements(record).iter().filter_map(|s| s.split_whitespace().next().map(str::to_ascii_lowercase)).collect()
        }
        Some(Choose::CopySource) | None => return actions,
    };
    let named = |a: &Action| words.iter().any(|w| a.name().to_ascii_lowercase().contains(&w.to_ascii_lowercase()));
    let some: Vec<Action> = actions.iter().filter(|a| named(a)).cloned().collect();
    if some.is_empty() { actions } else { some }
}

/// `transactItems: [{put: …}, {conditionCheck: …}]` → `put`, `conditionCheck`.
fn member_names(record: &Record) -> Vec<String> {
    let items = record.request_parameters.get("transactItems").and_then(|v| v.as_array());
    items.into_iter().flatten().filter_map(|i| i.as_object()).flat_map(|o| o.keys().cloned()).collect()
}

fn statements(record: &Record) -> Vec<&str> {
    let one = record.request_parameters.get("statement").and_then(|v| v.as_str());
    let many = ["statements", "transactStatements"]
        .iter()
        .filter_map(|k| record.request_parameters.get(k))
        .filter_map(|v| v.as_array())
        .flatten();
    one.into_iter().chain(many.filter_map(|s| s.get("statement").and_then(|v| v.as_str()))).collect()
}

/// Request parameters change which action is needed, or add one.
fn adjusted(record: &Record, catalog: &Catalog, action: Action) -> Vec<Action> {
    let empty = |value: &Value| value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
    let given = |key: &str| record.request_parameters.get(key).is_some_and(|value| !empty(value));
    let rows = catalog.events.with_parameters.iter().filter(|row| row.action == action.as_str() && given(&row.parameter));
    let also: Vec<Action> = rows.filter_map(|row| Action::parse(&row.also)).collect();
    for_s3(record, action).into_iter().chain(also).collect()
}

/// Source: Amazon S3 API Reference, GetObject (versionId), PutObject (x-amz-acl, x-amz-tagging).
fn for_s3(record: &Record, action: Action) -> Vec<Action> {
    if !action.service().eq_ignore_ascii_case("s3") {
        return vec![action];
    }
    let has = |key: &str| record.request_parameters.get(key).is_some_and(|v| !v.is_null() && v != "");
    let with = |name: &str| Action::of("s3", name);
    match action.name() {
        "GetObject" | "GetObjectAttributes" | "GetObjectTagging" | "GetObjectAcl" | "DeleteObject" if has("versionId") => {
            let versioned = match action.name() {
                "GetObject" => with("GetObjectVersion"),
                "GetObjectAttributes" => with("GetObjectVersionAttributes"),
                "GetObjectTagging" => with("GetObjectVersionTagging"),
                "GetObjectAcl" => with("GetObjectVersionAcl"),
                _ => with("DeleteObjectVersion"),
            };
            vec![versioned.unwrap_or(action)]
        }
        "PutObject" => {
            let acl = has("x-amz-acl")
                || record.request_parameters.as_object().is_some_and(|o| o.keys().any(|k| k.starts_with("x-amz-grant-")));
            let extra = [(acl, "PutObjectAcl"), (has("x-amz-tagging"), "PutObjectTagging")];
            let extra: Vec<Action> = extra.into_iter().filter(|(yes, _)| *yes).filter_map(|(_, name)| with(name)).collect();
            [action].into_iter().chain(extra).collect()
        }
        _ => vec![action],
    }
}

/// `x-amz-copy-source: bucket/key?versionId=…`, maybe with a leading slash, or the ARN of an object of an access point;
/// percent-encoded.
///
/// Source: Amazon S3 API Reference, CopyObject, `x-amz-copy-source`.
fn copy_source(record: &Record, finder: &Finder<'_>, action: &Action) -> Vec<Need> {
    let header = record.request_parameters.get("x-amz-copy-source").and_then(|v| v.as_str());
    let Some((path, query)) =
        header.map(|h| h.trim_start_matches('/').split_once('?').unwrap_or((h.trim_start_matches('/'), "")))
    else {
        return Vec::new();
    };
    let versioned = if query.starts_with("versionId=") { Action::of("s3", "GetObjectVersion") } else { None };
    let action = versioned.unwrap_or_else(|| action.clone());
    let source = decoded(path);
    let resource = match Arn::parse(&source) {
        Some(_) => Pattern::literal(&source),
        None => Pattern::literal(&format!("arn:{}:s3:::{source}", finder.partition())),
    };
    vec![Need { action, resource, resource_known: true, context: BTreeMap::new() }]
}

/// Undoes percent-encoding; what is not valid stays.
fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8().unwrap_or(Cow::Borrowed(text))
}

/// S3 answers 404 instead of 403 only to those who may list the bucket.
fn listing(record: &Record, catalog: &Catalog, finder: &Finder<'_>) -> Vec<Need> {
    let code = record.error_code.as_deref().unwrap_or_default();
    let action = catalog.errors.also_shows(&record.event_source, &record.event_name, code).and_then(Action::parse);
    let Some(action) = action else { return Vec::new() };
    let resources = finder.resources(&action).into_iter().filter(|(_, known)| *known);
    resources
        .map(|(resource, resource_known)| Need { action: action.clone(), resource, resource_known, context: BTreeMap::new() })
        .collect()
}

/// The few-valued condition keys that narrow this action.
fn context(record: &Record, catalog: &Catalog, action: &Action) -> BTreeMap<String, String> {
    let mut context = BTreeMap::new();
    for key in catalog.narrowing_keys(action) {
        let parameter = key.rsplit(':').next().unwrap_or(key);
        if let Some(value) = record.request_parameters.get(parameter).and_then(|v| v.as_str()) {
            context.insert(key.clone(), value.to_owned());
        }
    }
    context
}
