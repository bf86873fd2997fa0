//! The instances of a stack, however they came to it.
//!
//! Source: Amazon EC2 API Reference, DescribeInstances and DescribeLaunchTemplateVersions; Amazon EC2 Auto Scaling User Guide,
//! "Tag Auto Scaling groups and instances" (`aws:autoscaling:groupName`); Amazon EC2 User Guide, "Launch templates"
//! (`aws:ec2launchtemplate:id`). A terminated instance is described for about an hour.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};
use jiff::Timestamp;

use super::discover::{DiscoverError, asked};
use super::failure::Failure;
use super::lookup::Patience;
use super::resources::Resources;

/// By what instances are found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// The stacks' names.
    pub(super) stacks: BTreeSet<String>,
    /// Ids of instances that are resources.
    pub(super) ids: BTreeSet<String>,
    /// Names of Auto Scaling groups.
    pub(super) groups: BTreeSet<String>,
    /// Ids of launch templates.
    pub(super) templates: BTreeSet<String>,
}

impl Search {
    pub(super) fn of(all: &Resources) -> Self {
        let named = |kind: &str| all.of_type(kind).map(|(_, _, name)| name.to_owned()).collect();
        Self {
            stacks: all.stacks.keys().cloned().collect(),
            ids: named("AWS::EC2::Instance"),
            groups: named("AWS::AutoScaling::AutoScalingGroup"),
            templates: named("AWS::EC2::LaunchTemplate"),
        }
    }
}

/// An instance as EC2 describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The ARN of its instance profile.
    pub(super) profile: Option<String>,
    pub(super) running: bool,
    pub(super) since: Option<Timestamp>,
    /// Its own addresses, private and public.
    pub(super) addresses: BTreeSet<String>,
    pub(super) vpc: String,
    pub(super) subnets: BTreeSet<String>,
}

impl Found {
    /// The name in the profile's ARN.
    pub(super) fn profile_name(&self) -> Option<String> {
        self.profile.as_deref().map(last)
    }
}

fn last(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}

/// A filter has at most so many values.
///
/// Source: Amazon EC2 API Reference, DescribeInstances, Filter.
const VALUES: usize = 200;

/// Finds the instances of a search.
pub(super) async fn find(client: &Client, search: &Search, patience: Patience) -> Result<BTreeMap<String, Found>, DiscoverError> {
    let mut found = BTreeMap::new();
    for (filter, values) in [
        ("instance-id", &search.ids),
        ("tag:aws:cloudformation:stack-name", &search.stacks),
        ("tag:aws:autoscaling:groupName", &search.groups),
        ("tag:aws:ec2launchtemplate:id", &search.templates),
    ] {
        found.extend(chunked(client, filter, values, patience).await?);
    }
    Ok(found)
}

/// The instances that run with instance profiles, by their ARNs.
pub(super) async fn of_profiles(
    client: &Client,
    arns: &BTreeSet<String>,
    patience: Patience,
) -> Result<BTreeMap<String, Found>, DiscoverError> {
    chunked(client, "iam-instance-profile.arn", arns, patience).await
}

async fn chunked(
    client: &Client,
    filter: &str,
    values: &BTreeSet<String>,
    patience: Patience,
) -> Result<BTreeMap<String, Found>, DiscoverError> {
    let (mut found, values) = (BTreeMap::new(), values.iter().cloned().collect::<Vec<_>>());
    for some in values.chunks(VALUES) {
        found.extend(filtered(client, filter, some, patience).await?);
    }
    Ok(found)
}

async fn filtered(
    client: &Client,
    filter: &str,
    values: &[String],
    patience: Patience,
) -> Result<BTreeMap<String, Found>, DiscoverError> {
    let mut found = BTreeMap::new();
    let mut token: Option<String> = None;
    let filter = Filter::builder().name(filter).set_values(Some(values.to_vec())).build();
    loop {
        let page = asked(&patience, "instances", "ec2:DescribeInstances", || async {
            let request = client.describe_instances().filters(filter.clone()).set_next_token(token.clone());
            request.send().await.map_err(|error| Failure::of(&error))
        });
        let page = page.await?;
        let described = page.reservations().iter().flat_map(|r| r.instances());
        found.extend(described.filter_map(|i| Some((i.instance_id()?.to_owned(), read(i)))));
        token = page.next_token().filter(|t| !t.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn read(instance: &Instance) -> Found {
    let interfaces = instance.network_interfaces();
    let private = interfaces.iter().flat_map(|i| i.private_ip_addresses());
    let mut addresses: BTreeSet<String> = private
        .flat_map(|a| [a.private_ip_address(), a.association().and_then(|p| p.public_ip())])
        .chain([instance.private_ip_address(), instance.public_ip_address(), instance.ipv6_address()])
        .flatten()
        .map(str::to_owned)
        .collect();
    addresses.extend(interfaces.iter().flat_map(|i| i.ipv6_addresses()).filter_map(|a| a.ipv6_address()).map(str::to_owned));
    addresses.retain(|a| !a.is_empty());
    let subnets = interfaces.iter().filter_map(|i| i.subnet_id()).chain(instance.subnet_id());
    Found {
        profile: instance.iam_instance_profile().and_then(|p| p.arn()).map(str::to_owned),
        running: instance.state().and_then(|s| s.name()) == Some(&InstanceStateName::Running),
        since: instance.launch_time().and_then(|t| Timestamp::from_second(t.secs()).ok()),
        addresses,
        vpc: instance.vpc_id().unwrap_or_default().to_owned(),
        subnets: subnets.map(str::to_owned).collect(),
    }
}

/// The names of the instance profiles that launch templates give their instances, in any of their versions.
pub(super) async fn launched_with(
    client: &Client,
    templates: &BTreeSet<String>,
    patience: Patience,
) -> Result<BTreeSet<String>, DiscoverError> {
    let mut found = BTreeSet::new();
    for id in templates {
        let mut token: Option<String> = None;
        loop {
            let what = format!("the launch template `{id}`");
            let page = asked(&patience, &what, "ec2:DescribeLaunchTemplateVersions", || async {
                let request = client.describe_launch_template_versions().launch_template_id(id).set_next_token(token.clone());
                request.send().await.map_err(|error| Failure::of(&error))
            });
            let page = page.await?;
            let data = page.launch_template_versions().iter().filter_map(|v| v.launch_template_data());
            for profile in data.filter_map(|d| d.iam_instance_profile()) {
                found.extend(profile.name().map(str::to_owned).or_else(|| profile.arn().map(last)));
            }
            token = page.next_token().filter(|t| !t.is_empty()).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
    }
    Ok(found)
}
