//! Descriptions of stacks: read and written, nothing is lost, and what is asked of them never panics.

use policyc::stack::StackDescription;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let Ok(description) = serde_json::from_slice::<StackDescription>(bytes) else { return };
    let written = serde_json::to_vec(&description).expect("a description is written");
    let again: StackDescription = serde_json::from_slice(&written).expect("what was written reads back");
    assert_eq!(again, description);
    for role in description.stacks.values().flat_map(|stack| stack.roles.values()) {
        let replaced = role.replaced();
        let kept = role.kept();
        assert!(replaced.is_ok() || replaced.is_err_and(|e| !e.to_string().is_empty()));
        assert!(kept.is_ok() || kept.is_err_and(|e| !e.to_string().is_empty()));
        role.policies.iter().for_each(|policy| drop(policy.finding()));
    }
}
