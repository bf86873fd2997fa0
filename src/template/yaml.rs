//! YAML: from the events of `granit-parser` to the node tree.
//!
//! The events carry byte ranges, with three habits that are set right here: a block collection ends with its end
//! event, which lies at the next token (here: at its last leaf); the range of a literal or folded scalar begins after
//! its header and takes blank lines with it; and an empty value lies before its colon.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, Parser, StrInput, Tag};

use super::layout::{self, line_end, line_start};
use super::node::{NodeData, Shape, Tree};
use super::{Collection, MAX_DEPTH, ScalarStyle, Span, TemplateError};

struct Open {
    node: usize,
    key: Option<usize>,
}

struct Builder<'t> {
    text: &'t str,
    nodes: Vec<NodeData>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, usize>,
    comments: Vec<Span>,
    root: Option<usize>,
    /// How many collections are around the text.
    outer: usize,
    /// Where the last token ended that was no comment.
    token_end: usize,
}

/// Parses one YAML document.
pub(super) fn parse(text: &str) -> Result<Tree, TemplateError> {
    parse_within(text, 0)
}

/// Parses a text that stands within so many collections of a document.
pub(super) fn parse_within(text: &str, outer: usize) -> Result<Tree, TemplateError> {
    if let Some(at) = lone_return(text) {
        let (line, column) = layout::position(text, at);
        let problem = "a carriage return stands without a line feed; lines end with LF or CRLF".to_owned();
        return Err(TemplateError::Syntax { line, column, problem });
    }
    let options = granit_parser::options! {
        emit_anchor_events: true,
        max_buffered_comment_events: usize::MAX,
        flow_nesting_limit: MAX_DEPTH.saturating_sub(outer),
        block_nesting_limit: MAX_DEPTH.saturating_sub(outer),
    };
    let mut builder = Builder {
        text,
        // A node takes about twenty bytes of a template.
        nodes: Vec::with_capacity(text.len() / 20),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        comments: Vec::new(),
        root: None,
        outer,
        token_end: 0,
    };
    for next in Parser::<StrInput<'_>>::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| TemplateError::Syntax {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            problem: error.info(),
        })?;
        let range = span.byte_range().unwrap_or(0..0);
        let tag_span = span.tag_span().and_then(|tag| tag.byte_range());
        builder.event(event, range, tag_span)?;
    }
    builder.finish()
}

/// YAML takes a lone carriage return for a line end; the edits by lines do not, so that none is let in.
fn lone_return(text: &str) -> Option<usize> {
    memchr::memchr_iter(b'\r', text.as_bytes()).find(|&at| text.as_bytes().get(at + 1) != Some(&b'\n'))
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, range: Span, tag_span: Option<Span>) -> Result<(), TemplateError> {
        match event {
            Event::Comment(..) => {
                // They come in order, but for those that the parser holds back.
                let at = self.comments.partition_point(|comment| comment.start < range.start);
                self.comments.insert(at, range);
                return Ok(());
            }
            Event::Anchor(id, name) => self.anchor(id, &name, &range),
            Event::Alias(id) => {
                let target = self.anchors.get(&id).copied().unwrap_or(usize::MAX);
                if self.open.iter().any(|open| open.node == target) {
                    return Err(self.wrong(range.start, "an alias stands inside the node that it stands for"));
                }
                self.token_end = range.end;
                self.add(Shape::Alias { target }, None, range.clone(), range.start)?;
            }
            Event::Scalar(value, style, _, tag) => self.scalar(&value, style, tag.as_deref(), range, tag_span)?,
            Event::SequenceStart(style, _, tag) => {
                let shape = Shape::Sequence { items: Vec::new(), style: collection(style) };
                self.collection(shape, tag.as_deref(), range, tag_span)?;
            }
            Event::MappingStart(style, _, tag) => {
                let shape = Shape::Mapping { entries: Vec::new(), style: collection(style) };
                self.collection(shape, tag.as_deref(), range, tag_span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&range)?,
            Event::DocumentStart(..) if self.root.is_some() => {
                return Err(self.wrong(range.start, "a second document begins; a template is one document"));
            }
            Event::DocumentStart(..) => self.token_end = range.end,
            Event::UnresolvedAlias(_) => return Err(self.wrong(range.start, "the alias has no anchor")),
            _ => {}
        }
        Ok(())
    }

    fn wrong(&self, offset: usize, problem: &str) -> TemplateError {
        let (line, column) = layout::position(self.text, offset);
        TemplateError::Syntax { line, column, problem: problem.to_owned() }
    }

    fn scalar(
        &mut self,
        value: &str,
        style: granit_parser::ScalarStyle,
        tag: Option<&Tag>,
        range: Span,
        tag_span: Option<Span>,
    ) -> Result<(), TemplateError> {
        use granit_parser::ScalarStyle as S;
        let after = tag_span.as_ref().map_or(self.token_end, |tag| tag.end.max(self.token_end));
        let (style, span) = match style {
            S::SingleQuoted => (ScalarStyle::Single, range),
            S::DoubleQuoted => (ScalarStyle::Double, range),
            S::Literal => (ScalarStyle::Literal, self.block_scalar(after, range)),
            S::Folded => (ScalarStyle::Folded, self.block_scalar(after, range)),
            _ if range.is_empty() => (ScalarStyle::Plain, self.empty(range.start, tag_span.as_ref())),
            _ => (ScalarStyle::Plain, range),
        };
        let value = if span.is_empty() { String::new() } else { value.to_owned() };
        let start = tag_span.map_or(span.start, |tag| tag.start.min(span.start));
        self.token_end = span.end;
        self.add(Shape::Scalar { value, style }, tag, span, start).map(|_| ())
    }

    /// From the header of a literal or folded scalar to the end of its last line, before the line break.
    fn block_scalar(&self, after: usize, range: Span) -> Span {
        let mut header = after;
        while header < range.start {
            // Comments are many in a large template, and in order.
            let before = self.comments.partition_point(|comment| comment.start <= header);
            let last = before.checked_sub(1).and_then(|at| self.comments.get(at));
            if let Some(comment) = last.filter(|comment| comment.contains(&header)) {
                header = comment.end;
                continue;
            }
            match self.text.as_bytes().get(header) {
                Some(b'|' | b'>') => break,
                _ => header += 1,
            }
        }
        let header_line = line_end(self.text, header);
        let keeps = self.text.get(header..header_line).is_some_and(|line| line.split('#').next().unwrap_or("").contains('+'));
        let body = self.text.get(range.clone()).unwrap_or("");
        let end = if keeps && range.end < self.text.len() {
            // Blank lines belong to it; the range may reach into the indentation of the next token.
            let line = line_start(self.text, range.end);
            line_end(self.text, line.saturating_sub(1))
        } else if keeps {
            let broken = body.ends_with('\n');
            if broken { line_end(self.text, self.text.len().saturating_sub(1)) } else { range.end }
        } else {
            match body.trim_end().len() {
                0 => header_line,
                written => line_end(self.text, range.start + written),
            }
        };
        header..end.max(header_line)
    }

    /// An empty value: after the tag, else after the colon of its key or the dash of its item.
    fn empty(&self, at: usize, tag_span: Option<&Span>) -> Span {
        if let Some(tag) = tag_span {
            return tag.end..tag.end;
        }
        let at = match self.open.last() {
            Some(open) if open.key.is_some() => {
                let rest = self.text.get(at..).unwrap_or("");
                let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
                let colon = rest.get(blanks..).and_then(|r| r.strip_prefix(':'));
                let style = self.nodes.get(open.node).map(|node| &node.shape);
                let flow = matches!(style, Some(Shape::Mapping { style: Collection::Flow, .. }));
                let own = colon.is_some_and(|after| {
                    after.is_empty() || after.starts_with([' ', '\t', '\n', '\r']) || (flow && after.starts_with([',', '}', ']']))
                });
                if own { at + blanks + 1 } else { at }
            }
            Some(open) if matches!(self.nodes.get(open.node).map(|node| &node.shape), Some(Shape::Sequence { .. })) => {
                dash_before(self.text, &self.comments, at).map_or(at, |dash| dash + 1)
            }
            _ => at,
        };
        at..at
    }

    fn anchor(&mut self, id: usize, name: &str, range: &Span) {
        let Some(last) = self.nodes.len().checked_sub(1) else { return };
        self.anchors.insert(id, last);
        if let Some(node) = self.nodes.get_mut(last) {
            node.anchor = Some(name.to_owned());
            node.start = node.start.min(range.start);
            if matches!(node.shape, Shape::Scalar { .. }) && node.span.is_empty() && node.span.end < range.end {
                node.span = range.end..range.end;
            }
        }
        self.token_end = self.token_end.max(range.end);
    }

    fn collection(&mut self, shape: Shape, tag: Option<&Tag>, range: Span, tag_span: Option<Span>) -> Result<(), TemplateError> {
        if self.outer + self.open.len() >= MAX_DEPTH {
            let (line, column) = layout::position(self.text, range.start);
            return Err(TemplateError::TooDeep { line, column });
        }
        self.token_end = range.end;
        let start = tag_span.map_or(range.start, |tag| tag.start.min(range.start));
        let node = self.add(shape, tag, range, start)?;
        self.open.push(Open { node, key: None });
        Ok(())
    }

    fn add(&mut self, shape: Shape, tag: Option<&Tag>, span: Span, start: usize) -> Result<usize, TemplateError> {
        let index = self.nodes.len();
        self.nodes.push(NodeData { shape, tag: tag.map(Tag::original), anchor: None, span, start });
        let Some(open) = self.open.last_mut() else {
            if self.root.replace(index).is_some() {
                return Err(self.wrong(0, "more than one node stands at the outermost level"));
            }
            return Ok(index);
        };
        match self.nodes.get_mut(open.node).map(|node| &mut node.shape) {
            Some(Shape::Sequence { items, .. }) => items.push(index),
            Some(Shape::Mapping { entries, .. }) => match open.key.take() {
                None => open.key = Some(index),
                Some(key) => entries.push((key, index)),
            },
            _ => {}
        }
        Ok(index)
    }

    fn close(&mut self, range: &Span) -> Result<(), TemplateError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let Some(node) = self.nodes.get(open.node) else { return Ok(()) };
        let end_of = |index: &usize| self.nodes.get(*index).map_or(range.end, |child| child.span.end);
        let start_of = |index: &usize| self.nodes.get(*index).map_or(range.start, |child| child.start);
        let mut start = node.span.start;
        let end = match &node.shape {
            Shape::Sequence { items, style: Collection::Block } => {
                if let Some(dash) = items.first().and_then(|first| dash_before(self.text, &self.comments, start_of(first))) {
                    start = dash;
                }
                items.last().map_or(range.start, end_of)
            }
            Shape::Mapping { entries, style: Collection::Block } => {
                entries.last().map_or(range.start, |(_, value)| end_of(value))
            }
            _ => range.end,
        };
        if let Shape::Mapping { entries, .. } = &node.shape {
            self.unique(entries)?;
        }
        if let Some(node) = self.nodes.get_mut(open.node) {
            let bare = node.start == node.span.start;
            node.span = start..end;
            node.start = if bare { start } else { node.start.min(start) };
        }
        self.token_end = self.token_end.max(end);
        Ok(())
    }

    fn unique(&self, entries: &[(usize, usize)]) -> Result<(), TemplateError> {
        let mut seen = BTreeSet::new();
        for (key, _) in entries {
            let Some(node) = self.nodes.get(*key) else { continue };
            let resolved = match node.shape {
                Shape::Alias { target } => self.nodes.get(target).unwrap_or(node),
                _ => node,
            };
            if let Shape::Scalar { value, .. } = &resolved.shape
                && !seen.insert(value.as_str())
            {
                let (line, column) = layout::position(self.text, node.start);
                return Err(TemplateError::DuplicateKey { line, column, key: value.clone() });
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Tree, TemplateError> {
        let Some(root) = self.root.and_then(|root| self.nodes.get(root)).cloned() else {
            return Err(self.wrong(0, "the document is empty"));
        };
        let mut comments = self.comments;
        comments.sort_by_key(|comment| comment.start);
        Ok(Tree { nodes: self.nodes, root, comments })
    }
}

fn collection(style: granit_parser::StructureStyle) -> Collection {
    match style {
        granit_parser::StructureStyle::Block => Collection::Block,
        granit_parser::StructureStyle::Flow => Collection::Flow,
    }
}

/// The dash of the block sequence item whose content begins at an offset: back over white space and comments.
pub(super) fn dash_before(text: &str, comments: &[Span], offset: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = offset;
    loop {
        let previous = at.checked_sub(1)?;
        let within = comments.partition_point(|comment| comment.start <= previous);
        if let Some(comment) = within.checked_sub(1).and_then(|n| comments.get(n)).filter(|c| c.contains(&previous)) {
            at = comment.start;
            continue;
        }
        match bytes.get(previous)? {
            b' ' | b'\t' | b'\n' | b'\r' => at = previous,
            b'-' => return Some(previous),
            _ => return None,
        }
    }
}
