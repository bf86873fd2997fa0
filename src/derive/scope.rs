//! Scope: whose calls count.
//!
//! A policy belongs to a role, so the role's sessions are sorted into the stack's own instances, calls made with their
//! credentials from elsewhere, and everybody else who uses the role.

use std::collections::BTreeSet;

use super::origin::{Addresses, Judgement};
use super::{Question, Reported};
use crate::finding::{Code, Finding};
use crate::iam::{Action, Pattern};
use crate::ledger::{Bare, Evidence, Heartbeat, Ledger, Outcome, Session, Sign, Target, Use};

/// The ledger, sorted by what counts.
#[derive(Debug, Default)]
pub struct Scoped<'a> {
    /// Uses that passed authorisation, made by the instances.
    pub uses: Vec<(&'a Use, &'a Evidence)>,
    /// What the agents of these instances said of themselves.
    pub heartbeats: Vec<&'a Heartbeat>,
    /// Operators' calls on these instances, or perhaps on them.
    pub signs: Vec<(&'a Sign, &'a Evidence)>,
    /// Calls that authorisation refused.
    pub denied: Vec<Reported>,
    /// Calls whose failure says nothing.
    pub failed: Vec<Reported>,
    /// Calls from somewhere else.
    pub suspicious: Vec<Reported>,
    /// The instances whose sessions counted.
    pub instances: BTreeSet<String>,
    /// What there is to tell.
    pub findings: Vec<Finding>,
}

/// Sorts the ledger.
#[must_use]
pub fn scope<'a>(question: &Question, ledger: &'a Ledger) -> Scoped<'a> {
    let of_role = |s: &Session| s.role == question.role && s.account == question.account;
    let counts =
        |s: &Session| of_role(s) && s.is_instance() && (question.instances.is_empty() || question.instances.contains(&s.name));
    let addresses = Addresses::learn(question, ledger, counts);
    let mut scoped = Scoped { findings: addresses.findings.clone(), ..Scoped::default() };
    let (mut strangers, mut unattributed) = (BTreeSet::new(), BTreeSet::new());
    let mut unjudged: BTreeSet<&str> = BTreeSet::new();
    for (used, evidence) in &ledger.uses {
        if !counts(&used.session) {
            if of_role(&used.session) && used.outcome.authorised() {
                strangers.insert(used.session.name.as_str());
            }
            continue;
        }
        scoped.instances.insert(used.session.name.clone());
        match addresses.judge(question, &used.session, &used.origin) {
            Judgement::Elsewhere(why) => {
                scoped.suspicious.push(Reported::of(used, evidence, suspicion(&used.session, &why, evidence)));
            }
            Judgement::Unattributed if used.outcome.authorised() => {
                unattributed.insert(format!("{:?}", used.origin));
                scoped.uses.push((used, evidence));
            }
            Judgement::Own if addresses.judged() && addresses.unknown(question, used) => {
                unjudged.insert(&used.session.name);
                sort(&mut scoped, used, evidence);
            }
            _ => sort(&mut scoped, used, evidence),
        }
    }
    // These show no need, and where they are the instance's own there is nothing to say of them.
    for (call, evidence) in ledger.bare.iter().filter(|(call, _)| counts(&call.session)) {
        if let Judgement::Elsewhere(why) = addresses.judge(question, &call.session, &call.origin) {
            scoped.suspicious.extend(bare(call, evidence, &why));
        }
    }
    scoped.heartbeats = ledger.heartbeats.keys().filter(|h| counts(&h.session)).collect();
    scoped.signs = ledger.signs.iter().filter(|(sign, _)| concerns(sign, question, ledger, &scoped.instances)).collect();
    tell(question, &mut scoped, &strangers, &unattributed);
    scoped.findings.extend(unknown_places(&scoped.instances, &unjudged, addresses.judged()));
    scoped
}

fn sort<'a>(scoped: &mut Scoped<'a>, used: &'a Use, evidence: &'a Evidence) {
    match &used.outcome {
        Outcome::Succeeded | Outcome::FailedAuthorised(_) => scoped.uses.push((used, evidence)),
        Outcome::Denied(code) => scoped.denied.push(Reported::of(used, evidence, code.clone())),
        Outcome::Failed(code) => scoped.failed.push(Reported::of(used, evidence, code.clone())),
    }
}

/// Why calls are suspicious. Where not every one of them is named, a list of those that are must not look like all there were.
fn suspicion(session: &Session, why: &str, evidence: &Evidence) -> String {
    let (calls, named) = (evidence.calls(), evidence.samples.len() as u64);
    let some = if named < calls { format!(" ({calls} calls, {named} of them named)") } else { String::new() };
    format!("{} called {why}{some}", session.name)
}

/// A call that shows no need, as it is reported: by the service and the name of its event, which is not the name of an action.
fn bare(call: &Bare, evidence: &Evidence, why: &str) -> Option<Reported> {
    let (source, name) = call.event.split_once(':').unwrap_or((&call.event, ""));
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let [service, name] = [source.split('.').next().unwrap_or_default(), name].map(|text| match text {
        "" => "_".to_owned(), // odd as it is, the call is told
        text => text.chars().map(plain).collect(),
    });
    let action = Action::of(&service, &name)?;
    Some(Reported::seen(action, Pattern::any(), evidence, suspicion(&call.session, why, evidence)))
}

fn concerns(sign: &Sign, question: &Question, ledger: &Ledger, instances: &BTreeSet<String>) -> bool {
    let ours =
        |target: &Target| matches!(target, Target::Instance(id) if instances.contains(id) || question.instances.contains(id));
    let session = sign.details.get("session-id");
    sign.account == question.account
        && match &sign.target {
            target @ Target::Instance(_) => ours(target),
            // A session that is resumed runs where it was started.
            Target::Selected(by) if by.starts_with("session:") => {
                ledger.signs.keys().any(|start| start.details.get("session-id") == session && ours(&start.target))
            }
            Target::Selected(_) => true,
        }
}

fn tell(question: &Question, scoped: &mut Scoped<'_>, strangers: &BTreeSet<&str>, unattributed: &BTreeSet<String>) {
    let findings = &mut scoped.findings;
    if scoped.instances.is_empty() {
        let message = format!("no call of an instance of the role `{}` in account {} was found", question.role, question.account);
        findings.push(
            Finding::new(Code::NoActivity, message)
                .advise("check the role's name, the account, and that the trail covers the time the instances ran"),
        );
    }
    if !strangers.is_empty() && question.instances.is_empty() && !question.allow_shared_role {
        let some: Vec<_> = strangers.iter().take(5).map(|s| format!("`{s}`")).collect();
        let message = format!(
            "the role `{}` is also used by {}{}",
            question.role,
            some.join(", "),
            if strangers.len() > 5 { ", …" } else { "" }
        );
        findings
            .push(Finding::new(Code::RoleShared, message).advise(
                "name the instances with `--instance`, or accept that the others lose access with `--allow-shared-role`",
            ));
    }
    if !unattributed.is_empty() {
        let message = format!(
            "{} origin(s) of calls are neither vouched for nor contradicted: {}",
            unattributed.len(),
            first(unattributed, 5)
        );
        findings.push(
            Finding::new(Code::Unattributed, message).advise("say which addresses are the instances' own with `--address CIDR`"),
        );
    }
    if !scoped.suspicious.is_empty() {
        let calls: u64 = scoped.suspicious.iter().map(|s| s.calls).sum();
        let named: u64 = scoped.suspicious.iter().map(|s| s.events.len() as u64).sum();
        let some = if named < calls { format!("; {named} of them are named, the earliest of each kind") } else { String::new() };
        let message =
            format!("{calls} call(s) were made with the instances' credentials from somewhere else and grant nothing{some}");
        findings.push(Finding::new(Code::SuspiciousOrigin, message).advise(
            "treat the credentials as stolen until explained; if the address is the instance's own, name it with `--address`",
        ));
    }
}

/// Says where calls came from is not judged, of all instances or of those whose agents never reported.
fn unknown_places(instances: &BTreeSet<String>, unjudged: &BTreeSet<&str>, judged: bool) -> Option<Finding> {
    let some: Vec<String> = unjudged.iter().take(5).map(|name| format!("`{name}`")).collect();
    let more = if unjudged.len() > 5 { ", …" } else { "" };
    let message = match (judged, some.is_empty()) {
        (false, _) if !instances.is_empty() => {
            "no address of the instances is known, so where their calls came from was not judged".to_owned()
        }
        (true, false) => {
            format!("the agent of {}{more} never reported, so where their calls came from was not judged", some.join(", "))
        }
        _ => return None,
    };
    let advice = "name the instances' own addresses with `--address CIDR` to have it judged";
    Some(Finding::new(Code::OriginUnjudged, message).advise(advice))
}

fn first(texts: &BTreeSet<String>, most: usize) -> String {
    texts.iter().take(most).cloned().collect::<Vec<_>>().join(", ")
}
