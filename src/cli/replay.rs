//! `policyc replay`: which of these calls would this policy have denied?

use super::arguments::{Format, RoleArgs, TrailArgs};
use super::error::CliError;
use super::{Outcome, Verdict, activity, derive, documents, print};
use crate::prove::replay::InForce;
use crate::review::replayed::Replayed;

/// Replay observed calls on a policy: what would break if it were attached today?
///
/// Every call that passed authorisation is replayed: with `--role`, those of the role's instances, judged as `derive`
/// judges them; without, those of every role in the trail. Exit code 1 if any would be denied.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc replay policy.json --trail ./AWSLogs --role web-Role\n  policyc replay AmazonSSMManagedInstanceCore --trail week.ledger --format json\n  policyc replay policy.json --keep own.json --boundary team-boundary.json --trail ./AWSLogs --role web-Role"
)]
pub(super) struct Args {
    /// The policies, all together: files, or AWS-managed policies by name or ARN
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<String>,
    #[command(flatten)]
    trail: TrailArgs,
    #[command(flatten)]
    role: RoleArgs,
    /// What the calls went through under: a condition that the trail does not decide is settled where it stands here word for word (repeatable)
    #[arg(long, value_name = "NAME|ARN|FILE")]
    baseline: Vec<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(args: &Args) -> Outcome {
    if args.trail.trail.is_empty() {
        return Err(CliError::usage("`replay` needs `--trail PATH`"));
    }
    let mut policies = documents::load(&args.policies)?;
    policies.extend(documents::load(&args.role.keep)?);
    let baseline = documents::load(&args.baseline)?;
    let activity = activity::read(&args.trail, &args.role)?;
    let names = policies.iter().map(|p| p.name.clone()).collect();
    let (new, old) = (documents::read(&policies)?, documents::read(&baseline)?);
    let boundary = documents::boundary(args.role.boundary.as_deref())?;
    let limit = boundary.as_ref().map(documents::Named::document).transpose()?;
    let force = InForce { policies: &new, boundary: limit.as_ref() };
    let before = InForce { policies: &old, boundary: None };
    let replayed = Replayed::of(names, boundary.map(|b| b.name), force, before, &activity.uses, activity.elsewhere);
    if args.format == Format::Json {
        print::result(&String::from_utf8_lossy(&derive::json(&replayed)?));
    } else {
        print::result(&replayed.render().map_err(|e| CliError::usage(e.to_string()))?);
    }
    if replayed.calls == 0 {
        print::note("the trail has no call that passed authorisation; check `--trail` and `--role`");
        return Ok(Verdict::No);
    }
    Ok(if replayed.denied == 0 { Verdict::Done } else { Verdict::No })
}
