//! Lossless editing of YAML and JSON documents.
//!
//! A [`Document`] keeps the bytes it was parsed from and knows, for every node, which of them it is. Edits replace
//! byte ranges ([`Edit`], [`Document::apply`]) and the result is parsed again; every byte outside the replaced ranges
//! stays. What is put in is a [`Value`], written in the [`Style`] of its surroundings.
//!
//! This room knows the two formats and the short form of intrinsic functions (`!Ref X` for `{"Ref": "X"}`), because
//! those decide how a document is written. It knows nothing of resources or policies.

mod block;
mod commented;
mod edit;
mod flow;
mod json;
mod layout;
mod node;
mod quote;
mod reparse;
mod splice;
mod style;
mod value;
mod write;
mod yaml;

pub use commented::Commented;
pub use edit::{Entry, Place};
pub use layout::LineEnd;
pub use node::{Collection, Kind, Node, ScalarStyle, Span};
pub(crate) use quote::comment;
pub use splice::Edit;
pub use style::{Quote, Style};
pub use value::{Item, Pair, Value};

use node::NodeData;

/// How deep collections may nest. CloudFormation templates stay below 30; the bound keeps recursion safe.
pub const MAX_DEPTH: usize = 100;

/// How many bytes a document may have. CloudFormation takes at most 1 MB from S3 (CloudFormation quotas, 2025).
pub const MAX_BYTES: usize = 16 << 20;

/// Why bytes are not a document, or an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The author of the file is at fault: it is not UTF-8.
    #[error("not UTF-8: the byte at offset {0} begins no character")]
    Encoding(usize),
    /// The file is larger than [`MAX_BYTES`].
    #[error("{0} bytes are more than a template may have")]
    TooLarge(usize),
    /// The author of the file is at fault: it is neither YAML nor JSON.
    #[error("line {line}, column {column}: {problem}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// The column in characters, counted from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The author of the file is at fault: a mapping has the same key twice, and readers disagree which one counts.
    #[error("line {line}, column {column}: the key `{key}` stands there a second time")]
    DuplicateKey {
        /// The line of the second one, counted from 1.
        line: usize,
        /// The column of the second one, counted from 1.
        column: usize,
        /// The key.
        key: String,
    },
    /// Collections nest deeper than [`MAX_DEPTH`].
    #[error("line {line}, column {column}: collections nest deeper than {MAX_DEPTH} levels")]
    TooDeep {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
    },
    /// The caller is at fault: two edits replace the same bytes, or one lies outside the document.
    #[error("the edits of bytes {0} to {1} overlap another or lie outside the document")]
    Overlap(usize, usize),
    /// The document has no place of the kind that the edit needs.
    #[error("{0}")]
    Unsupported(String),
}

/// Which of the two formats a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.1 as CloudFormation reads it.
    Yaml,
    /// JSON.
    Json,
}

/// A parsed document and the text it was parsed from.
#[derive(Debug, Clone)]
pub struct Document {
    source: String,
    format: Format,
    nodes: Vec<NodeData>,
    root: NodeData,
    /// Sorted; each from its `#` to before the line break.
    comments: Vec<Span>,
}

impl Document {
    /// Parses a document. JSON is tried where the first character is a brace; everything else, and what is not JSON
    /// after all, is read as YAML.
    ///
    /// # Errors
    /// When the bytes are no UTF-8, no single document, nest too deep, or hold a key twice.
    pub fn parse(bytes: &[u8]) -> Result<Self, TemplateError> {
        if bytes.len() > MAX_BYTES {
            return Err(TemplateError::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| TemplateError::Encoding(e.valid_up_to()))?;
        Self::parse_text(text.to_owned())
    }

    pub(crate) fn parse_text(source: String) -> Result<Self, TemplateError> {
        let body = source.trim_start_matches(layout::BOM).trim_start();
        let parsed = if body.starts_with('{') {
            match json::parse(&source) {
                Ok(parsed) => (Format::Json, parsed),
                // YAML flow style also begins with a brace; if it is not that either, the JSON error is the better one.
                Err(problem @ TemplateError::Syntax { .. }) => (Format::Yaml, yaml::parse(&source).map_err(|_| problem)?),
                Err(problem) => return Err(problem),
            }
        } else {
            (Format::Yaml, yaml::parse(&source)?)
        };
        let (format, tree) = parsed;
        Ok(Self::of(source, format, tree))
    }

    /// The bytes of the document.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.source.as_bytes()
    }

    /// The text of the document.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.source
    }

    /// YAML or JSON.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The outermost node.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node::new(self, &self.root)
    }

    /// The node at a path of mapping keys, aliases followed.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<Node<'_>> {
        path.iter().try_fold(self.root(), |node, key| node.get(key))
    }

    /// Replaces byte ranges, all at once, and parses the result.
    ///
    /// # Errors
    /// When edits overlap, or the result is no document any more.
    pub fn apply(&self, edits: Vec<Edit>) -> Result<Self, TemplateError> {
        let mut edits = edits;
        edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
        block::end_as_before(&self.source, &mut edits);
        let source = splice::splice(&self.source, &edits)?;
        let Some(tree) = reparse::tree(self, &edits, &source) else { return Self::parse_text(source) };
        debug_assert!(yaml::parse(&source).as_ref() == Ok(&tree), "INVARIANT (reparse-is-parse) of:\n{source}");
        Ok(Self::of(source, self.format, tree))
    }

    fn of(source: String, format: Format, tree: node::Tree) -> Self {
        Self { source, format, nodes: tree.nodes, root: tree.root, comments: tree.comments }
    }

    /// Line and column of a byte offset, both counted from 1, the column in characters.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        layout::position(&self.source, offset)
    }

    pub(crate) fn comments(&self) -> &[Span] {
        &self.comments
    }
}
