//! Who refers to whom among the resources of a template: `Ref`, `Fn::GetAtt`, `Fn::Sub` and `DependsOn`.

use std::collections::{BTreeMap, BTreeSet};

use crate::template::{Document, Node, Value};

use super::function::{Piece, function, pieces};

/// The references between the resources of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl References {
    /// Reads them off a template.
    #[must_use]
    pub fn of(doc: &Document) -> Self {
        let Some(resources) = doc.get(&["Resources"]) else { return Self::default() };
        let ids: BTreeSet<&str> = resources.entries().filter_map(|(key, _)| key.as_str()).collect();
        let mut edges = BTreeMap::new();
        for (key, resource) in resources.entries() {
            let Some(id) = key.as_str() else { continue };
            let mut found = BTreeSet::new();
            nodes(resource, &mut found);
            if let Some(after) = resource.get("DependsOn") {
                found.extend(after.as_str().map(str::to_owned));
                found.extend(after.items().filter_map(Node::as_str).map(str::to_owned));
            }
            found.retain(|target| ids.contains(target.as_str()));
            edges.insert(id.to_owned(), found);
        }
        Self { edges }
    }

    /// Whether one resource names another.
    #[must_use]
    pub fn direct(&self, from: &str, to: &str) -> bool {
        self.edges.get(from).is_some_and(|targets| targets.contains(to))
    }

    /// Whether one resource needs another, directly or through others. A resource reaches itself.
    #[must_use]
    pub fn reaches(&self, from: &str, to: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            if id == to {
                return true;
            }
            if seen.insert(id) {
                open.extend(self.edges.get(id).into_iter().flatten().map(String::as_str));
            }
        }
        false
    }

    /// The logical ids of the resources.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.edges.keys().map(String::as_str)
    }
}

/// What a node refers to: resources, parameters and pseudo parameters.
pub(crate) fn names(node: Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    nodes(node, &mut found);
    found
}

fn nodes(node: Node<'_>, found: &mut BTreeSet<String>) {
    if let Some((name, argument)) = function(node) {
        function_names(name, argument, found);
    }
    // An alias is read where its anchor stands; what it stands for counts here too, and expands at most as `read` does.
    if node.is_alias() {
        if let Some(value) = Value::read(node) {
            values(&value, found);
        }
        return;
    }
    node.items().for_each(|item| nodes(item, found));
    node.entries().for_each(|(_, value)| nodes(value, found));
}

fn function_names(name: &str, argument: Node<'_>, found: &mut BTreeSet<String>) {
    let first = || argument.scalar().or_else(|| argument.items().next().and_then(Node::as_str));
    match name {
        "Ref" => found.extend(argument.scalar().map(str::to_owned)),
        "GetAtt" => found.extend(first().and_then(|text| text.split('.').next()).map(str::to_owned)),
        "Sub" => found.extend(first().into_iter().flat_map(sub_names)),
        _ => {}
    }
}

fn sub_names(text: &str) -> Vec<String> {
    let name = |piece: Piece<'_>| match piece {
        Piece::Variable(name) => name.split('.').next().map(|id| id.trim().to_owned()),
        Piece::Text(_) => None,
    };
    pieces(text).into_iter().filter_map(name).collect()
}

fn values(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Tagged(name, argument) => {
            let first = argument.as_str().or_else(|| argument.items().next().and_then(Value::as_str));
            match name.as_str() {
                "Ref" | "GetAtt" => found.extend(first.and_then(|text| text.split('.').next()).map(str::to_owned)),
                "Sub" => found.extend(first.into_iter().flat_map(sub_names)),
                _ => {}
            }
            values(argument, found);
        }
        Value::Seq(items) => items.iter().for_each(|item| values(&item.value, found)),
        Value::Map(pairs) => pairs.iter().for_each(|pair| values(&pair.value, found)),
        _ => {}
    }
}
