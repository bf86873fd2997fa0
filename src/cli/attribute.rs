//! `policyc diff --stack NAME --base REVISION`: what changed because the activity did, and what because policyc did.
//!
//! From the policy of the revision to the one here there are three steps: what this policyc derives from the inputs of
//! the revision, what it derives from those here, and what is here. Each step exchanges one thing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::check::committed;
use super::error::CliError;
use super::stack::{self, StackResult};
use super::{diff, endpoint, print};
use crate::catalog::Catalog;
use crate::prove::certificate::{Certificate, digest};
use crate::review::causes::{Step, attribute};
use crate::review::meaning::{Meaning, Side};
use crate::stack::config::Config;

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) stack: &'a str,
    pub(super) base: &'a str,
    pub(super) config: &'a Path,
    pub(super) limit: usize,
}

/// The policies of a role or an endpoint then and now, as texts, and what their difference means.
pub(super) struct Compared {
    pub(super) name: String,
    pub(super) old: Vec<u8>,
    pub(super) new: Vec<u8>,
    pub(super) meaning: Meaning,
}

/// Compares the policies of a stack's roles and endpoints with those of a revision, and says which change is behind what.
pub(super) fn compare(request: &Request<'_>) -> Result<Vec<Compared>, CliError> {
    let folder = tempfile::tempdir().map_err(|e| CliError::output(&std::env::temp_dir(), e))?;
    let then_config = checkout(request, folder.path())?;
    let ask = |config| stack::Request { name: request.stack, config, inject: false, limit: request.limit };
    let now = stack::compile_stack(&ask(request.config))?;
    let then = match stack::compile_stack(&ask(&then_config)) {
        Ok(then) => Some(then),
        Err(e) => {
            print::note(&format!("note: what each change did is not told apart: with the inputs of `{}`, {e}", request.base));
            None
        }
    };
    let inputs = then.as_ref().map(|then| inputs(request, &then_config, then, &now)).transpose()?;
    let all = written(&now).into_iter().map(|policy| {
        let before = then.iter().flat_map(written).find(|own| own.whose == policy.whose);
        of_policy(request, folder.path(), &policy, before.map(|own| own.document), inputs.as_deref())
    });
    all.collect()
}

/// A policy that a derivation gives.
struct Written<'a> {
    /// Its stack, and its role or endpoint there.
    whose: (&'a str, &'a str),
    /// Its file.
    policy: &'a Path,
    document: &'a str,
}

fn written(result: &StackResult) -> Vec<Written<'_>> {
    let roles = result.roles.iter().map(|role| Written {
        whose: (&role.stack, &role.logical_id),
        policy: &role.policy,
        document: &role.compiled.document,
    });
    let endpoints = result.endpoints.iter().map(|one| Written {
        whose: (&one.report.stack, &one.report.logical_id),
        policy: &one.policy,
        document: &one.compiled.document,
    });
    roles.chain(endpoints).collect()
}

/// Compares one policy; `middle` is what is derived from the inputs of the revision.
fn of_policy(
    request: &Request<'_>,
    tree: &Path,
    own: &Written<'_>,
    middle: Option<&str>,
    inputs: Option<&str>,
) -> Result<Compared, CliError> {
    let catalog = Catalog::embedded();
    let name = own.policy.display().to_string();
    let then_policy = in_tree(request.config, tree, own.policy)?;
    let old = committed(&then_policy)?;
    let certificate = committed(&stack::certificate_path(&then_policy))?;
    let is_certified = Certificate::read(&certificate).is_ok_and(|certificate| certificate.policy.sha256 == digest(&old));
    let new = committed(own.policy)?;
    let side = |name: String, bytes: &[u8]| diff::policy_side(name, bytes, own.policy);
    let old_side = side(format!("{}:{name}", request.base), &old)?;
    let new_side = side(name.clone(), &new)?;
    let mut meaning = Meaning::of(&old_side, &new_side, catalog, Vec::new());
    if let (Some(middle), Some(inputs)) = (middle, inputs) {
        let middle = side(String::new(), middle.as_bytes())?;
        let derived = side(String::new(), own.document.as_bytes())?;
        let step = |cause: &str, from: &Side, to: &Side| Step {
            cause: cause.to_owned(),
            meaning: Meaning::of(from, to, catalog, Vec::new()),
        };
        let steps = [
            step(
                if is_certified {
                    "policyc or its catalogue changed"
                } else {
                    "it had been edited, or derived by another policyc"
                },
                &old_side,
                &middle,
            ),
            step(inputs, &middle, &derived),
            step("it was edited, or not derived again", &derived, &new_side),
        ];
        attribute(&mut meaning, &steps);
    }
    Ok(Compared { name, old, new, meaning })
}

/// Which inputs changed, as a clause.
fn inputs(request: &Request<'_>, there: &Path, then: &StackResult, now: &StackResult) -> Result<String, CliError> {
    let description = |config: &Path| committed(&stack::sources(request.stack, config)?.description);
    let baselines = |result: &StackResult| {
        let of_roles = result.roles.iter().map(|r| r.question.baseline.sha256.clone());
        of_roles.chain(result.endpoints.iter().map(|e| e.report.baseline.sha256.clone())).collect::<Vec<_>>()
    };
    let changed = [
        ("the observed activity", then.facts.ledger.sha256 != now.facts.ledger.sha256),
        ("the settings in policyc.toml", committed(request.config)? != committed(there)?),
        ("the description of the stack", description(request.config)? != description(there)?),
        ("the baseline", baselines(then) != baselines(now)),
    ];
    let names: Vec<&str> = changed.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    Ok(format!("{} changed", if names.is_empty() { "what it is derived from".to_owned() } else { names.join(" or ") }))
}

/// Writes what a revision's stack is derived from below `folder`, and gives the path of its `policyc.toml` there.
fn checkout(request: &Request<'_>, folder: &Path) -> Result<PathBuf, CliError> {
    let home = home(request.config);
    let tree = git(&home, ["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{}^{{tree}}", request.base)])
        .map_err(|_| CliError::usage(format!("`{}` is not a git revision here", request.base)))?;
    let root = PathBuf::from(git(&home, ["rev-parse", "--show-toplevel"])?);
    let file = request.config.file_name().unwrap_or(OsStr::new("policyc.toml")).to_string_lossy().into_owned();
    let object = format!("{tree}:{}{file}", git(&home, ["rev-parse", "--show-prefix"])?);
    let text = git(&home, ["show", "--no-textconv", "--end-of-options", &object])
        .map_err(|_| CliError::usage(format!("`{}` has no `{}`", request.base, request.config.display())))?;
    let config = Config::parse(&text).map_err(|e| CliError::configuration(request.config, e))?;
    let Some(wanted) = config.stack.get(request.stack) else {
        return Err(CliError::usage(format!("`{}` has no stack `{}`", request.base, request.stack)));
    };
    let mut paths = vec![file, wanted.description.clone(), wanted.baseline.clone()];
    paths.extend(wanted.trail.iter().chain(&wanted.coverage).cloned());
    let policies = wanted.role.iter().map(|role| &role.policy).chain(wanted.endpoint.iter().map(|own| &own.policy));
    for policy in policies.map(Path::new) {
        paths.extend([policy.to_owned(), stack::certificate_path(policy)].map(|p| p.to_string_lossy().into_owned()));
    }
    paths.extend(wanted.role.iter().flat_map(|role| role.keeps.clone()));
    // An endpoint is derived from its template and what it had before.
    paths.extend(wanted.endpoint.iter().flat_map(|wanted| [wanted.template.clone(), endpoint::baseline_name(wanted)]));
    paths.extend(wanted.section_templates.clone());
    let index = folder.join("index");
    run(plain(&home).env("GIT_INDEX_FILE", &index).args(["read-tree", &tree]))?;
    let listed = plain(&home)
        .env("GIT_INDEX_FILE", &index)
        .env("GIT_LITERAL_PATHSPECS", "1")
        .args(["ls-files", "-z", "--full-name", "--"])
        .args(paths.iter().filter(|path| !Path::new(path).is_absolute()))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(no_git)?;
    let names = listed.stdout.ok_or_else(|| CliError::usage("git cannot be read"))?;
    let prefix = format!("--prefix={}/tree/", folder.display());
    run(plain(&root).env("GIT_INDEX_FILE", &index).args(["checkout-index", "-z", "--stdin", &prefix]).stdin(names))?;
    in_tree(request.config, folder, request.config)
}

/// Where a file of the working tree lies in the tree of the revision.
fn in_tree(config: &Path, folder: &Path, file: &Path) -> Result<PathBuf, CliError> {
    let home = home(config);
    let inside = git(&home, ["rev-parse", "--show-prefix"])?;
    let own = file.strip_prefix(config.parent().unwrap_or(Path::new(""))).unwrap_or(file);
    Ok(folder.join("tree").join(inside).join(own))
}

fn home(config: &Path) -> PathBuf {
    config.parent().filter(|home| !home.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn plain(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder);
    git
}

fn git<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, CliError> {
    run(plain(folder).args(arguments))
}

fn run(command: &mut Command) -> Result<String, CliError> {
    let done = command.output().map_err(no_git)?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    if done.status.success() { Ok(said(&done.stdout)) } else { Err(CliError::usage(format!("git says: {}", said(&done.stderr)))) }
}

fn no_git(e: std::io::Error) -> CliError {
    CliError::usage(format!("git cannot be run, which `--base` needs: {e}"))
}
