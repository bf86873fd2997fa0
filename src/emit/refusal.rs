//! Why a template is left alone.

use crate::template::TemplateError;

/// Why a template is left alone. Except for [`InjectError::Unfaithful`], the template is written in a way that this
/// version does not edit, or is not the one the caller means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// The bytes are no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// No resource has the logical id.
    #[error("the template has no role `{role}`; its roles are: {}", list(known))]
    NoSuchRole {
        /// The logical id asked for.
        role: String,
        /// The roles there are.
        known: Vec<String>,
    },
    /// The resource is something else.
    #[error("`{role}` is of type `{kind}`, not `AWS::IAM::Role`")]
    NotARole {
        /// The logical id.
        role: String,
        /// Its type.
        kind: String,
    },
    /// A part of the role is not written out as a list or mapping.
    #[error("{place} of role `{role}` is not written out as {expected}")]
    Shape {
        /// The logical id.
        role: String,
        /// The property.
        place: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// An anchor and its aliases share what would have to change.
    #[error("line {line}: an alias shares this with another place, and a change here would change that too")]
    Shared {
        /// The line, counted from 1.
        line: usize,
    },
    /// The managed policy comes from a parameter's default.
    #[error(
        "the managed policy is the default of parameter `{parameter}`; change the default, or the stack's parameter, by hand"
    )]
    Parameter {
        /// The parameter.
        parameter: String,
    },
    /// Functions make the managed policy's ARN out of something else.
    #[error(
        "line {line}: the managed policy's name goes through functions from here into `ManagedPolicyArns`; write its ARN out in the role first"
    )]
    Made {
        /// The line, counted from 1.
        line: usize,
    },
    /// `ManagedPolicyArns` is something else.
    #[error("line {line}: `ManagedPolicyArns` takes a list, and this is none; write it as one: `- ARN`")]
    NoList {
        /// The line, counted from 1.
        line: usize,
    },
    /// Aliases of aliases.
    #[error("line {line}: aliases make more of this than can be followed; write it out")]
    Aliases {
        /// The line, counted from 1.
        line: usize,
    },
    /// The policy would stand under a condition that what has to wait for it does not stand under.
    #[error(
        "the policy of `{role}` would stand under a condition, and `{user}`, which has to wait for it, does not; attach it inline"
    )]
    Waits {
        /// The logical id of the role.
        role: String,
        /// The logical id of the instance, launch template and the like.
        user: String,
    },
    /// The policy is attached under too many conditions, or shares one with another policy.
    #[error(
        "role `{role}` has the policy under more conditions than the section can follow, or beside another policy in one `Fn::If`; attach it under one condition, and derive again"
    )]
    Conditions {
        /// The logical id.
        role: String,
    },
    /// A `<<` brings what would have to change.
    #[error("line {line}: `{key}` comes from a merge (`<<`), and belongs to every mapping that merges it; write it out here")]
    Merged {
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// A macro writes some of the role's properties when the stack is deployed.
    #[error(
        "the properties of role `{role}` are completed by `Fn::Transform`; inject into what it includes, or write them out here"
    )]
    Transform {
        /// The logical id.
        role: String,
    },
    /// A loop writes some of the role's properties when the stack is deployed.
    #[error("the properties of role `{role}` are completed by the loop `{key}` when the stack is deployed; write them out here")]
    Loop {
        /// The logical id.
        role: String,
        /// The loop, by its key.
        key: String,
    },
    /// Another resource has the logical id of the policy.
    #[error("`{id}` is a resource of another type, and policyc would call the policy so; rename it")]
    Taken {
        /// The logical id.
        id: String,
    },
    /// The policy resource cannot become an inline policy: the role is there without it.
    #[error("`{id}` stands under a condition of its own; take it out by hand before the policy becomes inline")]
    Conditional {
        /// The logical id.
        id: String,
    },
    /// An instance that has to wait for the policy is needed by it.
    #[error("`{resource}` would have to wait for the policy, which refers to it; attach the policy inline")]
    Cycle {
        /// The logical id of the instance.
        resource: String,
    },
    /// There is nothing to take out.
    #[error("role `{role}` has no inline policy `{policy}`")]
    NoSection {
        /// The logical id.
        role: String,
        /// The policy's name.
        policy: String,
    },
    /// The edited template does not read as intended. This indicates a bug in policyc.
    #[error("the edited template does not read back as intended: {0}")]
    Unfaithful(&'static str),
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ") }
}
