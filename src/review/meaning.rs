//! What a change of policies means: access gained, gone, narrowed, by action, decided by the prover.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::granted::{Says, says};
use super::measured::Size;
use super::witness::{Shown, shown};
use crate::catalog::Catalog;
use crate::iam::{Action, ActionSpec, Pattern, Policy};
use crate::prove::compare::{Change, Fate, compare};
use crate::prove::document::Document;
use crate::prove::proof::Answer;
use crate::prove::subset::{Budget, Counterexample, Verdict, within};

/// The version of the JSON form.
pub const SCHEMA: u32 = 1;

/// Stands for the actions of a pattern that AWS may add tomorrow.
const TO_COME: &str = "AnActionToCome";

/// How that is shown.
const TO_COME_SHOWN: &str = "… (to come)";

/// Stands for the services that AWS may add tomorrow.
const SERVICE_TO_COME: &str = "aservicetocome";

/// An action that stands for those to come, as people read it.
fn readable(action: &str) -> String {
    action.replace(SERVICE_TO_COME, "*").replace(TO_COME, TO_COME_SHOWN)
}

/// One side: what it is called, and its policies, all together.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// What it is called.
    pub name: String,
    /// The policies as the compiler reads them.
    pub policies: Vec<Policy>,
    /// The same policies as the prover reads them.
    pub documents: Vec<Document>,
    /// Attached policies whose documents are not known, by ARN.
    pub unknown: BTreeSet<String>,
}

/// What became of access.
#[derive(Debug, Clone, Serialize)]
pub struct Meaning {
    /// The version of this format.
    pub schema: u32,
    /// What the old side is called.
    pub old: String,
    /// What the new side is called.
    pub new: String,
    /// Is everything that the new side allows allowed by the old one? Decided as a whole, for any action.
    pub nothing_gained: Answer,
    /// Why that is refused; empty otherwise.
    pub reason: String,
    /// What changed, what matters most first.
    pub changes: Vec<Row>,
    /// How much is granted.
    pub size: Size,
    /// Why access changed: the activity, the settings, the facts or the tool, as far as that is known.
    pub causes: Vec<String>,
}

/// Actions of one service and access level that share a fate.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `gained`, `exchanged`, `undecided`, `gone`, `narrowed` or `unchanged`.
    pub fate: &'static str,
    /// The access level: `Permissions management`, `Write`, `Tagging`, `Read`, `List`, or empty where it is not known.
    pub level: String,
    /// Why a reviewer should look at it first; empty otherwise.
    pub risk: String,
    /// The actions.
    pub actions: Vec<String>,
    /// What is behind it, where that was told apart: a clause for each cause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// What the old side's statements say of the first action.
    pub before: Vec<Says>,
    /// What the new side's statements say of it.
    pub now: Vec<Says>,
    /// A request that is allowed now and was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gained: Option<Shown>,
    /// A request that was allowed and is not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Shown>,
    /// What is undecided, and why; empty where everything is decided.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doubt: String,
}

impl Row {
    /// The row for some of its actions; what is shown of one is as true of another.
    #[must_use]
    pub fn of(&self, actions: Vec<String>) -> Self {
        let first = actions.first().cloned().unwrap_or_default();
        let shown = |shown: &Shown| match actions.contains(&shown.action) {
            true => shown.clone(),
            false => Shown { action: first.clone(), ..shown.clone() },
        };
        let (gained, lost) = (self.gained.as_ref().map(shown), self.lost.as_ref().map(shown));
        Self { gained, lost, actions, ..self.clone() }
    }

    fn unknown(fate: Fate, arn: &str) -> Self {
        Self {
            fate: word(fate),
            level: String::new(),
            risk: String::new(),
            actions: vec![format!("whatever {arn} grants")],
            because: Vec::new(),
            before: Vec::new(),
            now: Vec::new(),
            gained: None,
            lost: None,
            doubt: "its document is not known here".to_owned(),
        }
    }
}

impl Meaning {
    /// Compares two sides. `causes` is passed through.
    #[must_use]
    pub fn of(old: &Side, new: &Side, catalog: &Catalog, causes: Vec<String>) -> Self {
        let budget = Budget::default();
        let verdict = within(&new.documents, &old.documents, &budget);
        let mut names = actions([old, new], catalog);
        if let Verdict::NotProved(found) = &verdict
            && !names.iter().any(|name| name.eq_ignore_ascii_case(&found.request.action))
        {
            names.push(found.request.action.clone());
        }
        let changes = compare(&old.documents, &new.documents, &names, &budget);
        let mut rows: Vec<(usize, Row)> = changes.iter().flat_map(|change| rows(change, old, new, catalog)).collect();
        rows.extend(new.unknown.difference(&old.unknown).map(|arn| (0, Row::unknown(Fate::Undecided, arn))));
        rows.extend(old.unknown.difference(&new.unknown).map(|arn| (0, Row::unknown(Fate::Gone, arn))));
        rows.sort_by_key(|(rank, row)| (order(row.fate), *rank, std::cmp::Reverse(weight(&row.level)), row.actions.clone()));
        let (nothing_gained, reason) = match verdict {
            Verdict::Proved => (Answer::Proved, String::new()),
            Verdict::NotProved(_) => (Answer::NotProved, String::new()),
            Verdict::Refused(reason) => (Answer::Refused, reason),
        };
        Self {
            schema: SCHEMA,
            old: old.name.clone(),
            new: new.name.clone(),
            nothing_gained,
            reason,
            changes: rows.into_iter().map(|(_, row)| row).collect(),
            size: Size::of([old, new], catalog),
            causes,
        }
    }

    /// Whether nothing is gained, and that is proved for the whole and for each action.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        let settled = |row: &Row| order(row.fate) > order("undecided");
        self.nothing_gained == Answer::Proved && self.changes.iter().all(settled)
    }
}

/// The actions to ask about: all known ones that a pattern names, those named literally, and one to come per pattern.
fn actions(sides: [&Side; 2], catalog: &Catalog) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut to_come = BTreeSet::new();
    for statement in sides.iter().flat_map(|side| &side.policies).flat_map(|policy| &policy.statements) {
        let patterns = match &statement.actions {
            ActionSpec::Only(patterns) => patterns.clone(),
            ActionSpec::AllBut(patterns) => patterns.iter().cloned().chain([Pattern::any()]).collect(),
        };
        for pattern in patterns {
            names.extend(catalog.reference.expand(&pattern).iter().map(ToString::to_string));
            let text = pattern.to_string();
            if text == "*" {
                to_come.insert(format!("{SERVICE_TO_COME}:{TO_COME}"));
            } else if text.contains(['*', '?']) {
                to_come.insert(text.replace('*', TO_COME).replace('?', "X"));
            } else if let Some(action) = Action::parse(&text) {
                names.insert(catalog.canonical(&action).to_string());
            }
        }
    }
    names.into_iter().chain(to_come).collect()
}

fn rows(change: &Change, old: &Side, new: &Side, catalog: &Catalog) -> Vec<(usize, Row)> {
    let mut groups: BTreeMap<(usize, String, String), Vec<String>> = BTreeMap::new();
    for name in &change.actions {
        let action = Action::parse(name);
        let facts = action.as_ref().and_then(|action| catalog.reference.action(action));
        let level = facts.map(|facts| facts.level.clone()).unwrap_or_default();
        let risk = action.as_ref().and_then(|action| catalog.risks.of(action));
        let (rank, risk) = risk.map_or((usize::MAX, String::new()), |(rank, risk)| (rank, risk.to_owned()));
        groups.entry((rank, level, risk)).or_default().push(readable(name));
    }
    let row = |((rank, level, risk), actions): ((usize, String, String), Vec<String>)| {
        let named = |shown: Shown| Shown { action: readable(&shown.action), ..shown };
        let to_come = |name: &&String| !name.contains(TO_COME_SHOWN);
        // The same statements match all actions of a row, so that a request for one is a request for another.
        let asked = |found: &Counterexample| actions.first().filter(to_come).unwrap_or(&found.request.action).clone();
        let first = change.actions.first().map_or("", String::as_str);
        let row = Row {
            fate: word(change.fate),
            level,
            risk,
            because: Vec::new(),
            before: says(old, first),
            now: says(new, first),
            gained: change.gained.as_ref().map(|found| named(shown(found, &asked(found), new, old, catalog))),
            lost: change.lost.as_ref().map(|found| named(shown(found, &asked(found), old, new, catalog))),
            doubt: change.doubt.clone(),
            actions,
        };
        (rank, row)
    };
    groups.into_iter().map(row).collect()
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Gained => "gained",
        Fate::Exchanged => "exchanged",
        Fate::Undecided => "undecided",
        Fate::Gone => "gone",
        Fate::Narrowed => "narrowed",
        Fate::Unchanged => "unchanged",
    }
}

fn order(fate: &str) -> usize {
    ["gained", "exchanged", "undecided", "gone", "narrowed", "unchanged"].iter().position(|own| *own == fate).unwrap_or(0)
}

/// How much an access level matters to a reviewer.
fn weight(level: &str) -> usize {
    ["", "List", "Read", "Tagging", "Write", "Permissions management"].iter().position(|own| *own == level).unwrap_or(0)
}
