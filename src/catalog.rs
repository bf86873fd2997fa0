//! Facts about AWS as data: every table says where it is from and when.
//!
//! | table | what it says |
//! |---|---|
//! | `reference` | actions, resource types and condition keys of all services (Service Authorization Reference) |
//! | `events` | which actions an event needs, where its name does not say |
//! | `errors` | which error codes come after authorisation, and which are refusals |
//! | `coverage` | what CloudTrail can show, and under which event selector |
//! | `features` | how a feature of Systems Manager shows itself, what it needs, and why |
//! | `buckets` | the S3 buckets of Systems Manager in every region |
//! | `endpoints` | VPC endpoints: the actions of their services, and what is fetched through them unsigned |
//! | `shapes` | partitions, names that live for a short time, parameters that name resources |
//! | `event_history` | the limits of CloudTrail's event history |
//! | `operations` | what policyc asks of AWS, and the permissions it needs for that |
//! | `risks` | actions that a reviewer wants to see first |
//! | `baselines` | AWS-managed policies |

pub mod baselines;
pub mod buckets;
pub mod coverage;
mod describe;
pub mod description;
pub mod endpoints;
pub mod errors;
pub mod events;
pub mod features;
pub mod format;
pub mod history;
pub mod operations;
pub mod reference;
pub mod risks;
pub mod shapes;

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::iam::Action;

/// The embedded tables beside the reference, as they were written.
const TABLES: [&str; 7] = [
    include_str!("catalog/data/events.json"),
    include_str!("catalog/data/errors.json"),
    include_str!("catalog/data/coverage.json"),
    include_str!("catalog/data/features.json"),
    include_str!("catalog/data/buckets.json"),
    include_str!("catalog/data/shapes.json"),
    include_str!("catalog/data/endpoints.json"),
];

/// What limits the fetching of records, but decides nothing about a policy and so is no part of [`Catalog::digest`].
const EVENT_HISTORY: &str = include_str!("catalog/data/event_history.json");

/// What orders a review, and decides nothing either.
const RISKS: &str = include_str!("catalog/data/risks.json");

/// What policyc asks of AWS; it decides nothing either.
const OPERATIONS: &str = include_str!("catalog/data/operations.json");

/// Everything that is known.
#[derive(Debug)]
pub struct Catalog {
    /// Actions and resource types.
    pub reference: reference::Reference,
    /// Events and the actions they need.
    pub events: events::Events,
    /// Error codes.
    pub errors: errors::Errors,
    /// What CloudTrail can show.
    pub coverage: coverage::Visibilities,
    /// Features of Systems Manager.
    pub features: features::Features,
    /// The limits of event history.
    pub event_history: history::EventHistory,
    /// Buckets of Systems Manager.
    pub buckets: buckets::Buckets,
    /// VPC endpoints.
    pub endpoints: endpoints::Endpoints,
    /// Shapes of names.
    pub shapes: shapes::Shapes,
    /// What policyc asks of AWS.
    pub operations: operations::Operations,
    /// Actions that a reviewer wants to see first.
    pub risks: risks::Risks,
}

/// Why a catalogue cannot be used: a reference file that was given is not one. The embedded tables are held by tests.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The bytes are neither gzip nor JSON lines.
    #[error("not a reference file: {0}")]
    Malformed(String),
}

impl Catalog {
    /// The embedded catalogue. Opening it inflates the reference; services are parsed when they are asked for.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| Self::around(reference::Reference::embedded()))
    }

    /// The embedded catalogue with a newer reference file, as `tools/catalog/generate.py` writes it.
    ///
    /// # Errors
    /// When the bytes are not a reference file.
    pub fn with_reference(bytes: &[u8]) -> Result<Self, CatalogError> {
        Ok(Self::around(reference::Reference::read(bytes)?))
    }

    fn around(reference: reference::Reference) -> Self {
        let [events, errors, coverage, features, buckets, shapes, endpoints] = TABLES;
        Self {
            reference,
            events: table(events),
            errors: table(errors),
            coverage: table(coverage),
            features: table(features),
            event_history: table(EVENT_HISTORY),
            buckets: table(buckets),
            shapes: table(shapes),
            operations: table(OPERATIONS),
            endpoints: table(endpoints),
            risks: table(RISKS),
        }
    }

    /// SHA-256 of everything that decides, in hexadecimal: the reference's text and the tables', one after the other.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new_with_prefix(self.reference.text());
        TABLES.iter().for_each(|table| hash.update(table));
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The action in the reference's spelling; unchanged where the reference does not know it.
    #[must_use]
    pub fn canonical(&self, action: &Action) -> Action {
        self.reference
            .action(action)
            .and_then(|facts| Action::of(&action.service().to_ascii_lowercase(), &facts.name))
            .unwrap_or_else(|| action.clone())
    }
}

/// Reads an embedded table. The tables are compiled in and a test reads each of them, so a malformed one is empty here
/// and a failing test there, never a panic.
fn table<T: serde::de::DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_embedded_table_reads() {
        fn check<T: serde::de::DeserializeOwned>(text: &str) {
            if let Err(e) = serde_json::from_str::<T>(text) {
                panic!("{}: {e}", std::any::type_name::<T>());
            }
        }
        let [events, errors, coverage, features, buckets, shapes, endpoints] = super::TABLES;
        check::<super::events::Events>(events);
        check::<super::errors::Errors>(errors);
        check::<super::coverage::Visibilities>(coverage);
        check::<super::features::Features>(features);
        check::<super::history::EventHistory>(super::EVENT_HISTORY);
        check::<super::buckets::Buckets>(buckets);
        check::<super::shapes::Shapes>(shapes);
        check::<super::operations::Operations>(super::OPERATIONS);
        check::<super::endpoints::Endpoints>(endpoints);
        check::<super::risks::Risks>(super::RISKS);
        assert!(super::reference::Reference::embedded().services().count() > 400);
    }
}
