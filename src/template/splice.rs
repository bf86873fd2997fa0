//! Replacing byte ranges of a text, all at once.

use super::{Span, TemplateError};

/// One replacement: these bytes by that text. An empty range inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go.
    pub span: Span,
    /// What comes in their place.
    pub replacement: String,
}

impl Edit {
    /// A replacement.
    #[must_use]
    pub fn new(span: Span, replacement: impl Into<String>) -> Self {
        Self { span, replacement: replacement.into() }
    }

    /// An insertion.
    #[must_use]
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self::new(at..at, text)
    }

    /// A deletion.
    #[must_use]
    pub fn delete(span: Span) -> Self {
        Self::new(span, "")
    }
}

/// Applies edits, which are in order, to a text.
///
/// INVARIANT (splice-keeps-the-rest): the result is the text with each range replaced; every byte outside the ranges
/// stands in it, in order. Edits may touch, not overlap; insertions at one place keep their order.
///
/// # Errors
/// [`TemplateError::Overlap`] when two edits overlap, or one is not a range of characters of the text.
pub(super) fn splice(text: &str, edits: &[Edit]) -> Result<String, TemplateError> {
    let grown: usize = edits.iter().map(|edit| edit.replacement.len()).sum();
    let mut result = String::with_capacity(text.len() + grown);
    let mut done = 0;
    for Edit { span, replacement } in edits {
        let overlap = || TemplateError::Overlap(span.start, span.end);
        if span.start > span.end {
            return Err(overlap());
        }
        let kept = text.get(done..span.start).ok_or_else(overlap)?;
        text.get(span.clone()).ok_or_else(overlap)?;
        result.push_str(kept);
        result.push_str(replacement);
        done = span.end;
    }
    result.push_str(text.get(done..).unwrap_or(""));
    Ok(result)
}
