//! Identifiers that look random and are not: each is the hash of a label, so that adding an event changes no other.

use sha2::{Digest, Sha256};

/// 32 bytes for a label.
fn bytes(label: &str) -> [u8; 32] {
    Sha256::digest(format!("policyc demo recording: {label}").as_bytes()).into()
}

/// As many characters of `alphabet` as asked for, at most 32.
fn chars(label: &str, alphabet: &str, count: usize) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    bytes(label).iter().take(count).filter_map(|b| letters.get(usize::from(*b) % letters.len())).collect()
}

/// Lower-case hexadecimal digits, at most 32.
pub(super) fn hex(label: &str, count: usize) -> String {
    chars(label, "0123456789abcdef", count)
}

/// A request or event id, in the form of a random UUID.
pub(super) fn uuid(label: &str) -> String {
    let digits = hex(label, 32);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// The request id of S3: sixteen upper-case letters and digits.
pub(super) fn s3_request(label: &str) -> String {
    chars(label, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 16)
}

/// The extended request id of S3 (`x-amz-id-2`).
pub(super) fn s3_host(label: &str) -> String {
    let half = |n: u8| chars(&format!("{label} {n}"), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 32);
    format!("{}{}EXAMPLE=", half(1), half(2))
}

/// The ending of a session id.
pub(super) fn session(label: &str) -> String {
    chars(label, "abcdefghijklmnopqrstuvwxyz234567", 26)
}

/// The ending of a log file's name.
pub(super) fn file(label: &str) -> String {
    chars(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 16)
}

/// An access key id or principal id with this prefix, marked as an example.
pub(super) fn key(prefix: &str, label: &str, length: usize) -> String {
    let middle = length.saturating_sub(prefix.len() + "EXAMPLE".len());
    format!("{prefix}{}EXAMPLE", chars(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", middle))
}

/// The MD5-like content hash of an inventory item.
pub(super) fn content_hash(label: &str) -> String {
    format!("{}==", chars(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 22))
}
