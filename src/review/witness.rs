//! Requests that a reviewer recognises: the prover's witness is any request that tells two sides apart, and one for a
//! resource that could exist says more. Whatever is shown was evaluated on both sides under both readings.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::meaning::Side;
use crate::catalog::Catalog;
use crate::catalog::format::ArnFormat;
use crate::iam::{Action, Pattern, Policy, ResourceSpec};
use crate::prove::document::Document;
use crate::prove::evaluate::{ArnReading, Decision, Request, Value, evaluate};
use crate::prove::subset::Counterexample;

/// Regions to speak of, in this order; a policy that names the first is told apart by another.
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

/// The account of examples, as in AWS's documentation.
const ACCOUNT: &str = "111122223333";

/// The key that every request carries.
const REGION_KEY: &str = "aws:requestedregion";

/// A request that tells the two sides apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Shown {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// The context keys that are present.
    pub context: BTreeMap<String, Vec<String>>,
    /// The statement that allows it, on the side that does: its `Sid`, or its position from 1.
    pub statement: String,
}

/// A request for `action` that `allows` allows and `refuses` does not: one that a reviewer recognises, or the one that
/// the prover found.
#[must_use]
pub fn shown(found: &Counterexample, action: &str, allows: &Side, refuses: &Side, catalog: &Catalog) -> Shown {
    let found_one = Request { action: action.to_owned(), ..found.request.clone() };
    let tells = |request: &Request| {
        [ArnReading::Whole, ArnReading::Segmented].iter().all(|reading| {
            evaluate(&allows.documents, request, *reading).is_allowed()
                && !evaluate(&refuses.documents, request, *reading).is_allowed()
        })
    };
    let keys = keys([allows, refuses]);
    let request = recognised(&found_one, allows, keys.contains_key(REGION_KEY), catalog, &tells);
    let (request, reading) = request.map_or((found_one, found.reading), |request| (request, ArnReading::Segmented));
    let statement = match evaluate(&allows.documents, &request, reading) {
        Decision::Allowed { document, statement } => name_of(&allows.documents, document, statement),
        _ => String::new(),
    };
    let values = |value: Value| match value {
        Value::One(one) => vec![one],
        Value::Many(many) => many,
    };
    let named = |key: String| keys.get(&key).cloned().unwrap_or(key);
    let context = request.context.into_iter().map(|(key, value)| (named(key), values(value))).collect();
    Shown { action: request.action, resource: request.resource, context, statement }
}

/// Condition keys as the policies write them, by their lower case.
fn keys(sides: [&Side; 2]) -> BTreeMap<String, String> {
    let statements = sides.into_iter().flat_map(|side| &side.policies).flat_map(|policy| &policy.statements);
    statements.flat_map(|s| s.conditions.iter()).map(|(_, key, _)| (key.to_ascii_lowercase(), key.to_owned())).collect()
}

/// A request that tells the sides apart, the plainest first: on resources of the action's own types, then on those that
/// the allowing policies name. A region is said only where it matters, though every real request has one.
fn recognised(
    found: &Request,
    allows: &Side,
    asks_region: bool,
    catalog: &Catalog,
    tells: &impl Fn(&Request) -> bool,
) -> Option<Request> {
    let ask = |resource: &str, region: &str| {
        let mut request = Request { resource: resource.to_owned(), ..found.clone() };
        if asks_region && !found.context.contains_key(REGION_KEY) {
            request.context.insert(REGION_KEY.to_owned(), Value::One(region.to_owned()));
        }
        request
    };
    for region in REGIONS {
        let resources = of_types(&found.action, region, catalog).into_iter().chain(allows.policies.iter().flat_map(of_policy));
        let Some(request) = resources.map(|resource| ask(&resource, region)).find(|request| tells(request)) else { continue };
        let plain = Request { context: found.context.clone(), ..request.clone() };
        let anywhere = REGIONS.iter().all(|other| tells(&ask(&request.resource, other))) && tells(&plain);
        return Some(if anywhere { plain } else { request });
    }
    let resources = of_types(&found.action, "us-east-1", catalog).into_iter().chain(allows.policies.iter().flat_map(of_policy));
    resources.map(|resource| Request { resource, ..found.clone() }).find(tells)
}

/// One resource of each type that the action works on; `*` where it knows none.
fn of_types(action: &str, region: &str, catalog: &Catalog) -> Vec<String> {
    let Some(action) = Action::parse(action) else { return Vec::new() };
    let Some(service) = catalog.reference.service(action.service()) else { return Vec::new() };
    let Some(facts) = service.action(action.name()) else { return Vec::new() };
    if facts.types.is_empty() {
        return vec!["*".to_owned()];
    }
    let mut formats: Vec<(bool, &ArnFormat)> =
        facts.types.iter().filter_map(|(kind, required)| Some((!required, service.types.get(kind)?))).collect();
    // The types that it always needs, and the plainest first.
    formats.sort_by_key(|(optional, format)| (*optional, format.text().len(), format.text()));
    formats.into_iter().map(|(_, format)| filled(format, region)).collect()
}

/// An ARN format of the Service Authorization Reference with its placeholders filled in.
fn filled(format: &ArnFormat, region: &str) -> String {
    format.filled(|name| match name {
        "Partition" => "aws",
        "Region" => region,
        "Account" => ACCOUNT,
        _ => "example",
    })
}

/// A resource for each pattern that a policy's statements name.
fn of_policy(policy: &Policy) -> BTreeSet<String> {
    let of = |resources: &ResourceSpec| match resources {
        ResourceSpec::Only(patterns) | ResourceSpec::AllBut(patterns) => patterns.clone(),
    };
    let patterns = policy.statements.iter().flat_map(|statement| of(&statement.resources));
    patterns.filter(|pattern| !pattern.has_variable()).map(|pattern| example(&pattern)).collect()
}

fn example(pattern: &Pattern) -> String {
    pattern.as_literal().unwrap_or_else(|| pattern.to_string().replace('*', "example").replace('?', "x"))
}

fn name_of(documents: &[Document], document: usize, statement: usize) -> String {
    let sid = documents.get(document).and_then(|d| d.statements.get(statement)).and_then(|s| s.sid.clone());
    let place = || match documents.len() {
        1 => format!("statement {}", statement + 1),
        _ => format!("statement {} of policy {}", statement + 1, document + 1),
    };
    sid.filter(|sid| !sid.is_empty()).unwrap_or_else(place)
}
