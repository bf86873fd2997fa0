//! `policyc observe`: records → ledger.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::arguments::TrailArgs;
use super::error::CliError;
use super::question::RoleName;
use super::{Outcome, files, merge, print};
use crate::catalog::Catalog;
use crate::finding::{Finding, Severity};
use crate::ledger::selectors::LoggedRole;
use crate::ledger::{Coverage, Ledger};
use crate::trail::{self, Interest};

/// Fold records into a ledger: small, mergeable, free of secrets.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  policyc observe ./AWSLogs --role web-Role -o web.ledger")]
pub(super) struct Args {
    /// Records: a file, a folder, `-` for standard input, or a ledger
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where to write the ledger; `-` for standard output
    #[arg(short, long, value_name = "LEDGER")]
    output: PathBuf,
    /// Keep only this role's sessions (repeatable; default: every role's)
    #[arg(long, value_name = "NAME|ARN")]
    role: Vec<String>,
    /// Keep only this account's sessions
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Go on when a file or record cannot be read, and report each one
    #[arg(long)]
    skip_unreadable: bool,
    /// What the trail could show: the output of `aws cloudtrail get-event-selectors`
    #[arg(long, value_name = "FILE")]
    coverage: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let roles = args.role.iter().map(|r| RoleName::parse(r).map(|r| r.name)).collect::<Result<BTreeSet<_>, _>>()?;
    let trail = TrailArgs { trail: args.paths.clone(), skip_unreadable: args.skip_unreadable, coverage: args.coverage.clone() };
    let (ledger, findings) = observe(&trail, Interest { account: args.account.clone(), roles }, Catalog::embedded())?;
    print::findings(&findings, Severity::Warning);
    merge::write_ledger(&args.output, &ledger)
}

/// Reads records in parallel, with a progress bar when it takes longer than a blink.
pub(super) fn observe(args: &TrailArgs, interest: Interest, catalog: &Catalog) -> Result<(Ledger, Vec<Finding>), CliError> {
    let paths = files::gather(&args.trail)?;
    let inputs: Vec<trail::Input<'_>> = paths
        .iter()
        .map(|path| trail::Input::new(path.display().to_string(), || files::read(path).map_err(std::io::Error::other)))
        .collect();
    // What was seen is no part of what is declared: some events of a type are not all of them.
    let declared = args.coverage.as_deref().map(|path| declared(path, &interest)).transpose()?;
    let bar = progress(inputs.len() as u64);
    let advance = |done: usize, _: usize| bar.set_position(done as u64);
    let options = trail::Options {
        skip_unreadable: args.skip_unreadable,
        declared: declared.as_ref(),
        progress: &advance,
        ..trail::Options::default()
    };
    let observed = trail::observe(&inputs, &interest, catalog, &options);
    bar.finish_and_clear();
    let observed = observed.map_err(|e| CliError::Trail(format!("{e}; {}", e.advice())))?;
    Ok((observed.ledger, observed.findings))
}

/// What event selectors show; those that are for one role alone count where that is the only one of interest.
fn declared(path: &Path, interest: &Interest) -> Result<Coverage, CliError> {
    let role = match (&interest.account, interest.roles.first()) {
        (Some(account), Some(name)) if interest.roles.len() == 1 => {
            Some(LoggedRole { account: account.clone(), name: name.clone(), partition: None })
        }
        _ => None,
    };
    Coverage::from_event_selectors(&files::read(path)?, role.as_ref()).map_err(|e| CliError::configuration(path, e))
}

/// A bar on stderr that draws nothing for the first tenths of a second.
fn progress(length: u64) -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::with_draw_target(Some(length), indicatif::ProgressDrawTarget::stderr_with_hz(4));
    let style = indicatif::ProgressStyle::with_template("{bar:32} {pos}/{len} files, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()))
}
