//! Cheap, sound answers about two patterns: does one contain the other, can they have a text in common?
//!
//! Both may say "perhaps not" where it is so; neither claims what is not so.

use std::collections::BTreeSet;

use super::automaton::{OverBudget, Steps};
use super::document::Matcher;
use super::pattern::{Pattern, Token, fold};

/// Whether every text of `small` is certainly one of `large`, for all values of variables.
pub(crate) fn includes(large: &Pattern, small: &Pattern) -> bool {
    let tokens = large.tokens();
    let mut active = vec![false; tokens.len() + 1];
    enter(tokens, 0, &mut active);
    for own in small.tokens() {
        if !active.contains(&true) {
            return false;
        }
        let mut next = vec![false; tokens.len() + 1];
        for (at, token) in tokens.iter().enumerate().filter(|(at, _)| active.get(*at) == Some(&true)) {
            if takes(token, own) {
                enter(tokens, if matches!(token, Token::Any { .. }) { at } else { at + 1 }, &mut next);
            }
        }
        active = next;
    }
    active.last() == Some(&true)
}

fn enter(tokens: &[Token], mut at: usize, active: &mut [bool]) {
    loop {
        if let Some(slot) = active.get_mut(at) {
            *slot = true;
        }
        if !matches!(tokens.get(at), Some(Token::Any { .. })) {
            return;
        }
        at += 1;
    }
}

/// Whether a token of the larger pattern consumes whatever a token of the smaller one stands for.
fn takes(large: &Token, small: &Token) -> bool {
    match (large, small) {
        (Token::Any { .. } | Token::One { .. }, Token::Literal(c)) => large.accepts(*c),
        (Token::Any { .. } | Token::One { .. }, Token::Folded(c)) => large.accepts(*c),
        (Token::One { colons }, Token::One { colons: may }) => *colons || !may,
        (
            Token::Any { colons },
            Token::One { colons: may } | Token::Any { colons: may } | Token::Variable { colons: may, .. },
        ) => *colons || !may,
        (Token::Folded(own), Token::Literal(c)) => *own == fold(*c),
        (Token::Variable { variable, colons, folded }, Token::Variable { variable: own, colons: may, folded: any_case }) => {
            variable == own && (*colons || !may) && (*folded || !any_case)
        }
        _ => large == small,
    }
}

/// Whether the element `large` certainly matches whatever `small` matches.
pub(crate) fn covers(large: &Matcher, small: &Matcher, steps: &mut Steps) -> Result<bool, OverBudget> {
    match (large.negated, small.negated) {
        (false, false) => all_in(&large.patterns, &small.patterns, steps),
        // A `Not…` element with an unresolved variable matches nothing, so `large` must not need a value that `small` does not.
        (true, true) if !unresolvable(large).is_subset(&unresolvable(small)) => Ok(false),
        (true, true) => all_in(&small.patterns, &large.patterns, steps),
        (false, true) => Ok(large.patterns.iter().any(|pattern| matches!(pattern.tokens(), [Token::Any { colons: true }]))),
        (true, false) => Ok(false),
    }
}

fn unresolvable(matcher: &Matcher) -> BTreeSet<&str> {
    matcher.patterns.iter().flat_map(without_default).collect()
}

/// The keys without a default that a pattern refers to.
pub(crate) fn without_default(pattern: &Pattern) -> BTreeSet<&str> {
    pattern.variables().filter(|variable| variable.default.is_none()).map(|variable| variable.key.as_str()).collect()
}

/// Whether each of `small` is included in one of `large`.
fn all_in(large: &[Pattern], small: &[Pattern], steps: &mut Steps) -> Result<bool, OverBudget> {
    if large == small {
        return Ok(true);
    }
    for own in small {
        steps.take(large.len() + own.tokens().len())?;
        if !large.iter().any(|pattern| !disjoint(pattern, own) && includes(pattern, own)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two patterns certainly have no text in common, judged by how they begin.
pub(crate) fn disjoint(one: &Pattern, other: &Pattern) -> bool {
    for (a, b) in one.tokens().iter().zip(other.tokens()) {
        let differ = match (a, b) {
            (Token::Literal(a), Token::Literal(b)) | (Token::Folded(a), Token::Folded(b)) => a != b,
            (Token::Literal(c), Token::Folded(own)) | (Token::Folded(own), Token::Literal(c)) => fold(*c) != *own,
            _ => return false,
        };
        if differ {
            return true;
        }
    }
    let (longer, shorter) = if one.tokens().len() > other.tokens().len() { (one, other) } else { (other, one) };
    let next = longer.tokens().get(shorter.tokens().len());
    next.is_some_and(|token| !matches!(token, Token::Any { .. } | Token::Variable { .. }))
}

/// Where two patterns may place the sixth field of an ARN at different colons of one text: what that text contains.
///
/// A resource has one ARN, whose resource part begins once. Only where a `*` crosses colons can a text like
/// `…:stack/one:stack/two` match `…:*:*:stack/one*` and `…:*:*:stack/two`, one at each place.
pub(crate) fn split_alignments(one: &Pattern, other: &Pattern) -> Vec<Pattern> {
    let (Some((first, open)), Some((second, also_open))) = (marker(one), marker(other)) else { return Vec::new() };
    if !(open || also_open) {
        return Vec::new();
    }
    let any = || std::iter::once(Token::Any { colons: true });
    let around = |a: &[Token], b: &[Token]| {
        Pattern::of(any().chain(a.iter().cloned()).chain(any()).chain(b.iter().cloned()).chain(any()).collect())
    };
    vec![around(&first, &second), around(&second, &first)]
}

/// The fifth colon with the plain text after it, and whether a wildcard stands before.
fn marker(pattern: &Pattern) -> Option<(Vec<Token>, bool)> {
    let tokens = pattern.tokens();
    let colons = tokens.iter().enumerate().filter(|(_, token)| **token == Token::Literal(':'));
    let (fifth, _) = colons.take(5).nth(4)?;
    let before = tokens.get(..fifth)?;
    let plain = |token: &&Token| matches!(token, Token::Literal(_));
    let mut marker: Vec<Token> = tokens.get(fifth..)?.iter().take_while(plain).cloned().collect();
    while marker.last() == Some(&Token::Literal(':')) {
        marker.pop();
    }
    (!marker.is_empty()).then(|| (marker, before.iter().any(|token| !matches!(token, Token::Literal(_)))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test says what is wrong by panicking
mod tests {
    use super::super::document::Version;
    use super::super::pattern::{ArnReading, Kind};
    use super::*;

    fn pattern(text: &str, kind: Kind) -> Pattern {
        Pattern::parse(text, kind, Version::V2012).unwrap()
    }

    #[test]
    fn inclusion_claims_what_is_so() {
        use Kind::{Action, Arn, ExactFolded, Like};
        for (large, of_large, small, of_small, expected) in [
            ("*", Like, "a?*${v}", Like, true),
            ("a*", Like, "a", Like, true),
            ("a*", Like, "ba", Like, false),
            ("a*c", Like, "a*b*c", Like, true),
            ("a*b*c", Like, "a*c", Like, false),
            ("?", Like, "?", Like, true),
            ("??", Like, "?", Like, false),
            ("?", Like, "a", Like, true),
            ("?", Like, "*", Like, false),
            ("?", Like, "${v}", Like, false),
            ("a", Like, "?", Like, false),
            ("", Like, "", Like, true),
            ("", Like, "a", Like, false),
            ("a", Like, "", Like, false),
            ("s3:*", Action, "S3:get*", Action, true),
            ("s3:get?", Action, "s3:GETx", Action, true),
            ("ab", ExactFolded, "aB", Like, true),
            ("ab", ExactFolded, "ac", Like, false),
            ("ab", Like, "ab", ExactFolded, false),
            ("x${v}", Like, "x${v}", Like, true),
            ("x${v}*", Like, "x${v}y", Like, true),
            ("x${v}", Like, "x${w}", Like, false),
            ("${v}", Like, "${v}", ExactFolded, false),
            ("${v}", ExactFolded, "${v}", Like, true),
            ("${v}", ExactFolded, "${w}", Like, false),
            ("${v}", Like, "v", Like, false),
            ("a:b:c:d:*:f", Arn, "a:b:c:d:e:f", Arn, true),
            ("a:b:c:d:*:f", Arn, "a:b:c:d:e:e:f", Arn, false),
            ("a:b:c:d:*:f", Arn, "a:b:c:d:*:f", Like, false),
            ("a:b:c:d:*:f", Like, "a:b:c:d:*:f", Arn, true),
            ("a:b:c:d:?:f", Arn, "a:b:c:d:?:f", Like, false),
            ("a:b:c:d:?:f", Like, "a:b:c:d:?:f", Arn, true),
            ("a:b:c:d:*:f", Arn, "a:b:c:d:${v}:f", Like, false),
            ("a:b:c:d:*:f", Arn, "a:b:c:d:${v}:f", Arn, true),
            ("a:b:c:d:${v}:f", Arn, "a:b:c:d:${v}:f", Like, false),
            ("a:b:c:d:${v}:f", Like, "a:b:c:d:${v}:f", Arn, true),
        ] {
            let (one, other) = (pattern(large, of_large), pattern(small, of_small));
            assert_eq!(includes(&one, &other), expected, "{large} ({of_large:?}) includes {small} ({of_small:?})");
        }
    }

    #[test]
    fn beginnings_tell_patterns_apart() {
        use Kind::{ExactFolded, Like};
        for (one, of_one, other, of_other, expected) in [
            ("ab*", Like, "ac*", Like, true),
            ("ab*", Like, "a*", Like, false),
            ("ab", Like, "ab", Like, false),
            ("ab", Like, "abc", Like, true),
            ("ab", Like, "ab*", Like, false),
            ("ab", Like, "ab${v}", Like, false),
            ("ab", Like, "ab?", Like, true),
            ("a?", Like, "ab", Like, false),
            ("", Like, "a", Like, true),
            ("", Like, "*", Like, false),
            ("Ab", ExactFolded, "aB", ExactFolded, false),
            ("Ab", ExactFolded, "aC", ExactFolded, true),
            ("ab", ExactFolded, "AB", Like, false),
            ("ab", ExactFolded, "AC", Like, true),
        ] {
            let (a, b) = (pattern(one, of_one), pattern(other, of_other));
            assert_eq!((disjoint(&a, &b), disjoint(&b, &a)), (expected, expected), "{one} and {other}");
        }
    }

    #[test]
    fn resource_parts_that_can_begin_twice() {
        let resource = |text: &str| pattern(text, Kind::Resource(ArnReading::Whole));
        let count = |a: &str, b: &str| split_alignments(&resource(a), &resource(b)).len();
        assert_eq!(count("arn:aws:cfn:*:1:stack/one*", "arn:aws:cfn:us:*:stack/two"), 2);
        assert_eq!(count("arn:aws:cfn:*:1:stack/one*", "arn:aws:cfn:us:1:stack/two"), 2);
        assert_eq!(count("arn:aws:cfn:us:1:stack/one*", "arn:aws:cfn:us:1:stack/two"), 0, "no wildcard crosses a colon");
        assert_eq!(count("arn:aws:cfn:*:1:*", "arn:aws:cfn:us:*:stack/two"), 0, "nothing follows the fifth colon");
        assert_eq!(count("*", "arn:aws:cfn:us:*:stack/two"), 0);
    }
}
