//! Policy documents as the prover reads them: the bytes of the final document, the documented grammar, nothing else.
//!
//! The grammar is that of identity policies (IAM User Guide, "Grammar of the IAM JSON policy language", read 2026-11):
//! no `Id`, no `Principal` but in endpoint policies, no empty lists, no unknown elements. A document that violates it is rejected with the place
//! and the reason; it is never evaluated in part.

use std::collections::BTreeSet;

use super::condition::Test;
use super::json::{Json, member};
use super::pattern::{ArnReading, Context, Kind, Pattern};

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `2008-10-17`, also without a `Version`: `${…}` is ordinary text.
    V2008,
    /// `2012-10-17`: with policy variables.
    V2012,
}

/// What a statement does with the requests it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It allows them.
    Allow,
    /// It denies them, whatever else allows them.
    Deny,
}

/// Patterns of an `Action` or `Resource`, or their `Not…` form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Matcher {
    /// Was it the `Not…` form?
    pub negated: bool,
    /// The patterns, any of which may match.
    pub patterns: Vec<Pattern>,
}

impl Matcher {
    /// Whether the element matches this text.
    ///
    /// A `Not…` element with a variable that cannot be resolved matches nothing: the User Guide says that such a variable
    /// may make the whole statement invalid ("Variables and tags", read 2026-11).
    #[must_use]
    pub fn matches(&self, text: &str, context: &Context) -> bool {
        let matched = self.patterns.iter().any(|pattern| pattern.matches(text, context));
        if self.negated { !matched && !self.patterns.iter().any(|pattern| pattern.is_void(context)) } else { matched }
    }
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Its `Effect`.
    pub effect: Effect,
    /// `Action` or `NotAction`.
    pub action: Matcher,
    /// `Resource` or `NotResource`, wildcards reaching across colons.
    pub whole: Matcher,
    /// The same, wildcards staying in their ARN field.
    pub segmented: Matcher,
    /// The entries of `Condition`, all of which must hold.
    pub conditions: Vec<Test>,
}

impl Statement {
    /// `Resource` or `NotResource` in one of the two readings.
    #[must_use]
    pub fn resource(&self, reading: ArnReading) -> &Matcher {
        match reading {
            ArnReading::Whole => &self.whole,
            ArnReading::Segmented => &self.segmented,
        }
    }
}

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The version of the language it is written in.
    pub version: Version,
    /// Its statements in order.
    pub statements: Vec<Statement>,
}

/// Why a document is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The bytes are not JSON; the author of the file has to look.
    #[error("the document is not JSON: {0}")]
    Syntax(String),
    /// The document is JSON and violates the grammar of policies; the author of the policy has to look.
    #[error("{path}: {reason}")]
    Grammar {
        /// Where, as a path from the root `$`.
        path: String,
        /// What is wrong there.
        reason: String,
    },
}

fn grammar(path: &str, reason: impl Into<String>) -> DocumentError {
    DocumentError::Grammar { path: path.to_owned(), reason: reason.into() }
}

type Members = [(String, Json)];

impl Document {
    /// Reads a policy document.
    ///
    /// # Errors
    /// [`DocumentError::Syntax`] where the bytes are not JSON, [`DocumentError::Grammar`] with the first place that
    /// violates the grammar, an object with two equal keys included.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        Self::of(&parse(bytes)?)
    }

    /// Reads the policy of a VPC endpoint whose statements all have `Principal: "*"`, as what it says apart from that.
    ///
    /// Any other principal is refused: what it means depends on the kind of endpoint (on a gateway endpoint an account is
    /// its root user only; AWS PrivateLink Guide, "Principals for gateway endpoints", read 2026-11).
    ///
    /// # Errors
    /// As for [`Document::read`], and where a statement has another principal or none.
    pub fn read_for_everyone(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut json = parse(bytes)?;
        if let Json::Object(members) = &mut json {
            members.retain(|(name, value)| name != "Id" || !matches!(value, Json::Text(_)));
        }
        for (path, statement) in statements_of(&mut json) {
            let Json::Object(members) = statement else { continue };
            let before = members.len();
            members.retain(|(name, value)| name != "Principal" || !matches!(value, Json::Text(text) if text == "*"));
            if members.len() + 1 != before {
                return Err(grammar(&path, "the principal of an endpoint policy must be `\"*\"` here; no other is modelled"));
            }
        }
        Self::of(&json)
    }

    fn of(json: &Json) -> Result<Self, DocumentError> {
        let members = object(json, "$")?;
        known(members, "$", &["Version", "Statement"])?;
        let version = match find(members, "Version") {
            None => Version::V2008,
            Some(Json::Text(text)) if text == "2012-10-17" => Version::V2012,
            Some(Json::Text(text)) if text == "2008-10-17" => Version::V2008,
            Some(_) => return Err(grammar("$.Version", "the version must be `2012-10-17` or `2008-10-17`")),
        };
        let statements = match find(members, "Statement") {
            None => return Err(grammar("$", "there is no `Statement`")),
            Some(Json::List(items)) if items.is_empty() => return Err(grammar("$.Statement", "the list is empty")),
            Some(Json::List(items)) => items
                .iter()
                .enumerate()
                .map(|(i, item)| statement(item, &format!("$.Statement[{i}]"), version))
                .collect::<Result<_, _>>()?,
            Some(one) => vec![statement(one, "$.Statement", version)?],
        };
        unique_sids(&statements)?;
        Ok(Self { version, statements })
    }
}

fn parse(bytes: &[u8]) -> Result<Json, DocumentError> {
    let json: Json = serde_json::from_slice(bytes).map_err(|error| DocumentError::Syntax(error.to_string()))?;
    match json.duplicate("$") {
        Some((path, name)) => Err(grammar(&path, format!("the key `{name}` stands twice in one object"))),
        None => Ok(json),
    }
}

/// The statements of a document that may be of any form, with their places.
fn statements_of(json: &mut Json) -> Vec<(String, &mut Json)> {
    let Json::Object(members) = json else { return Vec::new() };
    match members.iter_mut().find(|(name, _)| name == "Statement") {
        Some((_, Json::List(items))) => {
            items.iter_mut().enumerate().map(|(i, item)| (format!("$.Statement[{i}]"), item)).collect()
        }
        Some((_, one)) => vec![("$.Statement".to_owned(), one)],
        None => Vec::new(),
    }
}

/// Reads documents.
pub type Reader = fn(&[u8]) -> Result<Document, DocumentError>;

/// How documents that are compared have to be read: as endpoint policies where one of them names a principal, and as
/// identity policies otherwise. The reader rejects those of the other kind.
#[must_use]
pub fn reader<'a>(documents: impl IntoIterator<Item = &'a [u8]>) -> Reader {
    let named = |bytes: &[u8]| {
        let Ok(mut json) = serde_json::from_slice::<Json>(bytes) else { return false };
        let has = |statement: &Json| matches!(statement, Json::Object(members) if find(members, "Principal").is_some());
        statements_of(&mut json).into_iter().any(|(_, statement)| has(statement))
    };
    if documents.into_iter().any(named) { Document::read_for_everyone } else { Document::read }
}

/// Whether the bytes are a document without any statement. IAM accepts none, so it is no [`Document`]; it stands for
/// attaching nothing.
#[must_use]
pub fn is_nothing(bytes: &[u8]) -> bool {
    let Ok(Json::Object(members)) = serde_json::from_slice::<Json>(bytes) else { return false };
    matches!(find(&members, "Statement"), Some(Json::List(items)) if items.is_empty())
        && Json::Object(members).duplicate("$").is_none()
}

fn unique_sids(statements: &[Statement]) -> Result<(), DocumentError> {
    let mut seen = BTreeSet::new();
    for (i, sid) in statements.iter().enumerate().filter_map(|(i, s)| s.sid.as_ref().map(|sid| (i, sid))) {
        if !sid.is_empty() && !seen.insert(sid) {
            return Err(grammar(&format!("$.Statement[{i}].Sid"), format!("another statement has the Sid `{sid}`")));
        }
    }
    Ok(())
}

fn object<'a>(json: &'a Json, path: &str) -> Result<&'a Members, DocumentError> {
    match json {
        Json::Object(members) => Ok(members),
        other => Err(grammar(path, format!("expected an object, found {}", other.kind()))),
    }
}

fn find<'a>(members: &'a Members, name: &str) -> Option<&'a Json> {
    members.iter().find(|(own, _)| own == name).map(|(_, value)| value)
}

fn known(members: &Members, path: &str, names: &[&str]) -> Result<(), DocumentError> {
    match members.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some((name, _)) => Err(grammar(path, format!("`{name}` is not an element of an identity policy here"))),
    }
}

fn statement(json: &Json, path: &str, version: Version) -> Result<Statement, DocumentError> {
    let members = object(json, path)?;
    known(members, path, &["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"])?;
    let effect = match find(members, "Effect") {
        Some(Json::Text(text)) if text == "Allow" => Effect::Allow,
        Some(Json::Text(text)) if text == "Deny" => Effect::Deny,
        Some(_) => return Err(grammar(&member(path, "Effect"), "the effect must be `Allow` or `Deny`")),
        None => return Err(grammar(path, "there is no `Effect`")),
    };
    let (negated, actions) = either(members, path, "Action", "NotAction")?;
    for (place, action) in &actions {
        action_string(action).map_err(|reason| grammar(place, reason))?;
    }
    let action = matcher(negated, &actions, Kind::Action, version)?;
    let (negated, resources) = either(members, path, "Resource", "NotResource")?;
    if let Some((place, _)) = resources.iter().find(|(_, text)| text.is_empty()) {
        return Err(grammar(place, "a resource must not be empty"));
    }
    let whole = matcher(negated, &resources, Kind::Resource(ArnReading::Whole), version)?;
    let segmented = matcher(negated, &resources, Kind::Resource(ArnReading::Segmented), version)?;
    let conditions = match find(members, "Condition") {
        None => Vec::new(),
        Some(json) => conditions(json, &member(path, "Condition"), version)?,
    };
    Ok(Statement { sid: sid(members, path)?, effect, action, whole, segmented, conditions })
}

fn sid(members: &Members, path: &str) -> Result<Option<String>, DocumentError> {
    match find(members, "Sid") {
        None => Ok(None),
        Some(Json::Text(sid)) if sid.bytes().all(|b| b.is_ascii_alphanumeric()) => Ok(Some(sid.clone())),
        Some(_) => Err(grammar(&member(path, "Sid"), "a Sid is a string of the characters A-Z, a-z and 0-9")),
    }
}

/// The strings of one of two elements that exclude each other, with their places.
fn either(members: &Members, path: &str, plain: &str, negated: &str) -> Result<(bool, Vec<(String, String)>), DocumentError> {
    let (name, json) = match (find(members, plain), find(members, negated)) {
        (Some(json), None) => (plain, json),
        (None, Some(json)) => (negated, json),
        (Some(_), Some(_)) => return Err(grammar(path, format!("`{plain}` and `{negated}` exclude each other"))),
        (None, None) => return Err(grammar(path, format!("there is neither `{plain}` nor `{negated}`"))),
    };
    let path = member(path, name);
    let values = one_or_many(json, &path)?;
    let strings = values.into_iter().map(|(place, value)| match value {
        Json::Text(text) => Ok((place, text.clone())),
        other => Err(grammar(&place, format!("expected a string, found {}", other.kind()))),
    });
    Ok((name == negated, strings.collect::<Result<_, _>>()?))
}

fn one_or_many<'a>(json: &'a Json, path: &str) -> Result<Vec<(String, &'a Json)>, DocumentError> {
    match json {
        Json::List(items) if items.is_empty() => Err(grammar(path, "the list is empty")),
        Json::List(items) => Ok(items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)).collect()),
        one => Ok(vec![(path.to_owned(), one)]),
    }
}

fn action_string(text: &str) -> Result<(), String> {
    if !text.is_empty() && text.bytes().all(|b| b == b'*') {
        return Ok(());
    }
    let well_formed = text.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:*?".contains(c);
    if well_formed && text.chars().all(plain) {
        Ok(())
    } else {
        Err(format!("`{text}` is not an action: a service prefix, a colon and a name, or `*`"))
    }
}

fn matcher(negated: bool, texts: &[(String, String)], kind: Kind, version: Version) -> Result<Matcher, DocumentError> {
    let patterns = texts.iter().map(|(place, text)| Pattern::parse(text, kind, version).map_err(|reason| grammar(place, reason)));
    Ok(Matcher { negated, patterns: patterns.collect::<Result<_, _>>()? })
}

fn conditions(json: &Json, path: &str, version: Version) -> Result<Vec<Test>, DocumentError> {
    let mut tests = Vec::new();
    for (operator, block) in object(json, path)? {
        let path = member(path, operator);
        let mut keys = BTreeSet::new();
        for (key, json) in object(block, &path)? {
            let path = member(&path, key);
            if key.is_empty() || !keys.insert(key.to_lowercase()) {
                return Err(grammar(&path, "a condition key is empty or stands twice (case does not matter)"));
            }
            let values = one_or_many(json, &path)?;
            let values = values.into_iter().map(|(place, value)| match value {
                Json::Text(text) | Json::Number(text) => Ok(text.clone()),
                Json::Flag(flag) => Ok(flag.to_string()),
                other => Err(grammar(&place, format!("expected a string, number or Boolean, found {}", other.kind()))),
            });
            let values: Vec<String> = values.collect::<Result<_, _>>()?;
            tests.push(Test::parse(operator, key, &values, version).map_err(|reason| grammar(&path, reason))?);
        }
        if keys.is_empty() {
            return Err(grammar(&path, "the operator has no condition key"));
        }
    }
    Ok(tests)
}
