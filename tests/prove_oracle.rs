//! The evaluator and the prover against brute force: generated policies over small alphabets, every request of a finite
//! universe, and a second evaluator written as plainly as possible.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Decision, Request, Value, evaluate};
use policyc::prove::subset::{Budget, Verdict, within};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

#[path = "support/plain.rs"]
mod plain;

/// Allowed, explicitly denied.
fn plainly(statements: &[Json], request: &Request, segmented: bool) -> (bool, bool) {
    let any = |effect: &str| statements.iter().any(|s| s["Effect"] == effect && plain::applies(s, request, segmented));
    (any("Allow") && !any("Deny"), any("Deny"))
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Json> {
    prop::collection::vec(prop::sample::select(of), 1..3).prop_map(|values| json!(values))
}

fn element(plain: &'static str, negated: &'static str, values: BoxedStrategy<Json>) -> BoxedStrategy<(&'static str, Json)> {
    (prop::bool::weighted(0.15), values).prop_map(move |(not, values)| (if not { negated } else { plain }, values)).boxed()
}

fn resource() -> impl Strategy<Value = String> {
    let field = || prop::sample::select(vec!["", "a", "*", "a*", "?", "*a"]);
    let last = prop::sample::select(vec!["", "a", "b", "*", "a/*", "?b", "a:*", "*:b", "${v}", "a${v}*", "*b"]);
    let full = (field(), field(), last).prop_map(|(region, account, last)| format!("arn:p:s:{region}:{account}:{last}"));
    prop_oneof![1 => Just("*".to_owned()), 6 => full]
}

const VALUES: &[&str] = &["", "a", "b", "a*", "?", "*b", "${v}", "A", "*", "a${v}"];
const PLAIN: &[&str] = &["", "a", "b", "ab", "A", "${v}"];

fn condition(variables: bool) -> impl Strategy<Value = (String, Json)> {
    let set = prop::sample::select(vec!["", "", "", "ForAllValues:", "ForAnyValue:"]);
    let exists = prop::sample::select(vec!["", "", "IfExists"]);
    let operator = prop::sample::select(vec![
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
    ]);
    let text = (set, operator, exists, some(VALUES), some(PLAIN)).prop_map(move |(set, operator, exists, like, plain)| {
        let values = if operator.ends_with("Like") { like } else { plain };
        let kept: Vec<&str> = plain::strings(&values).into_iter().filter(|v| variables || !v.contains('$')).collect();
        (format!("{set}{operator}{exists}"), if kept.is_empty() { json!(["a"]) } else { json!(kept) })
    });
    prop_oneof![6 => text, 1 => prop::bool::ANY.prop_map(|absent| ("Null".to_owned(), json!(absent.to_string())))]
}

fn statement(variables: bool) -> impl Strategy<Value = Json> {
    let action = some(&["*", "a:*", "a:b", "a:c", "b:*", "a:?", "A:B", "a:b*", "?:b"]);
    let resources = prop::collection::vec(resource(), 1..3).prop_map(move |all| {
        let kept: Vec<String> = all.into_iter().map(|r| if variables { r } else { r.replace("${v}", "ab") }).collect();
        json!(kept)
    });
    (
        prop::bool::weighted(0.25),
        element("Action", "NotAction", action.boxed()),
        element("Resource", "NotResource", resources.boxed()),
        prop::collection::btree_map(Just(()), condition(variables), 0..2),
        prop::option::weighted(0.3, condition(variables)),
    )
        .prop_map(|(deny, (action, actions), (resource, resources), one, two)| {
            let mut statement = json!({"Effect": if deny { "Deny" } else { "Allow" }});
            statement[action] = actions;
            statement[resource] = resources;
            let mut block = json!({});
            for (operator, values) in one.into_values().chain(two) {
                block[operator]["k"] = values;
            }
            if block.as_object().is_some_and(|block| !block.is_empty()) {
                statement["Condition"] = block;
            }
            statement
        })
}

fn universe(many: bool) -> Vec<Request> {
    let mut resources = vec!["*".to_owned(), String::new()];
    for region in ["", "a", "ba"] {
        for account in ["", "b", "xa"] {
            for last in ["", "a", "b", "ab", "a/b", "a:b", "xb", "b:a", "a:x:a:b"] {
                resources.push(format!("arn:p:s:{region}:{account}:{last}"));
            }
        }
    }
    let one = |text: &str| Some(Value::One(text.to_owned()));
    let mut values = vec![None, one(""), one("a"), one("b"), one("ab"), one("A"), one("aab"), one("xx")];
    if many {
        let sets: [&[&str]; 5] = [&["a", "b"], &["a", "xx"], &["", "b"], &["A", "ab"], &["a", "ab", "xx"]];
        values.extend(sets.map(|set| Some(Value::Many(set.iter().map(|text| (*text).to_owned()).collect()))));
    }
    let mut requests = Vec::new();
    for action in ["a:b", "A:c", "b:b", "a:bc", "c:d"] {
        for resource in &resources {
            for k in &values {
                for v in [None, one("a"), one("b")] {
                    let keys = [("k", k.clone()), ("v", v)];
                    let context = keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
                    requests.push(Request { action: action.to_owned(), resource: resource.clone(), context });
                }
            }
        }
    }
    requests
}

fn documents(statements: &[Json]) -> [Document; 1] {
    [Document::read(json!({"Version": "2012-10-17", "Statement": statements}).to_string().as_bytes()).unwrap()]
}

/// Whether brute force finds a way out; both evaluators are compared on the way.
fn brute_force(new: &[Json], baseline: &[Json]) -> Result<Option<Request>, TestCaseError> {
    let (new_documents, baseline_documents) = (documents(new), documents(baseline));
    let many = json!([new, baseline]).to_string().contains("For");
    for request in universe(many) {
        for (reading, segmented) in [(ArnReading::Whole, false), (ArnReading::Segmented, true)] {
            let (allowed, _) = plainly(new, &request, segmented);
            prop_assert_eq!(evaluate(&new_documents, &request, reading).is_allowed(), allowed, "{:?} {:?}", new, request);
            if !allowed {
                continue;
            }
            let (covered, denied) = plainly(baseline, &request, segmented);
            let decision = evaluate(&baseline_documents, &request, reading);
            prop_assert_eq!(decision.is_allowed(), covered, "{:?} {:?}", baseline, request);
            prop_assert_eq!(matches!(decision, Decision::ExplicitDeny { .. }), denied, "{:?} {:?}", baseline, request);
            // Where only a Deny stands in the way, a resource part begins at one colon: see `docs/prove.md`.
            let aligned = segmented || request.resource.matches(':').count() <= 5;
            if !covered && (!denied || aligned) {
                return Ok(Some(request));
            }
        }
    }
    Ok(None)
}

fn agrees(new: &[Json], baseline: &[Json], refusals: bool) -> Result<(), TestCaseError> {
    let escape = brute_force(new, baseline)?;
    let (new_documents, baseline_documents) = (documents(new), documents(baseline));
    match within(&new_documents, &baseline_documents, &Budget { steps: 20_000_000 }) {
        Verdict::Proved => prop_assert!(escape.is_none(), "proved, but {:?}\n{:?}\nin {:?}", escape, new, baseline),
        Verdict::Refused(why) => prop_assert!(refusals, "refused: {why}\n{new:?}\nin {baseline:?}"),
        Verdict::NotProved(found) => {
            let segmented = found.reading == ArnReading::Segmented;
            prop_assert!(plainly(new, &found.request, segmented).0, "{:?}", found);
            prop_assert!(!plainly(baseline, &found.request, segmented).0, "{:?}", found);
        }
    }
    Ok(())
}

fn policy(variables: bool) -> impl Strategy<Value = Vec<Json>> {
    prop::collection::vec(statement(variables), 1..4)
}

/// Few cases by default, since each one looks at thousands of requests; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// Without variables the prover decides, and decides right.
    #[test]
    fn plain_policies_are_decided(new in policy(false), baseline in policy(false)) {
        agrees(&new, &baseline, false)?;
    }

    /// With variables it may refuse, but never proves what is not so.
    #[test]
    fn policies_with_variables_are_never_proved_wrongly(new in policy(true), baseline in policy(true)) {
        agrees(&new, &baseline, true)?;
    }

    /// A key that is tested with a set operator anywhere may have several values everywhere: this was once judged by
    /// the statements still open, and `new` below was proved.
    #[test]
    fn several_values_reach_conditions_without_set_operators(_once in Just(())) {
        let new = [json!({"Effect": "Allow", "Action": ["*"], "Resource": ["*"],
            "Condition": {"StringLike": {"k": ["b"]}, "StringNotLike": {"k": ["b"]}}})];
        let baseline = [json!({"Effect": "Allow", "Action": ["*"], "Resource": ["arn:p:s:::"],
            "Condition": {"ForAllValues:StringEquals": {"k": [""]}}})];
        agrees(&new, &baseline, false)?;
    }

    /// Close to the boundary: the baseline is the new policy with one statement changed or taken out.
    #[test]
    fn neighbours_are_decided(new in policy(false), other in statement(false), at in 0usize..4, drop in any::<bool>()) {
        let mut baseline = new.clone();
        let at = at % baseline.len();
        if drop && baseline.len() > 1 { baseline.remove(at); } else { baseline[at] = other; }
        agrees(&new, &baseline, false)?;
        agrees(&baseline, &new, false)?;
        agrees(&new, &new, false)?;
    }
}
