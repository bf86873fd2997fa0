//! The resources of CloudFormation stacks, and of the stacks that are nested in them.
//!
//! Source: AWS CloudFormation API Reference, DescribeStacks, ListStackResources and GetTemplateSummary.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::Client;

use super::discover::{DiscoverError, Where, asked};
use super::failure::Failure;
use super::lookup::Patience;

/// The resources of one stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Type and physical name, by logical id.
    pub(super) resources: BTreeMap<String, (String, String)>,
    /// Parameters whose values are not the template's defaults.
    pub(super) parameters: BTreeMap<String, String>,
}

/// The resources of several stacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resources {
    /// By the stack's name.
    pub(super) stacks: BTreeMap<String, Listed>,
    /// The ids of the stacks.
    pub(super) ids: BTreeSet<String>,
}

impl Resources {
    pub(super) fn extend(&mut self, other: Self) {
        self.stacks.extend(other.stacks);
        self.ids.extend(other.ids);
    }

    /// Stack, logical id and physical name of the resources of a type.
    pub(super) fn of_type(&self, wanted: &str) -> impl Iterator<Item = (&str, &str, &str)> {
        let all = self.stacks.iter().flat_map(|(stack, listed)| listed.resources.iter().map(move |r| (stack, r)));
        all.filter(move |(_, (_, (kind, _)))| kind == wanted)
            .map(|(stack, (id, (_, name)))| (stack.as_str(), id.as_str(), name.as_str()))
    }
}

/// The name in a stack's ARN: `arn:PARTITION:cloudformation:REGION:ACCOUNT:stack/NAME/ID`.
fn name_of(id: &str) -> &str {
    id.split('/').nth(1).unwrap_or(id)
}

/// Reads a stack and everything that is nested in it.
pub(super) async fn read(client: &Client, name: &str, place: &Where, patience: Patience) -> Result<Resources, DiscoverError> {
    let mut all = Resources::default();
    let mut waiting = vec![name.to_owned()];
    while let Some(next) = waiting.pop() {
        let (id, parameters) = head(client, &next, place, patience).await?;
        if !all.ids.insert(id) {
            continue;
        }
        let resources = list(client, &next, patience).await?;
        waiting.extend(resources.values().filter(|(kind, _)| kind == "AWS::CloudFormation::Stack").map(|(_, id)| id.clone()));
        all.stacks.insert(name_of(&next).to_owned(), Listed { resources, parameters });
    }
    Ok(all)
}

/// The stack's id and the parameters that somebody chose.
async fn head(
    client: &Client,
    name: &str,
    place: &Where,
    patience: Patience,
) -> Result<(String, BTreeMap<String, String>), DiscoverError> {
    let what = format!("the stack `{name}`");
    let answer = asked(&patience, &what, "cloudformation:DescribeStacks", || async {
        client.describe_stacks().stack_name(name).send().await.map_err(|error| Failure::of(&error))
    });
    let missing =
        || DiscoverError::NoStack { name: name.to_owned(), region: place.region.clone(), account: place.account.clone() };
    let answer = answer.await.map_err(|error| match &error {
        DiscoverError::Failed { reason, .. } if reason.contains("does not exist") => missing(),
        _ => error,
    })?;
    let stack = answer.stacks().first().ok_or_else(missing)?;
    let given = stack.parameters().iter().filter_map(|p| Some((p.parameter_key()?.to_owned(), p.parameter_value()?.to_owned())));
    let mut given: BTreeMap<String, String> = given.collect();
    if !given.is_empty() {
        let summary = asked(&patience, &what, "cloudformation:GetTemplateSummary", || async {
            client.get_template_summary().stack_name(name).send().await.map_err(|error| Failure::of(&error))
        });
        for declared in summary.await?.parameters() {
            let key = declared.parameter_key().unwrap_or_default();
            let usual = given.get(key).map(String::as_str) == declared.default_value();
            // What a template hides is nobody's business here.
            if usual || declared.no_echo().unwrap_or_default() {
                given.remove(key);
            }
        }
    }
    Ok((stack.stack_id().unwrap_or(name).to_owned(), given))
}

async fn list(client: &Client, name: &str, patience: Patience) -> Result<BTreeMap<String, (String, String)>, DiscoverError> {
    let mut found = BTreeMap::new();
    let mut token: Option<String> = None;
    loop {
        let what = format!("the resources of the stack `{name}`");
        let page = asked(&patience, &what, "cloudformation:ListStackResources", || async {
            let request = client.list_stack_resources().stack_name(name).set_next_token(token.clone());
            request.send().await.map_err(|error| Failure::of(&error))
        });
        let page = page.await?;
        for resource in page.stack_resource_summaries() {
            let (Some(id), Some(kind)) = (resource.logical_resource_id(), resource.resource_type()) else { continue };
            // Without a physical name it was not made, or is gone.
            let Some(physical) = resource.physical_resource_id().filter(|p| !p.is_empty()) else { continue };
            found.insert(id.to_owned(), (kind.to_owned(), physical.to_owned()));
        }
        token = page.next_token().filter(|t| !t.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}
