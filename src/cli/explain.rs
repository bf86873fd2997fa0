//! `policyc explain`: why is this granted, or not?

use std::path::PathBuf;

use super::arguments::{Format, RoleArgs, TrailArgs, only_configured};
use super::error::CliError;
use super::question::{MANAGED_POLICY_LIMIT, baseline as baseline_of};
use super::{Outcome, Verdict, derive, print, stack};
use crate::catalog::Catalog;
use crate::derive::verdict::actions_named;
use crate::iam::Pattern;
use crate::review::explained::{Explained, render};

/// Why is this granted, or not: by which statement, because of which calls or feature, and what was looked at.
///
/// Exit code 1 where no role is granted it.
#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("source").required(true).args(["stack", "trail"]),
    after_help = "Examples:\n  policyc explain s3:PutObject --stack demo\n  policyc explain s3:GetObject arn:aws:s3:::other/key --stack demo\n  policyc explain ssm:GetParameters --trail ./AWSLogs --role web-Role --format json"
)]
pub(super) struct Args {
    /// The action, such as `s3:GetObject`
    action: String,
    /// One resource, by ARN
    resource: Option<String>,
    /// A stack that `policyc.toml` configures
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    #[command(flatten)]
    trail: TrailArgs,
    #[command(flatten)]
    role: RoleArgs,
    /// The policy to stay inside: an AWS-managed policy by name or ARN, or a file
    #[arg(long, value_name = "NAME|ARN|FILE", default_value = "AmazonEC2RoleforSSM")]
    baseline: String,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The configuration of stacks
    #[arg(long, value_name = "FILE", default_value = "policyc.toml")]
    config: PathBuf,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    last_accessed: super::opinion::LastAccessedArgs,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    connect: super::connect::ConnectArgs,
}

pub(super) fn run(args: &Args) -> Outcome {
    if args.action.contains(['*', '?']) {
        return Err(pattern(args));
    }
    let action = Catalog::embedded().describe_action(&args.action).map_err(|e| CliError::usage(e.to_string()))?;
    let limit = MANAGED_POLICY_LIMIT;
    let reports: Vec<_> = match &args.stack {
        Some(name) => {
            only_configured(&args.trail, &args.role, &args.config)?;
            let request = stack::Request { name, config: &args.config, inject: false, limit };
            #[allow(unused_mut)] // IAM's opinion is added to it
            let mut result = stack::compile_stack(&request)?;
            #[cfg(feature = "aws")]
            super::opinion::OpinionArgs::from(args.last_accessed.clone()).ask(&args.connect, result.subjects())?;
            result.roles.into_iter().map(|role| role.report).collect()
        }
        None => {
            #[allow(unused_mut, unused_variables)] // IAM's opinion is added to them
            let (question, mut compiled, mut report) =
                derive::compile_trail(&args.trail, &args.role, &args.baseline, limit, None, "")?;
            #[cfg(feature = "aws")]
            super::opinion::OpinionArgs::from(args.last_accessed.clone())
                .ask(&args.connect, vec![derive::subject(&args.role, &question, &mut compiled, &mut report)])?;
            vec![report]
        }
    };
    let explain = |report| Explained::of(report, &action, args.resource.as_deref());
    let all: Vec<Explained> = reports.iter().map(explain).collect();
    match args.format {
        Format::Json => print::result(&String::from_utf8_lossy(&derive::json(&all)?)),
        Format::Text => print::result(&render(&all).map_err(|e| CliError::usage(e.to_string()))?),
    }
    Ok(if all.iter().any(|one| one.granted) { Verdict::Done } else { Verdict::No })
}

/// How many actions of a pattern are offered.
const OFFERED: usize = 12;

/// Each action has reasons of its own, so a pattern is answered with the actions that it could mean.
fn pattern(args: &Args) -> CliError {
    let catalog = Catalog::embedded();
    let named = catalog.reference.expand(&Pattern::parse(&args.action));
    let baseline = match &args.stack {
        Some(name) => stack::sources(name, &args.config).map(|sources| sources.baseline),
        None => Ok(args.baseline.clone()),
    };
    let inside = baseline.and_then(|name| baseline_of(&name)).map(|b| actions_named(&b.policy, catalog)).unwrap_or_default();
    let (mut first, rest): (Vec<_>, Vec<_>) = named.into_iter().partition(|action| inside.contains(action));
    if first.is_empty() {
        first = rest;
    }
    let more = if first.len() > OFFERED { ", …" } else { "" };
    let names: Vec<String> = first.iter().take(OFFERED).map(|action| format!("`{action}`")).collect();
    CliError::usage(match names.is_empty() {
        true => format!("`{}` is a pattern, and no action that the catalogue knows matches it", args.action),
        false => format!(
            "`{}` is a pattern, and each action has its own reasons; ask for one: {}{more}",
            args.action,
            names.join(", ")
        ),
    })
}
