//! Places that a feature uses: buckets of the service, buckets and log groups that receive output.

use std::collections::BTreeSet;

use super::floor::{Floored, Pass, fits};
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

    pub(super) fn writes_to(&self, bucket: &str) -> bool {
        self.scoped
            .uses
            .iter()
            .any(|(u, _)| u.action.as_str() == "s3:PutObject" && u.resource.literal_prefix().contains(&format!(":::{bucket}/")))
    }

    pub(super) fn log_groups(&self, feature: &Feature, given: &[String]) -> BTreeSet<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_off_names() {
        assert_eq!(folder_of("arn:aws:s3:::logs/sessions/a-1.log").as_deref(), Some("logs/sessions"));
        assert_eq!(group_of("arn:aws:logs:r:1:log-group:/a/b:log-stream:s").as_deref(), Some("/a/b"));
    }
}
