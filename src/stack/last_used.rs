//! When a role last used services, as IAM tracks it.
//!
//! Denied attempts count, sessions of every kind count, and no resource is named: it may explain, and decides nothing.
//!
//! Source: IAM User Guide, "Refine permissions in AWS using last accessed information"; IAM API Reference,
//! GetServiceLastAccessedDetails.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::iam::Action;

/// IAM's tracking period in days.
const PERIOD: u32 = 400;

/// What IAM tracked of a role, by the prefix of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastUsed {
    /// The services that the role's policies name.
    pub services: BTreeMap<String, ServiceUse>,
}

/// When a service was last used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceUse {
    /// Its name, such as `Amazon S3`.
    pub name: String,
    /// When; `None` for not within the tracking period.
    pub at: Option<Timestamp>,
    /// In which region.
    pub region: String,
    /// The actions that IAM tracks one by one, and when each was used.
    pub actions: BTreeMap<String, Option<Timestamp>>,
}

/// What is known of one action.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ActionUse {
    /// `action` where IAM tracks this very action, else `service`.
    pub level: &'static str,
    /// The service's name.
    pub service: String,
    /// When it was last used or tried, RFC 3339; absent for not within the tracking period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// In a sentence, seen from the moment it was asked.
    pub says: String,
}

impl LastUsed {
    /// What is known of an action; `None` where IAM says nothing of its service.
    #[must_use]
    pub fn of(&self, action: &Action, now: Timestamp) -> Option<ActionUse> {
        let service = self.services.get(&action.service().to_ascii_lowercase())?;
        let name = action.as_str().split_once(':').map(|(_, name)| name.to_lowercase())?;
        let tracked = service.actions.iter().find(|(known, _)| known.to_lowercase() == name).map(|(_, at)| *at);
        let (level, at, subject) = match tracked {
            Some(at) => ("action", at, action.as_str()),
            None => ("service", service.at, service.name.as_str()),
        };
        let unknown = if level == "action" { "resources unknown" } else { "actions and resources unknown" };
        let says = match at {
            Some(at) => format!("{subject} was last used {}, {unknown}", ago(at, now)),
            None => format!("{subject} was not used in the {PERIOD} days that IAM looks back at most"),
        };
        Some(ActionUse { level, service: service.name.clone(), at: at.map(|at| at.to_string()), says })
    }
}

/// How long ago, in whole days.
fn ago(at: Timestamp, now: Timestamp) -> String {
    match (now.as_second() - at.as_second()) / 86_400 {
        ..=0 => "within a day".to_owned(),
        1 => "a day ago".to_owned(),
        days => format!("{days} days ago"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test says what is wrong by panicking

    use super::*;

    #[test]
    fn the_narrowest_that_is_known_is_told() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let at = |text: &str| Some(text.parse().unwrap());
        let s3 = ServiceUse {
            name: "Amazon S3".to_owned(),
            at: at("2026-11-25T11:00:00Z"),
            region: "us-east-1".to_owned(),
            actions: BTreeMap::from([("ListBucket".to_owned(), at("2026-11-27T11:00:00Z")), ("GetBucketAcl".to_owned(), None)]),
        };
        let logs = ServiceUse { name: "Amazon CloudWatch Logs".to_owned(), ..ServiceUse::default() };
        let used = LastUsed { services: BTreeMap::from([("s3".to_owned(), s3), ("logs".to_owned(), logs)]) };
        let check = |action: &str, expected: Option<(&str, &str)>| {
            let (service, name) = action.split_once(':').unwrap();
            let found = used.of(&Action::of(service, name).unwrap(), now);
            assert_eq!(found.as_ref().map(|f| (f.level, f.says.as_str())), expected, "{action}");
        };
        check("s3:GetObject", Some(("service", "Amazon S3 was last used 3 days ago, actions and resources unknown")));
        check("s3:ListBucket", Some(("action", "s3:ListBucket was last used a day ago, resources unknown")));
        check("s3:GetBucketAcl", Some(("action", "s3:GetBucketAcl was not used in the 400 days that IAM looks back at most")));
        let never = "Amazon CloudWatch Logs was not used in the 400 days that IAM looks back at most";
        check("logs:PutLogEvents", Some(("service", never)));
        check("ec2messages:GetMessages", None);
    }
}
