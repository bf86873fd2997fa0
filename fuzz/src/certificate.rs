//! A certificate that reads is written and read back the same, and says nothing wrong of itself.

use policyc::prove::certificate::Certificate;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let Ok(certificate) = Certificate::read(bytes) else { return };
    let written = certificate.write();
    assert_eq!(Certificate::read(&written).expect("what was written reads back"), certificate);
    assert_eq!(Certificate::read(&written).map(|again| again.write()), Ok(written), "writing twice is writing once");
}
