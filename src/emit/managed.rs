//! Managed policies in `ManagedPolicyArns`: which there are, under which conditions, and how to take one out.

use std::collections::BTreeSet;

use crate::template::{Document, Edit, Node, Style, Value};

use super::InjectError;
use super::function::{Piece, choice, function, is_absent, pieces, reference};

/// When something is there, by the conditions of the template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Presence {
    #[default]
    Never,
    Always,
    If {
        condition: String,
        yes: Box<Presence>,
        no: Box<Presence>,
    },
    /// Under more conditions than are followed.
    TooMany,
}

/// How large the tree of a [`Presence`] may grow: each further condition can double it.
const MAX_NODES: usize = 256;

impl Presence {
    pub(crate) fn choose(condition: &str, yes: Self, no: Self) -> Self {
        if yes == no {
            return yes;
        }
        if yes.nodes() + no.nodes() > MAX_NODES {
            return Self::TooMany;
        }
        Self::If { condition: condition.to_owned(), yes: Box::new(yes), no: Box::new(no) }
    }

    /// Present when one of the two is.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (same, other) if same == other => same,
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Never, other) | (other, Self::Never) => other,
            (Self::TooMany, _) | (_, Self::TooMany) => Self::TooMany,
            (Self::If { condition, yes, no }, other) => {
                let (other_yes, other_no) = match other {
                    Self::If { condition: same, yes, no } if same == condition => (*yes, *no),
                    other => (other.clone(), other),
                };
                Self::choose(&condition, yes.or(other_yes), no.or(other_no))
            }
        }
    }

    /// What is left of it where it is known which conditions hold.
    pub(crate) fn under(&self, known: &[(String, bool)]) -> Self {
        let Self::If { condition, yes, no } = self else { return self.clone() };
        match known.iter().find(|(name, _)| name == condition) {
            Some((_, true)) => yes.under(known),
            Some((_, false)) => no.under(known),
            None => Self::choose(condition, yes.under(known), no.under(known)),
        }
    }

    /// How often a value stands in [`Presence::wrap`].
    pub(crate) fn leaves(&self) -> usize {
        match self {
            Self::Never => 0,
            Self::Always => 1,
            Self::If { yes, no, .. } => yes.leaves().saturating_add(no.leaves()),
            Self::TooMany => usize::MAX,
        }
    }

    fn nodes(&self) -> usize {
        match self {
            Self::If { yes, no, .. } => 1 + yes.nodes() + no.nodes(),
            Self::TooMany => MAX_NODES,
            _ => 1,
        }
    }

    /// Whether two say the same, in whatever order they ask for the conditions.
    pub(crate) fn means(&self, other: &Self) -> bool {
        let ((Self::If { condition, .. }, _) | (_, Self::If { condition, .. })) = (self, other) else { return self == other };
        [true, false].into_iter().all(|holds| {
            let known = [(condition.clone(), holds)];
            self.under(&known).means(&other.under(&known))
        })
    }

    /// The value where present, `AWS::NoValue` elsewhere.
    pub(crate) fn wrap(&self, value: Value) -> Value {
        match self {
            Self::Never | Self::TooMany => absent(),
            Self::Always => value,
            Self::If { condition, yes, no } => {
                Value::tagged("If", Value::list([Value::text(condition), yes.wrap(value.clone()), no.wrap(value)]))
            }
        }
    }
}

/// `!Ref AWS::NoValue`
pub(crate) fn absent() -> Value {
    Value::tagged("Ref", Value::text("AWS::NoValue"))
}

/// The managed policies looked for.
pub(crate) struct Wanted<'a> {
    pub(crate) doc: &'a Document,
    pub(crate) names: &'a [String],
}

/// The ARN that an entry stands for, pseudo parameters and other references as `${Name}`; nothing where it cannot
/// be read off.
pub(crate) fn arn_text(node: Node<'_>) -> Option<String> {
    if let Some(text) = node.as_str() {
        return Some(text.to_owned());
    }
    match function(node)? {
        ("Ref", argument) => Some(format!("${{{}}}", argument.scalar()?)),
        ("Sub", argument) => {
            let mut items = argument.items();
            let (text, local) = match items.next() {
                Some(text) => (text.as_str()?, items.next()),
                None => (argument.scalar()?, None),
            };
            pieces(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => Some(text),
                    Piece::Variable(name) => match local.and_then(|map| map.get(name)) {
                        Some(value) => arn_text(value),
                        None => Some(format!("${{{name}}}")),
                    },
                })
                .collect()
        }
        ("Join", argument) => {
            let mut items = argument.items();
            let (separator, parts) = (items.next()?.as_str()?, items.next()?);
            // What another function makes is no list that stands here.
            let parts = Some(parts).filter(|parts| parts.is_sequence() && parts.tag().is_none())?;
            let parts = parts.items().map(arn_text).collect::<Option<Vec<_>>>()?;
            Some(parts.join(separator))
        }
        _ => None,
    }
}

/// Whether an ARN is that of a managed policy given by ARN, by path and name, or by name alone, without regard to
/// case. A name alone means AWS's own policy of that name.
pub(crate) fn matches(arn: &str, wanted: &str) -> bool {
    let (arn, wanted) = (arn.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    let Some((head, path)) = arn.split_once(":policy/") else { return false };
    let here = "${aws::accountid}";
    let owner = if head.ends_with(here) { here } else { head.rsplit(':').next().unwrap_or("") };
    let (wanted_owner, wanted_path) = match wanted.split_once(":policy/") {
        Some((head, path)) => (head.rsplit(':').next().unwrap_or("aws").to_owned(), path.to_owned()),
        None => ("aws".to_owned(), wanted),
    };
    let same_owner = owner == wanted_owner || (owner == here && wanted_owner != "aws");
    same_owner && (path == wanted_path || path.strip_suffix(wanted_path.as_str()).is_some_and(|rest| rest.ends_with('/')))
}

impl Wanted<'_> {
    fn is_meant(&self, arn: &str) -> bool {
        self.names.iter().any(|name| matches(arn, name))
    }

    /// When one of the policies is attached by a value of `ManagedPolicyArns`.
    pub(crate) fn list(&self, node: Node<'_>) -> Result<Presence, InjectError> {
        if let Some((condition, yes, no)) = choice(node) {
            return Ok(Presence::choose(condition, self.list(yes)?, self.list(no)?));
        }
        self.parameter(node)?;
        if function(node).is_some() {
            // `Split` of a parameter, or a list that is made otherwise.
            self.unmade(node)?;
            return Ok(Presence::Never);
        }
        if !node.is_sequence() && Value::read(node) != Some(Value::Null) {
            let (line, _) = self.doc.position(node.full_span().start);
            return Err(InjectError::NoList { line });
        }
        node.items().try_fold(Presence::Never, |found, item| Ok(found.or(self.entry(item)?)))
    }

    fn entry(&self, node: Node<'_>) -> Result<Presence, InjectError> {
        if let Some((condition, yes, no)) = choice(node) {
            return Ok(Presence::choose(condition, self.entry(yes)?, self.entry(no)?));
        }
        self.parameter(node)?;
        let arn = arn_text(node);
        if arn.as_ref().is_some_and(|arn| self.is_meant(arn)) {
            return Ok(Presence::Always);
        }
        let open = |arn: &String| arn.matches("${").count() != arn.matches("${AWS::").count();
        if arn.as_ref().is_none_or(open) {
            self.unmade(node)?;
        }
        Ok(Presence::Never)
    }

    /// Refuses a value that is made by functions out of one of the policies' names: taking it out would mean to rewrite
    /// what makes it, and leaving it would leave the policy attached.
    fn unmade(&self, node: Node<'_>) -> Result<(), InjectError> {
        // Each node once: aliases may lead to one in more ways than can be counted.
        let mut seen = BTreeSet::new();
        let mut open = vec![node];
        while let Some(next) = open.pop() {
            if seen.insert(next.identity()) {
                self.made_of(next, &mut open)?;
            }
        }
        Ok(())
    }

    /// Refuses a node that names one of the policies; what else it is made of comes to `open`.
    fn made_of<'d>(&self, node: Node<'d>, open: &mut Vec<Node<'d>>) -> Result<(), InjectError>
    where
        Self: 'd,
    {
        if let Some((name, argument)) = function(node) {
            let first = argument.scalar().or_else(|| argument.items().next().and_then(Node::scalar)).unwrap_or("");
            let referred = match name {
                "Ref" => vec![first],
                "Sub" => {
                    pieces(first).into_iter().filter_map(|p| if let Piece::Variable(v) = p { Some(v) } else { None }).collect()
                }
                _ => Vec::new(),
            };
            for parameter in referred {
                let default = self.doc.get(&["Parameters", parameter, "Default"]).and_then(Node::scalar).unwrap_or("");
                if self.is_named_in(default) {
                    return Err(InjectError::Parameter { parameter: parameter.to_owned() });
                }
            }
            if matches!(name, "Ref" | "GetAtt" | "ImportValue") {
                return Ok(());
            }
            if name == "FindInMap" {
                let maps = self.doc.get(&["Mappings"]).into_iter().flat_map(Node::entries);
                let named = argument.items().next().and_then(Node::as_str);
                let meant = maps.filter(|(key, _)| named.is_none() || named == key.as_str());
                open.extend(meant.map(|(_, map)| map));
            }
        }
        if node.scalar().is_some_and(|text| self.is_named_in(text)) {
            let (line, _) = self.doc.position(node.full_span().start);
            return Err(InjectError::Made { line });
        }
        open.extend(node.items().chain(node.entries().map(|(_, value)| value)));
        Ok(())
    }

    /// Whether a text has the name of one of the policies in it, as a word.
    fn is_named_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.names.iter().any(|wanted| {
            let wanted = wanted.to_ascii_lowercase();
            let name = wanted.rsplit('/').next().unwrap_or(&wanted);
            let within = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || "+=.@_-".contains(c));
            let mut found = text.match_indices(name);
            found.any(|(at, _)| {
                let (before, after) = (text.get(..at).unwrap_or(""), text.get(at + name.len()..).unwrap_or(""));
                !name.is_empty() && !within(before.chars().next_back()) && !within(after.chars().next())
            })
        })
    }

    /// A parameter whose default is one of the policies decides in each stack anew: nothing can be taken out here.
    fn parameter(&self, node: Node<'_>) -> Result<(), InjectError> {
        let Some(name) = reference(node) else { return Ok(()) };
        let default = self.doc.get(&["Parameters", name, "Default"]).and_then(Node::as_str).unwrap_or("");
        if default.split(',').any(|arn| self.is_meant(arn.trim())) {
            return Err(InjectError::Parameter { parameter: name.to_owned() });
        }
        Ok(())
    }
}

/// What is left of a value after the policies are taken out of it.
pub(crate) enum Left {
    /// All of it, with these edits inside.
    Value(Vec<Edit>),
    /// Nothing: the place that holds it decides.
    Nothing,
}

impl Wanted<'_> {
    /// Takes the policies out of a value of `ManagedPolicyArns`.
    pub(crate) fn strip(&self, node: Node<'_>, style: &Style) -> Result<Left, InjectError> {
        if self.list(node)? == Presence::Never {
            return Ok(Left::Value(Vec::new()));
        }
        owned(node)?;
        if choice(node).is_some() {
            return self.strip_choice(node, style, Self::strip);
        }
        let mut edits = Vec::new();
        let mut gone = BTreeSet::new();
        for (n, item) in node.items().enumerate() {
            match self.strip_entry(item, style)? {
                Left::Value(inner) => edits.extend(inner),
                Left::Nothing => {
                    gone.insert(n);
                }
            }
        }
        if gone.len() == node.items().len() {
            return Ok(Left::Nothing);
        }
        if !gone.is_empty() {
            edits.extend(self.doc.take_out(node, &gone)?);
        }
        Ok(Left::Value(edits))
    }

    fn strip_entry(&self, node: Node<'_>, style: &Style) -> Result<Left, InjectError> {
        if self.entry(node)? == Presence::Never {
            return Ok(Left::Value(Vec::new()));
        }
        owned(node)?;
        if choice(node).is_some() { self.strip_choice(node, style, Self::strip_entry) } else { Ok(Left::Nothing) }
    }

    fn strip_choice(
        &self,
        node: Node<'_>,
        style: &Style,
        strip: fn(&Self, Node<'_>, &Style) -> Result<Left, InjectError>,
    ) -> Result<Left, InjectError> {
        let Some((_, yes, no)) = choice(node) else { return Ok(Left::Value(Vec::new())) };
        let mut edits = Vec::new();
        let mut left = 0;
        for branch in [yes, no] {
            match strip(self, branch, style)? {
                Left::Value(inner) => {
                    left += usize::from(!is_nothing(branch));
                    edits.extend(inner);
                }
                Left::Nothing => edits.push(self.doc.replace(branch, &absent(), style)),
            }
        }
        Ok(if left == 0 { Left::Nothing } else { Left::Value(edits) })
    }
}

/// An absent value or an empty list.
fn is_nothing(node: Node<'_>) -> bool {
    is_absent(node) || (node.is_sequence() && node.tag().is_none() && node.items().len() == 0)
}

/// Refuses a node that stands in several places of the document at once.
pub(crate) fn owned(node: Node<'_>) -> Result<(), InjectError> {
    if node.is_alias() || node.is_shared() {
        let (line, _) = node.document().position(node.full_span().start);
        return Err(InjectError::Shared { line });
    }
    Ok(())
}
