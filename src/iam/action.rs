//! One IAM action, such as `s3:GetObject`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// `service:Name`. Compared without regard to case, as IAM does; printed as it was written.
#[derive(Clone)]
pub struct Action {
    text: String,
    colon: usize,
}

impl Action {
    /// Reads `service:Name`; `None` where there is no colon, a part is empty, or a character cannot be in an action name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (service, name) = text.split_once(':')?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (plain(service) && plain(name)).then(|| Self { text: text.to_owned(), colon: service.len() })
    }

    /// The action of a service by its name.
    #[must_use]
    pub fn of(service: &str, name: &str) -> Option<Self> {
        Self::parse(&format!("{service}:{name}"))
    }

    /// The service prefix, such as `s3`.
    #[must_use]
    pub fn service(&self) -> &str {
        self.text.get(..self.colon).unwrap_or_default()
    }

    /// The name after the colon, such as `GetObject`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.get(self.colon + 1..).unwrap_or_default()
    }

    /// The whole action as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.text.bytes().map(|b| b.to_ascii_lowercase())
    }
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for Action {}

impl PartialOrd for Action {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Action {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl Hash for Action {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.folded() {
            state.write_u8(byte);
        }
        state.write_u8(0xff);
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl serde::Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for Action {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an IAM action")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter_and_is_kept() {
        let a = Action::parse("s3:GetObject").unwrap();
        let b = Action::parse("S3:getobject").unwrap();
        assert_eq!(a, b);
        assert_eq!(a.cmp(&b), Ordering::Equal);
        assert_eq!(b.to_string(), "S3:getobject");
        assert_eq!((a.service(), a.name()), ("s3", "GetObject"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "s3", "s3:", ":x", "s3:Get*", "s3:Get Object", "a:b:c"] {
            assert!(Action::parse(text).is_none(), "{text}");
        }
    }
}
