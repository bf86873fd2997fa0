//! `policyc coverage`: which of a baseline's actions a trail can show, and which event selectors would show the rest.

use std::path::PathBuf;

use super::arguments::Format;
use super::error::CliError;
use super::question::{self, RoleName};
use super::{Outcome, Verdict, derive, files, print, stack};
use crate::catalog::Catalog;
use crate::derive::verdict::actions_named;
use crate::ledger::selectors::{EventSelectors, LoggedRole};
use crate::review::coverage::CoverageReport;

/// Say which of a baseline's actions a trail cannot show, and print the event selectors that would show them.
///
/// Without selectors the source is taken for one that shows all management events and no others, as event history does.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc coverage --stack demo\n  aws cloudtrail get-event-selectors --trail-name main > selectors.json\n  policyc coverage --selectors selectors.json --role web-Role --account 111122223333"
)]
pub(super) struct Args {
    /// A stack that `policyc.toml` configures: its baseline and its coverage
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// The output of `aws cloudtrail get-event-selectors`
    #[arg(long, value_name = "FILE")]
    selectors: Option<PathBuf>,
    /// The policy whose actions are judged: an AWS-managed policy by name or ARN, or a file
    #[arg(long, value_name = "NAME|ARN|FILE")]
    baseline: Option<String>,
    /// New selectors log this role's calls alone
    #[arg(long, value_name = "NAME|ARN")]
    role: Option<String>,
    /// The role's account, where `--role` is no ARN
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The configuration of stacks
    #[arg(long, value_name = "FILE", default_value = "policyc.toml")]
    config: PathBuf,
}

/// The baseline where none is named.
const BASELINE: &str = "AmazonEC2RoleforSSM";

pub(super) fn run(args: &Args) -> Outcome {
    let configured = args.stack.as_deref().map(|name| stack::sources(name, &args.config)).transpose()?;
    let file = args.selectors.clone().or_else(|| configured.as_ref().and_then(|c| c.coverage.clone()));
    let named = args.baseline.clone().or_else(|| configured.map(|c| c.baseline));
    let baseline = question::baseline(named.as_deref().unwrap_or(BASELINE))?;
    let selectors = match &file {
        Some(path) => Some(EventSelectors::parse(&files::read(path)?).map_err(|e| CliError::configuration(path, e))?),
        None => None,
    };
    let catalog = Catalog::embedded();
    let actions = actions_named(&baseline.policy, catalog);
    let role = role(args)?;
    let report = CoverageReport::new(&baseline.name, &actions, selectors.as_ref(), role.as_ref(), catalog);
    match args.format {
        Format::Json => print::result(&String::from_utf8_lossy(&derive::json(&report)?)),
        Format::Text => print::result(&report.text()),
    }
    Ok(Verdict::Done)
}

fn role(args: &Args) -> Result<Option<LoggedRole>, CliError> {
    let Some(text) = &args.role else { return Ok(None) };
    let role = RoleName::parse(text)?;
    let account = role.account.or_else(|| args.account.clone());
    let account = account.ok_or_else(|| CliError::usage("`--role NAME` needs `--account ID`, or the role's ARN"))?;
    Ok(Some(LoggedRole { account, name: role.name, partition: role.partition }))
}
