//! Both halves of the promise about finished documents: nothing beyond the baseline, nothing observed lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Document, DocumentError, is_nothing, reader};
use super::evaluate::{ArnReading, Value};
use super::limits::Limits;
use super::replay::{Call, replay};
use super::subset::{self, Budget, Counterexample, within};

/// An answer of the prover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Answer {
    /// It holds for every request.
    #[serde(rename = "proved")]
    Proved,
    /// There is a counterexample.
    #[serde(rename = "not proved")]
    NotProved,
    /// Neither could be shown. Never counts as proved.
    #[default]
    #[serde(rename = "refused")]
    Refused,
}

impl Answer {
    /// The word that reports and certificates carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::NotProved => "not proved",
            Self::Refused => "refused",
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was proved about a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Is every request that the policies allow allowed by the baseline?
    pub within_baseline: Answer,
    /// What the prover adds: a counterexample in a sentence, or why it refused. Empty when proved.
    pub reason: String,
    /// The request that the policies allow and the baseline does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterexample: Option<Witness>,
    /// Whether every observed call of the baseline is still allowed.
    pub covers_observed: Covers,
}

impl Proof {
    /// Whether both halves hold.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.within_baseline == Answer::Proved && self.covers_observed.verdict == Answer::Proved
    }

    fn refused(reason: String) -> Self {
        Self { reason, ..Self::default() }
    }
}

/// The replay of the observed calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Covers {
    /// `proved` when no call is lost and none is undetermined; `not proved` when one is lost.
    pub verdict: Answer,
    /// How many distinct calls were replayed.
    pub calls: usize,
    /// Those that the policies would deny.
    pub denied: Vec<String>,
    /// How many cannot be told, because CloudTrail lacks a condition key that the baseline does not test in the same words.
    pub undetermined: usize,
    /// Those of the observed calls that the permissions boundary, or a Deny of a policy that is kept, forbids: under the policies as
    /// under the baseline, so they are no loss.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<String>,
}

/// A request that gets through the policies and not through the baseline, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The action, in lower case: the prover knows no other spelling.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// The context keys that are present.
    pub context: BTreeMap<String, Vec<String>>,
    /// Which reading of `*` in an ARN lets it through.
    pub reading: &'static str,
    /// Which of the new documents allows it, from 1.
    pub document: usize,
    /// Which of its statements, from 1.
    pub statement: usize,
    /// That statement's `Sid`; empty where it has none.
    pub sid: String,
}

impl Witness {
    fn of(found: Counterexample, documents: &[Document]) -> Self {
        let values = |value: Value| match value {
            Value::One(one) => vec![one],
            Value::Many(many) => many,
        };
        let statement = documents.get(found.document).and_then(|d| d.statements.get(found.statement));
        Self {
            action: found.request.action,
            resource: found.request.resource,
            context: found.request.context.into_iter().map(|(key, value)| (key, values(value))).collect(),
            reading: match found.reading {
                ArnReading::Whole => "`*` reaches across the colons of an ARN",
                ArnReading::Segmented => "`*` stays within its field of an ARN",
            },
            document: found.document + 1,
            statement: found.statement + 1,
            sid: statement.and_then(|s| s.sid.clone()).unwrap_or_default(),
        }
    }
}

/// Documents as bytes, which is how they are attached: the reader is part of what is checked.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The policies that are asked about.
    pub policies: &'a [&'a [u8]],
    /// Policies that stay attached beside them; they are on both sides.
    pub kept: &'a [&'a [u8]],
    /// The permissions boundary that limits them all; it is on both sides.
    pub boundary: Option<&'a [u8]>,
}

/// Proves that `new` allows nothing beyond `baseline`, and that it allows each of the calls that `baseline` allows.
///
/// Policies that are kept stay in force on both sides: their Deny statements too. So does the permissions boundary, and because it
/// takes from both sides alike, both halves are shown without its help, which says more: they hold under any boundary. A new policy without any statement is
/// none that IAM accepts; it stands for attaching nothing. Endpoint policies, which name a principal, are compared with each
/// other; see [`super::endpoint`].
#[must_use]
pub fn prove(new: Side<'_>, baseline: &[&[u8]], calls: &[Call], budget: &Budget) -> Proof {
    let reader = reader(new.policies.iter().chain(baseline).copied());
    let read = |bytes: &[&[u8]], what: &str| -> Result<Vec<Document>, String> {
        let one = |bytes: &&[u8]| reader(bytes).map_err(|e: DocumentError| format!("{what}: {e}"));
        bytes.iter().map(one).collect()
    };
    let some: Vec<&[u8]> = new.policies.iter().copied().filter(|bytes| !is_nothing(bytes)).collect();
    let sides = || Ok((read(&some, "the policy")?, read(baseline, "the baseline")?, read(new.kept, "a kept policy")?));
    let (own, baseline, kept) = match sides() {
        Ok(sides) => sides,
        Err(reason) => return Proof::refused(reason),
    };
    let together = |documents: &[Document]| -> Vec<Document> { documents.iter().chain(&kept).cloned().collect() };
    let mut verdict = within(&own, &baseline, budget);
    if verdict == subset::Verdict::Proved && !kept.is_empty() {
        verdict = within(&together(&own), &together(&baseline), budget);
    }
    let (within_baseline, reason, counterexample) = match verdict {
        subset::Verdict::Proved => (Answer::Proved, String::new(), None),
        subset::Verdict::NotProved(found) => {
            let witness = Witness::of(found, &together(&own));
            let reason = format!("it allows {} on {}, the baseline does not", witness.action, witness.resource);
            (Answer::NotProved, reason, Some(witness))
        }
        subset::Verdict::Refused(why) => (Answer::Refused, why, None),
    };
    let limited = new.boundary.is_some() || !new.kept.is_empty();
    let forbidden = Limits::read(new.kept, new.boundary).and_then(|l| if limited { l.forbidden(calls) } else { Ok(Vec::new()) });
    let forbidden = match forbidden {
        Ok(forbidden) => forbidden,
        Err(error) => return Proof::refused(format!("the permissions boundary: {error}")),
    };
    let name = |n: usize| calls.get(n).map_or("", |call| call.label.as_str());
    let covers_observed = Covers {
        forbidden: forbidden.iter().map(|(n, why)| format!("{} ({why})", name(*n))).collect(),
        ..covers(&together(&own), &together(&baseline), calls)
    };
    Proof { within_baseline, reason, counterexample, covers_observed }
}

/// Replays every observed call that the baseline allows.
fn covers(new: &[Document], baseline: &[Document], calls: &[Call]) -> Covers {
    let before = replay(baseline, baseline, calls);
    let mut outside = before.denied.iter().map(|(n, _)| *n).peekable();
    let inside: Vec<Call> =
        calls.iter().enumerate().filter(|(n, _)| outside.next_if_eq(n).is_none()).map(|(_, call)| call.clone()).collect();
    let after = replay(new, baseline, &inside);
    let name = |n: usize| inside.get(n).map_or("", |call| call.label.as_str());
    Covers {
        verdict: match (after.denied.is_empty(), after.undetermined.is_empty()) {
            (false, _) => Answer::NotProved,
            (true, false) => Answer::Refused,
            (true, true) => Answer::Proved,
        },
        calls: inside.len(),
        denied: after.denied.iter().map(|(n, why)| format!("{} ({why})", name(*n))).collect(),
        undetermined: after.undetermined.len(),
        forbidden: Vec::new(),
    }
}
