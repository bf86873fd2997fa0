//! Laws of the passes, over made-up ledgers.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/asked.rs"]
mod asked;

use std::collections::{BTreeMap, BTreeSet};

use policyc::catalog::{Catalog, baselines};
use policyc::derive::{Because, Derivation, Need, Question, cap, derive};
use policyc::iam::{Action, Effect, Pattern, Policy};
use policyc::ledger::address::Address;
use policyc::ledger::mask::Mask;
use policyc::ledger::recording::recorded;
use policyc::ledger::{Bare, Evidence, Ledger, Origin, Outcome, Session, Sign, SourceId, Target, Use, format};
use proptest::prelude::*;

use crate::asked::{ACCOUNT, INSTANCE, ledger, question, sample};

fn baselines() -> Vec<Vec<u8>> {
    let with_deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iam:*","Resource":"*"},
        {"Effect":"Deny","Action":"s3:*","Resource":["arn:aws:s3:::b/secret/*"]},
        {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;
    let narrow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","ssm:*"],"Resource":"*",
        "Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}},{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/logs/*"}]}"#;
    let varying = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*Object","s3:ListBucket"],"Resource":
        ["arn:aws:s3:::b/${aws:PrincipalTag/folder}/*","arn:aws:s3:::b"]},{"Effect":"Allow","Action":"ssm:*","Resource":
        ["arn:aws:ssm:*:${aws:PrincipalAccount}:parameter/*","arn:aws:ec2:*:${aws:PrincipalAccount}:instance/*"]},
        {"Effect":"Deny","Action":"ssm:*","Resource":"arn:aws:ssm:*:${aws:PrincipalAccount}:parameter/secret/*"}]}"#;
    vec![baselines::find("AmazonEC2RoleforSSM").unwrap().document.to_vec(), with_deny.into(), narrow.into(), varying.into()]
}

/// A use of one of a few actions on one of a few names.
fn uses() -> impl Strategy<Value = Use> {
    let name = prop::sample::select(vec![
        "logs/a.txt",
        "logs/1.txt",
        "logs/2.txt",
        "logs/2026/09/x",
        "secret/k",
        "top",
        "x*y$",
        "d/e/f/1",
        "d/e/f/2",
    ]);
    let outcome = prop::sample::select(vec![
        Outcome::Succeeded,
        Outcome::Denied("AccessDenied".to_owned()),
        Outcome::Failed("Throttling".to_owned()),
    ]);
    (0..6usize, name, outcome).prop_map(|(kind, name, outcome)| {
        let object = format!("arn:aws:s3:::b/{name}");
        let parameter = format!("arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/{name}");
        let (action, resource) = match kind {
            0 => ("s3:GetObject", Pattern::literal(&object)),
            1 => ("s3:PutObject", Pattern::literal(&object)),
            2 => ("s3:ListBucket", Pattern::literal("arn:aws:s3:::b")),
            3 => ("ssm:GetParameters", Pattern::literal(&parameter)),
            4 => ("ssm:PutInventory", Pattern::any()),
            _ => (
                "ssm:UpdateInstanceInformation",
                Pattern::literal(&format!("arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/{INSTANCE}")),
            ),
        };
        Use {
            session: Session {
                account: ACCOUNT.to_owned(),
                role: "role".to_owned(),
                name: INSTANCE.to_owned(),
                ec2_delivered: true,
            },
            action: Action::parse(action).unwrap(),
            resource,
            resource_known: true,
            region: "eu-west-1".to_owned(),
            outcome,
            origin: Origin::Address("203.0.113.7".to_owned()),
            context: BTreeMap::new(),
            by_agent: kind == 5,
        }
    })
}

fn run(question: &Question, uses: &[Use]) -> Derivation {
    derive(question, &ledger(uses), Catalog::embedded())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// INVARIANT (order-free): the order of calls does not matter, and deriving again changes no byte.
    #[test]
    fn the_same_calls_give_the_same_bytes(uses in prop::collection::vec(uses(), 0..20)) {
        for document in baselines() {
            let question = question(&document);
            let first = run(&question, &uses);
            let backwards: Vec<Use> = uses.iter().rev().cloned().collect();
            prop_assert_eq!(first.policy.to_json(), run(&question, &backwards).policy.to_json());
        }
    }

    /// INVARIANT (covers-needs) and (capped): what was seen and the baseline allows is granted; all that is granted lies
    /// inside the baseline.
    #[test]
    fn both_halves_of_the_promise_hold(uses in prop::collection::vec(uses(), 1..20)) {
        for document in baselines() {
            let question = question(&document);
            let compiled = policyc::compile::compile(&question, &ledger(&uses), Catalog::embedded());
            prop_assert_eq!(compiled.proof.within_baseline.as_str(), "proved", "{}\n{}", compiled.proof.reason, compiled.document);
            prop_assert!(compiled.proof.covers_observed.denied.is_empty(), "{:?}\n{}", compiled.proof.covers_observed.denied, compiled.document);
            for used in uses.iter().filter(|u| u.outcome.authorised()) {
                let inside = !cap::covering(&question.baseline.policy, &used.action, &used.resource).is_empty();
                let granted = !cap::covering(&compiled.derivation.policy, &used.action, &used.resource).is_empty();
                prop_assert_eq!(inside, granted, "{} on {}\n{}", &used.action, &used.resource, compiled.document);
            }
        }
    }

    /// INVARIANT (demand-monotone): more calls never demand less.
    #[test]
    fn more_calls_never_demand_less(uses in prop::collection::vec(uses(), 1..20), fewer in 0..20usize) {
        for document in baselines() {
            let question = question(&document);
            let (part, whole) = (run(&question, &uses[..fewer.min(uses.len())]), run(&question, &uses));
            for grant in &part.grants {
                let still = whole.grants.iter().any(|g| g.action == grant.action && g.resource.covers_arn(&grant.resource));
                let legacy = grant.action.service() == "ec2messages"; // goes with a newer agent: the named exception
                prop_assert!(still || legacy, "{} on {} is lost", &grant.action, &grant.resource);
            }
        }
    }
}

/// What a baseline with variables grants is found to be granted, and no more of it than was used.
#[test]
fn a_baseline_may_hold_variables() {
    let check = |action: &str, resource: &str, baseline: &str, expected: &[&str]| {
        let document =
            format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":[{baseline}]}}}}"#);
        let (action, resource) = (Action::parse(action).unwrap(), Pattern::literal(resource));
        let ledger = ledger(&[Use { action, resource, ..sample() }]);
        let compiled = policyc::compile::compile(&question(document.as_bytes()), &ledger, Catalog::embedded());
        let resources: Vec<String> = compiled.derivation.grants.iter().map(|g| g.resource.to_string()).collect();
        assert_eq!(resources, expected, "{baseline}");
        let whole = compiled.derivation.grants.iter().filter(|g| g.rung == policyc::derive::Rung::Baseline);
        assert_eq!(whole.count(), expected.iter().filter(|r| r.contains("Tag") || r.contains(":*-$")).count(), "{baseline}");
        assert_eq!(compiled.derivation.outside.is_empty(), !expected.is_empty());
        assert!(!compiled.derivation.refused(), "{:?}", compiled.derivation.findings);
        assert_eq!(compiled.proof.within_baseline.as_str(), "proved", "{}", compiled.proof.reason);
        assert_eq!(compiled.proof.covers_observed.verdict.as_str(), "proved");
        let kept = compiled.derivation.findings.iter().filter(|f| f.code == policyc::finding::Code::ConditionUndetermined);
        assert_eq!(kept.count(), usize::from(expected.iter().any(|r| r.contains("Tag"))), "{baseline}");
    };
    let (get, object) = ("s3:GetObject", "arn:aws:s3:::acme-111122223333/in/k");
    // The account is known, so that only what was read is granted; but written as the baseline writes it.
    check(get, object, r#""arn:aws:s3:::acme-${aws:PrincipalAccount}/*""#, &["arn:aws:s3:::acme-${aws:PrincipalAccount}/in/k"]);
    check(
        get,
        object,
        r#""arn:aws:s3:::acme-${aws:principalaccount}/in/k""#,
        &["arn:aws:s3:::acme-${aws:principalaccount}/in/k"],
    );
    check(get, object, r#""arn:aws:s3:::*-${aws:PrincipalAccount}/*""#, &["arn:aws:s3:::*-${aws:PrincipalAccount}/*"]);
    // Where the same is granted by its name, that is enough.
    check(get, object, r#""arn:aws:s3:::acme-${aws:PrincipalAccount}/*","arn:aws:s3:::acme-1*/*""#, &[object]);
    check(get, object, r#""arn:aws:s3:::acme-${aws:PrincipalTag/team}/*","arn:aws:s3:::acme-1*/*""#, &[object]);
    check(get, object, r#""arn:aws:s3:::acme-${aws:PrincipalTag/team}/*""#, &["arn:aws:s3:::acme-${aws:PrincipalTag/team}/*"]);
    check(
        get,
        object,
        r#""arn:aws:s3:::${aws:PrincipalTag/team}-${aws:PrincipalAccount}/*""#,
        &["arn:aws:s3:::${aws:PrincipalTag/team}-${aws:PrincipalAccount}/*"],
    );
    check(get, object, r#""arn:aws:s3:::other-${aws:PrincipalTag/team}/*","arn:aws:s3:::${aws:PrincipalAccount}/*""#, &[]);
    check(get, "arn:aws:s3:::acme-444455556666/k", r#""arn:aws:s3:::acme-${aws:PrincipalAccount}/*""#, &[]);
    // Beside a name in the same list, for what that name does not grant.
    check(
        get,
        object,
        r#""arn:aws:s3:::acme-${aws:PrincipalTag/team}/*","arn:aws:s3:::shared/*""#,
        &["arn:aws:s3:::acme-${aws:PrincipalTag/team}/*"],
    );
    // Ids of instances stay open, as always.
    check(
        get,
        &format!("arn:aws:s3:::acme-111122223333/{INSTANCE}/k"),
        r#""arn:aws:s3:::acme-${aws:PrincipalAccount}/*""#,
        &["arn:aws:s3:::acme-${aws:PrincipalAccount}/i-*/k"],
    );
}

/// What a feature needs, or what was seen, is granted as far as the baseline grants it, and what is not is told.
#[test]
fn a_baseline_may_grant_a_part_of_a_need() {
    let check = |seen: bool, action: &str, resource: &str, baseline: &str, expected: &[&str]| {
        let document =
            format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":[{baseline}]}}}}"#);
        let feature = Because::Feature { feature: "agent".to_owned(), why: "it does".to_owned(), source: String::new() };
        let evidence = Evidence::of("2026-09-01T00:00:00Z", "e", &SourceId("0000000000000000".to_owned()));
        let need = Need {
            action: Action::parse(action).unwrap(),
            resource: Pattern::parse(resource),
            regions: BTreeSet::new(),
            context: BTreeMap::new(),
            because: BTreeSet::from([if seen { Because::Seen } else { feature }]),
            evidence: seen.then_some(evidence),
        };
        let capped = cap::cap(&Policy::parse(document.as_bytes()).unwrap(), &[], vec![need], Catalog::embedded());
        let resources: Vec<String> = capped.needs.iter().map(|c| c.need.resource.to_string()).collect();
        assert_eq!(resources, expected, "{action} on {resource} within {baseline}");
        let missing = capped.findings.iter().filter(|f| f.code == policyc::finding::Code::FloorOutsideBaseline).count();
        let told = (capped.outside.len(), missing);
        let outside = expected.is_empty();
        assert_eq!(
            told,
            (usize::from(outside && seen), usize::from(outside && !seen)),
            "{action} on {resource} within {baseline}"
        );
    };
    let (stream, streams) = ("logs:CreateLogStream", "arn:aws:logs:eu-west-1:111122223333:log-group:/acme/app:log-stream:*");
    let own = "arn:aws:logs:eu-west-1:111122223333:log-group:/acme/app:log-stream:i-*";
    for seen in [true, false] {
        check(seen, stream, streams, r#""*""#, &[streams]);
        check(seen, stream, streams, &format!("\"{own}\""), &[own]);
        check(seen, stream, streams, r#""arn:aws:logs:*:*:log-group:/acme/app:log-stream:i-*""#, &[own]);
        check(seen, stream, streams, r#""arn:aws:logs:*:*:log-group:/acme/other:log-stream:i-*""#, &[]);
        check(
            seen,
            "s3:PutObject",
            "arn:aws:s3:::out/p/*",
            r#""arn:aws:s3:::out/*/i-*/x/*","arn:aws:s3:::out/p/q/*","arn:aws:s3:::in/*""#,
            &["arn:aws:s3:::out/p/q/*", "arn:aws:s3:::out/p/*/i-*/x/*"],
        );
        // A request of an action that knows no resources is about `*`: no ARN grants it.
        check(seen, "ssmmessages:CreateControlChannel", "*", r#""arn:aws:ec2:*:*:instance/*""#, &[]);
        check(seen, "ssmmessages:CreateControlChannel", "*", r#""arn:aws:ssmmessages:eu-west-1:*:*""#, &[]);
        check(seen, "ssmmessages:CreateControlChannel", "*", r#""arn:aws:ec2:*:*:instance/*","*""#, &["*"]);
        check(seen, "s3:ListAllMyBuckets", "*", r#""arn:aws:s3:::acme-*""#, &[]);
        check(seen, "s3:GetObject", "*", r#""arn:aws:s3:::b/*""#, &["arn:aws:s3:::b/*"]);
    }
    // But where it went through, and the baseline leaves nothing but the service, that is what let it through.
    check(true, "s3:ListAllMyBuckets", "*", r#""arn:aws:s3:::*","arn:aws:s3:::*/*""#, &["arn:aws:s3:::*"]);
    check(false, "s3:ListAllMyBuckets", "*", r#""arn:aws:s3:::*""#, &[]);
}

/// What the baseline denies stays denied to policies that stay attached.
#[test]
fn a_deny_stays_whole_where_a_kept_policy_may_allow_more() {
    let check = |deny: &str, kept: &str, expected: &[&str]| {
        let one = |statements: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let document = one(&format!(
            r#"{{"Effect":"Allow","Action":["s3:*","ssm:*"],"Resource":"*"}},{{"Effect":"Deny",{deny},"Resource":"arn:aws:s3:::b/secret/*"}}"#
        ));
        let kept = question(one(kept).as_bytes()).baseline;
        let question = Question { kept: vec![kept], ..question(document.as_bytes()) };
        let used = Use {
            action: Action::parse("s3:PutObject").unwrap(),
            resource: Pattern::literal("arn:aws:s3:::b/logs/k"),
            ..sample()
        };
        let compiled = policyc::compile::compile(&question, &ledger(&[used]), Catalog::embedded());
        assert_eq!(compiled.proof.within_baseline.as_str(), "proved", "{deny}: {}\n{}", compiled.proof.reason, compiled.document);
        assert_eq!(compiled.proof.covers_observed.verdict.as_str(), "proved");
        let carried = compiled.derivation.policy.statements.iter().filter(|s| s.effect == Effect::Deny);
        let carried: Vec<String> = carried.map(|s| format!("{:?}", s.actions)).collect();
        assert_eq!(carried, expected, "{deny} beside {}", String::from_utf8_lossy(&question.kept[0].bytes));
    };
    let reads = r#"{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}"#;
    check(r#""Action":"s3:GetObject""#, reads, &["Only([s3:GetObject])"]);
    check(r#""Action":"s3:*""#, reads, &["Only([s3:*])"]);
    check(r#""NotAction":"ssm:*""#, reads, &["AllBut([ssm:*])"]);
    check(r#""Action":"s3:*""#, r#"{"Effect":"Allow","NotAction":"iam:*","NotResource":"arn:aws:s3:::c/*"}"#, &["Only([s3:*])"]);
    // Where none may, what is needed is enough.
    let elsewhere = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::c/*"}"#;
    check(r#""Action":"s3:*""#, elsewhere, &["Only([s3:PutObject])"]);
    check(r#""Action":"s3:GetObject""#, elsewhere, &[]);
    check(r#""Action":"s3:*""#, r#"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#, &["Only([s3:PutObject])"]);
    check(r#""NotAction":"s3:*""#, reads, &[]);
    check(
        r#""Action":"s3:*""#,
        r#"{"Effect":"Allow","Action":"s3:Get*","NotResource":"arn:aws:s3:::b/*"}"#,
        &["Only([s3:PutObject])"],
    );
    check(r#""Action":"s3:*""#, r#"{"Effect":"Deny","Action":"s3:Get*","Resource":"*"}"#, &["Only([s3:PutObject])"]);
}

#[test]
fn too_many_names_take_a_coarser_rung_and_say_so() {
    let question = question(&baselines()[0]);
    let words: Vec<String> = (0..200u32)
        .map(|n| {
            ["red", "green", "blue", "white", "black"]
                .iter()
                .cycle()
                .skip(n as usize % 5)
                .take(3)
                .copied()
                .collect::<Vec<_>>()
                .join("-")
                + &"abcdefghij".repeat(3)[..(n as usize % 29) + 1]
        })
        .collect();
    let one = |word: &String| Use {
        resource: Pattern::literal(&format!("arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/{word}/name")),
        action: Action::parse("ssm:GetParameters").unwrap(),
        ..sample()
    };
    let uses: Vec<Use> = words.iter().map(one).collect();
    let derived = run(&question, &uses);
    assert!(derived.policy.size() <= 6_144, "{}", derived.policy.size());
    assert!(derived.findings.iter().any(|f| f.code == policyc::finding::Code::CoarserResource));
    assert!(
        !derived.grants.iter().any(|g| g.action.as_str() == "ssm:GetParameters" && g.resource.is_any()),
        "never silently `*`"
    );
}

/// Uses of several sessions from several places.
fn from_anywhere() -> impl Strategy<Value = Use> {
    let address = |text: &str| Origin::Address(text.to_owned());
    let origin = prop::sample::select(vec![
        address("203.0.113.7"),
        address("203.0.113.8"),
        address("10.0.0.9"),
        address("2001:db8::1"),
        Origin::Endpoint { id: "vpce-1".to_owned(), account: ACCOUNT.to_owned(), address: "10.0.0.9".to_owned() },
        Origin::Service("s3.amazonaws.com".to_owned()),
    ]);
    let session = prop::sample::select(vec![INSTANCE, "i-0123456789abcdef1"]);
    let log = prop::option::of(prop::sample::select(vec![
        "logs/alice-0123456789abcdef1.log",
        "logs/alice-0123456789abcdef2.log",
        "logs/bob-0123456789abcdef3.log",
        "carol-0123456789abcdef4.log",
    ]));
    (uses(), origin, session, log).prop_map(|(used, origin, session, log)| {
        let resource = log.filter(|_| used.action.as_str() == "s3:PutObject");
        let resource = resource.map_or(used.resource, |name| Pattern::literal(&format!("arn:aws:s3:::b/{name}")));
        Use { origin, session: Session { name: session.to_owned(), ..used.session }, resource, ..used }
    })
}

/// Some of the same calls once more, as calls that show no need.
fn with_bare(mut ledger: Ledger, uses: &[Use]) -> Ledger {
    for (n, used) in uses.iter().enumerate().filter(|(n, _)| n % 2 == 0) {
        let (session, region, origin) = (used.session.clone(), used.region.clone(), used.origin.clone());
        let call = Bare { session, event: "sts.amazonaws.com:GetCallerIdentity".to_owned(), region, origin };
        let seen = Evidence::of("2026-09-01T00:00:00Z", &format!("b{n}"), &SourceId("0000000000000000".to_owned()));
        ledger.bare.entry(call).and_modify(|all| all.merge(seen.clone())).or_insert(seen);
    }
    ledger
}

/// How many calls are suspicious, by what they are.
fn suspicious(derivation: &Derivation) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    derivation.suspicious.iter().for_each(|one| *all.entry(one.action.to_string()).or_default() += one.calls);
    all
}

fn signed(mut ledger: Ledger) -> Ledger {
    for (name, token) in [("alice", "0123456789abcdef1"), ("bob", "0123456789abcdef3"), ("carol", "0123456789abcdef4")] {
        let sign = Sign {
            account: ACCOUNT.to_owned(),
            region: "eu-west-1".to_owned(),
            event: "ssm.amazonaws.com:StartSession".to_owned(),
            document: String::new(),
            target: Target::Instance(INSTANCE.to_owned()),
            details: BTreeMap::from([("session-id".to_owned(), format!("{name}-{token}"))]),
        };
        ledger.signs.insert(sign, Evidence::of("2026-09-01T00:00:00Z", token, &SourceId("0000000000000000".to_owned())));
    }
    ledger
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// INVARIANT (mask-same)
    #[test]
    fn a_recording_derives_what_it_was_made_of(
        uses in prop::collection::vec(from_anywhere(), 1..14),
        baseline in (0..4_usize).prop_map(|n| String::from_utf8(baselines()[n].clone()).unwrap()),
        known in prop::sample::subsequence(vec!["203.0.113.7", "10.0.0.9", "2001:db8::1"], 0..=3),
    ) {
        let mask = Mask::new(["stack", "role"]);
        let live = mask.sessions(with_bare(signed(ledger(&uses)), &uses));
        let plain = Question { addresses: known.iter().map(|a| a.parse::<std::net::IpAddr>().unwrap().into()).collect(), ..question(baseline.as_bytes()) };
        let masked = known.iter().map(|a| Address::parse(&mask.address(a)).unwrap()).collect();
        let masked = Question { masked, ..question(baseline.as_bytes()) };
        let written = format::write(&recorded(mask.addresses(live.clone()), "stack"));
        let read = format::read(&written).unwrap();
        let (a, b) = (derive(&plain, &live, Catalog::embedded()), derive(&masked, &read, Catalog::embedded()));
        prop_assert_eq!(a.policy.to_json(), b.policy.to_json());
        prop_assert_eq!(suspicious(&a), suspicious(&b));
        prop_assert_eq!(a.refused(), b.refused());
        let text = String::from_utf8(written).unwrap();
        prop_assert!(!["203.0", "10.0.0.9", "2001:db8", "alice", "bob", "carol"].iter().any(|word| text.contains(word)), "{}", text);
    }

    /// Calls that show no need change nothing but what is suspicious; there they are wherever a use from the same place is.
    #[test]
    fn calls_without_a_need_are_suspicious_or_nothing(uses in prop::collection::vec(from_anywhere(), 1..14)) {
        let question = question(&baselines()[0]);
        let (without, with) = (signed(ledger(&uses)), with_bare(signed(ledger(&uses)), &uses));
        let [a, b] = [&without, &with].map(|ledger| derive(&question, ledger, Catalog::embedded()));
        prop_assert_eq!(a.policy.to_json(), b.policy.to_json());
        prop_assert_eq!((&a.needs, &a.observed, &a.instances), (&b.needs, &b.observed, &b.instances));
        prop_assert_eq!((&a.denied, &a.failed, &a.outside, &a.unmapped), (&b.denied, &b.failed, &b.outside, &b.unmapped));
        let of_calls = |one: &&policyc::derive::Reported| one.action.service() != "sts";
        prop_assert_eq!(a.suspicious.iter().collect::<Vec<_>>(), b.suspicious.iter().filter(of_calls).collect::<Vec<_>>());
        // Event `eN` is the use beside which `bN` was made.
        let events = |of: &Derivation| of.suspicious.iter().flat_map(|one| one.events.clone()).collect::<BTreeSet<String>>();
        let of_uses = events(&a);
        let expected = (0..uses.len()).filter(|n| n % 2 == 0).filter(|n| {
            let same = |m: &usize| uses[*m].session == uses[*n].session && uses[*m].origin == uses[*n].origin;
            (0..uses.len()).filter(same).any(|m| of_uses.contains(&format!("e{m}")))
        });
        let bare: BTreeSet<String> = events(&b).difference(&of_uses).cloned().collect();
        prop_assert_eq!(bare, expected.map(|n| format!("b{n}")).collect::<BTreeSet<_>>());
    }

    /// What a person's name was taken out of is granted all the same.
    #[test]
    fn without_the_names_of_people_nothing_is_lost(uses in prop::collection::vec(from_anywhere(), 1..14), baseline in (0..4_usize).prop_map(|n| String::from_utf8(baselines()[n].clone()).unwrap())) {
        let whole = signed(ledger(&uses));
        let masked = derive(&question(baseline.as_bytes()), &Mask::new(["salt"]).sessions(whole.clone()), Catalog::embedded());
        for used in derive(&question(baseline.as_bytes()), &whole, Catalog::embedded()).observed {
            let inside = !cap::covering(&Policy::parse(baseline.as_bytes()).unwrap(), &used.action, &used.resource).is_empty();
            let granted = !cap::covering(&masked.policy, &used.action, &used.resource).is_empty();
            prop_assert!(!inside || granted, "{} on {}: {}", used.action, used.resource, masked.policy.to_json());
        }
    }
}
