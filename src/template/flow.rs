//! Entries of flow collections, which are all collections of JSON: commas come and go with them.

use super::edit::{Entry, Place, Target};
use super::layout::{LineEnd, first_on_line, indentation, line_end, line_start, next_line};
use super::quote::Context;
use super::write::{Layout, Writer};
use super::{Edit, Span, Style, TemplateError, Value};

impl Target<'_> {
    fn text(&self) -> &str {
        self.doc.text()
    }

    fn many_lines(&self) -> bool {
        let span = if self.children.is_empty() { self.doc.root().span() } else { self.node.span() };
        self.text().get(span).is_some_and(|text| text.contains('\n'))
    }

    fn layout(&self, at: usize) -> Layout {
        if self.many_lines() { Layout::Lines(indentation(self.text(), at).to_owned()) } else { Layout::Line }
    }

    /// The first comma in a range, comments left out.
    fn comma(&self, within: Span) -> Option<usize> {
        let mut at = within.start;
        while at < within.end {
            if let Some(comment) = self.doc.comments().iter().find(|comment| comment.contains(&at)) {
                at = comment.end;
                continue;
            }
            if self.text().as_bytes().get(at) == Some(&b',') {
                return Some(at);
            }
            at += 1;
        }
        None
    }

    /// Whether nothing but blanks, a comma and a comment stands from an offset to the end of its line.
    fn ends_line(&self, offset: usize) -> bool {
        let end = line_end(self.text(), offset);
        let end = self.doc.comment_after(offset).map_or(end, |comment| comment.start.min(end));
        self.text().get(offset..end).is_some_and(|rest| rest.trim_matches([' ', '\t', ',', '\r']).is_empty())
    }

    fn inner_end(&self) -> usize {
        self.node.span().end.saturating_sub(1)
    }

    /// The entry as it is written at an offset: the line there tells how deep it stands and how lines end, so that it is
    /// written alike when it is replaced.
    fn write(&self, entry: Entry<'_>, at: usize, style: &Style) -> String {
        let layout = &self.layout(at);
        let mut writer = Writer::new(style, self.doc.format());
        match entry {
            Entry::Pair(pair) => writer.flow_pair(&pair.key, &pair.value, layout),
            Entry::Item(item) => writer.flow(&item.value, layout, Context::Flow),
        }
        writer.finish(LineEnd::near(self.text(), at))
    }

    fn line_break(&self, at: usize) -> String {
        format!("{}{}", LineEnd::near(self.text(), at).as_str(), indentation(self.text(), at))
    }
}

pub(super) fn put(target: &Target<'_>, place: Place, entry: Entry<'_>, style: &Style) -> Result<Vec<Edit>, TemplateError> {
    if target.children.is_empty() {
        return Ok(vec![fill(target, entry, style)]);
    }
    let index = match place {
        Place::Before(index) | Place::After(index) | Place::Over { index, .. } => index,
        Place::End => target.children.len() - 1,
    };
    let child = target.child(index)?;
    let own_line = first_on_line(target.text(), child.start);
    let next = target.children.get(index + 1).map_or(target.inner_end(), |next| next.start);
    let comma = target.comma(child.end..next);
    let at = match place {
        Place::After(_) | Place::End if !own_line => comma.unwrap_or(child.end),
        _ => child.start,
    };
    let written = target.write(entry, at, style);
    let gap = if style.comma_blank { " " } else { "" };
    Ok(match place {
        Place::Over { .. } => vec![Edit::new(child, written)],
        Place::Before(_) if own_line => {
            // The comments above stay with the entry that they belong to.
            let above = target.doc.comments_above(line_start(target.text(), child.start), None);
            let at = above.first().map_or(child.start, |comment| comment.start);
            vec![Edit::insert(at, format!("{written},{}", target.line_break(at)))]
        }
        Place::Before(_) => vec![Edit::insert(child.start, format!("{written},{gap}"))],
        Place::After(_) | Place::End => {
            let before = if own_line { target.line_break(child.start) } else { gap.to_owned() };
            match comma {
                None if own_line && target.doc.comment_after(child.end).is_some_and(|comment| comment.start < next) => {
                    let at = line_end(target.text(), child.end);
                    vec![Edit::insert(child.end, ","), Edit::insert(at, format!("{before}{written}"))]
                }
                None => vec![Edit::insert(child.end, format!(",{before}{written}"))],
                Some(comma) => {
                    let at = if own_line && target.ends_line(comma + 1) { line_end(target.text(), comma + 1) } else { comma + 1 };
                    vec![Edit::insert(at, format!("{before}{written},"))]
                }
            }
        }
    })
}

/// An empty collection gets its first entry.
fn fill(target: &Target<'_>, entry: Entry<'_>, style: &Style) -> Edit {
    let span = target.node.span();
    let whole = match entry {
        Entry::Pair(pair) => Value::Map(vec![pair.clone()]),
        Entry::Item(item) => Value::Seq(vec![item.clone()]),
    };
    let mut writer = Writer::new(style, target.doc.format());
    writer.flow(&whole, &target.layout(span.start), Context::Flow);
    Edit::new(span.clone(), writer.finish(LineEnd::near(target.text(), span.start)))
}

pub(super) fn take_out(target: &Target<'_>, index: usize) -> Result<Vec<Edit>, TemplateError> {
    let text = target.text();
    let child = target.child(index)?;
    let own_line = first_on_line(text, child.start);
    let line = line_start(text, child.start);
    let first = target.doc.comments_above(line, None).first().map_or(line, |comment| line_start(text, comment.start));
    let Ok(next) = target.child(index + 1) else {
        return take_out_last(target, index, own_line.then_some(first));
    };
    let comma = target.comma(child.end..next.start).unwrap_or(child.end);
    let broken = text.get(child.end..next.start).is_some_and(|between| between.contains('\n'));
    Ok(vec![Edit::delete(match (own_line, broken) {
        (true, true) if target.ends_line(comma) => first..next_line(text, comma),
        (_, true) => {
            let rest = text.get(comma + 1..).unwrap_or("");
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            child.start..comma + 1 + blanks
        }
        _ => child.start..next.start,
    })])
}

/// The last entry goes, and with it the comma before it or the one after it.
fn take_out_last(target: &Target<'_>, index: usize, lines_from: Option<usize>) -> Result<Vec<Edit>, TemplateError> {
    let text = target.text();
    let child = target.child(index)?;
    let previous = target.child(index.saturating_sub(1))?;
    let comma = target.comma(previous.end..child.start).unwrap_or(previous.end);
    let trailing = target.comma(child.end..target.inner_end());
    let end = trailing.map_or(child.end, |at| at + 1);
    match lines_from {
        Some(first) if target.ends_line(child.end) => {
            let mut edits = vec![Edit::delete(first..next_line(text, end))];
            if trailing.is_none() {
                edits.push(Edit::delete(comma..comma + 1));
            }
            Ok(edits)
        }
        Some(_) if target.doc.comments().iter().any(|comment| comment.start > previous.end && comment.end < child.start) => {
            Ok(vec![Edit::delete(comma..comma + 1), Edit::delete(child.start..end)])
        }
        _ => Ok(vec![Edit::delete(if trailing.is_some() { comma + 1..end } else { comma..child.end })]),
    }
}
