//! The addresses behind which instances stand, and the VPC endpoints that they reach.
//!
//! Source: Amazon EC2 API Reference, DescribeRouteTables, DescribeNatGateways and DescribeVpcEndpoints; Amazon VPC User Guide,
//! "Subnet route tables": a subnet without a table of its own has the main one of its VPC.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, RouteTable, VpcEndpointType};

use super::discover::{DiscoverError, asked};
use super::failure::Failure;
use super::instances::Found;
use super::lookup::Patience;

/// What is known of some VPCs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Network {
    /// The route table of each subnet that has one of its own.
    own: BTreeMap<String, String>,
    /// The main route table of each VPC.
    main: BTreeMap<String, String>,
    /// The NAT gateways that a route table leads to.
    gateways: BTreeMap<String, BTreeSet<String>>,
    /// The addresses of each NAT gateway.
    translated: BTreeMap<String, BTreeSet<String>>,
    /// The gateway endpoints of a route table.
    by_table: BTreeMap<String, BTreeSet<String>>,
    /// The interface endpoints of a VPC: every subnet of it reaches them.
    by_vpc: BTreeMap<String, BTreeSet<String>>,
}

impl Network {
    fn tables<'a>(&'a self, instance: &'a Found) -> impl Iterator<Item = &'a String> {
        let main = self.main.get(&instance.vpc);
        instance.subnets.iter().filter_map(move |subnet| self.own.get(subnet).or(main))
    }

    /// The addresses of the NAT gateways that an instance's packets leave through.
    pub(super) fn addresses(&self, instance: &Found) -> BTreeSet<String> {
        let gateways = self.tables(instance).filter_map(|table| self.gateways.get(table)).flatten();
        gateways.filter_map(|gateway| self.translated.get(gateway)).flatten().cloned().collect()
    }

    /// The endpoints that an instance reaches.
    pub(super) fn endpoints(&self, instance: &Found) -> BTreeSet<String> {
        let of_tables = self.tables(instance).filter_map(|table| self.by_table.get(table)).flatten();
        of_tables.chain(self.by_vpc.get(&instance.vpc).into_iter().flatten()).cloned().collect()
    }
}

/// Reads the VPCs in which instances are.
pub(super) async fn read(
    client: &Client,
    instances: impl Iterator<Item = &Found>,
    patience: Patience,
) -> Result<Network, DiscoverError> {
    let vpcs: BTreeSet<&str> = instances.map(|i| i.vpc.as_str()).filter(|vpc| !vpc.is_empty()).collect();
    let mut network = Network::default();
    for vpc in vpcs {
        let of_vpc = Filter::builder().name("vpc-id").values(vpc).build();
        read_tables(client, &of_vpc, &mut network, patience).await?;
        read_gateways(client, &of_vpc, &mut network, patience).await?;
        read_endpoints(client, &of_vpc, &mut network, patience).await?;
    }
    Ok(network)
}

async fn read_tables(client: &Client, of_vpc: &Filter, network: &mut Network, patience: Patience) -> Result<(), DiscoverError> {
    let mut token: Option<String> = None;
    loop {
        let page = asked(&patience, "route tables", "ec2:DescribeRouteTables", || async {
            let request = client.describe_route_tables().filters(of_vpc.clone()).set_next_token(token.clone());
            request.send().await.map_err(|error| Failure::of(&error))
        });
        let page = page.await?;
        page.route_tables().iter().for_each(|table| take(table, network));
        token = page.next_token().filter(|t| !t.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(());
        }
    }
}

fn take(table: &RouteTable, network: &mut Network) {
    let Some(id) = table.route_table_id() else { return };
    for association in table.associations() {
        if let Some(subnet) = association.subnet_id().filter(|s| !s.is_empty()) {
            network.own.insert(subnet.to_owned(), id.to_owned());
        } else if association.main().unwrap_or_default() {
            network.main.insert(table.vpc_id().unwrap_or_default().to_owned(), id.to_owned());
        }
    }
    let gateways = table.routes().iter().filter_map(|route| route.nat_gateway_id()).filter(|g| !g.is_empty());
    network.gateways.entry(id.to_owned()).or_default().extend(gateways.map(str::to_owned));
}

async fn read_gateways(client: &Client, of_vpc: &Filter, network: &mut Network, patience: Patience) -> Result<(), DiscoverError> {
    let mut token: Option<String> = None;
    loop {
        let page = asked(&patience, "NAT gateways", "ec2:DescribeNatGateways", || async {
            let request = client.describe_nat_gateways().filter(of_vpc.clone()).set_next_token(token.clone());
            request.send().await.map_err(|error| Failure::of(&error))
        });
        let page = page.await?;
        for gateway in page.nat_gateways() {
            // One without a public address is a private gateway, and shows its private one.
            let addresses = gateway.nat_gateway_addresses().iter().filter_map(|a| a.public_ip().or(a.private_ip()));
            let addresses = addresses.filter(|a| !a.is_empty()).map(str::to_owned);
            let id = gateway.nat_gateway_id().unwrap_or_default().to_owned();
            network.translated.entry(id).or_default().extend(addresses);
        }
        token = page.next_token().filter(|t| !t.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(());
        }
    }
}

async fn read_endpoints(
    client: &Client,
    of_vpc: &Filter,
    network: &mut Network,
    patience: Patience,
) -> Result<(), DiscoverError> {
    let mut token: Option<String> = None;
    loop {
        let page = asked(&patience, "VPC endpoints", "ec2:DescribeVpcEndpoints", || async {
            let request = client.describe_vpc_endpoints().filters(of_vpc.clone()).set_next_token(token.clone());
            request.send().await.map_err(|error| Failure::of(&error))
        });
        let page = page.await?;
        for endpoint in page.vpc_endpoints() {
            let Some(id) = endpoint.vpc_endpoint_id() else { continue };
            if endpoint.vpc_endpoint_type() == Some(&VpcEndpointType::Gateway) {
                for table in endpoint.route_table_ids() {
                    network.by_table.entry(table.clone()).or_default().insert(id.to_owned());
                }
            } else {
                let vpc = endpoint.vpc_id().unwrap_or_default().to_owned();
                network.by_vpc.entry(vpc).or_default().insert(id.to_owned());
            }
        }
        token = page.next_token().filter(|t| !t.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(());
        }
    }
}
