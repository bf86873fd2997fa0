//! Putting a policy into the role of a CloudFormation template, in place of a managed policy, and back.
//!
//! INVARIANT (inject-idempotent): injecting twice changes nothing, and injecting one policy after another leaves what
//! the last one alone would have left. To that end nothing that is going to be replaced influences how it is written.
//! INVARIANT (eject-inject): `inject(eject(x)) == x` for a template `x` whose section stands where `inject` puts it.

use crate::template::{Collection, Document, Edit, Entry, Item, Kind, Node, Pair, Place, Span, Style, TemplateError, Value};

use super::function::is_absent;
use super::managed::{Left, Presence, Wanted, owned};
use super::mapping::{self, Maps, RegionalName};
use super::section::{self, Own};

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
    /// The managed policy is attached under conditions that would need the section more than once.
    #[error("role `{role}` has the managed policy under several conditions; the section can stand under one only")]
    Conditions {
        /// The logical id.
        role: String,
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
struct Role<'d> {
    doc: &'d Document,
    id: &'d str,
    properties: Node<'d>,
    managed: Option<(usize, Node<'d>)>,
    policies: Option<(usize, Node<'d>)>,
}

impl<'d> Role<'d> {
    fn find(doc: &'d Document, role: &str) -> Result<Self, InjectError> {
        let resources = doc.get(&["Resources"]);
        let found = resources.and_then(|all| all.entries().find(|(key, _)| key.as_str() == Some(role)));
        let Some((key, resource)) = found else {
            let known = super::role::roles(doc).into_iter().map(|role| role.id).collect();
            return Err(InjectError::NoSuchRole { role: role.to_owned(), known });
        };
        let kind = resource.get("Type").and_then(Node::as_str).unwrap_or("");
        if kind != super::role::ROLE {
            return Err(InjectError::NotARole { role: role.to_owned(), kind: kind.to_owned() });
        }
        let shape = InjectError::Shape { role: role.to_owned(), place: "`Properties`", expected: "a mapping" };
        let properties =
            resource.get("Properties").filter(|node| node.is_mapping() && node.tag().is_none()).ok_or_else(|| shape.clone())?;
        for node in [resource, properties] {
            owned(node)?;
        }
        if properties.entries().len() == 0 {
            return Err(shape);
        }
        let property = |name: &str| {
            let at = properties.entries().position(|(key, _)| key.as_str() == Some(name))?;
            properties.get(name).map(|value| (at, value))
        };
        let (managed, policies) = (property("ManagedPolicyArns"), property("Policies"));
        Ok(Self { doc, id: key.as_str().unwrap_or(""), properties, managed, policies })
    }

    fn shape(&self, place: &'static str) -> InjectError {
        InjectError::Shape { role: self.id.to_owned(), place, expected: "a list" }
    }

    /// Parts that are to be replaced must not influence the style.
    fn style(&self, own: &Own<'_>) -> Style {
        let mut skip: Vec<Span> = self.managed.iter().map(|(_, node)| node.full_span()).collect();
        skip.extend(Maps::find(self.doc, self.id).skip());
        if let Some((_, policies)) = self.policies {
            if own.items.len() == policies.items().len() {
                skip.push(policies.full_span());
            }
            skip.extend(own.items.iter().filter_map(|&n| self.doc.child_span(policies, n)));
        }
        Style::around(self.properties, &skip)
    }

    /// The `Policies` that can take an item, or nothing where the property has yet to be written.
    fn list(&self) -> Result<Option<Node<'d>>, InjectError> {
        let Some((_, node)) = self.policies else { return Ok(None) };
        let empty = node.as_str() == Some("") || is_absent(node);
        if empty || (is_block(self.properties) && node.is_sequence() && node.items().len() == 0) {
            return Ok(None);
        }
        if !node.is_sequence() || node.tag().is_some() {
            return Err(self.shape("`Policies`"));
        }
        owned(node)?;
        Ok(Some(node))
    }
}

/// Puts a section into a role and takes the managed policies out.
///
/// # Errors
/// When the template cannot be edited faithfully; nothing is changed then.
pub fn inject(bytes: &[u8], request: &Injection) -> Result<Injected, InjectError> {
    let doc = Document::parse(bytes)?;
    let role = Role::find(&doc, &request.role)?;
    let list = role.list()?;
    let own = section::find(list, &request.policy_name);
    if let Some(list) = list
        && own.items.iter().any(|&n| list.items().nth(n).is_some_and(|item| section::shares_choice(item, &request.policy_name)))
    {
        return Err(InjectError::Conditions { role: request.role.clone() });
    }
    let style = role.style(&own);
    let wanted = Wanted { doc: &doc, names: &request.remove_managed };
    let attached = role.managed.map_or(Ok(Presence::Never), |(_, node)| wanted.list(node))?;
    let mut notes = Vec::new();
    let mut presence = own.presence.clone().or(attached.clone());
    if presence == Presence::Never {
        notes.push(Note::NothingReplaced);
        presence = Presence::Always;
    }
    if presence.leaves() != 1 {
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
    let item = presence.wrap(section::policy(&request.policy_name, &request.section));
    let mut edits =
        Placing { role: &role, list, own: &own, style: &style, notes: &mut notes }.edits(left, item, &request.comments)?;
    edits.extend(Maps::find(&doc, role.id).edits(&request.regional, &style)?);
    let edited = doc.apply(edits)?;
    verify(&edited, request)?;
    let bytes = edited.bytes().to_vec();
    Ok(Injected { changed: bytes != doc.bytes(), bytes, notes })
}

fn conditions(presence: &Presence) -> Vec<String> {
    match presence {
        Presence::If { condition, yes, no } => {
            let inner = if yes.leaves() > 0 { conditions(yes) } else { conditions(no) };
            std::iter::once(condition.clone()).chain(inner).collect()
        }
        _ => Vec::new(),
    }
}

/// Where a section goes, and what goes for it.
struct Placing<'a, 'd> {
    role: &'a Role<'d>,
    list: Option<Node<'d>>,
    own: &'a Own<'d>,
    style: &'a Style,
    notes: &'a mut Vec<Note>,
}

impl Placing<'_, '_> {
    fn edits(&mut self, left: Left, item: Value, comments: &[String]) -> Result<Vec<Edit>, InjectError> {
        let role = self.role;
        let (mut edits, gone) = match left {
            Left::Value(edits) => (edits, None),
            Left::Nothing => (Vec::new(), role.managed),
        };
        // The pair `ManagedPolicyArns` gives its place to `Policies` where that has none yet.
        let takes_place = gone.filter(|_| role.policies.is_none());
        if let (Some((n, _)), None) = (gone, takes_place) {
            edits.extend(role.doc.take_out(role.properties, &[n].into())?);
        }
        let removed = edits.iter().map(|edit| edit.span.clone());
        let replaced = if self.list.is_none() { role.policies.or(takes_place) } else { None };
        let removed: Vec<Span> = removed.chain(replaced.and_then(|(n, _)| self.value_and_tail(n))).collect();
        let moved = self.comments_in(&removed);
        let lines = moved.iter().cloned().chain(section::marked(comments)).collect();
        let item = Item { comments: lines, value: item };
        match self.list {
            Some(list) => edits.extend(self.among(list, &item)?),
            None => {
                let place = match (role.policies, takes_place, role.managed) {
                    (Some((index, _)), ..) | (None, Some((index, _)), _) => Place::Over { index, from: None },
                    (None, None, Some((index, _))) => Place::After(index),
                    (None, None, None) => Place::End,
                };
                let pair = Pair { comments: Vec::new(), key: "Policies".to_owned(), value: Value::Seq(vec![item]) };
                edits.extend(role.doc.put(role.properties, place, Entry::Pair(&pair), self.style)?);
            }
        }
        self.notes.extend(dropped(&moved, self.list.unwrap_or(role.properties)));
        Ok(edits)
    }

    fn among(&mut self, list: Node<'_>, item: &Item) -> Result<Vec<Edit>, InjectError> {
        let doc = self.role.doc;
        let Some(&index) = self.own.items.first() else {
            return Ok(doc.put(list, Place::End, Entry::Item(item), self.style)?);
        };
        let (_, from) = section::split_comments(list, index);
        if from.is_none() && is_block(list) {
            self.notes.push(Note::Unmarked);
        }
        let place = Place::Over { index, from: from.map(|comment| comment.start) };
        let mut edits = doc.put(list, place, Entry::Item(item), self.style)?;
        let others = self.own.items.iter().copied().filter(|&n| n != index).collect();
        edits.extend(doc.take_out(list, &others)?);
        Ok(edits)
    }

    /// What goes when a property is replaced: in block style also what follows on its last line.
    fn value_and_tail(&self, index: usize) -> Option<Span> {
        let child = self.role.doc.child_span(self.role.properties, index)?;
        let last = self.role.doc.own_comments(self.role.properties, index).last().map_or(child.end, |comment| comment.end);
        Some(if is_block(self.role.properties) { child.start..last.max(child.end) } else { child })
    }

    /// The texts of the comments within ranges.
    fn comments_in(&self, ranges: &[Span]) -> Vec<String> {
        let inside = ranges.iter().flat_map(|range| self.role.doc.comments_within(range.clone()));
        inside.map(|comment| self.role.doc.comment_text(&comment).to_owned()).collect()
    }
}

fn is_block(node: Node<'_>) -> bool {
    matches!(node.kind(), Kind::Sequence(Collection::Block) | Kind::Mapping(Collection::Block))
}

/// The note on comments that have no room in a flow collection.
fn dropped(comments: &[String], holder: Node<'_>) -> Option<Note> {
    let gone = !is_block(holder) && !comments.is_empty();
    gone.then(|| Note::CommentsDropped(comments.iter().map(|line| line.trim().to_owned()).collect()))
}

/// The edited template has the section as it was meant, once, and the managed policies no more.
fn verify(edited: &Document, request: &Injection) -> Result<(), InjectError> {
    let role = Role::find(edited, &request.role)?;
    let wanted = Wanted { doc: edited, names: &request.remove_managed };
    if role.managed.map_or(Ok(Presence::Never), |(_, node)| wanted.list(node))? != Presence::Never {
        return Err(InjectError::Unfaithful("the managed policy is still attached"));
    }
    let own = section::find(role.policies.map(|(_, node)| node), &request.policy_name);
    let written = own.document.and_then(Value::read).map(|value| value.to_json());
    if own.items.len() != 1 || written != Some(request.section.to_json()) {
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
    Ok(section::find(policies, policy_name).document.and_then(Value::read))
}

/// Takes a section out of a role and attaches a managed policy instead: what the template was before.
///
/// # Errors
/// When the role has no such section, or the template cannot be edited faithfully.
pub fn eject(bytes: &[u8], request: &Ejection) -> Result<Injected, InjectError> {
    let doc = Document::parse(bytes)?;
    let role = Role::find(&doc, &request.role)?;
    let list = role.list()?;
    let own = section::find(list, &request.policy_name);
    let (Some(list), Some(&first), Some((at, _))) = (list, own.items.first(), role.policies) else {
        return Err(InjectError::NoSection { role: request.role.clone(), policy: request.policy_name.clone() });
    };
    let style = role.style(&own);
    let (kept, _) = section::split_comments(list, first);
    let arn = format!("arn:${{AWS::Partition}}:iam::aws:policy/{}", request.managed);
    let item = Item {
        comments: kept.iter().map(|comment| doc.comment_text(comment).to_owned()).collect(),
        value: own.presence.wrap(Value::tagged("Sub", Value::text(arn))),
    };
    let all_own = own.items.len() == list.items().len();
    let mut edits = Vec::new();
    let pair = Pair { comments: Vec::new(), key: "ManagedPolicyArns".to_owned(), value: Value::Seq(vec![item.clone()]) };
    match role.managed {
        Some((_, node)) if node.is_sequence() && node.tag().is_none() => {
            owned(node)?;
            edits.extend(doc.put(node, Place::End, Entry::Item(&item), &style)?);
        }
        Some(_) => return Err(role.shape("`ManagedPolicyArns`")),
        None if all_own => {
            edits.extend(doc.put(role.properties, Place::Over { index: at, from: None }, Entry::Pair(&pair), &style)?);
        }
        None => edits.extend(doc.put(role.properties, Place::Before(at), Entry::Pair(&pair), &style)?),
    }
    if !all_own {
        edits.extend(doc.take_out(list, &own.items)?);
    } else if role.managed.is_some() {
        edits.extend(doc.take_out(role.properties, &[at].into())?);
    }
    edits.extend(Maps::find(&doc, role.id).edits(&[], &style)?);
    let notes = dropped(&item.comments, role.managed.map_or(role.properties, |(_, node)| node)).into_iter().collect();
    let edited = doc.apply(edits)?;
    let bytes = edited.bytes().to_vec();
    Ok(Injected { changed: true, bytes, notes })
}
