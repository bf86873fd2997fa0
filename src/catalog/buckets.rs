//! The S3 buckets of Systems Manager in every region.
//!
//! No wildcard ever stands for the region: AWS's documentation warns that such a pattern reaches buckets of others.

use std::collections::BTreeMap;

use super::Catalog;
use crate::iam::{Arn, Pattern};

/// The table of buckets.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Buckets {
    /// When the table was made.
    pub date: String,
    /// Where it is from.
    pub source: String,
    /// The only action an instance needs on them.
    pub action: String,
    /// The kinds of buckets.
    pub buckets: Vec<BucketKind>,
    /// Region → kind → name, for kinds whose name does not follow the region.
    pub regions: BTreeMap<String, BTreeMap<String, String>>,
}

/// A kind of bucket.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
pub struct BucketKind {
    /// A short name for it.
    pub id: String,
    /// `current`, `legacy`, …
    pub status: String,
    /// Where it is documented.
    pub source: String,
    /// The features that read from it.
    pub features: Vec<String>,
    /// The name with `{region}`, where it follows the region.
    #[serde(default)]
    pub name: Option<String>,
    /// The kind in the regions' table, where it does not.
    #[serde(default)]
    pub per_region: Option<String>,
    /// The platforms that read from it; empty for all.
    #[serde(default)]
    pub platforms: Vec<String>,
    /// The regions in which it is used; empty for all.
    #[serde(default)]
    pub only_regions: Vec<String>,
}

/// A bucket in a region.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Bucket {
    /// The kind's short name.
    pub id: String,
    /// The bucket's name.
    pub name: String,
    /// Whether the name is the same in every region but for the region in it.
    pub follows_region: bool,
    /// Where it is documented.
    pub source: String,
}

/// The buckets of a feature, and the kinds of which the region's name is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Known buckets.
    pub buckets: Vec<Bucket>,
    /// Kinds without a known name in this region.
    pub unknown: Vec<String>,
}

impl Catalog {
    /// The buckets a feature reads from in a region, for platforms (`Linux`, `Windows`, `MacOS`); all where none is known.
    #[must_use]
    pub fn service_buckets(&self, feature: &str, region: &str, platforms: &[&str]) -> Found {
        let mut found = Found::default();
        let runs = |kind: &BucketKind| {
            platforms.is_empty() || kind.platforms.is_empty() || kind.platforms.iter().any(|p| platforms.contains(&p.as_str()))
        };
        let used = |kind: &&BucketKind| {
            kind.features.iter().any(|f| f == feature)
                && runs(kind)
                && (kind.only_regions.is_empty() || kind.only_regions.iter().any(|r| r == region))
        };
        for kind in self.buckets.buckets.iter().filter(used) {
            match self.bucket_name(kind, region) {
                Some(name) => found.buckets.push(Bucket {
                    id: kind.id.clone(),
                    name,
                    follows_region: kind.name.is_some(),
                    source: kind.source.clone(),
                }),
                None => found.unknown.push(kind.id.clone()),
            }
        }
        found
    }

    pub(super) fn bucket_name(&self, kind: &BucketKind, region: &str) -> Option<String> {
        let listed = self.buckets.regions.get(region);
        match (&kind.name, &kind.per_region) {
            (Some(name), _) => Some(name.replace("{region}", region)),
            (None, Some(per)) => listed?.get(per).cloned(),
            (None, None) => None,
        }
    }

    /// Whether a resource is a bucket of the service or lies in one.
    #[must_use]
    pub fn is_service_bucket(&self, resource: &Pattern) -> bool {
        let prefix = resource.literal_prefix();
        let Some(arn) = Arn::parse(&prefix).filter(|a| a.service == "s3") else { return false };
        let bucket = arn.resource.split('/').next().unwrap_or_default();
        let per_region = self.buckets.regions.values().any(|names| names.values().any(|n| n == bucket));
        let follows = |kind: &BucketKind| {
            let (before, after) = kind.name.as_deref().and_then(|n| n.split_once("{region}"))?;
            let region = bucket.strip_prefix(before)?.strip_suffix(after)?;
            Some(self.buckets.regions.contains_key(region))
        };
        per_region || self.buckets.buckets.iter().any(|k| follows(k).unwrap_or(false))
    }
}
