//! A plain evaluator of identity policies, on JSON as it stands: no parsing ahead, no tokens, nothing from the library.
//! Slow, and simple enough to be read against AWS's documentation.

use std::borrow::Cow;
use std::collections::BTreeMap;

use policyc::prove::evaluate::{Request, Value};
use serde_json::Value as Json;

/// Stands for the character of `${*}` until wildcards have been matched.
pub(crate) const STAR: char = '\u{e000}';

pub(crate) fn strings(json: &Json) -> Vec<&str> {
    match json {
        Json::Array(items) => items.iter().flat_map(strings).collect(),
        Json::Bool(true) => vec!["true"],
        Json::Bool(false) => vec!["false"],
        other => vec![other.as_str().unwrap()],
    }
}

/// The pattern with its variables replaced; `None` where one has no single value.
pub(crate) fn filled<'p>(pattern: &'p str, context: &BTreeMap<String, Value>) -> Option<Cow<'p, str>> {
    if !pattern.contains("${") {
        return Some(pattern.into());
    }
    let (mut out, mut rest) = (String::new(), pattern);
    while let Some((before, after)) = rest.split_once("${") {
        let (key, after) = after.split_once('}').unwrap();
        out += before;
        match (key, context.get(&key.to_lowercase())) {
            ("*", _) => out.push(STAR),
            (_, Some(Value::One(value))) => out += value,
            (_, Some(Value::Many(values))) if values.len() == 1 => out += &values[0],
            _ => return None,
        }
        rest = after;
    }
    Some((out + rest).into())
}

fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, after)) = pattern.split_once('*') else {
        return same(pattern, text) == Some("");
    };
    let Some(mut rest) = same(first, text) else { return false };
    // What stands between two stars is best found as early as it can be, and what follows the last one at the end.
    let mut pieces: Vec<&str> = after.split('*').collect();
    let last = pieces.pop().unwrap();
    for piece in pieces {
        let places = rest.char_indices().map(|(at, _)| &rest[at..]).chain([""]);
        let Some(next) = places.filter_map(|from| same(piece, from)).next() else { return false };
        rest = next;
    }
    let length = last.chars().count();
    let skipped = rest.chars().count().checked_sub(length);
    skipped.is_some_and(|skipped| same(last, rest.char_indices().nth(skipped).map_or("", |(at, _)| &rest[at..])) == Some(""))
}

/// What follows a piece without stars at the beginning of a text.
fn same<'t>(piece: &str, text: &'t str) -> Option<&'t str> {
    let mut rest = text.chars();
    for p in piece.chars() {
        rest.next().filter(|t| p == '?' || p == *t || p == STAR && *t == '*')?;
    }
    Some(rest.as_str())
}

fn like(pattern: &str, text: &str, context: &BTreeMap<String, Value>) -> bool {
    filled(pattern, context).is_some_and(|pattern| glob(&pattern, text))
}

/// Field by field, or with wildcards across colons.
fn arn(pattern: &str, text: &str, context: &BTreeMap<String, Value>, segmented: bool) -> bool {
    let Some(mut pattern) = filled(pattern, context) else { return false };
    if pattern == "*" {
        return true;
    }
    while pattern.starts_with("arn:") && pattern.matches(':').count() < 5 {
        pattern = format!("{pattern}:*").into();
    }
    if !segmented {
        return glob(&pattern, text);
    }
    let (pattern, text): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), text.splitn(6, ':').collect());
    pattern.len() == text.len() && pattern.iter().zip(text).all(|(pattern, text)| glob(pattern, text))
}

/// One test of a `Condition`; `key` in lower case.
pub(crate) fn holds(operator: &str, key: &str, wanted: &Json, context: &BTreeMap<String, Value>) -> bool {
    let (set, operator) = operator.split_once(':').unwrap_or(("", operator));
    let values: Option<Vec<&String>> = context.get(key).map(|value| match value {
        Value::One(one) => vec![one],
        Value::Many(many) => many.iter().collect(),
    });
    let values = values.filter(|values| !values.is_empty());
    let wanted = strings(wanted);
    if operator == "Null" {
        return wanted.contains(&if values.is_none() { "true" } else { "false" });
    }
    let name = operator.trim_end_matches("IfExists");
    let negated = name.contains("Not");
    let Some(values) = values else {
        return operator.ends_with("IfExists") || set == "ForAllValues" || set.is_empty() && negated;
    };
    let void = negated && wanted.iter().any(|wanted| filled(wanted, context).is_none());
    let one = |value: &str| {
        let matched = wanted.iter().any(|wanted| match name.replace("Not", "").as_str() {
            "StringEquals" => filled(wanted, context).is_some_and(|wanted| wanted.replace(STAR, "*") == value),
            "StringEqualsIgnoreCase" | "Bool" => {
                filled(wanted, context).is_some_and(|wanted| wanted.to_lowercase() == value.to_lowercase())
            }
            "StringLike" => like(wanted, value, context),
            "ArnLike" | "ArnEquals" => arn_like(wanted, value, context),
            "NumericGreaterThanEquals" => {
                let number = |text: &str| text.parse::<f64>().ok();
                number(value).zip(number(wanted)).is_some_and(|(value, wanted)| value >= wanted)
            }
            other => panic!("the plain evaluator does not know {other}"),
        });
        !void && matched != negated
    };
    if set == "ForAllValues" { values.iter().all(|v| one(v)) } else { values.iter().any(|v| one(v)) }
}

/// ARN operators: field by field, nothing completed.
fn arn_like(pattern: &str, text: &str, context: &BTreeMap<String, Value>) -> bool {
    let Some(pattern) = filled(pattern, context) else { return false };
    let (fields, texts): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), text.splitn(6, ':').collect());
    pattern == "*" || fields.len() == texts.len() && fields.iter().zip(texts).all(|(pattern, text)| glob(pattern, text))
}

/// Whether a statement is about a request.
pub(crate) fn applies(statement: &Json, request: &Request, segmented: bool) -> bool {
    let action = |pattern: &&str| glob(&pattern.to_lowercase(), &request.action.to_lowercase());
    let resource = |pattern: &&str| arn(pattern, &request.resource, &request.context, segmented);
    let either = |plain: &str, negated: &str, test: &dyn Fn(&&str) -> bool| match statement.get(plain) {
        Some(json) => strings(json).iter().any(test),
        None => {
            let patterns = strings(&statement[negated]);
            !patterns.iter().any(test) && patterns.iter().all(|pattern| filled(pattern, &request.context).is_some())
        }
    };
    let conditions = statement.get("Condition").and_then(Json::as_object).into_iter().flatten();
    either("Action", "NotAction", &action)
        && either("Resource", "NotResource", &resource)
        && conditions.into_iter().all(|(operator, block)| {
            let mut tests = block.as_object().unwrap().iter();
            tests.all(|(key, wanted)| holds(operator, &key.to_lowercase(), wanted, &request.context))
        })
}
