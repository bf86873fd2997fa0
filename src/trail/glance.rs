//! The first look at a record: what kind it is, and whose, borrowed from the bytes.
//!
//! Most records of a trail are somebody else's. Only those that matter are read in full, as [`super::record::Record`].

use std::borrow::Cow;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What a record is.
///
/// Source: AWS CloudTrail User Guide, "CloudTrail record contents" (`eventType`, `eventCategory`), "CloudTrail digest file
/// structure", "Aggregated events".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody called an API.
    ApiCall,
    /// A service did something on its own.
    ServiceEvent,
    /// Somebody signed in to the console, or did something there that is no API call.
    Console,
    /// An unusual rate of calls.
    Insight,
    /// A digest file: signatures of log files.
    Digest,
    /// A call as a VPC endpoint saw it.
    NetworkActivity,
    /// A summary of five minutes of data events.
    Aggregated,
    /// A type, category or major version that is not known.
    Unknown,
}

impl Kind {
    /// The name under which a ledger counts records of this kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiCall => "api-call",
            Self::ServiceEvent => "service-event",
            Self::Console => "console",
            Self::Insight => "insight",
            Self::Digest => "digest",
            Self::NetworkActivity => "network-activity",
            Self::Aggregated => "aggregated",
            Self::Unknown => "unknown",
        }
    }
}

/// The fields that tell what a record is and whose.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Glance<'a> {
    /// `eventVersion`.
    #[serde(borrow)]
    pub event_version: Text<'a>,
    /// `eventType`.
    pub event_type: Text<'a>,
    /// `eventCategory`.
    pub event_category: Text<'a>,
    /// `eventTime`.
    pub event_time: Text<'a>,
    /// `eventSource`.
    pub event_source: Text<'a>,
    /// `eventName`.
    pub event_name: Text<'a>,
    /// `sourceIPAddress`.
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: Text<'a>,
    /// `vpcEndpointId`.
    pub vpc_endpoint_id: Text<'a>,
    /// `userAgent`.
    pub user_agent: Text<'a>,
    /// `sessionCredentialFromConsole`.
    pub session_credential_from_console: Text<'a>,
    /// `managementEvent`, as text.
    pub management_event: Text<'a>,
    /// `recipientAccountId`.
    pub recipient_account_id: Text<'a>,
    /// `userIdentity`.
    pub user_identity: Option<Caller<'a>>,
    /// `resources`, unread.
    pub resources: Option<&'a RawValue>,
    digest_start_time: Text<'a>,
    #[serde(rename = "CloudTrailEvent")]
    pub(super) wrapped: Text<'a>,
    #[serde(rename = "Records")]
    pub(super) records: Present,
    #[serde(rename = "Events")]
    pub(super) events: Present,
}

/// The part of `userIdentity` that tells whose call it was.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Caller<'a> {
    /// `type`.
    #[serde(rename = "type", borrow)]
    pub kind: Text<'a>,
    /// `arn`.
    pub arn: Text<'a>,
    /// `invokedBy`.
    pub invoked_by: Text<'a>,
}

impl<'a> Glance<'a> {
    /// Looks at a record.
    ///
    /// # Errors
    ///
    /// Where the text is no JSON object, or a field has a type that CloudTrail never gives it.
    pub fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        if text.trim_start().starts_with('{') {
            serde_json::from_str(text)
        } else {
            Err(serde_json::Error::custom("a record is a JSON object"))
        }
    }

    /// What the record is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if !self.digest_start_time.is_empty() {
            return Kind::Digest;
        }
        if !self.event_version.is_empty() && self.event_version.split('.').next() != Some("1") {
            return Kind::Unknown;
        }
        match (&*self.event_category, &*self.event_type) {
            ("NetworkActivity", _) | ("", "AwsVpceEvents") => Kind::NetworkActivity,
            ("Insight", _) | ("", "AwsCloudTrailInsight") => Kind::Insight,
            ("Aggregated", _) | ("", "AwsAggregatedEvent") => Kind::Aggregated,
            ("" | "Management" | "Data", "AwsApiCall") => Kind::ApiCall,
            ("" | "Management" | "Data", "AwsServiceEvent") => Kind::ServiceEvent,
            ("" | "Management" | "Data", "AwsConsoleSignIn" | "AwsConsoleAction") => Kind::Console,
            _ => Kind::Unknown,
        }
    }

    /// Whether nothing in it is a field of a CloudTrail record.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let fields = [&self.event_version, &self.event_type, &self.event_category, &self.event_name, &self.digest_start_time];
        fields.iter().all(|field| field.is_empty())
    }

    /// Whether it is a data event.
    #[must_use]
    pub fn is_data(&self) -> bool {
        match &*self.event_category {
            "" => &*self.management_event == "false",
            category => category == "Data",
        }
    }
}

/// Text that is borrowed where JSON needed no escapes; `null` is empty, numbers and truth values are as written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }
}

/// Whether a key was there; its value is passed over.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Present(pub(super) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: Kind) {
        assert_eq!(Glance::read(text).unwrap().kind(), kind, "{text}");
    }

    #[test]
    fn kinds() {
        check(r#"{"eventVersion":"1.02","eventType":"AwsApiCall"}"#, Kind::ApiCall);
        check(r#"{"eventVersion":"1.11","eventType":"AwsApiCall","eventCategory":"Data"}"#, Kind::ApiCall);
        check(r#"{"eventVersion":"1.99","eventType":"AwsApiCall","eventCategory":"Management"}"#, Kind::ApiCall);
        check(r#"{"eventType":"AwsApiCall"}"#, Kind::ApiCall);
        check(r#"{"eventType":"\u0041wsApiCall"}"#, Kind::ApiCall);
        check(r#"{"eventVersion":"2.0","eventType":"AwsApiCall"}"#, Kind::Unknown);
        check(r#"{"eventVersion":"1.11","eventType":"AwsApiCall","eventCategory":"Dreams"}"#, Kind::Unknown);
        check(r#"{"eventVersion":"1.08","eventType":"AwsMoonPhase"}"#, Kind::Unknown);
        check(r#"{"eventVersion":"1.01","eventName":"RunInstances"}"#, Kind::Unknown);
        check(r#"{"eventType":"AwsServiceEvent","eventCategory":"Management"}"#, Kind::ServiceEvent);
        check(r#"{"eventType":"AwsConsoleSignIn"}"#, Kind::Console);
        check(r#"{"eventType":"AwsConsoleAction"}"#, Kind::Console);
        check(r#"{"eventType":"AwsCloudTrailInsight","eventCategory":"Insight"}"#, Kind::Insight);
        check(r#"{"eventType":"AwsVpceEvents","eventCategory":"NetworkActivity"}"#, Kind::NetworkActivity);
        check(r#"{"eventType":"AwsApiCall","eventCategory":"NetworkActivity"}"#, Kind::NetworkActivity);
        check(r#"{"eventVersion":"1.0","eventType":"AwsAggregatedEvent","eventCategory":"Aggregated"}"#, Kind::Aggregated);
        check(r#"{"digestStartTime":"2026-09-01T00:00:00Z","logFiles":[]}"#, Kind::Digest);
    }

    #[test]
    fn data_events_of_every_version() {
        let check = |text: &str, data: bool| assert_eq!(Glance::read(text).unwrap().is_data(), data, "{text}");
        check(r#"{"eventCategory":"Data","managementEvent":false}"#, true);
        check(r#"{"managementEvent":false}"#, true);
        check(r#"{"managementEvent":"false"}"#, true);
        check(r#"{"eventCategory":"Management","managementEvent":true}"#, false);
        check("{}", false);
    }

    #[test]
    fn what_is_no_record() {
        for text in ["[]", "3", "\"x\"", "", "{\"eventType\":[]}", "{\"eventType\":\"a\",\"eventType\":\"b\"}"] {
            assert!(Glance::read(text).is_err(), "{text}");
        }
        assert!(Glance::read("{\"hello\":1}").unwrap().is_blank());
    }
}
