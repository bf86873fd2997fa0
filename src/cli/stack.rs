//! Stacks that `policyc.toml` configures: derive all their roles, write their policies and templates together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::arguments::{Format, RoleArgs, TrailArgs};
use super::error::CliError;
use super::question::{RoleName, baseline, needs, question, range};
use super::{Outcome, Verdict, derive, files, observe, print};
use crate::catalog::Catalog;
use crate::compile::{Compiled, compile};
use crate::derive::Question;
use crate::emit::section::{Injected, Portable, inject_role};
use crate::review::report::Report;
use crate::stack::StackDescription;
use crate::stack::config::{Config, RoleConfig, StackConfig};
use crate::trail::Interest;

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) name: &'a str,
    pub(super) config: &'a Path,
    pub(super) dry_run: bool,
    pub(super) inject: bool,
    pub(super) format: Format,
    pub(super) limit: usize,
    pub(super) report: Option<&'a Path>,
}

/// One role of the stack, derived.
pub(super) struct Derived {
    pub(super) config: RoleConfig,
    pub(super) question: Question,
    pub(super) compiled: Compiled,
    pub(super) report: Report,
}

/// Everything a stack's derivation gives: the roles, and every file as it should be.
pub(super) struct StackResult {
    pub(super) roles: Vec<Derived>,
    pub(super) outputs: Vec<(PathBuf, Vec<u8>)>,
}

impl StackResult {
    pub(super) fn refused(&self) -> bool {
        self.roles.iter().any(|r| r.compiled.derivation.refused())
    }
}

/// `policyc derive --stack NAME`.
pub(super) fn derive(request: &Request<'_>) -> Outcome {
    let result = compile_stack(request)?;
    for role in &result.roles {
        derive::show(&role.question, &role.compiled, &role.report, request.format)?;
    }
    if result.refused() {
        print::note("nothing was written: an error finding forbids it (see above)");
        return Ok(Verdict::No);
    }
    if !request.dry_run {
        let mut outputs = result.outputs;
        if let Some(path) = request.report {
            let reports: BTreeMap<&str, &Report> = result.roles.iter().map(|r| (r.config.logical_id.as_str(), &r.report)).collect();
            outputs.push((path.to_owned(), derive::json(&reports)?));
        }
        let all = outputs.len();
        let changed = files::write_all(&outputs)?;
        print::note(&format!("{} of {all} files changed{}", changed.len(), changed.iter().map(|p| format!("\n  {}", p.display())).collect::<String>()));
    }
    Ok(Verdict::Done)
}
