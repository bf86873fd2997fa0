//! What a change of policies means: access gained, gone, narrowed, by action, decided by the prover.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::Catalog;
use crate::iam::{Action, ActionSpec, Pattern, Policy};
use crate::prove::compare::{Change, Fate, compare};
use crate::prove::document::{Document, Effect};
use crate::prove::evaluate::{ArnReading, Decision, Value, evaluate};
use crate::prove::proof::Answer;
use crate::prove::subset::{Budget, Counterexample, Verdict, within};

/// The version of the JSON form.
pub const SCHEMA: u32 = 1;

/// Stands for the actions of a pattern that AWS may add tomorrow.
const TO_COME: &str = "AnActionToCome";

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
    /// Which of activity, facts and tool changed, as far as certificates beside the policies say so.
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
    /// A request that is allowed now and was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gained: Option<Shown>,
    /// A request that was allowed and is not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Shown>,
    /// Why it is undecided; empty otherwise.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub doubt: String,
}

impl Row {
    fn unknown(fate: Fate, arn: &str) -> Self {
        Self {
            fate: word(fate),
            level: String::new(),
            risk: String::new(),
            actions: vec![format!("whatever {arn} grants")],
            gained: None,
            lost: None,
            doubt: "its document is not known here".to_owned(),
        }
    }
}

/// A request that tells the two sides apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Shown {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// The context keys that are present.
    pub context: BTreeMap<String, Vec<String>>,
    /// The statement that allows it, on the side that does: its `Sid`, or its position from 1.
    pub statement: String,
}

/// How much is granted, before and after. An action counts where some statement allows it at all.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Size {
    /// How many actions the Service Authorization Reference knows.
    pub known: usize,
    /// How many of them are granted.
    pub actions: [usize; 2],
    /// How many of these are granted on every resource: by a statement whose Resource is `*`.
    pub everywhere: [usize; 2],
    /// How many are granted, by access level.
    pub levels: BTreeMap<String, [usize; 2]>,
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
            size: size([old, new], catalog),
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
                to_come.insert(format!("aservicetocome:{TO_COME}"));
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
        groups.entry((rank, level, risk)).or_default().push(name.replace(TO_COME, "… (to come)"));
    }
    let row = |((rank, level, risk), actions): ((usize, String, String), Vec<String>)| {
        let row = Row {
            fate: word(change.fate),
            level,
            risk,
            gained: change.gained.as_ref().map(|found| shown(found, &new.documents, &actions)),
            lost: change.lost.as_ref().map(|found| shown(found, &old.documents, &actions)),
            doubt: change.doubt.clone(),
            actions,
        };
        (rank, row)
    };
    groups.into_iter().map(row).collect()
}

/// The request for the first action of the row: the same statements match all of them.
fn shown(found: &Counterexample, documents: &[Document], actions: &[String]) -> Shown {
    let mut request = found.request.clone();
    let action = actions.first().filter(|action| !action.contains("(to come)"));
    let action = action.cloned().unwrap_or_else(|| found.request.action.clone());
    request.action.clone_from(&action);
    let statement = match evaluate(documents, &request, found.reading) {
        Decision::Allowed { document, statement } => name_of(documents, document, statement),
        _ => String::new(),
    };
    let values = |value: Value| match value {
        Value::One(one) => vec![one],
        Value::Many(many) => many,
    };
    let context = request.context.into_iter().map(|(key, value)| (key, values(value))).collect();
    Shown { action, resource: request.resource, context, statement }
}

fn name_of(documents: &[Document], document: usize, statement: usize) -> String {
    let sid = documents.get(document).and_then(|d| d.statements.get(statement)).and_then(|s| s.sid.clone());
    sid.filter(|sid| !sid.is_empty()).unwrap_or_else(|| format!("statement {}", statement + 1))
}

fn size(sides: [&Side; 2], catalog: &Catalog) -> Size {
    let all = catalog.reference.expand(&Pattern::any());
    let mut size = Size { known: all.len(), ..Size::default() };
    let nothing = BTreeMap::new();
    for action in &all {
        let name = action.to_string();
        for (side, at) in sides.iter().zip(0..) {
            let allows = || side.documents.iter().flat_map(|d| &d.statements).filter(|s| s.effect == Effect::Allow);
            let matching: Vec<_> = allows().filter(|s| s.action.matches(&name, &nothing)).collect();
            let slot = |counts: &mut [usize; 2]| {
                if let Some(count) = counts.get_mut::<usize>(at) {
                    *count += 1;
                }
            };
            if matching.is_empty() {
                continue;
            }
            slot(&mut size.actions);
            let level = catalog.reference.action(action).map(|facts| facts.level.clone()).unwrap_or_default();
            slot(size.levels.entry(level).or_default());
            if matching.iter().any(|s| s.resource(ArnReading::Segmented).matches("\u{0}", &nothing)) {
                slot(&mut size.everywhere);
            }
        }
    }
    size
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
