//! What became of access between two sets of policies, action by action, decided by proof and never by comparing texts.
//!
//! Each action is asked about by itself: both sides are cut down to the statements that match it. Actions that the same
//! statements match are one question, so that `*` costs no more than the statements there are.

use std::collections::BTreeMap;

use super::document::{Document, Effect, Matcher, Version};
use super::pattern::{Context, Kind, Pattern};
use super::subset::{Budget, Counterexample, Verdict, within};

/// What became of access to some actions. What matters most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Something is allowed that was not, and nothing was lost as far as that is decided.
    Gained,
    /// Something is allowed that was not, and something else is no longer allowed.
    Exchanged,
    /// Neither could be shown.
    Undecided,
    /// Nothing of it is allowed any more.
    Gone,
    /// Less of it is allowed.
    Narrowed,
    /// The same requests are allowed.
    Unchanged,
}

/// Actions that share a fate, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What became of them.
    pub fate: Fate,
    /// The actions, in the order in which they were given.
    pub actions: Vec<String>,
    /// A request that is allowed now and was not, for the first action.
    pub gained: Option<Counterexample>,
    /// A request that was allowed and is not any more, for the first action.
    pub lost: Option<Counterexample>,
    /// What is undecided, and why; empty where everything is decided.
    pub doubt: String,
}

/// Compares what `old` and `new` allow, each side's documents together, for these actions. Actions that neither side
/// allows are left out. `budget` is for one proof.
#[must_use]
pub fn compare(old: &[Document], new: &[Document], actions: &[String], budget: &Budget) -> Vec<Change> {
    let mut questions: BTreeMap<Vec<bool>, Vec<String>> = BTreeMap::new();
    for action in actions {
        questions.entry(signature(old, new, action)).or_default().push(action.clone());
    }
    let mut changes: Vec<Change> = questions.into_values().filter_map(|actions| decide(old, new, actions, budget)).collect();
    changes.sort_by(|a, b| (a.fate, &a.actions).cmp(&(b.fate, &b.actions)));
    changes
}

/// Which statements match an action.
fn signature(old: &[Document], new: &[Document], action: &str) -> Vec<bool> {
    let context = Context::new();
    let statements = old.iter().chain(new).flat_map(|document| &document.statements);
    statements.map(|statement| statement.action.matches(action, &context)).collect()
}

fn decide(old: &[Document], new: &[Document], actions: Vec<String>, budget: &Budget) -> Option<Change> {
    let first = actions.first()?;
    let (old, new) = (about(old, first), about(new, first));
    let (before, after) = (allows(&old), allows(&new));
    if !before && !after {
        return None;
    }
    let (gained, lost) = (within(&new, &old, budget), within(&old, &new, budget));
    let change = |fate, gained, lost| Change { fate, actions, gained, lost, doubt: String::new() };
    Some(match (gained, lost) {
        (Verdict::NotProved(gained), Verdict::NotProved(lost)) => change(Fate::Exchanged, Some(gained), Some(lost)),
        (Verdict::NotProved(gained), Verdict::Refused(doubt)) => {
            let doubt = format!("whether something is lost as well is not decided: {doubt}");
            Change { doubt, ..change(Fate::Gained, Some(gained), None) }
        }
        (Verdict::NotProved(gained), Verdict::Proved) => change(Fate::Gained, Some(gained), None),
        (Verdict::Refused(doubt), lost) => {
            let lost = if let Verdict::NotProved(lost) = lost { Some(lost) } else { None };
            Change { doubt, ..change(Fate::Undecided, None, lost) }
        }
        (Verdict::Proved, Verdict::Refused(doubt)) => Change { doubt, ..change(Fate::Undecided, None, None) },
        (Verdict::Proved, Verdict::Proved) if !before || !after => return None,
        (Verdict::Proved, Verdict::Proved) => change(Fate::Unchanged, None, None),
        (Verdict::Proved, Verdict::NotProved(lost)) => {
            let nothing = within(&new, &[], budget) == Verdict::Proved;
            change(if nothing { Fate::Gone } else { Fate::Narrowed }, None, Some(lost))
        }
    })
}

/// The documents with the statements that match an action, for that action alone.
fn about(documents: &[Document], action: &str) -> Vec<Document> {
    let context = Context::new();
    let Ok(exact) = Pattern::parse(action, Kind::Action, Version::V2012) else { return Vec::new() };
    let cut = |document: &Document| {
        let matching = document.statements.iter().filter(|statement| statement.action.matches(action, &context));
        let own = || Matcher { negated: false, patterns: vec![exact.clone()] };
        let statements = matching.map(|statement| super::document::Statement { action: own(), ..statement.clone() });
        Document { version: document.version, statements: statements.collect() }
    };
    documents.iter().map(cut).collect()
}

fn allows(documents: &[Document]) -> bool {
    documents.iter().flat_map(|document| &document.statements).any(|statement| statement.effect == Effect::Allow)
}
