//! Endpoint policies: nothing beyond the baseline, and nothing lost of what the roles behind the endpoint may do.
//!
//! An endpoint policy stands beside the policies of a role: a request needs both. So the second half has two parts: the
//! calls that came through the endpoint are replayed, and every permission of the roles that the baseline lets through
//! has to be let through still. All of a role's requests are signed in its account, and that much is assumed of them
//! (`aws:PrincipalAccount`; IAM User Guide, "AWS global condition context keys": it is in every signed request).
//!
//! A permission and the baseline may overlap with neither inside the other. Such pairs are counted, not decided.

use serde::Serialize;

use super::condition::Test;
use super::document::{Document, DocumentError, Effect, Matcher, Statement, Version, is_nothing};
use super::proof::{Answer, Proof, Side, prove};
use super::replay::Call;
use super::subset::{Budget, Verdict, within};

/// A role behind the endpoint, with everything that is attached to it as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct RoleSide<'a> {
    /// What people call it.
    pub name: &'a str,
    /// The account in which its requests are signed.
    pub account: &'a str,
    /// Its policies.
    pub policies: &'a [&'a [u8]],
}

/// What was proved about an endpoint policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EndpointProof {
    /// Nothing beyond the baseline, and the calls that came through the endpoint.
    #[serde(flatten)]
    pub proof: Proof,
    /// The permissions of the roles.
    pub covers_grants: CoversGrants,
}

impl EndpointProof {
    /// Whether all of it holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.proof.holds() && self.covers_grants.verdict == Answer::Proved
    }
}

/// The permissions of the roles, one for each action and resource that a statement names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CoversGrants {
    /// `proved` when every permission that the baseline lets through is let through.
    pub verdict: Answer,
    /// How many permissions are let through.
    pub grants: usize,
    /// Those that the baseline lets through and the policy does not.
    pub denied: Vec<String>,
    /// Those that the baseline does not let through, or not as a whole.
    pub outside: Vec<String>,
    /// Why it is refused, if it is.
    pub reason: String,
}

/// Proves that the endpoint policy `new` lets nothing through beyond `baseline`, that it lets every one of the calls
/// through that `baseline` lets through, and every permission of the roles for actions of `service` that it does.
#[must_use]
pub fn prove_endpoint(
    new: &[u8],
    baseline: &[u8],
    service: &str,
    roles: &[RoleSide<'_>],
    calls: &[Call],
    budget: &Budget,
) -> EndpointProof {
    let proof = prove(Side { policies: &[new], kept: &[], boundary: None }, &[baseline], calls, budget);
    let covers_grants = match read(new, baseline, service, roles) {
        Ok(sides) => sides.covers(budget),
        Err(reason) => CoversGrants { reason, ..CoversGrants::default() },
    };
    EndpointProof { proof, covers_grants }
}

struct Sides<'a> {
    new: [Document; 1],
    baseline: [Document; 1],
    /// Denies everything but the service.
    fence: Statement,
    roles: Vec<(&'a RoleSide<'a>, Test, Vec<Document>)>,
}

fn read<'a>(new: &[u8], baseline: &[u8], service: &str, roles: &'a [RoleSide<'a>]) -> Result<Sides<'a>, String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |e: DocumentError| format!("{what}: {e}")
    };
    let fence = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","NotAction":{},"Resource":"*"}}}}"#,
        serde_json::Value::from(format!("{service}:*"))
    );
    let fence = Document::read(fence.as_bytes()).map_err(failed("the service"))?.statements;
    let fence = fence.into_iter().next().ok_or_else(|| "the service has no statement".to_owned())?;
    let one = |role: &'a RoleSide<'a>| -> Result<(&'a RoleSide<'a>, Test, Vec<Document>), String> {
        let some = role.policies.iter().filter(|bytes| !is_nothing(bytes));
        let documents = some.map(|bytes| Document::read(bytes).map_err(failed(role.name))).collect::<Result<_, _>>()?;
        let account = [role.account.to_owned()];
        Ok((role, Test::parse("StringEquals", "aws:PrincipalAccount", &account, Version::V2012)?, documents))
    };
    Ok(Sides {
        new: [Document::read_for_everyone(new).map_err(failed("the policy"))?],
        baseline: [Document::read_for_everyone(baseline).map_err(failed("the baseline"))?],
        fence,
        roles: roles.iter().map(one).collect::<Result<_, _>>()?,
    })
}

/// A permission: one action and one resource of a statement, or its `Not…` elements as they are.
struct Grant {
    label: String,
    statement: Statement,
}

/// The permissions of the Allow statements.
fn grants(documents: &[Document]) -> Vec<Grant> {
    let single = |matcher: &Matcher, at: usize| match matcher.patterns.get(at) {
        Some(pattern) if !matcher.negated => Matcher { negated: false, patterns: vec![pattern.clone()] },
        _ => matcher.clone(),
    };
    let count = |matcher: &Matcher| if matcher.negated { 1 } else { matcher.patterns.len() };
    let mut found = Vec::new();
    for (position, statement) in documents.iter().flat_map(|d| d.statements.iter().enumerate()) {
        if statement.effect != Effect::Allow {
            continue;
        }
        for action in 0..count(&statement.action) {
            for resource in 0..count(&statement.whole) {
                let name = statement.sid.clone().unwrap_or_else(|| format!("statement {}", position + 1));
                found.push(Grant {
                    label: format!("{name}, action {}, resource {}", action + 1, resource + 1),
                    statement: Statement {
                        action: single(&statement.action, action),
                        whole: single(&statement.whole, resource),
                        segmented: single(&statement.segmented, resource),
                        ..statement.clone()
                    },
                });
            }
        }
    }
    found
}

impl Sides<'_> {
    fn covers(&self, budget: &Budget) -> CoversGrants {
        let mut covers = CoversGrants { verdict: Answer::Proved, ..CoversGrants::default() };
        for (role, account, documents) in &self.roles {
            let denies = denies(documents);
            for grant in grants(documents) {
                let label = format!("{}: {}", role.name, grant.label);
                let asked = self.request(grant.statement, account, &denies);
                match self.judge(&asked, budget) {
                    Judged::Elsewhere => {}
                    Judged::Through => covers.grants += 1,
                    Judged::Lost => covers.denied.push(label),
                    Judged::Outside => covers.outside.push(label),
                    Judged::Refused(why) => covers.reason = why,
                }
            }
            // What the baseline names more narrowly than the role does.
            for grant in grants(&self.baseline) {
                let asked = self.request(grant.statement, account, &[]);
                if within(&asked, documents, budget) == Verdict::Proved && matches!(self.judge(&asked, budget), Judged::Lost) {
                    covers.denied.push(format!("{}: {} of the baseline", role.name, grant.label));
                }
            }
        }
        if !covers.reason.is_empty() {
            covers.verdict = Answer::Refused;
        }
        if !covers.denied.is_empty() {
            covers.verdict = Answer::NotProved;
        }
        covers
    }

    /// The requests that a permission is about: those of the service, signed in the account, and not denied.
    fn request(&self, mut allow: Statement, account: &Test, denies: &[Statement]) -> [Document; 1] {
        if !allow.conditions.contains(account) {
            allow.conditions.push(account.clone());
        }
        let statements = [allow, self.fence.clone()].into_iter().chain(denies.iter().cloned()).collect();
        [Document { version: Version::V2012, statements }]
    }

    fn judge(&self, asked: &[Document], budget: &Budget) -> Judged {
        if within(asked, &[], budget) == Verdict::Proved {
            return Judged::Elsewhere;
        }
        match (within(asked, &self.new, budget), within(asked, &self.baseline, budget)) {
            (Verdict::Proved, _) => Judged::Through,
            (Verdict::NotProved(_), Verdict::Proved) => Judged::Lost,
            (Verdict::NotProved(_), Verdict::NotProved(_)) => Judged::Outside,
            (Verdict::Refused(why), _) | (_, Verdict::Refused(why)) => Judged::Refused(why),
        }
    }
}

fn denies(documents: &[Document]) -> Vec<Statement> {
    documents.iter().flat_map(|d| &d.statements).filter(|s| s.effect == Effect::Deny).cloned().collect()
}

/// What becomes of a permission.
enum Judged {
    /// It is for other services.
    Elsewhere,
    /// It is let through.
    Through,
    /// The baseline lets it through, and the policy does not.
    Lost,
    /// The baseline does not let all of it through.
    Outside,
    /// It could not be decided.
    Refused(String),
}
