//! A second opinion: what another evaluator of policies says of the same requests, and where it says something else.
//!
//! It only tells. A policy is what it was before, whatever the other one says.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Document;
use super::evaluate::{ArnReading, Request, Value, evaluate_within};
use super::replay::{Call, InForce};
use crate::finding::{Code, Finding};

/// Why a request is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It has to go through.
    Need,
    /// The policy lets it through, and the permissions boundary does not.
    Bounded,
    /// The baseline lets it through, and the policy does not any more.
    Removed,
}

/// A request to ask about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Why.
    pub kind: Kind,
    /// The request.
    pub request: Request,
}

/// What both readings of wildcards agree on; `None` where they do not.
fn ours(force: InForce<'_>, request: &Request) -> Option<bool> {
    let [whole, segmented] = [ArnReading::Whole, ArnReading::Segmented]
        .map(|reading| evaluate_within(force.policies, force.boundary, request, reading).is_allowed());
    (whole == segmented).then_some(whole)
}

/// The requests to ask about: those of the `needs` that `policies` let through as far as the request is known, and those of `others`
/// that the `baseline` lets through and they do not. A call that hangs on a context key that nobody knows is not asked about: without
/// the key every evaluator would deny it. Of what the boundary in force forbids, what is needed is asked about, as such.
#[must_use]
pub fn cases(force: InForce<'_>, baseline: &[Document], needs: &[Call], others: &[Call]) -> Vec<Case> {
    let unbounded = InForce { boundary: None, ..force };
    let request =
        |call: &Call| Request { action: call.action.clone(), resource: call.resource.clone(), context: call.context.clone() };
    let mut found = BTreeSet::new();
    for request in needs.iter().map(request).filter(|request| ours(unbounded, request) == Some(true)) {
        match ours(force, &request) {
            Some(true) => drop(found.insert(Case { kind: Kind::Need, request })),
            Some(false) => drop(found.insert(Case { kind: Kind::Bounded, request })),
            None => {}
        }
    }
    for request in others.iter().map(request) {
        let before = InForce { policies: baseline, boundary: None };
        if ours(before, &request) == Some(true) && ours(unbounded, &request) == Some(false) {
            found.insert(Case { kind: Kind::Removed, request });
        }
    }
    found.into_iter().collect()
}

/// So many are named one by one.
const NAMED: usize = 5;

/// What the other evaluator sees differently, and what it denies although it is needed. `answers` say of each case whether the
/// other one allows it; `who` is what people call it.
#[must_use]
pub fn judge(force: InForce<'_>, cases: &[Case], answers: &[bool], who: &str) -> Vec<Finding> {
    let mut found: BTreeMap<(Code, Kind, bool), Vec<String>> = BTreeMap::new();
    for (case, theirs) in cases.iter().zip(answers) {
        let code = match ours(force, &case.request) {
            Some(ours) if ours != *theirs => Code::SimulationDisagrees,
            _ if case.kind == Kind::Need && !theirs => Code::SimulationDenies,
            _ => continue,
        };
        found.entry((code, case.kind, *theirs)).or_default().push(shown(&case.request));
    }
    found.into_iter().map(|((code, kind, theirs), requests)| finding(code, kind, theirs, &requests, who)).collect()
}

fn finding(code: Code, kind: Kind, theirs: bool, requests: &[String], who: &str) -> Finding {
    let says = if theirs { "allows" } else { "denies" };
    let why = match kind {
        Kind::Need => "which is needed",
        Kind::Bounded => "which the permissions boundary forbids",
        Kind::Removed => "which was removed",
    };
    let named = requests.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = requests.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!("{who} {says} {named}{more}, {why}");
    match code {
        Code::SimulationDisagrees => Finding::new(code, format!("{message}; policyc's evaluator says otherwise"))
            .advise("do not rely on the proof before it is known who is right; please report it with policy and request"),
        _ => Finding::new(code, message).advise("the policy is not the one that was derived: derive it again"),
    }
}

fn shown(request: &Request) -> String {
    let one = |value: &Value| match value {
        Value::One(text) => text.clone(),
        Value::Many(texts) => texts.join(","),
    };
    let context: Vec<String> = request.context.iter().map(|(key, value)| format!("{key}={}", one(value))).collect();
    let context = if context.is_empty() { String::new() } else { format!(" ({})", context.join(" ")) };
    format!("{} on {}{context}", request.action, request.resource)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test says what is wrong by panicking

    use super::*;

    fn call(action: &str, resource: &str, context: &[(&str, &str)]) -> Call {
        let context = context.iter().map(|(k, v)| ((*k).to_owned(), Value::One((*v).to_owned()))).collect();
        Call { action: action.to_owned(), resource: resource.to_owned(), context, ..Call::default() }
    }

    fn force(policies: &[Document]) -> InForce<'_> {
        InForce { policies, boundary: None }
    }

    fn document(actions: &str, resource: &str, condition: &str) -> Document {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": {actions}, "Resource": "{resource}"{condition}}}}}"#
        );
        Document::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_hangs_on_an_unknown_key_is_not_asked() {
        let condition = r#", "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}"#;
        let policies = [document(r#""s3:GetObject""#, "*", condition)];
        let baseline = [document(r#"["s3:GetObject", "s3:PutObject"]"#, "*", "")];
        let there = call("s3:GetObject", "arn:aws:s3:::b/k", &[("aws:requestedregion", "eu-west-1")]);
        let unknown = call("s3:GetObject", "arn:aws:s3:::b/k", &[]);
        let gone = call("s3:PutObject", "arn:aws:s3:::b/k", &[]);
        let foreign = call("s3:DeleteObject", "arn:aws:s3:::b/k", &[]);
        let found = cases(force(&policies), &baseline, &[there.clone(), unknown], &[gone, foreign, there]);
        let kinds: Vec<_> = found.iter().map(|c| (c.kind, c.request.action.as_str(), c.request.context.len())).collect();
        assert_eq!(kinds, [(Kind::Need, "s3:GetObject", 1), (Kind::Removed, "s3:PutObject", 0)]);
    }

    #[test]
    fn what_the_boundary_forbids_is_asked_about_and_no_missing_need() {
        let policies = [document(r#"["s3:GetObject", "s3:PutObject"]"#, "*", "")];
        let boundary = document(r#""s3:GetObject""#, "*", "");
        let force = InForce { policies: &policies, boundary: Some(&boundary) };
        let needs = ["s3:GetObject", "s3:PutObject"].map(|action| call(action, "arn:aws:s3:::b/k", &[]));
        let found = cases(force, &policies, &needs, &[]);
        assert_eq!(found.iter().map(|c| c.kind).collect::<Vec<_>>(), [Kind::Need, Kind::Bounded]);
        assert!(judge(force, &found, &[true, false], "IAM").is_empty());
        let ignored = judge(force, &found, &[true, true], "IAM");
        assert_eq!(ignored.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::SimulationDisagrees]);
        assert!(ignored[0].message.ends_with("which the permissions boundary forbids; policyc's evaluator says otherwise"));
    }

    #[test]
    fn each_way_to_differ_is_told_apart() {
        let case = |kind: Kind, action: &str| Case {
            kind,
            request: Request { action: action.to_owned(), resource: "*".to_owned(), context: BTreeMap::new() },
        };
        let policies = [document(r#""a:Allowed""#, "*", "")];
        let check = |kind: Kind, action: &str, theirs: bool, expected: &[Code]| {
            let found = judge(force(&policies), &[case(kind, action)], &[theirs], "IAM");
            assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), expected, "{kind:?} {action} {theirs}");
        };
        check(Kind::Need, "a:Allowed", true, &[]);
        check(Kind::Need, "a:Allowed", false, &[Code::SimulationDisagrees]);
        check(Kind::Need, "a:Missing", false, &[Code::SimulationDenies]);
        check(Kind::Need, "a:Missing", true, &[Code::SimulationDisagrees]);
        check(Kind::Removed, "a:Missing", false, &[]);
        check(Kind::Removed, "a:Missing", true, &[Code::SimulationDisagrees]);
        check(Kind::Removed, "a:Allowed", true, &[]);
        let many: Vec<Case> = (0..7).map(|n| case(Kind::Need, &format!("a:Missing{n}"))).collect();
        let found = judge(force(&policies), &many, &[false; 7], "IAM");
        assert!(found[0].message.ends_with("a:Missing4 on * and 2 more, which is needed"), "{}", found[0].message);
    }
}
