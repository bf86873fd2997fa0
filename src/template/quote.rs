//! Writing scalars: when YAML needs quotes, and which.

use super::style::Quote;

/// Where a scalar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// On a line of its own or after a key.
    Block,
    /// Within brackets or braces.
    Flow,
}

/// A JSON string with its quotes.
pub(crate) fn json(text: &str) -> String {
    escaped(text)
}

/// A YAML scalar that reads back as this very text, in the given quotes where they can hold it, without quotes where
/// those are not needed and not wanted.
pub(crate) fn yaml(text: &str, wish: Quote, context: Context) -> String {
    if text.chars().any(needs_escape) {
        return escaped(text);
    }
    match wish {
        Quote::Double => escaped(text),
        Quote::Plain if is_plain(text, context) => text.to_owned(),
        Quote::Plain | Quote::Single => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A comment line without its `#`: nothing in it can end the line or steer a terminal.
pub(crate) fn comment(text: &str) -> String {
    text.chars().map(|c| if c != '\t' && needs_escape(c) { '?' } else { c }).collect::<String>().trim_end().to_owned()
}

/// Control characters and those that change how a text is shown.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // UTF-16 escapes: the only ones that JSON has, and YAML reads them too below U+10000.
            c if needs_escape(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a text can stand in YAML without quotes and still be read as this text, by readers of YAML 1.1 and 1.2.
pub(crate) fn is_plain(text: &str, context: Context) -> bool {
    let Some(first) = text.chars().next() else { return false };
    // A dash, question mark or colon may open a plain text in places; readers differ on which.
    let opens = "-?:,[]{}#&*!|>'\"%@` ".contains(first);
    if opens || text.starts_with("...") || text.ends_with([' ', ':']) || text.contains(": ") || text.contains(" #") {
        return false;
    }
    if context == Context::Flow && text.contains([',', '[', ']', '{', '}']) {
        return false;
    }
    !is_typed(text)
}

/// Whether some YAML 1.1 or 1.2 reader takes the plain text for something else than a text
/// (yaml.org/type: bool, float, int, merge, null, timestamp, value; the core schema of YAML 1.2.2).
fn is_typed(text: &str) -> bool {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<"];
    let lower = text.to_ascii_lowercase();
    WORDS.contains(&lower.as_str()) || text == "=" || is_number(&lower) || is_timestamp(text)
}

fn is_number(lower: &str) -> bool {
    let unsigned = lower.strip_prefix(['+', '-']).unwrap_or(lower);
    if matches!(unsigned, ".inf" | ".nan") {
        return true;
    }
    let all = |text: &str, allowed: fn(u8) -> bool| !text.is_empty() && text.bytes().all(|b| b == b'_' || allowed(b));
    for (prefix, digit) in
        [("0x", u8::is_ascii_hexdigit as fn(&u8) -> bool), ("0o", u8::is_ascii_digit), ("0b", u8::is_ascii_digit)]
    {
        if unsigned.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b == b'_' || digit(&b))) {
            return true;
        }
    }
    let starts = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let mantissa = match unsigned.split_once('e') {
        Some((mantissa, exponent)) if all(exponent.strip_prefix(['+', '-']).unwrap_or(exponent), |b| b.is_ascii_digit()) => {
            mantissa
        }
        Some(_) => return false,
        None => unsigned,
    };
    // Digits, fraction, and the sexagesimal colons of YAML 1.1; a lone dot is a text.
    starts && all(mantissa, |b| b.is_ascii_digit() || b == b'.' || b == b':') && mantissa.bytes().any(|b| b.is_ascii_digit())
}

fn is_timestamp(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let digits = |part: Option<&str>, lengths: std::ops::RangeInclusive<usize>| {
        part.is_some_and(|p| lengths.contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    let (year, month) = (digits(parts.next(), 4..=4), digits(parts.next(), 1..=2));
    let day = parts.next().unwrap_or("");
    year && month && day.starts_with(|c: char| c.is_ascii_digit()) && day.bytes().all(|b| b"0123456789tTzZ :.+-".contains(&b))
}
