//! The typed values of conditions: numbers, instants, networks, bytes. All exact; nothing is rounded.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::alphabet;
use base64::engine::{Engine, GeneralPurpose, GeneralPurposeConfig};

/// An integer or decimal of any length.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number {
    negative: bool,
    /// Digits before the point, without leading zeros.
    whole: String,
    /// Digits after the point, without trailing zeros.
    fraction: String,
}

impl Number {
    /// Reads `-12.50`, `+3`, `.5` or `1e3`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: String = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || exponent.unsigned_abs() > 400 {
            return None;
        }
        let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
        let (whole, fraction) = shift(&digits, point);
        Some(Self::normal(sign, &whole, &fraction))
    }

    fn normal(negative: bool, whole: &str, fraction: &str) -> Self {
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Self { negative, whole, fraction }
    }

    /// A number just above or just below, nearer than any two numbers of at most `places` decimal places are.
    pub(crate) fn beside(&self, above: bool, places: usize) -> Self {
        let places = places + 1;
        let fraction = format!("{:0<places$}", self.fraction);
        let digits = format!("0{}{fraction}", self.whole);
        let moved = if above == self.negative {
            match decrement(&digits) {
                Some(digits) => digits,
                None => return Self::normal(!self.negative, "", &format!("{:0>places$}", 1)),
            }
        } else {
            increment(&digits)
        };
        let point = moved.len().saturating_sub(places);
        Self::normal(self.negative, moved.get(..point).unwrap_or(""), moved.get(point..).unwrap_or(""))
    }

    /// How many digits stand after the point.
    pub(crate) fn places(&self) -> usize {
        self.fraction.len()
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        self.whole
            .len()
            .cmp(&other.whole.len())
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.fraction.cmp(&other.fraction))
    }
}

fn shift(digits: &str, point: i64) -> (String, String) {
    let Ok(point) = usize::try_from(point) else {
        let zeros = usize::try_from(point.unsigned_abs()).unwrap_or(0);
        return (String::new(), "0".repeat(zeros) + digits);
    };
    match digits.split_at_checked(point) {
        Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
        None => (format!("{digits:0<point$}"), String::new()),
    }
}

/// One more in the last place; `digits` starts with a `0` that takes the carry.
fn increment(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let nines = digits.len() - kept.len();
    let (head, last) = kept.split_at(kept.len().saturating_sub(1));
    let up = last.parse::<u32>().unwrap_or(0) + 1;
    format!("{head}{up}{}", "0".repeat(nines))
}

/// One less in the last place, `None` from zero.
fn decrement(digits: &str) -> Option<String> {
    let kept = digits.trim_end_matches('0');
    let zeros = digits.len() - kept.len();
    let (head, last) = kept.split_at_checked(kept.len().checked_sub(1)?)?;
    let down = last.parse::<u32>().ok()?.checked_sub(1)?;
    Some(format!("{head}{down}{}", "9".repeat(zeros)))
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { &self.whole };
        write!(f, "{sign}{whole}")?;
        if self.fraction.is_empty() { Ok(()) } else { write!(f, ".{}", self.fraction) }
    }
}

/// A point in time: nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i128);

impl Instant {
    /// Reads the ISO 8601 forms of the W3C note (`2020`, `2020-04`, `2020-04-01`, `2020-04-01T12:00Z`, with seconds
    /// and fractions, with an offset) and seconds since 1970. A text of four digits is a year.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let full = match text.len() {
            4 if digits => format!("{text}-01-01T00:00:00Z"),
            7 if !digits => format!("{text}-01T00:00:00Z"),
            10 if !digits => format!("{text}T00:00:00Z"),
            _ if text.contains('T') => minutes(text),
            _ => return epoch(text),
        };
        let stamp: jiff::Timestamp = full.parse().ok()?;
        Some(Self(stamp.as_nanosecond()))
    }

    /// The instant `nanoseconds` later.
    pub(crate) fn later(self, nanoseconds: i128) -> Self {
        Self(self.0 + nanoseconds)
    }
}

/// `12:00Z` → `12:00:00Z`: the W3C note allows a time without seconds. A time without an offset counts as UTC.
fn minutes(text: &str) -> String {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let cut = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(cut);
    let seconds = if clock.len() == 5 { ":00" } else { "" };
    let zone = if zone.is_empty() { "Z" } else { zone };
    format!("{date}T{clock}{seconds}{zone}")
}

fn epoch(text: &str) -> Option<Instant> {
    let number = Number::parse(text)?;
    let seconds: i128 = if number.whole.is_empty() { 0 } else { number.whole.parse().ok()? };
    let fraction: i128 = format!("{:0<9}", number.fraction.get(..9.min(number.fraction.len()))?).parse().ok()?;
    let nanoseconds = seconds.checked_mul(1_000_000_000)?.checked_add(fraction)?;
    Some(Instant(if number.negative { -nanoseconds } else { nanoseconds }))
}

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_nanosecond(self.0) {
            Ok(stamp) => write!(f, "{stamp}"),
            Err(_) => write!(f, "{}", self.0 / 1_000_000_000),
        }
    }
}

/// A range of addresses in CIDR notation, v4 or v6; host bits are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    last: IpAddr,
}

impl Network {
    /// Reads `203.0.113.0/24`, `2001:db8::/32` or a single address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) if prefix.bytes().all(|b| b.is_ascii_digit()) => (address, Some(prefix)),
            Some(_) => return None,
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok().filter(|p| *p <= bits))?;
        let host = bits - prefix;
        let mask = if host == 0 { 0 } else { u128::MAX >> (128 - host) };
        let value = number(address);
        Some(Self { first: address_of(address.is_ipv4(), value & !mask)?, last: address_of(address.is_ipv4(), value | mask)? })
    }

    /// Whether the address is in the range. Families never mix.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && self.first <= address && address <= self.last
    }

    /// The first address, and the one after the last where there is one.
    pub(crate) fn edges(&self) -> (IpAddr, Option<IpAddr>) {
        let after = number(self.last).checked_add(1).and_then(|next| address_of(self.last.is_ipv4(), next));
        (self.first, after)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address_of(v4: bool, bits: u128) -> Option<IpAddr> {
    if v4 { u32::try_from(bits).ok().map(|bits| IpAddr::V4(bits.into())) } else { Some(IpAddr::V6(bits.into())) }
}

/// Base 64 as RFC 4648 has it, padding required; bits beyond the last byte are ignored, as decoders commonly do.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The bytes of a base-64 text.
#[must_use]
pub fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// The base-64 text of some bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// One address of every piece into which the edges of the ranges cut the two address spaces.
pub(crate) fn representative_addresses(networks: &[&Network]) -> Vec<String> {
    let mut addresses = vec![IpAddr::from([192, 0, 2, 1]), IpAddr::from([0, 0, 0, 0]), IpAddr::from([0u16; 8])];
    for network in networks {
        let (first, after) = network.edges();
        addresses.push(first);
        addresses.extend(after);
    }
    addresses.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test says what is wrong by panicking
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value() {
        let ascending =
            ["-1e3", "-10.5", "-10", "-.5", "-0.01", "0", "1e-400", "0.009", ".01", "1", "1.05", "1.5", "9", "10", "1e1000"];
        let (last, numbers) = ascending.split_last().unwrap();
        assert_eq!(Number::parse(last), None, "the exponent is out of bounds");
        assert!(Number::parse("1e400").is_some() && Number::parse("1e401").is_none() && Number::parse("1e-401").is_none());
        let numbers: Vec<Number> = numbers.iter().map(|text| Number::parse(text).unwrap()).collect();
        for (i, one) in numbers.iter().enumerate() {
            for (j, other) in numbers.iter().enumerate() {
                assert_eq!(one.partial_cmp(other), Some(i.cmp(&j)), "{one} {other}");
            }
        }
        for (one, same) in
            [("-0", "0"), ("+3", "3.00"), ("0.50", ".5"), ("1e2", "100"), ("12e-1", "1.2"), ("007", "7"), ("-0.0", "0")]
        {
            assert_eq!(Number::parse(one), Number::parse(same), "{one} {same}");
        }
        for text in ["", "-", ".", "+-1", "1.2.3", "0x1", "1e", "e1", " 1", "1_0"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn neighbours_of_a_number_lie_beside_it() {
        for (text, places, below, above) in [
            ("0", 0, "-0.1", "0.1"),
            ("5", 0, "4.9", "5.1"),
            ("1.99", 2, "1.989", "1.991"),
            ("9.999", 2, "9.998", "10"),
            ("100", 1, "99.99", "100.01"),
            ("-1", 0, "-1.1", "-0.9"),
            ("-0.5", 1, "-0.51", "-0.49"),
        ] {
            let number = Number::parse(text).unwrap();
            assert_eq!(number.places(), text.split_once('.').map_or(0, |(_, fraction)| fraction.len()));
            assert_eq!(number.beside(false, places).to_string(), below, "below {text}");
            assert_eq!(number.beside(true, places).to_string(), above, "above {text}");
        }
    }

    #[test]
    fn instants_have_many_forms() {
        for (one, same) in [
            ("2026", "2026-01-01T00:00:00Z"),
            ("2026-02", "2026-02-01T00:00:00Z"),
            ("2026-02-03", "2026-02-03T00:00:00Z"),
            ("2026-02-03T04:05", "2026-02-03T04:05:00Z"),
            ("2026-02-03T04:05+01:00", "2026-02-03T03:05:00Z"),
            ("1767225600", "2026-01-01T00:00:00Z"),
            ("1767225", "1970-01-21T10:53:45Z"),
            ("0.5", "1970-01-01T00:00:00.5Z"),
            ("-1.5", "1969-12-31T23:59:58.5Z"),
        ] {
            assert_eq!(Instant::parse(one).unwrap(), Instant::parse(same).unwrap(), "{one}");
            assert_eq!(Instant::parse(one).unwrap().to_string(), same);
        }
        for text in ["", "yesterday", "2026-13", "2026-1", "26-01-01", "2026-02-30", "T"] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
        let noon = Instant::parse("2026-02-03T12:00Z").unwrap();
        assert_eq!(noon.later(1).to_string(), "2026-02-03T12:00:00.000000001Z");
        assert_eq!(noon.later(-1).to_string(), "2026-02-03T11:59:59.999999999Z");
        assert!(noon.later(-1) < noon && noon < noon.later(1));
    }

    #[test]
    fn networks_ignore_host_bits() {
        let network = |text: &str| Network::parse(text);
        assert_eq!(network("203.0.113.7/24"), network("203.0.113.0/24"));
        assert_eq!(network("203.0.113.7"), network("203.0.113.7/32"));
        assert_eq!(network("2001:db8::7/32"), network("2001:db8::/32"));
        for text in ["", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/+8", "1.2.3.4/", "1.2.3.4/8/8", "1.2.3.4/-1", "a/8"] {
            assert_eq!(network(text), None, "{text}");
        }
        let (first, after) = network("10.0.0.0/8").unwrap().edges();
        assert_eq!((first.to_string(), after.unwrap().to_string()), ("10.0.0.0".into(), "11.0.0.0".into()));
        assert_eq!(network("255.0.0.0/8").unwrap().edges().1, None);
        assert_eq!(network("ff00::/8").unwrap().edges().1, None);
    }
}
