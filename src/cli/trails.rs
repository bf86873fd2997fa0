//! What a trail of the account logs, and whose calls it is to log.

use std::collections::BTreeSet;

use aws_sdk_cloudtrail::Client;

use super::coverage::Judged;
use super::error::CliError;
use super::{live, print, question};
use crate::aws::connect::Account;
use crate::aws::lookup::Patience;
use crate::aws::trails::{TrailsError, choose, find};
use crate::catalog::Catalog;
use crate::derive::verdict::actions_named;
use crate::ledger::selectors::{EventSelectors, LoggedRole};
use crate::review::coverage::TrailShown;

/// The trail that logs the account's region.
const ANY: &str = "trail";

/// A trail by name or ARN, or the one that logs the region, with what it logs.
pub(super) fn of_account(account: &Account, wanted: &str) -> Result<(TrailShown, EventSelectors), CliError> {
    let client = Client::new(&account.config);
    let failed = |error: TrailsError| CliError::Aws(error.to_string());
    let all = account.runtime.block_on(find(&client, Patience::default())).map_err(failed)?;
    let chosen = if wanted == ANY {
        choose(&all, &BTreeSet::from([account.region.clone()])).map_err(failed)?.first().copied()
    } else {
        all.iter().find(|trail| trail.arn == wanted || trail.arn.rsplit('/').next() == Some(wanted))
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
    Ok((shown, trail.selectors.clone().map_err(CliError::Aws)?))
}

/// The roles of a live stack, what is attached to them, and the trail that logs them.
pub(super) fn of_stack(account: &Account, name: &str, from: Option<&str>, baseline: Option<&str>) -> Result<Judged, CliError> {
    let mut found = live::described(account, &BTreeSet::from([name.to_owned()]))?;
    let named = baseline.map(question::baseline).transpose()?;
    let (mut names, mut actions, mut roles) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for listed in found.description.stacks.values_mut() {
        let own = listed.roles.keys().map(|id| (id.clone(), live::own(id, listed))).collect::<Vec<_>>();
        for (id, own) in own {
            let Some(role) = listed.roles.get_mut(&id) else { continue };
            role.mark(baseline, &[], &own);
            let within = match (&named, role.replaced()) {
                (Some(named), _) => named.clone(),
                (None, Ok(document)) => question::read(document)?,
                (None, Err(error)) => {
                    print::note(&format!("{id}: {error}; it is left out"));
                    continue;
                }
            };
            actions.extend(actions_named(&within.policy, Catalog::embedded()));
            names.insert(within.name);
            let (account, partition) = (account.id.clone(), Some(account.partition.clone()));
            roles.push(LoggedRole { account, name: role.name.clone(), partition });
        }
    }
    if roles.is_empty() {
        return Err(CliError::usage(format!("no role of `{name}` has a policy to judge; say which with `--baseline`")));
    }
    let (trail, selectors) = of_account(account, from.unwrap_or(ANY))?;
    let baseline = names.into_iter().collect::<Vec<_>>().join(" + ");
    Ok(Judged { baseline, actions, roles, selectors: Some(selectors), trail: Some(trail) })
}
