//! What people read: the report, the summary, the difference to the baseline.
//!
//! One model, [`report::Report`], is assembled from the derivation and the proof; everything that is shown is rendered
//! from it. Log content is attacker-controlled: [`escape`] makes it harmless for the terminal.

pub mod activity;
pub mod causes;
pub mod compared;
pub mod coverage;
pub mod diff;
pub mod endpoint;
pub mod escape;
pub mod explained;
pub mod figure;
pub mod granted;
pub mod meaning;
pub mod measured;
pub mod proved;
pub mod render;
pub mod replayed;
pub mod report;
pub mod sarif;
pub mod summary;
pub mod view;
pub mod witness;
