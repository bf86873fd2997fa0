//! Policies of resources that are for everyone: each statement has `Principal: "*"`, and conditions say who is meant.
//!
//! Other principals are refused. On a gateway endpoint an account as principal means its root user only (AWS PrivateLink
//! Guide, "Principals for gateway endpoints", read 2026-11), so a policy that names one says something else than it seems to.

use serde_json::Value;

use super::Policy;
use super::document::{PolicyError, wrong};

/// What becomes of every request that reaches an endpoint without a policy of its own (AWS PrivateLink Guide, "Default
/// endpoint policy", read 2026-11).
pub const FULL_ACCESS: &str = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

/// Reads a policy whose statements are all for everyone, as what it says apart from that.
///
/// # Errors
/// When a statement names another principal or none, and as for [`Policy::parse`].
pub fn read(document: &Value) -> Result<Policy, PolicyError> {
    let mut document = document.clone();
    if let Some(object) = document.as_object_mut() {
        object.shift_remove("Id");
        let statements = match object.get_mut("Statement") {
            Some(Value::Array(list)) => list.iter_mut().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        for (n, statement) in statements.into_iter().enumerate() {
            let principal = statement.as_object_mut().and_then(|s| s.shift_remove("Principal"));
            if principal.as_ref().and_then(Value::as_str) != Some("*") {
                let problem = "only `*` is handled; say who is meant by conditions such as aws:PrincipalAccount";
                return Err(wrong(&format!("Statement[{n}].Principal"), problem));
            }
        }
    }
    Policy::from_value(&document)
}

/// The policy with every statement for everyone.
#[must_use]
pub fn write(policy: &Policy) -> Value {
    let mut document = policy.to_value();
    for statement in document.get_mut("Statement").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(object) = statement.as_object_mut() {
            let at = object.keys().position(|key| key == "Effect").map_or(0, |at| at + 1);
            object.shift_insert(at, "Principal".to_owned(), Value::from("*"));
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":"*","Action":["s3:Get*"],"Resource":["*"]}]}"#;
        let policy = read(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(write(&policy).to_string(), text);
        assert!(read(&serde_json::from_str(FULL_ACCESS).unwrap()).is_ok());
    }

    #[test]
    fn other_principals_are_refused() {
        for principal in [r#""Principal":{"AWS":"*"},"#, r#""Principal":{"AWS":"111122223333"},"#, r#""NotPrincipal":"*","#, ""] {
            let text = format!(r#"{{"Statement":{{"Effect":"Allow",{principal}"Action":"*","Resource":"*"}}}}"#);
            let error = read(&serde_json::from_str(&text).unwrap()).unwrap_err().to_string();
            assert!(error.starts_with("Statement[0].Principal: only `*` is handled"), "{principal}: {error}");
        }
    }
}
