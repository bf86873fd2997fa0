//! Demand: what the calls that count needed.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::Scoped;
use super::{Because, Need};
use crate::catalog::Catalog;
use crate::iam::{Action, Pattern};

/// One need for each action and resource, with the evidence of every use folded.
///
/// INVARIANT (demand-monotone): a further use adds a need or adds evidence to one, and takes nothing away.
#[must_use]
pub fn demand(scoped: &Scoped<'_>, catalog: &Catalog) -> Vec<Need> {
    let mut needs: BTreeMap<(Action, Pattern), Need> = BTreeMap::new();
    for (used, evidence) in &scoped.uses {
        let action = catalog.canonical(&used.action);
        let need = needs.entry((action.clone(), used.resource.clone())).or_insert_with(|| Need {
            action,
            resource: used.resource.clone(),
            regions: BTreeSet::new(),
            context: BTreeMap::new(),
            because: BTreeSet::from([Because::Seen]),
            evidence: None,
        });
        need.regions.insert(used.region.clone());
        let first = need.evidence.is_none();
        // A key narrows only if every call carried it.
        need.context.retain(|key, _| used.context.contains_key(key));
        for (key, value) in &used.context {
            if first || need.context.contains_key(key) {
                need.context.entry(key.clone()).or_default().insert(value.clone());
            }
        }
        match &mut need.evidence {
            Some(all) => all.merge((*evidence).clone()),
            slot => *slot = Some((*evidence).clone()),
        }
    }
    needs.into_values().collect()
}
