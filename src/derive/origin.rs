//! Where a call came from, weighed against what is known of the instance.
//!
//! VPC endpoint ids and the stack's own addresses count first. Heartbeats of the SSM agent count after them, because
//! whoever holds the credentials can send them. An address is *contradicted* when the instance's heartbeats name
//! another one, and *unattributed* when nothing contradicts it and nothing vouches for it. Of an instance whose agent never reports
//! nothing is known: its calls count, and a note says so.

use std::collections::{BTreeMap, BTreeSet};

use super::Question;
use crate::finding::{Code, Finding};
use crate::ledger::address::Address;
use crate::ledger::{Evidence, Ledger, Origin, Session, Use};

/// What is made of an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is the instance's own, or there is no reason to doubt it.
    Own,
    /// It contradicts what is known of the instance.
    Elsewhere(String),
    /// Nothing contradicts it and nothing vouches for it.
    Unattributed,
}

/// The addresses of one instance, from its agent's heartbeats.
#[derive(Debug, Clone, Default)]
struct Known {
    own: BTreeSet<Address>,
    contested: BTreeSet<Address>,
    endpoints: BTreeSet<String>,
    endpoint_accounts: BTreeSet<String>,
}

/// All that is known of where the instances are.
#[derive(Debug, Clone, Default)]
pub struct Addresses<'a> {
    by_session: BTreeMap<&'a str, Known>,
    operators: BTreeSet<Address>,
    judged: bool,
    /// Findings about the heartbeats themselves.
    pub findings: Vec<Finding>,
}

impl<'a> Addresses<'a> {
    /// Learns the addresses of the sessions that are in scope.
    #[must_use]
    pub fn learn(question: &Question, ledger: &'a Ledger, counts: impl Fn(&Session) -> bool) -> Self {
        let mut spans: BTreeMap<&str, BTreeMap<Address, Span<'_>>> = BTreeMap::new();
        let mut all =
            Self { operators: ledger.operator_addresses.iter().filter_map(|a| Address::parse(a)).collect(), ..Self::default() };
        for (used, evidence) in &ledger.uses {
            if !counts(&used.session) || !is_heartbeat(used) {
                continue;
            }
            let known = all.by_session.entry(&used.session.name).or_default();
            match &used.origin {
                Origin::Endpoint { id, account, .. } => {
                    known.endpoints.insert(id.clone());
                    known.endpoint_accounts.insert(account.clone());
                }
                Origin::Address(text) => {
                    if let Some(address) = Address::parse(text) {
                        widen(spans.entry(&used.session.name).or_default(), address, evidence);
                    }
                }
                Origin::Service(_) | Origin::Other(_) => {}
            }
        }
        for (session, addresses) in spans {
            let (own, contested) = split(&addresses, |a| vouched(question, a));
            if !contested.is_empty() {
                all.findings.push(overlap(session, &own, &contested));
            }
            let known = all.by_session.entry(session).or_default();
            known.own = own;
            known.contested = contested;
        }
        all.judged = !(all.by_session.is_empty() && question.addresses.is_empty() && question.masked.is_empty());
        all
    }

    /// Whether anything is known to judge by.
    #[must_use]
    pub fn judged(&self) -> bool {
        self.judged
    }

    /// Weighs where a call of a session came from.
    #[must_use]
    pub fn judge(&self, question: &Question, session: &Session, origin: &Origin) -> Judgement {
        match origin {
            Origin::Service(_) | Origin::Other(_) => Judgement::Own,
            Origin::Endpoint { id, account, .. } => self.judge_endpoint(question, session, id, account),
            Origin::Address(text) => {
                Address::parse(text).map_or(Judgement::Own, |address| self.judge_address(question, session, &address))
            }
        }
    }

    /// Whether nothing is known by which the origin of a use could be judged: no agent of its instance ever reported.
    #[must_use]
    pub fn unknown(&self, question: &Question, used: &Use) -> bool {
        let strange = |address: &Address| !self.is_shared(address) && !vouched(question, address);
        !self.by_session.contains_key(used.session.name.as_str())
            && matches!(&used.origin, Origin::Address(text) if Address::parse(text).is_some_and(|a| strange(&a)))
    }

    /// Whether some instance of the role reports from an address.
    fn is_shared(&self, address: &Address) -> bool {
        self.by_session.values().any(|known| known.own.contains(address))
    }

    fn judge_endpoint(&self, question: &Question, session: &Session, id: &str, account: &str) -> Judgement {
        if question.endpoints.contains(id) || account.is_empty() || account == question.account {
            return Judgement::Own;
        }
        let known = self.by_session.get(session.name.as_str());
        if known.is_some_and(|k| k.endpoints.contains(id) || k.endpoint_accounts.contains(account)) {
            return Judgement::Own;
        }
        Judgement::Elsewhere(format!(
            "through the VPC endpoint {id} of another account, {account}, from which its agent never reported"
        ))
    }

    fn judge_address(&self, question: &Question, session: &Session, address: &Address) -> Judgement {
        if vouched(question, address) {
            return Judgement::Own;
        }
        let known = self.by_session.get(session.name.as_str());
        if known.is_some_and(|k| k.own.contains(address)) {
            return Judgement::Own;
        }
        if known.is_some_and(|k| k.contested.contains(address)) {
            return Judgement::Elsewhere(format!("from {address}, a second address at the same time as the instance's own"));
        }
        if self.operators.contains(address) {
            return Judgement::Elsewhere(format!("from {address}, where a person works and no agent reported from"));
        }
        let same_family = |a: &Address| a.is_ipv4() == address.is_ipv4();
        match known.and_then(|k| k.own.iter().find(|a| same_family(a))) {
            Some(own) => Judgement::Elsewhere(format!("from {address}, while its agent reported from {own}")),
            None if !(question.addresses.is_empty() && question.masked.is_empty()) => {
                Judgement::Elsewhere(format!("from {address}, outside the given address ranges"))
            }
            // Another instance of the role reports from there, as behind one NAT gateway.
            None if self.is_shared(address) => Judgement::Own,
            None if known.is_some() => Judgement::Unattributed,
            None => Judgement::Own,
        }
    }
}

fn vouched(question: &Question, address: &Address) -> bool {
    match address {
        Address::Plain(plain) => question.addresses.iter().any(|range| range.contains(plain)),
        Address::Masked { .. } => question.masked.contains(address),
    }
}

fn is_heartbeat(used: &Use) -> bool {
    used.by_agent && used.outcome.authorised() && used.action.as_str().eq_ignore_ascii_case("ssm:UpdateInstanceInformation")
}

/// When heartbeats came from an address.
#[derive(Debug, Clone)]
struct Span<'a> {
    first: &'a str,
    /// Of heartbeats in the same second the event id decides, which unlike the address is the same in every recording.
    event: &'a str,
    last: &'a str,
}

fn widen<'a>(spans: &mut BTreeMap<Address, Span<'a>>, address: Address, evidence: &'a Evidence) {
    let event = evidence.samples.first().map_or("", |(_, id)| id.as_str());
    let new = Span { first: &evidence.first, event, last: &evidence.last };
    let span = spans.entry(address).or_insert_with(|| new.clone());
    (span.first, span.event) = (span.first, span.event).min((new.first, new.event));
    span.last = span.last.max(new.last);
}

/// Tells an address that followed another (the instance was restarted) from one that was in use at the same time
/// (somebody else reports in its name). Whoever was there first is the instance.
fn split(spans: &BTreeMap<Address, Span<'_>>, vouched: impl Fn(&Address) -> bool) -> (BTreeSet<Address>, BTreeSet<Address>) {
    let mut order: Vec<_> = spans.iter().map(|(a, span)| (!vouched(a), span.first, span.event, span.last, a.clone())).collect();
    order.sort();
    let (mut own, mut contested) = (BTreeSet::new(), BTreeSet::new());
    let mut until: BTreeMap<bool, &str> = BTreeMap::new(); // IPv4 and IPv6 live beside each other
    for (stranger, first, _, last, address) in order {
        let clash = until.get(&address.is_ipv4()).is_some_and(|held| first <= *held);
        if stranger && clash {
            contested.insert(address);
        } else {
            let held = until.entry(address.is_ipv4()).or_insert(last);
            *held = (*held).max(last);
            own.insert(address);
        }
    }
    (own, contested)
}

fn overlap(session: &str, own: &BTreeSet<Address>, contested: &BTreeSet<Address>) -> Finding {
    let list = |set: &BTreeSet<Address>| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let message = format!("the agent of `{session}` reported from {} and at the same time from {}", list(own), list(contested));
    Finding::new(Code::HeartbeatsOverlap, message)
        .advise("calls from the later address grant nothing; if both are the instance's own, name them with `--address`")
}
