//! What a ledger may say in a repository: no address, and no name of a person's session.
//!
//! Each is replaced by a salted digest, so that what was equal stays equal. The salt comes from what only those know who can read
//! the account; whoever has the recording alone cannot try all addresses.
//!
//! INVARIANT (mask-same): a masked ledger grants whatever the ledger does. A resource that has a session's name in it is left a
//! literal only where the folder is opened anyway; else a `*` takes the name's place.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::address::Address;
use super::{Bare, Evidence, Ledger, Origin, Session, Sign, Target, Use};
use crate::iam::Pattern;

/// The salt of one recording.
#[derive(Debug, Clone)]
pub struct Mask {
    salt: [u8; 32],
}

impl Mask {
    /// A salt from texts that are no secret within the account and not known outside of it, in any order.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let sorted: BTreeSet<&str> = secrets.into_iter().collect();
        let mut hash = Sha256::new_with_prefix("policyc recording");
        for secret in sorted {
            hash.update((secret.len() as u64).to_be_bytes());
            hash.update(secret);
        }
        Self { salt: hash.finalize().into() }
    }

    /// Sixteen hexadecimal digits for a text.
    fn id(&self, kind: &str, text: &str) -> String {
        let mut hash = Sha256::new_with_prefix(self.salt);
        hash.update(kind);
        hash.update([0]);
        hash.update(text);
        hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect()
    }

    /// What stands for an address; anything else stays as it is.
    #[must_use]
    pub fn address(&self, text: &str) -> String {
        match Address::parse(text) {
            Some(Address::Plain(plain)) => {
                let masked = Address::Masked { v4: plain.is_ipv4(), id: self.id("address", &plain.to_string()) };
                masked.to_string()
            }
            _ => text.to_owned(),
        }
    }

    fn origin(&self, origin: Origin) -> Origin {
        match origin {
            Origin::Endpoint { id, account, address } => Origin::Endpoint { id, account, address: self.address(&address) },
            Origin::Address(address) => Origin::Address(self.address(&address)),
            other => other,
        }
    }

    /// The ledger without addresses.
    #[must_use]
    pub fn addresses(&self, ledger: Ledger) -> Ledger {
        Ledger {
            uses: mapped(ledger.uses, |used| Use { origin: self.origin(used.origin), ..used }),
            bare: mapped(ledger.bare, |call| Bare { origin: self.origin(call.origin), ..call }),
            heartbeats: mapped(ledger.heartbeats, |mut beat| {
                beat.origin = self.origin(beat.origin);
                beat
            }),
            operator_addresses: ledger.operator_addresses.iter().map(|a| self.address(a)).collect(),
            ..ledger
        }
    }

    /// The ledger without names of sessions that people gave: instances keep theirs.
    #[must_use]
    pub fn sessions(&self, ledger: Ledger) -> Ledger {
        let people = People::of(&ledger, self);
        let several = people.folders(&ledger);
        let session = |session: Session| {
            let name =
                if session.is_instance() { session.name } else { format!("session-{}", self.id("session", &session.name)) };
            Session { name, ..session }
        };
        Ledger {
            uses: mapped(ledger.uses, |used| {
                let resource = people.resource(&used, &several);
                Use { resource, session: session(used.session), ..used }
            }),
            bare: mapped(ledger.bare, |call| Bare { session: session(call.session), ..call }),
            heartbeats: mapped(ledger.heartbeats, |mut beat| {
                beat.session = session(beat.session);
                beat
            }),
            signs: mapped(ledger.signs, |sign| people.sign(sign)),
            ..ledger
        }
    }
}

fn mapped<K: Ord>(all: BTreeMap<K, Evidence>, change: impl Fn(K) -> K) -> BTreeMap<K, Evidence> {
    let mut found = BTreeMap::new();
    super::fold_all(&mut found, all.into_iter().map(|(key, evidence)| (change(key), evidence)));
    found
}

/// The characters behind the last `-` of a session's id.
///
/// Source: AWS Systems Manager API Reference, StartSession: the id of a session begins with the name of who started it.
fn split(id: &str) -> Option<(&str, &str)> {
    let (name, token) = id.rsplit_once('-')?;
    let is_token = matches!(token.len(), 17..=26) && token.bytes().all(|b| b.is_ascii_alphanumeric());
    (is_token && !name.is_empty() && name != "i").then_some((name, token))
}

/// Who started sessions, and what stands for each.
struct People {
    names: BTreeMap<String, String>,
}

/// A folder of resources as one session used it in one way. A derivation counts all these uses or none, whatever it thinks of
/// where they came from; uses of other sessions it may leave out.
type Folder = (Session, Origin, String, bool, String, String);

impl People {
    fn of(ledger: &Ledger, mask: &Mask) -> Self {
        let ids = ledger.signs.keys().filter_map(|sign| sign.details.get("session-id"));
        let of_sessions = ledger.uses.keys().filter_map(|used| used.resource.as_literal());
        let of_sessions = of_sessions.filter_map(|text| Some(text.rsplit_once(":session/")?.1.to_owned()));
        let all: BTreeSet<String> = ids.cloned().chain(of_sessions).collect();
        let named = all.iter().filter_map(|id| split(id)).map(|(name, _)| name);
        Self { names: named.map(|name| (name.to_owned(), format!("person-{}", mask.id("person", name)))).collect() }
    }

    /// A text that ends in a session's id, taken apart: what leads to the id, the name in it, what follows the name.
    fn find<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        let start = text.rfind(['/', ':']).map_or(0, |at| at + 1);
        let (lead, last) = text.split_at_checked(start)?;
        let stem = last.strip_suffix(".log").unwrap_or(last);
        let (name, _) = split(stem).filter(|(name, _)| self.names.contains_key(*name))?;
        Some((lead, name, last.get(name.len()..)?))
    }

    fn folder(used: &Use, lead: &str) -> Folder {
        let (session, origin) = (used.session.clone(), used.origin.clone());
        (session, origin, used.region.clone(), used.by_agent, used.action.to_string(), lead.to_owned())
    }

    /// The folders in which several names are, so that the names do not matter. The root of a bucket is none.
    fn folders(&self, ledger: &Ledger) -> BTreeSet<Folder> {
        let mut names: BTreeMap<Folder, BTreeSet<String>> = BTreeMap::new();
        for used in ledger.uses.keys().filter(|used| used.session.is_instance() && used.outcome.authorised()) {
            let Some(text) = used.resource.as_literal() else { continue };
            if let Some((lead, _, _)) = self.find(&text).filter(|(lead, _, _)| lead.matches('/').count() > 1) {
                names.entry(Self::folder(used, lead)).or_default().insert(text.clone());
            }
        }
        names.into_iter().filter(|(_, names)| names.len() > 1).map(|(folder, _)| folder).collect()
    }

    fn resource(&self, used: &Use, several: &BTreeSet<Folder>) -> Pattern {
        let Some(text) = used.resource.as_literal() else { return used.resource.clone() };
        let Some((lead, name, rest)) = self.find(&text) else { return used.resource.clone() };
        // Names of log streams are left open whatever they are: they live for a short time.
        let open = lead.ends_with(":log-stream:") || several.contains(&Self::folder(used, lead));
        match self.names.get(name).filter(|_| open) {
            Some(other) => Pattern::literal(&format!("{lead}{other}{rest}")),
            None => Pattern::literal(lead).then(&Pattern::any()).then(&Pattern::literal(rest)),
        }
    }

    fn id(&self, id: &str) -> String {
        let known = split(id).and_then(|(name, token)| Some((self.names.get(name)?, token)));
        known.map_or_else(|| id.to_owned(), |(name, token)| format!("{name}-{token}"))
    }

    fn sign(&self, mut sign: Sign) -> Sign {
        if let Some(id) = sign.details.get_mut("session-id") {
            *id = self.id(id);
        }
        if let Target::Selected(by) = &sign.target
            && let Some(id) = by.strip_prefix("session:")
        {
            sign.target = Target::Selected(format!("session:{}", self.id(id)));
        }
        sign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(session: &str, resource: &str, origin: Origin) -> Use {
        let (account, role) = ("111122223333".to_owned(), "web".to_owned());
        Use {
            session: Session { account, role, name: session.to_owned(), ec2_delivered: false },
            action: crate::iam::Action::parse("s3:PutObject").unwrap(),
            resource: Pattern::literal(resource),
            resource_known: true,
            region: "us-east-1".to_owned(),
            outcome: super::super::Outcome::Succeeded,
            origin,
            context: BTreeMap::new(),
            by_agent: true,
        }
    }

    const I: &str = "i-0123456789abcdef0";

    fn ledger(uses: &[(&str, &str)], ids: &[&str]) -> Ledger {
        let seen = || Evidence::of("2026-09-01T00:00:00Z", "e", &super::super::SourceId("0".to_owned()));
        let mut ledger = Ledger::default();
        for (session, resource) in uses {
            ledger.uses.insert(used(session, resource, Origin::Address("203.0.113.7".to_owned())), seen());
        }
        for id in ids {
            let details = BTreeMap::from([("session-id".to_owned(), (*id).to_owned())]);
            let (account, region, event) = ("111122223333".to_owned(), "us-east-1".to_owned(), "ssm:ResumeSession".to_owned());
            let target = Target::Selected(format!("session:{id}"));
            ledger.signs.insert(Sign { account, region, event, document: String::new(), target, details }, seen());
        }
        ledger
    }

    fn text(ledger: &Ledger) -> String {
        String::from_utf8(super::super::format::write(ledger)).unwrap()
    }

    #[test]
    fn nobody_is_named() {
        let mask = Mask::new(["secret"]);
        let (alice, bob) = ("alice-0123456789abcdef1", "bob-0123456789abcdef2");
        let at = |folder: &str, id: &str| format!("arn:aws:s3:::b/{folder}{id}.log");
        let names = [at("s/", alice), at("s/", bob), at("", alice), "arn:aws:s3:::b/s/i-0123456789abcdef0".to_owned()];
        let mut uses: Vec<(&str, &str)> = names.iter().map(|name| (I, name.as_str())).collect();
        uses.push(("alice", "arn:aws:s3:::b/x"));
        let masked = mask.sessions(ledger(&uses, &[alice, bob]));
        let text = text(&masked);
        assert!(!text.contains("alice") && !text.contains("bob"), "{text}");
        let resources: BTreeSet<String> = masked.uses.keys().map(|u| u.resource.to_string()).collect();
        assert!(resources.contains("arn:aws:s3:::b/*-0123456789abcdef1.log"), "at the root the name is left open: {resources:?}");
        assert!(resources.contains("arn:aws:s3:::b/s/i-0123456789abcdef0"), "{resources:?}");
        assert_eq!(resources.iter().filter(|r| r.contains("/s/person-")).count(), 2, "{resources:?}");
        for sign in masked.signs.keys() {
            assert_eq!(sign.target, Target::Selected(format!("session:{}", sign.details["session-id"])));
        }
    }

    /// A derivation may leave out what one of the instances did, and then the other's name is the only one.
    #[test]
    fn names_that_different_instances_used_are_left_open() {
        let at = |id: &str| format!("arn:aws:s3:::b/s/{id}.log");
        let (alice, bob) = ("alice-0123456789abcdef1", "bob-0123456789abcdef2");
        let (first, second) = (at(alice), at(bob));
        let masked = Mask::new(["secret"]).sessions(ledger(&[(I, &first), ("i-0123456789abcdef9", &second)], &[alice, bob]));
        let resources: Vec<String> = masked.uses.keys().map(|used| used.resource.to_string()).collect();
        assert_eq!(resources, ["arn:aws:s3:::b/s/*-0123456789abcdef1.log", "arn:aws:s3:::b/s/*-0123456789abcdef2.log"]);
    }

    #[test]
    fn equal_stays_equal_and_another_salt_is_another_mask() {
        let (one, other) = (Mask::new(["a", "b"]), Mask::new(["ab"]));
        assert_eq!(one.address("203.0.113.7"), Mask::new(["b", "a"]).address("203.0.113.7"));
        assert_ne!(one.address("203.0.113.7"), one.address("203.0.113.8"));
        assert_ne!(one.address("203.0.113.7"), other.address("203.0.113.7"));
        assert_eq!(one.address("s3.amazonaws.com"), "s3.amazonaws.com");
        assert_eq!(one.address(&one.address("203.0.113.7")), one.address("203.0.113.7"), "twice is once");
        let masked = one.addresses(ledger(&[(I, "arn:aws:s3:::b/x")], &[]));
        assert!(!text(&masked).contains("203.0.113"), "{}", text(&masked));
    }
}
