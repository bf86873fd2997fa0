//! What the catalogue tells of an action, an event, a feature or a region.

use serde::Serialize;
use serde_json::Value;

use super::coverage::Visibility;
use super::events::Choose;

/// A name that the catalogue does not know: the caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not {what} that the catalogue knows{}", suggestion(.near))]
pub struct UnknownName {
    /// What was asked for, with its article: `an action`.
    pub what: &'static str,
    /// The name as it was given.
    pub name: String,
    /// Known names that are like it, the likest first.
    pub near: Vec<String>,
}

fn suggestion(near: &[String]) -> String {
    let names: Vec<String> = near.iter().map(|n| format!("`{n}`")).collect();
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(", ")) }
}

/// An action.
#[derive(Debug, Clone, Serialize)]
pub struct ActionDescription {
    /// `service:Name` as AWS writes it.
    pub action: String,
    /// The service's name.
    pub service: String,
    /// `List`, `Read`, `Write`, `Permissions management` or `Tagging`.
    pub access_level: String,
    /// The resource types it supports; empty where it only works on `*`.
    pub resource_types: Vec<ResourceType>,
    /// The condition keys it supports beside the global ones.
    pub condition_keys: Vec<String>,
    /// How CloudTrail shows it.
    pub cloudtrail: Visibility,
    /// The advanced event selector that makes a trail show it; `None` where none does.
    pub selector: Option<Value>,
    /// The events that need it, `source:name`.
    pub events: Vec<String>,
    /// The features that need it.
    pub features: Vec<NeededBy>,
    /// Where level, types and keys are from.
    pub source: String,
    /// The date of that source.
    pub date: String,
}

/// A resource type of an action.
#[derive(Debug, Clone, Serialize)]
pub struct ResourceType {
    /// Its name.
    pub name: String,
    /// Its ARN format.
    pub arn: String,
    /// Whether the action always needs one.
    pub required: bool,
}

/// A feature that needs an action.
#[derive(Debug, Clone, Serialize)]
pub struct NeededBy {
    /// The feature's name.
    pub feature: String,
    /// On what, in words.
    pub on: String,
    /// Why.
    pub why: String,
    /// Where the feature is documented.
    pub source: String,
}

impl NeededBy {
    pub(super) fn of((feature, on, why, source): (String, String, String, String)) -> Self {
        Self { feature, on, why, source }
    }
}

/// An event.
#[derive(Debug, Clone, Serialize)]
pub struct EventDescription {
    /// `source:name`.
    pub event: String,
    /// The actions that its call needs; empty where it needs none.
    pub actions: Vec<String>,
    /// What in the record chooses among them.
    pub choose: Option<Choose>,
    /// Why it needs no permission.
    pub no_permission: Option<String>,
    /// How sure the mapping is.
    pub confidence: String,
    /// What that confidence rests on.
    pub basis: String,
    /// The date of the table.
    pub date: String,
}

/// A feature.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureDescription {
    /// The name that `--need` takes.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Whether the SSM Agent's own needs come with it.
    pub through_agent: bool,
    /// How it shows itself in a trail, in words.
    pub signs: Vec<String>,
    /// What it needs.
    pub needs: Vec<Need>,
    /// The buckets of Systems Manager that it reads from.
    pub buckets: Vec<BucketKindDescription>,
    /// Where it is documented.
    pub source: String,
    /// The date of the table.
    pub date: String,
}

/// One need of a feature.
#[derive(Debug, Clone, Serialize)]
pub struct Need {
    /// The action.
    pub action: String,
    /// On what, in words.
    pub on: String,
    /// Why.
    pub why: String,
    /// How CloudTrail shows the action.
    pub cloudtrail: Visibility,
}

/// A kind of bucket.
#[derive(Debug, Clone, Serialize)]
pub struct BucketKindDescription {
    /// Its short name.
    pub kind: String,
    /// `current`, `legacy`, …
    pub status: String,
    /// Its name with `{region}`; `None` where each region has a name of its own.
    pub name: Option<String>,
    /// The features that read from it.
    pub features: Vec<String>,
    /// The platforms that read from it; empty for all.
    pub platforms: Vec<String>,
    /// The only regions in which it is used; empty for all.
    pub only_regions: Vec<String>,
    /// Where it is documented.
    pub source: String,
}

/// A region.
#[derive(Debug, Clone, Serialize)]
pub struct RegionDescription {
    /// Its name.
    pub region: String,
    /// Its partition.
    pub partition: String,
    /// Its buckets of Systems Manager.
    pub buckets: Vec<RegionBucket>,
    /// Kinds of which the name in this region is not known.
    pub unknown_buckets: Vec<String>,
    /// Whether the older message channel, `ec2messages`, exists there.
    pub legacy_channel: bool,
    /// Where that is documented.
    pub legacy_channel_source: String,
    /// Where the buckets are from.
    pub source: String,
    /// The date of that source.
    pub date: String,
}

/// A bucket in a region.
#[derive(Debug, Clone, Serialize)]
pub struct RegionBucket {
    /// The kind's short name.
    pub kind: String,
    /// The region.
    pub region: String,
    /// The bucket's name.
    pub name: String,
    /// The features that read from it.
    pub features: Vec<String>,
}
