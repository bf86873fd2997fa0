//! What belongs to a stack: its roles with what is attached to them, its instances, and where those are.
//!
//! Everything is read through CloudFormation, IAM and EC2. A role is the stack's when one of its instance profiles is the stack's,
//! or an instance of the stack runs with it, so it may have been made elsewhere.
//!
//! INVARIANT (discover-whole): a description is complete as far as the services tell, or there is an error.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use jiff::Timestamp;

use super::ec2;
use super::failure::{Failure, GaveUp, tried};
use super::identity::{self, Profile};
use super::instances::{self, Found, Search};
use super::lookup::Patience;
use super::network::{self, Network};
use super::resources::{self, Resources};
use super::whole::Whole;
use crate::stack::{Role, Stack, StackDescription};

/// Why a stack could not be described.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// There is no stack of this name. The user's fault, or the region's.
    #[error("there is no stack `{name}` in {region} of the account {account}; check `--region` and `--profile`")]
    NoStack {
        /// What was asked for.
        name: String,
        /// Where.
        region: String,
        /// Whose.
        account: String,
    },
    /// The stack has nothing that could have a policy.
    #[error("the stack `{0}` has no instance profile and no instance with a role, so there is no policy to derive")]
    NoRoles(String),
    /// The caller may not ask. The account's administrator can change that.
    #[error("AWS refuses to describe {what} ({reason}); it needs the permission {permission}")]
    Denied {
        /// What was asked for.
        what: String,
        /// What AWS says.
        reason: String,
        /// What is needed.
        permission: &'static str,
    },
    /// AWS does not answer, or not so that it can be used.
    #[error("AWS did not describe {what} in {tries} tries: {reason}")]
    Failed {
        /// What was asked for.
        what: String,
        /// How often.
        tries: u32,
        /// The last failure.
        reason: String,
    },
}

/// In which account and region a stack is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Where {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// The account id.
    pub account: String,
    /// The region.
    pub region: String,
}

/// An instance that is known to EC2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// Its id.
    pub id: String,
    /// The name of the role that it runs with.
    pub role: String,
    /// Whether it runs.
    pub running: bool,
    /// Since when, where EC2 says.
    pub since: Option<Timestamp>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The stacks as the rest of policyc knows them.
    pub description: StackDescription,
    /// The instances that EC2 still knows.
    pub machines: BTreeSet<Machine>,
    /// Roles of the stacks that no instance uses, as `STACK: LOGICAL-ID`.
    pub others: BTreeSet<String>,
    /// What nobody knows who cannot read the account: ids of the stacks and of their roles.
    pub secret: BTreeSet<String>,
}

/// Describes stacks, and the stacks that are nested in them.
///
/// # Errors
/// When a stack does not exist, has no role that instances use, or a service refuses or does not answer.
pub async fn discover(
    names: &BTreeSet<String>,
    place: &Where,
    config: &SdkConfig,
    patience: Patience,
) -> Result<Discovery, DiscoverError> {
    let all = listed(&stacks(config), names, place, patience).await?;
    let client = ec2::Client::new(config);
    let search = Search::of(&all);
    let mut found = instances::find(&client, &search, patience).await?;
    let named = all.of_type("AWS::IAM::InstanceProfile").map(|(_, _, name)| name.to_owned());
    let launched = instances::launched_with(&client, &search.templates, patience).await?;
    let wanted = named.chain(launched).chain(found.values().filter_map(Found::profile_name)).collect();
    let (profiles, roles) = identities(&iam(config), wanted, patience).await?;
    if roles.is_empty() {
        return Err(DiscoverError::NoRoles(names.iter().cloned().collect::<Vec<_>>().join("`, `")));
    }
    // Whoever else runs with a profile shares its policy.
    let arns: BTreeSet<String> = profiles.values().map(|profile| profile.arn.clone()).collect();
    found.extend(instances::of_profiles(&client, &arns, patience).await?);
    let network = network::read(&client, found.values(), patience).await?;
    let mut discovery = Discovery { secret: all.ids.clone(), ..Discovery::default() };
    discovery.secret.extend(roles.values().map(|(id, _)| id.clone()));
    let roles = roles.into_iter().map(|(name, (_, role))| (name, role)).collect();
    settle(&mut discovery, roles, &found, &profiles, &network);
    describe(&mut discovery, place, &all, names);
    Ok(discovery)
}

fn stacks(config: &SdkConfig) -> aws_sdk_cloudformation::Client {
    let config = aws_sdk_cloudformation::config::Builder::from(config).interceptor(Whole);
    aws_sdk_cloudformation::Client::from_conf(config.build())
}

fn iam(config: &SdkConfig) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::from_conf(aws_sdk_iam::config::Builder::from(config).interceptor(Whole).build())
}

async fn listed(
    client: &aws_sdk_cloudformation::Client,
    names: &BTreeSet<String>,
    place: &Where,
    patience: Patience,
) -> Result<Resources, DiscoverError> {
    let mut all = Resources::default();
    for name in names {
        all.extend(resources::read(client, name, place, patience).await?);
    }
    Ok(all)
}

/// A role's unique id and the role.
type Identity = (String, Role);

/// The instance profiles, and the roles in them by name.
async fn identities(
    client: &aws_sdk_iam::Client,
    wanted: BTreeSet<String>,
    patience: Patience,
) -> Result<(BTreeMap<String, Profile>, BTreeMap<String, Identity>), DiscoverError> {
    let (mut profiles, mut roles) = (BTreeMap::new(), BTreeMap::new());
    for name in wanted {
        if let Some(profile) = identity::profile(client, &name, patience).await? {
            profiles.insert(name, profile);
        }
    }
    for name in profiles.values().flat_map(|profile| &profile.roles) {
        if !roles.contains_key(name) {
            roles.insert(name.clone(), identity::role(client, name, patience).await?);
        }
    }
    Ok((profiles, roles))
}

/// A description under way: roles wait under an empty stack name until they find theirs.
fn settle(
    discovery: &mut Discovery,
    mut roles: BTreeMap<String, Role>,
    found: &BTreeMap<String, Found>,
    profiles: &BTreeMap<String, Profile>,
    network: &Network,
) {
    for (id, instance) in found {
        let profile = instance.profile_name().and_then(|name| profiles.get(&name));
        for name in profile.into_iter().flat_map(|p| &p.roles) {
            let Some(role) = roles.get_mut(name) else { continue };
            role.instances.insert(id.clone());
            role.addresses.extend(instance.addresses.iter().cloned().chain(network.addresses(instance)));
            role.endpoints.extend(network.endpoints(instance));
            let (id, role) = (id.clone(), name.clone());
            discovery.machines.insert(Machine { id, role, running: instance.running, since: instance.since });
        }
    }
    discovery.description.stacks.entry(String::new()).or_default().roles = roles;
}

fn describe(discovery: &mut Discovery, place: &Where, all: &Resources, names: &BTreeSet<String>) {
    let waiting = discovery.description.stacks.remove("").unwrap_or_default().roles;
    let description = &mut discovery.description;
    description.schema = 1;
    description.partition.clone_from(&place.partition);
    description.account.clone_from(&place.account);
    description.region.clone_from(&place.region);
    for (name, listed) in &all.stacks {
        // What is named by its address is nothing that a policy names.
        let named = listed.resources.iter().filter(|(_, (_, name))| name.parse::<std::net::IpAddr>().is_err());
        let resources = named.map(|(id, (_, name))| (id.clone(), name.clone())).collect();
        let stack = Stack { resources, parameters: listed.parameters.clone(), roles: BTreeMap::new() };
        description.stacks.insert(name.clone(), stack);
    }
    let unused = all.of_type("AWS::IAM::Role").filter(|(_, _, name)| !waiting.contains_key(*name));
    discovery.others = unused.map(|(stack, id, _)| format!("{stack}: {id}")).collect();
    for (name, role) in waiting {
        let own = all.of_type("AWS::IAM::Role").find(|(_, _, physical)| *physical == name);
        let (stack, id) = own.map_or_else(
            // A role that was made elsewhere has no logical id here.
            || (names.first().cloned().unwrap_or_default(), name.clone()),
            |(stack, id, _)| (stack.to_owned(), id.to_owned()),
        );
        description.stacks.entry(stack).or_default().roles.insert(id, role);
    }
}

/// Asks until there is an answer, or it is clear that there will be none.
pub(super) async fn asked<T, F>(
    patience: &Patience,
    what: &str,
    permission: &'static str,
    ask: impl Fn() -> F,
) -> Result<T, DiscoverError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let what = || what.to_owned();
    tried(patience, patience.timeout, ask).await.map_err(|GaveUp { failure, tries }| match failure {
        Failure::Denied(reason) => DiscoverError::Denied { what: what(), reason, permission },
        other => DiscoverError::Failed { what: what(), tries, reason: other.reason().to_owned() },
    })
}
