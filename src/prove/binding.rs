//! Values for policy variables, read off a text that a pattern should match.
//!
//! A proof looks at patterns with wildcards in place of variables, so a text that it found may leave open what a
//! variable stands for. Here the text says it: in `key/abc` under `key/${aws:PrincipalTag/KeyId}`, the tag is `abc`.

use super::document::Statement;
use super::evaluate::{ArnReading, Request, Value};
use super::pattern::{Context, Pattern, Token, fold, resolve};

/// Wildcards and variables of one pattern that are followed at most, each inside the one before.
const DEPTH: usize = 100;
/// Attempts for one request.
const ATTEMPTS: usize = 20_000;

/// The request with values for the variables of the statement under which it matches, as far as one is found; keys that
/// already have a value keep it.
pub(crate) fn bound(mut request: Request, statement: &Statement, reading: ArnReading) -> Request {
    let mut attempts = ATTEMPTS;
    let resource = statement.resource(reading);
    if !resource.negated {
        any(resource.patterns.iter(), &request.resource, &mut request.context, &mut attempts);
    }
    for test in statement.conditions.iter().filter(|test| !test.negated) {
        if let Some(Value::One(text)) = request.context.get(&test.key).cloned() {
            any(test.patterns(), &text, &mut request.context, &mut attempts);
        }
    }
    request
}

fn any<'a>(mut patterns: impl Iterator<Item = &'a Pattern>, text: &str, context: &mut Context, attempts: &mut usize) {
    let _ = patterns.any(|pattern| {
        let mut attempt = context.clone();
        let found = bind(pattern.tokens(), text, &mut attempt, DEPTH, attempts);
        if found {
            *context = attempt;
        }
        found
    });
}

/// Matches, with the shortest values first; `context` has them where this is true.
fn bind(mut tokens: &[Token], mut text: &str, context: &mut Context, depth: usize, attempts: &mut usize) -> bool {
    while let Some((token, rest)) = tokens.split_first() {
        tokens = rest;
        match token {
            Token::Any { .. } => {
                let mut ends = ends(text, token);
                return ends.any(|end| further(rest, text, end, context, depth, attempts));
            }
            Token::Variable { variable, folded, .. } => {
                let Some(value) = resolve(variable, context) else {
                    let key = &variable.key;
                    return ends(text, token).any(|end| {
                        let value = text.get(..end).unwrap_or_default().to_owned();
                        context.insert(key.clone(), Value::One(value));
                        let found = further(rest, text, end, context, depth, attempts);
                        if !found {
                            context.remove(key);
                        }
                        found
                    });
                };
                let Some(after) = without_prefix(text, value, *folded) else { return false };
                text = after;
            }
            Token::Literal(_) | Token::Folded(_) | Token::One { .. } => match text.chars().next() {
                Some(c) if token.accepts(c) => text = text.get(c.len_utf8()..).unwrap_or_default(),
                _ => return false,
            },
        }
    }
    text.is_empty()
}

fn further(rest: &[Token], text: &str, end: usize, context: &mut Context, depth: usize, attempts: &mut usize) -> bool {
    let (Some(deeper), Some(left)) = (depth.checked_sub(1), attempts.checked_sub(1)) else { return false };
    *attempts = left;
    bind(rest, text.get(end..).unwrap_or_default(), context, deeper, attempts)
}

/// The ends of what a wildcard or variable can take of a text, the nearest first.
fn ends(text: &str, token: &Token) -> impl Iterator<Item = usize> {
    let colons = matches!(token, Token::Any { colons: true } | Token::Variable { colons: true, .. });
    let taken = text.char_indices().take_while(move |(_, c)| colons || *c != ':');
    std::iter::once(0).chain(taken.map(|(at, c)| at + c.len_utf8()))
}

fn without_prefix<'t>(text: &'t str, prefix: &str, folded: bool) -> Option<&'t str> {
    let mut rest = text.chars();
    for wanted in prefix.chars() {
        let same = |c: char| if folded { fold(c) == fold(wanted) } else { c == wanted };
        rest.next().filter(|c| same(*c))?;
    }
    Some(rest.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test says what is wrong by panicking
mod tests {
    use super::super::document::Document;
    use super::*;

    fn read_off(
        element: &str,
        pattern: &str,
        condition: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let statement = format!(r#""Effect":"Allow","Action":"*","{element}":["none",{pattern:?}],"Condition":{condition}"#);
        let document = format!(r#"{{"Version":"2012-10-17","Statement":{{{statement}}}}}"#);
        let document = Document::read(document.as_bytes()).unwrap();
        let known = context.iter().map(|(key, value)| ((*key).to_owned(), Value::One((*value).to_owned())));
        let request = Request { action: "s3:GetObject".into(), resource: resource.into(), context: known.collect() };
        let bound = bound(request, &document.statements[0], ArnReading::Segmented);
        let one = |(key, value)| if let Value::One(text) = value { (key, text) } else { (key, String::new()) };
        bound.context.into_iter().map(one).collect()
    }

    #[test]
    fn the_text_says_what_a_variable_stands_for() {
        let check = |pattern: &str, resource: &str, known: &[(&str, &str)], expected: &[(&str, &str)]| {
            let expected: Vec<_> = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(read_off("Resource", pattern, "{}", resource, known), expected, "{pattern} {resource}");
        };
        let s3 = |rest: &str| format!("arn:aws:s3:::{rest}");
        check(&s3("b/${v}"), &s3("b/red"), &[], &[("v", "red")]);
        check(&s3("b/${v}/?${w}"), &s3("b/red/xy"), &[], &[("v", "red"), ("w", "y")]);
        check(&s3("${v}*"), &s3("b"), &[], &[("v", "")]);
        check(&s3("*${v}c"), &s3("abc"), &[], &[("v", "ab")]);
        check(&s3("${v}/${v}"), &s3("ab/ab"), &[], &[("v", "ab")]);
        check(&s3("${v}/${v}"), &s3("ab/ac"), &[], &[]);
        check(&s3("b/${v}"), &s3("c/red"), &[], &[]);
        check(&s3("b/${v}x"), &s3("b/red"), &[], &[]);
        check(&s3("${v}/${w}"), &s3("red/x"), &[("v", "red")], &[("v", "red"), ("w", "x")]);
        check(&s3("${v}/${w}"), &s3("blue/x"), &[("v", "red")], &[("v", "red")]);
        check(&s3("${v, 'red'}/${w}"), &s3("red/é"), &[], &[("w", "é")]);
        check("arn:aws:sqs:eu:${v}:q", "arn:aws:sqs:eu:1:q", &[], &[("v", "1")]);
        check("arn:aws:sqs:eu:${v}", "arn:aws:sqs:eu:1:2", &[], &[("v", "1")]);
        check("arn:aws:sqs:${v}:1:q", "arn:aws:sqs:eu:2:1:q", &[], &[]);
        assert_eq!(read_off("NotResource", &s3("b/${v}"), "{}", &s3("b/red"), &[]), []);
    }

    #[test]
    fn conditions_say_it_too() {
        let check = |condition: &str, known: &[(&str, &str)], expected: Option<&str>| {
            let found = read_off("Resource", "*", condition, "*", known);
            let value = found.into_iter().find(|(key, _)| key == "v").map(|(_, value)| value);
            assert_eq!(value.as_deref(), expected, "{condition}");
        };
        check(r#"{"StringEquals":{"k":["none","a${v}"]}}"#, &[("k", "ared")], Some("red"));
        check(r#"{"StringEqualsIgnoreCase":{"k":"A${v}b"}}"#, &[("k", "aredB")], Some("red"));
        check(r#"{"StringEqualsIgnoreCase":{"k":"${w}${v}"}}"#, &[("k", "REDx"), ("w", "red")], Some("x"));
        check(r#"{"StringNotEquals":{"k":"a${v}"}}"#, &[("k", "ared")], None);
        check(r#"{"StringEquals":{"k":"a${v}"}}"#, &[], None);
    }

    #[test]
    fn long_searches_end() {
        let stars = "*a".repeat(150);
        assert_eq!(read_off("Resource", &format!("{stars}${{v}}b"), "{}", &"a".repeat(400), &[]), []);
    }
}
