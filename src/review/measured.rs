//! How much is granted, before and after, in numbers that mean something.

use std::collections::BTreeMap;

use serde::Serialize;

use super::meaning::Side;
use crate::catalog::Catalog;
use crate::iam::{Action, Pattern};
use crate::prove::document::{Effect, Statement};
use crate::prove::evaluate::ArnReading;

/// How much is granted, before and after. An action counts where some statement allows it at all.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Size {
    /// How many actions the Service Authorization Reference knows.
    pub known: usize,
    /// How many of them are granted.
    pub actions: [usize; 2],
    /// How many of these are granted on every resource: by a statement whose Resource is `*`.
    pub everywhere: [usize; 2],
    /// How many of these need not be: the action has resource types, so IAM could limit it to some resources.
    pub limitable: [usize; 2],
    /// How many are granted, by access level.
    pub levels: BTreeMap<String, [usize; 2]>,
    /// How many are granted of those that a list calls risky, by kind, the gravest first.
    pub risks: Vec<(String, [usize; 2])>,
}

impl Size {
    /// Measures two sides.
    #[must_use]
    pub fn of(sides: [&Side; 2], catalog: &Catalog) -> Self {
        let all = catalog.reference.expand(&Pattern::any());
        let kinds = catalog.risks.kinds.iter().map(|kind| (kind.name.clone(), [0, 0]));
        let mut size = Self { known: all.len(), risks: kinds.collect(), ..Self::default() };
        for (side, at) in sides.into_iter().zip(0..) {
            let statements = || side.documents.iter().flat_map(|d| &d.statements).filter(|s| s.effect == Effect::Allow);
            for action in &all {
                let name = action.to_string();
                let matching: Vec<_> = statements().filter(|s| s.action.matches(&name, &BTreeMap::new())).collect();
                if !matching.is_empty() {
                    size.count(action, matching.iter().any(|s| is_everywhere(s)), at, catalog);
                }
            }
        }
        size
    }

    fn count(&mut self, action: &Action, everywhere: bool, at: usize, catalog: &Catalog) {
        let add = |counts: &mut [usize; 2]| {
            if let Some(count) = counts.get_mut(at) {
                *count += 1;
            }
        };
        let facts = catalog.reference.action(action);
        add(&mut self.actions);
        add(self.levels.entry(facts.map(|facts| facts.level.clone()).unwrap_or_default()).or_default());
        if everywhere {
            add(&mut self.everywhere);
        }
        if everywhere && facts.is_some_and(|facts| !facts.types.is_empty()) {
            add(&mut self.limitable);
        }
        if let Some((_, counts)) = catalog.risks.of(action).and_then(|(rank, _)| self.risks.get_mut(rank)) {
            add(counts);
        }
    }
}

/// Whether a statement's Resource takes whatever is asked for.
fn is_everywhere(statement: &Statement) -> bool {
    statement.resource(ArnReading::Segmented).matches("\u{0}", &BTreeMap::new())
}
