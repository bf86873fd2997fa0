//! Addresses, and what stands for one in a recording.

use std::fmt;
use std::net::IpAddr;

/// An address as it can be compared, whether or not it is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// The address.
    Plain(IpAddr),
    /// What stands for it.
    Masked {
        /// Whether it is one of IPv4.
        v4: bool,
        /// The same for the same address, in one recording.
        id: String,
    },
}

impl Address {
    /// Reads an address, or what [`fmt::Display`] writes for a masked one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let masked = |v4: bool, rest: &str| {
            let id = rest.strip_prefix("-address-")?;
            let hex = id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            hex.then(|| Self::Masked { v4, id: id.to_owned() })
        };
        match (text.strip_prefix("ipv4"), text.strip_prefix("ipv6")) {
            (Some(rest), _) => masked(true, rest),
            (_, Some(rest)) => masked(false, rest),
            _ => text.parse().ok().map(Self::Plain),
        }
    }

    /// Whether it is one of IPv4.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        match self {
            Self::Plain(address) => address.is_ipv4(),
            Self::Masked { v4, .. } => *v4,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) => address.fmt(f),
            Self::Masked { v4, id } => write!(f, "{}-address-{id}", if *v4 { "ipv4" } else { "ipv6" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["203.0.113.7", "2001:db8::1", "ipv4-address-0123456789abcdef", "ipv6-address-0123456789abcdef"] {
            let read = Address::parse(text).unwrap();
            assert_eq!((read.to_string().as_str(), read.is_ipv4()), (text, text.contains("v4") || text.contains('.')), "{text}");
        }
        for text in ["", "ipv4-address-", "ipv4-address-0123456789ABCDEF", "ipv4", "here", "ipv5-address-0123456789abcdef"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
