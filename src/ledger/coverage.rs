//! What a source of records could show.

use std::collections::BTreeSet;

use super::selectors::{EventSelectors, Logged, LoggedRole};

/// What a source of records could show. Without a declaration, management events are assumed, and data events as far as
/// they were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Coverage {
    /// CloudFormation-style resource types whose data events were seen or declared, such as `AWS::S3::Object`.
    pub data: BTreeSet<String>,
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
    /// Folds another source's coverage into this one.
    pub fn merge(&mut self, other: Self) {
        self.data.extend(other.data);
        self.excluded.extend(other.excluded);
        self.hidden.extend(other.hidden);
        self.declared |= other.declared;
    }

    /// Reads the output of `aws cloudtrail get-event-selectors`.
    ///
    /// A selector counts as showing a resource type only if it shows all of it, on every resource; reads and writes may come from
    /// two. A narrower one is left out, because what it leaves out would count as not used; but it may be for `role` alone.
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
        let (management, data) = (of("Management"), of("Data"));
        let typed = |reads: bool| -> BTreeSet<String> {
            let fits = data.iter().filter(|l| if reads { l.reads } else { l.writes });
            fits.filter(|l| l.excluded.is_empty()).flat_map(|l| l.types.iter().cloned()).collect()
        };
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
        Self { data: &typed(true) & &typed(false), excluded, hidden, declared: true }
    }
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
