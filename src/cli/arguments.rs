//! Arguments that several commands share.

use std::path::{Path, PathBuf};

use super::error::CliError;

/// Where records come from and whose they are.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct TrailArgs {
    /// Records: a file, a folder, `-` for standard input, or a ledger (repeatable)
    #[arg(long, value_name = "PATH")]
    pub(super) trail: Vec<PathBuf>,
    /// Go on when a file or record cannot be read, and report each one
    #[arg(long)]
    pub(super) skip_unreadable: bool,
    /// What the trail could show: the output of `aws cloudtrail get-event-selectors`
    #[arg(long, value_name = "FILE")]
    pub(super) coverage: Option<PathBuf>,
}

/// Which role is meant, and what is known of its instances.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct RoleArgs {
    /// The role, by name or ARN
    #[arg(long, value_name = "NAME|ARN")]
    pub(super) role: Option<String>,
    /// The role's account (default: the one of the ARN, or the one the records show)
    #[arg(long, value_name = "ID")]
    pub(super) account: Option<String>,
    /// The home region (default: the one most calls went to)
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// An instance that counts (repeatable; default: every instance session of the role)
    #[arg(long, value_name = "ID")]
    pub(super) instance: Vec<String>,
    /// A feature that is needed whether or not it was seen, with the resource it uses where it has one (repeatable)
    #[arg(long, value_name = "FEATURE[=RESOURCE]")]
    pub(super) need: Vec<String>,
    /// Addresses that are the instances' own (repeatable)
    #[arg(long, value_name = "CIDR")]
    pub(super) address: Vec<String>,
    /// A policy that stays attached to the role: what it grants is left out (repeatable)
    #[arg(long, value_name = "NAME|ARN|FILE")]
    pub(super) keep: Vec<String>,
    /// The role's permissions boundary: it changes no policy, and what it forbids is told [default: the recorded one]
    #[arg(long, value_name = "NAME|ARN|FILE")]
    pub(super) boundary: Option<String>,
    /// Accept that other sessions use the role and lose what only they need
    #[arg(long)]
    pub(super) allow_shared_role: bool,
}

/// Refuses what is said beside a stack that `policyc.toml` configures: whose calls count, and where they are, is said there.
pub(super) fn only_configured(trail: &TrailArgs, role: &RoleArgs, config: &Path) -> Result<(), CliError> {
    let given = [
        ("--skip-unreadable", trail.skip_unreadable),
        ("--coverage", trail.coverage.is_some()),
        ("--role", role.role.is_some()),
        ("--account", role.account.is_some()),
        ("--region", role.region.is_some()),
        ("--instance", !role.instance.is_empty()),
        ("--need", !role.need.is_empty()),
        ("--address", !role.address.is_empty()),
        ("--keep", !role.keep.is_empty()),
        ("--boundary", role.boundary.is_some()),
        ("--allow-shared-role", role.allow_shared_role),
    ];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(CliError::usage(format!(
            "`{option}` would change nothing here: the stack and its roles are configured in `{}`, where it belongs",
            config.display()
        ))),
        None => Ok(()),
    }
}

/// How a result is printed.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}
