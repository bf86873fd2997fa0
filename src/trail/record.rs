//! One CloudTrail record, as far as it matters here.
//!
//! Source of the fields: AWS CloudTrail User Guide, "CloudTrail record contents". Unknown fields are ignored; a field that
//! real records leave out is empty, `None` or `Null`. Access keys are not read, so they cannot leak.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What CloudTrail writes in place of a value that it does not show.
pub const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Why a record could not be read. The fault is the input's: CloudTrail writes neither.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The text is no JSON object, or a field has a type that CloudTrail never gives it.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// The text is JSON, but no object.
    #[error("a record is a JSON object")]
    NotAnObject,
    /// A field that says who did what and when is not there.
    #[error("the record has no `{0}`")]
    Missing(&'static str),
    /// `eventTime` is not a time.
    #[error("`{0}` is not a time")]
    Time(String),
}

/// A CloudTrail record.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// `eventVersion`, such as `1.11`.
    #[serde(deserialize_with = "text")]
    pub event_version: String,
    /// `eventTime`, normalised to `YYYY-MM-DDTHH:MM:SSZ`.
    #[serde(deserialize_with = "text")]
    pub event_time: String,
    /// `eventSource`, such as `ssm.amazonaws.com`.
    #[serde(deserialize_with = "text")]
    pub event_source: String,
    /// `eventName`.
    #[serde(deserialize_with = "text")]
    pub event_name: String,
    /// `awsRegion`.
    #[serde(deserialize_with = "text")]
    pub aws_region: String,
    /// `sourceIPAddress`: an address, a service's name, or `AWS Internal`.
    #[serde(rename = "sourceIPAddress", deserialize_with = "text")]
    pub source_ip_address: String,
    /// `userAgent`.
    #[serde(deserialize_with = "text")]
    pub user_agent: String,
    /// `errorCode`.
    #[serde(deserialize_with = "optional")]
    pub error_code: Option<String>,
    /// `errorMessage`.
    #[serde(deserialize_with = "optional")]
    pub error_message: Option<String>,
    /// `requestParameters`; `Null` where absent.
    pub request_parameters: Value,
    /// `responseElements`; `Null` where absent.
    pub response_elements: Value,
    /// `additionalEventData`; `Null` where absent.
    pub additional_event_data: Value,
    /// `resources`; empty where absent.
    #[serde(deserialize_with = "list")]
    pub resources: Vec<ResourceRef>,
    /// `eventID`; empty where the record has none.
    #[serde(rename = "eventID", deserialize_with = "text")]
    pub event_id: String,
    /// `sharedEventID`: the same action, delivered to several accounts.
    #[serde(rename = "sharedEventID", deserialize_with = "optional")]
    pub shared_event_id: Option<String>,
    /// `eventType`, such as `AwsApiCall`.
    #[serde(deserialize_with = "text")]
    pub event_type: String,
    /// `eventCategory`, such as `Management`; older records have none.
    #[serde(deserialize_with = "optional")]
    pub event_category: Option<String>,
    /// `managementEvent`; older records have none.
    #[serde(deserialize_with = "flag")]
    pub management_event: Option<bool>,
    /// `readOnly`.
    #[serde(deserialize_with = "flag")]
    pub read_only: Option<bool>,
    /// `recipientAccountId`: whose trail this is.
    #[serde(deserialize_with = "optional")]
    pub recipient_account_id: Option<String>,
    /// `vpcEndpointId`.
    #[serde(deserialize_with = "optional")]
    pub vpc_endpoint_id: Option<String>,
    /// `vpcEndpointAccountId`.
    #[serde(deserialize_with = "optional")]
    pub vpc_endpoint_account_id: Option<String>,
    /// `userIdentity`.
    #[serde(deserialize_with = "nullable")]
    pub user_identity: UserIdentity,
}

/// One entry of `resources`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceRef {
    /// `ARN`.
    #[serde(rename = "ARN", alias = "arn", deserialize_with = "optional")]
    pub arn: Option<String>,
    /// `ARNPrefix`, for calls that touch everything below it.
    #[serde(rename = "ARNPrefix", deserialize_with = "optional")]
    pub arn_prefix: Option<String>,
    /// `accountId`: the resource's owner.
    #[serde(deserialize_with = "optional")]
    pub account_id: Option<String>,
    /// `type`, such as `AWS::S3::Object`.
    #[serde(rename = "type", deserialize_with = "optional")]
    pub kind: Option<String>,
}

/// Who made the call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "IdentityShape")]
pub struct UserIdentity {
    /// `type`, such as `AssumedRole`; empty where absent.
    pub kind: String,
    /// `arn`: for a role's session `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`, without the role's path.
    pub arn: Option<String>,
    /// `principalId`: for a role's session the role's unique id, a colon, and the session's name.
    pub principal_id: Option<String>,
    /// `accountId`.
    pub account_id: Option<String>,
    /// `userName`.
    pub user_name: Option<String>,
    /// `invokedBy`: the AWS service that made the call in the caller's name.
    pub invoked_by: Option<String>,
    /// `sessionContext.sessionIssuer.arn`: the role with its path.
    pub issuer_arn: Option<String>,
    /// `sessionContext.ec2RoleDelivery`: `1.0` and `2.0` are the versions of the instance metadata service.
    pub ec2_role_delivery: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IdentityShape {
    #[serde(rename = "type", deserialize_with = "text")]
    kind: String,
    #[serde(deserialize_with = "optional")]
    arn: Option<String>,
    #[serde(deserialize_with = "optional")]
    principal_id: Option<String>,
    #[serde(deserialize_with = "optional")]
    account_id: Option<String>,
    #[serde(deserialize_with = "optional")]
    user_name: Option<String>,
    #[serde(deserialize_with = "optional")]
    invoked_by: Option<String>,
    #[serde(deserialize_with = "nullable")]
    session_context: ContextShape,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContextShape {
    #[serde(deserialize_with = "nullable")]
    session_issuer: IssuerShape,
    #[serde(deserialize_with = "optional")]
    ec2_role_delivery: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IssuerShape {
    #[serde(deserialize_with = "optional")]
    arn: Option<String>,
}

impl From<IdentityShape> for UserIdentity {
    fn from(shape: IdentityShape) -> Self {
        let IdentityShape { kind, arn, principal_id, account_id, user_name, invoked_by, session_context } = shape;
        let (issuer_arn, ec2_role_delivery) = (session_context.session_issuer.arn, session_context.ec2_role_delivery);
        Self { kind, arn, principal_id, account_id, user_name, invoked_by, issuer_arn, ec2_role_delivery }
    }
}

impl Record {
    /// Reads one record and normalises its time.
    ///
    /// # Errors
    ///
    /// Where the text is not a record, or who, what or when is not in it.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        if !text.trim_start().starts_with('{') {
            return Err(RecordError::NotAnObject);
        }
        let mut record: Self = serde_json::from_str(text)?;
        let parts = [("eventTime", &record.event_time), ("eventSource", &record.event_source), ("eventName", &record.event_name)];
        if let Some((name, _)) = parts.iter().find(|(_, value)| value.is_empty()) {
            return Err(RecordError::Missing(name));
        }
        record.event_time = normal_time(&record.event_time).ok_or_else(|| RecordError::Time(record.event_time.clone()))?;
        Ok(record)
    }
}

/// An RFC 3339 time with any offset and precision as `YYYY-MM-DDTHH:MM:SSZ`; `None` where it is not a time.
#[must_use]
pub fn normal_time(text: &str) -> Option<String> {
    let time: jiff::Timestamp = text.parse().ok()?;
    let whole = jiff::Timestamp::from_second(time.as_millisecond().div_euclid(1000)).ok()?;
    Some(whole.to_string())
}

/// Text, with `null` read as empty; numbers and truth values as exporters rewrite them.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    optional(deserializer).map(Option::unwrap_or_default)
}

fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Array(_) | Value::Object(_) => Err(serde::de::Error::custom("a list or an object stands where text belongs")),
    }
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(optional(deserializer)?.and_then(|text| text.parse().ok()))
}

fn nullable<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list with `null` entries left out; `null` is the empty list.
fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let entries: Option<Vec<Option<T>>> = Option::deserialize(deserializer)?;
    Ok(entries.unwrap_or_default().into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_identity_is_flattened() {
        let record = Record::parse(
            r#"{"eventTime":"2026-09-01T00:00:00Z","eventSource":"ssm.amazonaws.com","eventName":"X","@timestamp":1,
            "userIdentity":{"type":"AssumedRole","accessKeyId":"ASIAEXAMPLE","arn":"arn:aws:sts::111122223333:assumed-role/R/i-1",
            "sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/p/R"},"ec2RoleDelivery":"2.0"}},
            "resources":[null,{"ARN":"a"},{"ARNPrefix":"p","type":"T"}],"readOnly":"true","requestParameters":null}"#,
        )
        .unwrap();
        assert_eq!(record.user_identity.issuer_arn.as_deref(), Some("arn:aws:iam::111122223333:role/p/R"));
        assert_eq!(record.user_identity.ec2_role_delivery.as_deref(), Some("2.0"));
        assert_eq!(record.resources.len(), 2);
        assert_eq!((record.read_only, record.management_event), (Some(true), None));
        assert!(!format!("{record:?}").contains("ASIA"), "access keys are not kept");
    }

    #[test]
    fn times_are_one_form() {
        let check = |from: &str, to: Option<&str>| assert_eq!(normal_time(from).as_deref(), to, "{from}");
        check("2020-09-14T00:44:23.000Z", Some("2020-09-14T00:44:23Z"));
        check("2020-09-14T00:44:23.999Z", Some("2020-09-14T00:44:23Z"));
        check("2023-07-10T11:42:36Z", Some("2023-07-10T11:42:36Z"));
        check("2026-09-02T12:26:03+00:00", Some("2026-09-02T12:26:03Z"));
        check("2026-09-02T01:26:03+02:00", Some("2026-09-01T23:26:03Z"));
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn what_makes_a_record_unreadable() {
        let check = |text: &str, says: &str| {
            let error = Record::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        };
        check("[]", "a record is a JSON object");
        check("{", "EOF");
        check(r#"{"eventSource":"s","eventName":"n"}"#, "no `eventTime`");
        check(r#"{"eventTime":"2023-07-10T11:42:36Z","eventName":"n"}"#, "no `eventSource`");
        check(r#"{"eventTime":"2023-07-10T11:42:36Z","eventSource":"s"}"#, "no `eventName`");
        check(r#"{"eventTime":"soon","eventSource":"s","eventName":"n"}"#, "`soon` is not a time");
        check(r#"{"eventTime":{},"eventSource":"s","eventName":"n"}"#, "where text belongs");
    }
}
