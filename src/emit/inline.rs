//! The inline policies of a role: the lists that a section can stand in, and the edits that put it there.

use std::collections::BTreeSet;

use crate::template::{Collection, Document, Edit, Entry, Item, Kind, Node, Pair, Place, Span, Style, Value};

use super::cloudformation::{InjectError, Note, Role};
use super::function::{choice, function, is_absent};
use super::managed::{Left, Presence, absent, owned};
use super::section::{self, Own};

/// One of the lists that `Policies` may be: the only one, or one of those that conditions choose between.
pub(crate) struct Branch<'d> {
    /// The conditions under which it is chosen, and whether they hold then.
    under: Vec<(String, bool)>,
    /// The list that takes items; nothing where it has yet to be written.
    pub(crate) list: Option<Node<'d>>,
    /// The arguments of the `Fn::If` that it stands in, and its index among them.
    pub(crate) slot: Option<(Node<'d>, usize)>,
    /// What there is of ours.
    pub(crate) own: Own,
}

impl<'d> Branch<'d> {
    /// Whether there is nothing but ours, or nothing yet.
    pub(crate) fn is_ours(&self) -> bool {
        self.list.is_none_or(|list| self.own.items.len() == list.items().len())
    }

    /// The place among the arguments of an `Fn::If` in block style that is written as a whole: there the comments of the
    /// section stand above the dash of the list, because its own is on the same line.
    fn whole_slot(&self) -> Option<(Node<'d>, usize)> {
        let slot = self.slot.filter(|(arguments, _)| is_block(*arguments) && self.is_ours())?;
        let apart = self.list.is_some_and(|list| {
            let (doc, first) = (list.document(), list.items().next().map_or(0, |item| item.full_span().start));
            doc.position(first).0 != doc.child_span(slot.0, slot.1).map_or(0, |child| doc.position(child.start).0)
        });
        Some(slot).filter(|_| !apart)
    }

    /// Whether another policy stands beside the named one in the same `Fn::If`: it would go with it.
    pub(crate) fn shares_choice(&self, name: &str) -> bool {
        let Some(list) = self.list else { return false };
        self.own.items.iter().any(|&n| list.items().nth(n).is_some_and(|item| section::shares_choice(item, name)))
    }
}

/// The lists of a role's `Policies`.
pub(crate) fn branches<'d>(role: &Role<'d>, name: &str) -> Result<Vec<Branch<'d>>, InjectError> {
    let mut found = Vec::new();
    match role.policies {
        None => found.push(Branch { under: Vec::new(), list: None, slot: None, own: Own::default() }),
        Some((_, node)) => collect(role, node, None, &mut Vec::new(), name, &mut found)?,
    }
    Ok(found)
}

fn collect<'d>(
    role: &Role<'d>,
    node: Node<'d>,
    slot: Option<(Node<'d>, usize)>,
    under: &mut Vec<(String, bool)>,
    name: &str,
    found: &mut Vec<Branch<'d>>,
) -> Result<(), InjectError> {
    if let (Some((condition, yes, no)), Some((_, arguments))) = (choice(node), function(node)) {
        owned(node)?;
        for (branch, index, holds) in [(yes, 1, true), (no, 2, false)] {
            under.push((condition.to_owned(), holds));
            collect(role, branch, Some((arguments, index)), under, name, found)?;
            under.pop();
        }
        return Ok(());
    }
    let empty = (slot.is_none() && node.as_str() == Some("")) || is_absent(node);
    let holder = slot.map_or(role.properties, |(arguments, _)| arguments);
    let list = if empty || (is_block(holder) && node.is_sequence() && node.tag().is_none() && node.items().len() == 0) {
        None
    } else if !node.is_sequence() || node.tag().is_some() {
        return Err(role.shape("`Policies`"));
    } else {
        Some(node)
    };
    owned(node)?;
    let own = list.map(|list| section::own(list, name)).unwrap_or_default();
    found.push(Branch { under: under.clone(), list, slot, own });
    Ok(())
}

/// The edits that take the managed policies and our sections out of a role, and the comments that went with them.
pub(crate) fn clearing(
    role: &Role<'_>,
    style: &Style,
    left: Left,
    branches: &[Branch<'_>],
) -> Result<(Vec<Edit>, Vec<String>), InjectError> {
    let mut placing =
        Placing { role, style, notes: &mut Vec::new(), presence: &Presence::Never, policy: Value::Null, comments: &[] };
    let (mut edits, gone) = match left {
        Left::Value(edits) => (edits, None),
        Left::Nothing => (Vec::new(), role.managed),
    };
    let whole = gone.and_then(|(n, _)| placing.with_comments(n));
    let removed: Vec<Span> = edits.iter().map(|edit| edit.span.clone()).chain(whole).collect();
    let mut moved = placing.comments_in(&removed);
    let mut pairs: BTreeSet<usize> = gone.into_iter().map(|(n, _)| n).collect();
    match (branches, role.policies) {
        ([Branch { list: Some(list), slot: None, own, .. }], Some((n, _)))
            if !own.items.is_empty() && own.items.len() == list.items().len() =>
        {
            pairs.insert(n);
            let key = role.doc.child_span(role.properties, n).map_or(0, |child| child.start);
            moved.extend(
                placing.comments_in(&placing.with_comments(n).map(|whole| whole.start..key).into_iter().collect::<Vec<_>>()),
            );
            moved.extend(placing.beside_ours(*list, own));
        }
        _ => {
            for branch in branches {
                moved.extend(branch.list.map(|list| placing.beside_ours(list, &branch.own)).unwrap_or_default());
                edits.extend(placing.clear(branch)?);
            }
        }
    }
    if !pairs.is_empty() {
        edits.extend(role.doc.take_out(role.properties, &pairs)?);
    }
    Ok((edits, moved))
}

/// Where a section goes, and what goes for it.
pub(crate) struct Placing<'a, 'd> {
    pub(crate) role: &'a Role<'d>,
    pub(crate) style: &'a Style,
    pub(crate) notes: &'a mut Vec<Note>,
    /// When the section is to be there.
    pub(crate) presence: &'a Presence,
    /// The inline policy.
    pub(crate) policy: Value,
    /// What the caller wants said above it.
    pub(crate) comments: &'a [String],
}

impl Placing<'_, '_> {
    /// The edits for what is left of `ManagedPolicyArns`, and those that put the section into each of the lists.
    pub(crate) fn edits(&mut self, left: Left, branches: &[Branch<'_>]) -> Result<Vec<Edit>, InjectError> {
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
        let written_anew = branches.iter().all(|branch| branch.list.is_none() && branch.slot.is_none());
        let removed = edits.iter().map(|edit| edit.span.clone());
        let replaced = if written_anew { role.policies.or(takes_place) } else { None };
        let removed: Vec<Span> = removed.chain(replaced.and_then(|(n, _)| role.doc.replaced_span(role.properties, n))).collect();
        let mut moved = self.comments_in(&removed);
        for branch in branches {
            let presence = self.presence.under(&branch.under);
            if presence == Presence::Never {
                edits.extend(self.clear(branch)?);
                continue;
            }
            let holder = branch.list.or(branch.slot.map(|(arguments, _)| arguments)).unwrap_or(role.properties);
            self.notes.extend(dropped(&moved, holder));
            let lines = moved.drain(..).chain(section::marked(self.comments)).collect();
            let mut item = Item { comments: lines, value: presence.wrap(self.policy.clone()) };
            if let Some(slot) = branch.whole_slot() {
                let comments = std::mem::take(&mut item.comments);
                edits.extend(self.over(slot, Item { comments, value: Value::Seq(vec![item]) }, branch)?);
                continue;
            }
            edits.extend(match (branch.list, branch.slot) {
                (Some(list), _) => self.among(list, &branch.own, &item)?,
                (None, Some((arguments, index))) => {
                    let list = Item { comments: Vec::new(), value: Value::Seq(vec![item]) };
                    role.doc.put(arguments, Place::Over { index, from: None }, Entry::Item(&list), self.style)?
                }
                (None, None) => self.anew(item, takes_place.map(|(index, _)| index))?,
            });
        }
        Ok(edits)
    }

    /// The property `Policies` with its first item.
    fn anew(&self, item: Item, takes_place: Option<usize>) -> Result<Vec<Edit>, InjectError> {
        let role = self.role;
        let place = match (role.policies, takes_place, role.managed) {
            (Some((index, _)), ..) | (None, Some(index), _) => Place::Over { index, from: None },
            (None, None, Some((index, _))) => Place::After(index),
            (None, None, None) => Place::End,
        };
        let pair = Pair { comments: Vec::new(), key: "Policies".to_owned(), value: Value::Seq(vec![item]) };
        Ok(role.doc.put(role.properties, place, Entry::Pair(&pair), self.style)?)
    }

    /// Takes our items out of a list in which the section is not to be any more.
    fn clear(&mut self, branch: &Branch<'_>) -> Result<Vec<Edit>, InjectError> {
        let Some(list) = branch.list.filter(|_| !branch.own.items.is_empty()) else { return Ok(Vec::new()) };
        if let Some(slot) = branch.whole_slot() {
            return self.over(slot, Item { comments: Vec::new(), value: absent() }, branch);
        }
        if branch.own.items.len() < list.items().len() {
            return Ok(self.role.doc.take_out(list, &branch.own.items)?);
        }
        Ok(vec![self.role.doc.replace(list, &absent(), self.style)])
    }

    /// Writes an argument of an `Fn::If`.
    fn over(&mut self, (arguments, index): (Node<'_>, usize), item: Item, branch: &Branch<'_>) -> Result<Vec<Edit>, InjectError> {
        let (_, from) = section::split_comments(arguments, index);
        if from.is_none() && !branch.own.items.is_empty() {
            self.notes.push(Note::Unmarked);
        }
        let place = Place::Over { index, from: from.map(|comment| comment.start) };
        Ok(self.role.doc.put(arguments, place, Entry::Item(&item), self.style)?)
    }

    fn among(&mut self, list: Node<'_>, own: &Own, item: &Item) -> Result<Vec<Edit>, InjectError> {
        let doc: &Document = self.role.doc;
        let Some(&index) = own.items.first() else {
            return Ok(doc.put(list, Place::End, Entry::Item(item), self.style)?);
        };
        let (_, from) = section::split_comments(list, index);
        if from.is_none() && is_block(list) {
            self.notes.push(Note::Unmarked);
        }
        let place = Place::Over { index, from: from.map(|comment| comment.start) };
        let mut edits = doc.put(list, place, Entry::Item(item), self.style)?;
        let others = own.items.iter().copied().filter(|&n| n != index).collect();
        edits.extend(doc.take_out(list, &others)?);
        Ok(edits)
    }

    /// What goes when a property is taken out: itself, and the comments that belong to it.
    fn with_comments(&self, index: usize) -> Option<Span> {
        let (doc, properties) = (self.role.doc, self.role.properties);
        let whole = doc.replaced_span(properties, index)?;
        let first = doc.own_comments(properties, index).first().map_or(whole.start, |comment| comment.start);
        Some(first.min(whole.start)..whole.end)
    }

    /// The comments above our items that are not ours.
    fn beside_ours(&self, list: Node<'_>, own: &Own) -> Vec<String> {
        let above = own.items.iter().flat_map(|&n| section::split_comments(list, n).0);
        above.map(|comment| self.role.doc.comment_text(&comment).to_owned()).collect()
    }

    /// The texts of the comments within ranges.
    fn comments_in(&self, ranges: &[Span]) -> Vec<String> {
        let inside = ranges.iter().flat_map(|range| self.role.doc.comments_within(range.clone()));
        inside.map(|comment| self.role.doc.comment_text(&comment).to_owned()).collect()
    }
}

pub(crate) fn is_block(node: Node<'_>) -> bool {
    matches!(node.kind(), Kind::Sequence(Collection::Block) | Kind::Mapping(Collection::Block))
}

/// The note on comments that have no room in a flow collection.
pub(crate) fn dropped(comments: &[String], holder: Node<'_>) -> Option<Note> {
    let gone = !is_block(holder) && !comments.is_empty();
    gone.then(|| Note::CommentsDropped(comments.iter().map(|line| line.trim().to_owned()).collect()))
}
