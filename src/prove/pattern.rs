//! Patterns as IAM matches them: wildcards, `${…}` variables, and the two readings of a wildcard in an ARN.
//!
//! A pattern is parsed once into [`Token`]s; the matcher here and the automaton of the prover read the same tokens, so
//! that both agree on what a pattern says. Sources: IAM User Guide, "Policy elements: Resource", "Variables and tags"
//! and "Condition operators" (read 2026-11).

use std::collections::BTreeMap;

use super::document::Version;
use super::evaluate::Value;

/// How far a `*` or `?` reaches inside an ARN, about which readers of IAM's documentation disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArnReading {
    /// A wildcard matches any characters, colons included.
    Whole,
    /// A wildcard in the first five fields stays in its field.
    Segmented,
}

/// A policy variable, `${key}` or `${key, 'default'}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variable {
    /// The context key, in lower case.
    pub key: String,
    /// What stands in where the request lacks the key.
    pub default: Option<String>,
}

/// One piece of a pattern. `colons` says whether it may stand for text with a colon in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Token {
    /// Exactly this character.
    Literal(char),
    /// This character (in lower case) or its upper case.
    Folded(char),
    /// `?`: one character.
    One {
        /// May it be a colon?
        colons: bool,
    },
    /// `*`: any number of characters.
    Any {
        /// May a colon be among them?
        colons: bool,
    },
    /// The value of a context key.
    Variable {
        /// Which key, and its default.
        variable: Variable,
        /// May the value contain a colon?
        colons: bool,
        /// Is case ignored?
        folded: bool,
    },
}

/// What kind of text a pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `StringEquals`: no wildcards.
    Exact,
    /// `StringEqualsIgnoreCase`: no wildcards, case ignored.
    ExactFolded,
    /// `StringLike`.
    Like,
    /// `Action`: wildcards, case ignored, no variables.
    Action,
    /// `Resource` and `NotResource`, completed to six fields.
    Resource(ArnReading),
    /// `ArnLike` and `ArnEquals`: always field by field.
    Arn,
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    tokens: Vec<Token>,
    /// The text of the literals that it begins with: most texts are told apart by it.
    prefix: String,
    has_variables: bool,
}

/// The context of a request as patterns see it.
pub(crate) type Context = BTreeMap<String, Value>;

/// Lower case where that is a single character, so that a fold never changes the length of a text.
pub(crate) fn fold(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// A raw piece of pattern text, before the kind of the pattern gives it a meaning.
enum Piece {
    Text(char),
    Star,
    Question,
    Variable(Variable),
}

impl Pattern {
    /// Parses `text`. Errors say what is malformed (an unclosed or empty variable); the caller knows the place.
    pub fn parse(text: &str, kind: Kind, version: Version) -> Result<Self, String> {
        let mut pieces = pieces(text, version, kind)?;
        let segmented = matches!(kind, Kind::Arn | Kind::Resource(ArnReading::Segmented));
        let everything = !pieces.is_empty() && pieces.iter().all(|piece| matches!(piece, Piece::Star));
        if matches!(kind, Kind::Resource(_)) && text.starts_with("arn:") {
            complete(&mut pieces);
        }
        let folded = matches!(kind, Kind::Action | Kind::ExactFolded);
        let mut tokens = Vec::with_capacity(pieces.len());
        let mut fields = 0;
        for piece in pieces {
            let colons = everything || !segmented || fields >= 5;
            let token = match piece {
                Piece::Text(c) => {
                    fields += usize::from(c == ':');
                    if folded { Token::Folded(fold(c)) } else { Token::Literal(c) }
                }
                Piece::Question => Token::One { colons },
                Piece::Star => Token::Any { colons },
                Piece::Variable(variable) => Token::Variable { variable, colons, folded },
            };
            if !(matches!(token, Token::Any { .. }) && tokens.last() == Some(&token)) {
                tokens.push(token);
            }
        }
        Ok(Self::of(tokens))
    }

    /// A pattern of ready tokens.
    pub(crate) fn of(tokens: Vec<Token>) -> Self {
        let literal = |token: &Token| if let Token::Literal(c) = token { Some(*c) } else { None };
        let prefix = tokens.iter().map_while(literal).collect();
        let has_variables = tokens.iter().any(|token| matches!(token, Token::Variable { .. }));
        Self { tokens, prefix, has_variables }
    }

    /// The pieces in order.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The context keys of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        let tokens: &[Token] = if self.has_variables { &self.tokens } else { &[] };
        tokens.iter().filter_map(|token| match token {
            Token::Variable { variable, .. } => Some(variable),
            _ => None,
        })
    }

    /// Whether one of its variables has no value in this context (absent, or with several values) and no default.
    #[must_use]
    pub fn is_void(&self, context: &Context) -> bool {
        self.variables().any(|variable| resolve(variable, context).is_none())
    }

    /// Whether `text` matches, with the variables of the request put in.
    ///
    /// A variable without a value (absent, or with several values) and without a default makes the pattern match
    /// nothing.
    #[must_use]
    pub fn matches(&self, text: &str, context: &Context) -> bool {
        let Some(rest) = text.strip_prefix(self.prefix.as_str()) else { return false };
        let tokens = self.tokens.get(self.prefix.chars().count()..).unwrap_or_default();
        if self.has_variables {
            return expand(tokens, context).is_some_and(|tokens| run(&tokens, rest));
        }
        matches!(tokens, [Token::Any { colons: true }]) || run(tokens, rest)
    }
}

/// What stands in for a variable in this context.
pub(crate) fn resolve<'a>(variable: &'a Variable, context: &'a Context) -> Option<&'a str> {
    match context.get(&variable.key) {
        Some(Value::One(value)) => Some(value),
        Some(Value::Many(values)) => match values.as_slice() {
            [value] => Some(value),
            _ => None,
        },
        None => variable.default.as_deref(),
    }
}

fn expand(tokens: &[Token], context: &Context) -> Option<Vec<Token>> {
    let mut expanded = Vec::with_capacity(tokens.len() + 16);
    for token in tokens {
        let Token::Variable { variable, colons, folded } = token else {
            expanded.push(token.clone());
            continue;
        };
        let value = resolve(variable, context)?;
        if !colons && value.contains(':') {
            return None;
        }
        expanded.extend(value.chars().map(|c| if *folded { Token::Folded(fold(c)) } else { Token::Literal(c) }));
    }
    Some(expanded)
}

/// Greedy matching that goes back only to the latest `*`: whatever an earlier one of the same field could reach, the
/// latest reaches too, and a `*` of an earlier field ends at a colon that no choice can move.
fn run(tokens: &[Token], text: &str) -> bool {
    let mut at = 0;
    let mut rest = text.chars();
    let mut retry: Option<(usize, std::str::Chars<'_>, bool)> = None;
    loop {
        let token = tokens.get(at);
        if let Some(Token::Any { colons }) = token {
            at += 1;
            retry = Some((at, rest.clone(), *colons));
            continue;
        }
        let mut ahead = rest.clone();
        let next = ahead.next();
        match (token, next) {
            (None, None) => return true,
            (Some(token), Some(c)) if token.accepts(c) => {
                at += 1;
                rest = ahead;
                continue;
            }
            _ => {}
        }
        let Some((after, from, colons)) = &mut retry else { return false };
        match from.next() {
            Some(c) if *colons || c != ':' => {
                at = *after;
                rest = from.clone();
            }
            _ => return false,
        }
    }
}

impl Token {
    /// Whether one character can be consumed by this token.
    #[must_use]
    pub fn accepts(&self, c: char) -> bool {
        match self {
            Self::Literal(own) => *own == c,
            Self::Folded(own) => *own == fold(c),
            Self::One { colons } | Self::Any { colons } => *colons || c != ':',
            Self::Variable { .. } => false,
        }
    }
}

/// An ARN with fewer than six fields is completed with wildcards (IAM User Guide, "IAM identifiers": `arn:aws:sqs` is
/// `arn:aws:sqs:*:*:*` in an identity-based policy).
fn complete(pieces: &mut Vec<Piece>) {
    let colons = pieces.iter().filter(|piece| matches!(piece, Piece::Text(':'))).count();
    for _ in colons..5 {
        pieces.extend([Piece::Text(':'), Piece::Star]);
    }
}

fn pieces(text: &str, version: Version, kind: Kind) -> Result<Vec<Piece>, String> {
    let wildcards = !matches!(kind, Kind::Exact | Kind::ExactFolded);
    let variables = version == Version::V2012 && kind != Kind::Action;
    let mut pieces = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if variables && let Some(inside) = rest.strip_prefix("${") {
            let Some((name, after)) = inside.split_once('}') else {
                return Err(format!("the variable in `{text}` is not closed"));
            };
            pieces.push(variable(name).ok_or_else(|| format!("`${{{name}}}` is not a policy variable"))?);
            rest = after;
            continue;
        }
        pieces.push(match c {
            '*' if wildcards => Piece::Star,
            '?' if wildcards => Piece::Question,
            c => Piece::Text(c),
        });
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    Ok(pieces)
}

fn variable(name: &str) -> Option<Piece> {
    match name {
        "*" => return Some(Piece::Text('*')),
        "?" => return Some(Piece::Text('?')),
        "$" => return Some(Piece::Text('$')),
        _ => {}
    }
    let (key, default) = match name.split_once(',') {
        None => (name, None),
        Some((key, quoted)) => {
            let quoted = quoted.trim();
            let value = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
            (key, Some(value.to_owned()))
        }
    };
    let key = key.trim();
    let well_formed = !key.is_empty() && !key.contains(['$', '{', '*', '?']);
    well_formed.then(|| Piece::Variable(Variable { key: key.to_lowercase(), default }))
}
