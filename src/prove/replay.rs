//! Replay: would observed calls still go through?
//!
//! CloudTrail lacks most context keys, so a key is known, known to be absent, or unknown, and a condition on an unknown
//! key is neither true nor false. A call that only such conditions decide counts as allowed where they stand word for
//! word in the baseline, under which the call went through, and as undetermined otherwise.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use super::condition::Test;
use super::document::{Document, Effect, Matcher, Statement};
use super::evaluate::Value;
use super::pattern::{ArnReading, Context, Pattern, Token};

/// One observed call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// Service prefix and name.
    pub action: String,
    /// The ARN, or `*`.
    pub resource: String,
    /// The context keys whose values are known, in lower case.
    pub context: BTreeMap<String, Value>,
    /// The context keys, in lower case, of which it is known that the request lacks them.
    pub absent: BTreeSet<String>,
    /// What people call it: an event id and time, say. Not looked at.
    pub label: String,
}

/// What became of the calls; positions are those in the list of calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// How many calls are allowed under both readings, those covered word for word by the baseline included.
    pub allowed: usize,
    /// The calls that are denied under one reading at least, with the reason.
    pub denied: Vec<(usize, String)>,
    /// The calls that cannot be decided, with the context keys that are missing.
    pub undetermined: Vec<(usize, Vec<String>)>,
}

/// Evaluates every call against `new`. `baseline` is what the calls went through under; it only decides whether an
/// undetermined condition is covered, and may be empty.
#[must_use]
pub fn replay(new: &[Document], baseline: &[Document], calls: &[Call]) -> Replay {
    let new = Policies::new(new, calls);
    let baseline = Policies::new(baseline, calls);
    let outcomes: Vec<Outcome> = calls.par_iter().map(|call| judge(&new, &baseline, call)).collect();
    let mut replay = Replay::default();
    for (i, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Outcome::Allowed => replay.allowed += 1,
            Outcome::Denied(reason) => replay.denied.push((i, reason)),
            Outcome::Undetermined(keys) => replay.undetermined.push((i, keys.into_iter().collect())),
        }
    }
    replay
}

enum Outcome {
    Allowed,
    Denied(String),
    Undetermined(BTreeSet<String>),
}

/// A truth value that may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    No,
    Unknown,
    Yes,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// Statements by the actions that occur in the calls, each with its document and position.
struct Policies<'a> {
    by_action: HashMap<&'a str, Vec<(usize, usize, &'a Statement)>>,
}

impl<'a> Policies<'a> {
    fn new(documents: &'a [Document], calls: &'a [Call]) -> Self {
        let nothing = Context::new();
        let actions: BTreeSet<&str> = calls.iter().map(|call| call.action.as_str()).collect();
        let matching = |action: &str| {
            let all = documents
                .iter()
                .enumerate()
                .flat_map(|(d, document)| document.statements.iter().enumerate().map(move |(s, content)| (d, s, content)));
            all.filter(|(_, _, content)| content.action.matches(action, &nothing)).collect()
        };
        Self { by_action: actions.into_iter().map(|action| (action, matching(action))).collect() }
    }

    fn of(&self, call: &Call) -> &[(usize, usize, &'a Statement)] {
        self.by_action.get(call.action.as_str()).map_or(&[], Vec::as_slice)
    }
}

fn judge(new: &Policies<'_>, baseline: &Policies<'_>, call: &Call) -> Outcome {
    // Whatever a pattern matches field by field it also matches with wildcards across colons, so most calls are decided
    // by one statement.
    let statements = || new.of(call).iter().map(|(_, _, statement)| statement);
    let sure = |s: &&&Statement| !s.segmented.negated && applies(s, call, ArnReading::Segmented) == Truth::Yes;
    if statements().all(|s| s.effect == Effect::Allow) && statements().any(|s| sure(&s)) {
        return Outcome::Allowed;
    }
    let mut missing = BTreeSet::new();
    for reading in [ArnReading::Whole, ArnReading::Segmented] {
        match judge_in(new, baseline, call, reading) {
            Outcome::Allowed => {}
            Outcome::Denied(reason) => return Outcome::Denied(reason),
            Outcome::Undetermined(keys) => missing.extend(keys),
        }
    }
    if missing.is_empty() { Outcome::Allowed } else { Outcome::Undetermined(missing) }
}

fn judge_in(new: &Policies<'_>, baseline: &Policies<'_>, call: &Call, reading: ArnReading) -> Outcome {
    let mut missing = BTreeSet::new();
    let (mut allowed, mut perhaps, mut doubtful) = (false, false, false);
    for (document, position, statement) in new.of(call) {
        match (statement.effect, applies(statement, call, reading)) {
            (_, Truth::No) => {}
            (Effect::Allow, Truth::Yes) => allowed = true,
            (Effect::Deny, Truth::Yes) => {
                let place = format!("document {}, statement {}", document + 1, position + 1);
                return Outcome::Denied(format!("an explicit deny ({place}) matches"));
            }
            (effect, Truth::Unknown) if is_covered(statement, effect, baseline, call, reading) => {
                allowed |= effect == Effect::Allow;
            }
            (effect, Truth::Unknown) => {
                perhaps |= effect == Effect::Allow;
                doubtful |= effect == Effect::Deny;
                missing.extend(unknown_keys(statement, call, reading));
            }
        }
    }
    match (allowed, perhaps, doubtful) {
        (true, _, false) => Outcome::Allowed,
        (false, false, _) => Outcome::Denied("no statement allows it".to_owned()),
        _ => Outcome::Undetermined(missing),
    }
}

/// Whether the baseline, under which the call went through, settles an undecided statement.
///
/// An Allow: some Allow of the baseline that may match this call has all the undecided conditions word for word. A Deny:
/// some Deny of the baseline that may match has no other undecided conditions, so it would have stopped the call too.
fn is_covered(statement: &Statement, effect: Effect, baseline: &Policies<'_>, call: &Call, reading: ArnReading) -> bool {
    let open =
        |s: &Statement| -> Vec<Test> { s.conditions.iter().filter(|t| test(t, call) == Truth::Unknown).cloned().collect() };
    let own = open(statement);
    let resource = &statement.resource(reading);
    let same_place = |other: &Statement| {
        matcher(resource, call) == Truth::Yes && matcher(other.resource(reading), call) == Truth::Yes
            || other.resource(reading) == *resource
    };
    baseline.of(call).iter().any(|(_, _, other)| {
        other.effect == effect
            && applies(other, call, reading) != Truth::No
            && same_place(other)
            && match effect {
                Effect::Allow => own.iter().all(|test| other.conditions.contains(test)),
                Effect::Deny => open(other).iter().all(|test| own.contains(test)),
            }
    })
}

fn applies(statement: &Statement, call: &Call, reading: ArnReading) -> Truth {
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

/// A pattern with an unknown variable matches nothing that it does not match with a `*` in its place.
fn pattern(own: &Pattern, text: &str, call: &Call) -> Truth {
    if unknown_variables(own, call).next().is_none() {
        return own.matches(text, &call.context).into();
    }
    let widened = own.tokens().iter().map(|token| match token {
        Token::Variable { variable, colons, .. } if !is_known(&variable.key, call) => Token::Any { colons: *colons },
        other => other.clone(),
    });
    if Pattern::of(widened.collect()).matches(text, &call.context) { Truth::Unknown } else { Truth::No }
}

fn matcher(own: &Matcher, call: &Call) -> Truth {
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

fn test(own: &Test, call: &Call) -> Truth {
    let open = !is_known(&own.key, call) || own.patterns().any(|pattern| unknown_variables(pattern, call).next().is_some());
    if open { Truth::Unknown } else { own.holds(&call.context).into() }
}

fn unknown_keys(statement: &Statement, call: &Call, reading: ArnReading) -> BTreeSet<String> {
    let resource = statement.resource(reading).patterns.iter().flat_map(|own| unknown_variables(own, call));
    let conditions = statement.conditions.iter().flat_map(|own| {
        let key = Some(own.key.as_str()).filter(|key| !is_known(key, call));
        key.into_iter().chain(own.patterns().flat_map(|pattern| unknown_variables(pattern, call)))
    });
    resource.chain(conditions).map(str::to_owned).collect()
}
