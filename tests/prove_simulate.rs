//! The evaluator against somebody else's: `@cloud-copilot/iam-simulate`, run as a process, on generated policies and
//! requests. What the two see differently is listed in `docs/prove.md`, and recognised here one class at a time.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/node.rs"]
mod node;
#[path = "support/python.rs"]
mod python;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use policyc::prove::document::Document;
use policyc::prove::evaluate::{ArnReading, Decision, Request, Value, evaluate};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value as Json, json};

const ACCOUNT: &str = "111122223333";
const PRINCIPAL: &str = "arn:aws:iam::111122223333:role/web";

/// What a condition key holds in a request, and what policies compare it with.
struct Key {
    name: &'static str,
    operators: &'static [&'static str],
    /// In policies.
    wanted: &'static [&'static str],
    /// In requests.
    held: &'static [&'static str],
    many: bool,
}

const STRINGS: &[&str] =
    &["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"];
const NUMBERS: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];
const DATES: &[&str] =
    &["DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"];
const ARNS: &[&str] = &["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"];

const KEYS: &[Key] = &[
    Key {
        name: "aws:PrincipalTag/team",
        operators: STRINGS,
        wanted: &["a", "A", "a*", "?b", "", "*", "${aws:PrincipalTag/home}", "x-${aws:PrincipalTag/home}", "${*}", "${$}a"],
        held: &["a", "A", "ab", "b", "", "*", "$a", "x-a"],
        many: false,
    },
    Key {
        name: "aws:TagKeys",
        operators: STRINGS,
        wanted: &["a", "b", "a*", "A", "?"],
        held: &["a", "b", "ab", "A"],
        many: true,
    },
    Key {
        name: "s3:max-keys",
        operators: NUMBERS,
        wanted: &["5", "10", "0", "-1", "5.0", "1.5"],
        held: &["5", "10", "0", "-1", "1.5", "7"],
        many: false,
    },
    Key {
        name: "aws:CurrentTime",
        operators: DATES,
        wanted: &["2026-01-01T00:00:00Z", "2026-06-30T12:30:00Z", "2026-01-01T01:00:00+01:00"],
        held: &["2026-01-01T00:00:00Z", "2026-06-30T12:30:00Z", "2025-12-31T23:59:59Z", "2027-03-01T00:00:00Z"],
        many: false,
    },
    Key { name: "aws:SecureTransport", operators: &["Bool"], wanted: &["true", "false"], held: &["true", "false"], many: false },
    Key {
        name: "aws:SourceIp",
        operators: &["IpAddress", "NotIpAddress"],
        wanted: &["203.0.113.0/24", "203.0.113.7", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1"],
        held: &["203.0.113.7", "203.0.114.1", "10.20.30.40", "2001:db8::1", "2001:db9::1"],
        many: false,
    },
    Key {
        name: "aws:SourceArn",
        operators: ARNS,
        wanted: &[
            "arn:aws:sns:us-east-1:111122223333:topic",
            "arn:aws:sns:*:111122223333:*",
            "arn:aws:s3:::bucket",
            "arn:aws:s3:::b*",
            "arn:*:sns:us-east-1:*:to?ic",
        ],
        held: &["arn:aws:sns:us-east-1:111122223333:topic", "arn:aws:sns:eu-west-1:111122223333:other", "arn:aws:s3:::bucket"],
        many: false,
    },
];

/// Tests for presence alone.
const NULL: &[&str] = &["true", "false"];

fn some(of: &'static [&'static str]) -> BoxedStrategy<Json> {
    prop::collection::vec(prop::sample::select(of), 1..3)
        .prop_map(|values| if values.len() == 1 { json!(values[0]) } else { json!(values) })
        .boxed()
}

/// One entry of a `Condition`: operator, key, values.
fn condition() -> BoxedStrategy<(String, &'static str, Json)> {
    (0..KEYS.len(), 0u8..12)
        .prop_flat_map(|(key, kind)| {
            let key = &KEYS[key];
            if kind == 0 {
                return prop::sample::select(NULL).prop_map(|v| ("Null".to_owned(), key.name, json!(v))).boxed();
            }
            let sets: &[&str] = if key.many { &["ForAllValues:", "ForAnyValue:"] } else { &[""] };
            let operator = (
                prop::sample::select(sets),
                prop::sample::select(key.operators),
                prop::sample::select(&["", "", "IfExists"][..]),
            );
            (operator, some(key.wanted))
                .prop_map(|((set, operator, exists), wanted)| (format!("{set}{operator}{exists}"), key.name, wanted))
                .boxed()
        })
        .boxed()
}

const ACTIONS: &[&str] =
    &["*", "s3:*", "s3:Get*", "s3:GetObject", "S3:getobject", "s3:?etObject", "s3:PutObject", "sns:*", "*:GetObject"];
const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:s3:::bucket",
    "arn:aws:s3:::bucket/*",
    "arn:aws:s3:::b*/key",
    "arn:aws:s3:::bucket/${aws:PrincipalTag/home}/*",
    "arn:aws:s3:::bucket/${aws:PrincipalTag/home, 'a'}/*",
    "arn:aws:s3:::bucket/${*}",
    "arn:aws:s3:::???ket/*",
    "arn:aws:sns:us-east-1:111122223333:topic",
    "arn:aws:sns:*:*:t*",
    "arn:*:s3:::*",
];
const REQUESTED: &[(&str, &[&str])] = &[
    ("s3:GetObject", &["arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket/a/key", "arn:aws:s3:::bob/key"]),
    ("s3:PutObject", &["arn:aws:s3:::bucket/key", "arn:aws:s3:::bucket/ab/key"]),
    ("s3:ListBucket", &["arn:aws:s3:::bucket", "arn:aws:s3:::bob"]),
    ("sns:Publish", &["arn:aws:sns:us-east-1:111122223333:topic", "arn:aws:sns:eu-west-1:111122223333:other"]),
];

fn element(plain: &'static str, negated: &'static str, of: &'static [&'static str]) -> BoxedStrategy<(&'static str, Json)> {
    (prop::bool::weighted(0.15), some(of)).prop_map(move |(not, values)| (if not { negated } else { plain }, values)).boxed()
}

fn statement() -> BoxedStrategy<Json> {
    (
        prop::bool::weighted(0.25),
        element("Action", "NotAction", ACTIONS),
        element("Resource", "NotResource", RESOURCES),
        prop::collection::vec(condition(), 0..3),
    )
        .prop_map(|(deny, (action, actions), (resource, resources), conditions)| {
            let mut statement = json!({"Effect": if deny { "Deny" } else { "Allow" }});
            statement[action] = actions;
            statement[resource] = resources;
            for (operator, key, wanted) in conditions {
                statement["Condition"][operator][key] = wanted;
            }
            statement
        })
        .boxed()
}

fn policy() -> BoxedStrategy<Json> {
    let version = prop::sample::select(vec![
        Some("2012-10-17"),
        Some("2012-10-17"),
        Some("2012-10-17"),
        Some("2012-10-17"),
        Some("2008-10-17"),
        None,
    ]);
    (version, prop::collection::vec(statement(), 1..4))
        .prop_map(|(version, statements)| match version {
            Some(version) => json!({"Version": version, "Statement": statements}),
            None => json!({"Statement": statements}),
        })
        .boxed()
}

fn request() -> BoxedStrategy<Request> {
    let held = |key: &'static Key| -> BoxedStrategy<Option<(String, Value)>> {
        let name = key.name.to_lowercase();
        let value = if key.many {
            prop::collection::btree_set(prop::sample::select(key.held), 1..3)
                .prop_map(|set| Value::Many(set.into_iter().map(str::to_owned).collect()))
                .boxed()
        } else {
            prop::sample::select(key.held).prop_map(|v| Value::One(v.to_owned())).boxed()
        };
        prop::option::weighted(0.7, value.prop_map(move |value| (name.clone(), value))).boxed()
    };
    let home = prop::option::weighted(0.6, prop::sample::select(&["a", "ab", "*"][..]));
    let what = prop::sample::select(REQUESTED).prop_flat_map(|(action, on)| (Just(action), prop::sample::select(on)));
    (what, KEYS.iter().map(held).collect::<Vec<_>>(), home)
        .prop_map(|((action, resource), held, home)| {
            let mut context: BTreeMap<String, Value> = held.into_iter().flatten().collect();
            context.extend(home.map(|v| ("aws:principaltag/home".to_owned(), Value::One(v.to_owned()))));
            Request { action: action.to_owned(), resource: resource.to_owned(), context }
        })
        .boxed()
}

/// What the two see differently, and why: the table of `docs/prove.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Variables in a policy without `Version`, or of 2008, where they are plain text.
    OldVersion,
    /// `*:GetObject`: a wildcard as the service prefix.
    AnyService,
    /// `0.0.0.0/0`, which is every IPv4 address.
    WholeInternet,
    /// `NotIpAddress` with ranges of the other IP version than the request's address.
    OtherIpVersion,
    /// `${*}` and `${$}` under an operator that knows no wildcards.
    EscapeInEquals,
    /// `ForAnyValue:…IfExists` without the key.
    AnyValueIfExists,
    /// A variable that cannot be resolved in a `NotResource` of another service than the request's.
    UnresolvedElsewhere,
}

impl Class {
    const ALL: [Self; 7] = [
        Self::OldVersion,
        Self::AnyService,
        Self::WholeInternet,
        Self::OtherIpVersion,
        Self::EscapeInEquals,
        Self::AnyValueIfExists,
        Self::UnresolvedElsewhere,
    ];

    /// Whether a policy says what this class is about, and the request is one where it matters.
    fn concerns(self, policy: &Json, request: &Request) -> bool {
        let text = policy.to_string();
        let conditions = || {
            let statements = policy["Statement"].as_array().unwrap().iter();
            let blocks = statements.filter_map(|s| s.get("Condition").and_then(Json::as_object)).flatten();
            blocks.flat_map(|(operator, block)| {
                block
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(move |(key, wanted)| (operator.as_str(), key.to_lowercase(), wanted.to_string()))
            })
        };
        match self {
            Self::OldVersion => policy["Version"] != "2012-10-17" && text.contains("${"),
            Self::AnyService => text.contains("\"*:"),
            Self::WholeInternet => text.contains("0.0.0.0/0"),
            Self::OtherIpVersion => match request.context.get("aws:sourceip") {
                Some(Value::One(address)) => conditions().any(|(operator, _, wanted)| {
                    let other = if address.contains(':') { '.' } else { ':' };
                    operator.starts_with("NotIpAddress") && wanted.contains(other)
                }),
                _ => false,
            },
            Self::EscapeInEquals => conditions()
                .any(|(operator, _, wanted)| operator.contains("Equals") && (wanted.contains("${*}") || wanted.contains("${$}"))),
            Self::AnyValueIfExists => conditions().any(|(operator, key, _)| {
                operator.starts_with("ForAnyValue") && operator.ends_with("IfExists") && !request.context.contains_key(&key)
            }),
            Self::UnresolvedElsewhere => {
                let negated = policy["Statement"].as_array().unwrap().iter().filter_map(|s| s.get("NotResource"));
                !request.resource.starts_with("arn:aws:s3:")
                    && !request.context.contains_key("aws:principaltag/home")
                    && negated.into_iter().any(|n| n.to_string().contains("${aws:PrincipalTag/home}"))
            }
        }
    }
}

struct Case {
    policies: Vec<Json>,
    request: Request,
}

impl Case {
    fn question(&self) -> Json {
        let context: BTreeMap<&str, Json> = (self.request.context.iter())
            .map(|(key, value)| {
                (
                    key.as_str(),
                    match value {
                        Value::One(one) => json!(one),
                        Value::Many(many) => json!(many),
                    },
                )
            })
            .collect();
        json!({
            "policies": self.policies,
            "principal": PRINCIPAL,
            "action": self.request.action,
            "resource": self.request.resource,
            "account": ACCOUNT,
            "context": context,
        })
    }

    /// What we say, in the other's words; `None` where the two readings of ARN wildcards differ.
    fn ours(&self) -> Option<&'static str> {
        let read = |policy: &Json| Document::read(policy.to_string().as_bytes()).unwrap_or_else(|e| panic!("{policy}: {e}"));
        let documents: Vec<Document> = self.policies.iter().map(read).collect();
        let word = |reading| match evaluate(&documents, &self.request, reading) {
            Decision::Allowed { .. } => "Allowed",
            Decision::ExplicitDeny { .. } => "ExplicitlyDenied",
            Decision::ImplicitDeny => "ImplicitlyDenied",
            Decision::BoundaryDeny { .. } | Decision::OutsideBoundary => panic!("there is no boundary"),
        };
        let (whole, segmented) = (word(ArnReading::Whole), word(ArnReading::Segmented));
        (whole == segmented).then_some(whole)
    }
}

fn theirs(cases: &[Case]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulate/simulate.mjs");
    let mut child =
        node::node().arg(script).arg(node::packages("simulate")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let questions = Json::from(cases.iter().map(Case::question).collect::<Vec<_>>()).to_string();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()).unwrap());
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(done.status.success());
    serde_json::from_slice(&done.stdout).unwrap()
}

/// How many cases are run: `SIMULATE_CASES`, else enough for a few seconds.
fn amount() -> usize {
    std::env::var("SIMULATE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000)
}

#[test]
fn generated_requests_are_judged_alike() {
    let seed = [7; 32];
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let strategy = (prop::collection::vec(policy(), 1..3), request());
    let mut cases = Vec::new();
    while cases.len() < amount() {
        let (policies, request) = strategy.new_tree(&mut runner).unwrap().current();
        cases.push(Case { policies, request });
    }
    let answers = theirs(&cases);
    assert_eq!(answers.len(), cases.len());
    let mut words = BTreeMap::<&str, usize>::new();
    let (mut explained, mut differences) = (BTreeMap::<Class, usize>::new(), Vec::new());
    for (case, theirs) in cases.iter().zip(&answers) {
        let Some(ours) = case.ours() else { continue };
        *words.entry(ours).or_default() += 1;
        if ours != theirs {
            let concerns = |class: &Class| case.policies.iter().any(|policy| class.concerns(policy, &case.request));
            match Class::ALL.into_iter().find(concerns) {
                Some(class) => *explained.entry(class).or_default() += 1,
                None => differences.push(format!("we: {ours}, they: {theirs}\n{}", case.question())),
            }
        }
    }
    println!("{} cases: {words:?}; explained: {explained:?}; unexplained: {}", cases.len(), differences.len());
    let kinds: BTreeSet<&str> = words.keys().copied().collect();
    assert_eq!(kinds, BTreeSet::from(["Allowed", "ExplicitlyDenied", "ImplicitlyDenied"]));
    assert!(words.values().all(|n| *n * 20 > cases.len()), "one answer hardly occurs: {words:?}");
    assert!(explained.values().sum::<usize>() * 20 < cases.len(), "too much is explained away: {explained:?}");
    let shown = differences.len().min(8);
    assert!(differences.is_empty(), "{} differences, among them\n{}", differences.len(), differences[..shown].join("\n"));
}

/// Each class by one example: what we say follows the documentation, and the other still says something else.
#[test]
fn every_explained_class_still_differs() {
    let case = |version: &str, statement: Json, held: &[(&str, &str)]| Case {
        policies: vec![json!({"Version": version, "Statement": [statement]})],
        request: Request {
            action: "s3:GetObject".to_owned(),
            resource: "arn:aws:s3:::bucket/key".to_owned(),
            context: held.iter().map(|(key, value)| ((*key).to_owned(), Value::One((*value).to_owned()))).collect(),
        },
    };
    let allow = |condition: Json| json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition});
    let (old, new, team, ip) = ("2008-10-17", "2012-10-17", "aws:principaltag/team", "aws:sourceip");
    let examples = [
        (Class::OldVersion, case(old, allow(json!({"StringNotLike": {team: "${aws:username}"}})), &[(team, "a")])),
        (Class::AnyService, case(new, json!({"Effect": "Allow", "Action": "*:GetObject", "Resource": "*"}), &[])),
        (Class::WholeInternet, case(new, allow(json!({"IpAddress": {ip: "0.0.0.0/0"}})), &[(ip, "203.0.113.7")])),
        (Class::OtherIpVersion, case(new, allow(json!({"NotIpAddress": {ip: "203.0.113.7"}})), &[(ip, "2001:db8::1")])),
        (Class::EscapeInEquals, case(new, allow(json!({"StringEqualsIgnoreCase": {team: "${*}"}})), &[(team, "*")])),
        (Class::AnyValueIfExists, case(new, allow(json!({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "a"}})), &[])),
    ];
    let mut elsewhere = case(
        new,
        json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::bucket/${aws:PrincipalTag/home}/*"}),
        &[],
    );
    elsewhere.request.resource = "arn:aws:sns:us-east-1:111122223333:topic".to_owned();
    let (classes, cases): (Vec<Class>, Vec<Case>) = examples.into_iter().unzip();
    assert_eq!(classes, Class::ALL[..6]);
    for ((class, case), theirs) in classes.iter().zip(&cases).zip(theirs(&cases)) {
        assert!(class.concerns(&case.policies[0], &case.request), "{class:?}");
        assert_eq!((case.ours(), theirs.as_str()), (Some("Allowed"), "ImplicitlyDenied"), "{class:?}");
    }
    let answers = theirs(std::slice::from_ref(&elsewhere));
    assert!(Class::UnresolvedElsewhere.concerns(&elsewhere.policies[0], &elsewhere.request));
    assert_eq!((elsewhere.ours(), answers[0].as_str()), (Some("ImplicitlyDenied"), "Allowed"));
}
