//! Actions, resource types and condition keys: the Service Authorization Reference.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use super::CatalogError;
use super::format::ArnFormat;
use crate::iam::{Action, Pattern};

const EMBEDDED: &[u8] = include_bytes!("data/reference.jsonl.gz");

/// A reference file larger than this is refused.
const LARGEST: usize = 64 << 20;

/// The reference: one line of JSON a service, parsed when it is asked for.
#[derive(Debug)]
pub struct Reference {
    text: String,
    /// Where it is from.
    pub source: String,
    /// Its date, `YYYY-MM-DD`.
    pub date: String,
    lines: BTreeMap<String, (Range<usize>, OnceLock<Option<Service>>)>,
}

/// One service.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Service {
    /// Its prefix in actions, such as `s3`.
    pub prefix: String,
    /// Its name, such as `Amazon S3`.
    pub name: String,
    /// Its actions, sorted by name.
    pub actions: Vec<ActionFacts>,
    /// The ARN format of each resource type.
    pub types: BTreeMap<String, ArnFormat>,
}

/// One action.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct ActionFacts {
    /// The name after the colon, as AWS writes it.
    pub name: String,
    /// `List`, `Read`, `Write`, `Permissions management` or `Tagging`.
    pub level: String,
    /// The resource types it supports, and whether each is required. Empty: the action has no resource-level permissions.
    #[serde(default)]
    pub types: Vec<(String, bool)>,
    /// The condition keys it supports beside the global ones.
    #[serde(default)]
    pub keys: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Head {
    source: String,
    date: String,
}

impl Reference {
    /// The embedded reference.
    #[must_use]
    pub fn embedded() -> Self {
        Self::read(EMBEDDED).unwrap_or_else(|_| Self {
            text: String::new(),
            source: String::new(),
            date: String::new(),
            lines: BTreeMap::new(),
        })
    }

    /// Reads a reference file, compressed or not.
    ///
    /// # Errors
    /// When the bytes are not what `tools/catalog/generate.py` writes.
    pub fn read(bytes: &[u8]) -> Result<Self, CatalogError> {
        let wrong = |e: &dyn std::fmt::Display| CatalogError::Malformed(e.to_string());
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { inflate(bytes)? } else { bytes.to_vec() };
        let text = String::from_utf8(bytes).map_err(|e| wrong(&e))?;
        let first = text.lines().next().unwrap_or_default();
        let head: Head = serde_json::from_str(first).map_err(|e| wrong(&e))?;
        let mut lines = BTreeMap::new();
        let mut at = first.len() + 1;
        for line in text.lines().skip(1) {
            let prefix = line.strip_prefix("{\"prefix\":\"").and_then(|rest| rest.split('"').next());
            let prefix = prefix.ok_or_else(|| wrong(&"a line does not begin with a service's prefix"))?;
            lines.insert(prefix.to_owned(), (at..at + line.len(), OnceLock::new()));
            at += line.len() + 1;
        }
        Ok(Self { source: head.source, date: head.date, lines, text })
    }

    /// The whole text, one line of JSON a service after the head.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The prefixes of all services.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.lines.keys().map(String::as_str)
    }

    /// One service by its prefix, in any case.
    #[must_use]
    pub fn service(&self, prefix: &str) -> Option<&Service> {
        let (range, slot) = self.lines.get(prefix).or_else(|| self.lines.get(&prefix.to_ascii_lowercase()))?;
        slot.get_or_init(|| serde_json::from_str(self.text.get(range.clone())?).ok()).as_ref()
    }

    /// What is known of an action.
    #[must_use]
    pub fn action(&self, action: &Action) -> Option<&ActionFacts> {
        self.service(action.service())?.action(action.name())
    }

    /// The actions that a pattern names today.
    #[must_use]
    pub fn expand(&self, pattern: &Pattern) -> Vec<Action> {
        if let Some(action) = pattern.as_literal().and_then(|t| Action::parse(&t)) {
            return self
                .action(&action)
                .and_then(|f| Action::of(&action.service().to_ascii_lowercase(), &f.name))
                .into_iter()
                .collect();
        }
        let near = |prefix: &&str| pattern.overlaps_folded(&Pattern::literal(&format!("{prefix}:")).then(&Pattern::any()));
        let services = self.services().filter(near).filter_map(|p| self.service(p));
        let all = services.flat_map(|s| s.actions.iter().filter_map(|f| Action::of(&s.prefix, &f.name)));
        all.filter(|a| pattern.matches_action(a)).collect()
    }

    /// Whether the action has resource-level permissions; unknown actions are taken to have them.
    #[must_use]
    pub fn supports_resources(&self, action: &Action) -> bool {
        self.action(action).is_none_or(|facts| !facts.types.is_empty())
    }
}

impl Service {
    /// An action by its name, in any case.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&ActionFacts> {
        let exact = self.actions.binary_search_by(|a| a.name.as_str().cmp(name)).ok().and_then(|at| self.actions.get(at));
        exact.or_else(|| self.actions.iter().find(|a| a.name.eq_ignore_ascii_case(name)))
    }
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, CatalogError> {
    let mut out = Vec::new();
    let limited = std::io::Read::take(flate2::read::MultiGzDecoder::new(bytes), LARGEST as u64);
    std::io::Read::read_to_end(&mut { limited }, &mut out).map_err(|e| CatalogError::Malformed(e.to_string()))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_of_the_baseline_are_known() {
        let reference = Reference::embedded();
        let check = |text: &str, level: &str, resources: bool| {
            let action = Action::parse(text).unwrap();
            assert_eq!(reference.action(&action).map(|f| f.level.as_str()), Some(level), "{text}");
            assert_eq!(reference.supports_resources(&action), resources, "{text}");
        };
        check("s3:getobject", "Read", true);
        check("ssm:PutInventory", "Write", false);
        check("ssmmessages:OpenDataChannel", "Write", false);
        assert_eq!(
            reference.expand(&Pattern::parse("S3:GetBucketLoc*")).iter().map(Action::as_str).collect::<Vec<_>>(),
            ["s3:GetBucketLocation"]
        );
        assert!(reference.expand(&Pattern::any()).len() > 20_000);
    }
}
