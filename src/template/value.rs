//! What gets put into a document: a value that can be written as YAML or JSON, and read back from either.

use super::{Kind, Node, ScalarStyle};

/// A value with the order of its keys, intrinsic functions apart from plain mappings, and comments where people
/// should read some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, as JSON writes it.
    Number(String),
    /// A text.
    Str(String),
    /// A list.
    Seq(Vec<Item>),
    /// Keys and values.
    Map(Vec<Pair>),
    /// An intrinsic function by its short name: `Tagged("Sub", "…")` is `!Sub …` or `{"Fn::Sub": "…"}`.
    /// INVARIANT (get-att-parts): the argument of `GetAtt` is a list of resource and attribute.
    Tagged(String, Box<Value>),
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Lines of text that stand above it where the format has comments.
    pub comments: Vec<String>,
    /// The item.
    pub value: Value,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Lines of text that stand above it where the format has comments.
    pub comments: Vec<String>,
    /// The key.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// How many nodes [`Value::read`] visits at most: aliases can make a small file expand without end.
const READ_BUDGET: usize = 100_000;

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Str(text.into())
    }

    /// A list without comments.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::Seq(items.into_iter().map(|value| Item { comments: Vec::new(), value }).collect())
    }

    /// A mapping without comments.
    pub fn map<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Self)>) -> Self {
        let pair = |(key, value): (K, Self)| Pair { comments: Vec::new(), key: key.into(), value };
        Self::Map(pairs.into_iter().map(pair).collect())
    }

    /// An intrinsic function by its short name.
    pub fn tagged(name: impl Into<String>, argument: Self) -> Self {
        Self::Tagged(name.into(), Box::new(argument))
    }

    /// The text of a text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(pairs) => pairs.iter().find(|pair| pair.key == key).map(|pair| &pair.value),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> impl Iterator<Item = &Self> {
        let items: &[Item] = if let Self::Seq(items) = self { items } else { &[] };
        items.iter().map(|item| &item.value)
    }

    /// The value of plain JSON. Nothing in it is taken for an intrinsic function.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        use serde_json::Value as J;
        match json {
            J::Null => Self::Null,
            J::Bool(flag) => Self::Bool(*flag),
            J::Number(number) => Self::Number(number.to_string()),
            J::String(text) => Self::Str(text.clone()),
            J::Array(items) => Self::list(items.iter().map(Self::from_json)),
            J::Object(entries) => Self::map(entries.iter().map(|(key, value)| (key.clone(), Self::from_json(value)))),
        }
    }

    /// Reads a node, aliases followed, short and long form of intrinsic functions alike.
    ///
    /// `None` when a key is not a scalar, or aliases expand beyond all measure.
    #[must_use]
    pub fn read(node: Node<'_>) -> Option<Self> {
        let mut budget = READ_BUDGET;
        read(node, &mut budget)
    }

    /// The same value in the long form, as JSON has it: `{"Fn::Sub": "…"}`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as J;
        match self {
            Self::Null => J::Null,
            Self::Bool(flag) => J::Bool(*flag),
            Self::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| J::String(text.clone())),
            Self::Str(text) => J::String(text.clone()),
            Self::Seq(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Map(pairs) => J::Object(pairs.iter().map(|pair| (pair.key.clone(), pair.value.to_json())).collect()),
            Self::Tagged(name, argument) => J::Object([(long_name(name), argument.to_json())].into_iter().collect()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

/// The key of the long form of an intrinsic function.
pub(crate) fn long_name(short: &str) -> String {
    if matches!(short, "Ref" | "Condition") { short.to_owned() } else { format!("Fn::{short}") }
}

/// The short name of an intrinsic function by the key of its long form. `Condition` is left out: it is a key of
/// resources and of policy statements as well.
pub(crate) fn short_name(key: &str) -> Option<&str> {
    if key == "Ref" { Some(key) } else { key.strip_prefix("Fn::").filter(|name| !name.is_empty()) }
}

fn read(node: Node<'_>, budget: &mut usize) -> Option<Value> {
    *budget = budget.checked_sub(1)?;
    let node = node.resolved();
    let value = match node.kind() {
        Kind::Scalar(style) => read_scalar(node.scalar().unwrap_or(""), style, node.tag()),
        Kind::Sequence(_) => Value::list(node.items().map(|item| read(item, budget)).collect::<Option<Vec<_>>>()?),
        Kind::Mapping(_) => {
            let entry = |(key, value): (Node<'_>, Node<'_>)| Some((key.scalar()?.to_owned(), read(value, budget)?));
            let mut entries = node.entries().map(entry).collect::<Option<Vec<_>>>()?;
            match entries.as_mut_slice() {
                [(key, argument)] if short_name(key).is_some() => {
                    let argument = std::mem::replace(argument, Value::Null);
                    function(short_name(key).unwrap_or(key), argument)
                }
                _ => Value::map(entries),
            }
        }
        Kind::Alias => return None,
    };
    Some(match node.tag().and_then(|tag| tag.strip_prefix('!')) {
        Some(name) if !name.is_empty() && !name.starts_with(['!', '<']) => function(name, value),
        _ => value,
    })
}

fn read_scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Value {
    if style != ScalarStyle::Plain || tag.is_some() {
        return Value::text(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && serde_json::from_str::<serde_json::Number>(text).is_ok() =>
        {
            Value::Number(text.to_owned())
        }
        _ => Value::text(text),
    }
}

fn function(name: &str, argument: Value) -> Value {
    let argument = match (name, argument) {
        ("GetAtt", Value::Str(text)) => match text.split_once('.') {
            Some((resource, attribute)) => Value::list([Value::text(resource), Value::text(attribute)]),
            None => Value::Str(text),
        },
        (_, argument) => argument,
    };
    Value::tagged(name, argument)
}
