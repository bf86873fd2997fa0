//! `policyc emit`: a policy for another tool.

use std::path::PathBuf;

use serde_json::Value;

use super::error::CliError;
use super::{Outcome, Verdict, derive, documents, files, print};
use crate::emit::cdk::cdk;
use crate::emit::terraform::terraform;
use crate::iam::{Policy, everyone};
use crate::prove::document::reader;

/// Write a policy for another tool, from the same model as the policy file.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc emit policies/web.json --format terraform --name web > web.tf\n  policyc emit policies/web.json --format cdk -o web.policy.json"
)]
pub(super) struct Args {
    /// The policy: a file, or an AWS-managed policy by name or ARN
    #[arg(value_name = "POLICY")]
    policy: String,
    /// For which tool
    #[arg(long, value_enum)]
    format: EmitFormat,
    /// The name of Terraform's data source
    #[arg(long, value_name = "NAME", default_value = "instance")]
    name: String,
    /// Write it here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Tools that take policies.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum EmitFormat {
    /// `data "aws_iam_policy_document"`, in the layout of `terraform fmt`
    Terraform,
    /// JSON for `PolicyDocument.fromJson` of the CDK
    Cdk,
    /// The policy file's own layout
    Json,
}

pub(super) fn run(args: &Args) -> Outcome {
    let named = documents::load(std::slice::from_ref(&args.policy))?;
    let Some(named) = named.first() else { return Err(CliError::usage("no policy")) };
    let read = reader([named.bytes.as_slice()]);
    read(&named.bytes).map_err(|e| CliError::input(&named.path, e))?;
    let json: Value = serde_json::from_slice(&named.bytes).map_err(|e| CliError::input(&named.path, e))?;
    // What names a principal, which is everyone, is the policy of an endpoint.
    let of_endpoint = Policy::from_value(&json).is_err();
    let policy = if of_endpoint { everyone::read(&json) } else { Policy::from_value(&json) };
    let policy = policy.map_err(|e| CliError::input(&named.path, e))?;
    let bytes = match args.format {
        EmitFormat::Terraform => {
            terraform(&policy, of_endpoint, &args.name).map_err(|e| CliError::usage(e.to_string()))?.into_bytes()
        }
        EmitFormat::Cdk => derive::json(&cdk(&policy, of_endpoint).map_err(|e| CliError::usage(e.to_string()))?)?,
        EmitFormat::Json if of_endpoint => derive::json(&everyone::write(&policy))?,
        EmitFormat::Json => derive::json(&policy.to_value())?,
    };
    match &args.out {
        Some(path) => _ = files::write_all(&[(path.clone(), bytes)])?,
        None => print::result(&String::from_utf8_lossy(&bytes)),
    }
    Ok(Verdict::Done)
}
