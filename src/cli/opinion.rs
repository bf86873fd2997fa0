//! What the account's IAM says of a derivation: `--simulate` and `--last-accessed`. It tells, and changes no policy.

use std::collections::BTreeSet;
use std::path::Path;

use aws_sdk_iam::Client;
use jiff::Timestamp;

use super::connect::ConnectArgs;
use super::error::CliError;
use super::print;
use crate::aws::connect::Account;
use crate::aws::last_accessed::last_used;
use crate::aws::lookup::Patience;
use crate::aws::simulate::{Case, Policies, simulate};
use crate::catalog::Catalog;
use crate::compile::{Compiled, opinion};
use crate::derive::Question;
use crate::finding::Finding;
use crate::prove::evaluate::Value;
use crate::prove::opinion::{Kind, judge};
use crate::prove::replay::InForce;
use crate::review::report::Report;

/// What to ask IAM for beside.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct OpinionArgs {
    #[command(flatten)]
    simulate: SimulateArgs,
    #[command(flatten)]
    last_accessed: LastAccessedArgs,
}

/// Whether to ask IAM's simulator.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct SimulateArgs {
    /// Ask IAM's own simulator (SimulateCustomPolicy) about every need and everything that was removed, and report where it decides
    /// otherwise
    #[arg(long)]
    simulate: bool,
}

/// Whether to ask IAM for last use.
#[derive(clap::Args, Debug, Clone, Default)]
pub(super) struct LastAccessedArgs {
    /// Ask IAM when the services of blind actions were last used; it explains, and grants nothing
    #[arg(long)]
    last_accessed: bool,
}

/// A role's derivation.
pub(super) struct Subject<'a> {
    /// The role's ARN.
    pub(super) arn: String,
    pub(super) question: &'a Question,
    pub(super) compiled: &'a mut Compiled,
    pub(super) report: &'a mut Report,
    /// The policy to judge, where it is not the derived one.
    pub(super) committed: Option<Vec<u8>>,
}

impl From<SimulateArgs> for OpinionArgs {
    fn from(simulate: SimulateArgs) -> Self {
        Self { simulate, ..Self::default() }
    }
}

impl From<LastAccessedArgs> for OpinionArgs {
    fn from(last_accessed: LastAccessedArgs) -> Self {
        Self { last_accessed, ..Self::default() }
    }
}

impl OpinionArgs {
    /// Asks what was asked for, about each role. The findings go into derivation and report.
    pub(super) fn ask(&self, connect: &ConnectArgs, subjects: Vec<Subject<'_>>) -> Result<(), CliError> {
        let Some(first) = subjects.first().filter(|_| self.simulate.simulate || self.last_accessed.last_accessed) else {
            return Ok(());
        };
        let account = connect.account(Some(&first.question.region))?;
        self.ask_in(&account, subjects)
    }

    /// As [`OpinionArgs::ask`], in an account that is connected already.
    pub(super) fn ask_in(&self, account: &Account, subjects: Vec<Subject<'_>>) -> Result<(), CliError> {
        for subject in subjects {
            let mut findings = Vec::new();
            if self.simulate.simulate {
                findings.extend(second_opinion(account, &subject)?);
            }
            if self.last_accessed.last_accessed {
                findings.extend(annotate(account, &subject.arn, subject.question, subject.report)?);
            }
            subject.compiled.tell(findings);
            subject.report.tell(&subject.compiled.derivation.findings);
        }
        Ok(())
    }
}

/// Has IAM simulate the role's policy.
fn second_opinion(account: &Account, subject: &Subject<'_>) -> Result<Vec<Finding>, CliError> {
    let (question, compiled) = (subject.question, &*subject.compiled);
    let unread = |e: crate::prove::document::DocumentError| CliError::input(Path::new(&subject.arn), e);
    if compiled.derivation.policy.statements.is_empty() {
        print::note(&format!("{}: nothing is granted, so there is nothing to simulate", question.role));
        return Ok(Vec::new());
    }
    let cases = opinion::cases(question, compiled, Catalog::embedded()).map_err(unread)?;
    let policy = subject.committed.as_deref().unwrap_or(compiled.document.as_bytes());
    let documents = opinion::documents(question, policy).map_err(unread)?;
    let texts = [policy].into_iter().chain(question.kept.iter().map(|k| k.bytes.as_slice()));
    let texts: Vec<String> = texts.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    let boundary = opinion::boundary(question).map_err(unread)?;
    let limit = question.boundary.as_ref().map(|b| String::from_utf8_lossy(&b.bytes).into_owned());
    let asked: Vec<Case> = cases.iter().map(case).collect();
    let client = Client::new(&account.config);
    let in_force = Policies { identity: &texts, boundary: limit.as_ref() };
    let answers = account.runtime.block_on(simulate(&client, in_force, &asked, Patience::default()));
    let answers = answers.map_err(|e| CliError::Aws(e.to_string()))?;
    let count = |kind: Kind| cases.iter().filter(|case| case.kind == kind).count();
    let force = InForce { policies: &documents, boundary: boundary.as_ref() };
    let findings = judge(force, &cases, &answers, "IAM's simulator");
    let verdict = match findings.len() {
        0 => "decides all of them as policyc does".to_owned(),
        n => format!("the result is not as it should be: {n} finding(s)"),
    };
    let bounded = match count(Kind::Bounded) {
        0 => String::new(),
        n => format!(", {n} needs that the permissions boundary forbids"),
    };
    print::note(&format!(
        "{}: IAM's simulator was asked about {} needs{bounded} and {} requests that were removed, and {verdict}",
        question.role,
        count(Kind::Need),
        count(Kind::Removed),
    ));
    Ok(findings)
}

fn case(case: &crate::prove::opinion::Case) -> Case {
    let values = |value: &Value| match value {
        Value::One(text) => vec![text.clone()],
        Value::Many(texts) => texts.clone(),
    };
    let keys = case.request.context.iter().map(|(key, value)| (key.clone(), values(value))).collect();
    Case { action: case.request.action.clone(), resource: case.request.resource.clone(), keys }
}

/// Says of blind actions when IAM last saw them, or their service.
fn annotate(account: &Account, role: &str, question: &Question, report: &mut Report) -> Result<Option<Finding>, CliError> {
    if account.id != question.account {
        return Err(CliError::usage(format!(
            "the credentials are of the account {}, and the role is of {}; name others with `--profile` or `--assume-role`",
            account.id, question.account
        )));
    }
    let client = Client::new(&account.config);
    let used = account.runtime.block_on(last_used(&client, role, Patience::default()));
    let used = used.map_err(|e| CliError::Aws(e.to_string()))?;
    let said: BTreeSet<String> = report.annotate(&used, Timestamp::now());
    Ok(crate::review::report::last_accessed(&said))
}
