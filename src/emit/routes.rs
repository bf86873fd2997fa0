//! Which roles are behind a VPC endpoint: those of whatever stands in a subnet that reaches it.
//!
//! A gateway endpoint is a route in route tables; an interface endpoint is an address in the VPC, which every subnet
//! reaches (AWS PrivateLink Guide, "Gateway endpoints" and "Access an AWS service using an interface VPC endpoint"; read
//! 2026-11). The answer is complete or none: what the template does not show, somebody has to say.

use std::collections::BTreeSet;

use crate::template::{Document, Node};

use super::endpoint::Endpoint;
use super::function::{is_absent, reference};
use super::owner::{RoleError, role_of};
use super::references::References;
use super::role::roles;

/// Resource types that name a subnet and call no service with a role of their own from there (AWS CloudFormation Template
/// Reference; read 2026-11). A NAT gateway is none of them: what other subnets send through it takes the routes of its own.
const QUIET: [&str; 9] = [
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::SubnetNetworkAclAssociation",
    "AWS::EC2::SubnetCidrBlock",
    "AWS::EC2::VPCEndpoint",
    "AWS::EC2::InstanceConnectEndpoint",
    "AWS::EC2::FlowLog",
    "AWS::EC2::NetworkInterface",
    "AWS::ElasticLoadBalancing::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
];

/// Why a template does not tell which roles are behind an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A property is not a reference to a resource of the template.
    #[error("{place} of `{of}` names something outside of the template")]
    Outside {
        /// The resource.
        of: String,
        /// Its property.
        place: &'static str,
    },
    /// Nothing routes to the endpoint.
    #[error("no subnet of the template routes to it")]
    NoSubnet,
    /// Other stacks may put something there too.
    #[error("`{id}` is an output of the template, so other stacks may use it")]
    Exported {
        /// The subnet, route table or VPC.
        id: String,
    },
    /// Something stands in a subnet, and its role is not known.
    #[error("`{id}` of type `{kind}` is in the subnet `{subnet}`, and what it calls is not known")]
    Resident {
        /// Its logical id.
        id: String,
        /// Its type.
        kind: String,
        /// The subnet.
        subnet: String,
    },
    /// A resource in a subnet has a role of another template.
    #[error(transparent)]
    Role(#[from] RoleError),
}

/// The logical ids of the roles behind an endpoint.
///
/// # Errors
/// When the template does not tell all of them.
pub fn roles_behind(doc: &Document, id: &str, endpoint: &Endpoint<'_>) -> Result<BTreeSet<String>, RouteError> {
    let references = References::of(doc);
    let (mut shared, subnets) = if endpoint.is_gateway() { by_routes(doc, id, endpoint)? } else { by_vpc(doc, id, endpoint)? };
    if subnets.is_empty() {
        return Err(RouteError::NoSubnet);
    }
    shared.extend(subnets.iter().cloned());
    if let Some(id) = shared.iter().find(|id| exported(doc, id)) {
        return Err(RouteError::Exported { id: id.clone() });
    }
    let mut found = BTreeSet::new();
    for subnet in &subnets {
        for resident in residents(doc, &references, subnet) {
            let kind = kind(doc, &resident).to_owned();
            match role_of(doc, Some(&resident)) {
                Ok(role) => drop(found.insert(role)),
                // Instances without a role sign nothing.
                Err(RoleError::Without { .. }) if kind == "AWS::EC2::Instance" => {}
                Err(RoleError::Without { .. }) => {
                    return Err(RouteError::Resident { id: resident, kind, subnet: subnet.clone() });
                }
                Err(RoleError::Chosen { roles, .. }) => found.extend(roles),
                Err(other) => return Err(other.into()),
            }
        }
    }
    Ok(found)
}

fn kind<'d>(doc: &'d Document, id: &str) -> &'d str {
    doc.get(&["Resources", id, "Type"]).and_then(Node::as_str).unwrap_or("")
}

fn of_type<'d>(doc: &'d Document, wanted: &'static str) -> impl Iterator<Item = (&'d str, Node<'d>)> {
    let all = doc.get(&["Resources"]).into_iter().flat_map(Node::entries);
    all.filter(move |(_, resource)| resource.get("Type").and_then(Node::as_str) == Some(wanted))
        .filter_map(|(key, resource)| Some((key.as_str()?, resource.get("Properties")?)))
}

/// The resource of the template that a property refers to.
fn target<'d>(doc: &'d Document, node: Option<Node<'d>>, wanted: &[&str]) -> Option<&'d str> {
    let id = node.and_then(reference)?;
    wanted.contains(&kind(doc, id)).then_some(id)
}

type Found = Result<(BTreeSet<String>, BTreeSet<String>), RouteError>;

/// The route tables that hold the route, and the subnets that have them.
fn by_routes(doc: &Document, id: &str, endpoint: &Endpoint<'_>) -> Found {
    let outside = |of: &str, place: &'static str| RouteError::Outside { of: of.to_owned(), place };
    let tables = endpoint.property("RouteTableIds").filter(|list| list.is_sequence() && list.tag().is_none());
    let tables = tables.ok_or_else(|| outside(id, "`RouteTableIds`"))?;
    let one = |item: Node<'_>| target(doc, Some(item), &["AWS::EC2::RouteTable"]).map(str::to_owned);
    let tables: Option<BTreeSet<String>> = tables.items().filter(|item| !is_absent(*item)).map(one).collect();
    let tables = tables.ok_or_else(|| outside(id, "`RouteTableIds`"))?;
    let mut subnets = BTreeSet::new();
    for (association, properties) in of_type(doc, "AWS::EC2::SubnetRouteTableAssociation") {
        let table = target(doc, properties.get("RouteTableId"), &["AWS::EC2::RouteTable"]);
        // A table that is chosen when the stack is deployed may be one of ours.
        let table = table.ok_or_else(|| outside(association, "`RouteTableId`"))?;
        if tables.contains(table) {
            let subnet = target(doc, properties.get("SubnetId"), &["AWS::EC2::Subnet"]);
            subnets.insert(subnet.ok_or_else(|| outside(association, "`SubnetId`"))?.to_owned());
        }
    }
    Ok((tables, subnets))
}

/// The VPC, and all of its subnets.
fn by_vpc(doc: &Document, id: &str, endpoint: &Endpoint<'_>) -> Found {
    let vpc = target(doc, endpoint.property("VpcId"), &["AWS::EC2::VPC"]);
    let vpc = vpc.ok_or_else(|| RouteError::Outside { of: id.to_owned(), place: "`VpcId`" })?;
    let mut subnets = BTreeSet::new();
    for (subnet, properties) in of_type(doc, "AWS::EC2::Subnet") {
        let own = target(doc, properties.get("VpcId"), &["AWS::EC2::VPC"]);
        if own.ok_or_else(|| RouteError::Outside { of: subnet.to_owned(), place: "`VpcId`" })? == vpc {
            subnets.insert(subnet.to_owned());
        }
    }
    Ok(([vpc.to_owned()].into(), subnets))
}

fn exported(doc: &Document, id: &str) -> bool {
    let outputs = doc.get(&["Outputs"]).into_iter().flat_map(Node::entries);
    let values = outputs.filter_map(|(_, output)| output.get("Value"));
    values.into_iter().any(|value| super::references::names(value).contains(id))
}

/// What stands in a subnet, network interfaces followed to what has them.
fn residents(doc: &Document, references: &References, subnet: &str) -> BTreeSet<String> {
    let mut places: BTreeSet<&str> = BTreeSet::from([subnet]);
    let interfaces = of_type(doc, "AWS::EC2::NetworkInterface").filter(|(id, _)| references.direct(id, subnet));
    places.extend(interfaces.map(|(id, _)| id));
    let stands = |id: &&str| places.iter().any(|place| references.direct(id, place)) && !QUIET.contains(&kind(doc, id));
    references.resources().filter(stands).map(str::to_owned).collect()
}

/// What is known of the images that instances with these roles start from: names and parameters; nothing where one of them
/// does not say.
#[must_use]
pub fn images(doc: &Document, of_roles: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let known = roles(doc);
    for role in of_roles {
        for instance in &known.iter().find(|known| known.id == *role)?.instances {
            let properties = doc.get(&["Resources", instance, "Properties"])?;
            let data = properties.get("LaunchTemplateData").unwrap_or(properties);
            found.extend(image(doc, data.get("ImageId")?)?);
        }
    }
    (!found.is_empty()).then_some(found)
}

fn image(doc: &Document, node: Node<'_>) -> Option<Vec<String>> {
    if let Some(text) = node.as_str() {
        return Some(vec![text.to_owned()]);
    }
    let parameter = doc.get(&["Parameters", reference(node)?])?;
    let allowed = parameter.get("AllowedValues")?;
    allowed.items().map(|value| value.scalar().map(str::to_owned)).collect()
}
