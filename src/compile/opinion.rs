//! What to ask another evaluator about a role's policy: everything it has to let through, and of everything that went an example.

use std::collections::BTreeMap;

use super::Compiled;
use crate::catalog::Catalog;
use crate::catalog::format::ArnFormat;
use crate::derive::Question;
use crate::prove::document::{Document, DocumentError};
use crate::prove::evaluate::Value;
use crate::prove::observed::calls;
use crate::prove::opinion::{self, Case};
use crate::prove::replay::{Call, InForce};

/// The name of what is nobody's, in resources that stand for all that went.
const FOREIGN: &str = "policyc-removed";

/// The requests: the observed calls and an example of each grant, and of each action of the baseline what is not granted any more, on
/// `*` and on a foreign resource of each type.
///
/// # Errors
/// When a document cannot be read by the checker.
pub fn cases(question: &Question, compiled: &Compiled, catalog: &Catalog) -> Result<Vec<Case>, DocumentError> {
    let policies = documents(question, compiled.document.as_bytes())?;
    let baseline = [Document::read(&question.baseline.bytes)?];
    let derivation = &compiled.derivation;
    let known = |key: &str, value: &str| (key.to_owned(), Value::One(value.to_owned()));
    let context = BTreeMap::from([
        known("aws:requestedregion", &question.region),
        known("aws:principalaccount", &question.account),
        known("aws:principaltype", "AssumedRole"),
    ]);
    let call = |action: &str, resource: String| Call {
        action: action.to_owned(),
        resource,
        context: context.clone(),
        ..Call::default()
    };
    let granted =
        derivation.grants.iter().filter_map(|g| Some(call(g.action.as_str(), g.resource.samples().into_iter().next()?)));
    let needs: Vec<Call> = derivation.observed.iter().flat_map(calls).chain(granted).collect();
    let others = derivation.verdicts.iter().flat_map(|verdict| {
        let facts = catalog.reference.action(&verdict.action);
        let service = catalog.reference.service(verdict.action.service());
        let types = facts.into_iter().flat_map(|f| &f.types).filter_map(move |(name, _)| service?.types.get(name));
        let resources = types.map(|format| foreign(format, question)).chain(["*".to_owned()]);
        resources.map(|resource| call(verdict.action.as_str(), resource)).collect::<Vec<_>>()
    });
    // A name that holds wildcards is one thing to the evaluators and may be another to a simulator.
    let plain = |call: &Call| call.resource == "*" || !call.resource.contains(['*', '?']);
    let (needs, others): (Vec<Call>, Vec<Call>) = (needs.into_iter().filter(plain).collect(), others.filter(plain).collect());
    let boundary = boundary(question)?;
    let force = InForce { policies: &policies, boundary: boundary.as_ref() };
    Ok(opinion::cases(force, &baseline, &needs, &others))
}

/// A policy and what stays attached beside it, as the checker reads them.
///
/// # Errors
/// When one cannot be read.
pub fn documents(question: &Question, policy: &[u8]) -> Result<Vec<Document>, DocumentError> {
    [policy].into_iter().chain(question.kept.iter().map(|k| k.bytes.as_slice())).map(Document::read).collect()
}

/// The permissions boundary, as the checker reads it.
///
/// # Errors
/// When it cannot be read.
pub fn boundary(question: &Question) -> Result<Option<Document>, DocumentError> {
    question.boundary.as_ref().map(|b| Document::read(&b.bytes)).transpose()
}

/// An ARN format with the account's values, and foreign names.
fn foreign(format: &ArnFormat, question: &Question) -> String {
    format.filled(|name| match name {
        "Partition" => &question.partition,
        "Region" => &question.region,
        "Account" => &question.account,
        _ => FOREIGN,
    })
}
