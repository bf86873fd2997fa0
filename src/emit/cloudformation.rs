//! Putting a policy into the role of a CloudFormation template, in place of a managed policy, and back.
//!
//! INVARIANT (inject-idempotent): injecting twice changes nothing, and injecting one policy after another leaves what
//! the last one alone would have left. To that end nothing that is going to be replaced influences how it is written.
//! INVARIANT (eject-inject): `inject(eject(x)) == x` for a template `x` whose section stands where `inject` puts it.

use crate::template::{Document, Edit, Node, Span, Style, Value};

use super::inline::{self, Branch, Placing};
use super::managed::{Left, Presence, Wanted, owned};
use super::mapping::{self, Maps, RegionalName};
use super::section;

pub use super::refusal::InjectError;

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
        complete(properties, role)?;
        let property = |name: &str| {
            let at = properties.entries().position(|(key, _)| key.as_str() == Some(name))?;
            properties.get(name).map(|value| (at, value))
        };
        let (managed, policies) = (property("ManagedPolicyArns"), property("Policies"));
        if let Some((_, node)) = [managed, policies].into_iter().flatten().find(|(_, node)| !super::role::is_bounded(*node)) {
            return Err(InjectError::Aliases { line: doc.position(node.full_span().start).0 });
        }
        Ok(Self { doc, id: key.as_str().unwrap_or(""), properties, managed, policies })
    }

    pub(crate) fn shape(&self, place: &'static str) -> InjectError {
        InjectError::Shape { role: self.id.to_owned(), place, expected: "a list" }
    }

    /// Parts that are to be replaced must not influence the style.
    pub(crate) fn style(&self, branches: &[Branch<'_>]) -> Style {
        let mut skip: Vec<Span> = self.managed.iter().map(|(_, node)| node.full_span()).collect();
        skip.extend(Maps::find(self.doc, self.id).skip());
        let whole = branches.iter().all(Branch::is_ours);
        skip.extend(self.policies.filter(|_| whole).map(|(_, node)| node.full_span()));
        for branch in branches {
            // A place among the arguments of an `Fn::If` that has nothing but ours, or nothing yet, is written anew.
            let slot = branch.slot.filter(|_| branch.is_ours());
            skip.extend(slot.and_then(|(arguments, index)| arguments.items().nth(index)).map(Node::full_span));
            let Some(list) = branch.list else { continue };
            skip.extend(branch.own.items.iter().filter_map(|&n| self.doc.child_span(list, n)));
        }
        Style::around(self.properties, &skip)
    }
}

/// Refuses properties that a macro or a loop completes when the stack is deployed.
pub(crate) fn complete(properties: Node<'_>, role: &str) -> Result<(), InjectError> {
    let role = role.to_owned();
    if properties.get("Fn::Transform").is_some() {
        return Err(InjectError::Transform { role });
    }
    let mut keys = properties.entries().filter_map(|(key, _)| key.as_str());
    match keys.find(|key| key.starts_with("Fn::ForEach::")) {
        Some(key) => Err(InjectError::Loop { role, key: key.to_owned() }),
        None => Ok(()),
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
