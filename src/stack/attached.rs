//! What is attached to a role, compared with what policyc carries.

use std::cmp::Ordering;

use serde_json::Value;

use super::{AttachedPolicy, Role, Treatment};
use crate::catalog::baselines::{self, Embedded};
use crate::finding::{Code, Finding};

/// Why the policy to stay inside cannot be told from what is attached. The user can name it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachedError {
    /// Nothing that is attached would be replaced.
    #[error("nothing that AWS manages is attached to the role `{0}`, so nothing says what its policy has to stay inside")]
    NothingReplaced(String),
    /// The description names a policy without its document, and policyc does not carry it.
    #[error("the document of `{name}` {version} is not known")]
    NoDocument {
        /// The policy.
        name: String,
        /// Its version.
        version: String,
    },
}

/// A document by its name and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The policy's name; of several, all of them.
    pub name: String,
    /// Its version; empty for inline policies.
    pub version: String,
    /// The document's bytes.
    pub bytes: Vec<u8>,
}

/// The number of a version such as `v8`.
fn number(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.parse().ok()
}

impl AttachedPolicy {
    /// The embedded policy of the same name, where AWS manages this one.
    #[must_use]
    pub fn embedded(&self) -> Option<&'static Embedded> {
        baselines::find(&self.arn).filter(|_| self.is_of_aws())
    }

    /// The same policy without its document where that is the embedded one's.
    #[must_use]
    pub fn abridged(mut self) -> Self {
        let carried = self.embedded().filter(|e| e.version == self.version);
        let same = |e: &Embedded| serde_json::from_slice::<Value>(e.document).ok() == self.document;
        if carried.is_some_and(same) {
            self.document = None;
        }
        self
    }

    /// The document: the embedded one's bytes, or those of the description.
    ///
    /// # Errors
    /// When neither is there.
    pub fn text(&self) -> Result<Document, AttachedError> {
        let carried = self.embedded().filter(|e| e.version == self.version);
        let bytes = match (&self.document, carried) {
            (Some(document), _) => document.to_string().into_bytes(),
            (None, Some(embedded)) => embedded.document.to_vec(),
            (None, None) => {
                return Err(AttachedError::NoDocument { name: self.name.clone(), version: self.version.clone() });
            }
        };
        Ok(Document { name: self.name.clone(), version: self.version.clone(), bytes })
    }

    /// What there is to tell where AWS has published another version than the embedded one.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        let embedded = self.embedded()?;
        let (live, carried) = (number(&self.version)?, number(embedded.version)?);
        match live.cmp(&carried) {
            Ordering::Greater => {
                let message =
                    format!("`{}` is attached in version {}, and policyc carries {}", self.name, self.version, embedded.version);
                Some(
                    Finding::new(Code::BaselineNewer, message)
                        .advise("the attached version was taken; a newer policyc carries it"),
                )
            }
            Ordering::Equal | Ordering::Less => None,
        }
    }
}

impl Role {
    /// Marks what is attached: `keep` names policies that stay, `replace` the one that goes where it is not left to what AWS manages,
    /// `own` the names and ARNs of what policyc itself put there before.
    pub fn mark(&mut self, replace: Option<&str>, keep: &[String], own: &[String]) {
        let is = |policy: &AttachedPolicy, text: &str| {
            policy.name.eq_ignore_ascii_case(text) || (!policy.arn.is_empty() && policy.arn == text)
        };
        for policy in &mut self.policies {
            let any = |texts: &[String]| texts.iter().any(|text| is(policy, text));
            let goes = replace.map_or_else(|| policy.is_of_aws(), |text| is(policy, text));
            policy.treatment = if any(own) || (goes && !any(keep)) { Treatment::Replaced } else { Treatment::Kept };
        }
    }

    /// The document of everything that is replaced: of several policies their union.
    ///
    /// # Errors
    /// When nothing is replaced, or a document is not known.
    pub fn replaced(&self) -> Result<Document, AttachedError> {
        let replaced = self.policies.iter().filter(|p| p.treatment == Treatment::Replaced);
        let mut all = replaced.map(AttachedPolicy::text).collect::<Result<Vec<_>, _>>()?;
        match all.len() {
            0 => Err(AttachedError::NothingReplaced(self.name.clone())),
            1 => Ok(all.remove(0)),
            _ => Ok(union(&all)),
        }
    }

    /// The documents of what stays attached.
    ///
    /// # Errors
    /// When a document is not known.
    pub fn kept(&self) -> Result<Vec<Document>, AttachedError> {
        self.policies.iter().filter(|p| p.treatment == Treatment::Kept).map(AttachedPolicy::text).collect()
    }
}

impl Role {
    /// The document of the permissions boundary; `None` where there is none.
    ///
    /// # Errors
    /// When the document is not known.
    pub fn limit(&self) -> Result<Option<Document>, AttachedError> {
        self.boundary.as_ref().map(AttachedPolicy::text).transpose()
    }

    /// What there is to tell of what is attached, the boundary included.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.policies.iter().chain(&self.boundary).filter_map(AttachedPolicy::finding).collect()
    }
}

/// One document with the statements of all. Statements of a document without variables are not put beside others: their `${` would
/// mean something else.
fn union(all: &[Document]) -> Document {
    let value = |d: &Document| serde_json::from_slice::<Value>(&d.bytes).unwrap_or_default();
    let mut statements = Vec::new();
    for document in all.iter().map(value) {
        let plain = document.get("Version").and_then(Value::as_str) != Some("2012-10-17");
        let list = match document.get("Statement") {
            Some(Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        for mut statement in list {
            if let Some(object) = statement.as_object_mut() {
                // The same identifier may stand in two of them.
                object.remove("Sid");
            }
            statements.push(if plain { literal(statement) } else { statement });
        }
    }
    let document = serde_json::json!({ "Version": "2012-10-17", "Statement": statements });
    let join = |of: fn(&Document) -> &str, between: &str| all.iter().map(of).collect::<Vec<_>>().join(between);
    Document { name: join(|d| &d.name, " + "), version: join(|d| &d.version, " + "), bytes: document.to_string().into_bytes() }
}

/// What a text of a document without variables is in one that has them.
fn literal(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "${$}{")),
        Value::Array(list) => Value::Array(list.into_iter().map(literal).collect()),
        Value::Object(object) => Value::Object(object.into_iter().map(|(key, value)| (key, literal(value))).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str, arn: &str, version: &str, document: Option<Value>) -> AttachedPolicy {
        let (name, arn, version) = (name.to_owned(), arn.to_owned(), version.to_owned());
        AttachedPolicy { name, arn, version, treatment: Treatment::Kept, document }
    }

    const SSM: &str = "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM";
    const CORE: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

    fn role(policies: Vec<AttachedPolicy>) -> Role {
        Role { name: "web".to_owned(), policies, ..Role::default() }
    }

    #[test]
    fn what_aws_manages_goes_and_the_rest_stays() {
        let ours = policy("policyc", "", "", None);
        let own = || policy("own", "", "", Some(serde_json::json!({"Version": "2012-10-17", "Statement": []})));
        let check = |replace: Option<&str>, keep: &[&str], expected: &[&str]| {
            let mut role =
                role(vec![policy("AmazonEC2RoleforSSM", SSM, "v8", None), policy("Core", CORE, "v2", None), own(), ours.clone()]);
            role.mark(replace, &keep.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>(), &["policyc".to_owned()]);
            let gone = role.policies.iter().filter(|p| p.treatment == Treatment::Replaced);
            assert_eq!(gone.map(|p| p.name.as_str()).collect::<Vec<_>>(), expected, "{replace:?} {keep:?}");
        };
        check(None, &[], &["AmazonEC2RoleforSSM", "Core", "policyc"]);
        check(None, &[CORE], &["AmazonEC2RoleforSSM", "policyc"]);
        check(Some("amazonec2roleforssm"), &[], &["AmazonEC2RoleforSSM", "policyc"]);
        check(Some("own"), &[], &["own", "policyc"]);
        check(Some("elsewhere"), &[], &["policyc"]);
        let error = role(vec![own()]).replaced().unwrap_err();
        assert_eq!(error, AttachedError::NothingReplaced("web".to_owned()));
    }

    #[test]
    fn several_are_replaced_by_their_union() {
        let old = serde_json::json!({"Statement": {"Sid": "a", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::${x}"}});
        let mut role = role(vec![policy("AmazonEC2RoleforSSM", SSM, "v8", None), policy("Old", CORE, "v1", Some(old))]);
        role.mark(None, &[], &[]);
        let union = role.replaced().unwrap();
        assert_eq!((union.name.as_str(), union.version.as_str()), ("AmazonEC2RoleforSSM + Old", "v8 + v1"));
        let parsed = crate::iam::Policy::parse(&union.bytes).unwrap();
        let first = crate::iam::Policy::parse(baselines::find(SSM).unwrap().document).unwrap();
        assert_eq!(parsed.statements.len(), first.statements.len() + 1);
        assert!(String::from_utf8(union.bytes).unwrap().contains("${$}{x}"));
    }

    #[test]
    fn a_newer_version_is_told_and_taken() {
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": []});
        let newer = policy("AmazonEC2RoleforSSM", SSM, "v9", Some(document.clone()));
        assert_eq!(newer.finding().map(|f| f.code), Some(Code::BaselineNewer));
        assert_eq!(newer.clone().abridged(), newer);
        assert_eq!(newer.text().unwrap().bytes, document.to_string().into_bytes());
        let embedded = serde_json::from_slice(baselines::find(SSM).unwrap().document).unwrap();
        let same = policy("AmazonEC2RoleforSSM", SSM, "v8", Some(embedded)).abridged();
        assert_eq!((same.document.clone(), same.finding()), (None, None));
        assert_eq!(same.text().unwrap().bytes, baselines::find(SSM).unwrap().document);
        let unknown = policy("AmazonEC2RoleforSSM", SSM, "v7", None).text().unwrap_err();
        assert_eq!(unknown.to_string(), "the document of `AmazonEC2RoleforSSM` v7 is not known");
    }
}
