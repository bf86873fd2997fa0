//! Arguments that say which account is meant.

use super::error::CliError;
use crate::aws::connect::{Account, ConnectError, Wanted};

/// Which account is meant, and with whose credentials.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct ConnectArgs {
    /// A profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// A role to assume first, as in another account of the organisation
    #[arg(long, value_name = "ARN")]
    assume_role: Option<String>,
}

impl ConnectArgs {
    /// Connects; `region` is the one that was named, if any.
    pub(super) fn account(&self, region: Option<&str>) -> Result<Account, CliError> {
        let named = self.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok()).filter(|name| !name.is_empty());
        let wanted = Wanted {
            profile: self.profile.clone(),
            region: region.map(str::to_owned),
            assume_role: self.assume_role.clone(),
            login: named.map_or_else(|| "aws sso login".to_owned(), |name| format!("aws sso login --profile {name}")),
        };
        Account::connect(&wanted).map_err(|error| match error {
            ConnectError::NoRole(_) => CliError::usage(error.to_string()),
            error => CliError::Aws(error.to_string()),
        })
    }
}
