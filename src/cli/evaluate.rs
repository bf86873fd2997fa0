//! `policyc evaluate`: what policies decide about one request.

use std::collections::BTreeMap;

use serde::Serialize;

use super::arguments::Format;
use super::documents::Named;
use super::error::CliError;
use super::{Outcome, Verdict, derive, documents, print};
use crate::prove::document::Document;
use crate::prove::evaluate::{ArnReading, Decision, Request, Value, evaluate_within};
use crate::prove::principal;
use crate::review::escape::{terminal, terminal_lines};
use crate::review::proved;

/// Say what identity policies decide about one request, and which statement decides.
///
/// A context key that is not given is absent. Exit code 0 if the request is allowed, 1 if it is not.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  policyc evaluate policy.json --action s3:GetObject --resource arn:aws:s3:::bucket/key\n  policyc evaluate policy.json --action ssm:GetParameter --resource '*' --context aws:SourceIp=203.0.113.7 --context aws:TagKeys=a --context aws:TagKeys=b"
)]
pub(super) struct Args {
    /// The policies, all together: files, or AWS-managed policies by name or ARN
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<String>,
    /// The action, such as s3:GetObject
    #[arg(long, value_name = "ACTION")]
    action: String,
    /// The resource's ARN
    #[arg(long, value_name = "ARN", default_value = "*")]
    resource: String,
    /// A context key and its value; a key that is given several times has several values
    #[arg(long, value_name = "KEY=VALUE")]
    context: Vec<String>,
    /// The permissions boundary of the principal: it and the policies both have to allow the request
    #[arg(long, value_name = "NAME|ARN|FILE")]
    boundary: Option<String>,
    /// The principal, as the ARN of a role, a role's session or a user: sets aws:PrincipalArn and its like
    #[arg(long, value_name = "ARN")]
    principal: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// One reading's decision.
#[derive(Serialize, PartialEq)]
struct Decided {
    decision: &'static str,
    /// From 1; absent where no statement decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<usize>,
    #[serde(skip_serializing_if = "String::is_empty")]
    sid: String,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Answered {
    schema: u32,
    allowed: bool,
    /// `*` in an ARN reaches across colons.
    whole: Decided,
    /// `*` in an ARN stays within its field.
    segmented: Decided,
}

pub(super) fn run(args: &Args) -> Outcome {
    let mut policies = documents::load(&args.policies)?;
    let mut read = documents::read(&policies)?;
    let request = request(args)?;
    let boundary = documents::boundary(args.boundary.as_deref())?;
    let limit = boundary.as_ref().map(Named::document).transpose()?;
    let decide = |reading| evaluate_within(&read, limit.as_ref(), &request, reading);
    let decisions = [decide(ArnReading::Whole), decide(ArnReading::Segmented)];
    let allowed = decisions.iter().all(|d| d.is_allowed());
    // From here on the boundary is one more document, by whose place a statement of it is found.
    policies.extend(boundary);
    read.extend(limit);
    let [whole, segmented] = decisions.map(|d| decided(d, &policies, &read));
    if args.format == Format::Json {
        let answered = Answered { schema: 1, allowed, whole, segmented };
        print::result(&String::from_utf8_lossy(&derive::json(&answered)?));
    } else {
        print::result(&text(&whole, &segmented, decisions, &policies));
    }
    Ok(if allowed { Verdict::Done } else { Verdict::No })
}

fn request(args: &Args) -> Result<Request, CliError> {
    let mut context: BTreeMap<String, Value> = BTreeMap::new();
    if let Some(arn) = &args.principal {
        let keys = principal::context(arn);
        context = keys.ok_or_else(|| CliError::usage(format!("`{arn}` is not the ARN of a role, a role's session or a user")))?;
    }
    let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in &args.context {
        let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            CliError::usage(format!("`{text}` is not a context key and its value, such as aws:SourceIp=203.0.113.7"))
        })?;
        given.entry(key.to_lowercase()).or_default().push(value.to_owned());
    }
    context.extend(given.into_iter().map(|(key, mut values)| match (values.len(), values.pop()) {
        (1, Some(one)) => (key, Value::One(one)),
        (_, last) => (key, Value::Many(values.into_iter().chain(last).collect())),
    }));
    if !args.action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty()) {
        return Err(CliError::usage(format!("`{}` is not an action, such as s3:GetObject", args.action)));
    }
    Ok(Request { action: args.action.to_lowercase(), resource: args.resource.clone(), context })
}

fn decided(decision: Decision, policies: &[Named], documents: &[Document]) -> Decided {
    let word = match decision {
        Decision::Allowed { .. } => "allowed",
        Decision::ExplicitDeny { .. } => "explicitly denied",
        Decision::ImplicitDeny => "implicitly denied",
        Decision::BoundaryDeny { .. } => "explicitly denied by the permissions boundary",
        Decision::OutsideBoundary => "implicitly denied by the permissions boundary",
    };
    let place = place(decision, policies);
    let policy = place.and_then(|(d, _)| policies.get(d)).map(|p| p.name.clone());
    let found = place.and_then(|(d, s)| documents.get(d)?.statements.get(s));
    let sid = found.and_then(|s| s.sid.clone()).unwrap_or_default();
    Decided { decision: word, policy, statement: place.map(|(_, s)| s + 1), sid }
}

/// Position of document and statement; a boundary is the last document.
fn place(decision: Decision, policies: &[Named]) -> Option<(usize, usize)> {
    match decision {
        Decision::Allowed { document, statement } | Decision::ExplicitDeny { document, statement } => Some((document, statement)),
        Decision::BoundaryDeny { statement } => policies.len().checked_sub(1).map(|document| (document, statement)),
        Decision::ImplicitDeny | Decision::OutsideBoundary => None,
    }
}

fn text(whole: &Decided, segmented: &Decided, decisions: [Decision; 2], policies: &[Named]) -> String {
    let line = |decided: &Decided, decision: Decision, note: &str| {
        let by = match (&decided.policy, decided.statement) {
            (Some(policy), Some(n)) => format!(" by statement {n} of {}", terminal(policy)),
            _ if decision == Decision::OutsideBoundary => {
                let name = policies.last().map(|boundary| terminal(&boundary.name)).unwrap_or_default();
                format!(" {name}: no statement of it allows it")
            }
            _ => ": no statement allows it".to_owned(),
        };
        let shown = place(decision, policies).and_then(|(d, s)| policies.get(d).map(|p| proved::statement(&p.bytes, s + 1)));
        let shown = shown.map(|s| format!("\n{}", terminal_lines(&s))).unwrap_or_default();
        format!("{}{by}{note}{shown}\n", decided.decision)
    };
    let [first, second] = decisions;
    if first == second {
        return line(whole, first, "");
    }
    let wide = line(whole, first, ", where `*` reaches across the colons of an ARN");
    wide + &line(segmented, second, ", where `*` stays within its field of an ARN")
}
