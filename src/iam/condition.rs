//! The condition block of a statement, kept as written.

use std::collections::BTreeMap;

/// Operator → condition key → values, e.g. `StringEquals` → `aws:RequestedRegion` → `eu-west-1`.
///
/// The compiler only carries conditions along and adds simple ones; it never evaluates them. Values keep their order and
/// are text: IAM reads numbers and booleans as their text.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Conditions {
    operators: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Conditions {
    /// No condition at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operators.is_empty()
    }

    /// Adds a test. Values of an operator and key that are there already are left as they are: tests of one key must all
    /// hold, and a second test of the same operator cannot be written, so the caller checks [`Conditions::has`] first.
    #[must_use]
    pub fn and<I: IntoIterator<Item = String>>(mut self, operator: &str, key: &str, values: I) -> Self {
        let tests = self.operators.entry(operator.to_owned()).or_default();
        tests.entry(key.to_owned()).or_insert_with(|| values.into_iter().collect());
        self
    }

    /// Whether any operator tests this key (keys are compared without regard to case).
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.operators.values().any(|tests| tests.keys().any(|k| k.eq_ignore_ascii_case(key)))
    }

    /// Every operator, key and list of values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &[String])> {
        self.operators
            .iter()
            .flat_map(|(op, tests)| tests.iter().map(move |(key, values)| (op.as_str(), key.as_str(), values.as_slice())))
    }

    /// Whether every test of `other` stands in `self` word for word, so that `self` is at least as strict.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.operators.iter().all(|(op, tests)| {
            self.operators.get(op).is_some_and(|mine| tests.iter().all(|(key, values)| mine.get(key) == Some(values)))
        })
    }
}
