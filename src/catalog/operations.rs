//! What policyc asks of AWS: the operations, what each is for, and the permissions that it needs.
//!
//! `tests/aws_operations.rs` holds the code to the table, and `tests/account` the permissions to the calls that were made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The table.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Operations {
    /// When the table was made.
    pub date: String,
    /// What a command does with a source of records.
    pub commands: Vec<CommandUse>,
    /// The operations.
    pub operations: Vec<Operation>,
}

/// What a command asks for, with one source.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct CommandUse {
    /// The command.
    pub command: String,
    /// Where records come from: `event-history`, `trail`, `s3`, or `records` that are at hand.
    pub from: String,
    /// The purposes.
    #[serde(rename = "for")]
    pub purposes: Vec<String>,
    /// Further purposes where a stack of the account is named, and the command does without.
    #[serde(default)]
    pub stack: Vec<String>,
    /// Purposes that an option of the command adds.
    #[serde(default)]
    pub options: Vec<String>,
}

/// An operation of an AWS service.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Operation {
    /// The service's prefix.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The IAM actions that it needs; none where everybody may ask.
    pub permissions: Vec<String>,
    /// What it is for.
    #[serde(rename = "for")]
    pub purposes: Vec<String>,
    /// On which resources, as narrow as the service supports; in capitals what a [`Scope`] fills in.
    pub resources: Vec<String>,
    /// Why it is asked, in a sentence.
    pub why: String,
    /// Where the permission is documented.
    pub source: String,
}

/// What resources are narrowed to; what is not known is `*`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Scope {
    /// `aws`, `aws-cn`, …
    pub partition: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The region of the stack.
    pub region: Option<String>,
    /// The names of the stacks; those nested in them have names that begin with theirs.
    pub stacks: Vec<String>,
    /// The trail's bucket.
    pub bucket: Option<String>,
    /// What stands before `AWSLogs/` in it, with a slash at its end.
    pub prefix: Option<String>,
    /// The ARN of the key that log files are encrypted with.
    pub key: Option<String>,
}

impl Scope {
    fn filled(&self, resource: &str) -> Vec<String> {
        let names: Vec<&str> = if self.stacks.is_empty() { vec!["*"] } else { self.stacks.iter().map(String::as_str).collect() };
        if self.stacks.is_empty() && resource.contains("STACK-") {
            // `*` has those nested in it among its own.
            Vec::new()
        } else if resource.contains("STACK") {
            names.into_iter().map(|name| self.fill(&resource.replace("STACK", name))).collect()
        } else {
            vec![self.fill(resource)]
        }
    }

    fn fill(&self, resource: &str) -> String {
        let or_any = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        let prefix = match (&self.bucket, &self.prefix) {
            (Some(_), prefix) => prefix.clone().unwrap_or_default(),
            (None, _) => "*".to_owned(),
        };
        resource
            .replace("PARTITION", self.partition.as_deref().unwrap_or("aws"))
            .replace("ACCOUNT", &or_any(&self.account))
            .replace("REGION", &or_any(&self.region))
            .replace("PREFIX", &prefix)
            .replace("BUCKET", &or_any(&self.bucket))
    }
}

/// A permission and why it is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Permission {
    /// The IAM action.
    pub action: String,
    /// The resources.
    pub resources: Vec<String>,
    /// The operations that need it.
    pub operations: Vec<String>,
    /// Why.
    pub why: Vec<String>,
}

/// Whoever asks anything asks first whose account it is.
const IDENTITY: &str = "identity";

/// The purpose of files that are encrypted.
const FILES: &str = "files";

impl Operations {
    /// What a command with a source is for, with a stack of the account or without, and with those of some options; `None` where there is no such command, source or option.
    #[must_use]
    pub fn purposes(&self, command: &str, from: &str, stack: bool, options: &[&str]) -> Option<BTreeSet<String>> {
        let found = self.commands.iter().find(|c| c.command == command && c.from == from)?;
        if !options.iter().all(|option| found.options.iter().any(|known| known == option)) {
            return None;
        }
        let of_stack = found.stack.iter().filter(|_| stack);
        let identity = options.first().map(|_| IDENTITY.to_owned());
        let of_options = options.iter().map(|option| (*option).to_owned()).chain(identity);
        Some(found.purposes.iter().chain(of_stack).cloned().chain(of_options).collect())
    }

    /// The sources that a command can have.
    #[must_use]
    pub fn sources(&self, command: &str) -> Vec<&str> {
        self.commands.iter().filter(|c| c.command == command).map(|c| c.from.as_str()).collect()
    }

    /// The permissions that some purposes need.
    #[must_use]
    pub fn permissions(&self, purposes: &BTreeSet<String>, scope: &Scope) -> Vec<Permission> {
        let mut found: BTreeMap<&str, [BTreeSet<String>; 3]> = BTreeMap::new();
        for operation in self.operations.iter().filter(|o| o.purposes.iter().any(|p| purposes.contains(p))) {
            for action in &operation.permissions {
                let [resources, operations, why] = found.entry(action).or_default();
                resources.extend(operation.resources.iter().flat_map(|r| scope.filled(r)));
                operations.insert(operation.operation.clone());
                why.insert(operation.why.clone());
            }
        }
        if let Some(key) = scope.key.as_ref().filter(|_| purposes.contains(FILES)) {
            let why = "log files are encrypted with this key, which S3 uses in the caller's name".to_owned();
            let sets = [key.clone(), "GetObject".to_owned(), why].map(|text| BTreeSet::from([text]));
            found.insert("kms:Decrypt", sets);
        }
        let list = |set: BTreeSet<String>| set.into_iter().collect();
        let permission = |(action, [resources, operations, why]): (&str, [BTreeSet<String>; 3])| Permission {
            action: action.to_owned(),
            resources: list(resources),
            operations: list(operations),
            why: list(why),
        };
        found.into_iter().map(permission).collect()
    }
}

/// The identity policy of some permissions: one statement for each service and set of resources.
#[must_use]
pub fn policy(permissions: &[Permission]) -> Value {
    let mut statements: BTreeMap<(&str, &Vec<String>), Vec<&str>> = BTreeMap::new();
    for permission in permissions {
        let service = permission.action.split(':').next().unwrap_or_default();
        statements.entry((service, &permission.resources)).or_default().push(&permission.action);
    }
    let statements = statements.into_iter().map(|((_, resources), actions)| {
        let resources = match resources.as_slice() {
            [one] => json!(one),
            several => json!(several),
        };
        json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
    });
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}
