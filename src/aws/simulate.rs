//! IAM's own evaluator, SimulateCustomPolicy: what it says of requests under some policies.
//!
//! Source: AWS IAM API Reference, SimulateCustomPolicy. The policies are sent along; nothing of the account is looked at.
//!
//! INVARIANT (simulate-whole): each request has IAM's answer to it, or there is an error.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::operation::simulate_custom_policy::SimulateCustomPolicyOutput;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};

use super::failure::{Failure, GaveUp, tried};
use super::lookup::Patience;

/// The values of context keys, by key.
pub type Keys = BTreeMap<String, Vec<String>>;

/// A request to ask about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The action.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// What is known of the context.
    pub keys: Keys,
}

/// The policies to simulate.
#[derive(Debug, Clone, Copy)]
pub struct Policies<'a> {
    /// Identity policies, all together.
    pub identity: &'a [String],
    /// The permissions boundary; IAM takes one at most.
    pub boundary: Option<&'a String>,
}

/// Why there is no second opinion.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The caller may not ask. The account's administrator can change that.
    #[error("IAM refuses to simulate ({0}); it needs the permission iam:SimulateCustomPolicy")]
    Denied(String),
    /// IAM does not answer, or does not accept the question.
    #[error("IAM did not simulate the policy in {tries} tries: {reason}")]
    Failed {
        /// How often.
        tries: u32,
        /// The last failure.
        reason: String,
    },
    /// One request has no answer.
    #[error("IAM's simulation says nothing of {action} on `{resource}`")]
    Unanswered {
        /// The action.
        action: String,
        /// The resource.
        resource: String,
    },
}

/// So many actions are asked about at once.
const ACTIONS: usize = 50;

/// So many resources are asked about at once.
const RESOURCES: usize = 20;

/// Asks about every request, many at once: actions with the same resources and the same context share a question, and nothing is
/// asked that was not meant. Gives whether each is allowed, in their order.
///
/// # Errors
/// When IAM refuses, does not answer, or leaves one out.
pub async fn simulate(
    client: &Client,
    policies: Policies<'_>,
    cases: &[Case],
    patience: Patience,
) -> Result<Vec<bool>, SimulateError> {
    let mut answers: BTreeMap<(Keys, String, String), bool> = BTreeMap::new();
    // Who answers for the first resource only is asked about the others one by one.
    for resources in [RESOURCES, 1] {
        let open: Vec<Case> = cases.iter().filter(|case| !answers.contains_key(&key(case))).cloned().collect();
        for (keys, actions, resources) in batches(&open, resources) {
            let ask = Ask { client, policies, keys: &keys, actions: &actions, resources: &resources };
            for (action, resource, allowed) in ask.all(patience).await? {
                answers.insert((keys.clone(), action.to_lowercase(), resource), allowed);
            }
        }
    }
    let answer = |case: &Case| {
        let (action, resource) = (case.action.clone(), case.resource.clone());
        answers.get(&key(case)).copied().ok_or(SimulateError::Unanswered { action, resource })
    };
    cases.iter().map(answer).collect()
}

fn key(case: &Case) -> (Keys, String, String) {
    (case.keys.clone(), case.action.to_lowercase(), case.resource.clone())
}

type Batch = (Keys, Vec<String>, Vec<String>);

fn batches(cases: &[Case], most: usize) -> Vec<Batch> {
    let mut resources: BTreeMap<(&Keys, &str), BTreeSet<&str>> = BTreeMap::new();
    for case in cases {
        resources.entry((&case.keys, &case.action)).or_default().insert(&case.resource);
    }
    let mut actions: BTreeMap<(&Keys, Vec<&str>), Vec<&str>> = BTreeMap::new();
    for ((keys, action), resources) in resources {
        actions.entry((keys, resources.into_iter().collect())).or_default().push(action);
    }
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut found = Vec::new();
    for ((keys, resources), actions) in actions {
        for actions in actions.chunks(ACTIONS) {
            for resources in resources.chunks(most.max(1)) {
                found.push((keys.clone(), owned(actions), owned(resources)));
            }
        }
    }
    found
}

/// One question.
struct Ask<'a> {
    client: &'a Client,
    policies: Policies<'a>,
    keys: &'a Keys,
    actions: &'a [String],
    resources: &'a [String],
}

impl Ask<'_> {
    /// All pages of the answer: action, resource, and whether it is allowed.
    async fn all(&self, patience: Patience) -> Result<Vec<(String, String, bool)>, SimulateError> {
        let (mut found, mut marker) = (Vec::new(), None);
        loop {
            let asked = tried(&patience, patience.timeout, || self.page(marker.clone()));
            let page = asked.await.map_err(|GaveUp { failure, tries }| match failure {
                Failure::Denied(reason) => SimulateError::Denied(reason),
                other => SimulateError::Failed { tries, reason: other.reason().to_owned() },
            })?;
            for result in page.evaluation_results() {
                let action = result.eval_action_name();
                for specific in result.resource_specific_results() {
                    let allowed = specific.eval_resource_decision() == &PolicyEvaluationDecisionType::Allowed;
                    found.push((action.to_owned(), specific.eval_resource_name().to_owned(), allowed));
                }
                // Where each resource has a decision of its own, the one above is of all together.
                if result.resource_specific_results().is_empty() {
                    let allowed = result.eval_decision() == &PolicyEvaluationDecisionType::Allowed;
                    found.push((action.to_owned(), result.eval_resource_name().unwrap_or("*").to_owned(), allowed));
                }
            }
            marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn page(&self, marker: Option<String>) -> Result<SimulateCustomPolicyOutput, Failure> {
        let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = (self.client.simulate_custom_policy())
            .set_policy_input_list(Some(self.policies.identity.to_vec()))
            .set_permissions_boundary_policy_input_list(self.policies.boundary.map(|one| vec![one.clone()]))
            .set_action_names(Some(self.actions.to_vec()))
            .set_resource_arns(Some(self.resources.to_vec()))
            .set_context_entries(Some(self.keys.iter().map(entry).collect()))
            .set_marker(marker);
        request.customize().config_override(once).send().await.map_err(|error| Failure::of(&error))
    }
}

fn entry((key, values): (&String, &Vec<String>)) -> ContextEntry {
    let kind = match (key.as_str(), values.len()) {
        ("aws:sourceip" | "aws:vpcsourceip", 1) => ContextKeyTypeEnum::Ip,
        ("aws:viaawsservice" | "aws:securetransport", 1) => ContextKeyTypeEnum::Boolean,
        (_, 1) => ContextKeyTypeEnum::String,
        _ => ContextKeyTypeEnum::StringList,
    };
    ContextEntry::builder().context_key_name(key).context_key_type(kind).set_context_key_values(Some(values.clone())).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_asks_what_was_meant_and_nothing_else() {
        let key = |value: &str| Keys::from([("aws:requestedregion".to_owned(), vec![value.to_owned()])]);
        let case =
            |action: &str, resource: &str, keys: Keys| Case { action: action.to_owned(), resource: resource.to_owned(), keys };
        let mut cases = vec![
            case("s3:Get", "a", key("x")),
            case("s3:Get", "b", key("x")),
            case("s3:Put", "a", key("x")),
            case("s3:Put", "b", key("x")),
            case("s3:List", "a", key("x")),
            case("s3:Get", "a", key("y")),
        ];
        cases.extend((0..70).map(|n| case(&format!("ssm:Do{n}"), "*", Keys::new())));
        let batches = batches(&cases, RESOURCES);
        assert_eq!(batches.len(), 5);
        let product = |(keys, actions, resources): &Batch| {
            let of = |action: &String| resources.iter().map(|r| case(action, r, keys.clone())).collect::<Vec<_>>();
            actions.iter().flat_map(of).collect::<Vec<_>>()
        };
        let mut asked: Vec<Case> = batches.iter().flat_map(product).collect();
        asked.sort();
        cases.sort();
        assert_eq!(asked, cases);
    }
}
