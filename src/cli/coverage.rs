//! `policyc coverage`: which of a baseline's actions a trail can show, and which event selectors would show the rest.

use std::path::PathBuf;

use super::arguments::Format;
use super::error::CliError;
use super::question::{self, RoleName};
use super::{Outcome, Verdict, derive, files, print, stack};
use crate::catalog::Catalog;
use crate::derive::verdict::actions_named;
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
    /// Take the selectors from the account: `trail` is the one that logs the region, or give a trail's name or ARN
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "trail|NAME|ARN", conflicts_with = "selectors")]
    from: Option<String>,
    /// The region whose trail is meant
    #[cfg(feature = "aws")]
    #[arg(long, value_name = "REGION", requires = "from")]
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

pub(super) fn run(args: &Args) -> Outcome {
    let configured = args.stack.as_deref().map(|name| stack::sources(name, &args.config)).transpose()?;
    let file = args.selectors.clone().or_else(|| configured.as_ref().and_then(|c| c.coverage.clone()));
    let named = args.baseline.clone().or_else(|| configured.map(|c| c.baseline));
    let baseline = question::baseline(named.as_deref().unwrap_or(BASELINE))?;
    let live = live(args)?;
    let selectors = match (&live, &file) {
        (Some((_, selectors)), _) => Some(selectors.clone()),
        (None, Some(path)) => Some(EventSelectors::parse(&files::read(path)?).map_err(|e| CliError::configuration(path, e))?),
        (None, None) => None,
    };
    let catalog = Catalog::embedded();
    let actions = actions_named(&baseline.policy, catalog);
    let role = role(args)?;
    let mut report = CoverageReport::new(&baseline.name, &actions, selectors.as_ref(), role.as_ref(), catalog);
    report.trail = live.map(|(trail, _)| trail);
    match args.format {
        Format::Json => print::result(&String::from_utf8_lossy(&derive::json(&report)?)),
        Format::Text => print::result(&report.text()),
    }
    Ok(Verdict::Done)
}

#[cfg(not(feature = "aws"))]
#[allow(clippy::unnecessary_wraps)] // as the one that asks
fn live(_: &Args) -> Result<Option<(TrailShown, EventSelectors)>, CliError> {
    Ok(None)
}

/// The trail that was asked for, as the account describes it.
#[cfg(feature = "aws")]
fn live(args: &Args) -> Result<Option<(TrailShown, EventSelectors)>, CliError> {
    use crate::aws::lookup::Patience;
    use crate::aws::trails;

    let Some(wanted) = &args.from else { return Ok(None) };
    let account = args.connect.account(args.region.as_deref())?;
    let client = aws_sdk_cloudtrail::Client::new(&account.config);
    let failed = |error: trails::TrailsError| CliError::Aws(error.to_string());
    let all = account.runtime.block_on(trails::find(&client, Patience::default())).map_err(failed)?;
    let chosen = if wanted == "trail" {
        trails::choose(&all, &std::collections::BTreeSet::from([account.region.clone()])).map_err(failed)?.first().copied()
    } else {
        all.iter().find(|trail| trail.arn == *wanted || trail.arn.rsplit('/').next() == Some(wanted))
    };
    let trail = chosen.ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|trail| trail.arn.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        CliError::usage(format!("`{wanted}` is no trail of the account {} in {}; it has {known}", account.id, account.region))
    })?;
    if let Some(error) = &trail.delivery_error {
        print::note(&format!("the trail {} does not deliver: {error}; what it should log is not in its bucket", trail.arn));
    }
    let shown = TrailShown {
        arn: trail.arn.clone(),
        home: trail.home.clone(),
        every_region: trail.every_region,
        organisation: trail.organisation,
        logging: trail.logging,
        bucket: format!("s3://{}/{}", trail.place.bucket, trail.place.prefix),
    };
    Ok(Some((shown, trail.selectors.clone())))
}

fn role(args: &Args) -> Result<Option<LoggedRole>, CliError> {
    let Some(text) = &args.role else { return Ok(None) };
    let role = RoleName::parse(text)?;
    let account = role.account.or_else(|| args.account.clone());
    let account = account.ok_or_else(|| CliError::usage("`--role NAME` needs `--account ID`, or the role's ARN"))?;
    Ok(Some(LoggedRole { account, name: role.name, partition: role.partition }))
}
