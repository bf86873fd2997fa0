//! The entries of a ledger and the evidence behind each.

use std::collections::{BTreeMap, BTreeSet};

use crate::iam::{Action, Pattern};

/// The first eight bytes of a source's SHA-256, as sixteen hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub String);

/// A session of a role, from `userIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Session {
    /// The account of the role.
    pub account: String,
    /// The role's name, without its path.
    pub role: String,
    /// The session's name: for a role on EC2 the instance id.
    pub name: String,
    /// Whether `sessionContext.ec2RoleDelivery` says that EC2 delivered the credentials; older records do not say.
    pub ec2_delivered: bool,
}

impl Session {
    /// Whether the session is named as sessions of an instance profile are: by the instance's id.
    #[must_use]
    pub fn is_instance(&self) -> bool {
        let hex = self.name.strip_prefix("i-").unwrap_or_default();
        matches!(hex.len(), 8 | 17) && hex.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

/// Where a call came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Through a VPC endpoint.
    Endpoint {
        /// `vpcEndpointId`.
        id: String,
        /// `vpcEndpointAccountId`, empty where the record does not say.
        account: String,
        /// `sourceIPAddress`, the private address.
        address: String,
    },
    /// From an IP address.
    Address(String),
    /// An AWS service made the call in the session's name (`invokedBy`).
    Service(String),
    /// `sourceIPAddress` is neither an address nor a service.
    Other(String),
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It succeeded.
    Succeeded,
    /// It failed with an error that comes after authorisation: it was authorised.
    FailedAuthorised(String),
    /// It was refused by authorisation; with the error code.
    Denied(String),
    /// It failed in a way that says nothing about authorisation.
    Failed(String),
}

impl Outcome {
    /// Whether the call passed authorisation.
    #[must_use]
    pub fn authorised(&self) -> bool {
        matches!(self, Self::Succeeded | Self::FailedAuthorised(_))
    }
}

/// One distinct use: the key of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Use {
    /// Whose call it was.
    pub session: Session,
    /// The IAM action that was needed.
    pub action: Action,
    /// The resource: an exact ARN, `*` where the action has none, or a shape with `*` where names were collapsed.
    pub resource: Pattern,
    /// Whether the record named the resource; `false` where only its type is known.
    pub resource_known: bool,
    /// `awsRegion`.
    pub region: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Where it came from.
    pub origin: Origin,
    /// Condition keys the record gives, such as `cloudwatch:namespace`; few values only.
    pub context: BTreeMap<String, String>,
    /// Whether the SSM agent's user agent made the call.
    pub by_agent: bool,
}

/// A call of an instance's session that shows no need: it takes no permission, as `GetCallerIdentity` and signing in to the console,
/// or the catalogue cannot map it. Whoever has stolen credentials often begins with one, so where it came from is worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Bare {
    /// Whose call it was.
    pub session: Session,
    /// `source:name`, such as `sts.amazonaws.com:GetCallerIdentity`.
    pub event: String,
    /// `awsRegion`.
    pub region: String,
    /// Where it came from.
    pub origin: Origin,
}

/// What an instance's SSM agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Heartbeat {
    /// The instance's session.
    pub session: Session,
    /// `agentVersion`; empty where hidden.
    pub agent_version: String,
    /// `platformType`: `Linux`, `Windows`, `MacOS`; empty where hidden.
    pub platform: String,
    /// Where the report came from.
    pub origin: Origin,
}

/// On what an operator's call acts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// This instance.
    Instance(String),
    /// Instances chosen by tag or group, as text such as `tag:Env=prod`: perhaps one of ours.
    Selected(String),
}

/// Somebody's call that shows a feature in use, without saying whose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Sign {
    /// The account in which the call was made.
    pub account: String,
    /// `awsRegion`.
    pub region: String,
    /// `source:name`, such as `ssm.amazonaws.com:SendCommand`.
    pub event: String,
    /// The SSM document, empty where none is named.
    pub document: String,
    /// On what it acts.
    pub target: Target,
    /// Places it names: `output-bucket`, `output-prefix`, `output-log-group`, `session-id`, …
    pub details: BTreeMap<String, String>,
}

/// How often something was seen, when, and a few events to look up.
///
/// Times are RFC 3339 in UTC with second precision, so that text order is time order.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Evidence {
    /// The earliest event's time.
    pub first: String,
    /// The latest event's time.
    pub last: String,
    /// How many distinct events each source holds.
    pub counts: BTreeMap<SourceId, u64>,
    /// The earliest events, at most [`Evidence::SAMPLES`], as time and event id.
    pub samples: BTreeSet<(String, String)>,
    /// Whether samples were left out that there was room for, as recordings do: then the counts say how many events there were.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abridged: bool,
}

impl Evidence {
    /// How many event ids are kept.
    pub const SAMPLES: usize = 64;

    /// The evidence of one event.
    #[must_use]
    pub fn of(time: &str, event: &str, source: &SourceId) -> Self {
        Self {
            first: time.to_owned(),
            last: time.to_owned(),
            counts: BTreeMap::from([(source.clone(), 1)]),
            samples: BTreeSet::from([(time.to_owned(), event.to_owned())]),
            abridged: false,
        }
    }

    /// How many events: exact while all of them are samples, else an upper bound (an event delivered to two files of
    /// ledgers that were merged may count twice).
    #[must_use]
    pub fn calls(&self) -> u64 {
        let held = self.samples.len() as u64;
        if held < Self::SAMPLES as u64 && !self.abridged { held } else { self.counts.values().sum::<u64>().max(held) }
    }

    /// Folds other evidence of the same thing into this one.
    pub fn merge(&mut self, other: Self) {
        self.first = std::mem::take(&mut self.first).min(other.first);
        self.last = std::mem::take(&mut self.last).max(other.last);
        for (source, count) in other.counts {
            let slot = self.counts.entry(source).or_default();
            *slot = (*slot).max(count);
        }
        self.abridged |= other.abridged;
        self.samples.extend(other.samples);
        while self.samples.len() > Self::SAMPLES {
            self.samples.pop_last();
        }
    }
}
