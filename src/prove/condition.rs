//! Conditions: the operators of the `Condition` element, with IfExists, set operators and absent keys.
//!
//! Source: IAM User Guide, "Condition operators" and "Conditions with multiple context keys or values" (read 2026-11).

use std::cmp::Ordering;

use super::document::Version;
use super::evaluate::Value;
use super::operand::{Instant, Network, Number, base64};
use super::pattern::{Context, Kind, Pattern};

/// `ForAllValues` or `ForAnyValue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantifier {
    /// Every value of the request must match.
    All,
    /// At least one value of the request must match.
    Any,
}

/// How an ordered operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// `…Equals`, and `…NotEquals` with [`Test::negated`].
    Equal,
    /// `…LessThan`
    Less,
    /// `…LessThanEquals`
    AtMost,
    /// `…GreaterThan`
    Greater,
    /// `…GreaterThanEquals`
    AtLeast,
}

impl Order {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// What the values of the policy are, read according to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// String, ARN and Boolean operators.
    Text(Vec<Pattern>),
    /// Numeric operators.
    Numbers(Order, Vec<Number>),
    /// Date operators.
    Instants(Order, Vec<Instant>),
    /// IP address operators.
    Networks(Vec<Network>),
    /// `BinaryEquals`.
    Bytes(Vec<Vec<u8>>),
    /// `Null`: must the key be absent?
    Absent(Vec<bool>),
}

/// One key of one operator of a `Condition`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Test {
    /// The operator as written, without `IfExists` and set operator.
    pub operator: String,
    /// The set operator.
    pub quantifier: Option<Quantifier>,
    /// Was it a `Not…` operator?
    pub negated: bool,
    /// Is it true when the key is absent?
    pub if_exists: bool,
    /// The context key in lower case.
    pub key: String,
    /// The values, any of which may match.
    pub wanted: Wanted,
}

impl Test {
    /// Reads one entry of a `Condition`. The error says what is wrong with the operator or a value.
    pub fn parse(operator: &str, key: &str, values: &[String], version: Version) -> Result<Self, String> {
        let (quantifier, rest) = match operator.split_once(':') {
            None => (None, operator),
            Some(("ForAllValues", rest)) => (Some(Quantifier::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::Any), rest),
            Some(_) => return Err(format!("`{operator}` is not a condition operator")),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let unknown = || format!("`{operator}` is not a condition operator");
        let (negated, wanted) = wanted(name, values, version).ok_or_else(unknown)??;
        if matches!(wanted, Wanted::Absent(_)) && (if_exists || quantifier.is_some()) {
            return Err(format!("`{operator}` is not a condition operator: Null takes neither IfExists nor a set operator"));
        }
        Ok(Self { operator: name.to_owned(), quantifier, negated, if_exists, key: key.to_lowercase(), wanted })
    }

    /// The patterns among its values; none for typed operators.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        match &self.wanted {
            Wanted::Text(patterns) => patterns.iter(),
            _ => [].iter(),
        }
    }

    /// Whether the condition holds for the context of a request.
    #[must_use]
    pub fn holds(&self, context: &Context) -> bool {
        self.holds_for(context.get(&self.key), context)
    }

    /// The same with the value of the key given; `context` is for variables. A key with an empty list of values is
    /// null, so it counts as absent.
    pub(crate) fn holds_for(&self, value: Option<&Value>, context: &Context) -> bool {
        let Some(value) = value.filter(|value| !matches!(value, Value::Many(texts) if texts.is_empty())) else {
            return self.holds_absent();
        };
        if let Wanted::Absent(wanted) = &self.wanted {
            return wanted.contains(&false);
        }
        match (value, self.quantifier) {
            (Value::One(text), _) => self.hit(text, context),
            (Value::Many(texts), Some(Quantifier::All)) => texts.iter().all(|text| self.hit(text, context)),
            (Value::Many(texts), _) => texts.iter().any(|text| self.hit(text, context)),
        }
    }

    /// The result without the key: `Not…` operators, IfExists and `ForAllValues` are true, the others false.
    /// `ForAnyValue` is false even when negated, since no value matches; IfExists still makes it true.
    pub(crate) fn holds_absent(&self) -> bool {
        if let Wanted::Absent(wanted) = &self.wanted {
            return wanted.contains(&true);
        }
        self.if_exists
            || match self.quantifier {
                Some(Quantifier::All) => true,
                Some(Quantifier::Any) => false,
                None => self.negated,
            }
    }

    /// One value of the request against the values of the policy. A request value that is not of the operator's type
    /// matches nothing. A negated operator with a variable that cannot be resolved is false, as a `NotResource` is.
    pub(crate) fn hit(&self, text: &str, context: &Context) -> bool {
        if self.negated && self.patterns().any(|pattern| pattern.is_void(context)) {
            return false;
        }
        let matched = match &self.wanted {
            Wanted::Text(patterns) => patterns.iter().any(|pattern| pattern.matches(text, context)),
            Wanted::Numbers(order, numbers) => {
                Number::parse(text).is_some_and(|own| numbers.iter().any(|number| order.holds(own.cmp(number))))
            }
            Wanted::Instants(order, instants) => {
                Instant::parse(text).is_some_and(|own| instants.iter().any(|instant| order.holds(own.cmp(instant))))
            }
            Wanted::Networks(networks) => text.parse().is_ok_and(|own| networks.iter().any(|network| network.contains(own))),
            Wanted::Bytes(wanted) => base64(text).is_some_and(|own| wanted.contains(&own)),
            Wanted::Absent(wanted) => wanted.contains(&false),
        };
        matched != self.negated
    }
}

/// The reading of the values that an operator asks for; `None` for an unknown operator.
fn wanted(name: &str, values: &[String], version: Version) -> Option<Result<(bool, Wanted), String>> {
    let text = |kind| list(values, |value| Pattern::parse(value, kind, version)).map(Wanted::Text);
    let (negated, wanted) = match name {
        "StringEquals" => (false, text(Kind::Exact)),
        "StringNotEquals" => (true, text(Kind::Exact)),
        "StringEqualsIgnoreCase" => (false, text(Kind::ExactFolded)),
        "StringNotEqualsIgnoreCase" => (true, text(Kind::ExactFolded)),
        "StringLike" => (false, text(Kind::Like)),
        "StringNotLike" => (true, text(Kind::Like)),
        "ArnEquals" | "ArnLike" => (false, text(Kind::Arn)),
        "ArnNotEquals" | "ArnNotLike" => (true, text(Kind::Arn)),
        "Bool" => (false, flags(values, version)),
        "BinaryEquals" => (false, list(values, |value| typed(value, "base-64 text", base64)).map(Wanted::Bytes)),
        "IpAddress" | "NotIpAddress" => {
            (name.starts_with("Not"), list(values, |v| typed(v, "an address range", Network::parse)).map(Wanted::Networks))
        }
        "Null" => (false, list(values, flag).map(Wanted::Absent)),
        _ => return ordered(name, values),
    };
    Some(wanted.map(|wanted| (negated, wanted)))
}

fn ordered(name: &str, values: &[String]) -> Option<Result<(bool, Wanted), String>> {
    let (numeric, order) = match name.strip_prefix("Numeric") {
        Some(order) => (true, order),
        None => (false, name.strip_prefix("Date")?),
    };
    let (negated, order) = match order {
        "Equals" => (false, Order::Equal),
        "NotEquals" => (true, Order::Equal),
        "LessThan" => (false, Order::Less),
        "LessThanEquals" => (false, Order::AtMost),
        "GreaterThan" => (false, Order::Greater),
        "GreaterThanEquals" => (false, Order::AtLeast),
        _ => return None,
    };
    let wanted = if numeric {
        list(values, |value| typed(value, "a number", Number::parse)).map(|numbers| Wanted::Numbers(order, numbers))
    } else {
        list(values, |value| typed(value, "a date", Instant::parse)).map(|instants| Wanted::Instants(order, instants))
    };
    Some(wanted.map(|wanted| (negated, wanted)))
}

/// Boolean values are compared without case; a variable may stand for one.
fn flags(values: &[String], version: Version) -> Result<Wanted, String> {
    let patterns = list(values, |value| {
        let pattern = Pattern::parse(value, Kind::ExactFolded, version)?;
        if pattern.variables().next().is_none() {
            flag(value)?;
        }
        Ok(pattern)
    })?;
    Ok(Wanted::Text(patterns))
}

fn flag(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`{value}` is neither `true` nor `false`")),
    }
}

fn typed<T>(value: &str, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    read(value).ok_or_else(|| format!("`{value}` is not {what}"))
}

fn list<T>(values: &[String], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    values.iter().map(|value| read(value)).collect()
}
