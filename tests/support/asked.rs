//! A role of an instance, asked about: what the passes are given.

use std::collections::{BTreeMap, BTreeSet};

use policyc::derive::{Baseline, Question};
use policyc::iam::{Action, Pattern, Policy};
use policyc::ledger::{Evidence, Ledger, Origin, Outcome, Session, SourceId, Use};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const INSTANCE: &str = "i-0123456789abcdef0";

/// What to derive inside a baseline.
pub(crate) fn question(document: &[u8]) -> Question {
    let baseline = Baseline {
        name: "baseline".to_owned(),
        version: String::new(),
        sha256: String::new(),
        bytes: document.to_vec(),
        policy: Policy::parse(document).unwrap(),
    };
    Question {
        partition: "aws".to_owned(),
        account: ACCOUNT.to_owned(),
        region: "eu-west-1".to_owned(),
        role: "role".to_owned(),
        instances: BTreeSet::new(),
        silent: BTreeSet::new(),
        needs: BTreeMap::new(),
        addresses: Vec::new(),
        masked: BTreeSet::new(),
        endpoints: BTreeSet::new(),
        names: BTreeMap::new(),
        allow_shared_role: false,
        baseline,
        kept: Vec::new(),
        boundary: None,
        limit: 6_144,
    }
}

/// Each use once, at the same time.
pub(crate) fn ledger(uses: &[Use]) -> Ledger {
    let mut ledger = Ledger::default();
    for (n, used) in uses.iter().enumerate() {
        let evidence = Evidence::of("2026-09-01T00:00:00Z", &format!("e{n}"), &SourceId("0000000000000000".to_owned()));
        ledger.uses.insert(used.clone(), evidence);
    }
    ledger
}

/// A call of the instance's, to be changed.
pub(crate) fn sample() -> Use {
    Use {
        session: Session { account: ACCOUNT.to_owned(), role: "role".to_owned(), name: INSTANCE.to_owned(), ec2_delivered: true },
        action: Action::parse("s3:GetObject").unwrap(),
        resource: Pattern::any(),
        resource_known: true,
        region: "eu-west-1".to_owned(),
        outcome: Outcome::Succeeded,
        origin: Origin::Address("203.0.113.7".to_owned()),
        context: BTreeMap::new(),
        by_agent: false,
    }
}
