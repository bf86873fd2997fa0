//! Stand-in.

use std::collections::BTreeMap;

use super::record::Record;
use crate::catalog::Catalog;
use crate::iam::{Action, Pattern};
use crate::ledger::Outcome;

/// Stand-in.
#[derive(Debug)]
pub struct Need {
    /// Action.
    pub action: Action,
    /// Resource.
    pub resource: Pattern,
    /// Known.
    pub resource_known: bool,
    /// Context.
    pub context: BTreeMap<String, String>,
}

/// Stand-in.
#[derive(Debug)]
pub enum Note {
    /// Mapped.
    Mapped,
    /// None.
    NoPermissionNeeded(String),
    /// Unmapped.
    Unmapped,
}

/// Stand-in.
#[derive(Debug)]
pub struct Calls {
    /// Needs.
    pub needs: Vec<Need>,
    /// Note.
    pub note: Note,
}

/// Stand-in.
#[must_use]
pub fn calls(record: &Record, _: &Catalog) -> Calls {
    let service = record.event_source.split('.').next().unwrap_or_default();
    let Some(action) = Action::of(service, &record.event_name) else { return Calls { needs: vec![], note: Note::Unmapped } };
    let arns = record.resources.iter().filter_map(|r| r.arn.as_deref());
    let mut needs: Vec<Need> = arns
        .map(|arn| Need {
            action: action.clone(),
            resource: Pattern::literal(arn),
            resource_known: true,
            context: BTreeMap::new(),
        })
        .collect();
    if needs.is_empty() {
        needs.push(Need { action, resource: Pattern::any(), resource_known: false, context: BTreeMap::new() });
    }
    Calls { needs, note: Note::Mapped }
}

/// Stand-in.
#[must_use]
pub fn outcome(record: &Record, _: &Catalog) -> Outcome {
    match &record.error_code {
        None => Outcome::Succeeded,
        Some(code) if code.contains("Denied") || code.contains("Unauthorized") => Outcome::Denied(code.clone()),
        Some(code) => Outcome::Failed(code.clone()),
    }
}
