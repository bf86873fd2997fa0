//! The policy of a VPC endpoint, from the roles behind it: derive, write the document, prove.

use std::collections::BTreeMap;

use super::{Compiled, Facts, reasons, refusals};
use crate::catalog::Catalog;
use crate::catalog::endpoints::Repository;
use crate::derive::endpoint::{EndpointQuestion, Source, endpoint};
use crate::derive::{self, Baseline, Derivation, Question};
use crate::finding::{Code, Finding, Severity};
use crate::iam::{Effect, Policy, Statement, everyone};
use crate::ledger::{Ledger, Origin, Use};
use crate::prove::certificate::{Certificate, Subject, Subjects};
use crate::prove::endpoint::{EndpointProof, RoleSide, prove_endpoint};
use crate::prove::observed::calls;
use crate::prove::replay::Call;
use crate::prove::subset::Budget;
use crate::review::diff;
use crate::review::endpoint::EndpointReport;
use crate::review::report::{BaselineReport, FindingReport, SizeReport};

/// A role behind the endpoint.
#[derive(Debug, Clone, Copy)]
pub struct RoleBehind<'a> {
    /// Its logical id.
    pub id: &'a str,
    /// Its policy's file.
    pub policy: &'a str,
    /// What was derived of it.
    pub question: &'a Question,
    /// The result.
    pub compiled: &'a Compiled,
}

/// What to derive for an endpoint.
#[derive(Debug, Clone)]
pub struct EndpointRequest<'a> {
    /// Its logical id.
    pub id: &'a str,
    /// Its physical id, where it is known.
    pub endpoint: Option<&'a str>,
    /// The prefix of the actions that it carries.
    pub service: &'a str,
    /// What it lets through today: the bytes with the principal, the policy without.
    pub baseline: &'a Baseline,
    /// The roles behind it; one at least.
    pub roles: &'a [RoleBehind<'a>],
    /// The package repositories that their instances read from.
    pub repositories: Vec<&'a Repository>,
}

/// The policy of an endpoint.
#[derive(Debug, Clone, Default)]
pub struct CompiledEndpoint {
    /// The policy, without the principal.
    pub policy: Policy,
    /// Why each statement is there, by `Sid`.
    pub reasons: BTreeMap<String, Vec<String>>,
    /// The document as it is written.
    pub document: String,
    /// What was proved about it.
    pub proof: EndpointProof,
    /// What there is to tell, most severe first.
    pub findings: Vec<Finding>,
}

impl CompiledEndpoint {
    /// Whether a finding forbids writing the result.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.findings.iter().any(|f| f.severity() == Severity::Error)
    }

    /// The certificate of the proof; `policy` is what the policy's file is called.
    #[must_use]
    pub fn certificate(&self, policy: &str, request: &EndpointRequest<'_>, facts: &Facts) -> Certificate {
        let policy = Subject::of(policy, "", self.document.as_bytes());
        Certificate::issue_endpoint(subjects(policy, request, facts), request.service, behind(request), &self.proof)
    }
}

impl CompiledEndpoint {
    /// The report; `stack` is the one that the endpoint belongs to, `certificate` what is written beside the policy.
    #[must_use]
    pub fn report(
        &self,
        stack: &str,
        request: &EndpointRequest<'_>,
        certificate: Certificate,
        catalog: &Catalog,
    ) -> EndpointReport {
        let baseline = request.baseline;
        let before = String::from_utf8_lossy(&baseline.bytes);
        EndpointReport {
            logical_id: request.id.to_owned(),
            stack: stack.to_owned(),
            service: request.service.to_owned(),
            roles: request.roles.iter().map(|role| role.id.to_owned()).collect(),
            repositories: request.repositories.iter().map(|repository| repository.id.clone()).collect(),
            baseline: BaselineReport {
                name: baseline.name.clone(),
                version: baseline.version.clone(),
                sha256: baseline.sha256.clone(),
            },
            findings: self.findings.iter().map(FindingReport::of).collect(),
            proof: self.proof.clone(),
            certificate,
            size: SizeReport {
                baseline: before.chars().count(),
                policy: self.document.chars().count(),
                limit: catalog.endpoints.limit,
            },
            policy: everyone::write(&self.policy),
            because: self.reasons.clone(),
            difference: diff::for_everyone(&baseline.policy, &baseline.name, &self.policy, &format!("{} (derived)", request.id)),
            places: Vec::new(),
        }
    }
}

/// Everything that the certificate of an endpoint policy names, but for the policies of the roles.
#[must_use]
pub fn subjects(policy: Subject, request: &EndpointRequest<'_>, facts: &Facts) -> Subjects {
    Subjects {
        policy,
        baseline: Subject::of(request.baseline.name.clone(), "", &request.baseline.bytes),
        kept: Vec::new(),
        boundary: None,
        ledger: facts.ledger.clone(),
        catalogue: facts.catalogue.clone(),
    }
}

/// The policies of the roles behind the endpoint.
#[must_use]
pub fn behind(request: &EndpointRequest<'_>) -> Vec<Subject> {
    let kept = |r: &RoleBehind<'_>| -> Vec<Subject> {
        r.question.kept.iter().map(|k| Subject::of(k.name.clone(), k.version.clone(), &k.bytes)).collect()
    };
    let own = |r: &RoleBehind<'_>| Subject::of(r.policy, "", r.compiled.document.as_bytes());
    request.roles.iter().flat_map(|r| std::iter::once(own(r)).chain(kept(r))).collect()
}

/// Compiles the policy of an endpoint.
#[must_use]
pub fn compile_endpoint(request: &EndpointRequest<'_>, ledger: &Ledger, catalog: &Catalog) -> CompiledEndpoint {
    let Some(first) = request.roles.first().map(|r| r.question) else {
        let finding = Finding::new(Code::EndpointUnused, format!("there is no role behind `{}`", request.id));
        return CompiledEndpoint { findings: vec![finding], ..CompiledEndpoint::default() };
    };
    let question = EndpointQuestion {
        endpoint: request.id.to_owned(),
        service: request.service.to_owned(),
        account: first.account.clone(),
        partition: first.partition.clone(),
        region: first.region.clone(),
        baseline: request.baseline,
        sources: request.roles.iter().flat_map(|role| sources(role, request.baseline, ledger, catalog)).collect(),
        repositories: request.repositories.clone(),
    };
    let derived = endpoint(&question, catalog);
    let document = format!("{:#}\n", everyone::write(&derived.policy));
    let proof = prove(request, document.as_bytes());
    let mut findings = derived.findings;
    if !findings.iter().any(|f| f.code == Code::EndpointUnused) {
        findings.extend(refusals(&proof.proof));
        let lost = |grant: &String| {
            Finding::new(Code::NotCovered, format!("the policy of `{}` would not let through {grant}", request.id))
        };
        findings.extend(proof.covers_grants.denied.iter().map(lost));
        if !proof.covers_grants.reason.is_empty() {
            findings.push(Finding::new(Code::ProofRefused, proof.covers_grants.reason.clone()));
        }
    }
    findings.sort_by(|a, b| (a.severity(), a.code, &a.message).cmp(&(b.severity(), b.code, &b.message)));
    findings.dedup();
    CompiledEndpoint { policy: derived.policy, reasons: derived.reasons, document, proof, findings }
}

/// Proves what an endpoint policy promises, about its bytes.
#[must_use]
pub fn prove(request: &EndpointRequest<'_>, document: &[u8]) -> EndpointProof {
    let policies: Vec<Vec<&[u8]>> = request
        .roles
        .iter()
        .map(|r| {
            std::iter::once(r.compiled.document.as_bytes()).chain(r.question.kept.iter().map(|k| k.bytes.as_slice())).collect()
        })
        .collect();
    let sides: Vec<RoleSide<'_>> = request
        .roles
        .iter()
        .zip(&policies)
        .map(|(role, policies)| RoleSide { name: role.id, account: &role.question.account, policies })
        .collect();
    let through = |used: &&Use| {
        used.action.service().eq_ignore_ascii_case(request.service)
            && matches!(&used.origin, Origin::Endpoint { id, .. } if request.endpoint.is_none_or(|own| own == id))
    };
    let observed = request.roles.iter().flat_map(|role| &role.compiled.derivation.observed);
    let calls: Vec<Call> = observed.filter(through).flat_map(calls).collect();
    prove_endpoint(document, &request.baseline.bytes, request.service, &sides, &calls, &Budget::default())
}

/// What a role needs: what its policies grant, and what it would need if the endpoint were all that limits it. That is
/// more where other policies of the role grant something, or where a bucket is read without signing.
fn sources(role: &RoleBehind<'_>, baseline: &Baseline, ledger: &Ledger, catalog: &Catalog) -> Vec<Source> {
    let unlimited = Question { baseline: baseline.clone(), kept: Vec::new(), limit: usize::MAX, ..role.question.clone() };
    let wider = derive::derive(&unlimited, ledger, catalog);
    let own = |derivation: &Derivation| -> Vec<Source> {
        let reasons = reasons(derivation);
        let source = |statement: &Statement| Source {
            of: role.id.to_owned(),
            statement: statement.clone(),
            because: reasons.get(&statement.sid).cloned().unwrap_or_default(),
        };
        derivation.policy.statements.iter().filter(|s| s.effect == Effect::Allow).map(source).collect()
    };
    let mut found = own(&role.compiled.derivation);
    found.extend(own(&wider));
    for kept in &role.question.kept {
        let letters: String = kept.name.chars().filter(char::is_ascii_alphanumeric).collect();
        found.extend(kept.policy.statements.iter().filter(|s| s.effect == Effect::Allow).map(|statement| Source {
            of: role.id.to_owned(),
            statement: Statement {
                sid: format!("Kept{letters}"),
                conditions: derive::cap::carried(&kept.policy, &statement.conditions),
                ..statement.clone()
            },
            because: vec![format!("{} stays attached", kept.name)],
        }));
    }
    found
}
