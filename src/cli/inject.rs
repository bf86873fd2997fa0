//! `policyc inject`: a policy into CloudFormation templates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use super::error::CliError;
use super::{Outcome, Verdict, check, files, print, stack};
use crate::catalog::Catalog;
use crate::emit::endpoint::{EndpointError, EndpointPlacement, place_endpoint};
use crate::emit::place::{PlaceError, Placed, Placement, place};
use crate::emit::render::{About, SectionTemplates};
use crate::emit::{RoleError, StackValues, role_of};
use crate::finding::Severity;
use crate::iam::{Policy, everyone};
use crate::stack::config::AttachAs;
use crate::template::Document;

/// What goes where nothing else is named.
const DEFAULT: &str = "AmazonEC2RoleforSSM";

/// Put a policy into a role of CloudFormation templates, in place of a managed policy, or into a VPC endpoint; every other
/// byte stays.
///
/// All templates are written or none.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc inject policy.json template.yaml --role InstanceRole\n  policyc inject policy.json template.yaml --check\n  policyc inject s3-endpoint.json template.yaml --endpoint S3Endpoint"
)]
pub(super) struct Args {
    /// The policy, a JSON file
    #[arg(value_name = "POLICY")]
    policy: PathBuf,
    /// The templates, YAML or JSON
    #[arg(required = true, value_name = "TEMPLATE")]
    templates: Vec<PathBuf>,
    /// The logical id of the role, or of an instance, launch template, group or profile that has it (default: the only
    /// role of the template)
    #[arg(long, value_name = "ID")]
    role: Option<String>,
    /// The logical id of a VPC endpoint: the policy becomes its `PolicyDocument`; every statement needs `"Principal": "*"`
    #[arg(long, value_name = "ID", conflicts_with_all = ["role", "replaces", "attach_as"])]
    endpoint: Option<String>,
    /// The managed policy that goes
    #[arg(long, value_name = "NAME|ARN", default_value = DEFAULT)]
    replaces: String,
    /// What the policy becomes in the template
    #[arg(long, value_enum, default_value_t = AttachAsArg::Inline, value_name = "FORM")]
    attach_as: AttachAsArg,
    /// The account id that becomes AWS::AccountId
    #[arg(long, value_name = "ID", default_value = "")]
    account: String,
    /// The region that becomes AWS::Region
    #[arg(long, value_name = "REGION", default_value = "")]
    region: String,
    /// A folder with Handlebars templates for the section
    #[arg(long, value_name = "DIR")]
    section_templates: Option<PathBuf>,
    /// Write nothing; exit code 1 and the diff when a template would change
    #[arg(long)]
    check: bool,
    /// Write nothing; show the diff
    #[arg(long, conflicts_with = "check")]
    dry_run: bool,
}

/// [`AttachAs`] on the command line.
#[derive(Clone, Copy, clap::ValueEnum)]
enum AttachAsArg {
    /// An inline policy of the role
    Inline,
    /// An AWS::IAM::RolePolicy beside the role
    RolePolicy,
    /// An AWS::IAM::ManagedPolicy beside the role
    ManagedPolicy,
}

impl From<AttachAsArg> for AttachAs {
    fn from(form: AttachAsArg) -> Self {
        match form {
            AttachAsArg::Inline => Self::Inline,
            AttachAsArg::RolePolicy => Self::RolePolicy,
            AttachAsArg::ManagedPolicy => Self::ManagedPolicy,
        }
    }
}

pub(super) fn run(args: &Args) -> Outcome {
    let policy = policy(args)?;
    let templates = stack::section_templates(args.section_templates.as_deref())?;
    let mut outputs = Vec::new();
    let mut originals = BTreeMap::new();
    let mut changed = false;
    for path in &args.templates {
        let bytes = files::read(path)?;
        let placed = put(args, &policy, &templates, path, &bytes)?;
        print::findings(&placed.findings, Severity::Note);
        if placed.bytes != bytes {
            changed = true;
            if args.check || args.dry_run {
                print::result(&check::difference(path, &bytes, &placed.bytes));
            }
        }
        originals.insert(path.clone(), bytes);
        outputs.push((path.clone(), placed.bytes));
    }
    if args.check || args.dry_run {
        return Ok(if args.check && changed { Verdict::No } else { Verdict::Done });
    }
    let written = files::write_over(&outputs, &originals)?;
    print::note(&format!("{} of {} templates changed", written.len(), outputs.len()));
    Ok(Verdict::Done)
}

/// The policy; that of an endpoint names its principal, which is everyone.
fn policy(args: &Args) -> Result<Policy, CliError> {
    let bytes = files::read(&args.policy)?;
    let policy = match args.endpoint {
        Some(_) => everyone::read(&serde_json::from_slice(&bytes).map_err(|e| CliError::input(&args.policy, e))?),
        None => Policy::parse(&bytes),
    };
    policy.map_err(|e| CliError::input(&args.policy, e))
}

/// The template with the policy in it.
fn put(args: &Args, policy: &Policy, templates: &SectionTemplates, path: &Path, bytes: &[u8]) -> Result<Placed, CliError> {
    let catalog = Catalog::embedded();
    let values = StackValues {
        partition: if args.region.is_empty() { "aws".to_owned() } else { catalog.partition(&args.region).to_owned() },
        region: args.region.clone(),
        account: args.account.clone(),
        ..StackValues::default()
    };
    let (values, reasons) = (&values, &BTreeMap::new());
    let (from, command) = (&named(&args.policy), &command(args));
    let about = About { from, command, endpoint: args.endpoint.is_some(), ..About::default() };
    let failed = |e: PlaceError| match e {
        PlaceError::Endpoint(EndpointError::NoSuchEndpoint { .. }) => CliError::usage(format!("`{}`: {e}", path.display())),
        e => stack::unplaced(e, args.section_templates.as_deref().unwrap_or(Path::new("")), path),
    };
    if let Some(endpoint) = &args.endpoint {
        let placement =
            EndpointPlacement { endpoint, policy, reasons, about: About { id: endpoint, ..about }, templates, values };
        return place_endpoint(bytes, &placement, catalog).map_err(failed);
    }
    let role = &role(path, bytes, args.role.as_deref())?;
    let (replaces, attach_as, about) = (args.replaces.as_str(), args.attach_as.into(), About { id: role, ..about });
    place(bytes, &Placement { role, replaces, attach_as, policy, reasons, about, templates, values }, catalog).map_err(failed)
}

/// What the policy's file is called in a template: as it was named, but for folders that only one machine has.
fn named(path: &Path) -> String {
    if path.is_absolute() { files::name(path) } else { path.strip_prefix(".").unwrap_or(path).to_string_lossy().into_owned() }
}

/// The command that does it again. The template's own name is left out: it may be called otherwise tomorrow.
fn command(args: &Args) -> String {
    let form = args.attach_as.to_possible_value().map(|form| form.get_name().to_owned());
    let options = [
        ("--role", args.role.clone()),
        ("--endpoint", args.endpoint.clone()),
        ("--replaces", Some(args.replaces.clone()).filter(|name| name != DEFAULT)),
        ("--attach-as", form.filter(|_| AttachAs::from(args.attach_as) != AttachAs::Inline)),
        ("--account", Some(args.account.clone()).filter(|id| !id.is_empty())),
        ("--section-templates", args.section_templates.as_deref().map(named)),
        ("--region", Some(args.region.clone()).filter(|name| !name.is_empty())),
    ];
    let options = options.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value?])).flatten();
    let words = ["policyc".to_owned(), "inject".to_owned(), named(&args.policy), "TEMPLATE".to_owned()];
    let words: Vec<String> = words.into_iter().chain(options).collect();
    // Only a NUL cannot be quoted, and no argument has one.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

/// The role that is meant. Which of several is a question of the command line; what the template lacks is not.
fn role(path: &Path, bytes: &[u8], asked: Option<&str>) -> Result<String, CliError> {
    let document = Document::parse(bytes).map_err(|e| CliError::input(path, e))?;
    role_of(&document, asked).map_err(|e| match e {
        RoleError::Several(_) | RoleError::Chosen { .. } | RoleError::NoSuch { .. } => {
            CliError::usage(format!("`{}`: {e}", path.display()))
        }
        _ => CliError::input(path, e),
    })
}
