//! Who counts: a stack, its roles, their instances and addresses.
//!
//! A [`StackDescription`] is what is known of a deployed stack: written by hand, by `policyc record`, or, for the demo,
//! by the generator of its recording. `policyc.toml` says which stack is derived from what and into which files.

pub mod attached;
pub mod config;
pub mod draft;
pub mod last_used;

use std::collections::{BTreeMap, BTreeSet};

/// A deployed stack, or several that are looked at together.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackDescription {
    /// The version of this format.
    pub schema: u32,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// The account id.
    pub account: String,
    /// The region.
    pub region: String,
    /// A word on where the description comes from; shown, never interpreted.
    #[serde(default)]
    pub note: String,
    /// The stacks by name.
    pub stacks: BTreeMap<String, Stack>,
}

/// One CloudFormation stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Physical names of resources, by logical id.
    #[serde(default)]
    pub resources: BTreeMap<String, String>,
    /// Parameter values that differ from the template's defaults.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The roles, by logical id.
    pub roles: BTreeMap<String, Role>,
}

/// One role of a stack and what runs with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The role's physical name.
    pub name: String,
    /// Its ARN, with the path.
    pub arn: String,
    /// The instances that have run with it.
    #[serde(default)]
    pub instances: BTreeSet<String>,
    /// Those of them that ran when this was recorded, and of which no call was found, as somebody expected.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub silent: BTreeSet<String>,
    /// Public and private addresses that are the instances' own, as addresses or CIDR ranges.
    #[serde(default)]
    pub addresses: BTreeSet<String>,
    /// VPC endpoints that the instances' subnets reach.
    #[serde(default)]
    pub endpoints: BTreeSet<String>,
    /// What is attached to it, managed policies before inline ones; empty where the description does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<AttachedPolicy>,
    /// Its permissions boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<AttachedPolicy>,
}

/// A policy of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachedPolicy {
    /// Its name.
    pub name: String,
    /// Its ARN; empty for an inline policy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arn: String,
    /// The id of its default version; empty for an inline policy.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What becomes of it.
    #[serde(default)]
    pub treatment: Treatment,
    /// Its document; none where it is, word for word, the embedded policy of this name and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<serde_json::Value>,
}

/// What becomes of a policy that is attached to a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Treatment {
    /// The derived policy takes its place.
    Replaced,
    /// It stays.
    #[default]
    Kept,
}

impl AttachedPolicy {
    /// Whether AWS manages it. Those are what templates attach for want of something narrower.
    #[must_use]
    pub fn is_of_aws(&self) -> bool {
        self.arn.contains(":iam::aws:policy/")
    }
}
