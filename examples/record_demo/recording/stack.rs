//! The description of the two stacks, which `derive` uses where it cannot ask AWS.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::world::{ACCOUNT, DEMO, Deployed, ENDPOINTS, Instance, LINKED, NAT, PRIVATELINK, PUBLIC, REGION};

/// `stack.json`.
pub(super) fn description() -> io::Result<Vec<u8>> {
    let description = json!({
        "schema": 1,
        "partition": "aws",
        "account": ACCOUNT,
        "region": REGION,
        "note": "invented, as is the recording beside it: the names that CloudFormation could have given",
        "stacks": {
            DEMO.name: stack(&DEMO, &[&PUBLIC, &NAT], &[]),
            PRIVATELINK.name: stack(&PRIVATELINK, &[&LINKED], &ENDPOINTS),
        },
    });
    let mut text = serde_json::to_vec_pretty(&description)?;
    text.push(b'\n');
    Ok(text)
}

fn stack(deployed: &Deployed, instances: &[&Instance], endpoints: &[(&str, &str, &str)]) -> Value {
    let mut resources = BTreeMap::from([
        ("SessionLogBucket".to_owned(), deployed.bucket.to_owned()),
        ("SessionLogGroup".to_owned(), deployed.log_group.to_owned()),
        ("SessionPreferences".to_owned(), deployed.preferences()),
    ]);
    resources.extend(endpoints.iter().map(|(logical, _, id)| ((*logical).to_owned(), (*id).to_owned())));
    let ids: Vec<&str> = endpoints.iter().map(|(_, _, id)| *id).collect();
    let mut roles = BTreeMap::new();
    for instance in instances {
        resources.insert(instance.logical_id.to_owned(), instance.id.to_owned());
        resources.insert(instance.role_logical_id.to_owned(), instance.role.to_owned());
        let addresses: Vec<&str> = instance.public_address.into_iter().chain([instance.private_address]).collect();
        let role = json!({
            "name": instance.role,
            "arn": format!("arn:aws:iam::{ACCOUNT}:role/{}", instance.role),
            "instances": [instance.id],
            "addresses": addresses,
            "endpoints": ids,
        });
        roles.insert(instance.role_logical_id.to_owned(), role);
    }
    json!({"resources": resources, "roles": roles})
}
