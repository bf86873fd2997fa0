//! Generalise: from exact names to patterns, never further than the calls justify, never out of the baseline.
//!
//! The ladder: exact name, the same without short-lived identifiers, the folder that several names share, the resource
//! type pinned to account and region. Actions without resource-level permissions stay on `*` and are narrowed by
//! condition keys that the records justify.

use std::collections::{BTreeMap, BTreeSet};

use super::cap::{self, CappedNeed};
use super::names::{self, Names};
use super::{Grant, Need, Question, Rung};
use crate::catalog::Catalog;
use crate::iam::{Action, Conditions, Pattern, ResourceSpec};

/// Turns needs into grants.
///
/// INVARIANT (covers-needs): for every need and each of its condition blocks there is a grant whose resource covers it.
#[must_use]
pub fn generalise(question: &Question, needs: &[CappedNeed], instances: &BTreeSet<String>, catalog: &Catalog) -> Vec<Grant> {
    let mut groups: BTreeMap<(&Action, &Conditions), Vec<usize>> = BTreeMap::new();
    for (index, capped) in needs.iter().enumerate() {
        for conditions in &capped.alternatives {
            groups.entry((&capped.need.action, conditions)).or_default().push(index);
        }
    }
    let mut grants = Vec::new();
    for ((action, conditions), members) in groups {
        let group = Group { question, needs, action, conditions, instances, catalog };
        let members: Vec<(usize, &Need)> = members.into_iter().filter_map(|i| needs.get(i).map(|c| (i, &c.need))).collect();
        grants.extend(group.grants(&members));
    }
    grants
}

struct Group<'a> {
    question: &'a Question,
    /// Everything that is needed, not only by this group.
    needs: &'a [CappedNeed],
    action: &'a Action,
    conditions: &'a Conditions,
    instances: &'a BTreeSet<String>,
    catalog: &'a Catalog,
}

/// What tells one instance from another in its id, `i-` and this: a character that no policy may hold.
const INSTANCE: &str = "\u{e000}";

/// A pattern with the ids of instances left open.
fn unmarked(pattern: &Pattern) -> Pattern {
    Pattern::parse(&pattern.to_string().replace(INSTANCE, "*"))
}

/// A name, and what leads to it.
struct Located {
    head: String,
    name: String,
}

impl Group<'_> {
    fn grants(&self, members: &[(usize, &Need)]) -> Vec<Grant> {
        let mut grants: BTreeMap<Pattern, Grant> = BTreeMap::new();
        let mut named: BTreeMap<String, BTreeMap<String, BTreeSet<usize>>> = BTreeMap::new();
        for (index, need) in members {
            let text = need.resource.as_literal();
            let fleeting = text.as_deref().and_then(|text| self.without_fleeting_name(text));
            let fleeting = fleeting.and_then(|open| self.within(&open).into_iter().find(|part| part.covers_arn(&need.resource)));
            if need.resource.is_any() {
                self.add(&mut grants, Pattern::any(), Rung::Any, [*index]);
            } else if let Some(open) = fleeting {
                self.add(&mut grants, open, Rung::Ephemeral, [*index]);
            } else if let Some(text) = text {
                let place = locate(&self.marked(&text));
                named.entry(place.head).or_default().entry(place.name).or_default().insert(*index);
            } else {
                let open = unmarked(&Pattern::parse(&self.marked(&need.resource.to_string())));
                let resource = if self.fits(&open) { open } else { need.resource.clone() };
                self.add(&mut grants, resource.clone(), rung_of(&resource), [*index]);
            }
        }
        for (head, names) in &named {
            self.add_names(&mut grants, head, names);
        }
        let mut grants: Vec<Grant> = grants.into_values().collect();
        absorb(&mut grants);
        let second = |g: &Grant| {
            self.catalog.second_form(&g.resource).filter(|p| self.fits(p)).map(|resource| Grant { resource, ..g.clone() })
        };
        let forms: Vec<Grant> = grants.iter().filter_map(second).collect();
        grants.extend(forms);
        let conditions = self.narrowing(members);
        for grant in grants.iter_mut().filter(|g| g.resource.is_any()) {
            grant.conditions = conditions.clone();
        }
        grants
    }

    fn add_names(&self, grants: &mut BTreeMap<Pattern, Grant>, head: &str, names: &BTreeMap<String, BTreeSet<usize>>) {
        let borrowed: Names<'_> = names.iter().map(|(n, i)| (n.as_str(), i.clone())).collect();
        let lead = Pattern::literal(head);
        for shape in names::shapes(&borrowed, self.catalog.opens_at_root(self.action)) {
            let pattern = lead.then(&shape.pattern);
            let open = unmarked(&pattern);
            let rung = if open == pattern { shape.rung } else { shape.rung.max(Rung::Ephemeral) };
            if rung == Rung::Exact || self.fits(&open) {
                self.add(grants, open, rung, shape.needs);
                continue;
            }
            // That is wider than the baseline: what both have in common, if that is enough for all.
            let parts = self.within(&open);
            let of = |index: &usize| parts.iter().find(|part| self.resource(*index).is_some_and(|own| part.covers_arn(own)));
            if shape.needs.iter().all(|index| of(index).is_some()) {
                for index in &shape.needs {
                    of(index).into_iter().for_each(|part| self.add(grants, part.clone(), rung, [*index]));
                }
                continue;
            }
            // Else the names stay one by one, with their own instances where it has to be.
            for (name, needs) in names.iter().filter(|(_, n)| n.iter().any(|i| shape.needs.contains(i))) {
                let name = lead.then(&Pattern::literal(name));
                let open = unmarked(&name);
                if open != name && self.fits(&open) {
                    self.add(grants, open, Rung::Ephemeral, needs.iter().copied());
                    continue;
                }
                for index in needs {
                    let own = self.resource(*index).unwrap_or(&name);
                    self.add(grants, own.clone(), Rung::Exact, [*index]);
                }
            }
        }
    }

    fn add(&self, grants: &mut BTreeMap<Pattern, Grant>, resource: Pattern, rung: Rung, needs: impl IntoIterator<Item = usize>) {
        let grant = grants.entry(resource.clone()).or_insert_with(|| Grant {
            action: self.action.clone(),
            service_bucket: self.catalog.is_service_bucket(&resource),
            resource,
            rung,
            conditions: self.conditions.clone(),
            needs: BTreeSet::new(),
        });
        grant.rung = grant.rung.max(rung);
        grant.needs.extend(needs);
    }

    /// What one of the needs is about.
    fn resource(&self, index: usize) -> Option<&Pattern> {
        self.needs.get(index).map(|capped| &capped.need.resource)
    }

    /// The parts of a pattern that the baseline grants under this group's conditions: all of it, or what it shares with resources
    /// that the baseline names.
    fn within(&self, pattern: &Pattern) -> Vec<Pattern> {
        if self.fits(pattern) {
            return vec![pattern.clone()];
        }
        let allows = self.question.baseline.policy.statements.iter().filter(|s| cap::names(&s.actions, self.action));
        let named =
            allows.filter_map(|s| if let ResourceSpec::Only(named) = &s.resources { Some(named) } else { None }).flatten();
        let parts: BTreeSet<Pattern> = named.filter(|own| !own.has_variable()).filter_map(|own| pattern.meet(own)).collect();
        parts.into_iter().filter(|part| self.fits(part)).collect()
    }

    /// Whether the baseline grants all of a pattern under this group's conditions.
    fn fits(&self, pattern: &Pattern) -> bool {
        let statements = cap::covering(&self.question.baseline.policy, self.action, pattern);
        statements.iter().any(|s| self.conditions.includes(&cap::carried(&self.question.baseline.policy, &s.conditions)))
    }

    /// A resource without a name that lives only for one run, and without instance ids before it.
    fn without_fleeting_name(&self, text: &str) -> Option<Pattern> {
        let kept = self.catalog.without_ephemeral_name(text)?;
        Some(unmarked(&Pattern::literal(&self.marked(kept))).then(&Pattern::any()))
    }

    /// A text with [`INSTANCE`] in the instance ids, so that names that differ in nothing else are one name.
    fn marked(&self, text: &str) -> String {
        if text.contains(INSTANCE) {
            return text.to_owned(); // somebody's own name
        }
        let ids = self.instances.iter().filter(|id| text.contains(id.as_str()));
        let open = |id: &str| format!("{}-{INSTANCE}", id.split('-').next().unwrap_or_default());
        ids.fold(text.to_owned(), |text, id| text.replace(id.as_str(), &open(id)))
    }

    /// Conditions for actions that know no resources: the regions called, and few-valued keys of the records.
    fn narrowing(&self, members: &[(usize, &Need)]) -> Conditions {
        let open: Vec<&Need> = members.iter().map(|(_, n)| *n).filter(|n| n.resource.is_any()).collect();
        let mut conditions = self.conditions.clone();
        let regions: BTreeSet<String> = open.iter().flat_map(|n| n.regions.iter().cloned()).collect();
        if !regions.is_empty() && !conditions.has("aws:RequestedRegion") {
            conditions = conditions.and("StringEquals", "aws:RequestedRegion", regions);
        }
        for key in self.catalog.narrowing_keys(self.action) {
            let values: Option<BTreeSet<&String>> = open
                .iter()
                .map(|n| n.context.get(key))
                .collect::<Option<Vec<_>>>()
                .map(|sets| sets.into_iter().flatten().collect());
            if let Some(values) = values.filter(|v| !v.is_empty() && v.len() <= 8)
                && !conditions.has(key)
            {
                conditions = conditions.and("StringEquals", key, values.into_iter().cloned());
            }
        }
        conditions
    }
}

/// Drops a grant whose resource another grant of the same action and conditions covers, and keeps its needs.
fn absorb(grants: &mut Vec<Grant>) {
    let mut kept: Vec<Grant> = Vec::new();
    let mut all = std::mem::take(grants);
    all.sort_by(|a, b| (std::cmp::Reverse(a.rung), &a.resource).cmp(&(std::cmp::Reverse(b.rung), &b.resource)));
    for grant in all {
        match kept.iter_mut().find(|k| !k.resource.is_any() && k.resource.covers_arn(&grant.resource)) {
            Some(wider) => wider.needs.extend(grant.needs),
            None => kept.push(grant),
        }
    }
    *grants = kept;
}

/// How general a pattern is that came in general.
fn rung_of(pattern: &Pattern) -> Rung {
    if pattern.has_variable() {
        return Rung::Baseline;
    }
    let prefix = pattern.literal_prefix();
    let named = prefix
        .splitn(6, ':')
        .nth(5)
        .is_some_and(|r| r.trim_end_matches(['/', ':']).contains(['/', ':']) || prefix.contains(":s3:"));
    if named { Rung::Prefix } else { Rung::Type }
}

/// Splits an ARN into what leads to its name and the name.
fn locate(text: &str) -> Located {
    let resource = text.match_indices(':').nth(4).map_or(0, |(at, _)| at + 1);
    let name = text.get(resource..).and_then(|r| r.find(['/', ':'])).map_or(resource, |at| resource + at + 1);
    Located { head: text.get(..name).unwrap_or_default().to_owned(), name: text.get(name..).unwrap_or(text).to_owned() }
}
