//! The policy as the CDK imports it: JSON for `iam.PolicyDocument.fromJson`.
//!
//! Its documents are of version 2012-10-17 whatever they are read from, and it refuses an action that has anything but
//! letters, digits, `-` and `*` (aws-cdk-lib 2.276, `PolicyStatement`; tests/emit_formats.rs runs it).

use serde_json::Value;

use crate::iam::{ActionSpec, Policy, everyone};

/// Why the CDK would not take a policy. Its author is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CdkError {
    /// It checks how actions are written.
    #[error("the CDK does not take `{0}` as an action: no `?` or `_` is allowed there, and a service has no wildcard")]
    Action(String),
    /// It would put a value of its own in its place.
    #[error("the policy holds `${{Token[`, which the CDK takes for a value of its own")]
    Token,
}

/// The document; `for_everyone` gives every statement the principal `*`.
///
/// # Errors
/// [`CdkError::Action`] where an action is written as the CDK does not allow it, [`CdkError::Token`] where a text has no
/// spelling.
pub fn cdk(policy: &Policy, for_everyone: bool) -> Result<Value, CdkError> {
    for statement in &policy.statements {
        let (ActionSpec::Only(actions) | ActionSpec::AllBut(actions)) = &statement.actions;
        let all = actions.iter().map(ToString::to_string);
        if let Some(action) = all.into_iter().find(|action| !is_taken(action)) {
            return Err(CdkError::Action(action));
        }
    }
    let policy = policy.modern();
    let document = if for_everyone { everyone::write(&policy) } else { policy.to_value() };
    if document.to_string().contains("${Token[") { Err(CdkError::Token) } else { Ok(document) }
}

fn is_taken(action: &str) -> bool {
    let only = |part: &str, more: char| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == more);
    action == "*" || action.split_once(':').is_some_and(|(service, name)| only(service, '-') && only(name, '*'))
}
