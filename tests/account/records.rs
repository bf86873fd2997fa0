//! The demo's recording as somebody's own: a folder in which commands run.

use std::path::Path;

use crate::copy::copy;

/// The physical name of the NAT instance's role in the recording.
pub(crate) const ROLE: &str = "ssm-demo-NatInstanceRole-hY6uB1oVn3Ge";

/// A copy of the demo.
pub(crate) fn demo() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for part in ["policyc.toml", "cfn", "policies"] {
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(part), &home.path().join(part));
    }
    home
}
