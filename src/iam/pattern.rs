//! Patterns of resources and actions: literal text, `*`, `?`, and policy variables.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Resource" and "Policy variables" (`${*}`, `${?}` and `${$}` stand
//! for the characters themselves; version 2008-10-17 has no variables).

use std::fmt;

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Token {
    /// A character that stands for itself.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, also none.
    Many,
    /// A policy variable as written, braces and default included.
    Variable(String),
}

/// A pattern as IAM reads it. Displays as the text to write into a document of version 2012-10-17.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// The pattern `*`.
    #[must_use]
    pub fn any() -> Self {
        Self { tokens: vec![Token::Many] }
    }

    /// A pattern that matches exactly this text: `$`, `*` and `?` in it stand for themselves.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self { tokens: text.chars().map(Token::Char).collect() }
    }

    /// Reads a pattern from a document of version 2012-10-17.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::read(text, true)
    }

    /// Reads a pattern from a document of version 2008-10-17, where `${` is nothing special.
    #[must_use]
    pub fn parse_2008(text: &str) -> Self {
        Self::read(text, false)
    }

    fn read(text: &str, variables: bool) -> Self {
        let mut tokens = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (token, used) = if variables && rest.starts_with("${") { variable(rest) } else { plain(c) };
            if token != Token::Many || tokens.last() != Some(&Token::Many) {
                tokens.push(token);
            }
            rest = rest.get(used..).unwrap_or_default();
        }
        Self { tokens }
    }

    /// The text to write into a document of version 2008-10-17: `$` stands for itself there, and what needs a variable
    /// has no spelling, so that it is written as in the newer version, where it matches less and never more.
    #[must_use]
    pub fn to_2008(&self) -> String {
        let text = |token: &Token| match token {
            Token::Char('$') => "$".to_owned(),
            other => Self { tokens: vec![other.clone()] }.to_string(),
        };
        self.tokens.iter().map(text).collect()
    }

    /// This pattern followed by another.
    #[must_use]
    pub fn then(&self, other: &Self) -> Self {
        Self { tokens: self.tokens.iter().chain(&other.tokens).cloned().collect() }
    }

    /// Whether this is `*` alone.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.tokens == [Token::Many]
    }

    /// Whether it holds `*`, `?` or a variable.
    #[must_use]
    pub fn is_general(&self) -> bool {
        self.tokens.iter().any(|t| !matches!(t, Token::Char(_)))
    }

    /// Whether it holds a policy variable.
    #[must_use]
    pub fn has_variable(&self) -> bool {
        self.tokens.iter().any(|t| matches!(t, Token::Variable(_)))
    }

    /// The text, where the pattern matches only one.
    #[must_use]
    pub fn as_literal(&self) -> Option<String> {
        self.tokens.iter().map(|t| if let Token::Char(c) = t { Some(*c) } else { None }).collect()
    }

    /// Texts that the pattern matches: itself where it is plain; else a short and a long one. Variables stay as written.
    #[must_use]
    pub fn samples(&self) -> Vec<String> {
        let fill = |many: &str| -> String {
            let text = |t: &Token| match t {
                Token::Char(c) => c.to_string(),
                Token::One => "x".to_owned(),
                Token::Many => many.to_owned(),
                Token::Variable(v) => v.clone(),
            };
            self.tokens.iter().map(text).collect()
        };
        match self.as_literal() {
            Some(text) => vec![text],
            None if self.is_any() => vec!["*".to_owned()],
            None => vec![fill("x"), fill("x/y")],
        }
    }

    /// The literal characters before the first wildcard or variable.
    #[must_use]
    pub fn literal_prefix(&self) -> String {
        self.tokens.iter().map_while(|t| if let Token::Char(c) = t { Some(*c) } else { None }).collect()
    }

    /// Whether every text that `other` matches is matched by `self`, letter case and all. Sound, and complete but for
    /// exotic mixtures of `*` and `?`; a variable is contained only in itself and in `*`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        covers(&self.tokens, &other.tokens, false)
    }

    /// [`Pattern::covers`] without regard to ASCII case, for actions.
    #[must_use]
    pub fn covers_folded(&self, other: &Self) -> bool {
        covers(&self.tokens, &other.tokens, true)
    }

    /// Whether this pattern matches an action name.
    #[must_use]
    pub fn matches_action(&self, action: &super::Action) -> bool {
        self.covers_folded(&Self::literal(action.as_str()))
    }

    /// Whether every ARN that `other` matches is matched by `self` under both readings of `*`: free to span colons, and
    /// bound to its ARN field.
    #[must_use]
    pub fn covers_arn(&self, other: &Self) -> bool {
        if self.is_any() {
            return true;
        }
        if !self.covers(other) {
            return false;
        }
        if !self.is_general() {
            return true; // equal texts
        }
        match (self.fields(), other.fields()) {
            (Some(mine), Some(theirs)) => mine.iter().zip(&theirs).all(|(m, t)| covers(m, t, false)),
            _ => false,
        }
    }

    /// Whether some text may be matched by both; variables count as `*`. Exact otherwise.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        overlaps(&self.tokens, &other.tokens, false)
    }

    /// [`Pattern::overlaps`] without regard to ASCII case, for actions.
    #[must_use]
    pub fn overlaps_folded(&self, other: &Self) -> bool {
        overlaps(&self.tokens, &other.tokens, true)
    }

    /// The six ARN fields, split at the first five literal colons.
    fn fields(&self) -> Option<Vec<&[Token]>> {
        let fields: Vec<&[Token]> = self.tokens.splitn(6, |t| *t == Token::Char(':')).collect();
        (fields.len() == 6).then_some(fields)
    }
}

fn plain(c: char) -> (Token, usize) {
    let token = match c {
        '*' => Token::Many,
        '?' => Token::One,
        c => Token::Char(c),
    };
    (token, c.len_utf8())
}

/// The token at a `${`, and how many bytes it takes. Without a closing brace the `$` stands for itself.
fn variable(rest: &str) -> (Token, usize) {
    let Some(end) = rest.find('}') else { return (Token::Char('$'), 1) };
    let whole = rest.get(..=end).unwrap_or(rest);
    let token = match whole {
        "${*}" => Token::Char('*'),
        "${?}" => Token::Char('?'),
        "${$}" => Token::Char('$'),
        _ => Token::Variable(whole.to_owned()),
    };
    (token, whole.len())
}

fn same(a: char, b: char, fold: bool) -> bool {
    if fold { a.eq_ignore_ascii_case(&b) } else { a == b }
}

/// Walks `wide` along `narrow`, keeping the set of places in `wide` that explain what was read so far.
fn covers(wide: &[Token], narrow: &[Token], fold: bool) -> bool {
    if narrow.iter().all(|t| matches!(t, Token::Char(_))) {
        return matches_text(wide, narrow, fold);
    }
    covers_generally(wide, narrow, fold)
}

fn covers_generally(wide: &[Token], narrow: &[Token], fold: bool) -> bool {
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
    here.get(wide.len()).copied().unwrap_or(false)
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
fn overlaps(a: &[Token], b: &[Token], fold: bool) -> bool {
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

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.tokens {
            match token {
                Token::Char('*') => f.write_str("${*}")?,
                Token::Char('?') => f.write_str("${?}")?,
                Token::Char('$') => f.write_str("${$}")?,
                Token::Char(c) => write!(f, "{c}")?,
                Token::One => f.write_str("?")?,
                Token::Many => f.write_str("*")?,
                Token::Variable(text) => f.write_str(text)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::parse(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(wide: &str, narrow: &str, whole: bool, arn: bool) {
        let (w, n) = (Pattern::parse(wide), Pattern::parse(narrow));
        assert_eq!(w.covers(&n), whole, "{wide} covers {narrow}");
        assert_eq!(w.covers_arn(&n), arn, "{wide} covers the ARN {narrow}");
    }

    #[test]
    fn covering() {
        check("*", "arn:aws:s3:::b", true, true);
        check("arn:aws:s3:::*", "arn:aws:s3:::b/*", true, true);
        check("arn:aws:s3:::b/*", "arn:aws:s3:::b/x?y*", true, true);
        check("arn:aws:s3:::b/*", "arn:aws:s3:::b-x/*", false, false);
        check("arn:*:s3:::b", "arn:aws:s3:::b", true, true);
        check("arn:*:b", "arn:aws:s3:::b", true, false);
        check("arn:aws:*:*:*:x", "arn:aws:s3:::a:x", true, false);
        check("a?c", "a*c", false, false);
        check("${aws:PrincipalTag/x}", "${aws:PrincipalTag/x}", true, false);
        check("a${*}", "a*", false, false);
        check("a*", "a${*}", true, false);
    }

    #[test]
    fn old_documents_have_no_variables() {
        assert!(Pattern::parse("${aws:username}").has_variable());
        assert!(!Pattern::parse_2008("${aws:username}").has_variable());
        assert_eq!(Pattern::parse_2008("${aws:username}").as_literal().as_deref(), Some("${aws:username}"));
    }

    proptest! {
        /// INVARIANT (pattern-roundtrip): what is written reads back as the same pattern.
        #[test]
        fn written_reads_back(text in "[ab*?${}:/é]{0,12}") {
            let literal = Pattern::literal(&text);
            prop_assert_eq!(literal.as_literal(), Some(text.clone()));
            prop_assert_eq!(&Pattern::parse(&literal.to_string()), &literal);
            let pattern = Pattern::parse(&text);
            prop_assert_eq!(&Pattern::parse(&pattern.to_string()), &pattern);
        }

        /// INVARIANT (covers-text): the short way for plain text gives what the general way gives.
        #[test]
        fn plain_text_takes_no_other_way(wide in "[ab*?]{0,7}", text in "[ab]{0,7}") {
            let (w, t) = (Pattern::parse(&wide), Pattern::literal(&text));
            let general = covers_generally(&w.tokens, &t.tokens, false);
            prop_assert_eq!(covers(&w.tokens, &t.tokens, false), general);
        }

        /// INVARIANT (covers-sound): a covered pattern matches nothing that the covering one does not.
        #[test]
        fn covers_is_sound(wide in "[ab*?]{0,6}", narrow in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            let (w, n, t) = (Pattern::parse(&wide), Pattern::parse(&narrow), Pattern::literal(&text));
            if w.covers(&n) && n.covers(&t) {
                prop_assert!(w.covers(&t));
            }
            if w.covers(&t) && n.covers(&t) {
                prop_assert!(w.overlaps(&n));
            }
        }
    }
}
