//! What stands around the prover: both halves of a proof, the certificate, observed calls as requests, principals, and the
//! fates of actions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test says what is wrong by panicking

use std::collections::{BTreeMap, BTreeSet};

use policyc::iam::{Action, Pattern};
use policyc::ledger::{Origin, Outcome, Session, Use};
use policyc::prove::certificate::{Certificate, CertificateError, Subject, Subjects, digest};
use policyc::prove::compare::{Fate, compare};
use policyc::prove::document::Document;
use policyc::prove::evaluate::Value;
use policyc::prove::observed::calls;
use policyc::prove::principal;
use policyc::prove::proof::{Answer, Proof, Side, prove};
use policyc::prove::replay::Call;
use policyc::prove::subset::Budget;
use serde_json::{Value as Json, json};

fn policy(statements: &Json) -> Vec<u8> {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string().into_bytes()
}

fn allow(action: &str, resource: &str) -> Json {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn call(action: &str, resource: &str) -> Call {
    Call { action: action.into(), resource: resource.into(), label: format!("{action} on {resource}"), ..Call::default() }
}

fn proof(new: &[&[u8]], kept: &[&[u8]], baseline: &[&[u8]], calls: &[Call]) -> Proof {
    prove(Side { policies: new, kept, boundary: None }, baseline, calls, &Budget::default())
}

#[test]
fn both_halves_of_a_proof() {
    let (one, all) = (policy(&json!([allow("s3:Get*", "arn:aws:s3:::a/*")])), policy(&json!([allow("s3:*", "*")])));
    let calls =
        [call("s3:GetObject", "arn:aws:s3:::a/k"), call("s3:PutObject", "arn:aws:s3:::a/k"), call("sqs:SendMessage", "*")];
    let said = |proof: &Proof| (proof.within_baseline, proof.covers_observed.verdict, proof.holds());
    let proved = proof(&[&one], &[], &[&all], &calls[..1]);
    assert_eq!(said(&proved), (Answer::Proved, Answer::Proved, true));
    assert_eq!((proved.reason.as_str(), proved.counterexample.is_none(), proved.covers_observed.calls), ("", true, 1));
    let lost = proof(&[&one], &[], &[&all], &calls);
    assert_eq!(said(&lost), (Answer::Proved, Answer::NotProved, false));
    assert_eq!(lost.covers_observed.calls, 2, "what the baseline denies is not replayed");
    assert_eq!(lost.covers_observed.denied, ["s3:PutObject on arn:aws:s3:::a/k (no statement allows it)"]);
    let beyond = proof(&[&all], &[], &[&one], &calls[..1]);
    assert_eq!(said(&beyond), (Answer::NotProved, Answer::Proved, false));
    let witness = beyond.counterexample.unwrap();
    assert_eq!((witness.document, witness.statement, witness.sid.as_str()), (1, 1, ""));
    assert_eq!(beyond.reason, format!("it allows {} on {}, the baseline does not", witness.action, witness.resource));
    let named = policy(
        &json!([allow("s3:Get*", "arn:aws:s3:::a/*"), {"Sid": "More", "Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]),
    );
    let witness = proof(&[&one, &named], &[], &[&all], &[]).counterexample.unwrap();
    assert_eq!((witness.document, witness.statement, witness.sid.as_str()), (2, 2, "More"));
    let broken = proof(&[b"{"], &[], &[&all], &calls);
    assert_eq!(said(&broken), (Answer::Refused, Answer::Refused, false));
    let words = [Answer::Proved, Answer::NotProved, Answer::Refused].map(|answer| answer.to_string());
    assert_eq!(words, ["proved", "not proved", "refused"]);
    assert!(broken.reason.starts_with("the policy: the document is not JSON"), "{}", broken.reason);
}

#[test]
fn kept_policies_are_on_both_sides() {
    let (one, all) = (policy(&json!([allow("s3:Get*", "*")])), policy(&json!([allow("s3:*", "*")])));
    let nothing = br#"{"Version":"2012-10-17","Statement":[]}"#;
    let put = [call("s3:PutObject", "arn:aws:s3:::a/k")];
    assert_eq!(proof(&[&one], &[], &[&all], &put).covers_observed.verdict, Answer::NotProved);
    assert_eq!(proof(&[&one], &[&all], &[&all], &put).covers_observed.verdict, Answer::Proved);
    assert_eq!(proof(&[nothing], &[&all], &[&all], &put).covers_observed.verdict, Answer::Proved, "attaching nothing");
    // The baseline's Deny counts by itself, whatever is kept; a kept Deny takes from both.
    let deny = json!({"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"});
    let guarded = policy(&json!([allow("s3:*", "*"), deny]));
    assert_eq!(proof(&[&all], &[], &[&guarded], &[]).within_baseline, Answer::NotProved);
    assert_eq!(proof(&[&all], &[&policy(&json!([deny]))], &[&all], &[]).within_baseline, Answer::Proved);
    let unknown =
        policy(&json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"k": "v"}}}]));
    let doubtful = proof(&[&unknown], &[], &[&all], &put).covers_observed;
    assert_eq!((doubtful.verdict, doubtful.undetermined), (Answer::Refused, 1));
}

/// INVARIANT (boundary-apart): both halves hold without the boundary's help, and what it forbids is named and no loss.
#[test]
fn a_boundary_is_on_both_sides_and_proves_nothing() {
    let (one, all) = (policy(&json!([allow("s3:Get*", "*")])), policy(&json!([allow("s3:*", "*")])));
    let only_get = policy(&json!([allow("s3:Get*", "*")]));
    let calls = [call("s3:GetObject", "arn:aws:s3:::a/k"), call("s3:PutObject", "arn:aws:s3:::a/k")];
    let bounded = |new: &[u8], kept: &[&[u8]], boundary: &[u8]| {
        prove(Side { policies: &[new], kept, boundary: Some(boundary) }, &[&all], &calls, &Budget::default())
    };
    let held = bounded(&all, &[], &only_get);
    assert!(held.holds());
    let forbidden = "s3:PutObject on arn:aws:s3:::a/k (the permissions boundary forbids this: no statement of it allows it)";
    assert_eq!(held.covers_observed.forbidden, [forbidden]);
    let lost = bounded(&one, &[], &only_get).covers_observed;
    assert_eq!((lost.verdict, lost.denied.len(), lost.calls), (Answer::NotProved, 1, 2), "a boundary of today excuses no loss");
    let deny = policy(&json!([{"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}]));
    let kept = bounded(&all, &[&deny], &all).covers_observed;
    assert_eq!((kept.verdict, kept.calls), (Answer::Proved, 1), "what a kept Deny forbids is replayed on neither side");
    assert_eq!(kept.forbidden, ["s3:GetObject on arn:aws:s3:::a/k (an explicit deny (document 1, statement 1) matches)"]);
    let refused = bounded(&all, &[], b"{");
    assert!(
        !refused.holds() && refused.reason.starts_with("the permissions boundary: the document is not JSON"),
        "{}",
        refused.reason
    );
}

#[test]
fn a_certificate_says_what_no_longer_agrees() {
    assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let subject = |bytes: &[u8]| Subject::of("name", "v1", bytes);
    let subjects = || Subjects {
        policy: subject(b"policy"),
        baseline: subject(b"baseline"),
        kept: vec![subject(b"kept")],
        boundary: Some(subject(b"boundary")),
        ledger: subject(b"ledger"),
        catalogue: subject(b"catalogue"),
    };
    let all = policy(&json!([allow("s3:*", "*")]));
    let put = [call("s3:PutObject", "arn:aws:s3:::a/k")];
    let again = proof(&[&all], &[], &[&all], &put);
    let certificate = Certificate::issue(subjects(), &again);
    assert_eq!((certificate.schema, certificate.policyc.as_str(), certificate.calls_replayed), (1, env!("CARGO_PKG_VERSION"), 1));
    assert_eq!(certificate.not_proved.len(), 3);
    assert_eq!(Certificate::read(&certificate.write()).unwrap(), certificate);
    assert!(certificate.write().ends_with(b"}\n"));
    assert_eq!(certificate.verify(&subjects(), &again), [""; 0]);
    let check = |now: Subjects, again: &Proof, lines: &[&str]| {
        let problems = certificate.verify(&now, again);
        assert_eq!(problems.len(), lines.len(), "{problems:?}");
        problems.iter().zip(lines).for_each(|(problem, line)| assert!(problem.contains(line), "{problem}"));
    };
    check(
        Subjects { policy: subject(b"x"), ..subjects() },
        &again,
        &["it names a policy 823412d1eacb…, now it is 2d711642b726…"],
    );
    check(Subjects { baseline: subject(b"x"), ..subjects() }, &again, &["it names a baseline"]);
    check(Subjects { ledger: subject(b"x"), ..subjects() }, &again, &["it names a ledger"]);
    check(Subjects { catalogue: subject(b"x"), ..subjects() }, &again, &["it names a catalogue"]);
    check(Subjects { kept: vec![], ..subjects() }, &again, &["other policies that stay attached"]);
    check(Subjects { boundary: None, ..subjects() }, &again, &["it names another permissions boundary"]);
    check(Subjects { boundary: Some(subject(b"x")), ..subjects() }, &again, &["it names another permissions boundary"]);
    let one = policy(&json!([allow("s3:Get*", "*")]));
    check(
        subjects(),
        &proof(&[&all], &[], &[&one], &put),
        &["`within the baseline` is `not proved`", "it counts 1 replayed calls, now there are 0"],
    );
    check(subjects(), &proof(&[&one], &[], &[&all], &put), &["`covers the observed calls` is `not proved`"]);
    let refused = Certificate::issue(subjects(), &proof(&[b"{"], &[], &[&all], &put));
    assert!(refused.verify(&subjects(), &again).iter().any(|p| p == "it says `refused` of `within the baseline`"));
    assert!(matches!(Certificate::read(b"{}"), Err(CertificateError::Malformed(_))));
    assert!(matches!(Certificate::read(br#"{"schema":2}"#), Err(CertificateError::Schema(2))));
    assert!(matches!(Certificate::read(br#"{"schema":1,"more":1}"#), Err(CertificateError::Malformed(_))));
}

#[test]
fn entries_of_a_ledger_become_requests() {
    let used = |origin: Origin| Use {
        session: Session { account: "111122223333".into(), role: "web".into(), name: "i-0".into(), ec2_delivered: true },
        action: Action::parse("s3:GetObject").unwrap(),
        resource: Pattern::literal("arn:aws:s3:::b/k"),
        resource_known: true,
        region: "eu-west-1".into(),
        outcome: Outcome::Succeeded,
        origin,
        context: BTreeMap::from([("s3:Prefix".to_owned(), "a/".to_owned())]),
        by_agent: false,
    };
    let check = |origin: Origin, more: &[(&str, &str)], absent: &[&str], service: &str| {
        let calls = calls(&used(origin.clone()));
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        let mut expected = BTreeMap::from([
            ("aws:requestedregion", "eu-west-1"),
            ("aws:principalaccount", "111122223333"),
            ("aws:principaltype", "AssumedRole"),
            ("aws:viaawsservice", service),
            ("s3:prefix", "a/"),
        ]);
        expected.extend(more.iter().copied());
        let expected: BTreeMap<String, Value> = expected.into_iter().map(|(k, v)| (k.into(), Value::One(v.into()))).collect();
        assert_eq!(call.context, expected, "{origin:?}");
        let absent: BTreeSet<String> = absent.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(call.absent, absent, "{origin:?}");
        assert_eq!((call.action.as_str(), call.resource.as_str()), ("s3:GetObject", "arn:aws:s3:::b/k"));
        assert_eq!(call.label, "s3:GetObject on arn:aws:s3:::b/k");
    };
    let endpoint = Origin::Endpoint { id: "vpce-1".into(), account: String::new(), address: "10.0.0.1".into() };
    check(endpoint, &[("aws:sourcevpce", "vpce-1")], &["aws:username", "aws:sourceip"], "false");
    check(Origin::Service("ssm.amazonaws.com".into()), &[], &["aws:username"], "true");
    for public in ["203.0.113.7", "100.63.255.255", "100.128.0.1", "99.64.0.1", "172.15.0.1", "2001:db8::1", "3fff::1"] {
        check(Origin::Address(public.into()), &[("aws:sourceip", public)], &["aws:username", "aws:sourcevpce"], "false");
    }
    for private in [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.1.1",
        "127.0.0.1",
        "0.0.0.0",
        "100.64.0.1",
        "100.127.255.255",
        "fd00::1",
        "fe80::1",
        "::1",
        "elsewhere",
    ] {
        check(Origin::Address(private.into()), &[], &["aws:username"], "false");
    }
}

#[test]
fn principals_give_context_keys() {
    let check = |arn: &str, expected: Option<[&str; 3]>, user: Option<&str>| {
        let context = principal::context(arn);
        let expected = expected.map(|[arn, account, class]| {
            let mut keys =
                BTreeMap::from([("aws:principalarn", arn), ("aws:principalaccount", account), ("aws:principaltype", class)]);
            keys.extend(user.map(|user| ("aws:username", user)));
            keys.into_iter().map(|(key, value)| (key.to_owned(), Value::One(value.to_owned()))).collect::<BTreeMap<_, _>>()
        });
        assert_eq!(context, expected, "{arn}");
    };
    let role = "arn:aws:iam::111122223333:role/path/web";
    check(role, Some([role, "111122223333", "AssumedRole"]), None);
    let user = "arn:aws:iam::111122223333:user/path/bob";
    check(user, Some([user, "111122223333", "User"]), Some("bob"));
    let session = "arn:aws-cn:sts::111122223333:assumed-role/web/i-0";
    check(session, Some(["arn:aws-cn:iam::111122223333:role/web", "111122223333", "AssumedRole"]), None);
    for arn in [
        "",
        "arn:aws:iam::1:role",
        "arn:aws:iam::1:group/x",
        "arn:aws:sts::1:assumed-role/web",
        "arn:aws:sts::1:assumed-role/web/",
        "arn:aws:iam:eu-west-1:1:role/x",
        "arn:aws:iam:::role/x",
        "arn::iam::1:role/x",
        "urn:aws:iam::1:role/x",
    ] {
        check(arn, None, None);
    }
}

#[test]
fn actions_have_fates() {
    let read = |statements: Json| Document::read(&policy(&statements)).unwrap();
    let check = |old: Json, new: Json, action: &str, fate: Option<Fate>| {
        let (old, new) = (read(old), read(new));
        let changes = compare(std::slice::from_ref(&old), std::slice::from_ref(&new), &[action.to_owned()], &Budget::default());
        assert_eq!(changes.first().map(|change| change.fate), fate, "{action}: {old:?} then {new:?}");
        if let Some(change) = changes.first() {
            let gains = [Fate::Gained, Fate::Exchanged].contains(&change.fate);
            let loses = [Fate::Gone, Fate::Narrowed, Fate::Exchanged].contains(&change.fate);
            assert_eq!((change.gained.is_some(), change.lost.is_some()), (gains, loses), "{change:?}");
            assert_eq!(change.actions, [action]);
        }
    };
    let (a, b, all) = (allow("s3:Get*", "arn:aws:s3:::a"), allow("s3:*", "arn:aws:s3:::b"), allow("s3:*", "*"));
    let deny = json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*"});
    check(a.clone(), a.clone(), "s3:GetObject", Some(Fate::Unchanged));
    check(a.clone(), a.clone(), "s3:PutObject", None);
    check(a.clone(), all.clone(), "s3:GetObject", Some(Fate::Gained));
    check(a.clone(), all.clone(), "s3:PutObject", Some(Fate::Gained));
    check(all.clone(), a.clone(), "s3:GetObject", Some(Fate::Narrowed));
    check(all.clone(), a.clone(), "s3:PutObject", Some(Fate::Gone));
    check(a.clone(), b, "s3:GetObject", Some(Fate::Exchanged));
    check(all.clone(), json!([all, deny]), "s3:GetObject", Some(Fate::Gone));
    check(json!([all, deny]), deny.clone(), "s3:GetObject", None);
    check(deny, json!([all]), "s3:GetObject", Some(Fate::Gained));
    check(allow("s3:GetObject", "*"), allow("s3:Get*", "*"), "s3:GetObject", Some(Fate::Unchanged));
    // Beyond the prover either way round: a key that need not be there stands for one of two values.
    let tested = |condition: Json| [read(json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}]))];
    let wide = tested(json!({"StringEquals": {"k": ["${v}", "x"]}}));
    let narrow = tested(json!({"StringEquals": {"k": ["${v}", "x"]}, "Null": {"v": "false"}}));
    for (old, new) in [(&narrow, &wide), (&wide, &narrow)] {
        let changes = compare(old, new, &["s3:GetObject".to_owned()], &Budget::default());
        assert_eq!(changes[0].fate, Fate::Undecided, "{changes:?}");
        assert!(changes[0].doubt.starts_with("not modelled exactly"), "{changes:?}");
    }
    let names = ["s3:GetObject", "s3:GetBucketAcl", "s3:PutObject"].map(str::to_owned);
    let grouped = compare(&[read(allow("s3:*", "*"))], &[read(a)], &names, &Budget::default());
    assert_eq!(
        grouped.iter().map(|change| change.actions.len()).collect::<Vec<_>>(),
        [1, 2],
        "one question for what the same statements match"
    );
}
