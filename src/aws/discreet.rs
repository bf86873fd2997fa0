//! What AWS and the connection say, without what is nobody's business: errors end up in logs.
//!
//! A refusal names the caller by role and session, which for people is their name; a wrong signature is answered with the
//! request as it should have been signed, session token included.

/// The longest text that is passed on.
const LONGEST: usize = 600;

/// So many characters in a row that could be base64 may be a secret; access keys' secrets have 40.
const SECRET: usize = 40;

/// A text without session names, access key ids and whatever may be a secret or token: its first line, shortened.
pub(super) fn discreet(text: &str) -> String {
    let line = text.trim_start().lines().next().unwrap_or_default();
    // AWS may add what is wrong in a form that only its STS can read.
    let line = line.split("Encoded authorization failure message:").next().unwrap_or_default().trim_end();
    let text = sessions(line, "assumed-role/", 1);
    let text = sessions(&text, "federated-user/", 0);
    let text = words(&text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// An error and what led to it, in one line.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        // Some say their cause themselves.
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    discreet(&text)
}

/// Cuts the names behind a marker, `parts` parts of a path later.
fn sessions(text: &str, marker: &str, parts: usize) -> String {
    let is_name = |c: char| c.is_alphanumeric() || "+=,.@_-".contains(c);
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(marker) {
        done.push_str(before);
        done.push_str(marker);
        rest = after;
        for _ in 0..parts {
            let Some((part, after)) = rest.split_once('/').filter(|(part, _)| part.chars().all(is_name)) else { break };
            done.push_str(part);
            done.push('/');
            rest = after;
        }
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        done.push('…');
        rest = rest.get(end..).unwrap_or_default();
    }
    done + rest
}

/// Cuts access key ids and what is long enough for a secret.
fn words(text: &str) -> String {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let (mut done, mut rest) = (String::new(), text);
    while let Some(begin) = rest.find(is_inside) {
        let (before, from) = rest.split_at(begin);
        let (word, after) = from.split_at(from.find(|c| !is_inside(c)).unwrap_or(from.len()));
        done.push_str(before);
        done.push_str(if is_key_id(word) || is_secret(word) { "…" } else { word });
        rest = after;
    }
    done + rest
}

/// Source: IAM User Guide, "IAM identifiers": AKIA begins a long-term key's id, ASIA a temporary one's.
fn is_key_id(word: &str) -> bool {
    let upper = word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    word.len() >= 16 && upper && (word.starts_with("AKIA") || word.starts_with("ASIA"))
}

fn is_secret(word: &str) -> bool {
    let has = |kind: fn(char) -> bool| word.contains(kind);
    // An address of log files is as long, and is what people need to know.
    let is_address = word.starts_with("//") || word.contains("AWSLogs/");
    !is_address
        && word.len() >= SECRET
        && has(|c| c.is_ascii_uppercase())
        && has(|c| c.is_ascii_lowercase())
        && has(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keys_and_tokens_are_cut() {
        let check = |text: &str, expected: &str| assert_eq!(discreet(text), expected);
        let refused = "AccessDenied: User: arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com is not authorized";
        check(refused, "AccessDenied: User: arn:aws:sts::111122223333:assumed-role/Admin/… is not authorized");
        check(
            "a arn:aws:sts::1:federated-user/bob, b assumed-role/R/s c",
            "a arn:aws:sts::1:federated-user/… b assumed-role/R/… c",
        );
        check("The key AKIAIOSFODNN7EXAMPLE and ASIAIOSFODNN7EXAMPLE.", "The key … and ….");
        check("is wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY it", "is … it");
        check("does not match.\n\nThe Canonical String was x-amz-security-token:abc", "does not match.");
        check("denied. Encoded authorization failure message: aBcD", "denied.");
        check("s3://logs/AWSLogs/111122223333/CloudTrail/us-east-1/x", "s3://logs/AWSLogs/111122223333/CloudTrail/us-east-1/x");
        assert_eq!(discreet(&"x ".repeat(2000)).chars().count(), LONGEST + 1);
    }
}
