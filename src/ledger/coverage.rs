//! What a source of records shows.

use std::collections::{BTreeMap, BTreeSet};

use super::days::Days;
use super::selectors::{EventSelectors, Logged, LoggedRole};

/// What a source of records shows, or several throughout some days; see [`super::sources::Coverages`]. Without a declaration, management
/// events are assumed, and data events as far as they were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Coverage {
    /// CloudFormation-style resource types whose data events are shown, such as `AWS::S3::Object`.
    pub data: BTreeSet<String>,
    /// Types whose data events are shown on some resources only: how the ARNs of those begin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partly: BTreeMap<String, BTreeSet<String>>,
    /// Types whose data events were shown on some of the days only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sometimes: BTreeMap<String, Days>,
    /// Event sources whose management events the trail leaves out, such as `kms.amazonaws.com`.
    pub excluded: BTreeSet<String>,
    /// Management events that the source leaves out altogether.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hidden: BTreeSet<Hidden>,
    /// Whether somebody declared the coverage (`--coverage`) instead of it being inferred from what was seen.
    pub declared: bool,
}

/// A half of the management events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hidden {
    /// Those with `readOnly` true.
    ManagementReads,
    /// Those with `readOnly` false.
    ManagementWrites,
}

/// Why a coverage file cannot be used. Its author is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoverageError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// Neither kind of selectors is there.
    #[error("expected `EventSelectors` or `AdvancedEventSelectors`, as `aws cloudtrail get-event-selectors` prints them")]
    NoSelectors,
    /// A selector is not one.
    #[error("a selector cannot be read: {0}")]
    Selector(String),
}

impl Coverage {
    /// Whether data events of a type are shown on every resource whose ARN begins so.
    #[must_use]
    pub fn shows(&self, kind: &str, start: &str) -> bool {
        let place = |places: &BTreeSet<String>| places.iter().any(|place| start.starts_with(place.as_str()));
        self.data.contains(kind) || self.partly.get(kind).is_some_and(place)
    }

    /// Reads the output of `aws cloudtrail get-event-selectors`.
    ///
    /// A selector counts as showing a resource type if it shows every event on every resource, or on those whose ARNs begin in some
    /// way; reads and writes may come from two. One that is narrower otherwise is left out, because what it leaves out would count as
    /// not used; but it may be for `role` alone.
    ///
    /// Source: AWS CloudTrail API Reference, GetEventSelectors, EventSelector and AdvancedEventSelector.
    ///
    /// # Errors
    /// When the bytes are not JSON or hold no selectors.
    pub fn from_event_selectors(bytes: &[u8], role: Option<&LoggedRole>) -> Result<Self, CoverageError> {
        Ok(Self::of(&EventSelectors::parse(bytes)?, role))
    }

    /// What selectors show; see [`Coverage::from_event_selectors`].
    #[must_use]
    pub fn of(selectors: &EventSelectors, role: Option<&LoggedRole>) -> Self {
        let of = |category: &str| -> Vec<Logged> {
            let own = selectors.selectors.iter().filter(|s| s.category() == category);
            own.filter_map(|s| s.whole(role)).collect()
        };
        // Which resources an event is about is no field of management events.
        let management: Vec<Logged> = of("Management").into_iter().filter(|logged| logged.places.is_none()).collect();
        let data = of("Data");
        // How the ARNs of what is shown begin, by type; all begin with nothing.
        let typed = |reads: bool| -> BTreeMap<&String, BTreeSet<String>> {
            let fits = data.iter().filter(|l| if reads { l.reads } else { l.writes });
            let mut places: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
            for logged in fits.filter(|l| l.excluded.is_empty()) {
                let own = logged.places.clone().unwrap_or_else(|| BTreeSet::from([String::new()]));
                logged.types.iter().for_each(|kind| places.entry(kind).or_default().extend(own.iter().cloned()));
            }
            places
        };
        let (reads, writes) = (typed(true), typed(false));
        let both = |kind: &String, places: &BTreeSet<String>| -> BTreeSet<String> {
            let other = writes.get(kind).into_iter().flatten();
            let narrower = |(a, b): (&String, &String)| {
                if a.starts_with(b.as_str()) { Some(a.clone()) } else { b.starts_with(a.as_str()).then(|| b.clone()) }
            };
            shortest(other.flat_map(|b| places.iter().map(move |a| (a, b))).filter_map(narrower).collect())
        };
        let places = reads.iter().map(|(kind, places)| ((*kind).clone(), both(kind, places))).filter(|(_, p)| !p.is_empty());
        let (whole, partly): (BTreeMap<_, _>, BTreeMap<_, _>) = places.partition(|(_, places)| places.contains(""));
        let mut hidden = BTreeSet::new();
        let mut excluded = BTreeSet::new();
        for (kind, reads) in [(Hidden::ManagementReads, true), (Hidden::ManagementWrites, false)] {
            let mut fits = management.iter().filter(|l| if reads { l.reads } else { l.writes });
            match fits.next() {
                // What one leaves out another may log.
                Some(first) => excluded.extend(fits.fold(first.excluded.clone(), |all, l| &all & &l.excluded)),
                None => drop(hidden.insert(kind)),
            }
        }
        Self { data: whole.into_keys().collect(), partly, excluded, hidden, declared: true, ..Self::default() }
    }
}

/// Beginnings without those that begin with another of them.
pub(super) fn shortest(places: BTreeSet<String>) -> BTreeSet<String> {
    let longer = |place: &String| places.iter().any(|other| other != place && place.starts_with(other.as_str()));
    places.iter().filter(|place| !longer(place)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:sts::111122223333:assumed-role/web/";

    fn check(text: &str, data: &[&str], excluded: &[&str], hidden: &[Hidden]) {
        let role = LoggedRole { account: "111122223333".to_owned(), name: "web".to_owned(), partition: None };
        let coverage = Coverage::from_event_selectors(text.as_bytes(), Some(&role)).unwrap();
        let set = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
        let hidden = hidden.iter().copied().collect();
        assert_eq!((coverage.data, coverage.excluded, coverage.hidden), (set(data), set(excluded), hidden), "{text}");
    }

    /// INVARIANT (partly-is-not-whole): what is logged of some buckets only says nothing of the others.
    #[test]
    fn some_resources_are_not_all() {
        let check = |text: &str, expected: &[&str]| {
            let coverage = Coverage::from_event_selectors(text.as_bytes(), None).unwrap();
            assert!(coverage.data.is_empty(), "{text}: {coverage:?}");
            let places = coverage.partly.get(S3).into_iter().flatten().map(String::as_str);
            assert_eq!(places.collect::<Vec<_>>(), expected, "{text}");
        };
        let (one, two) = ("arn:aws:s3:::one/", "arn:aws:s3:::two/");
        let basic = |parts: &[(&str, &[&str])]| {
            let part = |(kind, values): &(&str, &[&str])| {
                format!(r#"{{"ReadWriteType":"{kind}","DataResources":[{{"Type":"{S3}","Values":{values:?}}}]}}"#)
            };
            format!(r#"{{"EventSelectors":[{}]}}"#, parts.iter().map(part).collect::<Vec<_>>().join(","))
        };
        check(&basic(&[("All", &[one, two])]), &[one, two]);
        check(&basic(&[("All", &[one, "arn:aws:s3:::one/logs/"])]), &[one]);
        check(&basic(&[("ReadOnly", &[one])]), &[]);
        check(&basic(&[("ReadOnly", &[one]), ("WriteOnly", &[two])]), &[]);
        check(&basic(&[("ReadOnly", &["arn:aws:s3"]), ("WriteOnly", &[two])]), &[two]);
        check(&basic(&[("ReadOnly", &["arn:aws:s3:::one/logs/"]), ("WriteOnly", &[one])]), &["arn:aws:s3:::one/logs/"]);
        let field = |how: &str| {
            format!(
                r#"{{"AdvancedEventSelectors":[{{"FieldSelectors":[{{"Field":"eventCategory","Equals":["Data"]}},{{"Field":"resources.type","Equals":["{S3}"]}},{{"Field":"resources.ARN",{how}}}]}}]}}"#
            )
        };
        check(&field(r#""StartsWith":["arn:aws:s3:::one/"]"#), &[one]);
        check(&field(r#""Equals":["arn:aws:s3:::one/k"]"#), &[]);
        check(&field(r#""StartsWith":["arn:aws:s3:::one/"],"NotStartsWith":["arn:aws:s3:::one/logs/"]"#), &[]);
        // A function is named as a whole, and another one may begin with its name.
        let function = r#"{"EventSelectors":[{"DataResources":[{"Type":"AWS::Lambda::Function","Values":["arn:aws:lambda:eu-west-1:1:function:f"]}]}]}"#;
        assert!(Coverage::from_event_selectors(function.as_bytes(), None).unwrap().partly.is_empty());
    }

    const S3: &str = "AWS::S3::Object";
    const ALL: &[Hidden] = &[Hidden::ManagementReads, Hidden::ManagementWrites];

    #[test]
    fn basic_selectors() {
        let one = |kind: &str, fields: &str| format!(r#"{{"EventSelectors":[{{"ReadWriteType":"{kind}"{fields}}}]}}"#);
        let s3 = |arn: &str| format!(r#","DataResources":[{{"Type":"AWS::S3::Object","Values":["{arn}"]}}]"#);
        check(&one("All", &s3("arn:aws:s3")), &[S3], &[], &[]);
        check(&one("All", &s3("arn:aws:s3:::")), &[S3], &[], &[]);
        check(&one("All", &s3("arn:aws:s3:::one/")), &[], &[], &[]);
        check(&one("ReadOnly", &s3("arn:aws:s3:::")), &[], &[], &[Hidden::ManagementWrites]);
        check(&one("WriteOnly", ""), &[], &[], &[Hidden::ManagementReads]);
        check(&one("All", r#","IncludeManagementEvents":false"#), &[], &[], ALL);
        check(&one("All", r#","ExcludeManagementEventSources":["kms.amazonaws.com"]"#), &[], &["kms.amazonaws.com"], &[]);
        let halves = format!(
            r#"{{"EventSelectors":[{{"ReadWriteType":"ReadOnly"{0}}},{{"ReadWriteType":"WriteOnly"{0}}}]}}"#,
            s3("arn:aws:s3")
        );
        check(&halves, &[S3], &[], &[]);
        check(r#"{"EventSelectors":[]}"#, &[], &[], ALL);
    }

    #[test]
    fn advanced_selectors() {
        let data = |fields: &str| {
            format!(
                r#"{{"AdvancedEventSelectors":[{{"FieldSelectors":[{{"Field":"eventCategory","Equals":["Data"]}},{{"Field":"resources.type","Equals":["AWS::S3::Object"]}}{fields}]}}]}}"#
            )
        };
        check(&data(""), &[S3], &[], ALL);
        check(&data(r#",{"Field":"readOnly","Equals":["false"]}"#), &[], &[], ALL);
        check(&data(r#",{"Field":"readOnly","Equals":["false","true"]}"#), &[S3], &[], ALL);
        check(&data(r#",{"Field":"eventName","Equals":["GetObject"]}"#), &[], &[], ALL);
        check(&data(r#",{"Field":"resources.ARN","NotStartsWith":["arn:aws:s3:::logs/"]}"#), &[], &[], ALL);
        check(&data(r#",{"Field":"sessionCredentialFromConsole","NotEquals":["true"]}"#), &[S3], &[], ALL);
        check(&data(&format!(r#",{{"Field":"userIdentity.arn","StartsWith":["{ROLE}"]}}"#)), &[S3], &[], ALL);
        check(
            &data(r#",{"Field":"userIdentity.arn","StartsWith":["arn:aws:sts::111122223333:assumed-role/web/i-"]}"#),
            &[],
            &[],
            ALL,
        );
        check(
            &data(r#",{"Field":"userIdentity.arn","StartsWith":["arn:aws:sts::111122223333:assumed-role/other/"]}"#),
            &[],
            &[],
            ALL,
        );

        let management = |fields: &str| {
            format!(
                r#"{{"AdvancedEventSelectors":[{{"FieldSelectors":[{{"Field":"eventCategory","Equals":["Management"]}}{fields}]}}]}}"#
            )
        };
        check(&management(""), &[], &[], &[]);
        check(&management(r#",{"Field":"readOnly","Equals":["true"]}"#), &[], &[], &[Hidden::ManagementWrites]);
        check(&management(r#",{"Field":"eventSource","NotEquals":["kms.amazonaws.com"]}"#), &[], &["kms.amazonaws.com"], &[]);
        check(&management(r#",{"Field":"eventSource","Equals":["ssm.amazonaws.com"]}"#), &[], &[], ALL);
        check(&management(r#",{"Field":"resources.ARN","StartsWith":["arn:aws:s3:::one/"]}"#), &[], &[], ALL);
    }

    #[test]
    fn something_else_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = Coverage::from_event_selectors(text.as_bytes(), None).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("{}", "expected `EventSelectors` or `AdvancedEventSelectors`");
        check("{", "not JSON");
        check(r#"{"AdvancedEventSelectors":[{"FieldSelectors":"all"}]}"#, "a selector cannot be read");
    }
}
