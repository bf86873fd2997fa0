//! `policyc.toml`: any text is read or refused with a message that names its place.

use policyc::stack::config::Config;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::parse(text) {
        Ok(config) => assert_eq!(Config::parse(text), Ok(config), "reading twice is reading once"),
        Err(e) => assert!(!e.to_string().is_empty()),
    }
}
