//! `policyc coverage`: which of a baseline's actions a trail can show, and which event selectors would show the rest.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::arguments::Format;
use super::error::CliError;
use super::question::{self, RoleName};
use super::{Outcome, Verdict, derive, files, print, stack};
use crate::catalog::Catalog;
use crate::derive::verdict::actions_named;
use crate::iam::Action;
use crate::ledger::selectors::{EventSelectors, LoggedRole};
use crate::review::coverage::{CoverageReport, TrailShown};

/// Say which of a baseline's actions a trail cannot show, and print the event selectors that would show them.
///
/// Without selectors the source is taken for one that shows all management events and no others, as event history does.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc coverage --stack demo\n  aws cloudtrail get-event-selectors --trail-name main > selectors.json\n  policyc coverage --selectors selectors.json --role web-Role --account 111122223333\n  policyc coverage --from trail --region eu-central-1 --role arn:aws:iam::111122223333:role/web-Role"
)]
pub(super) struct Args {
    /// A stack that `policyc.toml` configures: its baseline and its coverage; any other is looked for in the account, with its roles
    /// and the trail that logs them
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
    /// Take the selectors from the account: `trail` is the one that logs the region, or give a trail's name or ARN
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "trail|NAME|ARN", conflicts_with = "selectors")]
    from: Option<String>,
    /// The region whose trail is meant
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    #[cfg(feature = "aws")]
    #[command(flatten)]
    connect: super::connect::ConnectArgs,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The configuration of stacks
    #[arg(long, value_name = "FILE", default_value = "policyc.toml")]
    config: PathBuf,
}

/// The baseline where none is named.
const BASELINE: &str = "AmazonEC2RoleforSSM";

/// What is judged: by which selectors, for whom.
pub(super) struct Judged {
    /// The baseline's name.
    pub(super) baseline: String,
    /// Its actions.
    pub(super) actions: BTreeSet<Action>,
    /// Whose calls matter; everybody's where empty.
    pub(super) roles: Vec<LoggedRole>,
    /// What the trail logs, and which it is where it was asked for.
    pub(super) selectors: Option<EventSelectors>,
    pub(super) trail: Option<TrailShown>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let judged = judged(args)?;
    let Judged { baseline, actions, roles, selectors, trail } = &judged;
    let mut report = CoverageReport::new(baseline, actions, selectors.as_ref(), roles, Catalog::embedded());
    report.trail.clone_from(trail);
    match args.format {
        Format::Json => print::result(&String::from_utf8_lossy(&derive::json(&report)?)),
        Format::Text => print::result(&report.text()),
    }
    Ok(Verdict::Done)
}

fn judged(args: &Args) -> Result<Judged, CliError> {
    #[cfg(feature = "aws")]
    if let Some(name) = args.stack.as_deref().filter(|_| args.selectors.is_none())
        && !stack::is_configured(name, &args.config)?
    {
        let account = args.connect.account(args.region.as_deref())?;
        return super::trails::of_stack(&account, name, args.from.as_deref(), args.baseline.as_deref());
    }
    let configured = args.stack.as_deref().map(|name| stack::sources(name, &args.config)).transpose()?;
    let file = args.selectors.clone().or_else(|| configured.as_ref().and_then(|c| c.coverage.clone()));
    let named = args.baseline.clone().or_else(|| configured.map(|c| c.baseline));
    let baseline = question::baseline(named.as_deref().unwrap_or(BASELINE))?;
    let actions = actions_named(&baseline.policy, Catalog::embedded());
    let roles: Vec<LoggedRole> = role(args)?.into_iter().collect();
    let given = |path: &PathBuf| EventSelectors::parse(&files::read(path)?).map_err(|e| CliError::configuration(path, e));
    #[cfg(feature = "aws")]
    if let Some(wanted) = &args.from {
        let account = args.connect.account(args.region.as_deref())?;
        let (trail, selectors) = super::trails::of_account(&account, wanted)?;
        return Ok(Judged { baseline: baseline.name, actions, roles, selectors: Some(selectors), trail: Some(trail) });
    }
    let selectors = file.as_ref().map(given).transpose()?;
    Ok(Judged { baseline: baseline.name, actions, roles, selectors, trail: None })
}

fn role(args: &Args) -> Result<Option<LoggedRole>, CliError> {
    let Some(text) = &args.role else { return Ok(None) };
    let role = RoleName::parse(text)?;
    let account = role.account.or_else(|| args.account.clone());
    let account = account.ok_or_else(|| CliError::usage("`--role NAME` needs `--account ID`, or the role's ARN"))?;
    Ok(Some(LoggedRole { account, name: role.name, partition: role.partition }))
}
