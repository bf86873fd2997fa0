//! Reading a value together with its comments.

use super::{Document, Node, Span, Value};

/// What a document says, with its comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commented {
    /// The comment lines above everything.
    pub above: Vec<String>,
    /// The value. A comment belongs to the entry below it, whatever its column; inside of intrinsic functions there is no
    /// place for one, so it belongs to what follows.
    pub value: Value,
    /// Where a comment stands that has no entry below it.
    pub stray: Option<usize>,
}

impl Commented {
    /// Reads a document. `None` when a key is not a scalar, or aliases expand beyond all measure.
    #[must_use]
    pub fn read(doc: &Document) -> Option<Self> {
        let mut value = Value::read(doc.root())?;
        let mut comments = Comments { doc, left: doc.comments() };
        let above = comments.above(doc.root().full_span().start);
        comments.hand_out(doc.root(), &mut value);
        Some(Self { above, value, stray: comments.left.first().map(|comment| comment.start) })
    }
}

/// The comments of a document that no entry has yet, in order.
struct Comments<'d> {
    doc: &'d Document,
    left: &'d [Span],
}

impl Comments<'_> {
    fn above(&mut self, offset: usize) -> Vec<String> {
        let (above, left) = self.left.split_at(self.left.partition_point(|comment| comment.start < offset));
        self.left = left;
        above.iter().map(|comment| self.doc.comment_text(comment).trim().to_owned()).collect()
    }

    fn hand_out(&mut self, node: Node<'_>, value: &mut Value) {
        if node.is_alias() {
            return;
        }
        let start = |n: usize| self.doc.child_span(node, n).map_or(0, |child| child.start);
        match value {
            Value::Map(pairs) => {
                let starts: Vec<usize> = (0..pairs.len()).map(start).collect();
                for ((pair, start), (_, below)) in pairs.iter_mut().zip(starts).zip(node.entries()) {
                    pair.comments = self.above(start);
                    self.hand_out(below, &mut pair.value);
                }
            }
            Value::Seq(items) => {
                let starts: Vec<usize> = (0..items.len()).map(start).collect();
                for ((item, start), below) in items.iter_mut().zip(starts).zip(node.items()) {
                    item.comments = self.above(start);
                    self.hand_out(below, &mut item.value);
                    // What stands on the line of a dash has its comments above the dash.
                    item.comments.extend(first(&mut item.value));
                }
            }
            _ => {}
        }
    }
}

/// Takes the comments away from the first entry.
fn first(value: &mut Value) -> Vec<String> {
    match value {
        Value::Map(pairs) => pairs.first_mut().map(|pair| std::mem::take(&mut pair.comments)).unwrap_or_default(),
        Value::Seq(items) => items.first_mut().map(|item| std::mem::take(&mut item.comments)).unwrap_or_default(),
        _ => Vec::new(),
    }
}
