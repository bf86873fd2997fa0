//! What CloudTrail can show, and under which event selector.

use super::Catalog;
use crate::iam::{Action, Pattern};
use crate::ledger::Coverage;
use crate::ledger::coverage::Hidden;

/// The table of visibility. An action that no row names is a management event.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Visibilities {
    /// When the table was made.
    pub date: String,
    /// Actions that only data events show.
    pub data: Vec<DataEvents>,
    /// Actions that nothing shows, or nothing is known to.
    pub blind: Vec<Blind>,
}

/// Actions of one data event type.
#[derive(Debug, serde::Deserialize)]
pub struct DataEvents {
    /// The service prefix.
    pub service: String,
    /// `resources.type` of the advanced event selector.
    #[serde(rename = "type")]
    pub kind: String,
    /// Patterns of actions.
    pub actions: Vec<String>,
    /// Where that is documented.
    pub source: String,
}

/// Actions that CloudTrail does not show.
#[derive(Debug, serde::Deserialize)]
pub struct Blind {
    /// Patterns of actions.
    pub actions: Vec<String>,
    /// How sure that is.
    pub confidence: String,
    /// Where that is documented.
    pub source: String,
}

/// How an action can be seen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "logged", rename_all = "kebab-case")]
pub enum Visibility {
    /// As a management event: in event history and in every trail that logs them.
    Management,
    /// As a data event, when a trail selects this resource type.
    Data {
        /// `resources.type` of the advanced event selector.
        kind: String,
        /// Where that is documented.
        source: String,
    },
    /// Not at all, or not known to be.
    Blind {
        /// How sure that is.
        confidence: String,
        /// Where that is documented.
        source: String,
    },
}

impl Catalog {
    /// How an action can be seen.
    #[must_use]
    pub fn visibility(&self, action: &Action) -> Visibility {
        let named = |patterns: &[String]| patterns.iter().any(|p| Pattern::parse(p).matches_action(action));
        if let Some(row) = self.coverage.blind.iter().find(|r| named(&r.actions)) {
            return Visibility::Blind { confidence: row.confidence.clone(), source: row.source.clone() };
        }
        let fits = |r: &&DataEvents| {
            r.service.eq_ignore_ascii_case(action.service()) && named(&r.actions) && !self.is_bucket_setting(action)
        };
        match self.coverage.data.iter().find(fits) {
            Some(row) => Visibility::Data { kind: row.kind.clone(), source: row.source.clone() },
            None => Visibility::Management,
        }
    }

    /// Whether a source with this coverage would have shown the action.
    #[must_use]
    pub fn visible(&self, action: &Action, coverage: &Coverage) -> bool {
        match self.visibility(action) {
            Visibility::Management => {
                let left_out = |source: &String| self.prefixes(source).iter().any(|p| p.eq_ignore_ascii_case(action.service()));
                !coverage.excluded.iter().any(left_out) && !coverage.hidden.iter().any(|half| self.is_of(action, *half))
            }
            Visibility::Data { kind, .. } => coverage.data.contains(&kind),
            Visibility::Blind { .. } => false,
        }
    }

    /// Whether the events of an action may be of this half. The access level tells: `List` and `Read` are what `readOnly` says; an
    /// action that the reference does not know may be of either.
    fn is_of(&self, action: &Action, half: Hidden) -> bool {
        let reads = self.reference.action(action).map(|facts| matches!(facts.level.as_str(), "List" | "Read"));
        reads.is_none_or(|reads| reads == (half == Hidden::ManagementReads))
    }

    /// S3 logs calls on objects as data events and calls on a bucket's settings as management events.
    fn is_bucket_setting(&self, action: &Action) -> bool {
        let types = self.reference.action(action).map(|f| f.types.as_slice()).unwrap_or_default();
        action.service().eq_ignore_ascii_case("s3")
            && !action.name().starts_with("List")
            && types.iter().any(|(t, _)| t == "bucket")
            && types.iter().all(|(t, _)| t == "bucket")
    }
}
