//! Events and the actions they need.
//!
//! The event name is not the IAM action. Most are equal but for case; the rest are exceptions with their source.

use std::collections::BTreeMap;

use super::Catalog;
use crate::iam::Action;

/// The table of exceptions.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Events {
    /// When the table was made.
    pub date: String,
    /// What each confidence means.
    pub confidences: BTreeMap<String, String>,
    /// Actions that need another beside them where the request has a parameter.
    pub with_parameters: Vec<WithParameter>,
    /// Event sources whose service prefix is not their own first label.
    pub sources: BTreeMap<String, SourceFacts>,
    /// `source:name` → what it needs.
    pub events: BTreeMap<String, EventFacts>,
    /// `source:name` → why it needs no permission; `source:*` for all of a source.
    pub none: BTreeMap<String, NoPermission>,
}

/// An event source.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
pub struct SourceFacts {
    /// The prefixes of the services whose actions its events need.
    pub services: Vec<String>,
    /// How sure that is.
    pub confidence: String,
}

/// An event whose name is not its action.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
pub struct EventFacts {
    /// The actions.
    pub actions: Vec<String>,
    /// How sure that is.
    pub confidence: String,
    /// Which of the actions a record needs depends on its parameters.
    #[serde(default)]
    pub choose: Option<Choose>,
}

/// How a record says which of several actions it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choose {
    /// The members of `transactItems`.
    TransactItems,
    /// The first word of the PartiQL statement.
    SqlVerb,
    /// One object is read, another written.
    CopySource,
}

/// An action that needs another beside it where the request has a parameter.
#[derive(Debug, serde::Deserialize)]
pub struct WithParameter {
    /// The action.
    pub action: String,
    /// The parameter, not empty.
    pub parameter: String,
    /// The action that is needed too, on the same resource.
    pub also: String,
    /// Where that is documented.
    pub source: String,
}

/// Why an event needs no permission.
#[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
pub struct NoPermission {
    /// The reason.
    pub reason: String,
}

/// What an event maps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapping {
    /// These actions, and how to choose among them.
    Actions(Vec<Action>, Option<Choose>),
    /// None, for a reason.
    None(String),
    /// Unknown.
    Unknown,
}

impl Catalog {
    /// The actions that an event needs.
    #[must_use]
    pub fn map_event(&self, source: &str, name: &str) -> Mapping {
        let key = format!("{source}:{name}");
        if let Some(none) = self.events.none.get(&key).or_else(|| self.events.none.get(&format!("{source}:*"))) {
            return Mapping::None(none.reason.clone());
        }
        let bare = without_version(name);
        for candidate in [name, bare] {
            if let Some(facts) = self.events.events.get(&format!("{source}:{candidate}")) {
                return Mapping::Actions(facts.actions.iter().filter_map(|a| Action::parse(a)).collect(), facts.choose);
            }
        }
        for prefix in self.prefixes(source) {
            let Some(service) = self.reference.service(&prefix) else { continue };
            for candidate in [name, bare] {
                if let Some(facts) = service.action(candidate) {
                    return Mapping::Actions(Action::of(&service.prefix, &facts.name).into_iter().collect(), None);
                }
            }
        }
        Mapping::Unknown
    }

    /// The service prefixes of an event source.
    #[must_use]
    pub fn prefixes(&self, source: &str) -> Vec<String> {
        match self.events.sources.get(source) {
            Some(facts) => facts.services.clone(),
            None => vec![source.split('.').next().unwrap_or(source).to_owned()],
        }
    }
}

/// The name without the version that some services append: `GetFunction20150331v2`, `GetDistribution2020_05_31`.
fn without_version(name: &str) -> &str {
    let stem = name
        .rsplit_once('v')
        .filter(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        .map_or(name, |(stem, _)| stem);
    let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let digits = stem.get(bare.len()..).unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    if digits == 8 { bare } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_stripped_and_nothing_else() {
        for (name, bare) in [
            ("GetFunction20150331v2", "GetFunction"),
            ("ListFunctions20150331", "ListFunctions"),
            ("GetDistribution2020_05_31", "GetDistribution"),
            ("ListObjectsV2", "ListObjectsV2"),
            ("GetSavingsPlan2", "GetSavingsPlan2"),
        ] {
            assert_eq!(without_version(name), bare);
        }
    }
}
