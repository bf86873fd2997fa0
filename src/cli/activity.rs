//! Whose observed calls a proof or a replay is about.

use std::io::Read;

use super::arguments::{RoleArgs, TrailArgs};
use super::error::CliError;
use super::observe;
use super::question::{MANAGED_POLICY_LIMIT, RoleName, baseline, question};
use crate::catalog::Catalog;
use crate::derive::scope;
use crate::ledger::{Evidence, Ledger, Use, format};
use crate::trail::Interest;

/// Scoping looks at no baseline, so any will do.
const ANY: &str = "AmazonEC2RoleforSSM";

/// Calls that passed authorisation.
pub(super) struct Activity {
    pub(super) uses: Vec<(Use, Evidence)>,
    /// Events made with the instances' credentials from somewhere else; they are not among the uses.
    pub(super) elsewhere: u64,
    pub(super) ledger: Ledger,
}

/// Reads a trail. With a role its instances' calls count, judged as `policyc derive` judges them; without, every role's.
pub(super) fn read(trail: &TrailArgs, role: &RoleArgs) -> Result<Activity, CliError> {
    let catalog = Catalog::embedded();
    let named = role.role.as_deref().map(RoleName::parse).transpose()?;
    let account = role.account.clone().or_else(|| named.as_ref().and_then(|n| n.account.clone()));
    let interest = if trail.trail.iter().all(|path| is_ledger(path)) {
        Interest::default() // a ledger is taken as it is, so that its digest is the one that a certificate names
    } else {
        Interest { account, roles: named.iter().map(|n| n.name.clone()).collect() }
    };
    let (ledger, findings) = observe::observe(trail, interest, catalog)?;
    super::print::findings(&findings, crate::finding::Severity::Warning);
    let Some(named) = named else {
        let authorised = ledger.uses.iter().filter(|(used, _)| used.outcome.authorised());
        let uses = authorised.map(|(used, evidence)| (used.clone(), evidence.clone())).collect();
        return Ok(Activity { uses, elsewhere: 0, ledger });
    };
    let question = question(role, &named, baseline(ANY)?, MANAGED_POLICY_LIMIT, &ledger, catalog)?;
    let scoped = scope::scope(&question, &ledger);
    let elsewhere = scoped.suspicious.iter().map(|s| s.calls).sum();
    let own: Vec<(&Use, &Evidence)> = if scoped.instances.is_empty() {
        // The role of something else than instances: nothing is known of where its calls should come from.
        let sessions = |used: &Use| used.session.role == question.role && used.session.account == question.account;
        ledger.uses.iter().filter(|(used, _)| sessions(used) && used.outcome.authorised()).collect()
    } else {
        scoped.uses
    };
    let uses = own.into_iter().map(|(used, evidence)| (used.clone(), evidence.clone())).collect();
    Ok(Activity { uses, elsewhere, ledger })
}

/// Whether a path is the file of a ledger.
fn is_ledger(path: &std::path::Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut head));
    path.is_file() && read.is_ok() && format::looks_like_ledger(&head)
}
