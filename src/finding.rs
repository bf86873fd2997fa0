//! What the tool tells people beside its result: a stable code, a severity, a sentence, and what to do.
//!
//! Findings are not errors. A stage returns its value *and* its findings; the driver decides what an
//! [`Severity::Error`] means (exit code 1, nothing written). Every code is listed in [`Code::ALL`], and a test holds
//! that list to `docs/findings.md` and to the test suite.

use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is written and the command ends with exit code 1.
    Error,
    /// The result stands, and a person should look before merging it.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

macro_rules! codes {
    ($($variant:ident, $text:literal, $severity:ident, $doc:literal;)*) => {
        /// The stable identity of a kind of finding; scripts may rely on its text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code there is, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The kebab-case text that reports carry.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// The severity that findings of this kind have.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }

            /// One sentence on what the code means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $doc,)* }
            }
        }
    };
}

codes! {
    RoleShared, "role-shared", Error, "Sessions that are not the stack's instances use the role, and a policy belongs to the whole role.";
    Unattributed, "unattributed", Error, "Calls came from addresses that nothing contradicts and nothing vouches for.";
    NoActivity, "no-activity", Error, "Not one call of the role's instances is in the input.";
    LimitExceeded, "limit-exceeded", Error, "The policy is over a size limit of IAM even on the coarsest rungs.";
    NotContained, "not-contained", Error, "A statement of the result could not be shown to lie inside the baseline.";
    NotCovered, "not-covered", Error, "An observed call of the baseline would be denied by the result.";
    NothingGranted, "nothing-granted", Warning, "Nothing of the baseline is needed, so there is no policy to attach.";
    DeniedInsideBaseline, "denied-inside-baseline", Warning, "A call was denied although the baseline allows it: something else forbids it, or an earlier derivation cut too deep.";
    SeenButForbidden, "seen-but-forbidden", Warning, "A call passed although the permissions boundary, or a Deny of a policy that stays attached, forbids it today.";
    FloorForbidden, "floor-forbidden", Warning, "A feature in use needs a permission that the permissions boundary, or a Deny of a policy that stays attached, forbids.";
    FloorOutsideBaseline, "floor-outside-baseline", Warning, "A feature in use needs a permission that the baseline does not have.";
    FloorResourceUnknown, "floor-resource-unknown", Warning, "A feature needs a permission on a resource whose name is not known, so nothing was granted for it.";
    FeatureMaybe, "feature-maybe", Warning, "A feature was targeted by tag or group and may be in use on these instances; its floor is kept.";
    RegionUnknown, "region-unknown", Warning, "The catalogue does not know a service bucket for a region.";
    SilentInstance, "silent-instance", Warning, "An instance runs and no call of it was found, as somebody expected; the policy knows nothing of its needs.";
    SuspiciousOrigin, "suspicious-origin", Warning, "Calls were made with the instance's credentials from somewhere else; they grant nothing.";
    HeartbeatsOverlap, "heartbeats-overlap", Warning, "One instance sent heartbeats from two addresses at the same time.";
    OriginUnjudged, "origin-unjudged", Note, "No address of the instances is known, so where calls came from was not judged.";
    PathWithoutS3, "path-without-s3", Warning, "S3 permissions are granted, and the instances have VPC endpoints only and never reached S3.";
    BlindActions, "blind-actions", Note, "The source could not have shown some of the baseline's actions; they were not granted.";
    AgentVersionUnknown, "agent-version-unknown", Note, "The agent version of an instance is unknown or old, so the ec2messages permissions stay.";
    AgentCurrent, "agent-current", Note, "Every agent is current enough to do without ec2messages, so those permissions went.";
    CoarserResource, "coarser-resource", Note, "A coarser resource was taken to stay within a size limit or because a name cannot be written exactly.";
    ResourceUnknown, "resource-unknown", Warning, "A record does not say which resource was used, so the resource type of the whole account and region was granted.";
    UnmappedEvent, "unmapped-event", Warning, "The catalogue cannot map an event to an IAM action; nothing was granted for it.";
    CoverageUnknown, "coverage-unknown", Warning, "What a trail logs could not be asked, so data events count as shown only as far as they were seen.";
    UnreadableInput, "unreadable-input", Warning, "A file or record could not be read and was skipped as asked.";
    UnknownRecord, "unknown-record", Warning, "A record has a type that is not known; it was counted and grants nothing.";
    RegionInName, "region-in-name", Note, "A name contains a region and does not exist in every region, so it stays literal in the template.";
    ConditionUndetermined, "condition-undetermined", Note, "The trail lacks a key that the baseline tests, or that a resource of it holds as a variable; both were kept word for word.";
    CollapsedNames, "collapsed-names", Note, "So many names were used that the ledger keeps only their common shape.";
    TemplateNote, "template-note", Note, "Something in the template was done in a way worth knowing.";
    KeptPolicies, "kept-policies", Note, "Other policies stay attached to the role; the derived policy holds only what they lack.";
    BaselineNewer, "baseline-newer", Note, "A policy is attached in a newer version than policyc carries; the attached version was taken.";
    EndpointNarrower, "endpoint-narrower", Warning, "A role behind a VPC endpoint may do something that the endpoint does not let through.";
    EndpointUnused, "endpoint-unused", Error, "No role behind a VPC endpoint needs anything of its service, and an endpoint policy cannot be empty.";
    NotProved, "not-proved", Error, "The prover found a request that the policy allows and the baseline does not.";
    SimulationDisagrees, "simulation-disagrees", Error, "IAM's own simulator and policyc's evaluator decide a request differently.";
    SimulationDenies, "simulation-denies", Error, "IAM's own simulator denies a request that is needed.";
    LastAccessed, "last-accessed", Note, "IAM knows when services with blind actions were last used; it names no resource, so nothing was granted.";
    ProofRefused, "proof-refused", Error, "The prover does not model something in the policies, or ran out of its budget.";
    NothingReplaced, "nothing-replaced", Warning, "The role in the template does not have the managed policy that the derived one replaces, and keeps others.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing worth telling.
///
/// `message` and `advice` may quote log content; whoever prints them escapes them for where they are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// Which kind of finding this is.
    pub code: Code,
    /// What was found, in one or two sentences.
    pub message: String,
    /// What to do about it; empty where there is nothing to do.
    pub advice: String,
}

impl Finding {
    /// A finding without advice.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), advice: String::new() }
    }

    /// The same finding with a sentence on what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity(), self.code, self.message)?;
        if !self.advice.is_empty() {
            write!(f, " ({})", self.advice)?;
        }
        Ok(())
    }
}
