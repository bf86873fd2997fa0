//! Patterns of resources and actions: literal text, `*`, `?`, and policy variables.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Resource" and "Policy variables" (`${*}`, `${?}` and `${$}` stand
//! for the characters themselves; version 2008-10-17 has no variables).

use std::fmt;

use super::matching::{covers, meet, overlaps};

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Token {
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
    pub(super) tokens: Vec<Token>,
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

    /// The pattern with some of its variables replaced; `value` gets them as written, braces and all.
    #[must_use]
    pub fn with_variables(&self, value: impl Fn(&str) -> Option<Self>) -> Self {
        let mut tokens: Vec<Token> = Vec::with_capacity(self.tokens.len());
        for token in &self.tokens {
            let other = if let Token::Variable(written) = token { value(written) } else { None };
            tokens.extend(other.map_or_else(|| vec![token.clone()], |other| other.tokens));
        }
        tokens.dedup_by(|next, last| *next == Token::Many && *last == Token::Many);
        Self { tokens }
    }

    /// The part that ends with the last variable, where it holds no wildcard.
    #[must_use]
    pub fn variable_lead(&self) -> Option<Self> {
        let end = self.tokens.iter().rposition(|t| matches!(t, Token::Variable(_)))? + 1;
        let lead = self.tokens.get(..end)?;
        let plain = lead.iter().all(|t| matches!(t, Token::Char(_) | Token::Variable(_)));
        plain.then(|| Self { tokens: lead.to_vec() })
    }

    /// What follows `lead`, where the pattern begins with it.
    #[must_use]
    pub fn after(&self, lead: &Self) -> Option<Self> {
        Some(Self { tokens: self.tokens.strip_prefix(lead.tokens.as_slice())?.to_vec() })
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

    /// A pattern that matches only what both match, under both readings of `*`: exactly that where one covers the other in each
    /// ARN field, narrower where the two overlap otherwise, and `None` where no one pattern is known for it.
    ///
    /// INVARIANT (meet-within): both patterns cover what they meet in, in the sense of [`Pattern::covers_arn`].
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let both = |met: &Self| self.covers_arn(met) && other.covers_arn(met);
        if let Some(narrower) = [self, other].into_iter().find(|narrower| both(narrower)) {
            return Some(narrower.clone());
        }
        let pairs = self.fields()?.into_iter().zip(other.fields()?);
        let fields: Vec<Vec<Token>> = pairs.map(|(mine, theirs)| meet(mine, theirs)).collect::<Option<_>>()?;
        Some(Self { tokens: fields.join(&Token::Char(':')) }).filter(both)
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
