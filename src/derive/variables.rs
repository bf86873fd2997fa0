//! Variables: resources of the baseline such as `arn:aws:s3:::acme-${aws:PrincipalAccount}/*`.
//!
//! A variable that has one value in all calls of the role is [filled in](filled) before the passes compare names with the
//! baseline, and [written](write) again in what they grant: the value in its place would reach further than the baseline for
//! another principal. Where the trail does not show the value, the baseline's own resource is granted, word for word.
//!
//! Source: IAM User Guide, "IAM policy elements: Variables and tags".

use std::borrow::Cow;

use super::{Baseline, Grant, Question, Rung, cap};
use crate::iam::{Effect, Pattern, Policy, ResourceSpec, Statement};

/// The question with the variables filled in whose values are known, in what its policies allow. What they deny stays: it is
/// carried along as it is.
pub(super) fn filled(question: &Question) -> Cow<'_, Question> {
    let policies = || std::iter::once(&question.baseline).chain(&question.kept);
    if !policies().flat_map(|baseline| &baseline.policy.statements).any(|s| allowed(s).iter().any(Pattern::has_variable)) {
        return Cow::Borrowed(question);
    }
    let one = |statement: &Statement| match &statement.resources {
        ResourceSpec::Only(patterns) if statement.effect == Effect::Allow => Statement {
            resources: ResourceSpec::Only(patterns.iter().map(|p| known(question, p)).collect()),
            ..statement.clone()
        },
        _ => statement.clone(),
    };
    let policy = |baseline: &Baseline| Baseline {
        policy: Policy { statements: baseline.policy.statements.iter().map(one).collect(), ..baseline.policy.clone() },
        ..baseline.clone()
    };
    let (baseline, kept) = (policy(&question.baseline), question.kept.iter().map(policy).collect());
    Cow::Owned(Question { baseline, kept, ..question.clone() })
}

/// Writes the resource of a grant as the baseline grants it: with its variables, where the value alone would be outside.
pub(super) fn write(question: &Question, grant: &mut Grant) {
    let baseline = &question.baseline.policy;
    let granting = baseline
        .statements
        .iter()
        .filter(|s| cap::names(&s.actions, &grant.action) && grant.conditions.includes(&cap::carried(baseline, &s.conditions)));
    let patterns: Vec<&Pattern> = granting.flat_map(allowed).collect();
    if patterns.iter().any(|pattern| pattern.covers_arn(&grant.resource)) {
        return;
    }
    let fitting = || patterns.iter().filter(|p| p.has_variable() && known(question, p).covers_arn(&grant.resource));
    let narrow = |pattern: &Pattern| {
        let lead = pattern.variable_lead()?;
        Some(lead.then(&grant.resource.after(&known(question, &lead))?))
    };
    if let Some(narrower) = fitting().find_map(|pattern| narrow(pattern)) {
        grant.resource = narrower;
    } else if let Some(whole) = fitting().next().map(|pattern| (*pattern).clone()) {
        (grant.resource, grant.rung) = (whole, Rung::Baseline);
    }
}

/// The resources that a statement allows by name.
fn allowed(statement: &Statement) -> &[Pattern] {
    match &statement.resources {
        ResourceSpec::Only(patterns) if statement.effect == Effect::Allow => patterns,
        _ => &[],
    }
}

/// A pattern with the variables filled in that have one value in all calls of the role.
fn known(question: &Question, pattern: &Pattern) -> Pattern {
    pattern.with_variables(|written| written.eq_ignore_ascii_case(ACCOUNT).then(|| Pattern::literal(&question.account)))
}

/// The account of the principal, which is the role's.
const ACCOUNT: &str = "${aws:PrincipalAccount}";
