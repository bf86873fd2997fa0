//! Places that a feature uses: buckets of the service, buckets and log groups that receive output.

use std::collections::BTreeSet;

use super::floor::{Floored, Pass, escaped, fits};
use crate::catalog::features::{Feature, Place};
use crate::finding::{Code, Finding};
use crate::iam::Pattern;
use crate::ledger::Origin;

impl Pass<'_> {
    /// The buckets of the service. Platforms are those the agents report; all of them where one does not.
    pub(super) fn buckets(&self, floored: &mut Floored, feature: &Feature) -> Vec<Pattern> {
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
    pub(super) fn lacks_s3(&self) -> bool {
        let private = self.scoped.heartbeats.iter().all(|h| matches!(h.origin, Origin::Endpoint { .. }));
        let reached = self.scoped.uses.iter().any(|(u, _)| u.action.service() == "s3");
        !self.scoped.heartbeats.is_empty() && private && !reached
    }

    /// Buckets with prefix that receive output: named by operators' calls, by the instances' own, or declared.
    pub(super) fn outputs(&self, feature: &Feature, given: &[String]) -> BTreeSet<String> {
        let mut places: BTreeSet<String> = given.iter().map(|g| g.trim_end_matches(['/', '*']).to_owned()).collect();
        for rule in &feature.signs {
            for (sign, _) in self.scoped.signs.iter().filter(|(s, _)| rule.names == Some(Place::OutputBucket) && fits(rule, s)) {
                let bucket = sign.details.get("output-bucket").cloned().unwrap_or_default();
                let prefix = sign.details.get("output-prefix").map(|p| p.trim_matches('/')).filter(|p| !p.is_empty());
                places.insert(prefix.map_or(bucket.clone(), |p| format!("{bucket}/{p}")));
            }
            let place = match rule.names {
                Some(Place::SessionLog) => folder_of,
                Some(Place::CommandOutput) => command_output,
                _ => continue,
            };
            for (used, _) in self.scoped.uses.iter().filter(|(u, _)| self.shows(rule, u)) {
                places.extend(used.resource.as_literal().and_then(|t| place(&t)));
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

    pub(super) fn writes_to(&self, bucket: &str) -> bool {
        self.scoped
            .uses
            .iter()
            .any(|(u, _)| u.action.as_str() == "s3:PutObject" && u.resource.literal_prefix().contains(&format!(":::{bucket}/")))
    }

    /// The log groups that receive output: declared in every region of the agents, named by operators in the region of their call,
    /// and those whose streams the instances made, where they are.
    pub(super) fn log_groups(&self, feature: &Feature, given: &[String]) -> BTreeSet<Pattern> {
        let account = &self.question.account;
        let named = |name: &str| format!("log-group:{}", escaped(name));
        let own = given.iter().filter(|name| !name.is_empty());
        let mut groups: BTreeSet<Pattern> = own.flat_map(|name| self.regional("logs", account, &named(name))).collect();
        for rule in &feature.signs {
            for (sign, _) in self.scoped.signs.iter().filter(|(s, _)| fits(rule, s)) {
                let Some(name) = sign.details.get("output-log-group").filter(|name| !name.is_empty()) else { continue };
                let place = format!("arn:{}:logs:{}:{account}:{}", self.question.partition, sign.region, named(name));
                groups.insert(Pattern::parse(&place));
            }
            let streams = self.scoped.uses.iter().filter(|(u, _)| u.action.service() == "logs" && self.shows(rule, u));
            groups.extend(streams.filter_map(|(u, _)| group_of(&u.resource.as_literal()?)));
        }
        groups
    }
}

/// The bucket and folder of an object's ARN.
fn folder_of(arn: &str) -> Option<String> {
    let path = arn.split_once(":::")?.1;
    path.rsplit_once('/').map(|(folder, _)| folder.to_owned())
}

/// The bucket and folder below which an object is the output of a command: behind the prefix that the command was given stand its
/// id and that of the instance.
///
/// Source: AWS Systems Manager API Reference, CommandPlugin, `OutputS3KeyPrefix`: the instance's id and the plugin behind a prefix,
/// of which older examples end in an id of that form. Of associations no order is documented, so theirs is not read.
pub(super) fn command_output(arn: &str) -> Option<String> {
    let path: Vec<&str> = arn.split_once(":::")?.1.split('/').collect();
    let is_id = |text: &str| {
        let groups: Vec<&str> = text.split('-').collect();
        groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.concat().bytes().all(|b| b.is_ascii_hexdigit())
    };
    let is_instance = |text: &str| text.starts_with("i-") || text.starts_with("mi-");
    let at = path.windows(2).position(|pair| matches!(pair, [id, instance] if is_id(id) && is_instance(instance)))?;
    (at > 0).then(|| path.get(..at).unwrap_or_default().join("/"))
}

/// The log group of a log group's or stream's ARN, as an ARN.
fn group_of(arn: &str) -> Option<Pattern> {
    let (place, rest) = arn.split_once(":log-group:")?;
    let name = rest.split(":log-stream:").next().filter(|name| !name.is_empty())?;
    Some(Pattern::literal(&format!("{place}:log-group:{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_off_names() {
        assert_eq!(folder_of("arn:aws:s3:::logs/sessions/a-1.log").as_deref(), Some("logs/sessions"));
        let output = |key: &str| command_output(&format!("arn:aws:s3:::logs/{key}"));
        let id = "0f0e5a52-9c1c-4d7c-8f3a-1b2c3d4e5f60";
        assert_eq!(output(&format!("out/{id}/i-0a/awsrunShellScript/0.x/stdout")).as_deref(), Some("logs/out"));
        assert_eq!(output(&format!("{id}/i-0a/stdout")).as_deref(), Some("logs"));
        assert_eq!(output(&format!("out/i-0a/{id}/stdout")), None);
        assert_eq!(output(&format!("out/{id}/stdout")), None);
        assert_eq!(output("out/i-0a/stdout"), None);
        let group = group_of("arn:aws:logs:r:1:log-group:/a/b:log-stream:s").map(|group| group.to_string());
        assert_eq!(group.as_deref(), Some("arn:aws:logs:r:1:log-group:/a/b"));
        assert_eq!(group_of("arn:aws:logs:r:1:log-group::log-stream:s"), None);
    }
}
