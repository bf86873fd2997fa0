//! The verdict on each action of the baseline, for each resource scope that matters.

use std::collections::{BTreeMap, BTreeSet};

use super::cap::{self, CappedNeed};
use super::{Because, Grant, Question};
use crate::catalog::Catalog;
use crate::catalog::coverage::Visibility;
use crate::finding::{Code, Finding};
use crate::iam::{Action, ActionSpec, Effect, Pattern, Policy};
use crate::ledger::{Coverage, Evidence};

/// What is decided about an action, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Seen, and it passed authorisation.
    Used,
    /// A feature needs it; CloudTrail cannot show it.
    Floor,
    /// The source could not have shown it, and no feature in evidence needs it.
    Blind,
    /// The source would have shown it, and did not.
    Unseen,
}

/// One resource of an action in the result.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ScopeVerdict {
    /// The resource pattern.
    pub resource: Pattern,
    /// `used` or `floor`.
    pub verdict: Verdict,
    /// How general the pattern is.
    pub rung: super::Rung,
    /// Why it is there.
    pub because: Vec<String>,
}

/// The verdict on an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionVerdict {
    /// The action.
    pub action: Action,
    /// The headline: the strongest verdict of its scopes.
    pub verdict: Verdict,
    /// Whether the source could have shown it.
    pub visible: bool,
    /// What is granted.
    pub scopes: Vec<ScopeVerdict>,
    /// Why, in a sentence.
    pub because: String,
    /// What was seen of it.
    pub evidence: Option<Evidence>,
}

impl ActionVerdict {
    /// Whether the result grants the action at all.
    #[must_use]
    pub fn granted(&self) -> bool {
        !self.scopes.is_empty()
    }
}

/// Actions beyond this many are not listed one by one: a baseline of `*` names more than twenty thousand.
const MOST: usize = 2_000;

/// Judges every action that the baseline names today.
#[must_use]
pub fn verdicts(
    question: &Question,
    coverage: &Coverage,
    needs: &[CappedNeed],
    grants: &[Grant],
    catalog: &Catalog,
) -> Vec<ActionVerdict> {
    let mut by_action: BTreeMap<&Action, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        by_action.entry(&grant.action).or_default().push(grant);
    }
    let mut actions: BTreeSet<Action> = by_action.keys().map(|a| (*a).clone()).collect();
    let named = baseline_actions(question, catalog);
    if named.len() <= MOST {
        actions.extend(named);
    }
    actions
        .into_iter()
        .map(|action| judge(&action, by_action.get(&action).map_or(&[][..], Vec::as_slice), needs, coverage, catalog))
        .collect()
}

/// How many actions the baseline names today.
#[must_use]
pub fn baseline_actions(question: &Question, catalog: &Catalog) -> BTreeSet<Action> {
    actions_named(&question.baseline.policy, catalog)
}

/// The actions that a policy's allowing statements name today.
#[must_use]
pub fn actions_named(policy: &Policy, catalog: &Catalog) -> BTreeSet<Action> {
    let mut actions = BTreeSet::new();
    for statement in policy.statements.iter().filter(|s| s.effect == Effect::Allow) {
        match &statement.actions {
            ActionSpec::Only(patterns) => actions.extend(patterns.iter().flat_map(|p| catalog.reference.expand(p))),
            ActionSpec::AllBut(_) => actions
                .extend(catalog.reference.expand(&Pattern::any()).into_iter().filter(|a| cap::names(&statement.actions, a))),
        }
    }
    actions
}

fn judge(action: &Action, grants: &[&Grant], needs: &[CappedNeed], coverage: &Coverage, catalog: &Catalog) -> ActionVerdict {
    let visible = catalog.visible(action, coverage);
    let mut evidence: Option<Evidence> = None;
    let mut scopes: Vec<ScopeVerdict> = Vec::new();
    for grant in grants {
        let answered: Vec<&CappedNeed> = grant.needs.iter().filter_map(|i| needs.get(*i)).collect();
        let seen = answered.iter().any(|c| c.need.evidence.is_some());
        for found in answered.iter().filter_map(|c| c.need.evidence.clone()) {
            match &mut evidence {
                Some(all) => all.merge(found),
                slot => *slot = Some(found),
            }
        }
        let because: BTreeSet<String> = answered.iter().flat_map(|c| &c.need.because).filter_map(reason).collect();
        scopes.push(ScopeVerdict {
            resource: grant.resource.clone(),
            verdict: if seen { Verdict::Used } else { Verdict::Floor },
            rung: grant.rung,
            because: because.into_iter().collect(),
        });
    }
    scopes.sort_by(|a, b| (&a.resource, a.verdict).cmp(&(&b.resource, b.verdict)));
    scopes.dedup();
    let verdict = scopes.iter().map(|s| s.verdict).min().unwrap_or(if visible { Verdict::Unseen } else { Verdict::Blind });
    let because = match verdict {
        Verdict::Blind => unseeable(action, coverage, catalog),
        _ => sentence(verdict, evidence.as_ref(), &scopes),
    };
    ActionVerdict { action: action.clone(), verdict, visible, scopes, because, evidence }
}

fn reason(because: &Because) -> Option<String> {
    match because {
        Because::Seen => None,
        Because::Feature { feature, why, .. } => Some(format!("{feature}: {why}")),
    }
}

const UNSEEABLE: &str = "the source could not have shown it, and no feature in use needs it";

/// Why an action is blind. What is shown in part, of resources or of days, is not evidence for the rest.
fn unseeable(action: &Action, coverage: &Coverage, catalog: &Catalog) -> String {
    let Visibility::Data { kind, .. } = catalog.visibility(action) else { return UNSEEABLE.to_owned() };
    match (coverage.partly.get(&kind), coverage.sometimes.get(&kind)) {
        (Some(places), _) => {
            let places = places.iter().map(|place| format!("{place}…")).collect::<Vec<_>>().join(", ");
            format!("the source shows it on {places} only, where it was not seen, and no feature in use needs it elsewhere")
        }
        (None, Some(days)) => format!("the source shows it from {days} only, and no feature in use needs it"),
        (None, None) => UNSEEABLE.to_owned(),
    }
}

fn sentence(verdict: Verdict, evidence: Option<&Evidence>, scopes: &[ScopeVerdict]) -> String {
    match (verdict, evidence) {
        (Verdict::Used, Some(e)) if e.calls() == 1 => format!("called once, on {}", day(&e.first)),
        (Verdict::Used, Some(e)) => format!("called {} times from {} to {}", e.calls(), day(&e.first), day(&e.last)),
        (Verdict::Used, None) => "called".to_owned(),
        (Verdict::Floor, _) => {
            let reasons: BTreeSet<&str> = scopes.iter().flat_map(|s| &s.because).map(String::as_str).collect();
            reasons.into_iter().collect::<Vec<_>>().join("; ")
        }
        (Verdict::Blind, _) => UNSEEABLE.to_owned(),
        (Verdict::Unseen, _) => "the source would have shown it, and did not".to_owned(),
    }
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}

/// One finding for all blind actions.
#[must_use]
pub fn blind_finding(verdicts: &[ActionVerdict]) -> Option<Finding> {
    let blind: Vec<String> = verdicts.iter().filter(|v| v.verdict == Verdict::Blind).map(|v| v.action.to_string()).collect();
    if blind.is_empty() {
        return None;
    }
    let some =
        if blind.len() > 12 { format!("{}, …", blind.get(..12).unwrap_or_default().join(", ")) } else { blind.join(", ") };
    let message = format!("{} action(s) of the baseline cannot be seen in this source and were not granted: {some}", blind.len());
    Some(
        Finding::new(Code::BlindActions, message)
            .advise("turn on data events for them in the trail, or declare the feature that uses them with `--need`"),
    )
}
