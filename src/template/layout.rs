//! Lines and columns of a text.

use super::{Document, Span};

/// The byte-order mark that some editors put first.
pub(crate) const BOM: char = '\u{feff}';

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineEnd {
    /// `\n`
    Lf,
    /// `\r\n`
    CrLf,
}

impl LineEnd {
    /// The characters of the line end.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
        }
    }

    /// The line end nearest before an offset, else the first one after it, else `\n`.
    pub(crate) fn near(text: &str, offset: usize) -> Self {
        let bytes = text.as_bytes();
        let (before, after) = bytes.split_at(offset.min(bytes.len()));
        let at =
            before.iter().rposition(|&b| b == b'\n').or_else(|| after.iter().position(|&b| b == b'\n').map(|n| n + before.len()));
        match at {
            Some(at) if at > 0 && bytes.get(at - 1) == Some(&b'\r') => Self::CrLf,
            _ => Self::Lf,
        }
    }
}

/// Line and column of an offset, from 1, the column in characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(start..).unwrap_or("").chars().filter(|&c| c != BOM).count() + 1;
    (line, column)
}

/// Where the line of an offset begins, after a byte-order mark.
pub(crate) fn line_start(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    match before.rfind('\n') {
        Some(at) => at + 1,
        None if text.starts_with(BOM) => BOM.len_utf8().min(offset),
        None => 0,
    }
}

/// Where the line of an offset ends, before its line break.
pub(crate) fn line_end(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or("");
    let end = rest.find('\n').map_or(text.len(), |at| offset + at);
    if end > offset && text.as_bytes().get(end - 1) == Some(&b'\r') { end - 1 } else { end }
}

/// Where the line after that of an offset begins, or the end of the text.
pub(crate) fn next_line(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or("");
    rest.find('\n').map_or(text.len(), |at| offset + at + 1)
}

/// How many bytes stand before an offset on its line. Indentation is blanks, so there bytes are columns.
pub(crate) fn column(text: &str, offset: usize) -> usize {
    offset - line_start(text, offset).min(offset)
}

/// The white space at the beginning of the line of an offset.
pub(crate) fn indentation(text: &str, offset: usize) -> &str {
    let start = line_start(text, offset);
    let line = text.get(start..line_end(text, start)).unwrap_or("");
    let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(..blank).unwrap_or("")
}

/// Whether only white space stands before an offset on its line.
pub(crate) fn first_on_line(text: &str, offset: usize) -> bool {
    text.get(line_start(text, offset)..offset).unwrap_or("").trim_matches([' ', '\t']).is_empty()
}

impl Document {
    /// The comment that begins on a line as its first character, by where the line begins.
    pub(crate) fn comment_line(&self, line: usize) -> Option<Span> {
        let at = self.comments().partition_point(|comment| comment.start < line);
        let comment = self.comments().get(at)?;
        let on_line = comment.start <= line_end(self.text(), line);
        (on_line && first_on_line(self.text(), comment.start)).then(|| comment.clone())
    }

    /// The comment lines that stand directly above a line, no blank line between; with `column`, only those that
    /// begin there: deeper ones belong to what is above, others to what is around.
    pub(crate) fn comments_above(&self, line: usize, column: Option<usize>) -> Vec<Span> {
        let mut found = Vec::new();
        let mut line = line;
        while line > 0 {
            let above = line_start(self.text(), line - 1);
            let fits = |comment: &Span| column.is_none_or(|column| self::column(self.text(), comment.start) == column);
            let Some(comment) = self.comment_line(above).filter(fits) else { break };
            found.push(comment);
            if above >= line {
                break;
            }
            line = above;
        }
        found.reverse();
        found
    }

    /// The end of the line on which something ends, and of the comment lines directly below that are indented deeper
    /// than `column`: they belong to it.
    pub(crate) fn tail(&self, end: usize, column: usize) -> usize {
        let mut end = line_end(self.text(), end);
        loop {
            let below = next_line(self.text(), end);
            if below == self.text().len() {
                return end;
            }
            match self.comment_line(below) {
                Some(comment) if self::column(self.text(), comment.start) > column => end = line_end(self.text(), comment.end),
                _ => return end,
            }
        }
    }

    /// The comment at the end of the line of an offset, after something else.
    pub(crate) fn comment_after(&self, offset: usize) -> Option<Span> {
        let at = self.comments().partition_point(|comment| comment.start < offset);
        self.comments().get(at).filter(|comment| comment.start <= line_end(self.text(), offset)).cloned()
    }
}
