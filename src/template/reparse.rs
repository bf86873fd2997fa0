//! Parsing again only the entries that edits touched.
//!
//! Templates are long, and what an edit touches is a resource of them. In YAML's block style the lines of an entry of
//! the outermost mapping, or of a mapping in it, say the same wherever they stand: they are parsed by themselves and
//! put into the tree in place of what was there.
//!
//! INVARIANT (reparse-is-parse): the tree is the one that parsing the whole text gives. Where that is not plain to see,
//! there is none, and the whole text is parsed.

use std::collections::BTreeSet;
use std::ops::Range;

use super::layout::{self, line_start};
use super::node::{NodeData, Shape, Tree};
use super::{Collection, Document, Edit, Format, Span, yaml};

/// An entry of a mapping, with its lines.
struct Place {
    /// The mapping, as an index into the arena: the outermost, which is 0, or one in it.
    mapping: usize,
    /// Which entry it is.
    entry: usize,
    /// From the line of its key to that of the next one.
    lines: Span,
    /// Its nodes in the arena.
    nodes: Range<usize>,
}

/// An entry that edits touch.
struct Touched {
    place: Place,
    /// How far its first line is moved by the edits above.
    from: isize,
    /// How far the line below it is moved.
    to: isize,
}

/// The tree of the edited text. `edits` are those that made `source` of the document's text, in order.
pub(super) fn tree(doc: &Document, edits: &[Edit], source: &str) -> Option<Tree> {
    let text = doc.text();
    if doc.format() == Format::Json || directs(text, &["%"]) {
        return None;
    }
    let touched = touched(doc, edits)?;
    let mut tree = Tree { nodes: doc.nodes.clone(), root: doc.root.clone(), comments: doc.comments.clone() };
    // From the last to the first: what lies above an entry is then where it was.
    for Touched { place, from, to } in touched.iter().rev() {
        let lines = place.lines.start.checked_add_signed(*from)?..place.lines.end.checked_add_signed(*to)?;
        let ends = place.lines.end == text.len();
        let written =
            source.get(lines).filter(|lines| (ends || lines.ends_with('\n')) && !directs(lines, &["%", "---", "..."]))?;
        let entry = yaml::parse_within(written, usize::from(place.mapping != 0)).ok()?;
        // What is left out may count as standing where the next line begins.
        if !ends && entry.nodes.iter().any(|node| node.span.end >= written.len()) {
            return None;
        }
        tree.renew(place, entry, to - from)?;
    }
    tree.end(0);
    tree.root = tree.nodes.first()?.clone();
    Some(tree)
}

/// Whether a line begins with one of these: directives go for all that follow, and dashes and dots part documents.
fn directs(text: &str, marks: &[&str]) -> bool {
    let begins = |line: &str| marks.iter().any(|mark| line.starts_with(mark));
    let line = |at: usize| text.get(at + 1..).is_some_and(begins);
    begins(text.trim_start_matches(layout::BOM)) || memchr::memchr_iter(b'\n', text.as_bytes()).any(line)
}

fn touched(doc: &Document, edits: &[Edit]) -> Option<Vec<Touched>> {
    let mut all: Vec<Touched> = Vec::new();
    let mut moved = 0;
    for edit in edits {
        let from = moved;
        moved += isize::try_from(edit.replacement.len()).ok()? - isize::try_from(edit.span.len()).ok()?;
        let whole = Place { mapping: 0, entry: 0, lines: 0..doc.text().len(), nodes: 0..doc.nodes.len() };
        let outer = around(doc, edit, 0, &whole)?;
        let place = value(doc, &outer).and_then(|mapping| around(doc, edit, mapping, &outer)).unwrap_or(outer);
        match all.last_mut() {
            Some(last) if last.place.lines == place.lines => last.to = moved,
            Some(last) if last.place.lines.end > place.lines.start => return None,
            _ => all.push(Touched { place, from, to: moved }),
        }
    }
    Some(all)
}

fn entries(doc: &Document, mapping: usize) -> Option<&[(usize, usize)]> {
    match doc.nodes.get(mapping) {
        Some(NodeData { shape: Shape::Mapping { entries, style: Collection::Block }, tag: None, anchor: None, .. }) => {
            Some(entries)
        }
        _ => None,
    }
}

fn value(doc: &Document, place: &Place) -> Option<usize> {
    entries(doc, place.mapping)?.get(place.entry).map(|(_, value)| *value)
}

/// The entry of a mapping within whose lines an edit lies, below its key.
fn around(doc: &Document, edit: &Edit, mapping: usize, outer: &Place) -> Option<Place> {
    let entries = entries(doc, mapping)?;
    let key = |at: usize| entries.get(at).and_then(|(key, _)| doc.nodes.get(*key));
    let below = entries.partition_point(|(key, _)| doc.nodes.get(*key).is_some_and(|key| key.span.end < edit.span.start));
    let entry = below.checked_sub(1)?;
    let next = entries.get(entry + 1);
    let start = line_of(doc.text(), key(entry)?)?;
    let end = next.map_or(Some(outer.lines.end), |_| line_of(doc.text(), key(entry + 1)?))?;
    let nodes = entries.get(entry)?.0..next.map_or(outer.nodes.end, |(key, _)| *key);
    // Anchors and aliases tie an entry to others.
    let tied = |node: &NodeData| node.anchor.is_some() || matches!(node.shape, Shape::Alias { .. });
    let alone = !doc.nodes.get(nodes.clone())?.iter().any(tied);
    let within = edit.span.end <= end && alone;
    within.then_some(Place { mapping, entry, lines: start..end, nodes })
}

/// Where the line begins on which a key is the first.
fn line_of(text: &str, key: &NodeData) -> Option<usize> {
    let start = line_start(text, key.start);
    text.get(start..key.start)?.bytes().all(|b| b == b' ').then_some(start)
}

impl Tree {
    /// Puts a parsed entry, and what came with it, in place of one; what is below moves.
    fn renew(&mut self, place: &Place, entry: Tree, moved: isize) -> Option<()> {
        let Shape::Mapping { entries, style: Collection::Block } = entry.root.shape else { return None };
        let Place { lines, nodes, .. } = place;
        let old = self.nodes.get(nodes.start)?.start - lines.start;
        if entry.root.tag.is_some() || entry.root.anchor.is_some() || entry.root.start != old {
            return None;
        }
        // The first node is the mapping that the lines are by themselves; here they are entries of another.
        let mut fresh = entry.nodes;
        fresh.remove(0);
        let grown = isize::try_from(fresh.len()).ok()? - isize::try_from(nodes.len()).ok()?;
        let first = isize::try_from(nodes.start).ok()? - 1;
        let offset = isize::try_from(lines.start).ok()?;
        for node in &mut fresh {
            if node.anchor.is_some() || matches!(node.shape, Shape::Alias { .. }) {
                return None;
            }
            node.point(0, first)?;
            node.shift(0, offset)?;
        }
        for node in &mut self.nodes {
            node.point(nodes.end, grown)?;
            node.shift(lines.end, moved)?;
        }
        self.nodes.splice(nodes.clone(), fresh);
        let around = self.nodes.get_mut(place.mapping)?;
        let Shape::Mapping { entries: all, .. } = &mut around.shape else { return None };
        let entries = entries.iter().map(|(key, value)| Some((key.checked_add_signed(first)?, value.checked_add_signed(first)?)));
        all.splice(place.entry..=place.entry, entries.collect::<Option<Vec<_>>>()?);
        self.unique(place.mapping)?;
        self.end(place.mapping);
        let from = self.comments.partition_point(|comment| comment.start < lines.start);
        let to = self.comments.partition_point(|comment| comment.start < lines.end);
        for comment in self.comments.get_mut(to..)? {
            *comment = moved_span(comment, 0, moved)?;
        }
        let comments = entry.comments.iter().map(|comment| moved_span(comment, 0, offset)).collect::<Option<Vec<_>>>()?;
        self.comments.splice(from..to, comments);
        Some(())
    }

    /// A block mapping ends with its last value.
    fn end(&mut self, mapping: usize) {
        let last = match self.nodes.get(mapping).map(|node| &node.shape) {
            Some(Shape::Mapping { entries, style: Collection::Block }) => {
                entries.last().and_then(|(_, value)| self.nodes.get(*value))
            }
            _ => None,
        };
        let end = last.map(|node| node.span.end);
        if let (Some(end), Some(node)) = (end, self.nodes.get_mut(mapping)) {
            node.span.end = end;
        }
    }

    fn unique(&self, mapping: usize) -> Option<()> {
        let Shape::Mapping { entries, .. } = &self.nodes.get(mapping)?.shape else { return None };
        let mut seen = BTreeSet::new();
        let text = |key: &usize| match &self.nodes.get(*key)?.shape {
            Shape::Scalar { value, .. } => Some(value.as_str()),
            _ => None,
        };
        entries.iter().all(|(key, _)| text(key).is_some_and(|key| seen.insert(key))).then_some(())
    }
}

impl NodeData {
    /// Indexes from `from` on move.
    fn point(&mut self, from: usize, by: isize) -> Option<()> {
        let moved = |index: &mut usize| -> Option<()> {
            if *index >= from {
                *index = index.checked_add_signed(by)?;
            }
            Some(())
        };
        match &mut self.shape {
            Shape::Scalar { .. } => Some(()),
            Shape::Alias { target } => moved(target),
            Shape::Sequence { items, .. } => items.iter_mut().try_for_each(moved),
            Shape::Mapping { entries, .. } => entries.iter_mut().try_for_each(|(key, value)| moved(key).and(moved(value))),
        }
    }

    /// Offsets from `from` on move.
    fn shift(&mut self, from: usize, by: isize) -> Option<()> {
        self.span = moved_span(&self.span, from, by)?;
        self.start = if self.start < from { self.start } else { self.start.checked_add_signed(by)? };
        Some(())
    }
}

fn moved_span(span: &Span, from: usize, by: isize) -> Option<Span> {
    let moved = |at: usize| if at < from { Some(at) } else { at.checked_add_signed(by) };
    Some(moved(span.start)?..moved(span.end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, after: &str, put: &str, taken: bool) {
        let doc = Document::parse_text(text.to_owned()).expect("a document");
        let edits = [Edit::insert(text.find(after).expect("a place") + after.len(), put)];
        let source = super::super::splice::splice(text, &edits).expect("a text");
        let tree = tree(&doc, &edits, &source);
        assert_eq!(tree.is_some(), taken, "{source}");
        assert!(!taken || tree == yaml::parse(&source).ok(), "{source}");
    }

    #[test]
    fn only_plain_lines_are_parsed_by_themselves() {
        let text = "---\na:\n  b:\n    c: 1 # d\n  # e\n  f: 2\ng: [\n  h ]\n";
        check(text, "c: 1", "3", true);
        check(text, "f: 2\n", "  i: 3\n", true);
        check(text, "h", ", i", true);
        check(text, "g", "i", false);
        check(text, "c: 1", "\n    c: 2", false);
        check(text, "f: 2\n", "  b: 3\n", false);
        check(text, "f: 2", " # ", true);
        check(text, "f: 2\n", "---\n", false);
        check(text, "f: ", "&x ", false);
        check("%YAML 1.1\n---\na:\n  b: 1\n", "b: ", "2", false);
        check("a: &x\n  b: 1\nc: *x\nd:\n  e: 1\n", "e: ", "2", true);
        check("a: &x\n  b: 1\nc: *x\nd:\n  e: 1\n", "b: ", "2", false);
        let braces = Document::parse_text("{a: 1,\n  b: 2 }\n".to_owned()).expect("a document");
        assert!(tree(&braces, &[], braces.text()) == yaml::parse(braces.text()).ok(), "no edit, and no other tree");
    }
}
