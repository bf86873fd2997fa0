//! Floor: what a feature in evidence, or declared, needs and CloudTrail cannot show.
//!
//! A feature in evidence gets only what the source could not have shown: the rest would have been seen. A declared feature
//! gets all it needs, because it may not have run yet. Either way the result is capped by the baseline afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::Scoped;
use super::{Because, Need, Question};
use crate::catalog::Catalog;
use crate::catalog::coverage::Visibility;
use crate::catalog::features::{Feature, FeatureNeed, On, Place, SignRule};
use crate::finding::{Code, Finding};
use crate::iam::{Action, Pattern};
use crate::ledger::{Coverage, Origin, Sign, Target, Use};

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

struct Pass<'a> {
    question: &'a Question,
    coverage: &'a Coverage,
    scoped: &'a Scoped<'a>,
    catalog: &'a Catalog,
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

    fn shows(&self, rule: &SignRule, used: &Use) -> bool {
        let Some(action) = &rule.instance else { return false };
        let text = used.resource.as_literal().unwrap_or_default();
        used.action.as_str().eq_ignore_ascii_case(action)
            && (!rule.by_agent || used.by_agent)
            && (rule.documents.is_empty() || rule.documents.iter().any(|d| text.ends_with(&format!("document/{d}"))))
            && match rule.names {
                None => true,
                Some(Place::SessionLog) => self.is_session_log(&text),
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
        self.scoped.signs.iter().any(|(s, _)| s.details.get("output-bucket").is_some_and(|b| b == bucket))
    }

    fn add(&self, floored: &mut Floored, feature: &Feature, need: &FeatureNeed, declared: bool) {
        let Some(action) = Action::parse(&need.action) else { return };
        // Whether the source would have shown it. Data events are selected by resource, so unless the coverage was
        // declared, seeing some of a type does not mean seeing all.
        let shown = match self.catalog.visibility(&action) {
            Visibility::Data { .. } => self.coverage.declared && self.catalog.visible(&action, self.coverage),
            _ => self.catalog.visible(&action, self.coverage),
        };
        if shown && !declared {
            return;
        }
        let because = Because::Feature { feature: feature.name.clone(), why: need.why.clone(), source: feature.source.clone() };
        let resources = self.resources(floored, feature, need, &action, declared);
        floored.needs.extend(resources.into_iter().map(|resource| self.need(&action, resource, because.clone())));
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
    fn regions(&self) -> BTreeSet<String> {
        let seen: BTreeSet<String> = self
            .scoped
            .uses
            .iter()
            .filter(|(u, _)| u.by_agent && u.action.service() == "ssm")
            .map(|(u, _)| u.region.clone())
            .collect();
        if seen.is_empty() { BTreeSet::from([self.question.region.clone()]) } else { seen }
    }

    fn regional(&self, service: &str, account: &str, resource: &str) -> Vec<Pattern> {
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
        let account = &self.question.account;
        let partition = &self.question.partition;
        let given = self.question.needs.get(&feature.name).map(Vec::as_slice).unwrap_or_default();
        let escaped = |text: &str| Pattern::literal(text).to_string();
        let found = match &need.on {
            On::Any => return vec![Pattern::any()],
            On::Instance => return self.regional("ec2", account, "instance/*"),
            On::Associations => return self.regional("ssm", account, "association/*"),
            On::Document(name) => {
                return self.regional(
                    "ssm",
                    if self.catalog.is_aws_document(name) { "" } else { account },
                    &format!("document/{}", escaped(name)),
                );
            }
            On::Buckets => return self.buckets(floored, feature),
            On::OutputObjects => self
                .outputs(feature, given)
                .iter()
                .map(|place| Pattern::parse(&format!("arn:{partition}:s3:::{}/*", escaped(place))))
                .collect(),
            On::OutputBucket => {
                let bucket = |place: &String| place.split('/').next().unwrap_or(place).to_owned();
                self.outputs(feature, given)
                    .iter()
                    .map(|p| Pattern::parse(&format!("arn:{partition}:s3:::{}", escaped(&bucket(p)))))
                    .collect()
            }
            On::LogGroup => self
                .log_groups(feature, given)
                .iter()
                .flat_map(|g| self.regional("logs", account, &format!("log-group:{}", escaped(g))))
                .collect(),
            On::LogStreams => self
                .log_groups(feature, given)
                .iter()
                .flat_map(|g| self.regional("logs", account, &format!("log-group:{}:log-stream:*", escaped(g))))
                .collect(),
            On::GivenDocument => {
                let owner = |name: &String| if self.catalog.is_aws_document(name) { String::new() } else { account.clone() };
                given.iter().flat_map(|name| self.regional("ssm", &owner(name), &format!("document/{}", escaped(name)))).collect()
            }
            On::GivenParameter => given
                .iter()
                .flat_map(|name| {
                    self.regional("ssm", account, &format!("parameter/{}", escaped_but_star(name.trim_start_matches('/'))))
                })
                .collect(),
            On::GivenDirectory if given.is_empty() => {
                let pinned = self.regional("ds", account, "directory/*");
                let message = format!(
                    "{} needs `{action}`, and no directory is named: all directories of the account and region were granted",
                    feature.title
                );
                floored.findings.push(
                    Finding::new(Code::ResourceUnknown, message)
                        .advise(format!("name the directory: `--need {}=d-1234567890`", feature.name)),
                );
                return pinned;
            }
            On::GivenDirectory => {
                given.iter().flat_map(|id| self.regional("ds", account, &format!("directory/{}", escaped(id)))).collect()
            }
        };
        let found: Vec<Pattern> = found;
        if found.is_empty() && declared && !matches!(need.on, On::GivenDocument) {
            let message =
                format!("{} needs `{action}`, and on which resource is not known; nothing was granted for it", feature.title);
            floored.findings.push(
                Finding::new(Code::FloorResourceUnknown, message).advise(format!("name it: `--need {}=NAME`", feature.name)),
            );
        }
        found
    }

    /// The buckets of the service. Platforms are those the agents report; all of them where one does not.
    fn buckets(&self, floored: &mut Floored, feature: &Feature) -> Vec<Pattern> {
        let mut platforms: Vec<&str> =
            self.scoped.heartbeats.iter().map(|h| h.platform.as_str()).filter(|p| !p.is_empty()).collect();
        platforms.sort_unstable();
        platforms.dedup();
        let mut patterns = Vec::new();
        for region in self.regions() {
            let found = self.catalog.service_buckets(&feature.name, &region, &platforms);
            if !found.unknown.is_empty() {
                let message = format!(
                    "{} reads from a bucket of the service whose name in {region} is not known ({})",
                    feature.title,
                    found.unknown.join(", ")
                );
                floored.findings.push(
                    Finding::new(Code::RegionUnknown, message)
                        .advise("look the name up in the Systems Manager User Guide and add a statement for it"),
                );
            }
            if !found.buckets.is_empty() && self.lacks_s3() {
                let message = format!(
                    "{} reads from buckets of the service in {region}; the instances have VPC endpoints only and never reached S3",
                    feature.title
                );
                let finding = Finding::new(Code::PathWithoutS3, message);
                floored.findings.push(finding.advise("add a gateway endpoint for S3 to their route tables"));
            }
            patterns.extend(
                found.buckets.iter().map(|b| Pattern::parse(&format!("arn:{}:s3:::{}/*", self.question.partition, b.name))),
            );
        }
        patterns
    }

    /// Whether every report came through a VPC endpoint and no call reached S3.
    fn lacks_s3(&self) -> bool {
        let private = self.scoped.heartbeats.iter().all(|h| matches!(h.origin, Origin::Endpoint { .. }));
        let reached = self.scoped.uses.iter().any(|(u, _)| u.action.service() == "s3");
        !self.scoped.heartbeats.is_empty() && private && !reached
    }

    /// Buckets with prefix that receive output: named by operators' calls, by the instances' own, or declared.
    fn outputs(&self, feature: &Feature, given: &[String]) -> BTreeSet<String> {
        let mut places: BTreeSet<String> = given.iter().map(|g| g.trim_end_matches(['/', '*']).to_owned()).collect();
        for rule in &feature.signs {
            for (sign, _) in self.scoped.signs.iter().filter(|(s, _)| rule.names == Some(Place::OutputBucket) && fits(rule, s)) {
                let bucket = sign.details.get("output-bucket").cloned().unwrap_or_default();
                let prefix = sign.details.get("output-prefix").map(|p| p.trim_matches('/')).filter(|p| !p.is_empty());
                places.insert(prefix.map_or(bucket.clone(), |p| format!("{bucket}/{p}")));
            }
            for (used, _) in self.scoped.uses.iter().filter(|(u, _)| rule.names == Some(Place::SessionLog) && self.shows(rule, u))
            {
                places.extend(used.resource.as_literal().and_then(|t| folder_of(&t)));
            }
        }
        for rule in feature.signs.iter().filter(|r| r.names == Some(Place::CheckedBucket)) {
            for (used, _) in self.scoped.uses.iter().filter(|(u, _)| self.shows(rule, u)) {
                let bucket = used.resource.as_literal().and_then(|t| t.rsplit(':').next().map(str::to_owned)).unwrap_or_default();
                // Where writes were seen, they say more than the bucket's name.
                if !bucket.is_empty()
                    && !self.writes_to(&bucket)
                    && !places.iter().any(|p| p == &bucket || p.starts_with(&format!("{bucket}/")))
                {
                    places.insert(bucket);
                }
            }
        }
        places
    }

    fn writes_to(&self, bucket: &str) -> bool {
        self.scoped
            .uses
            .iter()
            .any(|(u, _)| u.action.as_str() == "s3:PutObject" && u.resource.literal_prefix().contains(&format!(":::{bucket}/")))
    }

    fn log_groups(&self, feature: &Feature, given: &[String]) -> BTreeSet<String> {
        let mut groups: BTreeSet<String> = given.iter().cloned().collect();
        for rule in &feature.signs {
            groups.extend(
                self.scoped
                    .signs
                    .iter()
                    .filter(|(s, _)| fits(rule, s))
                    .filter_map(|(s, _)| s.details.get("output-log-group").cloned()),
            );
            let streams = self
                .scoped
                .uses
                .iter()
                .filter(|(u, _)| u.action.service() == "logs" && self.shows(rule, u))
                .filter_map(|(u, _)| u.resource.as_literal());
            groups.extend(streams.filter_map(|t| group_of(&t)));
        }
        groups.retain(|g| !g.is_empty());
        groups
    }

    /// `ec2messages` goes only if every instance's agent is known and current.
    fn legacy_channel(&self, floored: &mut Floored) {
        let facts = &self.catalog.features.legacy_channel;
        let regions: BTreeSet<String> = self.regions().into_iter().filter(|r| !facts.regions_without.contains(r)).collect();
        if regions.is_empty() {
            return;
        }
        let mut known: BTreeMap<&str, bool> =
            self.scoped.instances.iter().chain(&self.question.instances).map(|i| (i.as_str(), false)).collect();
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

fn fits(rule: &SignRule, sign: &Sign) -> bool {
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

/// The bucket and folder of an object's ARN.
fn folder_of(arn: &str) -> Option<String> {
    let path = arn.split_once(":::")?.1;
    path.rsplit_once('/').map(|(folder, _)| folder.to_owned())
}

/// The log group of a log group's or stream's ARN.
fn group_of(arn: &str) -> Option<String> {
    let (_, rest) = arn.split_once(":log-group:")?;
    Some(rest.split(":log-stream:").next().unwrap_or(rest).to_owned())
}

/// A declared parameter may end in `*`; everything else in it stands for itself.
fn escaped_but_star(name: &str) -> String {
    match name.strip_suffix('*') {
        Some(stem) => format!("{}*", Pattern::literal(stem)),
        None => Pattern::literal(name).to_string(),
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
    fn places_are_read_off_names() {
        assert_eq!(folder_of("arn:aws:s3:::logs/sessions/a-1.log").as_deref(), Some("logs/sessions"));
        assert_eq!(group_of("arn:aws:logs:r:1:log-group:/a/b:log-stream:s").as_deref(), Some("/a/b"));
        assert_eq!(escaped_but_star("app/*x*"), "app/${*}x*");
    }
}
