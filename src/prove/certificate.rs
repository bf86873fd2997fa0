//! Certificates: what was proved about what, so that anyone can check it again.
//!
//! A certificate names its subjects by SHA-256 and carries both verdicts. It proves nothing by itself: checking it means
//! comparing the digests with the things they name and proving again. `docs/prove.md` documents the format.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::endpoint::EndpointProof;
use super::proof::{Answer, Proof};

/// The version of the format.
pub const SCHEMA: u32 = 1;

/// What no certificate says, in words that travel with it.
pub const NOT_PROVED: [&str; 3] = [
    "calls that CloudTrail did not record: most data events, iam:PassRole, actions that depend on others",
    "what other policies say: resource policies, service control policies, session policies, endpoint policies, boundaries",
    "that the ledger is complete, or that the workload will do tomorrow what it did before",
];

/// What was proved about what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The version of this format.
    pub schema: u32,
    /// The version of the tool that proved it.
    pub policyc: String,
    /// The derived policy.
    pub policy: Subject,
    /// What it stays inside.
    pub baseline: Subject,
    /// Policies that stay attached beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Subject>,
    /// The permissions boundary, on both sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Subject>,
    /// The observed activity: the ledger as `policyc observe` writes it.
    pub ledger: Subject,
    /// The facts that the derivation used. The proof itself uses none.
    pub catalogue: Subject,
    /// Is every request that the policy allows allowed by the baseline?
    pub within_baseline: Answer,
    /// Is every observed call that the baseline allows allowed by the policy?
    pub covers_observed: Answer,
    /// How many distinct calls were replayed for that.
    pub calls_replayed: usize,
    /// Of an endpoint policy: what was proved about the roles behind the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Behind>,
    /// What is not proved.
    pub not_proved: Vec<String>,
}

/// What a certificate of an endpoint policy says of the roles behind the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behind {
    /// The prefix of the actions that the endpoint carries.
    pub service: String,
    /// The policies of the roles.
    pub roles: Vec<Subject>,
    /// Is every permission of the roles that the baseline lets through let through?
    pub covers_grants: Answer,
    /// How many permissions that are.
    pub grants: usize,
}

/// Something that a certificate is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What it is called: a file, or a managed policy. Not looked at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// AWS's version id of a managed policy, the date of the catalogue. Not looked at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Subject {
    /// Names these bytes.
    #[must_use]
    pub fn of(name: impl Into<String>, version: impl Into<String>, bytes: &[u8]) -> Self {
        Self { name: name.into(), version: version.into(), sha256: digest(bytes) }
    }
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Everything that a certificate names, as it is now.
#[derive(Debug, Clone)]
pub struct Subjects {
    /// The derived policy.
    pub policy: Subject,
    /// What it stays inside.
    pub baseline: Subject,
    /// Policies that stay attached beside it.
    pub kept: Vec<Subject>,
    /// The permissions boundary.
    pub boundary: Option<Subject>,
    /// The observed activity.
    pub ledger: Subject,
    /// The facts.
    pub catalogue: Subject,
}

/// Why bytes are no certificate: their author is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not JSON, or not of this format.
    #[error("not a certificate: {0}")]
    Malformed(String),
    /// Of another version of the format.
    #[error("the certificate has schema {0}, this version reads {SCHEMA}")]
    Schema(u32),
}

impl Certificate {
    /// Certifies a proof. The verdicts are carried as they are: only [`Proof::holds`] makes a certificate worth something.
    #[must_use]
    pub fn issue(subjects: Subjects, proof: &Proof) -> Self {
        let mut not_proved = NOT_PROVED.map(str::to_owned).to_vec();
        if subjects.boundary.is_some() {
            not_proved.iter_mut().for_each(|text| *text = text.replace(", boundaries", ""));
        }
        Self {
            schema: SCHEMA,
            policyc: env!("CARGO_PKG_VERSION").to_owned(),
            policy: subjects.policy,
            baseline: subjects.baseline,
            kept: subjects.kept,
            boundary: subjects.boundary,
            ledger: subjects.ledger,
            catalogue: subjects.catalogue,
            within_baseline: proof.within_baseline,
            covers_observed: proof.covers_observed.verdict,
            calls_replayed: proof.covers_observed.calls,
            endpoint: None,
            not_proved,
        }
    }

    /// Certifies what was proved about an endpoint policy; `roles` are the policies of the roles behind the endpoint.
    #[must_use]
    pub fn issue_endpoint(subjects: Subjects, service: &str, roles: Vec<Subject>, proof: &EndpointProof) -> Self {
        let (covers_grants, grants) = (proof.covers_grants.verdict, proof.covers_grants.grants);
        let behind = Behind { service: service.to_owned(), roles, covers_grants, grants };
        Self { endpoint: Some(behind), ..Self::issue(subjects, &proof.proof) }
    }

    /// Reads a certificate.
    ///
    /// # Errors
    /// When the bytes are not a certificate of this format.
    pub fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let malformed = |e: serde_json::Error| CertificateError::Malformed(e.to_string());
        let version: Version = serde_json::from_slice(bytes).map_err(malformed)?;
        if version.schema != SCHEMA {
            return Err(CertificateError::Schema(version.schema));
        }
        serde_json::from_slice(bytes).map_err(malformed)
    }

    /// The certificate as it is written: indented JSON with a line end.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// What does not agree with the things named, as they are now, and with a proof made again; a sentence each. An empty
    /// list is a certificate that holds.
    #[must_use]
    pub fn verify(&self, now: &Subjects, again: &Proof) -> Vec<String> {
        let mut problems = Vec::new();
        let named = [
            ("policy", &self.policy, &now.policy),
            ("baseline", &self.baseline, &now.baseline),
            ("ledger", &self.ledger, &now.ledger),
            ("catalogue", &self.catalogue, &now.catalogue),
        ];
        for (what, then, now) in named {
            if then.sha256 != now.sha256 {
                problems.push(format!("it names a {what} {}, now it is {}", short(&then.sha256), short(&now.sha256)));
            }
        }
        if digests(&self.kept) != digests(&now.kept) {
            problems.push("it names other policies that stay attached".to_owned());
        }
        if self.boundary.as_ref().map(|b| &b.sha256) != now.boundary.as_ref().map(|b| &b.sha256) {
            problems.push("it names another permissions boundary".to_owned());
        }
        let halves = [
            ("within the baseline", self.within_baseline, again.within_baseline),
            ("covers the observed calls", self.covers_observed, again.covers_observed.verdict),
        ];
        for (what, then, now) in halves {
            if then != Answer::Proved {
                problems.push(format!("it says `{then}` of `{what}`"));
            }
            if now != Answer::Proved {
                problems.push(format!("proved again, `{what}` is `{now}`"));
            }
        }
        if self.calls_replayed != again.covers_observed.calls {
            let calls = again.covers_observed.calls;
            problems.push(format!("it counts {} replayed calls, now there are {calls}", self.calls_replayed));
        }
        problems
    }

    /// As [`Certificate::verify`], for the certificate of an endpoint policy.
    #[must_use]
    pub fn verify_endpoint(&self, now: &Subjects, roles: &[Subject], again: &EndpointProof) -> Vec<String> {
        let mut problems = self.verify(now, &again.proof);
        let Some(behind) = &self.endpoint else {
            problems.push("it says nothing of the roles behind the endpoint".to_owned());
            return problems;
        };
        if digests(&behind.roles) != digests(roles) {
            problems.push("it names other policies of roles behind the endpoint".to_owned());
        }
        let (then, now) = (behind.covers_grants, again.covers_grants.verdict);
        if then != Answer::Proved {
            problems.push(format!("it says `{then}` of `covers the permissions of the roles`"));
        }
        if now != Answer::Proved {
            problems.push(format!("proved again, `covers the permissions of the roles` is `{now}`"));
        }
        if behind.grants != again.covers_grants.grants {
            problems.push(format!("it counts {} permissions, now there are {}", behind.grants, again.covers_grants.grants));
        }
        problems
    }
}

fn digests(subjects: &[Subject]) -> Vec<&str> {
    subjects.iter().map(|s| s.sha256.as_str()).collect()
}

fn short(digest: &str) -> String {
    digest.chars().take(12).chain(['…']).collect()
}
