//! Floor: what a feature in evidence, or declared, needs and CloudTrail cannot show.
//!
//! A feature in evidence gets only what the source could not have shown: the rest would have been seen. A declared feature
//! gets all it needs, because it may not have run yet. Either way the result is capped by the baseline afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::places::command_output;
use super::scope::Scoped;
use super::{Because, Need, Question};
use crate::catalog::Catalog;
use crate::catalog::coverage::Visibility;
use crate::catalog::features::{Feature, FeatureNeed, On, Place, SignRule};
use crate::finding::{Code, Finding};
use crate::iam::{Action, Pattern};
use crate::ledger::{Coverage, Sign, Target, Use};

/// What the pass gives.
#[derive(Debug, Default)]
pub struct Floored {
    /// What features need.
    pub needs: Vec<Need>,
    /// The features in use or declared, and how that is known.
    pub features: BTreeMap<String, String>,
    /// What there is to tell.
    pub findings: Vec<Finding>,
}

/// Finds the features and their needs.
#[must_use]
pub fn floor(question: &Question, coverage: &Coverage, scoped: &Scoped<'_>, catalog: &Catalog) -> Floored {
    let pass = Pass { question, coverage, scoped, catalog };
    let mut floored = Floored::default();
    let mut active: BTreeMap<&str, (&Feature, bool)> = BTreeMap::new();
    for feature in catalog.features() {
        let declared = question.needs.contains_key(&feature.name);
        if let Some((how, maybe)) = pass.evidence(feature) {
            if maybe && !declared {
                let message = format!("{} may be in use: {how}", feature.title);
                floored.findings.push(
                    Finding::new(Code::FeatureMaybe, message)
                        .advise(format!("declare it with `--need {}` if it is, so that nothing hangs on a guess", feature.name)),
                );
            }
            floored.features.insert(feature.name.clone(), how);
            active.insert(&feature.name, (feature, declared));
        } else if declared {
            floored.features.insert(feature.name.clone(), "declared".to_owned());
            active.insert(&feature.name, (feature, true));
        }
    }
    if let Some(agent) = catalog.feature("agent").filter(|_| active.values().any(|(f, _)| f.through_agent)) {
        let declared = active.values().any(|(f, declared)| f.through_agent && *declared);
        floored.features.entry(agent.name.clone()).or_insert_with(|| "what else is in use works through it".to_owned());
        active.insert(&agent.name, (agent, declared));
        pass.legacy_channel(&mut floored);
    }
    for (feature, declared) in active.into_values() {
        for need in &feature.needs {
            pass.add(&mut floored, feature, need, declared);
        }
    }
    unburden(&mut floored.needs);
    floored
}

/// The general reason for log events is left out where a feature gives a better one.
fn unburden(needs: &mut Vec<Need>) {
    let general = |need: &Need| need.because.iter().all(|b| matches!(b, Because::Feature { feature, .. } if feature == GENERAL));
    let better: BTreeSet<(Action, Pattern)> =
        needs.iter().filter(|n| !general(n)).map(|n| (n.action.clone(), n.resource.clone())).collect();
    needs.retain(|n| !general(n) || !better.contains(&(n.action.clone(), n.resource.clone())));
}

/// The feature that stands for any use of log streams.
const GENERAL: &str = "log-delivery";

/// What the pass works with; [`super::places`] finds buckets and log groups for it.
pub(super) struct Pass<'a> {
    pub(super) question: &'a Question,
    coverage: &'a Coverage,
    pub(super) scoped: &'a Scoped<'a>,
    pub(super) catalog: &'a Catalog,
}

impl Pass<'_> {
    /// How a feature shows itself, and whether it only may be in use.
    fn evidence(&self, feature: &Feature) -> Option<(String, bool)> {
        let mut maybe = None;
        for rule in &feature.signs {
            if let Some((used, _)) = self.scoped.uses.iter().find(|(used, _)| self.shows(rule, used)) {
                return Some((format!("the instances called {}", used.action), false));
            }
            for (sign, evidence) in self.scoped.signs.iter().filter(|(sign, _)| fits(rule, sign)) {
                let event = sign.event.rsplit(':').next().unwrap_or(&sign.event);
                let document = if sign.document.is_empty() { String::new() } else { format!(" with {}", sign.document) };
                match &sign.target {
                    Target::Instance(_) => {
                        return Some((
                            format!("somebody called {event}{document} on the instances, {} times", evidence.calls()),
                            false,
                        ));
                    }
                    Target::Selected(by) => {
                        maybe = Some((format!("somebody called {event}{document} on instances chosen by {by}"), true))
                    }
                }
            }
        }
        maybe
    }

    pub(super) fn shows(&self, rule: &SignRule, used: &Use) -> bool {
        let Some(action) = &rule.instance else { return false };
        // A recording leaves the names of people open.
        let text = used.resource.as_literal().or_else(|| used.resource.samples().into_iter().next()).unwrap_or_default();
        used.action.as_str().eq_ignore_ascii_case(action)
            && (!rule.by_agent || used.by_agent)
            && (rule.documents.is_empty() || rule.documents.iter().any(|d| text.ends_with(&format!("document/{d}"))))
            && match rule.names {
                None => true,
                Some(Place::SessionLog) => self.is_session_log(&text),
                Some(Place::CommandOutput) => command_output(&text).is_some(),
                Some(Place::CheckedBucket) => !self.is_output_bucket(&text),
                Some(Place::OutputBucket | Place::OutputLogGroup) => false,
            }
    }

    /// Whether a name ends in the id of a session: of one that was seen, or of that form (`NAME-` and 17 characters).
    fn is_session_log(&self, text: &str) -> bool {
        let name = text.rsplit(['/', ':']).next().unwrap_or_default();
        let stem = name.strip_suffix(".log").unwrap_or(name);
        let seen = self.scoped.signs.iter().any(|(s, _)| s.details.get("session-id").is_some_and(|id| id == stem));
        let token = stem.rsplit_once('-').map_or("", |(_, t)| t);
        seen || (matches!(token.len(), 17..=26) && token.bytes().all(|b| b.is_ascii_alphanumeric()))
    }

    fn is_output_bucket(&self, arn: &str) -> bool {
        let bucket = arn.rsplit(':').next().unwrap_or_default();
        let receives = |place: &str| place == bucket || place.strip_prefix(bucket).is_some_and(|rest| rest.starts_with('/'));
        let seen = |used: &Use| {
            used.by_agent && used.resource.as_literal().and_then(|t| command_output(&t)).is_some_and(|p| receives(&p))
        };
        self.scoped.signs.iter().any(|(s, _)| s.details.get("output-bucket").is_some_and(|b| b == bucket))
            || self.scoped.uses.iter().any(|(used, _)| seen(used))
    }

    fn add(&self, floored: &mut Floored, feature: &Feature, need: &FeatureNeed, declared: bool) {
        let Some(action) = Action::parse(&need.action) else { return };
        // Whether the source would have shown it. Data events are selected by resource, so unless the coverage was
        // declared, or the action knows no resources, seeing some of a type does not mean seeing all.
        let kind = match self.catalog.visibility(&action) {
            Visibility::Data { kind, .. } => Some(kind),
            _ => None,
        };
        let whole = kind.is_none() || self.coverage.declared || need.on == On::Any;
        let all_shown = self.catalog.visible(&action, self.coverage) && whole;
        let tells = !declared && !need.lasts;
        if all_shown && tells {
            return;
        }
        let shown = |resource: &Pattern| {
            let begins = resource.literal_prefix();
            tells && self.coverage.declared && kind.as_ref().is_some_and(|kind| self.coverage.shows(kind, &begins))
        };
        let because = Because::Feature { feature: feature.name.clone(), why: need.why.clone(), source: feature.source.clone() };
        let resources = self.resources(floored, feature, need, &action, declared);
        let resources = resources.into_iter().filter(|resource| !shown(resource));
        floored.needs.extend(resources.map(|resource| self.need(&action, resource, because.clone())));
    }

    fn need(&self, action: &Action, resource: Pattern, because: Because) -> Need {
        Need {
            action: self.catalog.canonical(action),
            resource,
            regions: self.regions(),
            context: BTreeMap::new(),
            because: BTreeSet::from([because]),
            evidence: None,
        }
    }

    /// The regions in which the instances' agents work.
    pub(super) fn regions(&self) -> BTreeSet<String> {
        let seen: BTreeSet<String> = self
            .scoped
            .uses
            .iter()
            .filter(|(u, _)| u.by_agent && u.action.service() == "ssm")
            .map(|(u, _)| u.region.clone())
            .collect();
        if seen.is_empty() { BTreeSet::from([self.question.region.clone()]) } else { seen }
    }

    pub(super) fn regional(&self, service: &str, account: &str, resource: &str) -> Vec<Pattern> {
        let partition = &self.question.partition;
        self.regions()
            .iter()
            .map(|region| Pattern::parse(&format!("arn:{partition}:{service}:{region}:{account}:{resource}")))
            .collect()
    }

    fn resources(
        &self,
        floored: &mut Floored,
        feature: &Feature,
        need: &FeatureNeed,
        action: &Action,
        declared: bool,
    ) -> Vec<Pattern> {
        if let Some(known) = self.known(floored, feature, &need.on) {
            return known;
        }
        let given = self.question.needs.get(&feature.name).map(Vec::as_slice).unwrap_or_default();
        if matches!(need.on, On::GivenDirectory) && given.is_empty() {
            return self.every_directory(floored, feature, action);
        }
        let found = self.named(feature, &need.on, given);
        if found.is_empty() && declared && !matches!(need.on, On::GivenDocument) {
            let message =
                format!("{} needs `{action}`, and on which resource is not known; nothing was granted for it", feature.title);
            floored.findings.push(
                Finding::new(Code::FloorResourceUnknown, message).advise(format!("name it: `--need {}=NAME`", feature.name)),
            );
        }
        found
    }

    /// Resources that are the same in every account; `None` where they have names of their own.
    fn known(&self, floored: &mut Floored, feature: &Feature, on: &On) -> Option<Vec<Pattern>> {
        let account = &self.question.account;
        Some(match on {
            On::Any => vec![Pattern::any()],
            On::Instance => self.regional("ec2", account, "instance/*"),
            On::Associations => self.regional("ssm", account, "association/*"),
            On::Document(name) => self.document(name),
            On::Buckets => self.buckets(floored, feature),
            _ => return None,
        })
    }

    fn document(&self, name: &str) -> Vec<Pattern> {
        let owner = if self.catalog.is_aws_document(name) { "" } else { &self.question.account };
        self.regional("ssm", owner, &format!("document/{}", escaped(name)))
    }

    /// Resources by their names, which were seen or given.
    fn named(&self, feature: &Feature, on: &On, given: &[String]) -> Vec<Pattern> {
        let account = &self.question.account;
        let s3 = |name: &str| Pattern::parse(&format!("arn:{}:s3:::{name}", self.question.partition));
        let groups = |rest: &str| -> Vec<Pattern> {
            self.log_groups(feature, given).iter().map(|group| group.then(&Pattern::parse(rest))).collect()
        };
        match on {
            On::OutputObjects => self.outputs(feature, given).iter().map(|place| s3(&format!("{}/*", escaped(place)))).collect(),
            On::OutputBucket => {
                let bucket = |place: &String| escaped(place.split('/').next().unwrap_or(place));
                self.outputs(feature, given).iter().map(|place| s3(&bucket(place))).collect()
            }
            On::LogGroup => groups(""),
            On::LogStreams => groups(":log-stream:*"),
            On::GivenDocument => given.iter().flat_map(|name| self.document(name)).collect(),
            On::GivenParameter => {
                let name = |name: &String| format!("parameter/{}", escaped_but_star(name.trim_start_matches('/')));
                given.iter().flat_map(|given| self.regional("ssm", account, &name(given))).collect()
            }
            On::GivenDirectory => {
                given.iter().flat_map(|id| self.regional("ds", account, &format!("directory/{}", escaped(id)))).collect()
            }
            On::Any | On::Instance | On::Associations | On::Document(_) | On::Buckets => Vec::new(),
        }
    }

    fn every_directory(&self, floored: &mut Floored, feature: &Feature, action: &Action) -> Vec<Pattern> {
        let message = format!(
            "{} needs `{action}`, and no directory is named: all directories of the account and region were granted",
            feature.title
        );
        floored.findings.push(
            Finding::new(Code::ResourceUnknown, message)
                .advise(format!("name the directory: `--need {}=d-1234567890`", feature.name)),
        );
        self.regional("ds", &self.question.account, "directory/*")
    }

    /// `ec2messages` goes only if every instance's agent is known and current.
    fn legacy_channel(&self, floored: &mut Floored) {
        let facts = &self.catalog.features.legacy_channel;
        let regions: BTreeSet<String> = self.regions().into_iter().filter(|r| !facts.regions_without.contains(r)).collect();
        if regions.is_empty() {
            return;
        }
        let mut known: BTreeMap<&str, bool> = self
            .scoped
            .instances
            .iter()
            .chain(&self.question.instances)
            .chain(&self.question.silent)
            .map(|i| (i.as_str(), false))
            .collect();
        let mut old = BTreeSet::new();
        for heartbeat in self.scoped.heartbeats.iter().filter(|h| !h.agent_version.is_empty()) {
            if version(&heartbeat.agent_version) >= version(&facts.agent_version) {
                known.insert(&heartbeat.session.name, true);
            } else {
                old.insert(heartbeat.session.name.as_str());
            }
        }
        let doubtful: BTreeSet<&str> = known.into_iter().filter(|(_, current)| !current).map(|(i, _)| i).chain(old).collect();
        if doubtful.is_empty() && !self.scoped.instances.is_empty() {
            let message =
                format!("every agent is {} or newer, so the ec2messages permissions are not needed", facts.agent_version);
            floored.findings.push(Finding::new(Code::AgentCurrent, message));
            return;
        }
        let some: Vec<&str> = doubtful.iter().take(5).copied().collect();
        let message = format!(
            "the agent of {} is older than {} or its version is unknown, so the ec2messages permissions stay",
            if some.is_empty() { "the instances".to_owned() } else { some.join(", ") },
            facts.agent_version
        );
        floored.findings.push(Finding::new(Code::AgentVersionUnknown, message).advise("update the agent and derive again"));
        let because = Because::Feature { feature: "agent".to_owned(), why: facts.why.clone(), source: facts.source.clone() };
        for action in facts.actions.iter().filter_map(|a| Action::parse(a)) {
            let need = self.need(&action, Pattern::any(), because.clone());
            floored.needs.push(Need { regions: regions.clone(), ..need });
        }
    }
}

pub(super) fn fits(rule: &SignRule, sign: &Sign) -> bool {
    let place = match rule.names {
        Some(Place::OutputBucket) => sign.details.contains_key("output-bucket"),
        Some(Place::OutputLogGroup) => sign.details.contains_key("output-log-group"),
        _ => true,
    };
    let document = sign.document.rsplit('/').next().unwrap_or(&sign.document);
    rule.operator.as_deref() == Some(sign.event.as_str())
        && place
        && (rule.documents.is_empty() || rule.documents.iter().any(|d| d == document))
}

/// A name as a pattern writes it.
pub(super) fn escaped(name: &str) -> String {
    Pattern::literal(name).to_string()
}

/// A declared parameter may end in `*`; everything else in it stands for itself.
fn escaped_but_star(name: &str) -> String {
    match name.strip_suffix('*') {
        Some(stem) => format!("{}*", escaped(stem)),
        None => escaped(name),
    }
}

/// `3.3.40.0` → numbers, compared one by one.
fn version(text: &str) -> Vec<u64> {
    text.split('.').map(|n| n.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(version("3.3.40.0") > version("3.3.9.0"));
        assert!(version("3.1.1732.0") < version("3.3.40.0"));
        assert!(version("10.0") > version("3.3.40.0"));
    }

    #[test]
    fn a_declared_name_may_end_in_a_star() {
        assert_eq!(escaped_but_star("app/*x*"), "app/${*}x*");
    }
}
