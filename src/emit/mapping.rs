//! The `Mappings` entry of a role's section, or an endpoint's: names that AWS services have in each region.
//!
//! Each has an entry of its own, so that injecting into one role never takes a name away from another.

use std::collections::BTreeMap;

use crate::template::{Collection, Document, Edit, Entry, Kind, Node, Pair, Place, Span, Style, TemplateError, Value};

use super::section::{MARKER, split_comments};

/// A name that exists in every region, but not by a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegionalName {
    /// The second-level key in the map: letters and digits only.
    pub key: String,
    /// Region → name.
    pub names: BTreeMap<String, String>,
}

/// The name of the `Mappings` entry that belongs to a role.
#[must_use]
pub fn map_name(role: &str) -> String {
    format!("{role}RegionalNames")
}

/// The `Mappings` of a template: map, top-level key, second-level key, text. What is not a text is left out.
#[must_use]
pub fn mappings(doc: &Document) -> BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>> {
    let level = |node: Node<'_>| -> BTreeMap<String, String> {
        node.entries().filter_map(|(key, value)| Some((key.scalar()?.to_owned(), value.as_str()?.to_owned()))).collect()
    };
    let tops = |node: Node<'_>| -> BTreeMap<String, BTreeMap<String, String>> {
        node.entries().filter_map(|(key, value)| Some((key.scalar()?.to_owned(), level(value)))).collect()
    };
    let all = doc.get(&["Mappings"]);
    all.into_iter()
        .flat_map(|node| node.entries())
        .filter_map(|(key, value)| Some((key.scalar()?.to_owned(), tops(value))))
        .collect()
}

/// What the map of a role says.
pub(crate) fn content(regional: &[RegionalName]) -> Value {
    let mut regions: BTreeMap<&str, Vec<(&str, Value)>> = BTreeMap::new();
    for name in regional {
        for (region, text) in &name.names {
            regions.entry(region).or_default().push((&name.key, Value::text(text)));
        }
    }
    Value::map(regions.into_iter().map(|(region, names)| (region, Value::map(names))))
}

/// Where the map of a role stands.
pub(crate) struct Maps<'d> {
    doc: &'d Document,
    role: &'d str,
    /// `Mappings` and its index at the outermost level.
    all: Option<(usize, Node<'d>)>,
    own: Option<usize>,
}

impl<'d> Maps<'d> {
    pub(crate) fn find(doc: &'d Document, role: &'d str) -> Self {
        let at = doc.root().entries().position(|(key, _)| key.as_str() == Some("Mappings"));
        let all = at.zip(doc.get(&["Mappings"]));
        let name = map_name(role);
        let own = all.and_then(|(_, node)| node.entries().position(|(key, _)| key.as_str() == Some(&name)));
        Self { doc, role, all, own }
    }

    /// What must not influence the style.
    pub(crate) fn skip(&self) -> Option<Span> {
        let ((_, all), own) = (self.all?, self.own?);
        if all.entries().len() == 1 { Some(all.full_span()) } else { self.doc.child_span(all, own) }
    }

    /// The edits that make the map of the role say these names, or make it go where there are none.
    pub(crate) fn edits(&self, regional: &[RegionalName], style: &Style) -> Result<Vec<Edit>, TemplateError> {
        match (self.all, self.own) {
            (_, None) if regional.is_empty() => Ok(Vec::new()),
            (Some((_, all)), Some(own)) if regional.is_empty() && all.entries().len() > 1 => {
                self.doc.take_out(all, &[own].into())
            }
            (Some((at, _)), Some(_)) if regional.is_empty() => self.remove(at, style),
            (Some((_, all)), Some(own)) => {
                let from = split_comments(all, own).1.map(|comment| comment.start);
                self.doc.put(all, Place::Over { index: own, from }, Entry::Pair(&self.pair(regional)), style)
            }
            (Some((_, all)), None) if all.entries().len() > 0 => {
                self.doc.put(all, Place::End, Entry::Pair(&self.pair(regional)), style)
            }
            (all, _) => self.create(all.map(|(at, _)| at), regional, style),
        }
    }

    fn pair(&self, regional: &[RegionalName]) -> Pair {
        let kind = self.doc.get(&["Resources", self.role, "Type"]).and_then(Node::as_str);
        let what = if kind == Some(super::role::ROLE) { "role" } else { "endpoint" };
        let comment = format!("{MARKER} for {what} {}: names that AWS services have in each region.", self.role);
        Pair { comments: vec![comment], key: map_name(self.role), value: content(regional) }
    }

    /// `Mappings` itself comes above `Resources`, or in the place of an empty one.
    fn create(&self, empty: Option<usize>, regional: &[RegionalName], style: &Style) -> Result<Vec<Edit>, TemplateError> {
        let root = self.doc.root();
        let pair = Pair { comments: Vec::new(), key: "Mappings".to_owned(), value: Value::Map(vec![self.pair(regional)]) };
        if let Some(index) = empty {
            return self.doc.put(root, Place::Over { index, from: None }, Entry::Pair(&pair), style);
        }
        let resources = root.entries().position(|(key, _)| key.as_str() == Some("Resources")).unwrap_or(0);
        let mut edits = self.doc.put(root, Place::Before(resources), Entry::Pair(&pair), style)?;
        if let ([edit], true) = (edits.as_mut_slice(), root.kind() == Kind::Mapping(Collection::Block)) {
            // Sections that are apart stay apart.
            let above = self.doc.text().get(..edit.span.start).unwrap_or("");
            for blank in ["\n", "\r\n"] {
                if above.ends_with(&blank.repeat(2)) && edit.replacement.ends_with(blank) {
                    edit.replacement.push_str(blank);
                    break;
                }
            }
        }
        Ok(edits)
    }

    /// `Mappings` goes where it was put, directly above `Resources`; elsewhere it was there before, and stays empty.
    fn remove(&self, at: usize, style: &Style) -> Result<Vec<Edit>, TemplateError> {
        let root = self.doc.root();
        if root.entries().nth(at + 1).is_none_or(|(key, _)| key.as_str() != Some("Resources")) {
            let pair = Pair { comments: Vec::new(), key: "Mappings".to_owned(), value: Value::Map(Vec::new()) };
            return self.doc.put(root, Place::Over { index: at, from: None }, Entry::Pair(&pair), style);
        }
        let mut edits = self.doc.take_out(self.doc.root(), &[at].into())?;
        if let [edit] = edits.as_mut_slice() {
            let (above, below) =
                (self.doc.text().get(..edit.span.start).unwrap_or(""), self.doc.text().get(edit.span.end..).unwrap_or(""));
            for blank in ["\r\n", "\n"] {
                if above.ends_with(&blank.repeat(2)) && below.starts_with(blank) {
                    edit.span.end += blank.len();
                    break;
                }
            }
        }
        Ok(edits)
    }
}
