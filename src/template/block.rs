//! Entries of YAML collections in block style: whole lines come and go.

use super::edit::{Entry, Place, Target};
use super::layout::{LineEnd, column, first_on_line, line_end, line_start, next_line};
use super::write::Writer;
use super::{Edit, Format, Style, TemplateError};

fn lines(entry: Entry<'_>, column: usize, placed: bool, style: &Style) -> String {
    let mut writer = Writer::new(style, Format::Yaml);
    match entry {
        Entry::Pair(pair) => writer.block_pairs(std::slice::from_ref(pair), column, placed),
        Entry::Item(item) => writer.block_items(std::slice::from_ref(item), column, placed),
    }
    writer.finish(LineEnd::Lf)
}

pub(super) fn put(target: &Target<'_>, place: Place, entry: Entry<'_>, style: &Style) -> Result<Edit, TemplateError> {
    let text = target.doc.text();
    let index = match place {
        Place::Before(index) | Place::After(index) | Place::Over { index, .. } => index,
        Place::End => target.children.len().saturating_sub(1),
    };
    let child = target.child(index)?;
    let column = column(text, target.child(0)?.start);
    let whole_lines = first_on_line(text, child.start);
    let line = line_start(text, child.start);
    let (span, written) = match place {
        Place::After(_) | Place::End => {
            let end = target.doc.tail(child.end, column);
            let written = lines(entry, column, false, style);
            // At the beginning of the next line, so that the line above may go in the same step.
            match next_line(text, end) {
                below if below == text.len() && !text.ends_with('\n') => (below..below, format!("\n{written}")),
                below => (below..below, format!("{written}\n")),
            }
        }
        Place::Before(_) if whole_lines => {
            let at =
                target.doc.comments_above(line, Some(column)).first().map_or(line, |comment| line_start(text, comment.start));
            (at..at, format!("{}\n", lines(entry, column, false, style)))
        }
        Place::Before(_) => {
            let written = format!("{}\n{}", lines(entry, column, true, style), " ".repeat(column));
            (child.start..child.start, written)
        }
        Place::Over { from, .. } if whole_lines => {
            let start = from.map_or(line, |comment| line_start(text, comment));
            (start..target.doc.tail(child.end, column), lines(entry, column, false, style))
        }
        Place::Over { .. } => (child.start..target.doc.tail(child.end, column), lines(entry, column, true, style)),
    };
    let written = match LineEnd::near(text, span.start) {
        LineEnd::Lf => written,
        LineEnd::CrLf => written.replace('\n', "\r\n"),
    };
    Ok(Edit::new(span, written))
}

pub(super) fn take_out(target: &Target<'_>, index: usize) -> Result<Edit, TemplateError> {
    let text = target.doc.text();
    let child = target.child(index)?;
    let column = column(text, child.start);
    let end = target.doc.tail(child.end, column);
    if !first_on_line(text, child.start) {
        // The first entry on the line of a dash: the next one moves up, or the dash stays alone above its comments.
        let next = target.child(index + 1)?;
        let commented = target.doc.comments().iter().any(|comment| comment.start > end && comment.end <= next.start);
        return Ok(Edit::delete(child.start..if commented { line_end(text, end) } else { next.start }));
    }
    let line = line_start(text, child.start);
    let start = target.doc.comments_above(line, Some(column)).first().map_or(line, |comment| line_start(text, comment.start));
    Ok(Edit::delete(start..next_line(text, end)))
}

/// Where the last line goes and has no line break of its own, the one above it goes: that of what is put in there, or of
/// the text. `edits` are in order.
pub(super) fn end_as_before(text: &str, edits: &mut [Edit]) {
    let (mut from, mut first) = (text.len(), None);
    for edit in edits.iter_mut().rev().filter(|_| !text.ends_with('\n')) {
        // What is put in at the end begins with a line break of its own.
        if first.is_none() && edit.span.is_empty() && edit.span.end == text.len() {
            continue;
        }
        if edit.span.end != from || (first.is_none() && !edit.replacement.is_empty()) {
            break;
        }
        if !edit.replacement.is_empty() {
            let line = edit.replacement.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
            let end = line.map_or(edit.replacement.len(), str::len);
            edit.replacement.truncate(end);
            return;
        }
        from = edit.span.start;
        first = Some(edit);
    }
    if let Some(edit) = first.filter(|_| from > 0 && line_start(text, from) == from) {
        edit.span.start = line_end(text, line_start(text, from - 1));
    }
}
