//! The node tree: what stands where.

use std::ops::Range;

use super::Document;

/// A range of byte offsets.
pub type Span = Range<usize>;

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScalarStyle {
    /// Without quotes; numbers, booleans and null in JSON.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// How a collection is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Collection {
    /// One entry a line, by indentation.
    Block,
    /// In brackets or braces. All collections of JSON are.
    Flow,
}

/// What a node is, with indexes into the arena of its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Scalar { value: String, style: ScalarStyle },
    Sequence { items: Vec<usize>, style: Collection },
    Mapping { entries: Vec<(usize, usize)>, style: Collection },
    Alias { target: usize },
}

/// A node as the arena keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeData {
    pub(crate) shape: Shape,
    /// The tag as written, such as `!Sub`.
    pub(crate) tag: Option<String>,
    pub(crate) anchor: Option<String>,
    /// The content, without tag and anchor. A block collection ends at its last leaf.
    pub(crate) span: Span,
    /// Where tag, anchor or content begin, whichever is first.
    pub(crate) start: usize,
}

/// What the parsers hand over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<NodeData>,
    pub(crate) root: NodeData,
    pub(crate) comments: Vec<Span>,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A single value.
    Scalar(ScalarStyle),
    /// A list.
    Sequence(Collection),
    /// Keys and values.
    Mapping(Collection),
    /// `*name`: stands for an anchored node elsewhere.
    Alias,
}

/// A node of a document.
#[derive(Debug, Clone, Copy)]
pub struct Node<'d> {
    doc: &'d Document,
    data: &'d NodeData,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.data, other.data)
    }
}

impl<'d> Node<'d> {
    pub(crate) fn new(doc: &'d Document, data: &'d NodeData) -> Self {
        Self { doc, data }
    }

    fn at(self, index: usize) -> Option<Self> {
        self.doc.nodes.get(index).map(|data| Self { doc: self.doc, data })
    }

    /// The document it belongs to.
    #[must_use]
    pub fn document(self) -> &'d Document {
        self.doc
    }

    /// What it is, an alias not followed.
    #[must_use]
    pub fn kind(self) -> Kind {
        match &self.data.shape {
            Shape::Scalar { style, .. } => Kind::Scalar(*style),
            Shape::Sequence { style, .. } => Kind::Sequence(*style),
            Shape::Mapping { style, .. } => Kind::Mapping(*style),
            Shape::Alias { .. } => Kind::Alias,
        }
    }

    /// The node itself, or the anchored node that an alias stands for.
    #[must_use]
    pub fn resolved(self) -> Self {
        match self.data.shape {
            Shape::Alias { target } => self.at(target).unwrap_or(self),
            _ => self,
        }
    }

    /// The tag as written, such as `!Sub`; an alias has the tag of what it stands for.
    #[must_use]
    pub fn tag(self) -> Option<&'d str> {
        self.resolved().data.tag.as_deref()
    }

    /// The name of the anchor on this node.
    #[must_use]
    pub fn anchor(self) -> Option<&'d str> {
        self.data.anchor.as_deref()
    }

    /// The bytes of the content, without tag and anchor.
    #[must_use]
    pub fn span(self) -> Span {
        self.data.span.clone()
    }

    /// The bytes of the node with its tag and anchor.
    #[must_use]
    pub fn full_span(self) -> Span {
        self.data.start..self.data.span.end
    }

    /// The decoded text of a scalar, tagged or not.
    #[must_use]
    pub fn scalar(self) -> Option<&'d str> {
        match &self.resolved().data.shape {
            Shape::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The decoded text of a scalar without a tag.
    #[must_use]
    pub fn as_str(self) -> Option<&'d str> {
        if self.tag().is_some() { None } else { self.scalar() }
    }

    /// The items of a sequence, in order; nothing for other nodes.
    pub fn items(self) -> impl DoubleEndedIterator<Item = Node<'d>> + ExactSizeIterator {
        let node = self.resolved();
        let items: &[usize] = match &node.data.shape {
            Shape::Sequence { items, .. } => items,
            _ => &[],
        };
        items.iter().map(move |&index| node.at(index).unwrap_or(node))
    }

    /// Keys and values of a mapping, in order; nothing for other nodes.
    pub fn entries(self) -> impl DoubleEndedIterator<Item = (Node<'d>, Node<'d>)> + ExactSizeIterator {
        let node = self.resolved();
        let entries: &[(usize, usize)] = match &node.data.shape {
            Shape::Mapping { entries, .. } => entries,
            _ => &[],
        };
        entries.iter().map(move |&(key, value)| (node.at(key).unwrap_or(node), node.at(value).unwrap_or(node)))
    }

    /// The value of a key of a mapping.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Node<'d>> {
        self.entries().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// What tells it, or what an alias stands for, from every other node.
    pub(crate) fn identity(self) -> *const NodeData {
        std::ptr::from_ref(self.resolved().data)
    }

    /// Whether it has no more than so many nodes and levels, aliases written out.
    pub(crate) fn is_within(self, nodes: usize, levels: usize) -> bool {
        let mut open = vec![(self, 1)];
        let mut count = 1;
        while let Some((node, level)) = open.pop() {
            count += node.items().len() + node.entries().len();
            if count > nodes || level > levels {
                return false;
            }
            open.extend(node.items().chain(node.entries().map(|(_, value)| value)).map(|inner| (inner, level + 1)));
        }
        true
    }

    /// Whether it is a mapping (an alias of one included).
    #[must_use]
    pub fn is_mapping(self) -> bool {
        matches!(self.resolved().data.shape, Shape::Mapping { .. })
    }

    /// Whether it is a sequence (an alias of one included).
    #[must_use]
    pub fn is_sequence(self) -> bool {
        matches!(self.resolved().data.shape, Shape::Sequence { .. })
    }

    /// Whether it is an alias, so that an edit below it would change another place.
    #[must_use]
    pub fn is_alias(self) -> bool {
        matches!(self.data.shape, Shape::Alias { .. })
    }

    /// Whether something in the document stands for this very node by an alias.
    #[must_use]
    pub fn is_shared(self) -> bool {
        self.data.anchor.is_some()
            && self.doc.nodes.iter().any(|node| match node.shape {
                Shape::Alias { target } => self.doc.nodes.get(target).is_some_and(|data| std::ptr::eq(data, self.data)),
                _ => false,
            })
    }
}
