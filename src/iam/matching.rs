//! Whether one pattern matches all, or any, of what another does, token by token.

use super::pattern::Token;

fn same(a: char, b: char, fold: bool) -> bool {
    if fold { a.eq_ignore_ascii_case(&b) } else { a == b }
}

/// Whether `wide` matches whatever `narrow` does; `fold` is without regard to ASCII case.
pub(super) fn covers(wide: &[Token], narrow: &[Token], fold: bool) -> bool {
    if narrow.iter().all(|t| matches!(t, Token::Char(_))) {
        return matches_text(wide, narrow, fold);
    }
    covers_generally(wide, narrow, fold)
}

fn covers_generally(wide: &[Token], narrow: &[Token], fold: bool) -> bool {
    walk(wide, narrow, fold).get(wide.len()).copied().unwrap_or(false)
}

/// Walks `wide` along `narrow`, keeping the set of places in `wide` that explain what was read so far.
fn walk(wide: &[Token], narrow: &[Token], fold: bool) -> Vec<bool> {
    let mut here = closure(wide, vec![true]);
    for token in narrow {
        let mut next = vec![false; wide.len() + 1];
        for (place, step) in wide.iter().enumerate() {
            if !here.get(place).copied().unwrap_or(false) {
                continue;
            }
            let (stay, advance) = match (step, token) {
                (Token::Many, _) => (true, false),
                (Token::One, Token::One | Token::Char(_)) => (false, true),
                (Token::Char(a), Token::Char(b)) => (false, same(*a, *b, fold)),
                (Token::Variable(a), Token::Variable(b)) => (false, a == b),
                _ => (false, false),
            };
            mark(&mut next, place, stay);
            mark(&mut next, place + 1, advance);
        }
        here = closure(wide, next);
    }
    here
}

/// A pattern that matches only what both match, with regard to case: the narrower one; or, where one is a text, a `*` and a text,
/// the other with its ends spelled out. `None` where neither is so, or where they share nothing.
pub(super) fn meet(a: &[Token], b: &[Token]) -> Option<Vec<Token>> {
    let both = |met: &Vec<Token>| covers(a, met, false) && covers(b, met, false);
    let narrower = [a, b].into_iter().map(<[Token]>::to_vec).find(both);
    narrower.or_else(|| framed(a, b).filter(both)).or_else(|| framed(b, a).filter(both))
}

/// What `pattern` matches between the two texts of `frame`; the texts may overlap in it, so that the caller has to look.
fn framed(frame: &[Token], pattern: &[Token]) -> Option<Vec<Token>> {
    let plain = |tokens: &[Token]| tokens.iter().all(|t| matches!(t, Token::Char(_)));
    let star = frame.iter().position(|t| *t == Token::Many)?;
    let (lead, tail) = (frame.get(..star)?, frame.get(star + 1..)?);
    if !plain(lead) || !plain(tail) {
        return None;
    }
    let backwards = |tokens: &[Token]| -> Vec<Token> { tokens.iter().rev().cloned().collect() };
    let ended = begun(&backwards(tail), &backwards(&begun(lead, pattern)?))?;
    Some(backwards(&ended))
}

/// What `pattern` matches after `lead`, written out. Of the `*` in which the lead may end, the last asks least of what follows: what
/// an earlier one leads to is matched by it too.
fn begun(lead: &[Token], pattern: &[Token]) -> Option<Vec<Token>> {
    let reached = walk(pattern, lead, false);
    let places = || reached.iter().enumerate().filter(|(_, yes)| **yes).map(|(place, _)| place);
    let place = places().rfind(|place| pattern.get(*place) == Some(&Token::Many)).or_else(|| places().next_back())?;
    Some(lead.iter().chain(pattern.get(place..)?).cloned().collect())
}

/// [`covers`] for plain text, by far the commonest case: after a mismatch it goes back to the last `*`.
fn matches_text(wide: &[Token], text: &[Token], fold: bool) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (wide.get(at), text.get(read)) {
            (None, None) => return true,
            (Some(Token::Many), _) => {
                star = Some((at, read));
                at += 1;
                continue;
            }
            (Some(Token::One), Some(_)) => (at, read) = (at + 1, read + 1),
            (Some(Token::Char(a)), Some(Token::Char(b))) if same(*a, *b, fold) => (at, read) = (at + 1, read + 1),
            _ => match star {
                Some((place, from)) if from < text.len() => {
                    star = Some((place, from + 1));
                    (at, read) = (place + 1, from + 1);
                }
                _ => return false,
            },
        }
    }
}

fn mark(places: &mut [bool], place: usize, yes: bool) {
    if yes && let Some(slot) = places.get_mut(place) {
        *slot = true;
    }
}

/// `*` may match nothing: whoever stands before it stands behind it too.
fn closure(tokens: &[Token], mut places: Vec<bool>) -> Vec<bool> {
    places.resize(tokens.len() + 1, false);
    for (place, token) in tokens.iter().enumerate() {
        if *token == Token::Many && places.get(place).copied().unwrap_or(false) {
            mark(&mut places, place + 1, true);
        }
    }
    places
}

/// Whether two patterns share a text: reachability in the product of both.
pub(super) fn overlaps(a: &[Token], b: &[Token], fold: bool) -> bool {
    let width = b.len() + 1;
    let mut reached = vec![false; (a.len() + 1) * width];
    mark(&mut reached, 0, true);
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if !reached.get(i * width + j).copied().unwrap_or(false) {
                continue;
            }
            let (left, right) = (a.get(i), b.get(j));
            let open = |t: Option<&Token>| matches!(t, Some(Token::Many | Token::Variable(_)));
            if open(left) {
                mark(&mut reached, (i + 1) * width + j, true);
                mark(&mut reached, i * width + j + 1, right.is_some());
            }
            if open(right) {
                mark(&mut reached, i * width + j + 1, true);
                mark(&mut reached, (i + 1) * width + j, left.is_some());
            }
            let both = match (left, right) {
                (Some(Token::Char(x)), Some(Token::Char(y))) => same(*x, *y, fold),
                (Some(Token::One), Some(Token::Char(_) | Token::One)) | (Some(Token::Char(_)), Some(Token::One)) => true,
                _ => false,
            };
            mark(&mut reached, (i + 1) * width + j + 1, both);
        }
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::Pattern;
    use proptest::prelude::*;

    proptest! {
        /// INVARIANT (covers-text): the short way for plain text gives what the general way gives.
        #[test]
        fn plain_text_takes_no_other_way(wide in "[ab*?]{0,7}", text in "[ab]{0,7}") {
            let (w, t) = (Pattern::parse(&wide), Pattern::literal(&text));
            let general = covers_generally(&w.tokens, &t.tokens, false);
            prop_assert_eq!(covers(&w.tokens, &t.tokens, false), general);
        }
    }
}
