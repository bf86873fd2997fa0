//! Whose permissions instances have: a role of the same template, or one that stands elsewhere, and where.

use std::collections::BTreeSet;

use crate::template::{Document, Node};

use super::function::{choice, function, is_absent};
use super::managed::arn_text;
use super::role::{ROLE, RoleRef, roles};

/// Where each resource type names the instance profile, the role, or the resource that does; `*` stands for each item
/// of a list (AWS CloudFormation Template Reference, read 2025-11).
const PATHS: [(&str, &[&str]); 15] = [
    ("AWS::IAM::InstanceProfile", &["Roles", "*"]),
    ("AWS::EC2::Instance", &["IamInstanceProfile"]),
    ("AWS::EC2::Instance", &["LaunchTemplate", "LaunchTemplateId"]),
    ("AWS::EC2::Instance", &["LaunchTemplate", "LaunchTemplateName"]),
    ("AWS::EC2::LaunchTemplate", &["LaunchTemplateData", "IamInstanceProfile", "Arn"]),
    ("AWS::EC2::LaunchTemplate", &["LaunchTemplateData", "IamInstanceProfile", "Name"]),
    ("AWS::EC2::EC2Fleet", &["LaunchTemplateConfigs", "*", "LaunchTemplateSpecification", "LaunchTemplateId"]),
    ("AWS::EC2::SpotFleet", &["SpotFleetRequestConfigData", "LaunchSpecifications", "*", "IamInstanceProfile", "Arn"]),
    (
        "AWS::EC2::SpotFleet",
        &["SpotFleetRequestConfigData", "LaunchTemplateConfigs", "*", "LaunchTemplateSpecification", "LaunchTemplateId"],
    ),
    ("AWS::AutoScaling::LaunchConfiguration", &["IamInstanceProfile"]),
    ("AWS::AutoScaling::AutoScalingGroup", &["LaunchConfigurationName"]),
    ("AWS::AutoScaling::AutoScalingGroup", &["LaunchTemplate", "LaunchTemplateId"]),
    (
        "AWS::AutoScaling::AutoScalingGroup",
        &["MixedInstancesPolicy", "LaunchTemplate", "LaunchTemplateSpecification", "LaunchTemplateId"],
    ),
    ("AWS::ImageBuilder::InfrastructureConfiguration", &["InstanceProfileName"]),
    ("AWS::Lambda::Function", &["Role"]),
];

/// How many resources lead from an instance to its role at most; more is a cycle.
const MAX_STEPS: usize = 8;

/// Where a role stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// In the template, under this logical id.
    Role(String),
    /// Whoever sets this parameter of the template decides.
    Parameter(String),
    /// Another stack exports it under this name.
    Import(String),
    /// A nested stack creates it.
    Nested {
        /// The logical id of the nested stack.
        stack: String,
        /// Its output.
        output: String,
    },
    /// A macro or module creates it when the stack is deployed; this is the resource or function it stands in.
    Made(String),
    /// It exists already, under this name or ARN.
    Named(String),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Role(id) => write!(f, "role `{id}`"),
            Self::Parameter(name) => write!(f, "what parameter `{name}` names: inject into the template that creates it"),
            Self::Import(name) => write!(f, "what another stack exports as `{name}`: inject into that stack's template"),
            Self::Nested { stack, output } => {
                write!(f, "output `{output}` of the nested stack `{stack}`: inject into that stack's template")
            }
            Self::Made(by) => {
                write!(f, "made by `{by}` when the stack is deployed: write the role out, or inject into what makes it")
            }
            Self::Named(name) => {
                write!(f, "`{name}`, which exists outside of the template: inject into the template it comes from")
            }
        }
    }
}

/// Why there is no role to inject into. The caller named none or another thing, or the template's author keeps the role
/// elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// Nothing has the logical id.
    #[error("nothing is called `{asked}`; the roles are: {}", listed(known))]
    NoSuch {
        /// What was asked for.
        asked: String,
        /// The roles there are.
        known: Vec<RoleRef>,
    },
    /// There are several roles and none was named.
    #[error("there are several roles, say which with `--role`: {}", listed(.0))]
    Several(Vec<RoleRef>),
    /// The resource takes one role or another, by conditions.
    #[error("`{asked}` has one of several roles, say which with `--role`: `{}`", roles.join("`, `"))]
    Chosen {
        /// What was asked for.
        asked: String,
        /// The logical ids of the roles.
        roles: Vec<String>,
    },
    /// The role stands somewhere else.
    #[error("the role of `{asked}` is {}", .owners.iter().map(Owner::to_string).collect::<Vec<_>>().join("; or "))]
    Elsewhere {
        /// The resource.
        asked: String,
        /// Where the role stands.
        owners: BTreeSet<Owner>,
    },
    /// The resource has no role.
    #[error("`{asked}` of type `{kind}` names no role and no instance profile")]
    Without {
        /// The resource.
        asked: String,
        /// Its type.
        kind: String,
    },
    /// The template has no role, nor a resource that would have one.
    #[error("the template has no role of its own")]
    None,
}

fn listed(roles: &[RoleRef]) -> String {
    let one = |role: &RoleRef| match role.instances.as_slice() {
        [] => format!("`{}`", role.id),
        users => format!("`{}` (of `{}`)", role.id, users.join("`, `")),
    };
    if roles.is_empty() { "none".to_owned() } else { roles.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// The role that is meant: by its own logical id, by that of an instance, launch template, group or instance profile
/// that has it, or the only one there is.
///
/// # Errors
/// When no role, or more than one, is meant, or the role stands elsewhere.
pub fn role_of(doc: &Document, asked: Option<&str>) -> Result<String, RoleError> {
    let known = roles(doc);
    let Some(asked) = asked else {
        return match known.as_slice() {
            [one] => Ok(one.id.clone()),
            [] => Err(missing(doc)),
            _ => Err(RoleError::Several(known)),
        };
    };
    let Some(resource) = doc.get(&["Resources", asked]) else {
        return Err(match looped(doc) {
            Some(by) if known.is_empty() => elsewhere(asked, Owner::Made(by)),
            _ => RoleError::NoSuch { asked: asked.to_owned(), known },
        });
    };
    let owners = owners(doc, asked);
    let mut own: Vec<String> = Vec::new();
    own.extend(owners.iter().filter_map(|owner| if let Owner::Role(id) = owner { Some(id.clone()) } else { None }));
    match own.as_slice() {
        [one] if owners.len() == 1 => Ok(one.clone()),
        [_, _, ..] => Err(RoleError::Chosen { asked: asked.to_owned(), roles: own }),
        _ if owners.is_empty() => {
            let kind = resource.get("Type").and_then(Node::as_str).unwrap_or("").to_owned();
            Err(RoleError::Without { asked: asked.to_owned(), kind })
        }
        _ => Err(RoleError::Elsewhere { asked: asked.to_owned(), owners }),
    }
}

fn elsewhere(asked: &str, owner: Owner) -> RoleError {
    RoleError::Elsewhere { asked: asked.to_owned(), owners: [owner].into() }
}

/// A template without roles says why it has none: its first resource that has one from elsewhere.
fn missing(doc: &Document) -> RoleError {
    let resources = doc.get(&["Resources"]);
    let ids = resources.into_iter().flat_map(Node::entries).filter_map(|(key, _)| key.as_str());
    let found = ids.map(|id| (id, owners(doc, id))).find(|(_, owners)| !owners.is_empty());
    match (found, looped(doc)) {
        (Some((id, owners)), _) => RoleError::Elsewhere { asked: id.to_owned(), owners },
        (None, Some(by)) => elsewhere("the template", Owner::Made(by)),
        (None, None) => RoleError::None,
    }
}

/// The loop or macro that makes resources of the template, where there is one.
fn looped(doc: &Document) -> Option<String> {
    let keys = doc.get(&["Resources"])?.entries().filter_map(|(key, _)| key.as_str());
    keys.into_iter().find(|key| key.starts_with("Fn::ForEach::") || *key == "Fn::Transform").map(str::to_owned)
}

/// Where the roles stand that a resource has, or that it gives the instances it starts.
#[must_use]
pub fn owners(doc: &Document, id: &str) -> BTreeSet<Owner> {
    let mut found = BTreeSet::new();
    resource(doc, id, "", MAX_STEPS, &mut found);
    found
}

fn resource(doc: &Document, id: &str, attribute: &str, steps: usize, found: &mut BTreeSet<Owner>) {
    let Some(node) = doc.get(&["Resources", id]).filter(|_| steps > 0) else { return };
    let kind = node.get("Type").and_then(Node::as_str).unwrap_or("");
    if kind == ROLE {
        found.insert(Owner::Role(id.to_owned()));
    } else if kind == "AWS::CloudFormation::Stack" && !attribute.is_empty() {
        let output = attribute.strip_prefix("Outputs.").unwrap_or(attribute).to_owned();
        found.insert(Owner::Nested { stack: id.to_owned(), output });
    } else if kind.ends_with("::MODULE") || kind.starts_with("AWS::Serverless::") {
        let own = node.get("Properties").and_then(|properties| properties.get("Role"));
        match own {
            Some(role) => value(doc, role, steps - 1, found),
            None => found.extend([Owner::Made(id.to_owned())]),
        }
    }
    let Some(properties) = node.get("Properties") else { return };
    for (_, path) in PATHS.iter().filter(|(of, _)| *of == kind) {
        follow(doc, properties, path, steps - 1, found);
    }
}

/// What stands at a path below a node, whatever conditions choose on the way.
fn follow(doc: &Document, node: Node<'_>, path: &[&str], steps: usize, found: &mut BTreeSet<Owner>) {
    if let Some((_, yes, no)) = choice(node) {
        [yes, no].into_iter().for_each(|branch| follow(doc, branch, path, steps, found));
        return;
    }
    match path {
        [] => value(doc, node, steps, found),
        ["*", rest @ ..] if node.is_sequence() && node.tag().is_none() => {
            node.items().for_each(|item| follow(doc, item, rest, steps, found));
        }
        // The whole list is given by a function.
        ["*", ..] => value(doc, node, steps, found),
        [key, rest @ ..] => {
            if let Some(inner) = node.get(key) {
                follow(doc, inner, rest, steps, found);
            } else if node.get("Fn::Transform").is_some() {
                found.insert(Owner::Made("Fn::Transform".to_owned()));
            }
        }
    }
}

fn value(doc: &Document, node: Node<'_>, steps: usize, found: &mut BTreeSet<Owner>) {
    if is_absent(node) || steps == 0 {
        return;
    }
    if let Some(text) = node.as_str() {
        found.insert(Owner::Named(text.to_owned()));
        return;
    }
    let Some((name, argument)) = function(node) else { return };
    let text = || arn_text(argument).or_else(|| argument.scalar().map(str::to_owned)).unwrap_or_else(|| "…".to_owned());
    match name {
        "Ref" => target(doc, argument.scalar().unwrap_or(""), "", steps, found),
        "GetAtt" => {
            let mut parts = argument.items().filter_map(Node::scalar);
            let (id, attribute) = match (parts.next(), parts.next()) {
                (Some(id), attribute) => (id, attribute.unwrap_or("")),
                (None, _) => argument.scalar().and_then(|text| text.split_once('.')).unwrap_or_default(),
            };
            target(doc, id, attribute, steps, found);
        }
        "ImportValue" => drop(found.insert(Owner::Import(text()))),
        "Transform" => drop(found.insert(Owner::Made("Fn::Transform".to_owned()))),
        "If" => {
            let branches = choice(node).map(|(_, yes, no)| [yes, no]);
            branches.into_iter().flatten().for_each(|branch| value(doc, branch, steps - 1, found));
        }
        _ => drop(found.insert(Owner::Named(arn_text(node).unwrap_or_else(|| format!("Fn::{name}"))))),
    }
}

fn target(doc: &Document, id: &str, attribute: &str, steps: usize, found: &mut BTreeSet<Owner>) {
    if doc.get(&["Parameters", id]).is_some() {
        found.insert(Owner::Parameter(id.to_owned()));
    } else {
        resource(doc, id, attribute, steps, found);
    }
}
