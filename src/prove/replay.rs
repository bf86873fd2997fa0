//! Replay: would observed calls still go through?
//!
//! CloudTrail lacks most context keys, so a key is known, known to be absent, or unknown, and a condition on an unknown
//! key is neither true nor false. A call that only such conditions decide counts as allowed where they stand word for
//! word in the baseline, under which the call went through, and as undetermined otherwise.
//!
//! A permissions boundary grants nothing: a call goes through where the identity policies allow it and the boundary does too.
//!
//! INVARIANT (boundary-only-takes): with a boundary no call is allowed that is not allowed without, and what is denied stays so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use super::condition::Test;
use super::document::{Document, Effect, Matcher, Statement};
use super::evaluate::Value;
use super::pattern::{ArnReading, Context, Pattern};
use super::truth::{Truth, applies, matcher, pattern, test, unknown_keys};

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

/// What is in force when a call is made: identity policies, all together, and the permissions boundary that limits them.
#[derive(Debug, Clone, Copy, Default)]
pub struct InForce<'a> {
    /// The identity policies.
    pub policies: &'a [Document],
    /// The boundary; none where nothing limits them.
    pub boundary: Option<&'a Document>,
}

/// Why a call is denied. Positions count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Denial {
    /// No identity policy allows it.
    NoAllow,
    /// A Deny of an identity policy matches.
    Deny {
        /// Position of the document.
        document: usize,
        /// Position of the statement in it.
        statement: usize,
    },
    /// The boundary does not allow it.
    OutsideBoundary,
    /// A Deny of the boundary matches.
    BoundaryDeny {
        /// Position of the statement.
        statement: usize,
    },
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAllow => f.write_str("no statement allows it"),
            Self::Deny { document, statement } => {
                write!(f, "an explicit deny (document {}, statement {}) matches", document + 1, statement + 1)
            }
            Self::OutsideBoundary => f.write_str("the permissions boundary forbids this: no statement of it allows it"),
            Self::BoundaryDeny { statement } => {
                write!(f, "the permissions boundary forbids this: an explicit deny (its statement {}) matches", statement + 1)
            }
        }
    }
}

/// What became of the calls; positions are those in the list of calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// How many calls are allowed under both readings, those covered word for word by the baseline included.
    pub allowed: usize,
    /// The calls that are denied under one reading at least, with the reason.
    pub denied: Vec<(usize, Denial)>,
    /// The calls that cannot be decided, with the context keys that are missing.
    pub undetermined: Vec<(usize, Vec<String>)>,
}

/// Evaluates every call against `new`. `baseline` is what the calls went through under; it only decides whether an
/// undetermined condition is covered, and may be empty.
#[must_use]
pub fn replay(new: &[Document], baseline: &[Document], calls: &[Call]) -> Replay {
    let of = |policies| InForce { policies, boundary: None };
    replay_within(of(new), of(baseline), calls)
}

/// As [`replay`], with a permissions boundary in force. What is undecided in it is covered by the boundary under which the calls
/// went through, or by their baseline.
#[must_use]
pub fn replay_within(new: InForce<'_>, before: InForce<'_>, calls: &[Call]) -> Replay {
    let limits = new.boundary.map(|boundary| Policies::new(std::iter::once(boundary), calls));
    let limits_before = Policies::new(before.boundary.into_iter(), calls);
    let (new, baseline) = (Policies::new(new.policies.iter(), calls), Policies::new(before.policies.iter(), calls));
    let decide = |call: &Call| match (judge(&new, &[&baseline], call), &limits) {
        (Outcome::Denied(denial), _) => Outcome::Denied(denial),
        (own, None) => own,
        (own, Some(limits)) => own.and(judge(limits, &[&limits_before, &baseline], call).of_boundary()),
    };
    let outcomes: Vec<Outcome> = calls.par_iter().map(decide).collect();
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
    Denied(Denial),
    Undetermined(BTreeSet<String>),
}

impl Outcome {
    /// Both have to allow it.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied(denial), _) | (_, Self::Denied(denial)) => Self::Denied(denial),
            (Self::Allowed, other) | (other, Self::Allowed) => other,
            (Self::Undetermined(keys), Self::Undetermined(more)) => Self::Undetermined(&keys | &more),
        }
    }

    /// The outcome of a boundary, which was judged as if it were a policy.
    fn of_boundary(self) -> Self {
        match self {
            Self::Denied(Denial::NoAllow) => Self::Denied(Denial::OutsideBoundary),
            Self::Denied(Denial::Deny { statement, .. }) => Self::Denied(Denial::BoundaryDeny { statement }),
            other => other,
        }
    }
}

/// Statements by the actions that occur in the calls, each with its document and position.
struct Policies<'a> {
    by_action: HashMap<&'a str, Vec<(usize, usize, &'a Statement)>>,
}

impl<'a> Policies<'a> {
    fn new(documents: impl Iterator<Item = &'a Document> + Clone, calls: &'a [Call]) -> Self {
        let nothing = Context::new();
        let actions: BTreeSet<&str> = calls.iter().map(|call| call.action.as_str()).collect();
        let matching = |action: &str| {
            let all = documents
                .clone()
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

fn judge(new: &Policies<'_>, before: &[&Policies<'_>], call: &Call) -> Outcome {
    // Whatever a pattern matches field by field it also matches with wildcards across colons, so most calls are decided
    // by one statement.
    let statements = || new.of(call).iter().map(|(_, _, statement)| statement);
    let sure = |s: &&&Statement| !s.segmented.negated && applies(s, call, ArnReading::Segmented) == Truth::Yes;
    if statements().all(|s| s.effect == Effect::Allow) && statements().any(|s| sure(&s)) {
        return Outcome::Allowed;
    }
    let mut missing = BTreeSet::new();
    for reading in [ArnReading::Whole, ArnReading::Segmented] {
        match judge_in(new, before, call, reading) {
            Outcome::Allowed => {}
            Outcome::Denied(reason) => return Outcome::Denied(reason),
            Outcome::Undetermined(keys) => missing.extend(keys),
        }
    }
    if missing.is_empty() { Outcome::Allowed } else { Outcome::Undetermined(missing) }
}

fn judge_in(new: &Policies<'_>, before: &[&Policies<'_>], call: &Call, reading: ArnReading) -> Outcome {
    let mut missing = BTreeSet::new();
    let (mut allowed, mut perhaps, mut doubtful) = (false, false, false);
    for (document, position, statement) in new.of(call) {
        match (statement.effect, applies(statement, call, reading)) {
            (_, Truth::No) => {}
            (Effect::Allow, Truth::Yes) => allowed = true,
            (Effect::Deny, Truth::Yes) => {
                return Outcome::Denied(Denial::Deny { document: *document, statement: *position });
            }
            (effect, Truth::Unknown) if before.iter().any(|b| is_covered(statement, effect, b, call, reading)) => {
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
        (false, false, _) => Outcome::Denied(Denial::NoAllow),
        _ => Outcome::Undetermined(missing),
    }
}

/// Whether the baseline, under which the call went through, settles an undecided statement.
///
/// An Allow: some Allow of the baseline that may match this call has all the undecided conditions word for word, and matches no
/// resource that the statement does not. A Deny: some Deny of the baseline that may match has no other undecided conditions, so it
/// would have stopped the call too; its resources have to be the same.
fn is_covered(statement: &Statement, effect: Effect, baseline: &Policies<'_>, call: &Call, reading: ArnReading) -> bool {
    let open =
        |s: &Statement| -> Vec<Test> { s.conditions.iter().filter(|t| test(t, call) == Truth::Unknown).cloned().collect() };
    let own = open(statement);
    let resource = statement.resource(reading);
    let same_place = |other: &Matcher| {
        matcher(resource, call) == Truth::Yes && matcher(other, call) == Truth::Yes
            || other == resource
            || effect == Effect::Allow && follows(other, resource, call)
    };
    baseline.of(call).iter().any(|(_, _, other)| {
        other.effect == effect
            && applies(other, call, reading) != Truth::No
            && same_place(other.resource(reading))
            && match effect {
                Effect::Allow => own.iter().all(|test| other.conditions.contains(test)),
                Effect::Deny => open(other).iter().all(|test| own.contains(test)),
            }
    })
}

/// Whether `new` matches the call's resource whenever `before` does, whatever the unknown variables stand for.
///
/// A list matches where one of its patterns does. The patterns of `before` that do not match even with a `*` for each unknown
/// variable did not let the call through; each other one, also one that matches for certain, may be the one that did. Where every
/// one of these stands word for word in `new`, the one that did matches there too. It would not be enough that what is undecided in
/// `new` stands in `before`: a second pattern of `before` may have matched instead. A `NotResource` is not a list of this kind.
fn follows(before: &Matcher, new: &Matcher, call: &Call) -> bool {
    let may_match = |own: &&Pattern| pattern(own, &call.resource, call) != Truth::No;
    !before.negated && !new.negated && before.patterns.iter().filter(may_match).all(|own| new.patterns.contains(own))
}
