//! The policy as a Terraform data source, in the layout of `terraform fmt`.
//!
//! IAM's `${…}` is written `&{…}`, which the provider turns back (Terraform AWS Provider, "Data Source:
//! aws_iam_policy_document", "Context Variable Interpolation"; read 2026-11).

use std::fmt::Write;

use crate::iam::{ActionSpec, Effect, Pattern, Policy, ResourceSpec, Statement};

/// Why a policy cannot be written for Terraform. Its author is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TerraformError {
    /// The provider would read this text as a policy variable.
    #[error("`{0}` holds `&{{`, which Terraform's provider takes for a policy variable")]
    Ampersand(String),
    /// Not a name of Terraform's.
    #[error("`{0}` is not a name in Terraform: a letter or `_`, then letters, digits, `_` and `-`")]
    Name(String),
}

/// Writes `data "aws_iam_policy_document" "NAME"`; `everyone` gives every statement the principal `*`, as endpoints want it
/// (Terraform AWS Provider, "Data Source: aws_iam_policy_document", "Wildcard Principals"; read 2026-11).
///
/// # Errors
/// [`TerraformError::Name`] where `name` cannot be one, [`TerraformError::Ampersand`] where a text has no spelling.
pub fn terraform(policy: &Policy, everyone: bool, name: &str) -> Result<String, TerraformError> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
        return Err(TerraformError::Name(name.to_owned()));
    }
    let mut out = format!("data \"aws_iam_policy_document\" \"{name}\" {{\n");
    if !policy.variables {
        out += "  version = \"2008-10-17\"\n\n";
    }
    let statements =
        policy.statements.iter().map(|one| statement(one, policy.variables, everyone)).collect::<Result<Vec<_>, _>>()?;
    Ok(out + &statements.join("\n") + "}\n")
}

fn statement(statement: &Statement, variables: bool, everyone: bool) -> Result<String, TerraformError> {
    let effect = if statement.effect == Effect::Allow { "Allow" } else { "Deny" };
    let mut out = String::from("  statement {\n");
    if statement.sid.is_empty() {
        let _ = writeln!(out, "    effect = \"{effect}\"");
    } else {
        let _ = writeln!(out, "    sid    = {}\n    effect = \"{effect}\"", quoted(&statement.sid, variables)?);
    }
    let (actions, patterns) = match &statement.actions {
        ActionSpec::Only(patterns) => ("actions", patterns),
        ActionSpec::AllBut(patterns) => ("not_actions", patterns),
    };
    let text = |pattern: &Pattern| if variables { pattern.to_string() } else { pattern.to_2008() };
    let texts = |patterns: &[Pattern]| patterns.iter().map(text).collect::<Vec<_>>();
    out += &list("    ", actions, &texts(patterns), variables)?;
    let (resources, patterns) = match &statement.resources {
        ResourceSpec::Only(patterns) => ("resources", patterns),
        ResourceSpec::AllBut(patterns) => ("not_resources", patterns),
    };
    out += &list("    ", resources, &texts(patterns), variables)?;
    if everyone {
        out += "\n    principals {\n      type        = \"*\"\n      identifiers = [\"*\"]\n    }\n";
    }
    for (operator, key, values) in statement.conditions.iter() {
        let (operator, key) = (quoted(operator, variables)?, quoted(key, variables)?);
        let _ = writeln!(out, "\n    condition {{\n      test     = {operator}\n      variable = {key}");
        out += &list("      ", "values", values, variables)?;
        out += "    }\n";
    }
    Ok(out + "  }\n")
}

fn list(indent: &str, name: &str, texts: &[String], variables: bool) -> Result<String, TerraformError> {
    let mut out = format!("\n{indent}{name} = [\n");
    for text in texts {
        let _ = writeln!(out, "{indent}  {},", quoted(text, variables)?);
    }
    Ok(out + indent + "]\n")
}

/// A text as an HCL string; with `variables`, `${` begins a policy variable.
fn quoted(text: &str, variables: bool) -> Result<String, TerraformError> {
    if text.contains("&{") {
        return Err(TerraformError::Ampersand(text.to_owned()));
    }
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.push_str(if c == '$' && variables {
                    "&"
                } else if c == '$' {
                    "$$"
                } else {
                    "%%"
                });
            }
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() => out.push(c),
            c if u32::from(c) > 0xffff => _ = write!(out, "\\U{:08x}", u32::from(c)),
            c => _ = write!(out, "\\u{:04x}", u32::from(c)),
        }
    }
    Ok(out + "\"")
}
