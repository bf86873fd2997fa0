//! `policyc init`: a first `policyc.toml`.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::{Outcome, Verdict, files, print};
use crate::catalog::baselines;
use crate::emit::place::POLICY_NAME;
use crate::emit::roles;
use crate::stack::StackDescription;
use crate::stack::draft::{Draft, Found};
use crate::template::{Document, MAX_BYTES};

/// Write a commented policyc.toml after looking at the templates, stack descriptions and trails below a folder.
///
/// Nothing is overwritten: where the file exists already, the command ends with exit code 2.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc init                 looks at the current folder\n  policyc init --dry-run       shows what it would write\n  policyc init infrastructure  looks there, and writes infrastructure/policyc.toml"
)]
pub(super) struct Args {
    /// The folder to look at
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Write nothing; print the file
    #[arg(long)]
    dry_run: bool,
}

/// The policy that is taken where a role has policyc's own section and the managed policy is gone.
const USUAL: &str = "AmazonEC2RoleforSSM";

/// Folders are looked into this deep.
const DEPTH: usize = 6;

pub(super) fn run(args: &Args) -> Outcome {
    let path = args.folder.join("policyc.toml");
    if !args.dry_run && path.exists() {
        return Err(CliError::usage(format!("`{}` exists already, and init overwrites nothing", path.display())));
    }
    let mut draft = Draft::default();
    look(&args.folder, &args.folder, DEPTH, &mut draft)?;
    if draft.roles.is_empty() {
        return Err(CliError::usage(format!(
            "no template below `{}` has a role; without templates, use `policyc derive --trail PATH --role ROLE`",
            args.folder.display()
        )));
    }
    let text = draft.write();
    if args.dry_run {
        print::result(&text);
        return Ok(Verdict::Done);
    }
    files::write_all(&[(path.clone(), text.into_bytes())])?;
    print::note(&format!("{} was written after {} roles; read its comments next", path.display(), draft.roles.len()));
    Ok(Verdict::Done)
}

/// Folders that hold what tools make, and other people's code.
fn is_foreign(name: &str) -> bool {
    name.starts_with('.') || ["node_modules", "target", "cdk.out", "vendor", "venv"].contains(&name)
}

fn look(root: &Path, folder: &Path, depth: usize, draft: &mut Draft) -> Result<(), CliError> {
    let entries =
        fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|e| CliError::input(folder, e))?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let kind = fs::symlink_metadata(&path).map_err(|e| CliError::input(&path, e))?;
        if is_foreign(&name) || kind.is_symlink() {
            continue;
        }
        if name == "AWSLogs" && kind.is_dir() {
            draft.trails.push(relative(root, &path));
        } else if kind.is_dir() && depth > 0 {
            look(root, &path, depth - 1, draft)?;
        } else if kind.is_file() && kind.len() <= MAX_BYTES as u64 {
            read(root, &path, draft);
        }
    }
    Ok(())
}

/// Takes a file in if it is something; most files are not, and that is no mistake.
fn read(root: &Path, path: &Path, draft: &mut Draft) {
    let end = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if !["yaml", "yml", "json", "template"].contains(&end.as_str()) {
        return;
    }
    let Ok(bytes) = fs::read(path) else { return };
    let name = relative(root, path);
    if let Ok(description) = serde_json::from_slice::<StackDescription>(&bytes) {
        draft.description.get_or_insert((name, description));
    } else if let Ok(document) = Document::parse(&bytes) {
        draft.roles.extend(roles(&document).into_iter().map(|role| found(&name, role)));
    }
}

fn found(template: &str, role: crate::emit::RoleRef) -> Found {
    let arns: Vec<String> = role.managed.into_iter().filter_map(|m| m.arn).collect();
    let (known, unknown): (Vec<_>, Vec<_>) = arns.into_iter().partition(|arn| baselines::find(arn).is_some());
    let mut known: Vec<String> = known.iter().filter_map(|arn| baselines::find(arn)).map(|p| p.name.to_owned()).collect();
    // The widest of the embedded policies is the one worth replacing; they are listed so.
    known.sort_by_key(|name| baselines::all().iter().position(|p| p.name == name));
    known.dedup();
    let derived = role.policies.iter().any(|name| name == POLICY_NAME);
    let baseline = if derived { Some(USUAL.to_owned()) } else { known.first().cloned() };
    let keeps = known.into_iter().filter(|name| Some(name) != baseline.as_ref()).collect();
    Found { template: template.to_owned(), logical_id: role.id, baseline, keeps, unknown, instances: role.instances }
}

/// A path as the configuration has it: relative, with `/`.
fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}
