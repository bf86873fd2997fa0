//! `policyc record`: a live stack → its description and a ledger in the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::connect::ConnectArgs;
use super::error::CliError;
use super::fetch::{self, ActivityArgs, roles_mut};
use super::{Outcome, Verdict, files, live, print, stack};
use crate::aws::discover::Discovery;
use crate::finding::{Finding, Severity};
use crate::ledger::mask::Mask;
use crate::ledger::recording::recorded;
use crate::ledger::{Ledger, format};
use crate::stack::config::{ATTACHED, StackConfig};

/// Record what a deployed stack is and did: its description and a ledger, at the places that policyc.toml names.
///
/// Nothing is changed in the account. What is written holds no access key, no address and no name of a person's session, and is the
/// same, byte for byte, when the same is recorded again.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc record --stack web\n  policyc record --stack web --from s3://my-trail-bucket --days 30\n  policyc record --stack web --dry-run"
)]
pub(super) struct Args {
    /// A stack that policyc.toml configures
    #[arg(long, value_name = "NAME")]
    stack: String,
    #[command(flatten)]
    activity: ActivityArgs,
    #[command(flatten)]
    connect: ConnectArgs,
    /// The stack's region (default: the configured one)
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Write nothing; say what would change
    #[arg(long)]
    dry_run: bool,
    /// The configuration of stacks
    #[arg(long, value_name = "FILE", default_value = "policyc.toml")]
    config: PathBuf,
}

pub(super) fn run(args: &Args) -> Outcome {
    let (config, home) = stack::load_config(&args.stack, &args.config)?;
    let ledger_path = place(&config, &home)?;
    let names: BTreeSet<String> = config.role.iter().map(|r| r.stack.clone()).collect();
    let account = args.connect.account(args.region.as_deref())?;
    let mut found = live::described(&account, &names)?;
    let mut seen = fetch::fetch(&account, &mut found, &args.activity, &args.stack)?;
    print::findings(&seen.findings, Severity::Warning);
    mark(&mut found, &config);
    found.description.note = format!("recorded by policyc, {} days of {}", args.activity.days, args.activity.from);
    let ledger = masked(&mut found, std::mem::take(&mut seen.ledger), &args.stack);
    let mut description = serde_json::to_vec_pretty(&found.description)
        .map_err(|e| CliError::usage(format!("the description cannot be written as JSON: {e}")))?;
    description.push(b'\n');
    let outputs = [(home.join(&config.description), description), (ledger_path, format::write(&ledger))];
    for (path, bytes) in &outputs {
        print::note(&format!("{}: {} bytes", path.display(), bytes.len()));
    }
    if args.dry_run {
        return Ok(Verdict::Done);
    }
    let changed = files::write_all(&outputs)?;
    print::note(&format!("{} of {} files changed", changed.len(), outputs.len()));
    seen.tidy()?;
    Ok(Verdict::Done)
}

/// Where the ledger goes: the one file that the configuration has as trail.
fn place(config: &StackConfig, home: &Path) -> Result<PathBuf, CliError> {
    let ledgers: Vec<&String> = config.trail.iter().filter(|t| t.ends_with(".ledger")).collect();
    match (ledgers.as_slice(), config.trail.len()) {
        ([one], 1) => Ok(home.join(one)),
        _ => Err(CliError::usage(
            "a recording is one ledger: let `trail` of the stack in policyc.toml be a file that ends in `.ledger`, such as `policyc/web.ledger`",
        )),
    }
}

/// Marks of each role what its policy takes the place of and what stays.
fn mark(found: &mut Discovery, config: &StackConfig) {
    for (name, stack) in &mut found.description.stacks {
        let (mut roles, copy) = (std::mem::take(&mut stack.roles), stack.clone());
        for (id, role) in &mut roles {
            let wanted = config.role.iter().find(|r| r.stack == *name && r.logical_id == *id);
            let keeps = wanted.map(|r| r.keeps.clone()).unwrap_or_default();
            let replace = Some(config.baseline.as_str()).filter(|b| *b != ATTACHED);
            role.mark(replace, &keeps, &live::own(id, &copy));
        }
        stack.roles = roles;
    }
    let told: Vec<Finding> = roles_mut(&mut found.description).flat_map(|r| r.findings()).collect();
    print::findings(&told, Severity::Note);
}

/// Leaves out of description and ledger what has no place in a repository.
fn masked(found: &mut Discovery, ledger: Ledger, name: &str) -> Ledger {
    let mask = Mask::new(found.secret.iter().map(String::as_str));
    for role in roles_mut(&mut found.description) {
        role.addresses = role.addresses.iter().map(|a| mask.address(a)).collect();
    }
    recorded(mask.addresses(ledger), name)
}
