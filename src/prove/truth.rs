//! What a statement says of a call of which not everything is known: yes, no, or neither.

use std::collections::BTreeSet;

use super::condition::Test;
use super::document::{Matcher, Statement};
use super::pattern::{ArnReading, Pattern, Token};
use super::replay::Call;

/// A truth value that may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    No,
    Unknown,
    Yes,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// Whether a statement matches a call.
pub(super) fn applies(statement: &Statement, call: &Call, reading: ArnReading) -> Truth {
    let resource = matcher(statement.resource(reading), call);
    if resource == Truth::No {
        return Truth::No;
    }
    let conditions = statement.conditions.iter().map(|own| test(own, call));
    conditions.fold(resource, |all, truth| match (all, truth) {
        (Truth::No, _) | (_, Truth::No) => Truth::No,
        (Truth::Yes, Truth::Yes) => Truth::Yes,
        _ => Truth::Unknown,
    })
}

fn is_known(key: &str, call: &Call) -> bool {
    call.context.contains_key(key) || call.absent.contains(key)
}

fn unknown_variables<'a>(pattern: &'a Pattern, call: &'a Call) -> impl Iterator<Item = &'a str> {
    pattern.variables().map(|v| v.key.as_str()).filter(|key| !is_known(key, call))
}

/// Whether a pattern matches. With an unknown variable it matches nothing that it does not match with a `*` in its place.
pub(super) fn pattern(own: &Pattern, text: &str, call: &Call) -> Truth {
    if unknown_variables(own, call).next().is_none() {
        return own.matches(text, &call.context).into();
    }
    let widened = own.tokens().iter().map(|token| match token {
        Token::Variable { variable, colons, .. } if !is_known(&variable.key, call) => Token::Any { colons: *colons },
        other => other.clone(),
    });
    if Pattern::of(widened.collect()).matches(text, &call.context) { Truth::Unknown } else { Truth::No }
}

/// Whether a call's resource is one of an element's.
pub(super) fn matcher(own: &Matcher, call: &Call) -> Truth {
    let mut best = Truth::No;
    for own in &own.patterns {
        match pattern(own, &call.resource, call) {
            Truth::No => {}
            truth => best = truth,
        }
        if best == Truth::Yes {
            break;
        }
    }
    let unresolved = || own.patterns.iter().any(|own| unknown_variables(own, call).next().is_some());
    let void = || own.patterns.iter().any(|own| own.is_void(&call.context));
    match (own.negated, best) {
        (_, Truth::Unknown) => Truth::Unknown,
        (false, truth) => truth,
        (true, Truth::Yes) => Truth::No,
        // What a variable stands for is not known: it may be nothing, and then the element matches nothing.
        (true, Truth::No) if unresolved() => Truth::Unknown,
        (true, Truth::No) => (!void()).into(),
    }
}

/// Whether a condition holds.
pub(super) fn test(own: &Test, call: &Call) -> Truth {
    let open = !is_known(&own.key, call) || own.patterns().any(|pattern| unknown_variables(pattern, call).next().is_some());
    if open { Truth::Unknown } else { own.holds(&call.context).into() }
}

/// The context keys of a statement of which nothing is known.
pub(super) fn unknown_keys(statement: &Statement, call: &Call, reading: ArnReading) -> BTreeSet<String> {
    let resource = statement.resource(reading).patterns.iter().flat_map(|own| unknown_variables(own, call));
    let conditions = statement.conditions.iter().flat_map(|own| {
        let key = Some(own.key.as_str()).filter(|key| !is_known(key, call));
        key.into_iter().chain(own.patterns().flat_map(|pattern| unknown_variables(pattern, call)))
    });
    resource.chain(conditions).map(str::to_owned).collect()
}
