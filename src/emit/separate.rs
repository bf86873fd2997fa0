//! The derived policy as a resource of its own beside the role, and the dependencies that keep instances from starting
//! before they have it.

use std::collections::BTreeSet;

use crate::stack::config::AttachAs;
use crate::template::{Collection, Document, Edit, Entry, Item, Kind, Node, Pair, Place, Style, Value};

use super::cloudformation::{InjectError, Injected, Injection, Note, Role, unshared};
use super::inline;
use super::managed::{Left, Presence, Wanted, owned};
use super::mapping::Maps;
use super::references::References;
use super::role::roles;
use super::section;

/// The resource types that a policy can be.
const KINDS: [&str; 2] = ["AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"];

/// The logical id of the resource that holds a role's derived policy.
#[must_use]
pub fn policy_id(role: &str) -> String {
    format!("{role}DerivedPolicy")
}

/// The index and the node of a role's policy resource.
fn existing<'d>(doc: &'d Document, role: &str) -> Result<Option<(usize, Node<'d>)>, InjectError> {
    let id = policy_id(role);
    let Some(resources) = doc.get(&["Resources"]) else { return Ok(None) };
    let found = resources.entries().enumerate().find(|(_, (key, _))| key.as_str() == Some(&id));
    let Some((at, (_, node))) = found else { return Ok(None) };
    let kind = node.get("Type").and_then(Node::as_str).unwrap_or("");
    if !KINDS.contains(&kind) {
        return Err(InjectError::Taken { id });
    }
    owned(node)?;
    Ok(Some((at, node)))
}

/// The policy document in a role's policy resource, intrinsic functions in it.
#[must_use]
pub fn section_of(doc: &Document, role: &str) -> Option<Value> {
    Value::read(doc.get(&["Resources", &policy_id(role), "Properties", "PolicyDocument"])?)
}

fn condition_of<'d>(doc: &'d Document, id: &str) -> Option<&'d str> {
    doc.get(&["Resources", id, "Condition"]).and_then(Node::as_str)
}

/// Puts the section into a resource of its own, and takes the managed policies and an inline section out of the role.
///
/// # Errors
/// When the template cannot be edited faithfully, or the conditions are more than one resource can stand under.
pub fn attach(bytes: &[u8], request: &Injection, kind: AttachAs) -> Result<Injected, InjectError> {
    let (edited, notes) = attach_to(&Document::parse(bytes)?, request, kind)?;
    Ok(Injected { changed: bytes != edited.bytes(), bytes: edited.bytes().to_vec(), notes })
}

/// [`attach`] for a template that has been read already.
pub(crate) fn attach_to(doc: &Document, request: &Injection, kind: AttachAs) -> Result<(Document, Vec<Note>), InjectError> {
    let role = Role::find(doc, &request.role)?;
    let branches = inline::branches(&role, &request.policy_name)?;
    let style = role.style(&branches);
    let wanted = Wanted { doc, names: &request.remove_managed };
    let attached = role.managed.map_or(Ok(Presence::Never), |(_, node)| wanted.list(node))?;
    let inline = section::find(role.policies.map(|(_, node)| node), &request.policy_name).0;
    let before = existing(doc, &request.role)?.map(|_| standing(doc, &request.role)).unwrap_or_default();
    let presence = inline.or(attached).or(before);
    let mut notes = Vec::new();
    if presence == Presence::Never {
        notes.push(Note::NothingReplaced);
    }
    let condition = condition(&presence, condition_of(doc, &request.role), &request.role)?;
    // What waits for a resource that may not be there is an error for CloudFormation's linter (E3005).
    let waits = |user: &String| condition.is_some() && condition_of(doc, user) != condition.as_deref();
    if let Some(user) = waiting(doc, &request.role).into_iter().find(waits) {
        return Err(InjectError::Waits { role: request.role.clone(), user });
    }
    let left = match role.managed {
        Some((_, node)) => wanted.strip(node, &style)?,
        None => Left::Value(Vec::new()),
    };
    let (mut edits, moved) = inline::clearing(&role, &style, left, &branches)?;
    edits.extend(Maps::find(doc, role.id).edits(&request.regional, &style)?);
    unshared(doc, &edits)?;
    let cleared = doc.apply(edits)?;
    let written = put(&cleared, request, kind, condition.as_deref(), moved, &style)?;
    let edited = wait(&written, &request.role, &style)?;
    verify(&edited, request)?;
    Ok((edited, notes))
}

/// When the policy resource is there, beside the condition of the role itself.
fn standing(doc: &Document, role: &str) -> Presence {
    match condition_of(doc, &policy_id(role)) {
        Some(condition) if condition_of(doc, role) != Some(condition) => {
            Presence::choose(condition, Presence::Always, Presence::Never)
        }
        _ => Presence::Always,
    }
}

/// The one condition that the resource can stand under.
fn condition(presence: &Presence, of_role: Option<&str>, role: &str) -> Result<Option<String>, InjectError> {
    match (presence, of_role) {
        (Presence::Always | Presence::Never, of_role) => Ok(of_role.map(str::to_owned)),
        (Presence::If { condition, yes, no }, None) if (yes.as_ref(), no.as_ref()) == (&Presence::Always, &Presence::Never) => {
            Ok(Some(condition.clone()))
        }
        _ => Err(InjectError::Conditions { role: role.to_owned() }),
    }
}

fn put(
    doc: &Document,
    request: &Injection,
    kind: AttachAs,
    condition: Option<&str>,
    moved: Vec<String>,
    style: &Style,
) -> Result<Document, InjectError> {
    let Some(resources) = doc.get(&["Resources"]) else { return Ok(doc.clone()) };
    let comments = moved.into_iter().chain(section::marked(&request.comments)).collect();
    let pair = Pair { comments, key: policy_id(&request.role), value: resource(request, kind, condition) };
    let mut edits = Vec::new();
    if let Some((index, _)) = existing(doc, &request.role)? {
        let from = section::split_comments(resources, index).1.map(|comment| comment.start);
        edits.extend(doc.put(resources, Place::Over { index, from }, Entry::Pair(&pair), style)?);
    } else {
        let index = resources.entries().position(|(key, _)| key.as_str() == Some(&request.role)).unwrap_or(0);
        edits.extend(doc.put(resources, Place::After(index), Entry::Pair(&pair), style)?);
        set_apart(doc, resources, index, &mut edits);
    }
    unshared(doc, &edits)?;
    Ok(doc.apply(edits)?)
}

/// Resources that blank lines keep apart stay apart.
fn set_apart(doc: &Document, resources: Node<'_>, index: usize, edits: &mut [Edit]) {
    let between = |a: usize, b: usize| {
        let (a, b) = (doc.child_span(resources, a)?, doc.child_span(resources, b)?);
        doc.text()
            .get(a.end..b.start)
            .map(|text| text.lines().skip(1).any(|line| line.trim().is_empty() && text.lines().count() > 2))
    };
    let apart = between(index, index + 1).or_else(|| between(index.checked_sub(1)?, index)).unwrap_or(false);
    if let ([edit], true) = (edits, apart && resources.kind() == Kind::Mapping(Collection::Block)) {
        for end in ["\r\n", "\n"] {
            if edit.replacement.ends_with(end) {
                edit.replacement.insert_str(0, end);
                break;
            }
        }
    }
}

/// The blank line that kept a resource apart goes with it.
fn close_up(text: &str, edit: &mut Edit) {
    let (before, after) = (text.get(..edit.span.start).unwrap_or(""), text.get(edit.span.end..).unwrap_or(""));
    for blank in ["\r\n", "\n"] {
        match before.strip_suffix(blank).is_some_and(|above| above.ends_with('\n')) {
            true if after.starts_with(blank) => edit.span.end += blank.len(),
            true if after.is_empty() => edit.span.start -= blank.len(),
            _ => continue,
        }
        break;
    }
}

/// The resource as it stands in the template.
fn resource(request: &Injection, kind: AttachAs, condition: Option<&str>) -> Value {
    let role = || Value::tagged("Ref", Value::text(&request.role));
    let (kind, properties) = match kind {
        AttachAs::ManagedPolicy => ("AWS::IAM::ManagedPolicy", vec![("Roles", Value::list([role()]))]),
        AttachAs::Inline | AttachAs::RolePolicy => {
            ("AWS::IAM::RolePolicy", vec![("PolicyName", Value::text(&request.policy_name)), ("RoleName", role())])
        }
    };
    let properties = Value::map(properties.into_iter().chain([("PolicyDocument", request.section.clone())]));
    let condition = condition.map(|name| ("Condition", Value::text(name)));
    Value::map([("Type", Value::text(kind))].into_iter().chain(condition).chain([("Properties", properties)]))
}

/// The logical ids of what starts instances with the role: they have to wait for its policy.
#[must_use]
pub fn waiting(doc: &Document, role: &str) -> Vec<String> {
    roles(doc).into_iter().find(|found| found.id == role).map(|found| found.instances).unwrap_or_default()
}

/// Lets every instance, launch template and the like wait for the policy.
fn wait(doc: &Document, role: &str, style: &Style) -> Result<Document, InjectError> {
    let id = policy_id(role);
    let mut edits = Vec::new();
    for user in waiting(doc, role) {
        let Some(resource) = doc.get(&["Resources", &user]) else { continue };
        owned(resource)?;
        let Some(after) = resource.get("DependsOn") else {
            let index = resource.entries().position(|(key, _)| key.as_str() == Some("Type")).unwrap_or(0);
            let pair = Pair { comments: Vec::new(), key: "DependsOn".to_owned(), value: Value::text(&id) };
            edits.extend(doc.put(resource, Place::After(index), Entry::Pair(&pair), style)?);
            continue;
        };
        owned(after)?;
        if after.as_str() == Some(&id) || after.items().any(|item| item.as_str() == Some(&id)) {
            continue;
        }
        if let Some(other) = after.as_str() {
            edits.push(doc.replace(after, &Value::list([Value::text(other), Value::text(&id)]), style));
        } else {
            let item = Item { comments: Vec::new(), value: Value::text(&id) };
            edits.extend(doc.put(after, Place::End, Entry::Item(&item), style)?);
        }
    }
    Ok(doc.apply(edits)?)
}

fn verify(edited: &Document, request: &Injection) -> Result<(), InjectError> {
    let role = Role::find(edited, &request.role)?;
    let wanted = Wanted { doc: edited, names: &request.remove_managed };
    if role.managed.map_or(Ok(Presence::Never), |(_, node)| wanted.list(node))? != Presence::Never {
        return Err(InjectError::Unfaithful("the managed policy is still attached"));
    }
    let inline = section::find(role.policies.map(|(_, node)| node), &request.policy_name).0;
    let written = section_of(edited, &request.role).map(|value| value.to_json());
    if inline != Presence::Never || written != Some(request.section.to_json()) {
        return Err(InjectError::Unfaithful("the section is not what was put in"));
    }
    let (references, id) = (References::of(edited), policy_id(&request.role));
    for user in waiting(edited, &request.role) {
        if !references.direct(&user, &id) {
            return Err(InjectError::Unfaithful("an instance does not wait for the policy"));
        }
        if references.reaches(&id, &user) {
            return Err(InjectError::Cycle { resource: user });
        }
    }
    Ok(())
}

/// Takes a role's policy resource out of a template, and the dependencies on it: the policy is going to be inline. The
/// same bytes come out where there is none.
///
/// # Errors
/// When the template cannot be edited faithfully, or the resource stands under a condition of its own.
pub fn detach(bytes: &[u8], role: &str) -> Result<Vec<u8>, InjectError> {
    let doc = detach_from(&Document::parse(bytes)?, role)?;
    Ok(doc.map_or_else(|| bytes.to_vec(), |doc| doc.bytes().to_vec()))
}

/// [`detach`] for a template that has been read already; nothing where there is no such resource.
pub(crate) fn detach_from(doc: &Document, role: &str) -> Result<Option<Document>, InjectError> {
    let (Some((at, _)), Some(resources)) = (existing(doc, role)?, doc.get(&["Resources"])) else { return Ok(None) };
    let id = policy_id(role);
    if standing(doc, role) != Presence::Always {
        return Err(InjectError::Conditional { id });
    }
    let mut edits = doc.take_out(resources, &[at].into())?;
    if let [edit] = edits.as_mut_slice() {
        close_up(doc.text(), edit);
    }
    for (key, resource) in resources.entries().filter(|(key, _)| key.as_str() != Some(&id)) {
        let Some(index) = resource.entries().position(|(key, _)| key.as_str() == Some("DependsOn")) else { continue };
        let Some(after) = resource.get("DependsOn") else { continue };
        let ours: BTreeSet<usize> =
            after.items().enumerate().filter(|(_, item)| item.as_str() == Some(&id)).map(|(n, _)| n).collect();
        if after.as_str() == Some(&id) || (!ours.is_empty() && ours.len() == after.items().len()) {
            owned(key)?;
            owned(resource)?;
            edits.extend(doc.take_out(resource, &[index].into())?);
        } else if !ours.is_empty() {
            owned(after)?;
            edits.extend(doc.take_out(after, &ours)?);
        }
    }
    unshared(doc, &edits)?;
    Ok(Some(doc.apply(edits)?))
}
