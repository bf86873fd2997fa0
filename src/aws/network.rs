//! The addresses behind which instances stand, and the VPC endpoints that they reach.
//!
//! Source: Amazon EC2 API Reference, DescribeRouteTables, DescribeNatGateways and DescribeVpcEndpoints; Amazon VPC User Guide,
//! "Subnet route tables": a subnet without a table of its own has the main one of its VPC.

use std::collections::{BTreeMap, BTreeSet};

use super::discover::DiscoverError;
use super::ec2::{About, Client, every};
use super::instances::Found;
use super::lookup::Patience;
use super::xml::Element;

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

    fn take_table(&mut self, table: &Element) {
        let Some(id) = table.text("routeTableId") else { return };
        for association in table.items("associationSet") {
            if let Some(subnet) = association.text("subnetId") {
                self.own.insert(subnet.to_owned(), id.to_owned());
            } else if association.text("main") == Some("true") {
                self.main.insert(table.text("vpcId").unwrap_or_default().to_owned(), id.to_owned());
            }
        }
        let gateways = table.items("routeSet").filter_map(|route| route.text("natGatewayId"));
        self.gateways.entry(id.to_owned()).or_default().extend(gateways.map(str::to_owned));
    }

    fn take_gateway(&mut self, gateway: &Element) {
        let Some(id) = gateway.text("natGatewayId") else { return };
        // One without a public address is a private gateway, and shows its private one.
        let addresses = gateway.items("natGatewayAddressSet").filter_map(|a| a.text("publicIp").or(a.text("privateIp")));
        self.translated.entry(id.to_owned()).or_default().extend(addresses.map(str::to_owned));
    }

    fn take_endpoint(&mut self, endpoint: &Element) {
        let Some(id) = endpoint.text("vpcEndpointId") else { return };
        if endpoint.text("vpcEndpointType") == Some("Gateway") {
            for table in endpoint.items("routeTableIdSet") {
                self.by_table.entry(table.own_text().to_owned()).or_default().insert(id.to_owned());
            }
        } else {
            let vpc = endpoint.text("vpcId").unwrap_or_default().to_owned();
            self.by_vpc.entry(vpc).or_default().insert(id.to_owned());
        }
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
        let values = [vpc.to_owned()];
        let of_vpc = || About::Filter("vpc-id", &values);
        let ask = |token| client.describe_route_tables(of_vpc(), token);
        let take = |page: &Element| page.items("routeTableSet").for_each(|table| network.take_table(table));
        every(&patience, "route tables", "ec2:DescribeRouteTables", ask, take).await?;
        let ask = |token| client.describe_nat_gateways(of_vpc(), token);
        let take = |page: &Element| page.items("natGatewaySet").for_each(|gateway| network.take_gateway(gateway));
        every(&patience, "NAT gateways", "ec2:DescribeNatGateways", ask, take).await?;
        let ask = |token| client.describe_vpc_endpoints(of_vpc(), token);
        let take = |page: &Element| page.items("vpcEndpointSet").for_each(|endpoint| network.take_endpoint(endpoint));
        every(&patience, "VPC endpoints", "ec2:DescribeVpcEndpoints", ask, take).await?;
    }
    Ok(network)
}
