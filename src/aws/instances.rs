//! The instances of a stack, however they came to it.
//!
//! Source: Amazon EC2 API Reference, DescribeInstances and DescribeLaunchTemplateVersions; Amazon EC2 Auto Scaling User Guide,
//! "Tag Auto Scaling groups and instances" (`aws:autoscaling:groupName`); Amazon EC2 User Guide, "Launch templates"
//! (`aws:ec2launchtemplate:id`). A terminated instance is described for about an hour.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::discover::DiscoverError;
use super::ec2::{About, Client, every};
use super::lookup::Patience;
use super::resources::Resources;
use super::xml::Element;

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
    let ask = |token| client.describe_instances(About::Filter(filter, values), token);
    let take = |page: &Element| {
        let described = page.items("reservationSet").flat_map(|reservation| reservation.items("instancesSet"));
        found.extend(described.filter_map(|i| Some((i.text("instanceId")?.to_owned(), read(i)))));
    };
    every(&patience, "instances", "ec2:DescribeInstances", ask, take).await?;
    Ok(found)
}

fn read(instance: &Element) -> Found {
    let interfaces = || instance.items("networkInterfaceSet");
    let private = interfaces().flat_map(|interface| interface.items("privateIpAddressesSet"));
    let of_private = private.flat_map(|a| [a.text("privateIpAddress"), a.child("association").and_then(|p| p.text("publicIp"))]);
    let of_ipv6 = interfaces().flat_map(|interface| interface.items("ipv6AddressesSet")).map(|a| a.text("ipv6Address"));
    let own = ["privateIpAddress", "ipAddress", "ipv6Address"].map(|name| instance.text(name));
    let subnets = interfaces().filter_map(|interface| interface.text("subnetId")).chain(instance.text("subnetId"));
    Found {
        profile: instance.child("iamInstanceProfile").and_then(|p| p.text("arn")).map(str::to_owned),
        running: instance.child("instanceState").and_then(|s| s.text("name")) == Some("running"),
        since: instance.text("launchTime").and_then(|t| t.parse().ok()),
        addresses: of_private.chain(of_ipv6).chain(own).flatten().map(str::to_owned).collect(),
        vpc: instance.text("vpcId").unwrap_or_default().to_owned(),
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
        let ask = |token| client.describe_launch_template_versions(About::Parameter("LaunchTemplateId", id), token);
        let take = |page: &Element| {
            let data = page.items("launchTemplateVersionSet").filter_map(|version| version.child("launchTemplateData"));
            for profile in data.filter_map(|data| data.child("iamInstanceProfile")) {
                found.extend(profile.text("name").map(str::to_owned).or_else(|| profile.text("arn").map(last)));
            }
        };
        every(&patience, &format!("the launch template `{id}`"), "ec2:DescribeLaunchTemplateVersions", ask, take).await?;
    }
    Ok(found)
}
