//! The envelope of a record, with its fields in the order in which CloudTrail writes them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::labels;
use super::world::{ACCOUNT, Instance, REGION};

/// When the instances were launched: 2026-11-16T08:01:30Z.
const LAUNCH: i64 = 1_794_816_090;

/// Who made a call and where from.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) identity: Value,
    pub(super) address: String,
    pub(super) agent: String,
    pub(super) endpoint: Option<String>,
    /// Whether the console made the call with the credentials of the person in front of it.
    pub(super) console: bool,
}

/// One record before it is written.
pub(super) struct Event {
    pub(super) time: Timestamp,
    pub(super) folder: &'static str,
    pub(super) value: Value,
}

/// Builds a record; what is not set has the value that an ordinary, successful management event has.
pub(super) struct Record {
    time: Timestamp,
    service: &'static str,
    name: &'static str,
    caller: Caller,
    label: String,
    read_only: bool,
    data: bool,
    request: Value,
    response: Value,
    extra: Option<Value>,
    resources: Option<Value>,
    error: Option<(&'static str, String)>,
    api_version: Option<&'static str>,
    event_type: &'static str,
    host: Option<String>,
    request_id: bool,
}

impl Record {
    /// A call of an operation of a service, `service` being the first part of its host name.
    pub(super) fn new(time: Timestamp, service: &'static str, name: &'static str, caller: &Caller) -> Self {
        let label = format!("{time} {service} {name} {} {}", caller.address, caller.identity);
        Self {
            time,
            service,
            name,
            caller: caller.clone(),
            label,
            read_only: false,
            data: false,
            request: Value::Null,
            response: Value::Null,
            extra: None,
            resources: None,
            error: None,
            api_version: (service == "logs").then_some("20140328"),
            event_type: "AwsApiCall",
            host: None,
            request_id: true,
        }
    }

    pub(super) fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(super) fn data(mut self) -> Self {
        self.data = true;
        self
    }

    pub(super) fn request(mut self, request: Value) -> Self {
        self.request = request;
        self
    }

    pub(super) fn response(mut self, response: Value) -> Self {
        self.response = response;
        self
    }

    pub(super) fn extra(mut self, extra: Value) -> Self {
        self.extra = Some(extra);
        self
    }

    pub(super) fn resources(mut self, resources: Value) -> Self {
        self.resources = Some(resources);
        self
    }

    pub(super) fn error(mut self, code: &'static str, message: String) -> Self {
        self.error = Some((code, message));
        self
    }

    /// A sign-in: written by the console, without a request id.
    pub(super) fn sign_in(mut self, host: &str) -> Self {
        self.event_type = "AwsConsoleSignIn";
        self.request_id = false;
        self.host = Some(host.to_owned());
        self
    }

    /// The host name that the caller used, where it is not that of the service in the region.
    pub(super) fn host(mut self, host: String) -> Self {
        self.host = Some(host);
        self
    }

    /// What of the label other identifiers of the same record are made.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// The record as an event of the ordinary log files.
    pub(super) fn event(self) -> Event {
        let time = self.time;
        Event { time, folder: "CloudTrail", value: Value::Object(self.fields()) }
    }

    fn fields(self) -> Map<String, Value> {
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| {
            map.insert(key.to_owned(), value);
        };
        put("eventVersion", json!("1.11"));
        put("userIdentity", self.caller.identity.clone());
        put("eventTime", json!(self.time.to_string()));
        put("eventSource", json!(format!("{}.amazonaws.com", self.service)));
        put("eventName", json!(self.name));
        put("awsRegion", json!(REGION));
        put("sourceIPAddress", json!(self.caller.address));
        // S3 writes the user agent in brackets.
        let agent = if self.service == "s3" { format!("[{}]", self.caller.agent) } else { self.caller.agent.clone() };
        put("userAgent", json!(agent));
        if let Some((code, message)) = &self.error {
            put("errorCode", json!(code));
            put("errorMessage", json!(message));
        }
        put("requestParameters", self.request);
        put("responseElements", self.response);
        if let Some(extra) = self.extra {
            put("additionalEventData", extra);
        }
        if self.request_id {
            let id = if self.service == "s3" { labels::s3_request(&self.label) } else { labels::uuid(&self.label) };
            put("requestID", json!(id));
        }
        put("eventID", json!(labels::uuid(&format!("event {}", self.label))));
        put("readOnly", json!(self.read_only));
        if let Some(resources) = self.resources {
            put("resources", resources);
        }
        put("eventType", json!(self.event_type));
        if let Some(version) = self.api_version {
            put("apiVersion", json!(version));
        }
        put("managementEvent", json!(!self.data));
        put("recipientAccountId", json!(ACCOUNT));
        if let Some(endpoint) = &self.caller.endpoint {
            put("vpcEndpointId", json!(endpoint));
            put("vpcEndpointAccountId", json!(ACCOUNT));
        }
        put("eventCategory", json!(if self.data { "Data" } else { "Management" }));
        // A call that a service makes has no connection of its own to describe.
        if !self.caller.address.ends_with(".amazonaws.com") {
            let host = self.host.unwrap_or_else(|| format!("{}.{REGION}.amazonaws.com", self.service));
            put(
                "tlsDetails",
                json!({"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256", "clientProvidedHostHeader": host}),
            );
        }
        if self.caller.console {
            put("sessionCredentialFromConsole", json!("true"));
        }
        map
    }
}

/// The identity of a role's session. `delivered` is set for credentials that EC2 delivers, with version 2 of its service.
pub(super) fn role_session(role: &str, session: &str, since: Timestamp, delivered: bool) -> Value {
    let principal = labels::key("AROA", role, 21);
    let mut context = json!({
        "sessionIssuer": {
            "type": "Role",
            "principalId": principal,
            "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
            "accountId": ACCOUNT,
            "userName": role.rsplit('/').next(),
        },
        "attributes": {"creationDate": since.to_string(), "mfaAuthenticated": "false"},
    });
    if delivered && let Some(map) = context.as_object_mut() {
        map.insert("ec2RoleDelivery".to_owned(), json!("2.0"));
    }
    json!({
        "type": "AssumedRole",
        "principalId": format!("{principal}:{session}"),
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{}/{session}", role.rsplit('/').next().unwrap_or(role)),
        "accountId": ACCOUNT,
        "accessKeyId": labels::key("ASIA", &format!("{role} {session} {since}"), 20),
        "sessionContext": context,
    })
}

/// When the credentials were delivered that an instance uses at this time: at its launch, then every six hours.
pub(super) fn delivered_at(time: Timestamp) -> Timestamp {
    const SIX_HOURS: i64 = 6 * 3600;
    const OFFSET: i64 = 7 * 60;
    let second = (time.as_second() - OFFSET).div_euclid(SIX_HOURS) * SIX_HOURS + OFFSET;
    Timestamp::from_second(second.max(LAUNCH)).unwrap_or(time)
}

/// An instance that calls a service with the credentials of its role.
pub(super) fn instance(time: Timestamp, instance: &Instance, service: &str, agent: &str) -> Caller {
    let (address, endpoint) = instance.origin(service);
    Caller {
        identity: role_session(instance.role, instance.id, delivered_at(time), true),
        address: address.to_owned(),
        agent: agent.to_owned(),
        endpoint: endpoint.map(str::to_owned),
        console: false,
    }
}
