//! `policyc permissions`: what policyc itself needs to be allowed.

use std::fmt::Write;

use super::arguments::Format;
use super::error::CliError;
use super::{Outcome, Verdict, derive, print};
use crate::catalog::Catalog;
use crate::catalog::operations::{Scope, policy};
use crate::iam::Arn;
use crate::review::escape::terminal_lines;

/// Print the least-privilege policy that policyc itself needs for a command: everything is read-only.
///
/// What is not named is `*` in the resources; the more is said, the narrower the policy.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc permissions record --stack demo --account 111122223333 --region eu-central-1\n  policyc permissions derive --from s3://logs/org --account 111122223333\n  policyc permissions coverage --why\n  policyc permissions check --simulate"
)]
pub(super) struct Args {
    /// The command: record, derive, check, report, explain, coverage
    command: String,
    /// Where the activity comes from: `event-history`, `trail`, `s3://BUCKET/PREFIX`, or `records` that are at hand [default: what the
    /// command takes first]
    #[arg(long, value_name = "SOURCE")]
    from: Option<String>,
    /// Also for `--simulate`
    #[arg(long)]
    simulate: bool,
    /// Also for `--last-accessed`
    #[arg(long)]
    last_accessed: bool,
    /// The stack in CloudFormation (repeatable); those nested in it are meant too
    #[arg(long, value_name = "NAME")]
    stack: Vec<String>,
    /// Its account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Its region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The trail's bucket, with the prefix before `AWSLogs/` where it has one (default: that of `--from`)
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    bucket: Option<String>,
    /// The key that log files are encrypted with, where they are
    #[arg(long, value_name = "ARN")]
    key: Option<String>,
    /// Say what each permission is for instead of printing the policy
    #[arg(long)]
    why: bool,
    /// How to print what each permission is for
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "why")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Outcome {
    let catalog = Catalog::embedded();
    let operations = &catalog.operations;
    let sources = operations.sources(&args.command);
    let Some(first) = sources.first() else {
        let mut known: Vec<&str> = operations.commands.iter().map(|c| c.command.as_str()).collect();
        known.dedup();
        return Err(CliError::usage(format!("`{}` asks nothing of AWS; these do: {}", args.command, known.join(", "))));
    };
    let named = args.from.as_deref().unwrap_or(first);
    let from = if named.starts_with("s3://") { "s3" } else { named };
    if !sources.contains(&from) {
        let sources = sources.join(", ");
        return Err(CliError::usage(format!("`{}` does not read from `{named}`; it reads from {sources}", args.command)));
    }
    let options: Vec<&str> =
        [args.simulate.then_some("simulate"), args.last_accessed.then_some("last-accessed")].into_iter().flatten().collect();
    let purposes = operations.purposes(&args.command, from, !args.stack.is_empty(), &options);
    let purposes =
        purposes.ok_or_else(|| CliError::usage(format!("`{}` has no option --{}", args.command, options.join(" --"))))?;
    let permissions = operations.permissions(&purposes, &scope(args, catalog)?);
    if args.why && args.format == Format::Json {
        print::result(&String::from_utf8_lossy(&derive::json(&permissions)?));
    } else if args.why {
        let mut text = String::new();
        for permission in &permissions {
            let _ = writeln!(text, "{} on {}", permission.action, permission.resources.join(", "));
            let _ = writeln!(text, "    {}: {}", permission.operations.join(", "), permission.why.join("; "));
        }
        print::result(&terminal_lines(&text));
    } else {
        print::result(&String::from_utf8_lossy(&derive::json(&policy(&permissions))?));
    }
    if permissions.is_empty() {
        print::note("nothing is asked of AWS, so nothing has to be allowed");
    }
    Ok(Verdict::Done)
}

fn scope(args: &Args, catalog: &Catalog) -> Result<Scope, CliError> {
    if let Some(account) = args.account.as_ref().filter(|a| a.len() != 12 || !a.bytes().all(|b| b.is_ascii_digit())) {
        return Err(CliError::usage(format!("`{account}` is not an account id: twelve digits")));
    }
    let is_name = |text: &String| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    for text in args.stack.iter().chain(&args.region) {
        if !is_name(text) {
            return Err(CliError::usage(format!("`{text}` is not the name of a stack or region")));
        }
    }
    if let Some(key) = args.key.as_ref().filter(|key| Arn::parse(key).is_none_or(|arn| arn.service != "kms")) {
        return Err(CliError::usage(format!(
            "`{key}` is not the ARN of a key, such as arn:aws:kms:eu-central-1:111122223333:key/ID"
        )));
    }
    let place = args.bucket.as_deref().or_else(|| args.from.as_deref().filter(|from| from.starts_with("s3://")));
    let (bucket, prefix) = place.map(place_of).transpose()?.unzip();
    let partition = args.region.as_ref().map(|region| catalog.partition(region).to_owned());
    let (account, region, stacks, key) = (args.account.clone(), args.region.clone(), args.stack.clone(), args.key.clone());
    Ok(Scope { partition, account, region, stacks, bucket, prefix, key })
}

/// The bucket and the prefix before `AWSLogs/` of an address.
fn place_of(text: &str) -> Result<(String, String), CliError> {
    let rest = text.strip_prefix("s3://").unwrap_or_default();
    let mut parts = rest.split('/').filter(|part| !part.is_empty());
    let bucket = parts.next().filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)));
    let Some(bucket) = bucket else { return Err(CliError::usage(format!("`{text}` is not a place such as s3://BUCKET/PREFIX"))) };
    let prefix: String = parts.take_while(|part| *part != "AWSLogs").map(|part| format!("{part}/")).collect();
    if prefix.contains(['*', '?', '$']) {
        return Err(CliError::usage(format!("`{text}` has characters that mean something else in a policy")));
    }
    Ok((bucket.to_owned(), prefix))
}
