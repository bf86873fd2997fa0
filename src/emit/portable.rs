//! Making a policy independent of the account, region and partition it was derived in.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::template::Value;

use super::mapping::RegionalName;
use super::references::References;

/// A resource of the same template whose name may occur in the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The service of the ARNs that hold the name, such as `s3`.
    pub service: String,
    /// What stands before the name in the resource part of those ARNs, such as `log-group:`; empty for buckets.
    pub before: String,
    /// The physical name.
    pub name: String,
    /// The logical id of the resource or the parameter that holds the name.
    pub id: String,
    /// The attribute that gives the name; nothing where `Ref` does.
    pub attribute: Option<String>,
}

/// What becomes what.
#[derive(Debug, Clone, Default)]
pub struct Substitutions<'a> {
    /// The partition that becomes `AWS::Partition`.
    pub partition: String,
    /// The region that becomes `AWS::Region`.
    pub region: String,
    /// The account that becomes `AWS::AccountId`.
    pub account: String,
    /// Resources of the template.
    pub names: Vec<Named>,
    /// Names (of this region) that exist in every region with that region in them.
    pub follows_region: BTreeSet<String>,
    /// Names that exist in every region, but not by that rule.
    pub by_region: Vec<RegionalName>,
    /// The `Mappings` entry that they are looked up in ([`super::mapping::map_name`]).
    pub map: String,
    /// The references of the template and the logical id of the role: a reference must not close a cycle.
    pub cycles: Option<(&'a References, &'a str)>,
    /// The logical ids of what has to wait for the policy: a reference to what needs one of them closes a cycle too.
    pub waiting: Vec<String>,
}

/// A portable policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portable {
    /// The policy document, references in it.
    pub section: Value,
    /// The names that it looks up in the map of the role, and that the template has to have.
    pub regional: Vec<RegionalName>,
    /// What stayed as it was, and why.
    pub notes: BTreeSet<PortableNote>,
}

/// Why something in a policy stays literal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortableNote {
    /// The region is part of a name that is not known to exist in every region.
    RegionInName {
        /// The text that stays.
        text: String,
    },
    /// A reference would close a dependency cycle.
    Cycle {
        /// The name that stays.
        name: String,
        /// The logical id it belongs to.
        id: String,
    },
}

/// A piece of a text that is being made portable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `Ref`, or `Fn::GetAtt` where the name has a dot.
    Name(String),
    Find {
        map: String,
        key: String,
    },
}

/// Makes a policy portable: in ARNs, partition, region and account become pseudo parameters and the names of the
/// template's resources become references; account ids standing alone become `AWS::AccountId`.
///
/// `policy` is plain JSON; nothing in it is taken for an intrinsic function.
#[must_use]
pub fn portable(policy: &Json, substitutions: &Substitutions<'_>) -> Portable {
    let mut work = Work { with: substitutions, looked_up: BTreeSet::new(), notes: BTreeSet::new() };
    let section = work.value(policy, "");
    let regional = substitutions.by_region.iter().filter(|table| work.looked_up.contains(&table.key)).cloned().collect();
    Portable { section, regional, notes: work.notes }
}

struct Work<'a> {
    with: &'a Substitutions<'a>,
    looked_up: BTreeSet<String>,
    notes: BTreeSet<PortableNote>,
}

impl Work<'_> {
    fn value(&mut self, json: &Json, key: &str) -> Value {
        match json {
            Json::String(text) => self.text(text, key),
            Json::Array(items) => Value::list(items.iter().map(|item| self.value(item, key))),
            Json::Object(entries) => Value::map(entries.iter().map(|(key, value)| (key.clone(), self.value(value, key)))),
            Json::Null | Json::Bool(_) | Json::Number(_) => Value::from_json(json),
        }
    }

    fn text(&mut self, text: &str, key: &str) -> Value {
        let with = self.with;
        if !with.account.is_empty() && text == with.account {
            return Value::tagged("Ref", Value::text("AWS::AccountId"));
        }
        if !with.region.is_empty() && text == with.region && key.eq_ignore_ascii_case("aws:RequestedRegion") {
            return Value::tagged("Ref", Value::text("AWS::Region"));
        }
        if let Some(parts) = self.arn(text) {
            return compose(parts);
        }
        if key.to_ascii_lowercase().ends_with(":viaservice") {
            // `service.REGION.amazonaws.com` (AWS KMS condition keys, kms:ViaService).
            let mut labels = text.splitn(3, '.');
            if let (Some(service), Some(region), Some(suffix)) = (labels.next(), labels.next(), labels.next())
                && region == with.region
            {
                let region = Part::Name("AWS::Region".to_owned());
                return compose(vec![Part::Text(format!("{service}.")), region, Part::Text(format!(".{suffix}"))]);
            }
        }
        Value::text(text)
    }

    fn arn(&mut self, text: &str) -> Option<Vec<Part>> {
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, resource] = fields.as_slice() else { return None };
        if *arn != "arn" {
            return None;
        }
        let with = self.with;
        let mut parts = vec![Part::Text("arn:".to_owned())];
        for (field, own, name) in [
            (partition, with.partition.as_str(), "AWS::Partition"),
            (service, "", ""),
            (region, with.region.as_str(), "AWS::Region"),
            (account, with.account.as_str(), "AWS::AccountId"),
        ] {
            let same = !own.is_empty() && *field == own;
            parts.push(if same { Part::Name(name.to_owned()) } else { Part::Text((*field).to_owned()) });
            parts.push(Part::Text(":".to_owned()));
        }
        parts.extend(self.resource(service, resource));
        Some(parts)
    }

    fn resource(&mut self, service: &str, resource: &str) -> Vec<Part> {
        let found = self.with.names.iter().filter(|named| named.service == service);
        // The longest name first: one may be the beginning of another.
        let best = found
            .filter_map(|named| {
                let rest = resource.strip_prefix(named.before.as_str())?.strip_prefix(named.name.as_str())?;
                (rest.is_empty() || rest.starts_with(['/', ':'])).then_some((named, rest))
            })
            .max_by_key(|(named, _)| (named.before.len() + named.name.len(), std::cmp::Reverse(*named)));
        if let Some((named, rest)) = best {
            let waiting = || self.with.waiting.iter().map(String::as_str);
            let closes = self.with.cycles.is_some_and(|(references, role)| {
                std::iter::once(role).chain(waiting()).any(|target| references.reaches(&named.id, target))
            });
            if !closes {
                let name = named.attribute.as_ref().map_or(named.id.clone(), |attribute| format!("{}.{attribute}", named.id));
                let mut parts = vec![Part::Text(named.before.clone()), Part::Name(name)];
                parts.extend(self.names(rest));
                return parts;
            }
            self.notes.insert(PortableNote::Cycle { name: named.name.clone(), id: named.id.clone() });
        }
        if let Some((name, rest)) = split_name(resource).filter(|(name, _)| self.holds_region(name)) {
            let find = self.with.by_region.iter().find(|table| table.names.get(&self.with.region).is_some_and(|n| n == name));
            if let Some(table) = find {
                self.looked_up.insert(table.key.clone());
                let mut parts = vec![Part::Find { map: self.with.map.clone(), key: table.key.clone() }];
                parts.extend(self.names(rest));
                return parts;
            }
        }
        self.names(resource)
    }

    fn holds_region(&self, text: &str) -> bool {
        !self.with.region.is_empty() && tokens(text, &self.with.region).next().is_some()
    }

    /// Region and account inside names.
    fn names(&mut self, text: &str) -> Vec<Part> {
        let with = self.with;
        let mut parts = Vec::new();
        let mut done = 0;
        let follows = with.follows_region.iter().any(|name| split_name(text).is_some_and(|(first, _)| first == name));
        let mut cuts: Vec<(usize, &str, &str)> = Vec::new();
        if !with.account.is_empty() {
            cuts.extend(tokens(text, &with.account).map(|at| (at, with.account.as_str(), "AWS::AccountId")));
        }
        if self.holds_region(text) {
            if follows {
                cuts.extend(tokens(text, &with.region).map(|at| (at, with.region.as_str(), "AWS::Region")));
            } else {
                self.notes.insert(PortableNote::RegionInName { text: text.to_owned() });
            }
        }
        cuts.sort_unstable();
        for (at, own, name) in cuts {
            parts.push(Part::Text(text.get(done..at).unwrap_or("").to_owned()));
            parts.push(Part::Name(name.to_owned()));
            done = at + own.len();
        }
        parts.push(Part::Text(text.get(done..).unwrap_or("").to_owned()));
        parts
    }
}

/// The first name of a resource part, and the rest from its slash or colon on.
fn split_name(resource: &str) -> Option<(&str, &str)> {
    let end = resource.find(['/', ':']).unwrap_or(resource.len());
    (end > 0).then(|| resource.split_at(end))
}

/// Where a word occurs in a text with no letter or digit beside it.
fn tokens<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> {
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// A text of parts, in the simplest function that says it. IAM's own `${…}` never goes through `Fn::Sub`: texts with
/// such a variable are joined.
fn compose(parts: Vec<Part>) -> Value {
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        match (joined.last_mut(), part) {
            (_, Part::Text(text)) if text.is_empty() => {}
            (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
            (_, part) => joined.push(part),
        }
    }
    let literal = |part: &Part| matches!(part, Part::Text(text) if text.contains("${"));
    match joined.as_slice() {
        [] => return Value::text(""),
        [Part::Text(text)] => return Value::text(text),
        [part @ (Part::Name(_) | Part::Find { .. })] => return function(part),
        _ => {}
    }
    if joined.iter().any(literal) {
        let list = Value::list(joined.iter().map(function));
        return Value::tagged("Join", Value::list([Value::text(""), list]));
    }
    let mut text = String::new();
    let mut local = Vec::new();
    for part in &joined {
        match part {
            Part::Text(plain) => text.push_str(plain),
            Part::Name(name) => text.push_str(&format!("${{{name}}}")),
            Part::Find { key, .. } => {
                text.push_str(&format!("${{{key}}}"));
                local.push((key.clone(), function(part)));
            }
        }
    }
    if local.is_empty() {
        return Value::tagged("Sub", Value::text(text));
    }
    Value::tagged("Sub", Value::list([Value::text(text), Value::map(local)]))
}

fn function(part: &Part) -> Value {
    match part {
        Part::Text(text) => Value::text(text),
        Part::Name(name) => match name.split_once('.') {
            Some((id, attribute)) => Value::tagged("GetAtt", Value::list([Value::text(id), Value::text(attribute)])),
            None => Value::tagged("Ref", Value::text(name)),
        },
        Part::Find { map, key } => {
            let region = Value::tagged("Ref", Value::text("AWS::Region"));
            Value::tagged("FindInMap", Value::list([Value::text(map), region, Value::text(key)]))
        }
    }
}
