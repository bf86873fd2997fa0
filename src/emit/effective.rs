//! What the roles of a template may do: their attached and inline policies, as CloudFormation would give them to a role;
//! and what its VPC endpoints let through.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::iam::everyone;
use crate::template::{Document, Node, Value};

use super::endpoint::ENDPOINT;
use super::function::is_absent;
use super::mapping::mappings;
use super::place::POLICY_NAME;
use super::references::References;
use super::resolve::{ResolveError, StackValues, resolve};
use super::role::{Attached, RoleRef, roles};
use super::separate;

/// How many references of one policy are given a stand-in.
const REFERENCES: usize = 1_000;

/// A role with everything that is attached to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The logical id of the role.
    pub role: String,
    /// The ARNs of its managed policies, whatever condition they stand under.
    pub managed: BTreeSet<String>,
    /// Its inline policies, and those of resources that name it, as JSON.
    pub inline: Vec<Json>,
    /// Conditions that were taken to hold.
    pub conditions: BTreeSet<String>,
}

/// The roles of a template. References without a known value get a stand-in that is the same wherever they occur, and
/// conditions are taken to hold, so that two templates can be compared and nothing more.
///
/// # Errors
/// When a policy uses a function that is not evaluated here.
pub fn effective(doc: &Document) -> Result<Vec<Effective>, ResolveError> {
    roles(doc).into_iter().map(|role| one(doc, &role)).collect()
}

/// The policies of the VPC endpoints of a template by logical id, with the same stand-ins. One that has none lets
/// everything through; what cannot be read gives the reason.
#[must_use]
pub fn endpoints(doc: &Document) -> BTreeMap<String, Result<Json, ResolveError>> {
    let mut found = BTreeMap::new();
    for (key, resource) in doc.get(&["Resources"]).into_iter().flat_map(Node::entries) {
        if resource.get("Type").and_then(Node::as_str) != Some(ENDPOINT) {
            continue;
        }
        let policy = resource.get("Properties").and_then(|own| own.get("PolicyDocument")).filter(|own| !is_absent(*own));
        let read = policy.map(|own| {
            let value = Value::read(own.resolved()).unwrap_or(Value::Null);
            with_stand_ins(&value, &mut stand_in(doc), &mut BTreeSet::new())
        });
        let everything = || serde_json::from_str(everyone::FULL_ACCESS).unwrap_or_default();
        found.insert(key.as_str().unwrap_or_default().to_owned(), read.unwrap_or_else(|| Ok(everything())));
    }
    found
}

fn stand_in(doc: &Document) -> StackValues {
    StackValues {
        partition: "aws".to_owned(),
        region: "us-east-1".to_owned(),
        account: "111122223333".to_owned(),
        mappings: mappings(doc),
        ..StackValues::default()
    }
}

fn one(doc: &Document, role: &RoleRef) -> Result<Effective, ResolveError> {
    let mut stack = stand_in(doc);
    let given = giving(doc, role);
    let named = role.managed.iter().filter(|own| !given.iter().any(|(id, _)| is_reference(own, id)));
    let managed = named.filter_map(|own| own.arn.as_deref()).map(|arn| with_values(arn, &stack)).collect();
    let policies = doc.get(&["Resources", &role.id, "Properties", "Policies"]).map(Node::resolved);
    let mut conditions = BTreeSet::new();
    let mut inline = Vec::new();
    if let Some(policies) = policies.and_then(Value::read) {
        let json = with_stand_ins(&policies, &mut stack, &mut conditions)?;
        let lists = json.as_array().into_iter().flatten();
        inline.extend(lists.filter_map(|policy| policy.get("PolicyDocument").cloned()));
    }
    for (_, properties) in given {
        let Some(policy) = properties.get("PolicyDocument").map(Node::resolved).and_then(Value::read) else { continue };
        inline.push(with_stand_ins(&policy, &mut stack, &mut conditions)?);
    }
    Ok(Effective { role: role.id.clone(), managed, inline, conditions })
}

/// Resource types that hold a policy for roles that they name.
const SEPARATE: [&str; 3] = ["AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"];

/// The resources of a template that give a role a policy, by logical id.
fn giving<'d>(doc: &'d Document, role: &RoleRef) -> Vec<(String, Node<'d>)> {
    let references = References::of(doc);
    let named = |properties: Node<'_>| {
        let lists = ["Roles", "RoleName"].into_iter().filter_map(|key| properties.get(key));
        let mut names = lists.flat_map(|node| node.as_str().into_iter().chain(node.items().filter_map(Node::as_str)));
        role.role_name.as_deref().is_some_and(|own| names.any(|name| name == own))
    };
    let mut found = Vec::new();
    for (key, resource) in doc.get(&["Resources"]).into_iter().flat_map(Node::entries) {
        let (Some(id), Some(kind)) = (key.as_str(), resource.get("Type").and_then(Node::as_str)) else { continue };
        let (true, Some(properties)) = (SEPARATE.contains(&kind), resource.get("Properties")) else { continue };
        if references.direct(id, &role.id) || named(properties) || role.managed.iter().any(|own| is_reference(own, id)) {
            found.push((id.to_owned(), properties));
        }
    }
    found
}

/// Whether a managed policy is a resource of the template.
fn is_reference(own: &Attached, id: &str) -> bool {
    own.arn.as_deref().and_then(|arn| arn.strip_prefix("${")?.strip_suffix('}')) == Some(id)
}

/// What stands on a role beside the policy that policyc wrote: ARNs of managed policies, names of inline ones, logical ids of
/// resources that give it one. What cannot be read off has a name of its own in brackets.
#[must_use]
pub fn beside(doc: &Document, role: &str) -> Vec<String> {
    let Some(role) = roles(doc).into_iter().find(|found| found.id == role) else { return Vec::new() };
    let (values, given) = (stand_in(doc), giving(doc, &role));
    let text = |own: &Attached| own.arn.as_deref().map(|arn| with_values(arn, &values));
    let managed = role.managed.iter().filter(|own| !given.iter().any(|(id, _)| is_reference(own, id)));
    let managed = managed.map(|own| text(own).unwrap_or_else(|| "(a managed policy made by functions)".to_owned()));
    let inline = role.policies.iter().filter(|name| *name != POLICY_NAME).cloned();
    let others = given.iter().map(|(id, _)| id.clone()).filter(|id| *id != separate::policy_id(&role.id));
    managed.chain(inline).chain(others).collect()
}

fn with_values(arn: &str, stack: &StackValues) -> String {
    arn.replace("${AWS::Partition}", &stack.partition).replace("${AWS::AccountId}", &stack.account)
}

fn with_stand_ins(value: &Value, stack: &mut StackValues, conditions: &mut BTreeSet<String>) -> Result<Json, ResolveError> {
    let mut outcome = resolve(value, stack);
    for _ in 0..REFERENCES {
        let Err(ResolveError::Unknown(name)) = &outcome else { return outcome };
        let stand_in = match name.strip_suffix(".Arn") {
            Some(id) => format!("arn:aws:template:us-east-1:111122223333:{id}"),
            None => format!("value-of-{}", name.replace("::", "-").to_lowercase()),
        };
        // What is unknown is a name or a condition, and resolving again tells which.
        if stack.names.insert(name.clone(), stand_in).is_some() && stack.conditions.insert(name.clone(), true).is_some() {
            return outcome;
        }
        if stack.conditions.contains_key(name) {
            conditions.insert(name.clone());
        }
        outcome = resolve(value, stack);
    }
    outcome
}
