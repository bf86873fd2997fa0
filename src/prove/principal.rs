//! A principal's session as context keys.
//!
//! Source: IAM User Guide, "AWS global condition context keys" (read 2026-11): `aws:PrincipalArn` of a role's session is
//! the role's ARN; `aws:PrincipalAccount` and `aws:PrincipalType` are in every signed request; `aws:username` is there
//! for users only.

use std::collections::BTreeMap;

use super::evaluate::Value::{self, One};

/// The context keys that the ARN of a principal gives, `None` where it is not the ARN of a user, a role or a role's
/// session.
///
/// The ARN of a role's session lacks the role's path, so where a policy tests `aws:PrincipalArn` of a role with a path,
/// give the role's ARN.
#[must_use]
pub fn context(arn: &str) -> Option<BTreeMap<String, Value>> {
    let mut fields = arn.splitn(6, ':');
    let (scheme, partition, service) = (fields.next()?, fields.next()?, fields.next()?);
    let (region, account, resource) = (fields.next()?, fields.next()?, fields.next()?);
    if scheme != "arn" || partition.is_empty() || !region.is_empty() || account.is_empty() {
        return None;
    }
    let (kind, name) = resource.split_once('/')?;
    let (principal, class) = match (service, kind) {
        ("iam", "role") => (arn.to_owned(), "AssumedRole"),
        ("iam", "user") => (arn.to_owned(), "User"),
        ("sts", "assumed-role") => {
            let (role, session) = name.split_once('/')?;
            (!session.is_empty()).then_some(())?;
            (format!("arn:{partition}:iam::{account}:role/{role}"), "AssumedRole")
        }
        _ => return None,
    };
    let mut context = BTreeMap::from([
        ("aws:principalarn".to_owned(), One(principal)),
        ("aws:principalaccount".to_owned(), One(account.to_owned())),
        ("aws:principaltype".to_owned(), One(class.to_owned())),
    ]);
    if class == "User" {
        let user = name.rsplit('/').next().unwrap_or(name);
        context.insert("aws:username".to_owned(), One(user.to_owned()));
    }
    Some(context)
}
