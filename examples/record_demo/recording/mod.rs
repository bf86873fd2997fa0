//! The recording of the demo, built from nothing but the names in `world` and the days in `days`.
//!
//! The shapes of the records follow the CloudTrail User Guide (record contents, event examples), the Systems Manager User
//! Guide (event examples, data events) and records that researchers have published. The values are invented: the account
//! is a documentation account, the addresses are documentation addresses (RFC 5737).

mod agent;
mod days;
mod labels;
mod layout;
mod operators;
mod others;
mod record;
mod stack;
mod world;

use std::collections::BTreeMap;

/// Every file of the recording by its path below `cfn/recording/`.
///
/// # Errors
/// When a value cannot be written as JSON or compressed, which would be a mistake in here.
pub(crate) fn files() -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = layout::log_files(&days::events())?;
    files.insert("stack.json".to_owned(), stack::description()?);
    Ok(files)
}
