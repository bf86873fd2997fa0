//! Gzip to plain bytes, within limits.
//!
//! One member, which is what CloudTrail writes, is inflated in one shot. The length field at the end of a gzip file is
//! modulo 2³² and speaks of the last member only (RFC 1952, 2.2 and 2.3.1), and the one-shot inflater stops silently after
//! the first member; so whatever might have more than one goes through the streaming decoder instead. A file's name says
//! nothing: its first bytes do.

use std::io::Read;

use libdeflater::Decompressor;

/// Why bytes could not be inflated. The fault is the input's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// More bytes than [`Limits::size`].
    #[error("it holds more than {0} bytes")]
    TooLarge(usize),
    /// More bytes for each compressed one than [`Limits::ratio`]: a bomb.
    #[error("it inflates to more than {0} times its size")]
    TooDense(usize),
    /// Not the gzip that its first bytes promise, or cut short.
    #[error("its gzip stream is damaged or cut short")]
    Damaged,
    /// Compressed with something else.
    #[error("it is compressed with {0}, and only gzip is read")]
    OtherCompression(&'static str),
}

/// How much a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that one file may inflate to; CloudTrail's own files hold at most 50 MB.
    pub size: usize,
    /// The most inflated bytes for each compressed one, once a file inflates to more than [`Limits::HARMLESS`].
    pub ratio: usize,
}

impl Limits {
    /// Up to this many bytes the ratio does not matter: a day of the same call compresses extremely well.
    pub const HARMLESS: usize = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self { size: 1 << 30, ratio: 400 }
    }
}

const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// First bytes of other compressed formats that trails are repacked in.
const OTHERS: [(&[u8], &str); 4] =
    [(&[0x28, 0xb5, 0x2f, 0xfd], "zstd"), (b"BZh", "bzip2"), (b"PK\x03\x04", "zip"), (&[0xfd, b'7', b'z', b'X', b'Z'], "xz")];

/// Deflate cannot do better than this (zlib's documentation, "Maximum expansion factor").
const DEFLATE_MOST: usize = 1032;

/// The bytes of a file, inflated where they are gzip and as they are otherwise.
///
/// # Errors
///
/// Damaged or foreign compression, and more bytes than the limits allow.
pub fn inflate(bytes: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, InflateError> {
    if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(InflateError::OtherCompression(name));
    }
    if !bytes.starts_with(&GZIP[..2]) {
        return if bytes.len() > limits.size { Err(InflateError::TooLarge(limits.size)) } else { Ok(bytes) };
    }
    match one_shot(&bytes, limits) {
        Some(out) => Ok(out),
        None => stream(&bytes, limits),
    }
}

/// Inflates what is certainly one member of the promised length; `None` leaves the decision to the streaming decoder.
fn one_shot(bytes: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let promised = u32::from_le_bytes(*bytes.last_chunk()?) as usize;
    let allowed = most(bytes.len(), limits).0.min(bytes.len().saturating_mul(DEFLATE_MOST));
    let single = memchr::memmem::find(bytes.get(1..)?, &GZIP).is_none();
    if !single || promised > allowed {
        return None;
    }
    let mut out = vec![0; promised];
    let written = Decompressor::new().gzip_decompress(bytes, &mut out).ok()?;
    (written == promised).then_some(out)
}

fn stream(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, InflateError> {
    let (most, error) = most(bytes.len(), limits);
    let mut out = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(most as u64 + 1);
    reader.read_to_end(&mut out).map_err(|_| InflateError::Damaged)?;
    if out.len() > most { Err(error) } else { Ok(out) }
}

/// The most bytes that this many compressed ones may become, and what it is called when there are more.
fn most(compressed: usize, limits: &Limits) -> (usize, InflateError) {
    let dense = compressed.saturating_mul(limits.ratio).max(Limits::HARMLESS);
    if dense < limits.size {
        (dense, InflateError::TooDense(limits.ratio))
    } else {
        (limits.size, InflateError::TooLarge(limits.size))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn check(bytes: Vec<u8>, expected: Result<&[u8], InflateError>) {
        assert_eq!(inflate(bytes, &Limits::default()).as_deref(), expected.as_ref().copied());
    }

    #[test]
    fn first_bytes_decide() {
        check(b"{}".to_vec(), Ok(b"{}"));
        check(vec![], Ok(b""));
        check(gzip(b"{}"), Ok(b"{}"));
        check(gzip(b""), Ok(b""));
        check(b"BZh91AY".to_vec(), Err(InflateError::OtherCompression("bzip2")));
        check(vec![0x28, 0xb5, 0x2f, 0xfd, 0], Err(InflateError::OtherCompression("zstd")));
    }

    #[test]
    fn members_of_the_same_length_are_all_read() {
        // The one-shot inflater would stop after the first, and the length field would agree.
        check([gzip(b"one"), gzip(b"two")].concat(), Ok(b"onetwo"));
        check([gzip(b"one"), gzip(b"one"), gzip(b"")].concat(), Ok(b"oneone"));
    }

    #[test]
    fn damage_is_an_error() {
        let whole = gzip(b"hello hello hello hello");
        for end in 2..whole.len() {
            check(whole[..end].to_vec(), Err(InflateError::Damaged));
        }
        check([whole.clone(), b"rubbish".to_vec()].concat(), Err(InflateError::Damaged));
        let mut wrong = whole;
        let sum = wrong.len() - 6;
        wrong[sum] ^= 1;
        check(wrong, Err(InflateError::Damaged));
    }

    #[test]
    fn bombs_end_in_a_clear_error() {
        let bomb = gzip(&vec![0; Limits::HARMLESS + 1]);
        check(bomb.clone(), Err(InflateError::TooDense(400)));
        let small = Limits { size: 1000, ratio: 400 };
        assert_eq!(inflate(bomb, &small), Err(InflateError::TooLarge(1000)));
        assert_eq!(inflate([gzip(b"a"), gzip(&[0; 1000])].concat(), &small), Err(InflateError::TooLarge(1000)));
        assert_eq!(inflate(vec![b' '; 1001], &small), Err(InflateError::TooLarge(1000)));
        let mut lying = gzip(&[b'x'; 2000]);
        let length = lying.len() - 4;
        lying[length..].copy_from_slice(&5_u32.to_le_bytes());
        assert_eq!(inflate(lying, &Limits::default()), Err(InflateError::Damaged), "the length field lies");
    }

    proptest! {
        /// INVARIANT (inflate-members): however bytes are cut into members, the same bytes come back.
        #[test]
        fn any_number_of_members(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..5)) {
            let file: Vec<u8> = parts.iter().flat_map(|part| gzip(part)).collect();
            prop_assert_eq!(inflate(file, &Limits::default()), Ok(parts.concat()));
        }

        /// INVARIANT (inflate-total): no bytes make it panic.
        #[test]
        fn any_bytes(tail in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = inflate([&GZIP[..], &tail].concat(), &Limits::default());
        }
    }
}
