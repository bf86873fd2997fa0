//! What the statements of a side say of an action: on which resources, under which conditions.
//!
//! This is read from the text of the statements and shown beside the prover's answer; it decides nothing.

use serde::Serialize;

use super::meaning::Side;
use crate::iam::{Action, ActionSpec, Effect, Pattern, ResourceSpec, Statement};

/// What one statement says of an action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Says {
    /// Whether it forbids.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub denies: bool,
    /// Whether it speaks of all resources but these.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all_but: bool,
    /// The resources as they are written.
    pub resources: Vec<String>,
    /// The conditions, each as key, operator and values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}

impl Says {
    /// Whether it allows every resource without a condition.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        !self.denies && !self.all_but && self.conditions.is_empty() && self.resources.iter().any(|r| r == "*")
    }
}

/// What the statements of a side that name an action say of it, each thing once.
#[must_use]
pub fn says(side: &Side, action: &str) -> Vec<Says> {
    let Some(action) = Action::parse(action) else { return Vec::new() };
    let statements = side.policies.iter().flat_map(|policy| &policy.statements);
    let mut said: Vec<Says> = statements.filter(|statement| names(&statement.actions, &action)).map(of).collect();
    said.sort();
    said.dedup();
    said
}

fn names(actions: &ActionSpec, action: &Action) -> bool {
    let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches_action(action));
    match actions {
        ActionSpec::Only(patterns) => any(patterns),
        ActionSpec::AllBut(patterns) => !any(patterns),
    }
}

fn of(statement: &Statement) -> Says {
    let (all_but, resources) = match &statement.resources {
        ResourceSpec::Only(patterns) => (false, patterns),
        ResourceSpec::AllBut(patterns) => (true, patterns),
    };
    let test = |(operator, key, values): (&str, &str, &[String])| format!("{key} {operator} {}", values.join(" or "));
    Says {
        denies: statement.effect == Effect::Deny,
        all_but,
        resources: resources.iter().map(ToString::to_string).collect(),
        conditions: statement.conditions.iter().map(test).collect(),
    }
}
