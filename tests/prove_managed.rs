//! Every AWS-managed policy, and what becomes of it when something is taken out or put in: the prover against a plain
//! evaluator of its own kind, on requests made from the policy's own texts.
//!
//! `MANAGED_STATEMENTS` sets how many statements of a policy are changed in each way (2 unless told; 1000 is all of them).

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test says what is wrong by panicking, and says how much it looked at

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Request, Value, evaluate};
use policyc::prove::subset::{Budget, Verdict, within};
use rayon::prelude::*;
use serde_json::{Value as Json, json};

#[path = "support/plain.rs"]
mod plain;

/// The keys of the variables in a text.
fn variables(text: &str) -> BTreeSet<String> {
    let inside = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    inside.map(|(key, _)| key.to_lowercase()).filter(|key| !["*", "?", "$"].contains(&key.as_str())).collect()
}

/// Whether the statements, together, allow a request.
fn allows(statements: &[Json], request: &Request, segmented: bool) -> bool {
    let any = |effect: &str| statements.iter().any(|s| s["Effect"] == effect && plain::applies(s, request, segmented));
    any("Allow") && !any("Deny")
}

fn managed() -> Vec<(String, Json)> {
    let root = std::env::var_os("POLICYC_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let Ok(bytes) = std::fs::read(root.join("managed/managed_policies.jsonl.gz")) else {
        println!("nothing to do: there are no AWS-managed policies in {}", root.display());
        return Vec::new();
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    let policy = |line: &str| {
        let mut line: Json = serde_json::from_str(line).unwrap();
        let mut document = line["document"].take();
        if document["Statement"].is_object() {
            document["Statement"] = json!([document["Statement"].take()]);
        }
        (line["name"].as_str().unwrap().to_owned(), document)
    };
    text.lines().map(policy).collect()
}

fn read(json: &Json) -> Document {
    Document::read(json.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn prove(new: &Document, baseline: &Document) -> Verdict {
    let (new, baseline) = (std::slice::from_ref(new), std::slice::from_ref(baseline));
    let verdict = within(new, baseline, &Budget::default());
    if let Verdict::NotProved(found) = &verdict {
        assert!(evaluate(new, &found.request, found.reading).is_allowed(), "{found:?}");
        assert!(!evaluate(baseline, &found.request, found.reading).is_allowed(), "{found:?}");
    }
    verdict
}

fn statements(document: &Json) -> &[Json] {
    document["Statement"].as_array().unwrap()
}

fn list(json: Option<&Json>) -> Vec<String> {
    json.map_or_else(Vec::new, |json| plain::strings(json).into_iter().map(str::to_owned).collect())
}

/// What a change does to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    ActionOut,
    ActionIn,
    ResourceWidened,
    ResourceEverything,
    ConditionDropped,
    DenyDropped,
}

/// The questions that are refused: a variable's value has to fulfil a condition of its own, to be a part of the resource
/// that is found, and not to be all of it. Choices are made one dimension at a time, so that no value fulfils all three.
const REFUSED: [(&str, usize, Change); 8] = [
    ("SageMakerStudioProjectUserRolePermissionsBoundary", 12, Change::ResourceWidened),
    ("SageMakerStudioProjectUserRolePermissionsBoundary", 12, Change::ConditionDropped),
    ("SageMakerStudioProjectUserRolePermissionsBoundary", 13, Change::ResourceWidened),
    ("SageMakerStudioProjectUserRolePermissionsBoundary", 15, Change::ConditionDropped),
    ("SageMakerStudioProjectUserRolePermissionsBoundary", 16, Change::ConditionDropped),
    ("SageMakerStudioProjectUserRolePermissionsBoundary", 17, Change::ConditionDropped),
    ("SageMakerStudioProjectUserRolePolicy", 125, Change::ConditionDropped),
    ("SageMakerStudioProjectUserRolePolicy", 146, Change::ConditionDropped),
];

/// The policy with statement `at` changed, if it has what the change is about.
fn changed(document: &Json, at: usize, change: Change) -> Option<Json> {
    let mut document = document.clone();
    let allows = document["Statement"][at]["Effect"] == "Allow";
    let statement = document["Statement"][at].as_object_mut().unwrap();
    match change {
        Change::DenyDropped => {
            let all = document["Statement"].as_array_mut().unwrap();
            if allows || all.len() < 2 {
                return None;
            }
            all.remove(at);
            return Some(document);
        }
        _ if !allows => return None,
        Change::ActionOut => {
            let mut actions = list(statement.get("Action"));
            if actions.len() < 2 {
                return None;
            }
            actions.remove(at % actions.len());
            statement.insert("Action".to_owned(), json!(actions));
        }
        Change::ActionIn => {
            let mut actions = list(statement.get("Action"));
            actions.last()?;
            // A neighbour of an action that is there, so that others of its statements may already allow it.
            let (service, _) = actions[at % actions.len()].split_once(':')?;
            actions.push(format!("{service}:{}", ["DeleteBucket", "DescribeInstances", "GetParameter", "Tag*"][at % 4]));
            statement.insert("Action".to_owned(), json!(actions));
        }
        Change::ResourceWidened => {
            let mut resources = list(statement.get("Resource"));
            let place = at % resources.len().max(1);
            let one = resources.get_mut(place).filter(|one| *one != "*")?;
            let end = one.trim_end_matches('*').rfind(['/', ':', '-', '}']).map_or(one.len(), |end| end + 1);
            one.truncate(end);
            one.push('*');
            statement.insert("Resource".to_owned(), json!(resources));
        }
        Change::ResourceEverything => {
            let resources = list(statement.get("Resource"));
            if resources.is_empty() || resources.contains(&"*".to_owned()) {
                return None;
            }
            statement.insert("Resource".to_owned(), json!("*"));
        }
        Change::ConditionDropped => {
            let conditions = statement.get_mut("Condition")?.as_object_mut()?;
            let operator = conditions.keys().nth(at % conditions.len().max(1))?.clone();
            let block = conditions.get_mut(&operator)?.as_object_mut()?;
            let key = block.keys().nth(at % block.len().max(1))?.clone();
            block.remove(&key);
            if block.is_empty() {
                conditions.remove(&operator);
            }
        }
    }
    Some(document)
}

/// The text of a pattern with `filler` for every `*`.
fn instance(pattern: &str, filler: &str, context: &BTreeMap<String, Value>) -> Option<String> {
    Some(plain::filled(pattern, context)?.replace('*', filler).replace('?', "x").replace(plain::STAR, "*"))
}

/// Every test of a statement: operator, key, values.
fn tests(statement: &Json) -> Vec<(String, String, Json)> {
    let blocks = statement.get("Condition").and_then(Json::as_object).into_iter().flatten();
    let tests = blocks.flat_map(|(operator, block)| {
        block.as_object().unwrap().iter().map(|(key, wanted)| (operator.clone(), key.to_lowercase(), wanted.clone()))
    });
    tests.collect()
}

/// Contexts around one that fulfils the conditions of a statement: each of its keys absent, and with other values.
fn contexts(document: &Json, statement: &Json) -> Vec<BTreeMap<String, Value>> {
    let everywhere: Vec<_> = statements(document).iter().flat_map(tests).collect();
    let own = tests(statement);
    let mut base: BTreeMap<String, Value> = variables(&document.to_string())
        .into_iter()
        .map(|key| (key.clone(), Value::One(format!("v-{}", key.replace([':', '/'], "-")))))
        .collect();
    let many = |key: &str| everywhere.iter().any(|(operator, other, _)| other == key && operator.contains(':'));
    let value = |key: &str, text: String| if many(key) { Value::Many(vec![text]) } else { Value::One(text) };
    let keys: BTreeSet<&str> = own.iter().map(|(_, key, _)| key.as_str()).collect();
    let mut choices: BTreeMap<&str, Vec<Option<Value>>> = BTreeMap::new();
    for key in keys {
        let wanted = everywhere.iter().filter(|(_, other, _)| other == key).flat_map(|(_, _, wanted)| list(Some(wanted)));
        let texts: BTreeSet<String> = wanted.take(6).filter_map(|wanted| instance(&wanted, "x", &base)).collect();
        let texts = texts.into_iter().chain(["zz-other".to_owned(), "true".to_owned(), "false".to_owned(), "9".to_owned()]);
        let mut values: Vec<Option<Value>> = texts.map(|text| Some(value(key, text))).collect();
        values.push(None);
        if many(key) {
            values.push(Some(Value::Many(Vec::new())));
        }
        let fits = |choice: &&Option<Value>| {
            let mut context = base.clone();
            context.remove(key);
            context.extend(Option::clone(choice).map(|value| (key.to_owned(), value)));
            own.iter().filter(|(_, other, _)| other == key).all(|(o, k, wanted)| plain::holds(o, k, wanted, &context))
        };
        let fit = values.iter().find(fits).cloned().flatten();
        base.remove(key);
        base.extend(fit.map(|value| (key.to_owned(), value)));
        choices.insert(key, values);
    }
    let mut all = vec![base.clone()];
    for (key, values) in choices {
        for choice in values {
            let mut context = base.clone();
            context.remove(key);
            context.extend(choice.map(|value| (key.to_owned(), value)));
            all.push(context);
        }
    }
    all
}

/// Requests around the statement that was changed.
fn requests(old: &Json, new: &Json, at: usize) -> Vec<Request> {
    let (before, after) = (&statements(old)[at], statements(new).get(at).unwrap_or(&Json::Null));
    let mut requests = Vec::new();
    for context in contexts(old, before) {
        let texts = |element: &str, count: usize, fillers: &[&str]| -> BTreeSet<String> {
            let of = |statement: &Json| list(statement.get(element)).into_iter().rev().take(count).collect::<Vec<_>>();
            let patterns = [of(before), of(after)].concat();
            let each = patterns.iter().flat_map(|own| fillers.iter().filter_map(|filler| instance(own, filler, &context)));
            each.collect()
        };
        let mut actions = texts("Action", 3, &["x"]);
        actions.extend(["zz-new:Action".to_owned()].into_iter().filter(|_| before.get("NotAction").is_some()));
        let mut resources = texts("Resource", 3, &["", "x", "x/y"]);
        resources.extend(texts("NotResource", 2, &["x"]));
        resources.extend(["*".to_owned(), "arn:aws:zz:us-east-1:123456789012:other/one".to_owned()]);
        for action in &actions {
            let on = |resource| Request { action: action.clone(), resource, context: context.clone() };
            requests.extend(resources.iter().cloned().map(on));
        }
    }
    requests
}

/// What came of one change.
enum Outcome {
    Same,
    /// It is one of [`REFUSED`].
    Refused,
    /// Access grew, and the requests around the statement show it too.
    Grew(bool),
}

fn judge(name: &str, old: &Json, new: &Json, at: usize, change: Change) -> Result<Outcome, String> {
    let place = format!("{name}, statement {at}, {change:?}");
    let gained = |request: &Request, segmented: bool| {
        allows(statements(new), request, segmented) && !allows(statements(old), request, segmented)
    };
    // Whatever is gained goes through the statement that was changed.
    let (before, after) = (&statements(old)[at], statements(new).get(at).filter(|_| change != Change::DenyDropped));
    let through = |request: &Request, segmented: bool| match after {
        Some(after) => plain::applies(after, request, segmented) && !plain::applies(before, request, segmented),
        None => plain::applies(before, request, segmented),
    };
    let seen = requests(old, new, at)
        .into_iter()
        .find(|request| [false, true].into_iter().any(|segmented| through(request, segmented) && gained(request, segmented)));
    match (prove(&read(new), &read(old)), seen) {
        (Verdict::Refused(_), _) if REFUSED.contains(&(name, at, change)) => Ok(Outcome::Refused),
        (Verdict::Refused(why), _) => Err(format!("{place}: refused, {why}")),
        (Verdict::Proved, Some(request)) => Err(format!("{place}: proved, and yet it gains {request:?}")),
        (Verdict::Proved, None) => Ok(Outcome::Same),
        (Verdict::NotProved(found), seen) => {
            let segmented = found.reading == ArnReading::Segmented;
            if change == Change::ActionOut || !gained(&found.request, segmented) {
                return Err(format!("{place}: not proved, but nothing is gained by {found:?}"));
            }
            Ok(Outcome::Grew(seen.is_some()))
        }
    }
}

#[test]
fn every_change_is_found_where_access_grew() {
    const CHANGES: [Change; 6] = [
        Change::ActionOut,
        Change::ActionIn,
        Change::ResourceWidened,
        Change::ResourceEverything,
        Change::ConditionDropped,
        Change::DenyDropped,
    ];
    let each: usize = std::env::var("MANAGED_STATEMENTS").map_or(2, |count| count.parse().unwrap());
    let managed = managed();
    let of_policy = |(name, old): &(String, Json)| -> Vec<(Change, Result<Outcome, String>)> {
        let of_change = |change: Change| {
            let places = (0..statements(old).len()).filter_map(move |at| Some((at, changed(old, at, change)?)));
            places.take(each).map(move |(at, new)| (change, judge(name, old, &new, at, change)))
        };
        CHANGES.into_iter().flat_map(of_change).collect()
    };
    let outcomes: Vec<_> = managed.par_iter().flat_map_iter(of_policy).collect();
    let mut counts: BTreeMap<Change, [usize; 3]> = BTreeMap::new();
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for (change, outcome) in outcomes {
        let [same, grew, shown] = counts.entry(change).or_default();
        match outcome {
            Ok(Outcome::Same) => *same += 1,
            Ok(Outcome::Refused) => refused += 1,
            Ok(Outcome::Grew(seen)) => {
                *grew += 1;
                *shown += usize::from(seen);
            }
            Err(why) => wrong.push(why),
        }
    }
    for (change, [same, grew, shown]) in &counts {
        println!("{change:?}: {} changes, {grew} grew ({shown} seen by the plain requests too), {same} did not", same + grew);
    }
    println!("{refused} refused");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(managed.is_empty() || counts.len() == CHANGES.len() && counts[&Change::ActionOut][1] == 0, "{counts:?}");
}

#[test]
fn every_policy_lies_within_itself_and_within_everything() {
    let everything = read(&json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}));
    let wrong: Vec<String> = managed()
        .par_iter()
        .filter_map(|(name, json)| {
            let document = read(json);
            let (own, all) = (prove(&document, &document), prove(&document, &everything));
            let back = prove(&everything, &document);
            let is_all = statements(json).iter().any(|s| s["Action"] == "*" && s["Resource"] == "*");
            let right = own == Verdict::Proved
                && all == Verdict::Proved
                && if matches!(back, Verdict::Proved) { is_all } else { matches!(back, Verdict::NotProved(_)) };
            (!right).then(|| format!("{name}: in itself {own:?}, in everything {all:?}, everything in it {back:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn neighbouring_policies_are_decided() {
    let managed = managed();
    let documents: Vec<(&str, Document)> = managed.iter().map(|(name, json)| (name.as_str(), read(json))).collect();
    let decide = |pair: &[(&str, Document)]| match prove(&pair[0].1, &pair[1].1) {
        Verdict::Refused(why) => Some(format!("{} in {}: {why}", pair[0].0, pair[1].0)),
        _ => None,
    };
    let refused: Vec<String> = documents.par_windows(2).filter_map(decide).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
