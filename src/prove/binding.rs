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
