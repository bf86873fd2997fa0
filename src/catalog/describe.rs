//! What is known of an action, an event, a feature or a region, in one value that can be printed or serialised.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Catalog;
use super::coverage::Visibility;
use super::description::{
    ActionDescription, BucketKindDescription, EventDescription, FeatureDescription, Need, NeededBy, RegionBucket,
    RegionDescription, ResourceType, UnknownName,
};
use super::events::Mapping;
use super::features::{FeatureNeed, On, Place, SignRule};
use crate::iam::Action;

impl Catalog {
    /// What is known of an action, `service:Name` in any case.
    ///
    /// # Errors
    /// When the reference does not know it.
    pub fn describe_action(&self, name: &str) -> Result<ActionDescription, UnknownName> {
        let known = Action::parse(name).and_then(|a| Some((self.reference.service(a.service())?, self.canonical(&a))));
        let Some((service, action)) = known else { return Err(self.unknown_action(name)) };
        let Some(facts) = service.action(action.name()) else { return Err(self.unknown_action(name)) };
        let resource_types = facts.types.iter().map(|(kind, required)| ResourceType {
            name: kind.clone(),
            arn: service.types.get(kind).map(|format| format.text().to_owned()).unwrap_or_default(),
            required: *required,
        });
        let cloudtrail = self.visibility(&action);
        let hidden = matches!(cloudtrail, Visibility::Blind { .. });
        Ok(ActionDescription {
            action: action.as_str().to_owned(),
            service: service.name.clone(),
            access_level: facts.level.clone(),
            resource_types: resource_types.collect(),
            condition_keys: facts.keys.clone(),
            selector: selector(&cloudtrail),
            events: if hidden { Vec::new() } else { self.events_of(&action) },
            features: self.needed_by(&action),
            cloudtrail,
            source: self.reference.source.clone(),
            date: self.reference.date.clone(),
        })
    }

    /// What is known of an event, `source:name`; a source without a dot is one of `amazonaws.com`.
    ///
    /// # Errors
    /// When the catalogue cannot map it.
    pub fn describe_event(&self, name: &str) -> Result<EventDescription, UnknownName> {
        let (source, event) = name.split_once(':').unwrap_or(("", name));
        let source = if source.contains('.') { source.to_owned() } else { format!("{source}.amazonaws.com") };
        let key = format!("{source}:{event}");
        let (actions, choose, no_permission) = match self.map_event(&source, event) {
            Mapping::Actions(actions, choose) => (actions.iter().map(|a| a.as_str().to_owned()).collect(), choose, None),
            Mapping::None(reason) => (Vec::new(), None, Some(reason)),
            Mapping::Unknown => return Err(self.unknown_event(name, &source, event)),
        };
        let listed = self.events.events.get(&key).map(|facts| facts.confidence.clone());
        let basis = listed.as_ref().and_then(|c| self.events.confidences.get(c)).cloned();
        Ok(EventDescription {
            event: key,
            actions,
            choose,
            no_permission,
            confidence: listed.unwrap_or_else(|| "same name".to_owned()),
            basis: basis.unwrap_or_else(|| format!("the action has the event's name; {}", self.reference.source)),
            date: self.events.date.clone(),
        })
    }

    /// What is known of a feature.
    ///
    /// # Errors
    /// When there is no such feature.
    pub fn describe_feature(&self, name: &str) -> Result<FeatureDescription, UnknownName> {
        let known = self.features().iter().map(|f| f.name.clone());
        let feature = self.feature(&name.to_ascii_lowercase()).ok_or_else(|| UnknownName {
            what: "a feature",
            name: name.to_owned(),
            near: near(name, known),
        })?;
        let need = |n: &FeatureNeed| {
            let cloudtrail = Action::parse(&n.action).map_or(Visibility::Management, |a| self.visibility(&a));
            Need { action: n.action.clone(), on: on(&n.on), why: n.why.clone(), cloudtrail }
        };
        Ok(FeatureDescription {
            name: feature.name.clone(),
            title: feature.title.clone(),
            through_agent: feature.through_agent,
            signs: feature.signs.iter().map(sign).collect(),
            needs: feature.needs.iter().map(need).collect(),
            buckets: self.kinds(|k| k.features.contains(&feature.name)),
            source: feature.source.clone(),
            date: self.features.date.clone(),
        })
    }

    /// What is known of a region. Regions that the table of buckets does not list are known as far as their partition.
    ///
    /// # Errors
    /// When the table does not list it and it is in the partition `aws`, where the table is complete.
    pub fn describe_region(&self, name: &str) -> Result<RegionDescription, UnknownName> {
        let region = name.to_ascii_lowercase();
        let listed = self.buckets.regions.contains_key(&region);
        if !listed && self.partition(&region) == "aws" {
            let known = self.buckets.regions.keys().cloned();
            return Err(UnknownName { what: "a region", name: name.to_owned(), near: near(name, known) });
        }
        let (mut buckets, mut unknown_buckets) = (Vec::new(), Vec::new());
        for kind in &self.buckets.buckets {
            if !kind.only_regions.is_empty() && !kind.only_regions.contains(&region) {
                continue;
            }
            match self.bucket_name(kind, &region) {
                Some(name) => {
                    buckets.push(RegionBucket {
                        kind: kind.id.clone(),
                        region: region.clone(),
                        name,
                        features: kind.features.clone(),
                    });
                }
                None => unknown_buckets.push(kind.id.clone()),
            }
        }
        let legacy = &self.features.legacy_channel;
        Ok(RegionDescription {
            partition: self.partition(&region).to_owned(),
            buckets,
            unknown_buckets,
            legacy_channel: !legacy.regions_without.contains(&region),
            legacy_channel_source: legacy.source.clone(),
            source: self.buckets.source.clone(),
            date: self.buckets.date.clone(),
            region,
        })
    }

    /// The buckets of a feature, of a kind, or of a bucket's name, in every region.
    ///
    /// # Errors
    /// When the name is none of these.
    pub fn describe_buckets(&self, name: &str) -> Result<Vec<RegionBucket>, UnknownName> {
        let mut rows = Vec::new();
        for region in self.buckets.regions.keys() {
            for bucket in self.describe_region(region)?.buckets {
                if bucket.kind == name || bucket.name == name || bucket.features.iter().any(|f| f == name) {
                    rows.push(bucket);
                }
            }
        }
        if rows.is_empty() {
            let kinds = self.buckets.buckets.iter().flat_map(|k| k.features.iter().chain([&k.id])).cloned();
            return Err(UnknownName {
                what: "a feature with buckets, a kind of bucket or a bucket",
                name: name.to_owned(),
                near: near(name, kinds),
            });
        }
        Ok(rows)
    }

    fn kinds(&self, fits: impl Fn(&super::buckets::BucketKind) -> bool) -> Vec<BucketKindDescription> {
        let kinds = self.buckets.buckets.iter().filter(|k| fits(k)).cloned();
        kinds
            .map(|k| BucketKindDescription {
                kind: k.id,
                status: k.status,
                name: k.name,
                features: k.features,
                platforms: k.platforms,
                only_regions: k.only_regions,
                source: k.source,
            })
            .collect()
    }

    /// The events whose calls need an action.
    fn events_of(&self, action: &Action) -> Vec<String> {
        let needs = |name: &String| Action::parse(name).as_ref() == Some(action);
        let exceptions =
            self.events.events.iter().filter(|(_, facts)| facts.actions.iter().any(needs)).map(|(key, _)| key.clone());
        let listed = self.events.sources.iter().filter(|(_, s)| s.services.iter().any(|p| p == action.service()));
        let mut sources: Vec<String> = listed.map(|(source, _)| source.clone()).collect();
        if sources.is_empty() {
            sources.push(format!("{}.amazonaws.com", action.service()));
        }
        let maps = |source: &String| matches!(self.map_event(source, action.name()), Mapping::Actions(actions, _) if actions.contains(action));
        let plain = sources.iter().filter(|s| maps(s)).map(|s| format!("{s}:{}", action.name()));
        plain.chain(exceptions).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn needed_by(&self, action: &Action) -> Vec<NeededBy> {
        let needs = self.features().iter().flat_map(|f| f.needs.iter().map(move |n| (f, n)));
        let named = needs.filter(|(_, n)| Action::parse(&n.action).as_ref() == Some(action));
        let mut all: Vec<NeededBy> =
            named.map(|(f, n)| (f.name.clone(), on(&n.on), n.why.clone(), f.source.clone())).map(NeededBy::of).collect();
        let legacy = &self.features.legacy_channel;
        if legacy.actions.iter().any(|a| Action::parse(a).as_ref() == Some(action)) {
            all.push(NeededBy::of(("agent".to_owned(), on(&On::Any), legacy.why.clone(), legacy.source.clone())));
        }
        all
    }

    fn unknown_action(&self, name: &str) -> UnknownName {
        let (prefix, bare) = name.split_once(':').unwrap_or(("", name));
        let candidates: Vec<String> = match self.reference.service(prefix) {
            Some(service) => service.actions.iter().map(|a| format!("{}:{}", service.prefix, a.name)).collect(),
            None => {
                let same = self.reference.services().filter_map(|p| self.reference.service(p));
                let same = same.filter_map(|s| Some(format!("{}:{}", s.prefix, s.action(bare)?.name)));
                let found: Vec<String> = same.collect();
                if found.is_empty() { self.alike_anywhere(bare) } else { found }
            }
        };
        let like = if prefix.is_empty() { format!("ssm:{bare}") } else { name.to_owned() };
        UnknownName { what: "an action", name: name.to_owned(), near: near(&like, candidates) }
    }

    /// The actions of any service whose name is like this one.
    fn alike_anywhere(&self, name: &str) -> Vec<String> {
        let services = || self.reference.services().filter_map(|p| self.reference.service(p));
        let names = services().flat_map(|s| s.actions.iter().map(|a| a.name.clone()));
        let alike = near(name, names);
        let owned = services().flat_map(|s| s.actions.iter().map(move |a| (s, a))).filter(|(_, a)| alike.contains(&a.name));
        owned.map(|(s, a)| format!("{}:{}", s.prefix, a.name)).collect()
    }

    fn unknown_event(&self, name: &str, source: &str, event: &str) -> UnknownName {
        let prefixes = self.prefixes(source);
        let services = prefixes.iter().filter_map(|p| self.reference.service(p));
        let plain = services.flat_map(|s| s.actions.iter().map(|a| format!("{source}:{}", a.name)));
        let listed = self.events.events.keys().filter(|k| k.starts_with(source) || k.ends_with(&format!(":{event}"))).cloned();
        UnknownName { what: "an event", name: name.to_owned(), near: near(&format!("{source}:{event}"), plain.chain(listed)) }
    }
}

/// The names that are most like a name, at most five.
fn near(name: &str, known: impl IntoIterator<Item = String>) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let known: BTreeSet<String> = known.into_iter().collect();
    let like = |k: &String| strsim::normalized_damerau_levenshtein(&name, &k.to_ascii_lowercase());
    let mut scored: Vec<(f64, String)> = known.into_iter().map(|k| (like(&k), k)).filter(|(score, _)| *score > 0.5).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.into_iter().take(5).map(|(_, k)| k).collect()
}

/// The advanced event selector that shows an action.
///
/// Source: AWS CloudTrail API Reference, AdvancedEventSelector.
fn selector(visibility: &Visibility) -> Option<Value> {
    let field = |name: &str, value: &str| json!({"Field": name, "Equals": [value]});
    let fields = match visibility {
        Visibility::Management => vec![field("eventCategory", "Management")],
        Visibility::Data { kind, .. } => vec![field("eventCategory", "Data"), field("resources.type", kind)],
        Visibility::Blind { .. } => return None,
    };
    Some(json!({"FieldSelectors": fields}))
}

fn on(place: &On) -> String {
    let text = match place {
        On::Any => "*",
        On::Instance => "the instances",
        On::Associations => "the account's associations",
        On::Document(name) => return format!("the document {name}"),
        On::Buckets => "the service's buckets of the region",
        On::OutputObjects => "the objects of the output",
        On::OutputBucket => "the bucket of the output",
        On::LogGroup => "the log group of the output",
        On::LogStreams => "the streams of that log group",
        On::GivenDocument => "the documents seen or named with `--need`",
        On::GivenParameter => "the parameters seen or named with `--need`",
        On::GivenDirectory => "the directories seen or named with `--need`",
    };
    text.to_owned()
}

fn sign(rule: &SignRule) -> String {
    let agent = if rule.by_agent { "'s agent" } else { "" };
    let mut text = match (&rule.instance, &rule.operator) {
        (Some(action), _) => format!("the instance{agent} uses {action}"),
        (None, Some(event)) => format!("somebody calls {event} on the instance"),
        (None, None) => String::new(),
    };
    if !rule.documents.is_empty() {
        text.push_str(&format!(" with {}", rule.documents.join(" or ")));
    }
    if let Some(place) = rule.names {
        text.push_str(match place {
            Place::SessionLog => ", naming the log of a session",
            Place::OutputBucket => ", naming a bucket for output",
            Place::OutputLogGroup => ", naming a log group for output",
            Place::CheckedBucket => ", naming a bucket that it writes to next",
            Place::CommandOutput => ", naming an object below the ids of a command and of the instance",
        });
    }
    text
}
