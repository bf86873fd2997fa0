//! Intrinsic functions in the nodes of a template, short and long form alike
//! (AWS CloudFormation User Guide, "Intrinsic function reference").

use crate::template::Node;

/// The function that a node calls, by its short name, and its argument.
pub(crate) fn function(node: Node<'_>) -> Option<(&str, Node<'_>)> {
    if let Some(tag) = node.tag() {
        return tag.strip_prefix('!').filter(|name| !name.is_empty() && !name.starts_with('!')).map(|name| (name, node));
    }
    let mut entries = node.entries();
    let (key, argument) = entries.next()?;
    if entries.next().is_some() {
        return None;
    }
    let key = key.as_str()?;
    let name = if key == "Ref" { key } else { key.strip_prefix("Fn::")? };
    Some((name, argument))
}

/// The name that a `Ref` refers to.
pub(crate) fn reference(node: Node<'_>) -> Option<&str> {
    match function(node) {
        Some(("Ref", argument)) => argument.scalar(),
        _ => None,
    }
}

/// The condition and the two branches of an `If`.
pub(crate) fn choice(node: Node<'_>) -> Option<(&str, Node<'_>, Node<'_>)> {
    let Some(("If", argument)) = function(node) else { return None };
    let mut items = argument.items();
    match (items.next(), items.next(), items.next(), items.next()) {
        (Some(condition), Some(yes), Some(no), None) => Some((condition.as_str()?, yes, no)),
        _ => None,
    }
}

/// Whether a node is `Ref: AWS::NoValue`: as if it were not there.
pub(crate) fn is_absent(node: Node<'_>) -> bool {
    reference(node) == Some("AWS::NoValue")
}

/// The pieces of a `Sub` text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'t> {
    /// Text as it is, `${!x}` already turned into `${x}`.
    Text(String),
    /// `${Name}` or `${Name.Attribute}`.
    Variable(&'t str),
}

/// Splits the text of a `Sub`.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        let (variable, after) = from.split_at(end + 1);
        let name = variable.trim_start_matches("${").trim_end_matches('}');
        if let Some(literal) = name.strip_prefix('!') {
            plain.push_str("${");
            plain.push_str(literal);
            plain.push('}');
        } else {
            found.push(Piece::Text(std::mem::take(&mut plain)));
            found.push(Piece::Variable(name));
        }
        rest = after;
    }
    plain.push_str(rest);
    found.push(Piece::Text(plain));
    found.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    found
}
