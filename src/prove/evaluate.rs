//! The evaluator: what a set of identity policies says about one request.
//!
//! A request is implicitly denied; any matching Allow allows it; any matching Deny wins over that. A permissions boundary limits
//! what they allow and grants nothing. Service control policies and resource policies are somebody else's question.

use std::collections::BTreeMap;

use super::document::{Document, Effect, Statement};
pub use super::pattern::ArnReading;

/// The value of a context key in a request. A key without any value counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A single value.
    One(String),
    /// The values of a multivalued key.
    Many(Vec<String>),
}

/// A request as the policies see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// Service prefix and name, `s3:GetObject`; case does not matter.
    pub action: String,
    /// The ARN, or `*` for an action without resource types.
    pub resource: String,
    /// The context keys in lower case; what is not here is absent.
    pub context: BTreeMap<String, Value>,
}

/// What the policies say, and which statement decided. Positions count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// A statement allows the request and none denies it.
    Allowed {
        /// Position of the document.
        document: usize,
        /// Position of the statement in it.
        statement: usize,
    },
    /// A statement denies the request.
    ExplicitDeny {
        /// Position of the document.
        document: usize,
        /// Position of the statement in it.
        statement: usize,
    },
    /// No statement allows the request.
    ImplicitDeny,
    /// A statement of the permissions boundary denies the request.
    BoundaryDeny {
        /// Position of the statement in it.
        statement: usize,
    },
    /// The identity policies allow the request, and no statement of the permissions boundary does.
    OutsideBoundary,
}

impl Decision {
    /// Whether the request goes through.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Evaluates the request against all documents together, in one reading of ARN wildcards.
///
/// The first deciding statement in document order is named; the decision does not depend on the order.
#[must_use]
pub fn evaluate(documents: &[Document], request: &Request, reading: ArnReading) -> Decision {
    let mut decision = Decision::ImplicitDeny;
    for (document, statements) in documents.iter().enumerate() {
        for (statement, content) in statements.statements.iter().enumerate() {
            if content.effect == Effect::Allow && decision.is_allowed() || !applies(content, request, reading) {
                continue;
            }
            match content.effect {
                Effect::Deny => return Decision::ExplicitDeny { document, statement },
                Effect::Allow => decision = Decision::Allowed { document, statement },
            }
        }
    }
    decision
}

/// As [`evaluate`], within a permissions boundary: both have to allow the request, and a Deny in either wins.
///
/// Source: IAM User Guide, "Permissions boundaries for IAM entities".
#[must_use]
pub fn evaluate_within(documents: &[Document], boundary: Option<&Document>, request: &Request, reading: ArnReading) -> Decision {
    let own = evaluate(documents, request, reading);
    let Some(boundary) = boundary else { return own };
    match (own, evaluate(std::slice::from_ref(boundary), request, reading)) {
        (Decision::ExplicitDeny { .. }, _) => own,
        (_, Decision::ExplicitDeny { statement, .. }) => Decision::BoundaryDeny { statement },
        (Decision::Allowed { .. }, Decision::ImplicitDeny) => Decision::OutsideBoundary,
        _ => own,
    }
}

/// Whether a statement matches the request.
#[must_use]
pub fn applies(statement: &Statement, request: &Request, reading: ArnReading) -> bool {
    statement.action.matches(&request.action, &request.context)
        && statement.resource(reading).matches(&request.resource, &request.context)
        && statement.conditions.iter().all(|test| test.holds(&request.context))
}
