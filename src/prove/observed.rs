//! Observed calls as requests: what a ledger's entry says of the context keys, and what it cannot say.
//!
//! | key | from | source (AWS documentation, read 2026-11) |
//! |---|---|---|
//! | `aws:RequestedRegion` | `awsRegion` | IAM User Guide, "AWS global condition context keys": the region that was called |
//! | `aws:PrincipalAccount` | the role's account | the same page: the account of the requesting principal |
//! | `aws:PrincipalType` | a role's session | the same page: `AssumedRole` |
//! | `aws:username` | a role's session | the same page: not in the requests of roles |
//! | `aws:ViaAWSService` | `invokedBy` | the same page: true where a service calls in the principal's name |
//! | `aws:SourceVpce` | `vpcEndpointId` | the same page: the endpoint that the request came through |
//! | `aws:SourceIp` | a public `sourceIPAddress` | the same page: not for requests through an endpoint |
//!
//! Everything else that an entry does not name is unknown: neither present nor absent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::evaluate::Value::One;
use super::replay::Call;
use crate::ledger::{Origin, Use};

/// A use as calls: one, or a few of the shape where names were collapsed.
#[must_use]
pub fn calls(used: &Use) -> Vec<Call> {
    let mut context = BTreeMap::from([
        ("aws:requestedregion".to_owned(), One(used.region.clone())),
        ("aws:principalaccount".to_owned(), One(used.session.account.clone())),
        ("aws:principaltype".to_owned(), One("AssumedRole".to_owned())),
        ("aws:viaawsservice".to_owned(), One(matches!(used.origin, Origin::Service(_)).to_string())),
    ]);
    let mut absent = BTreeSet::from(["aws:username".to_owned()]);
    match &used.origin {
        Origin::Endpoint { id, .. } => {
            context.insert("aws:sourcevpce".to_owned(), One(id.clone()));
            absent.insert("aws:sourceip".to_owned());
        }
        Origin::Address(address) if is_public(address) => {
            context.insert("aws:sourceip".to_owned(), One(address.clone()));
            absent.insert("aws:sourcevpce".to_owned());
        }
        Origin::Address(_) | Origin::Service(_) | Origin::Other(_) => {}
    }
    context.extend(used.context.iter().map(|(key, value)| (key.to_ascii_lowercase(), One(value.clone()))));
    let call = |resource: String| Call {
        action: used.action.to_string(),
        resource,
        context: context.clone(),
        absent: absent.clone(),
        label: format!("{} on {}", used.action, used.resource),
    };
    used.resource.samples().into_iter().map(call).collect()
}

/// Whether an address is one that only the internet path shows; private ones may belong to an endpoint.
fn is_public(address: &str) -> bool {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private() || v4.is_link_local() || v4.is_loopback() || v4.is_unspecified() || shared)
        }
        Ok(IpAddr::V6(v6)) => v6.segments().first().is_some_and(|s| s & 0xe000 == 0x2000),
        Err(_) => false,
    }
}
