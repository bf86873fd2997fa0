//! Putting a policy into the role of a CloudFormation template, in place of a managed policy, and back.
//!
//! INVARIANT (inject-idempotent): injecting twice changes nothing, and injecting one policy after another leaves what
//! the last one alone would have left. To that end nothing that is going to be replaced influences how it is written.
//! INVARIANT (eject-inject): `inject(eject(x)) == x` for a template `x` whose section stands where `inject` puts it.

use crate::template::{Document, Edit, Node, Span, Style, TemplateError, Value};

use super::inline::{self, Branch, Placing};
use super::managed::{Left, Presence, Wanted, owned};
use super::mapping::{self, Maps, RegionalName};
use super::section;

/// How often the section may stand in a role, under conditions that exclude each other. IAM counts one of them.
const MAX_COPIES: usize = 4;

/// What to put in, and what it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// The logical id of the role.
    pub role: String,
    /// The managed policies that go: by ARN, by path and name, or by name; case does not matter.
    pub remove_managed: Vec<String>,
    /// The `PolicyName` of the section. An inline policy of this name is replaced.
    pub policy_name: String,
    /// The policy document.
    pub section: Value,
    /// The names that the section looks up in the map of the role ([`super::mapping::map_name`]).
    pub regional: Vec<RegionalName>,
    /// Lines that say where the section comes from. The first begins with [`section::MARKER`]; it is put in front
    /// where the caller left it out.
    pub comments: Vec<String>,
}

/// What to take out, and what it is replaced by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ejection {
    /// The logical id of the role.
    pub role: String,
    /// The `PolicyName` of the section.
    pub policy_name: String,
    /// The managed policy that takes its place, by path and name such as `service-role/AmazonEC2RoleforSSM`.
    pub managed: String,
}

/// Something to tell about a change that was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// The managed policy was attached under a condition, and so is the section now.
    Conditional {
        /// The conditions, outermost first.
        conditions: Vec<String>,
    },
    /// The role had neither the managed policy nor an earlier section.
    NothingReplaced,
    /// A policy of the section's name was replaced that carries no marker comment.
    Unmarked,
    /// Comments of the removed entry had to go, because the section stands where there is no room for comments.
    CommentsDropped(Vec<String>),
}

/// A template with a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// The template.
    pub bytes: Vec<u8>,
    /// Whether it differs from the one given.
    pub changed: bool,
    /// What is worth telling.
    pub notes: Vec<Note>,
}

/// Why a template is left alone. Except for [`InjectError::Unfaithful`], the template is written in a way that this
/// version does not edit, or is not the one the caller means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// The bytes are no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// No resource has the logical id.
    #[error("the template has no role `{role}`; its roles are: {}", list(known))]
    NoSuchRole {
        /// The logical id asked for.
        role: String,
        /// The roles there are.
        known: Vec<String>,
    },
    /// The resource is something else.
    #[error("`{role}` is of type `{kind}`, not `AWS::IAM::Role`")]
    NotARole {
        /// The logical id.
        role: String,
        /// Its type.
        kind: String,
    },
    /// A part of the role is not written out as a list or mapping.
    #[error("{place} of role `{role}` is not written out as {expected}")]
    Shape {
        /// The logical id.
        role: String,
        /// The property.
        place: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// An anchor and its aliases share what would have to change.
    #[error("line {line}: an alias shares this with another place, and a change here would change that too")]
    Shared {
        /// The line, counted from 1.
        line: usize,
    },
    /// The managed policy comes from a parameter's default.
    #[error(
        "the managed policy is the default of parameter `{parameter}`; change the default, or the stack's parameter, by hand"
    )]
    Parameter {
        /// The parameter.
        parameter: String,
    },
    /// Functions make the managed policy's ARN out of something else.
    #[error(
        "line {line}: the managed policy's name goes through functions from here into `ManagedPolicyArns`; write its ARN out in the role first"
    )]
    Made {
        /// The line, counted from 1.
        line: usize,
    },
    /// The policy would stand under a condition that what has to wait for it does not stand under.
    #[error(
        "the policy of `{role}` would stand under a condition, and `{user}`, which has to wait for it, does not; attach it inline"
    )]
    Waits {
        /// The logical id of the role.
        role: String,
        /// The logical id of the instance, launch template and the like.
        user: String,
    },
    /// The policy is attached under too many conditions, or shares one with another policy.
    #[error(
        "role `{role}` has the policy under more conditions than the section can follow, or beside another policy in one `Fn::If`; attach it under one condition, and derive again"
    )]
    Conditions {
        /// The logical id.
        role: String,
    },
    /// A `<<` brings what would have to change.
    #[error("line {line}: `{key}` comes from a merge (`<<`), and belongs to every mapping that merges it; write it out here")]
    Merged {
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// A macro writes some of the role's properties when the stack is deployed.
    #[error(
        "the properties of role `{role}` are completed by `Fn::Transform`; inject into what it includes, or write them out here"
    )]
    Transform {
        /// The logical id.
        role: String,
    },
    /// Another resource has the logical id of the policy.
    #[error("`{id}` is a resource of another type, and policyc would call the policy so; rename it")]
    Taken {
        /// The logical id.
        id: String,
    },
    /// The policy resource cannot become an inline policy: the role is there without it.
    #[error("`{id}` stands under a condition of its own; take it out by hand before the policy becomes inline")]
    Conditional {
        /// The logical id.
        id: String,
    },
    /// An instance that has to wait for the policy is needed by it.
    #[error("`{resource}` would have to wait for the policy, which refers to it; attach the policy inline")]
    Cycle {
        /// The logical id of the instance.
        resource: String,
    },
    /// There is nothing to take out.
    #[error("role `{role}` has no inline policy `{policy}`")]
    NoSection {
        /// The logical id.
        role: String,
        /// The policy's name.
        policy: String,
    },
    /// The edited template does not read as intended. This indicates a bug in policyc.
    #[error("the edited template does not read back as intended: {0}")]
    Unfaithful(&'static str),
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ") }
}

/// A role's properties, with the two that matter here.
pub(crate) struct Role<'d> {
    pub(crate) doc: &'d Document,
    pub(crate) id: &'d str,
    pub(crate) properties: Node<'d>,
    pub(crate) managed: Option<(usize, Node<'d>)>,
    pub(crate) policies: Option<(usize, Node<'d>)>,
}

impl<'d> Role<'d> {
    pub(crate) fn find(doc: &'d Document, role: &str) -> Result<Self, InjectError> {
        let resources = doc.get(&["Resources"]);
        let found = resources.and_then(|all| all.entries().find(|(key, _)| key.as_str() == Some(role)));
        let (Some((key, resource)), Some(resources)) = (found, resources) else {
            let known = super::role::roles(doc).into_iter().map(|role| role.id).collect();
            return Err(InjectError::NoSuchRole { role: role.to_owned(), known });
        };
        let kind = resource.get("Type").and_then(Node::as_str).unwrap_or("");
        if kind != super::role::ROLE {
            return Err(InjectError::NotARole { role: role.to_owned(), kind: kind.to_owned() });
        }
        let shape = InjectError::Shape { role: role.to_owned(), place: "`Properties`", expected: "a mapping" };
        merged(resource, &["Type", "Properties"])?;
        let properties =
            resource.get("Properties").filter(|node| node.is_mapping() && node.tag().is_none()).ok_or_else(|| shape.clone())?;
        for node in [resources, resource, properties] {
            owned(node)?;
        }
        if properties.entries().len() == 0 {
            return Err(shape);
        }
        merged(properties, &["ManagedPolicyArns", "Policies"])?;
        if properties.get("Fn::Transform").is_some() {
            return Err(InjectError::Transform { role: role.to_owned() });
        }
        let property = |name: &str| {
            let at = properties.entries().position(|(key, _)| key.as_str() == Some(name))?;
            properties.get(name).map(|value| (at, value))
        };
        let (managed, policies) = (property("ManagedPolicyArns"), property("Policies"));
        Ok(Self { doc, id: key.as_str().unwrap_or(""), properties, managed, policies })
    }

    pub(crate) fn shape(&self, place: &'static str) -> InjectError {
        InjectError::Shape { role: self.id.to_owned(), place, expected: "a list" }
    }

    /// Parts that are to be replaced must not influence the style.
    pub(crate) fn style(&self, branches: &[Branch<'_>]) -> Style {
        let mut skip: Vec<Span> = self.managed.iter().map(|(_, node)| node.full_span()).collect();
        skip.extend(Maps::find(self.doc, self.id).skip());
        let whole = branches.iter().all(|branch| branch.list.is_none_or(|list| branch.own.items.len() == list.items().len()));
        skip.extend(self.policies.filter(|_| whole).map(|(_, node)| node.full_span()));
        for branch in branches {
            let Some(list) = branch.list else { continue };
            skip.extend(branch.own.items.iter().filter_map(|&n| self.doc.child_span(list, n)));
        }
        Style::around(self.properties, &skip)
    }
}

/// Refuses a mapping that takes one of the keys out of another mapping by `<<`: what stands there belongs to both.
pub(crate) fn merged(node: Node<'_>, keys: &[&str]) -> Result<(), InjectError> {
    for (key, value) in node.entries().filter(|(key, _)| key.as_str() == Some("<<")) {
        let sources: Vec<Node<'_>> = if value.is_sequence() { value.items().collect() } else { vec![value] };
        if let Some(taken) = keys.iter().find(|wanted| sources.iter().any(|source| brings(*source, wanted, 8))) {
            let (line, _) = node.document().position(key.span().start);
            return Err(InjectError::Merged { line, key: (*taken).to_owned() });
        }
    }
    Ok(())
}

/// Whether a mapping has a key, also through the merges in it.
fn brings(node: Node<'_>, key: &str, depth: usize) -> bool {
    let inner = || node.get("<<").into_iter().flat_map(|inner| std::iter::once(inner).chain(inner.items()));
    node.get(key).is_some() || (depth > 0 && inner().any(|inner| brings(inner, key, depth - 1)))
}

/// Puts a section into a role and takes the managed policies out.
///
/// # Errors
/// When the template cannot be edited faithfully; nothing is changed then.
pub fn inject(bytes: &[u8], request: &Injection) -> Result<Injected, InjectError> {
    let (edited, notes) = inject_into(&Document::parse(bytes)?, request)?;
    Ok(Injected { changed: bytes != edited.bytes(), bytes: edited.bytes().to_vec(), notes })
}

/// [`inject`] for a template that has been read already; reading one is what costs.
pub(crate) fn inject_into(doc: &Document, request: &Injection) -> Result<(Document, Vec<Note>), InjectError> {
    let role = Role::find(doc, &request.role)?;
    let branches = inline::branches(&role, &request.policy_name)?;
    if branches.iter().any(|branch| branch.shares_choice(&request.policy_name)) {
        return Err(InjectError::Conditions { role: request.role.clone() });
    }
    let style = role.style(&branches);
    let wanted = Wanted { doc, names: &request.remove_managed };
    let attached = role.managed.map_or(Ok(Presence::Never), |(_, node)| wanted.list(node))?;
    let mut notes = Vec::new();
    let mut presence = section::find(role.policies.map(|(_, node)| node), &request.policy_name).0.or(attached);
    if presence == Presence::Never {
        notes.push(Note::NothingReplaced);
        presence = Presence::Always;
    }
    if presence.leaves() > MAX_COPIES {
        return Err(InjectError::Conditions { role: request.role.clone() });
    }
    let conditions = conditions(&presence);
    if !conditions.is_empty() {
        notes.push(Note::Conditional { conditions });
    }
    let left = match role.managed {
        Some((_, node)) => wanted.strip(node, &style)?,
        None => Left::Value(Vec::new()),
    };
    let policy = section::policy(&request.policy_name, &request.section);
    let mut placing =
        Placing { role: &role, style: &style, notes: &mut notes, presence: &presence, policy, comments: &request.comments };
    let mut edits = placing.edits(left, &branches)?;
    edits.extend(Maps::find(doc, role.id).edits(&request.regional, &style)?);
    unshared(doc, &edits)?;
    let edited = doc.apply(edits)?;
    verify(&edited, request, &presence)?;
    Ok((edited, notes))
}

/// Refuses edits that would take an anchor away from aliases elsewhere.
pub(crate) fn unshared(doc: &Document, edits: &[Edit]) -> Result<(), InjectError> {
    let spans: Vec<Span> = edits.iter().map(|edit| edit.span.clone()).collect();
    match doc.anchored_within(&spans) {
        Some(at) => Err(InjectError::Shared { line: doc.position(at).0 }),
        None => Ok(()),
    }
}

/// The conditions that decide, each once, outermost first.
fn conditions(presence: &Presence) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![presence];
    while let Some(next) = open.pop() {
        if let Presence::If { condition, yes, no } = next {
            if !found.contains(condition) {
                found.push(condition.clone());
            }
            open.extend([no.as_ref(), yes.as_ref()]);
        }
    }
    found
}

/// The edited template has the section as it was meant, once, and the managed policies no more.
fn verify(edited: &Document, request: &Injection, presence: &Presence) -> Result<(), InjectError> {
    let role = Role::find(edited, &request.role)?;
    let wanted = Wanted { doc: edited, names: &request.remove_managed };
    if role.managed.map_or(Ok(Presence::Never), |(_, node)| wanted.list(node))? != Presence::Never {
        return Err(InjectError::Unfaithful("the managed policy is still attached"));
    }
    let (found, documents) = section::find(role.policies.map(|(_, node)| node), &request.policy_name);
    let meant = request.section.to_json();
    let as_meant = |document: &Node<'_>| Value::read(*document).is_some_and(|value| value.to_json() == meant);
    if !found.means(presence) || documents.is_empty() || !documents.iter().all(as_meant) {
        return Err(InjectError::Unfaithful("the section is not what was put in"));
    }
    let map = edited.get(&["Mappings", &mapping::map_name(&request.role)]).and_then(Value::read);
    let meant = (!request.regional.is_empty()).then(|| mapping::content(&request.regional).to_json());
    if map.map(|map| map.to_json()) != meant {
        return Err(InjectError::Unfaithful("the names in each region are not what was put in"));
    }
    Ok(())
}

/// The policy document that a role has under a `PolicyName`, intrinsic functions in it, for [`super::resolve()`].
///
/// # Errors
/// When the template has no such role.
pub fn section_of(doc: &Document, role: &str, policy_name: &str) -> Result<Option<Value>, InjectError> {
    let policies = Role::find(doc, role)?.policies.map(|(_, node)| node);
    Ok(section::find(policies, policy_name).1.first().copied().and_then(Value::read))
}
