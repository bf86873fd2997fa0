//! The people: how they sign in, start sessions and send commands.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::agent::INVENTORY;
use super::labels;
use super::record::{Caller, Event, Record, role_session};
use super::world::{ACCOUNT, Instance, NAT, PUBLIC, REGION};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
const CLI: &str = "aws-cli/2.31.13 md/awscrt#0.28.1 ua/2.1 os/macos#24.6.0 md/arch#arm64 lang/python#3.13.7 md/pyimpl#CPython";

/// A person who works with the instances.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Person {
    /// An IAM user with the command line.
    Alice,
    /// A federated engineer in the console.
    Bob,
    /// An IAM user in the console.
    Carol,
    /// An IAM user with the command line who may not start sessions.
    Dave,
}

impl Person {
    /// What session ids begin with.
    fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob@example.com",
            Self::Carol => "carol",
            Self::Dave => "dave",
        }
    }

    /// The person as a caller. Console users have the credentials of this sign-in.
    pub(super) fn caller(self, time: Timestamp) -> Caller {
        let since = Timestamp::from_second(time.as_second().div_euclid(86_400) * 86_400 + 7 * 3600 + 31 * 60).unwrap_or(time);
        let (identity, address, agent) = match self {
            Self::Alice => (user("alice"), "198.51.100.23", CLI),
            Self::Dave => (user("dave"), "198.51.100.41", CLI),
            Self::Bob => {
                let role = "aws-reserved/sso.amazonaws.com/AWSReservedSSO_OpsEngineer_0f1e2d3c4b5a6978";
                (role_session(role, self.name(), since, false), "198.51.100.32", BROWSER)
            }
            Self::Carol => (signed_in("carol", since), "198.51.100.37", BROWSER),
        };
        let console = matches!(self, Self::Bob | Self::Carol);
        Caller { identity, address: address.to_owned(), agent: agent.to_owned(), endpoint: None, console }
    }
}

fn user(name: &str) -> Value {
    json!({
        "type": "IAMUser",
        "principalId": labels::key("AIDA", name, 21),
        "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
        "accountId": ACCOUNT,
        "accessKeyId": labels::key("AKIA", name, 20),
        "userName": name,
    })
}

/// An IAM user after the sign-in: temporary credentials and the second factor.
fn signed_in(name: &str, since: Timestamp) -> Value {
    let mut identity = user(name);
    if let Some(map) = identity.as_object_mut() {
        map.insert("accessKeyId".to_owned(), json!(labels::key("ASIA", &format!("{name} {since}"), 20)));
        let attributes = json!({"creationDate": since.to_string(), "mfaAuthenticated": "true"});
        map.insert("sessionContext".to_owned(), json!({"attributes": attributes}));
    }
    identity
}

/// Carol signs in to the console.
pub(super) fn console_login(time: Timestamp) -> Event {
    let mut identity = user("carol");
    if let Some(map) = identity.as_object_mut() {
        map.shift_remove("accessKeyId");
    }
    let caller = Caller { identity, console: false, ..Person::Carol.caller(time) };
    Record::new(time, "signin", "ConsoleLogin", &caller)
        .response(json!({"ConsoleLogin": "Success"}))
        .extra(json!({
            "LoginTo": format!("https://{REGION}.console.aws.amazon.com/systems-manager/session-manager?region={REGION}"),
            "MobileVersion": "No",
            "MFAIdentifier": format!("arn:aws:iam::{ACCOUNT}:mfa/carol"),
            "MFAUsed": "Yes",
        }))
        .sign_in(&format!("{REGION}.signin.aws.amazon.com"))
        .event()
}

/// The session id that Systems Manager gives to this session.
pub(super) fn session_id(who: Person, start: Timestamp, on: &Instance) -> String {
    format!("{}-{}", who.name(), labels::session(&format!("{} {start} {}", who.name(), on.id)))
}

fn ssm(time: Timestamp, who: Person, name: &'static str) -> Record {
    Record::new(time, "ssm", name, &who.caller(time))
}

fn channel(session: &str) -> Value {
    let url = format!("wss://ssmmessages.{REGION}.amazonaws.com/v1/data-channel/{session}?role=publish_subscribe");
    json!({"sessionId": session, "tokenValue": "Value hidden due to security reasons.", "streamUrl": url})
}

/// A session starts, with a Session document of the stack or with the preferences of the account.
pub(super) fn start_session(time: Timestamp, who: Person, on: &Instance, own_preferences: bool) -> Event {
    let request =
        if own_preferences { json!({"target": on.id, "documentName": on.stack.preferences()}) } else { json!({"target": on.id}) };
    ssm(time, who, "StartSession").request(request).response(channel(&session_id(who, time, on))).event()
}

/// A session that lost its connection goes on.
pub(super) fn resume_session(time: Timestamp, who: Person, session: &str) -> Event {
    ssm(time, who, "ResumeSession").request(json!({"sessionId": session})).response(channel(session)).event()
}

/// A session ends.
pub(super) fn terminate_session(time: Timestamp, who: Person, session: &str) -> Event {
    let named = json!({"sessionId": session});
    ssm(time, who, "TerminateSession").request(named.clone()).response(named).event()
}

/// Somebody tries to start a session and may not.
pub(super) fn refused_session(time: Timestamp, who: Person, on: &Instance) -> Event {
    let message = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/{} is not authorized to perform: ssm:StartSession on resource: {} because no \
         identity-based policy allows the ssm:StartSession action",
        who.name(),
        on.arn()
    );
    ssm(time, who, "StartSession").error("AccessDenied", message).event()
}

/// The id of the command that a person sends at this time.
pub(super) fn command_id(time: Timestamp, document: &str) -> String {
    labels::uuid(&format!("command {time} {document}"))
}

/// A command is sent to one instance and its result fetched.
pub(super) fn command(time: Timestamp, who: Person, on: &Instance, document: &str, comment: &str, seconds: i64) -> [Event; 2] {
    const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
    let id = command_id(time, document);
    let when = |t: Timestamp| t.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string();
    let expires = Timestamp::from_second(time.as_second() + 7200).unwrap_or(time);
    let request = json!({
        "instanceIds": [on.id],
        "documentName": document,
        "comment": comment,
        "parameters": HIDDEN,
        "interactive": false,
    });
    let response = json!({"command": {
        "commandId": id,
        "documentName": document,
        "documentVersion": "$DEFAULT",
        "comment": comment,
        "expiresAfter": when(expires),
        "parameters": HIDDEN,
        "instanceIds": [on.id],
        "targets": [],
        "requestedDateTime": when(time),
        "status": "Pending",
        "statusDetails": "Pending",
        "outputS3Region": REGION,
        "outputS3BucketName": "",
        "outputS3KeyPrefix": "",
        "maxConcurrency": "50",
        "maxErrors": "0",
        "targetCount": 1,
        "completedCount": 0,
        "errorCount": 0,
        "deliveryTimedOutCount": 0,
        "serviceRole": "",
        "notificationConfig": {"notificationArn": "", "notificationEvents": [], "notificationType": ""},
        "cloudWatchOutputConfig": {"cloudWatchLogGroupName": "", "cloudWatchOutputEnabled": false},
        "interactive": false,
        "timeoutSeconds": 3600,
        "clientName": "",
        "clientSourceId": "",
        "alarmConfiguration": {"ignorePollAlarmFailure": false, "alarms": []},
        "triggeredAlarms": [],
    }});
    let sent = ssm(time, who, "SendCommand").request(request).response(response);
    let fetched_at = Timestamp::from_second(time.as_second() + seconds).unwrap_or(time);
    let fetched = ssm(fetched_at, who, "GetCommandInvocation").read_only().request(json!({"commandId": id, "instanceId": on.id}));
    [sent.event(), fetched.event()]
}

/// State Manager is to gather the inventory of the two instances of the first stack, twice a day.
pub(super) fn create_inventory(time: Timestamp) -> Event {
    let targets = json!([{"key": "InstanceIds", "values": [PUBLIC.id, NAT.id]}]);
    let request = json!({
        "name": "AWS-GatherSoftwareInventory",
        "associationName": "demo-inventory",
        "scheduleExpression": "rate(12 hours)",
        "targets": targets,
    });
    let response = json!({"associationDescription": {
        "associationId": INVENTORY,
        "associationName": "demo-inventory",
        "associationVersion": "1",
        "name": "AWS-GatherSoftwareInventory",
        "documentVersion": "$DEFAULT",
        "scheduleExpression": "rate(12 hours)",
        "targets": targets,
        "overview": {"status": "Pending", "detailedStatus": "Creating"},
    }});
    ssm(time, Person::Alice, "CreateAssociation").request(request).response(response).event()
}
