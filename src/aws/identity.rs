//! Roles and what is attached to them.
//!
//! Source: AWS IAM API Reference, GetInstanceProfile, GetRole, ListAttachedRolePolicies, ListRolePolicies, GetRolePolicy, GetPolicy
//! and GetPolicyVersion. Documents come percent-encoded as in RFC 3986.

use aws_sdk_iam::Client;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::discover::{DiscoverError, asked};
use super::failure::Failure;
use super::lookup::Patience;
use crate::stack::{AttachedPolicy, Role, Treatment};

/// An instance profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profile {
    /// Its ARN.
    pub(super) arn: String,
    /// The names of its roles: one, or none.
    pub(super) roles: Vec<String>,
}

/// Reads an instance profile; `None` where it is gone.
pub(super) async fn profile(client: &Client, name: &str, patience: Patience) -> Result<Option<Profile>, DiscoverError> {
    let what = format!("the instance profile `{name}`");
    let answer = asked(&patience, &what, "iam:GetInstanceProfile", || async {
        client.get_instance_profile().instance_profile_name(name).send().await.map_err(|error| Failure::of(&error))
    });
    let answer = match answer.await {
        // A stopped instance can name a profile that was deleted.
        Err(DiscoverError::Failed { reason, .. }) if reason.starts_with("NoSuchEntity") => return Ok(None),
        other => other?,
    };
    let found = answer.instance_profile();
    let roles = found.into_iter().flat_map(|p| p.roles()).map(|role| role.role_name().to_owned()).collect();
    Ok(found.map(|p| Profile { arn: p.arn().to_owned(), roles }))
}

/// Reads a role: its unique id and what is attached to it, AWS-managed policies marked as replaced.
pub(super) async fn role(client: &Client, name: &str, patience: Patience) -> Result<(String, Role), DiscoverError> {
    let what = format!("the role `{name}`");
    let answer = asked(&patience, &what, "iam:GetRole", || async {
        client.get_role().role_name(name).send().await.map_err(|error| Failure::of(&error))
    });
    let answer = answer.await?;
    let missing = || DiscoverError::Failed { what: what.clone(), tries: 1, reason: "the answer holds no role".to_owned() };
    let found = answer.role().ok_or_else(missing)?;
    let mut policies = managed(client, name, patience).await?;
    policies.extend(inline(client, name, patience).await?);
    let boundary = match found.permissions_boundary().and_then(|b| b.permissions_boundary_arn()) {
        Some(arn) => Some(policy(client, arn.rsplit('/').next().unwrap_or(arn), arn, patience).await?),
        None => None,
    };
    let mut role = Role { name: name.to_owned(), arn: found.arn().to_owned(), policies, boundary, ..Role::default() };
    role.mark(None, &[], &[]);
    Ok((found.role_id().to_owned(), role))
}

async fn managed(client: &Client, role: &str, patience: Patience) -> Result<Vec<AttachedPolicy>, DiscoverError> {
    let (mut found, mut marker): (Vec<AttachedPolicy>, Option<String>) = (Vec::new(), None);
    loop {
        let what = format!("the policies of the role `{role}`");
        let page = asked(&patience, &what, "iam:ListAttachedRolePolicies", || async {
            let request = client.list_attached_role_policies().role_name(role).set_marker(marker.clone());
            request.send().await.map_err(|error| Failure::of(&error))
        });
        let page = page.await?;
        for attached in page.attached_policies() {
            if let (Some(name), Some(arn)) = (attached.policy_name(), attached.policy_arn()) {
                found.push(policy(client, name, arn, patience).await?);
            }
        }
        marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
        if marker.is_none() {
            found.sort_by(|a, b| a.arn.cmp(&b.arn));
            return Ok(found);
        }
    }
}

/// A managed policy in its default version.
async fn policy(client: &Client, name: &str, arn: &str, patience: Patience) -> Result<AttachedPolicy, DiscoverError> {
    let what = format!("the policy `{arn}`");
    let missing = |lacks: &str| DiscoverError::Failed { what: what.clone(), tries: 1, reason: format!("it has no {lacks}") };
    let answer = asked(&patience, &what, "iam:GetPolicy", || async {
        client.get_policy().policy_arn(arn).send().await.map_err(|error| Failure::of(&error))
    });
    let answer = answer.await?;
    let version = answer.policy().and_then(|p| p.default_version_id()).ok_or_else(|| missing("default version"))?;
    let answer = asked(&patience, &what, "iam:GetPolicyVersion", || async {
        client.get_policy_version().policy_arn(arn).version_id(version).send().await.map_err(|error| Failure::of(&error))
    });
    let answer = answer.await?;
    let text = answer.policy_version().and_then(|v| v.document()).ok_or_else(|| missing("document"))?;
    let document = Some(document(text).ok_or_else(|| missing("document that is JSON"))?);
    let (name, arn, version) = (name.to_owned(), arn.to_owned(), version.to_owned());
    Ok(AttachedPolicy { name, arn, version, treatment: Treatment::Kept, document }.abridged())
}

async fn inline(client: &Client, role: &str, patience: Patience) -> Result<Vec<AttachedPolicy>, DiscoverError> {
    let (mut found, mut marker): (Vec<AttachedPolicy>, Option<String>) = (Vec::new(), None);
    loop {
        let what = format!("the inline policies of the role `{role}`");
        let page = asked(&patience, &what, "iam:ListRolePolicies", || async {
            let request = client.list_role_policies().role_name(role).set_marker(marker.clone());
            request.send().await.map_err(|error| Failure::of(&error))
        });
        let page = page.await?;
        for name in page.policy_names() {
            let answer = asked(&patience, &what, "iam:GetRolePolicy", || async {
                let request = client.get_role_policy().role_name(role).policy_name(name);
                request.send().await.map_err(|error| Failure::of(&error))
            });
            let answer = answer.await?;
            let reason = format!("the document of `{name}` is not JSON");
            let unreadable = || DiscoverError::Failed { what: what.clone(), tries: 1, reason };
            let document = Some(document(answer.policy_document()).ok_or_else(unreadable)?);
            found.push(AttachedPolicy { name: name.clone(), document, ..AttachedPolicy::default() });
        }
        marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
        if marker.is_none() {
            found.sort_by(|a, b| a.name.cmp(&b.name));
            return Ok(found);
        }
    }
}

/// A policy document as IAM answers with it.
fn document(text: &str) -> Option<Value> {
    let plain = if text.trim_start().starts_with('{') { text.as_bytes().to_vec() } else { percent_decode_str(text).collect() };
    serde_json::from_slice(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_decoded() {
        let check = |text: &str, expected: &str| assert_eq!(document(text).unwrap().to_string(), expected, "{text}");
        check(r#"{"a":"100%25 +"}"#, r#"{"a":"100%25 +"}"#);
        check("%7B%22a%22%3A%22b%2Ac%20%C3%A9%22%7D", r#"{"a":"b*c é"}"#);
        assert_eq!(document("%7B%"), None);
    }
}
