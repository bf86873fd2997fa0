//! Generated policies over the whole condition language, in pairs that are close to each other.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// What a condition key is compared with, and by which operators.
struct Key {
    name: &'static str,
    operators: &'static [&'static str],
    sets: &'static [&'static str],
    wanted: &'static [&'static str],
}

const STRINGS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "StringLike",
];
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
const NO_SET: &[&str] = &[""];

const KEYS: &[Key] = &[
    Key {
        name: "aws:PrincipalTag/team",
        operators: STRINGS,
        sets: NO_SET,
        wanted: &["a", "A", "a*", "?b", "ab", "", "*", "*b*", "${aws:username}", "${*}", "a${?}", "${$}a"],
    },
    Key { name: "aws:PrincipalTag/keen", operators: &["Bool", "StringEquals"], sets: NO_SET, wanted: &["true", "false", "TRUE"] },
    Key { name: "aws:username", operators: STRINGS, sets: NO_SET, wanted: &["a", "b*", "bob", "B?b", "*"] },
    Key {
        name: "aws:TagKeys",
        operators: STRINGS,
        sets: &["ForAllValues:", "ForAnyValue:", "ForAllValues:", ""],
        wanted: &["a", "b", "a*", "A", "?", ""],
    },
    Key { name: "s3:max-keys", operators: NUMBERS, sets: NO_SET, wanted: &["5", "10", "0", "-1", "5.0", "1.5", "10.25"] },
    Key { name: "kms:GrantCount", operators: NUMBERS, sets: &["ForAllValues:", "ForAnyValue:"], wanted: &["1", "2", "3"] },
    Key {
        name: "aws:CurrentTime",
        operators: DATES,
        sets: NO_SET,
        wanted: &[
            "2026-01-01T00:00:00Z",
            "2026-06-30T12:30:00Z",
            "2026-01-01T01:00:00+01:00",
            "2026",
            "2026-01-01",
            "1767225600",
        ],
    },
    Key { name: "aws:SecureTransport", operators: &["Bool"], sets: NO_SET, wanted: &["true", "false", "True"] },
    Key { name: "kms:EncryptedBlob", operators: &["BinaryEquals"], sets: NO_SET, wanted: &["QUJD", "QUI=", "AA=="] },
    Key {
        name: "aws:SourceIp",
        operators: &["IpAddress", "NotIpAddress", "IpAddress"],
        sets: NO_SET,
        wanted: &["203.0.113.0/24", "203.0.113.7", "203.0.113.128/25", "0.0.0.0/0", "0.0.0.0/1", "2001:db8::/32", "2001:db8::1"],
    },
    Key {
        name: "aws:SourceArn",
        operators: ARNS,
        sets: NO_SET,
        wanted: &[
            "arn:aws:sns:us-east-1:111122223333:topic",
            "arn:aws:sns:*:111122223333:*",
            "arn:aws:sns:us-*:*:t*",
            "arn:aws:s3:::b*",
            "arn:*:sns:us-east-1:*:to?ic",
            "*",
            "arn:aws:sns:us-east-1:111122223333:${aws:username}",
        ],
    },
];

const ACTIONS: &[&str] =
    &["*", "s3:*", "s3:Get*", "s3:GetObject", "S3:getobject", "s3:?etObject", "s3:Put*", "sns:*", "*:Get*", "s?:*"];

const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:s3:::bucket",
    "arn:aws:s3:::bucket/*",
    "arn:aws:s3:::b*",
    "arn:aws:s3:::b*/key",
    "arn:aws:s3:::bucket/${aws:username}/*",
    "arn:aws:s3:::bucket/${aws:username}",
    "arn:aws:s3:::bucket/${aws:username, 'bob'}/*",
    "arn:aws:s3:::bucket/${*}",
    "arn:aws:s3:::???ket/*",
    "arn:aws:sns:us-east-1:111122223333:topic",
    "arn:aws:sns:*:*:t*",
    "arn:aws:sns:us-*",
    "arn:aws:sns:us-east-1:*:*",
    "arn:*:s3:::*",
    "arn:aws:logs:*:*:log-group:a*:log-stream:*",
    "arn:aws:logs:*:*:log-group:*",
];

fn some(of: &'static [&'static str]) -> BoxedStrategy<Json> {
    prop::collection::vec(prop::sample::select(of), 1..3)
        .prop_map(|values| if values.len() == 1 { json!(values[0]) } else { json!(values) })
        .boxed()
}

type Condition = (String, &'static str, Json);

fn condition() -> BoxedStrategy<Condition> {
    let of = |key: &'static Key| {
        let operator = (prop::sample::select(key.sets), prop::sample::select(key.operators));
        let exists = prop::sample::select(&["", "", "IfExists"][..]);
        let null = prop::sample::select(&["true", "false"][..]).prop_map(|wanted| ("Null".to_owned(), key.name, json!(wanted)));
        let test = (operator, exists, some(key.wanted))
            .prop_map(|((set, operator), exists, wanted)| (format!("{set}{operator}{exists}"), key.name, wanted));
        prop_oneof![10 => test, 1 => null].boxed()
    };
    (0..KEYS.len()).prop_flat_map(move |key| of(&KEYS[key])).boxed()
}

fn element(plain: &'static str, negated: &'static str, of: &'static [&'static str]) -> BoxedStrategy<(&'static str, Json)> {
    (prop::bool::weighted(0.12), some(of)).prop_map(move |(not, values)| (if not { negated } else { plain }, values)).boxed()
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
            conditions.into_iter().for_each(|condition| put(&mut statement, condition));
            statement
        })
        .boxed()
}

fn put(statement: &mut Json, (operator, key, wanted): Condition) {
    statement["Condition"][operator][key] = wanted;
}

/// A change of one statement, or of the list of them.
#[derive(Debug, Clone)]
enum Edit {
    Remove,
    Insert(Json),
    Action(Json),
    Resource(Json),
    Condition(Condition),
    Unconditional,
}

fn edit() -> BoxedStrategy<Edit> {
    prop_oneof![
        2 => Just(Edit::Remove),
        1 => statement().prop_map(Edit::Insert),
        2 => some(ACTIONS).prop_map(Edit::Action),
        3 => some(RESOURCES).prop_map(Edit::Resource),
        4 => condition().prop_map(Edit::Condition),
        2 => Just(Edit::Unconditional),
    ]
    .boxed()
}

fn apply(statements: &mut Vec<Json>, at: usize, edit: Edit) {
    let at = at % statements.len();
    let (last, one) = (statements.len() == 1, &mut statements[at]);
    match edit {
        Edit::Remove if last => {}
        Edit::Remove => _ = statements.remove(at),
        Edit::Insert(other) => statements.push(other),
        Edit::Action(patterns) => replace(one, "Action", patterns),
        Edit::Resource(patterns) => replace(one, "Resource", patterns),
        Edit::Condition(condition) => put(one, condition),
        Edit::Unconditional => _ = one.as_object_mut().and_then(|members| members.remove("Condition")),
    }
}

fn replace(statement: &mut Json, name: &str, patterns: Json) {
    let negated = format!("Not{name}");
    let name = if statement.get(&negated).is_some() { negated } else { name.to_owned() };
    statement[name] = patterns;
}

fn document(version: Option<&str>, statements: &[Json]) -> Json {
    let statements = if statements.len() == 1 { statements[0].clone() } else { json!(statements) };
    match version {
        Some(version) => json!({"Version": version, "Statement": statements}),
        None => json!({"Statement": statements}),
    }
}

/// Two policies, the second made from the first by a few changes, in either order, or without any relation.
pub(crate) fn pair() -> BoxedStrategy<(Json, Json)> {
    let version = prop::sample::select(&[Some("2012-10-17"), Some("2012-10-17"), Some("2012-10-17"), None][..]);
    let policy = || prop::collection::vec(statement(), 1..4);
    let edits = prop::collection::vec((0usize..8, edit()), 1..4);
    (version, policy(), edits, any::<bool>(), prop::option::weighted(0.1, policy()))
        .prop_map(|(version, first, edits, swap, unrelated)| {
            let mut second = first.clone();
            edits.into_iter().for_each(|(at, edit)| apply(&mut second, at, edit));
            let (new, baseline) = (unrelated.unwrap_or(first), second);
            let (new, baseline) = if swap { (baseline, new) } else { (new, baseline) };
            (document(version, &new), document(version, &baseline))
        })
        .boxed()
}
