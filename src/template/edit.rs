//! Edits of whole entries: a pair of a mapping or an item of a sequence is put in, replaced or taken out.

use std::collections::BTreeSet;

use super::layout::LineEnd;
use super::node::{Kind, NodeData, Shape};
use super::quote::Context;
use super::write::{Layout, Writer};
use super::{Collection, Document, Edit, Item, Node, Pair, Span, Style, TemplateError, Value};

/// An entry to be put in.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'v> {
    /// For a mapping.
    Pair(&'v Pair),
    /// For a sequence.
    Item(&'v Item),
}

/// Where an entry is put, by the index of an entry that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Above it and the comments that belong to it.
    Before(usize),
    /// Directly below it.
    After(usize),
    /// In its place. With `from`, also in the place of the comment lines above it, from the one that begins there.
    Over {
        /// The index of the entry that goes.
        index: usize,
        /// Where the first comment begins that goes with it.
        from: Option<usize>,
    },
    /// Below the last.
    End,
}

/// A collection as the edits see it.
pub(super) struct Target<'d> {
    pub(super) doc: &'d Document,
    pub(super) node: Node<'d>,
    pub(super) children: Vec<Span>,
}

impl<'d> Target<'d> {
    fn new(doc: &'d Document, node: Node<'d>) -> Result<(Self, Collection), TemplateError> {
        let style = match node.kind() {
            Kind::Sequence(style) | Kind::Mapping(style) => style,
            Kind::Scalar(_) | Kind::Alias => {
                let (line, column) = doc.position(node.full_span().start);
                return Err(TemplateError::Unsupported(format!(
                    "line {line}, column {column}: a list or mapping is expected here"
                )));
            }
        };
        let children = (0..node.items().len().max(node.entries().len())).filter_map(|n| doc.child_span(node, n)).collect();
        Ok((Self { doc, node, children }, style))
    }

    /// Neighbours that go together become one entry, so that their edits do not meet at a comma or a line.
    fn merged(self, indices: &BTreeSet<usize>) -> Result<(Self, Vec<usize>), TemplateError> {
        if let Some(&last) = indices.last() {
            self.child(last)?;
        }
        let mut children: Vec<Span> = Vec::new();
        let mut gone = Vec::new();
        let mut previous_goes = false;
        for (n, child) in self.children.into_iter().enumerate() {
            let goes = indices.contains(&n);
            match children.last_mut().filter(|_| goes && previous_goes) {
                Some(run) => run.end = child.end,
                None => {
                    if goes {
                        gone.push(children.len());
                    }
                    children.push(child);
                }
            }
            previous_goes = goes;
        }
        Ok((Self { children, ..self }, gone))
    }

    pub(super) fn child(&self, index: usize) -> Result<Span, TemplateError> {
        self.children
            .get(index)
            .cloned()
            .ok_or_else(|| TemplateError::Unsupported(format!("the collection has no entry {index}")))
    }
}

impl Document {
    /// The bytes of an entry: from its key or dash to its last leaf.
    #[must_use]
    pub fn child_span(&self, collection: Node<'_>, index: usize) -> Option<Span> {
        if let Some((key, value)) = collection.entries().nth(index) {
            let end = value.full_span().end.max(key.full_span().end);
            let start = key.full_span().start;
            // An explicit key begins with its question mark.
            let before = self.text().get(super::layout::line_start(self.text(), start)..start).unwrap_or("");
            let question = before.trim_end_matches([' ', '\t']).strip_suffix('?').filter(|_| before.ends_with([' ', '\t']));
            let explicit = question.filter(|rest| rest.is_empty() || rest.ends_with([' ', '\t']));
            return Some(explicit.map_or(start, |rest| start - (before.len() - rest.len()))..end);
        }
        let item = collection.items().nth(index)?.full_span();
        match collection.kind() {
            Kind::Sequence(Collection::Block) => {
                let dash = super::yaml::dash_before(self.text(), self.comments(), item.start)?;
                Some(dash..item.end)
            }
            _ => Some(item),
        }
    }

    /// The bytes that go when an entry is replaced: in block style also the comments at the end of its last line and those
    /// below that are indented deeper.
    #[must_use]
    pub fn replaced_span(&self, collection: Node<'_>, index: usize) -> Option<Span> {
        let child = self.child_span(collection, index)?;
        let block = matches!(collection.kind(), Kind::Sequence(Collection::Block) | Kind::Mapping(Collection::Block));
        let column = super::layout::column(self.text(), self.child_span(collection, 0)?.start);
        Some(child.start..if block { self.tail(child.end, column) } else { child.end })
    }

    /// The comments that belong to an entry: where those lines begin that stand directly above it, and the one at
    /// the end of its last line.
    #[must_use]
    pub fn own_comments(&self, collection: Node<'_>, index: usize) -> Vec<Span> {
        let Some(child) = self.child_span(collection, index) else { return Vec::new() };
        let text = self.text();
        let mut found = Vec::new();
        if super::layout::first_on_line(text, child.start) {
            let line = super::layout::line_start(text, child.start);
            let block = matches!(collection.kind(), Kind::Sequence(Collection::Block) | Kind::Mapping(Collection::Block));
            found = self.comments_above(line, block.then(|| super::layout::column(text, child.start)));
        }
        let below = self.child_span(collection, index + 1).map_or(usize::MAX, |next| next.start);
        found.extend(self.comment_after(child.end).filter(|comment| comment.start < below));
        found
    }

    /// The comments within a range.
    pub fn comments_within(&self, range: Span) -> impl Iterator<Item = Span> {
        let from = self.comments().partition_point(|comment| comment.start < range.start);
        self.comments().iter().skip(from).take_while(move |comment| comment.end <= range.end).cloned()
    }

    /// Where an anchor stands within one of the ranges that an alias outside of them stands for.
    #[must_use]
    pub fn anchored_within(&self, ranges: &[Span]) -> Option<usize> {
        let inside = |at: usize| ranges.iter().any(|range| range.contains(&at));
        let target = |node: &NodeData| match node.shape {
            Shape::Alias { target } if !inside(node.start) => self.nodes.get(target).map(|data| data.start),
            _ => None,
        };
        self.nodes.iter().filter_map(target).find(|&at| inside(at))
    }

    /// The text of a comment after its `#`.
    #[must_use]
    pub fn comment_text(&self, comment: &Span) -> &str {
        self.text().get(comment.clone()).unwrap_or("").strip_prefix('#').unwrap_or("")
    }

    /// The edits that put an entry into a collection.
    ///
    /// # Errors
    /// When the node is no collection, or has no entry of the index.
    pub fn put(&self, collection: Node<'_>, place: Place, entry: Entry<'_>, style: &Style) -> Result<Vec<Edit>, TemplateError> {
        match Target::new(self, collection)? {
            (target, Collection::Block) => super::block::put(&target, place, entry, style).map(|edit| vec![edit]),
            (target, Collection::Flow) => super::flow::put(&target, place, entry, style),
        }
    }

    /// The edit that replaces a node, with its tag and anchor, by a value on one line.
    #[must_use]
    pub fn replace(&self, node: Node<'_>, value: &Value, style: &Style) -> Edit {
        let mut writer = Writer::new(style, self.format());
        writer.flow(value, &Layout::Line, Context::Flow);
        Edit::new(node.full_span(), writer.finish(LineEnd::Lf))
    }

    /// The edits that take entries out of a collection that has others, with the comments that belong to them.
    ///
    /// # Errors
    /// When the node is no collection, has no entry of an index, or would be empty afterwards: YAML's block style
    /// cannot write that, and the caller has to decide what becomes of the empty collection.
    pub fn take_out(&self, collection: Node<'_>, indices: &BTreeSet<usize>) -> Result<Vec<Edit>, TemplateError> {
        let (target, style) = Target::new(self, collection)?;
        if indices.len() >= target.children.len() {
            let (line, column) = self.position(collection.full_span().start);
            return Err(TemplateError::Unsupported(format!("line {line}, column {column}: the collection would be empty")));
        }
        let (target, indices) = target.merged(indices)?;
        let mut edits = Vec::new();
        for index in indices {
            match style {
                Collection::Block => edits.push(super::block::take_out(&target, index)?),
                Collection::Flow => edits.extend(super::flow::take_out(&target, index)?),
            }
        }
        Ok(edits)
    }
}
