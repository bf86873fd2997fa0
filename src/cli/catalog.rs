//! `policyc catalog`: what is known of an action, an event, a feature, a region, or of buckets.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::arguments::Format;
use super::error::CliError;
use super::{Outcome, Verdict, derive, files, print};
use crate::catalog::Catalog;
use crate::catalog::coverage::Visibility;
use crate::catalog::description::{ActionDescription, EventDescription, FeatureDescription, RegionBucket, RegionDescription};
use crate::review::escape::terminal_lines;

/// Show what is known, with source and date.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc catalog action s3:GetObject\n  policyc catalog event s3:HeadObject\n  policyc catalog feature session-manager\n  policyc catalog region eu-central-1\n  policyc catalog buckets patching"
)]
pub(super) struct Args {
    #[command(subcommand)]
    subject: Subject,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,
    /// A newer reference file, as `tools/catalog/generate.py` writes it
    #[arg(long, value_name = "FILE", global = true)]
    reference: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Subject {
    /// An IAM action: its resources, its condition keys, and how CloudTrail shows it
    Action {
        /// Such as `s3:GetObject`
        name: String,
    },
    /// A CloudTrail event: the actions that its call needs
    Event {
        /// Such as `s3.amazonaws.com:HeadObject`, or `s3:HeadObject`
        name: String,
    },
    /// A feature of Systems Manager: how it shows itself, what it needs and why
    Feature {
        /// Such as `session-manager`
        name: String,
    },
    /// A region: its partition and its buckets of Systems Manager
    Region {
        /// Such as `eu-central-1`
        name: String,
    },
    /// Buckets of Systems Manager in every region
    Buckets {
        /// A feature, a kind of bucket, or a bucket's name
        name: String,
    },
}

pub(super) fn run(args: &Args) -> Outcome {
    let newer = reference(args.reference.as_deref())?;
    let catalog = newer.as_ref().unwrap_or_else(|| Catalog::embedded());
    let unknown = |e: crate::catalog::description::UnknownName| CliError::usage(e.to_string());
    match &args.subject {
        Subject::Action { name } => show(&catalog.describe_action(name).map_err(unknown)?, action, args.format),
        Subject::Event { name } => show(&catalog.describe_event(name).map_err(unknown)?, event, args.format),
        Subject::Feature { name } => show(&catalog.describe_feature(name).map_err(unknown)?, feature, args.format),
        Subject::Region { name } => show(&catalog.describe_region(name).map_err(unknown)?, region, args.format),
        Subject::Buckets { name } => show(&catalog.describe_buckets(name).map_err(unknown)?, buckets, args.format),
    }
}

/// The catalogue with a newer reference, where one is given.
pub(super) fn reference(path: Option<&Path>) -> Result<Option<Catalog>, CliError> {
    let read = |path: &Path| Catalog::with_reference(&files::read(path)?).map_err(|e| CliError::input(path, e));
    path.map(read).transpose()
}

fn show<T: serde::Serialize>(known: &T, text: impl Fn(&T) -> String, format: Format) -> Outcome {
    match format {
        Format::Json => print::result(&String::from_utf8_lossy(&derive::json(known)?)),
        Format::Text => print::result(&terminal_lines(&text(known))),
    }
    Ok(Verdict::Done)
}

/// A headline and lines below it, labelled where a new group begins.
struct Page(String);

impl Page {
    fn new(head: &str) -> Self {
        Self(format!("{head}\n"))
    }

    fn group(mut self, label: &str, lines: impl IntoIterator<Item = String>) -> Self {
        for (n, line) in lines.into_iter().enumerate() {
            let _ = writeln!(self.0, "  {:<12} {line}", if n == 0 { label } else { "" });
        }
        self
    }

    fn line(self, label: &str, line: impl Into<String>) -> Self {
        self.group(label, [line.into()])
    }

    fn sourced(self, source: &str, date: &str) -> String {
        self.line("source", source).line("as of", date).0
    }
}

fn how(visibility: &Visibility) -> String {
    match visibility {
        Visibility::Management => "management event: in event history and in every trail".to_owned(),
        Visibility::Data { kind, source } => format!("data event of {kind}, only in trails that select it ({source})"),
        Visibility::Blind { confidence, source } => format!("not shown: {confidence} ({source})"),
    }
}

fn action(known: &ActionDescription) -> String {
    let types =
        known.resource_types.iter().map(|t| format!("{}{}  {}", t.name, if t.required { ", required" } else { "" }, t.arn));
    let types: Vec<String> = types.collect();
    let types = if types.is_empty() { vec!["none: the action only works on `*`".to_owned()] } else { types };
    let selector = known.selector.as_ref().map(ToString::to_string);
    Page::new(&format!("{}  {}, {}", known.action, known.service, known.access_level))
        .group("resources", types)
        .group("conditions", known.condition_keys.iter().cloned())
        .line("CloudTrail", how(&known.cloudtrail))
        .line("selector", selector.unwrap_or_else(|| "none: no event selector shows it".to_owned()))
        .group("events", known.events.iter().cloned())
        .group("needed by", known.features.iter().map(|f| format!("{} on {}: {}", f.feature, f.on, f.why)))
        .sourced(&known.source, &known.date)
}

fn event(known: &EventDescription) -> String {
    let page = Page::new(&known.event);
    let page = match &known.no_permission {
        Some(reason) => return page.line("needs", format!("nothing: {reason}")).line("as of", known.date.clone()).0,
        None => page.group("needs", known.actions.iter().cloned()),
    };
    let page = match known.choose {
        Some(_) => page.line("", "which of these, and on what, the request's parameters say"),
        None => page,
    };
    page.line("confidence", known.confidence.clone()).sourced(&known.basis, &known.date)
}

fn feature(known: &FeatureDescription) -> String {
    let needs = known.needs.iter().flat_map(|n| {
        let hidden = if matches!(n.cloudtrail, Visibility::Management) { "" } else { " (not in event history)" };
        [format!("{} on {}{hidden}", n.action, n.on), format!("    {}", n.why)]
    });
    let agent = if known.through_agent { "and what the feature `agent` needs" } else { "nothing of the SSM Agent" };
    let bucket = |b: &crate::catalog::description::BucketKindDescription| {
        let name = b.name.clone().unwrap_or_else(|| format!("{}: a name of its own in each region", b.kind));
        let only = |list: &[String]| if list.is_empty() { String::new() } else { format!(" ({})", list.join(", ")) };
        format!("{name}{}{}", only(&b.platforms), only(&b.only_regions))
    };
    Page::new(&format!("{}  {}", known.name, known.title))
        .group("shown when", known.signs.iter().cloned())
        .group("needs", needs)
        .line("", agent)
        .group("buckets", known.buckets.iter().map(bucket))
        .sourced(&known.source, &known.date)
}

fn region(known: &RegionDescription) -> String {
    let legacy =
        if known.legacy_channel { "ec2messages exists, for agents before 3.3.40.0" } else { "ec2messages does not exist here" };
    Page::new(&known.region)
        .line("partition", known.partition.clone())
        .group("buckets", known.buckets.iter().map(|b| format!("{}{}", b.name, used_by(b))))
        .group("not known", known.unknown_buckets.iter().cloned())
        .line("channel", format!("{legacy} ({})", known.legacy_channel_source))
        .sourced(&known.source, &known.date)
}

fn used_by(bucket: &RegionBucket) -> String {
    if bucket.features.is_empty() { "  (no feature)".to_owned() } else { format!("  ({})", bucket.features.join(", ")) }
}

#[allow(clippy::ptr_arg)] // the type that `describe_buckets` gives
fn buckets(known: &Vec<RegionBucket>) -> String {
    let mut text = String::new();
    for bucket in known {
        let _ = writeln!(text, "{:<16} {:<24} {}", bucket.region, bucket.kind, bucket.name);
    }
    text
}
