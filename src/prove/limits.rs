//! What limits a role whatever its own policies grant: Deny statements of policies that stay attached, and its permissions boundary.
//!
//! Source: IAM User Guide, "Policy evaluation logic" and "Permissions boundaries for IAM entities": an explicit deny in either wins;
//! a boundary that does not allow a request denies it, but for what a resource-based policy grants to the session itself.

use super::document::{Document, DocumentError, Effect};
use super::evaluate::ArnReading;
use super::pattern::{Context, Token};
use super::replay::{Call, Denial, InForce, replay_within};

/// Limits of a role.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Policies that stay attached, of which only the Deny statements limit.
    kept: Vec<Document>,
    /// The permissions boundary.
    boundary: Option<Document>,
}

/// Someone who may do everything, but for the limits.
const EVERYTHING: &[u8] = br#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

impl Limits {
    /// Reads the documents.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn read(kept: &[&[u8]], boundary: Option<&[u8]>) -> Result<Self, DocumentError> {
        let kept = kept.iter().map(|bytes| Document::read(bytes)).collect::<Result<_, _>>()?;
        Ok(Self { kept, boundary: boundary.map(Document::read).transpose()? })
    }

    /// Limits that were read before.
    #[must_use]
    pub fn of(kept: &[Document], boundary: Option<&Document>) -> Self {
        Self { kept: kept.to_vec(), boundary: boundary.cloned() }
    }

    /// The calls that they forbid for certain, with the reason; documents are those that are kept, from 0. What hangs on a context key
    /// that is not known is not among them.
    ///
    /// # Errors
    /// None that a document of policyc's own does not have.
    pub fn forbidden(&self, calls: &[Call]) -> Result<Vec<(usize, Denial)>, DocumentError> {
        let all: Vec<Document> = std::iter::once(Document::read(EVERYTHING)?).chain(self.kept.iter().cloned()).collect();
        let force = InForce { policies: &all, boundary: self.boundary.as_ref() };
        let kept = |denial: Denial| match denial {
            Denial::Deny { document, statement } => Denial::Deny { document: document.saturating_sub(1), statement },
            other => other,
        };
        Ok(replay_within(force, force, calls).denied.into_iter().map(|(n, denial)| (n, kept(denial))).collect())
    }

    /// Why no request of an action gets past the boundary, whatever its resource and context; `None` where one may.
    #[must_use]
    pub fn outright(&self, action: &str) -> Option<Denial> {
        let statements = &self.boundary.as_ref()?.statements;
        let matching = |effect: Effect| {
            let own = statements.iter().enumerate().filter(move |(_, s)| s.effect == effect);
            own.filter(|(_, s)| s.action.matches(action, &Context::new()))
        };
        let whole = |s: &super::document::Statement| {
            let resource = s.resource(ArnReading::Segmented);
            s.conditions.is_empty()
                && !resource.negated
                && resource.patterns.iter().any(|p| matches!(p.tokens(), [Token::Any { .. }]))
        };
        let denied = matching(Effect::Deny).find(|(_, s)| whole(s)).map(|(statement, _)| Denial::BoundaryDeny { statement });
        denied.or_else(|| matching(Effect::Allow).next().is_none().then_some(Denial::OutsideBoundary))
    }
}
