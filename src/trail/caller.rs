//! Whose call it was and where it came from.
//!
//! Source: AWS CloudTrail User Guide, "CloudTrail userIdentity element" and "CloudTrail record contents".

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::glance::{Glance, Kind};
use super::record::Record;
use crate::iam::Arn;
use crate::ledger::{Origin, Session};

/// Whose calls are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    /// The roles' account; `None` is every account.
    pub account: Option<String>,
    /// The roles' names, without path; empty is every role.
    pub roles: BTreeSet<String>,
}

impl Interest {
    /// Whether a session is one of the roles'. Names are compared exactly: `shop-Role` is not `shop-Role-admin`.
    #[must_use]
    pub fn wants(&self, session: &Session) -> bool {
        self.wants_account(&session.account) && (self.roles.is_empty() || self.roles.contains(&session.role))
    }

    /// The session of an identity, if it is one of the roles'. Most identities of a trail are not, and cost nothing here.
    #[must_use]
    pub fn session(&self, kind: &str, arn: &str) -> Option<Session> {
        let role = arn.rsplit('/').nth(1)?;
        let perhaps = kind == ROLE_SESSION && (self.roles.is_empty() || self.roles.contains(role));
        perhaps.then(|| session(kind, arn)).flatten().filter(|session| self.wants(session))
    }

    /// Whether an account is the one asked for; a record that names none may be.
    #[must_use]
    pub fn wants_account(&self, account: &str) -> bool {
        account.is_empty() || self.account.as_deref().is_none_or(|wanted| wanted == account)
    }
}

/// `userIdentity.type` of a role's session.
const ROLE_SESSION: &str = "AssumedRole";

/// The role's session that an identity is, if it is one. Services, users and federated users are not.
///
/// `kind` is `userIdentity.type`, `arn` `userIdentity.arn`: `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
#[must_use]
pub fn session(kind: &str, arn: &str) -> Option<Session> {
    let arn = Arn::parse(arn).filter(|arn| kind == ROLE_SESSION && arn.service == "sts")?;
    let (role, name) = arn.resource.strip_prefix("assumed-role/")?.split_once('/')?;
    let named = !role.is_empty() && !name.is_empty() && !arn.account.is_empty();
    named.then(|| Session { account: arn.account.to_owned(), role: role.to_owned(), name: name.to_owned(), ec2_delivered: false })
}

/// Where a call came from. A service that calls in the session's name is the origin, whatever address it gives.
#[must_use]
pub fn origin(record: &Record) -> Origin {
    let address = record.source_ip_address.as_str();
    if let Some(service) = record.user_identity.invoked_by.as_deref().filter(|service| !service.is_empty()) {
        return Origin::Service(service.to_owned());
    }
    if address == "AWS Internal" || address.ends_with(".amazonaws.com") || address.ends_with(".amazonaws.com.cn") {
        return Origin::Service(address.to_owned());
    }
    match record.vpc_endpoint_id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => Origin::Endpoint {
            id: id.to_owned(),
            account: record.vpc_endpoint_account_id.clone().unwrap_or_default(),
            address: address.to_owned(),
        },
        None if address.parse::<IpAddr>().is_ok() => Origin::Address(address.to_owned()),
        None => Origin::Other(address.to_owned()),
    }
}

/// The address of a person at the console; `None` for programs, services, instances and who comes through an endpoint.
#[must_use]
pub fn person<'a>(kind: Kind, glance: &'a Glance<'_>) -> Option<&'a str> {
    let console = || &*glance.session_credential_from_console == "true" || is_console(&glance.user_agent);
    let here = kind == Kind::Console || (kind == Kind::ApiCall && console());
    let caller = glance.user_identity.as_ref().filter(|_| here)?;
    let identity = &*caller.kind;
    let somebody = matches!(identity, "IAMUser" | "Root" | "FederatedUser" | ROLE_SESSION | "SAMLUser" | "IdentityCenterUser");
    let instance = session(identity, &caller.arn).is_some_and(|session| session.is_instance());
    // Behind an endpoint stands a private address, which says nothing outside its network.
    let reachable = glance.vpc_endpoint_id.is_empty() && glance.source_ip_address.parse::<IpAddr>().is_ok();
    let own = caller.invoked_by.is_empty() && !instance && (somebody || kind == Kind::Console);
    (own && reachable).then_some(&*glance.source_ip_address)
}

/// User agents of the AWS console and of browsers, as they stand in records: `console.ec2.amazonaws.com`,
/// `[S3Console/0.4, …]`, `RDS Console, …`, `EC2ConsoleFrontend, …`, `signin.amazonaws.com`, `Mozilla/5.0 (…)`.
fn is_console(agent: &str) -> bool {
    let agent = agent.strip_prefix('[').unwrap_or(agent);
    let first = agent.split([',', '/']).next().unwrap_or_default();
    agent.starts_with("console.") || agent.starts_with("signin") || agent.starts_with("Mozilla/") || first.contains("Console")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_of_roles_only() {
        let check = |kind: &str, arn: &str, expected: Option<(&str, &str, bool)>| {
            let found = session(kind, arn);
            assert_eq!(found.as_ref().map(|s| (s.role.as_str(), s.name.as_str(), s.is_instance())), expected, "{kind} {arn}");
        };
        let i = "i-0123456789abcdef0";
        check("AssumedRole", &format!("arn:aws:sts::111122223333:assumed-role/R/{i}"), Some(("R", i, true)));
        check("AssumedRole", "arn:aws-cn:sts::111122223333:assumed-role/R/deploy", Some(("R", "deploy", false)));
        check("AssumedRole", &format!("arn:aws:sts::1:assumed-role/aws:ec2-instance/{i}"), Some(("aws:ec2-instance", i, true)));
        check("AWSService", &format!("arn:aws:sts::111122223333:assumed-role/R/{i}"), None);
        check("IAMUser", "arn:aws:iam::111122223333:user/R", None);
        check("FederatedUser", "arn:aws:sts::111122223333:federated-user/R", None);
        check("AssumedRole", "arn:aws:iam::111122223333:role/R", None);
        check("AssumedRole", "arn:aws:sts::111122223333:assumed-role/R", None);
        check("AssumedRole", "", None);
    }

    #[test]
    fn names_are_exact() {
        let interest = Interest { account: Some("1".to_owned()), roles: BTreeSet::from(["shop-Role".to_owned()]) };
        let check = |account: &str, role: &str, wanted: bool| {
            let (account, role, name) = (account.to_owned(), role.to_owned(), "i-0".to_owned());
            assert_eq!(interest.wants(&Session { account, role, name, ec2_delivered: false }), wanted);
        };
        check("1", "shop-Role", true);
        check("2", "shop-Role", false);
        check("1", "shop-Role-admin", false);
        check("1", "shop-rol", false);
    }

    #[test]
    fn origins() {
        let check = |address: &str, invoked: Option<&str>, endpoint: Option<&str>, expected: Origin| {
            let mut record = Record { source_ip_address: address.to_owned(), ..Record::default() };
            record.user_identity.invoked_by = invoked.map(str::to_owned);
            record.vpc_endpoint_id = endpoint.map(str::to_owned);
            assert_eq!(origin(&record), expected);
        };
        let service = |name: &str| Origin::Service(name.to_owned());
        check("203.0.113.7", None, None, Origin::Address("203.0.113.7".to_owned()));
        check("2001:db8::1", None, None, Origin::Address("2001:db8::1".to_owned()));
        check("s3.amazonaws.com", Some("s3.amazonaws.com"), None, service("s3.amazonaws.com"));
        check("10.0.0.1", Some("s3.amazonaws.com"), Some("vpce-1"), service("s3.amazonaws.com"));
        check("ssm.amazonaws.com", None, None, service("ssm.amazonaws.com"));
        check("AWS Internal", None, None, service("AWS Internal"));
        check("here", None, None, Origin::Other("here".to_owned()));
        let (id, account, address) = ("vpce-1".to_owned(), String::new(), "10.0.0.1".to_owned());
        check("10.0.0.1", None, Some("vpce-1"), Origin::Endpoint { id, account, address });
    }

    #[test]
    fn people_are_at_the_console() {
        let check = |fields: &str, expected: Option<&str>| {
            let text = format!(r#"{{"sourceIPAddress":"203.0.113.7",{fields}}}"#);
            let glance = Glance::read(&text).unwrap();
            assert_eq!(person(glance.kind(), &glance), expected, "{fields}");
        };
        let (yes, call) = (Some("203.0.113.7"), r#""eventType":"AwsApiCall""#);
        check(r#""eventType":"AwsConsoleSignIn","userIdentity":{"type":"IAMUser"}"#, yes);
        for agent in [
            "console.ec2.amazonaws.com",
            "[S3Console/0.4, aws-internal/3]",
            "RDS Console, x",
            "Mozilla/5.0 (X11)",
            "signin.amazonaws.com",
        ] {
            check(&format!(r#"{call},"userAgent":"{agent}","userIdentity":{{"type":"IAMUser"}}"#), yes);
        }
        check(&format!(r#"{call},"sessionCredentialFromConsole":"true","userIdentity":{{"type":"AssumedRole"}}"#), yes);
        let instance = r#""userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/R/i-0123456789abcdef0"}"#;
        check(&format!(r#"{call},"userAgent":"Mozilla/5.0",{instance}"#), None);
        for agent in ["aws-cli/2.17.60 md/Console", "APN/1.0 HashiCorp/1.0", "Boto3/1.26", ""] {
            check(&format!(r#"{call},"userAgent":"{agent}","userIdentity":{{"type":"IAMUser"}}"#), None);
        }
        check(&format!(r#"{call},"userAgent":"Mozilla/5.0","userIdentity":{{"type":"IAMUser","invokedBy":"x"}}"#), None);
        check(&format!(r#"{call},"userAgent":"Mozilla/5.0","vpcEndpointId":"vpce-1","userIdentity":{{"type":"IAMUser"}}"#), None);
        check(&format!(r#"{call},"userAgent":"Mozilla/5.0","userIdentity":{{"type":"AWSService"}}"#), None);
    }
}
