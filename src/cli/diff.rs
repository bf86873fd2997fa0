//! `policyc diff`: what a change of policies means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use super::attribute::{self, Compared, Request};
use super::error::CliError;
use super::question::MANAGED_POLICY_LIMIT;
use super::{Outcome, Verdict, derive, files, print};
use crate::catalog::{Catalog, baselines};
use crate::emit::effective::{Effective, effective, endpoints};
use crate::iam::{Policy, everyone};
use crate::prove::certificate::{Certificate, digest};
use crate::prove::document::{Document, is_nothing};
use crate::review::causes::of_certificates;
use crate::review::meaning::{Meaning, Side};
use crate::review::{compared, diff};
use crate::template;

/// Say what a change of policies means: access gained, gone, narrowed, unchanged, each with a request that shows it.
///
/// A side is a policy file, an AWS-managed policy by name, a CloudFormation template (its roles and VPC endpoints, one by one), or one of
/// these in a git revision, as `REVISION:PATH`. The prover decides, not a comparison of texts. Exit code 1 unless it is
/// proved that nothing is gained.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc diff AmazonEC2RoleforSSM policies/web.json\n  policyc diff main:policies/web.json policies/web.json --format markdown\n  policyc diff --base origin/main cfn/web.yaml\n  policyc diff --base origin/main --stack main     and what is behind each change"
)]
pub(super) struct Args {
    /// The old side; with `--base`, the new one
    #[arg(value_name = "OLD", required_unless_present = "stack")]
    old: Option<String>,
    /// The new side
    #[arg(value_name = "NEW", required_unless_present = "base", conflicts_with = "base")]
    new: Option<String>,
    /// Compare with the same file in this git revision
    #[arg(long, value_name = "REVISION")]
    base: Option<String>,
    /// Compare the policies of a stack that `policyc.toml` configures, and tell what changed because the activity did from
    /// what changed because policyc or its catalogue did: the inputs of the revision are derived again
    #[arg(long, value_name = "NAME", requires = "base", conflicts_with_all = ["old", "new"])]
    stack: Option<String>,
    /// The configuration of stacks
    #[arg(long, value_name = "FILE", default_value = "policyc.toml")]
    config: PathBuf,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    format: DiffFormat,
}

/// How a comparison is printed.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum DiffFormat {
    /// The difference of the texts, and what it means
    Text,
    /// For a comment on a pull request
    Markdown,
    /// For programs
    Json,
}

/// A side as it was named.
struct Source {
    name: String,
    bytes: Vec<u8>,
    certificate: Option<Certificate>,
}

impl Source {
    /// The certificate beside it, with the digest of what it should be about.
    fn certified(&self) -> Option<(&Certificate, String)> {
        self.certificate.as_ref().map(|certificate| (certificate, digest(&self.bytes)))
    }
}

/// What stands in a source: policies by role and by endpoint, or one policy for any role.
enum Content {
    Policy(Side),
    Template(BTreeMap<String, Side>, BTreeMap<String, Side>),
}

pub(super) fn run(args: &Args) -> Outcome {
    let (texts, meanings) = match (&args.stack, &args.base) {
        (Some(stack), Some(base)) => of_stack(&Request { stack, base, config: &args.config, limit: MANAGED_POLICY_LIMIT })?,
        _ => of_sides(args)?,
    };
    match args.format {
        DiffFormat::Json => print::result(&String::from_utf8_lossy(&derive::json(&meanings)?)),
        DiffFormat::Markdown => print::result(&compared::comment(&meanings).map_err(|e| CliError::usage(e.to_string()))?),
        DiffFormat::Text => {
            print::result(&texts);
            print::result(&compared::text(&meanings).map_err(|e| CliError::usage(e.to_string()))?);
        }
    }
    Ok(if meanings.iter().all(Meaning::is_safe) { Verdict::Done } else { Verdict::No })
}

fn of_stack(request: &Request<'_>) -> Result<(String, Vec<Meaning>), CliError> {
    let compared = attribute::compare(request)?;
    let text = |one: &Compared| lines(&one.old, &format!("{}:{}", request.base, one.name), &one.new, &one.name);
    Ok((compared.iter().map(text).collect(), compared.into_iter().map(|one| one.meaning).collect()))
}

fn of_sides(args: &Args) -> Result<(String, Vec<Meaning>), CliError> {
    let first = args.old.as_deref().unwrap_or_default();
    let (old, new) = match &args.base {
        Some(revision) => (source(&format!("{revision}:{first}"))?, source(first)?),
        None => (source(first)?, source(args.new.as_deref().unwrap_or_default())?),
    };
    if let [Some(a), Some(b)] = [&old, &new].map(|source| of_endpoint(&source.bytes))
        && a != b
    {
        print::note("note: one is the policy of a VPC endpoint and the other a role's; they are compared as what each allows");
    }
    let causes = of_certificates(old.certified(), new.certified());
    let catalog = Catalog::embedded();
    let mut conditions = BTreeSet::new();
    let pairs = pairs(content(&old, &mut conditions)?, content(&new, &mut conditions)?);
    conditions.iter().for_each(|name| print::note(&format!("note: the condition `{name}` is taken to hold")));
    let compare = |(old, new): &(Side, Side)| Meaning::of(old, new, catalog, causes.clone());
    Ok((lines(&old.bytes, &old.name, &new.bytes, &new.name), pairs.iter().map(compare).collect()))
}

/// Finds a side: a file, an embedded policy, or a file of a git revision.
fn source(text: &str) -> Result<Source, CliError> {
    let path = Path::new(text);
    if path.is_file() || text == "-" {
        let certificate = files::read(&beside(path)).ok().and_then(|bytes| Certificate::read(&bytes).ok());
        return Ok(Source { name: files::name(path), bytes: files::read(path)?, certificate });
    }
    if let Some(known) = baselines::find(text) {
        return Ok(Source { name: known.name.to_owned(), bytes: known.document.to_vec(), certificate: None });
    }
    let Some((revision, inside)) = text.split_once(':') else {
        return Err(CliError::usage(format!(
            "`{text}` is neither a file, nor an AWS-managed policy that is embedded, nor REVISION:PATH"
        )));
    };
    let bytes = of_revision(revision, Path::new(inside))?;
    let certificate = of_revision(revision, &beside(Path::new(inside))).ok().and_then(|bytes| Certificate::read(&bytes).ok());
    Ok(Source { name: text.to_owned(), bytes, certificate })
}

/// Where `derive` writes the certificate of a policy.
fn beside(policy: &Path) -> PathBuf {
    policy.with_extension("certificate.json")
}

/// A file of a git revision, by its path from here.
fn of_revision(revision: &str, path: &Path) -> Result<Vec<u8>, CliError> {
    let relative = if path.is_absolute() { path.to_owned() } else { Path::new("./").join(path) };
    let object = format!("{revision}:{}", relative.display());
    if revision.starts_with('-') {
        return Err(CliError::usage(format!("`{revision}` is not a git revision")));
    }
    let done = Command::new("git").args(["show", "--no-textconv", "--end-of-options", &object]).output();
    let done = done.map_err(|e| CliError::usage(format!("git cannot be run, which `{object}` needs: {e}")))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    let why = String::from_utf8_lossy(&done.stderr);
    Err(CliError::usage(format!("git has no `{object}`: {}", why.trim())))
}

/// Reads a side; `conditions` takes those that are taken to hold.
fn content(source: &Source, conditions: &mut BTreeSet<String>) -> Result<Content, CliError> {
    let path = PathBuf::from(&source.name);
    let json = serde_json::from_slice::<Json>(&source.bytes).ok();
    if json.as_ref().is_some_and(|json| json.get("Resources").is_none()) {
        return Ok(Content::Policy(policy_side(source.name.clone(), &source.bytes, &path)?));
    }
    let doc = template::Document::parse(&source.bytes).map_err(|e| CliError::input(&path, e))?;
    let roles = effective(&doc).map_err(|e| CliError::input(&path, e))?;
    conditions.extend(roles.iter().flat_map(|role| role.conditions.iter().cloned()));
    let of_role = |role: Effective| Ok((role.role.clone(), role_side(&source.name, role, &path)?));
    let roles = roles.into_iter().map(of_role).collect::<Result<_, CliError>>()?;
    Ok(Content::Template(roles, of_endpoints(source, &doc, &path)))
}

/// The endpoints of a template, but for those whose policies are of another kind: none of them grants anything.
fn of_endpoints(source: &Source, doc: &template::Document, path: &Path) -> BTreeMap<String, Side> {
    let mut sides = BTreeMap::new();
    for (id, policy) in endpoints(doc) {
        let name = format!("{}, {id}", source.name);
        let read = policy.map_err(|e| e.to_string());
        let read = read.and_then(|json| side(name, [json.to_string().into_bytes()], path).map_err(|e| e.to_string()));
        match read {
            Ok(side) => _ = sides.insert(id, side),
            Err(why) => print::note(&format!("note: the policy of the endpoint `{id}` is not compared: {why}")),
        }
    }
    sides
}

/// A policy's bytes as a side; no bytes, and no statements, grant nothing.
pub(super) fn policy_side(name: String, bytes: &[u8], path: &Path) -> Result<Side, CliError> {
    if bytes.is_empty() || is_nothing(bytes) { Ok(Side { name, ..Side::default() }) } else { side(name, [bytes.to_vec()], path) }
}

/// Whether a policy is an endpoint's; `None` of a template, and of what has no statement.
fn of_endpoint(bytes: &[u8]) -> Option<bool> {
    let json: Json = serde_json::from_slice(bytes).ok()?;
    json.get("Statement").filter(|_| !is_nothing(bytes)).map(|_| is_for_everyone(bytes))
}

/// Whether a policy names whom it is for: that of an endpoint, which is read as what it says to everyone.
fn is_for_everyone(bytes: &[u8]) -> bool {
    let json: Json = serde_json::from_slice(bytes).unwrap_or_default();
    let statements = json.get("Statement").map(|found| found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice));
    let names = |statement: &Json| ["Principal", "NotPrincipal"].iter().any(|key| statement.get(key).is_some());
    statements.is_some_and(|all| all.iter().any(names))
}

fn side(name: String, documents: impl IntoIterator<Item = Vec<u8>>, path: &Path) -> Result<Side, CliError> {
    let mut side = Side { name, ..Side::default() };
    for bytes in documents {
        let (policy, document) = match is_for_everyone(&bytes) {
            true => {
                let json = serde_json::from_slice(&bytes).map_err(|e| CliError::input(path, e))?;
                (everyone::read(&json), Document::read_for_everyone(&bytes))
            }
            false => (Policy::parse(&bytes), Document::read(&bytes)),
        };
        side.policies.push(policy.map_err(|e| CliError::input(path, e))?);
        side.documents.push(document.map_err(|e| CliError::input(path, e))?);
    }
    Ok(side)
}

fn role_side(source: &str, role: Effective, path: &Path) -> Result<Side, CliError> {
    let mut unknown = BTreeSet::new();
    let mut documents: Vec<Vec<u8>> = role.inline.iter().map(|json| json.to_string().into_bytes()).collect();
    for arn in role.managed {
        match baselines::find(&arn) {
            Some(known) => documents.push(known.document.to_vec()),
            None => _ = unknown.insert(arn),
        }
    }
    Ok(Side { unknown, ..side(format!("{source}, {}", role.role), documents, path)? })
}

/// Which sides belong together: roles of the same logical id. What only one side has is compared with nothing; an endpoint
/// that only one has limits requests and allows none, so that it is left out.
fn pairs(old: Content, new: Content) -> Vec<(Side, Side)> {
    let nothing = |name: &str| Side { name: format!("nothing (no {name})"), ..Side::default() };
    match (old, new) {
        (Content::Policy(old), Content::Policy(new)) => vec![(old, new)],
        (Content::Policy(old), Content::Template(new, _)) => new.into_values().map(|new| (old.clone(), new)).collect(),
        (Content::Template(old, _), Content::Policy(new)) => old.into_values().map(|old| (old, new.clone())).collect(),
        (Content::Template(mut old, old_ways), Content::Template(mut new, mut ways)) => {
            let ids: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
            let pair = |id: String| {
                let take = |side: &mut BTreeMap<String, Side>| side.remove(&id).unwrap_or_else(|| nothing(&id));
                (take(&mut old), take(&mut new))
            };
            let roles: Vec<_> = ids.into_iter().map(pair).collect();
            let ways = old_ways.into_iter().filter_map(|(id, old)| ways.remove(&id).map(|new| (old, new)));
            roles.into_iter().chain(ways).collect()
        }
    }
}

/// The difference of the texts; nothing where they are the same.
fn lines(old: &[u8], old_name: &str, new: &[u8], new_name: &str) -> String {
    let of_endpoint = |bytes: &[u8]| serde_json::from_slice(bytes).ok().and_then(|json| everyone::read(&json).ok());
    let difference = match (Policy::parse(old), Policy::parse(new), of_endpoint(old).zip(of_endpoint(new))) {
        (Ok(before), Ok(after), _) => diff::unified(&before, old_name, &after, new_name),
        (_, _, Some((before, after))) => diff::for_everyone(&before, old_name, &after, new_name),
        _ => diff::texts(&String::from_utf8_lossy(old), old_name, &String::from_utf8_lossy(new), new_name),
    };
    if difference.is_empty() { String::new() } else { diff::colour(&crate::review::escape::terminal_lines(&difference)) + "\n\n" }
}
