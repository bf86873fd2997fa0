//! The roles of a template, and who uses them.

use std::collections::BTreeSet;

use crate::template::{Document, Node};

use super::function::choice;
use super::managed::arn_text;
use super::references::References;

/// The resource type of a role.
pub(crate) const ROLE: &str = "AWS::IAM::Role";

/// The resource type of an instance profile.
const PROFILE: &str = "AWS::IAM::InstanceProfile";

/// Resource types that take an instance profile for the instances they are or start (AWS CloudFormation Template
/// Reference, `IamInstanceProfile`; read 2025-11).
const INSTANCES: [&str; 5] = [
    "AWS::EC2::Instance",
    "AWS::EC2::LaunchTemplate",
    "AWS::AutoScaling::LaunchConfiguration",
    "AWS::EC2::SpotFleet",
    "AWS::ImageBuilder::InfrastructureConfiguration",
];

/// A managed policy that a role names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The ARN, references in it as `${Name}`; nothing where it cannot be read off.
    pub arn: Option<String>,
    /// The conditions it stands under, outermost first, `!` before those that must not hold.
    pub conditions: Vec<String>,
}

/// A role of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRef {
    /// Its logical id.
    pub id: String,
    /// The line of its logical id, counted from 1.
    pub line: usize,
    /// The condition under which it exists.
    pub condition: Option<String>,
    /// The name it is given, where that is a plain text.
    pub role_name: Option<String>,
    /// The logical ids of the instance profiles that hold it.
    pub profiles: Vec<String>,
    /// The logical ids of the instances, launch templates and the like that use one of the profiles.
    pub instances: Vec<String>,
    /// Its managed policies.
    pub managed: Vec<Attached>,
    /// The names of its inline policies, where they are plain texts.
    pub policies: Vec<String>,
}

/// The roles of a template, in its order.
#[must_use]
pub fn roles(doc: &Document) -> Vec<RoleRef> {
    let Some(resources) = doc.get(&["Resources"]) else { return Vec::new() };
    let references = References::of(doc);
    let of_type = |kinds: &[&str]| -> Vec<&str> {
        let is = |node: Node<'_>| node.get("Type").and_then(Node::as_str).is_some_and(|kind| kinds.contains(&kind));
        resources.entries().filter(|(_, resource)| is(*resource)).filter_map(|(key, _)| key.as_str()).collect()
    };
    let (profiles, instances) = (of_type(&[PROFILE]), of_type(&INSTANCES));
    let users = |candidates: &[&str], of: &BTreeSet<&str>| -> Vec<String> {
        let uses = |id: &&&str| of.iter().any(|target| references.direct(id, target));
        candidates.iter().filter(uses).map(|id| (*id).to_owned()).collect()
    };
    let mut found = Vec::new();
    for (key, resource) in resources.entries() {
        let (Some(id), Some(ROLE)) = (key.as_str(), resource.get("Type").and_then(Node::as_str)) else { continue };
        let profiles = users(&profiles, &[id].into());
        let instances = users(&instances, &profiles.iter().map(String::as_str).collect());
        let property = |name: &str| resource.get("Properties").and_then(|properties| properties.get(name));
        let names =
            |list: Node<'_>| list.items().filter_map(|item| item.get("PolicyName")?.as_str().map(str::to_owned)).collect();
        found.push(RoleRef {
            id: id.to_owned(),
            line: doc.position(key.span().start).0,
            condition: resource.get("Condition").and_then(Node::as_str).map(str::to_owned),
            role_name: property("RoleName").and_then(Node::as_str).map(str::to_owned),
            profiles,
            instances,
            managed: managed(resource),
            policies: property("Policies").map(names).unwrap_or_default(),
        });
    }
    found
}

/// The managed policies that a role's resource names.
pub(crate) fn managed(role: Node<'_>) -> Vec<Attached> {
    let mut found = Vec::new();
    let list = role.get("Properties").and_then(|properties| properties.get("ManagedPolicyArns"));
    if let Some(node) = list.filter(|node| is_bounded(*node)) {
        attached(node, &mut Vec::new(), &mut found);
    }
    found
}

/// Whether a property can be walked through, alias by alias.
pub(crate) fn is_bounded(node: Node<'_>) -> bool {
    node.is_within(100_000, 200)
}

fn attached(node: Node<'_>, conditions: &mut Vec<String>, found: &mut Vec<Attached>) {
    if let Some((condition, yes, no)) = choice(node) {
        for (branch, name) in [(yes, condition.to_owned()), (no, format!("!{condition}"))] {
            conditions.push(name);
            attached(branch, conditions, found);
            conditions.pop();
        }
    } else if node.is_sequence() && node.tag().is_none() {
        node.items().for_each(|item| attached(item, conditions, found));
    } else if !super::function::is_absent(node) {
        found.push(Attached { arn: arn_text(node), conditions: conditions.clone() });
    }
}
