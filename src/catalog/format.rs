//! ARN formats of resource types, such as `arn:${Partition}:s3:::${BucketName}`.
//!
//! Source: Service Authorization Reference, the tables of resource types.

use crate::iam::Arn;

/// A format, taken apart once.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(from = "String")]
pub struct ArnFormat {
    text: String,
    pieces: Vec<Piece>,
    /// Service, region, account and resource; none where the text has not the fields of an ARN.
    fields: Option<[Vec<Piece>; 4]>,
}

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// The name of a variable to fill.
    Variable(String),
}

impl From<String> for ArnFormat {
    fn from(text: String) -> Self {
        let fields = Arn::parse(&text).map(|arn| [arn.service, arn.region, arn.account, arn.resource].map(pieces));
        Self { pieces: pieces(&text), fields, text }
    }
}

impl ArnFormat {
    /// The format as AWS writes it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its text and variables in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// An ARN of this form: text as it stands, and for each variable what `value` gives.
    #[must_use]
    pub fn filled<'v>(&self, value: impl Fn(&str) -> &'v str) -> String {
        let mut arn = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => arn.push_str(text),
                Piece::Variable(name) => arn.push_str(value(name)),
            }
        }
        arn
    }

    /// Whether this is the other format with more names after it and no word between: a version or an alias of the same thing.
    #[must_use]
    pub fn qualifies(&self, other: &Self) -> bool {
        let separates = |piece: &Piece| !matches!(piece, Piece::Text(text) if text.contains(char::is_alphanumeric));
        self.beyond(other).is_some_and(|rest| !rest.is_empty() && rest.iter().all(separates))
    }

    /// What follows the other format where this one begins with it.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Option<&[Piece]> {
        self.pieces.strip_prefix(other.pieces.as_slice())
    }

    /// How much of it is text.
    #[must_use]
    pub fn literal_length(&self) -> usize {
        self.pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.len() } else { 0 }).sum()
    }

    /// Whether an ARN has this form, a variable being any text.
    #[must_use]
    pub fn matches(&self, arn: &Arn<'_>) -> bool {
        let Some([service, region, account, resource]) = &self.fields else { return false };
        let field = |form: &[Piece], given: &str| match form {
            [] => given.is_empty(),
            [Piece::Text(text)] => text == given,
            _ => true,
        };
        // The names of objects hold slashes and those of buckets do not.
        let slashes = || resource.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains('/')));
        field(service, arn.service)
            && field(region, arn.region)
            && field(account, arn.account)
            && (arn.service != "s3" || slashes() == arn.resource.contains('/'))
            && follows(resource, arn.resource)
    }
}

/// Text and variables, none of them empty.
fn pieces(format: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some((text, (variable, tail))) =
        rest.split_once("${").and_then(|(text, after)| Some((text, after.split_once('}')?)))
    {
        pieces.push(Piece::Text(text.to_owned()));
        pieces.push(Piece::Variable(variable.to_owned()));
        rest = tail;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    pieces
}

/// Whether a text is the pieces one after another, a variable being any text.
fn follows(pieces: &[Piece], text: &str) -> bool {
    match pieces {
        [] => text.is_empty(),
        [Piece::Text(literal), rest @ ..] => text.strip_prefix(literal.as_str()).is_some_and(|after| follows(rest, after)),
        [Piece::Variable(_), Piece::Text(literal), rest @ ..] => text
            .match_indices(literal.as_str())
            .any(|(at, _)| text.get(at + literal.len()..).is_some_and(|after| follows(rest, after))),
        [Piece::Variable(_), ..] => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_form() {
        let check = |format: &str, arn: &str, expected: bool| {
            let format = ArnFormat::from(format.to_owned());
            assert_eq!(format.matches(&Arn::parse(arn).unwrap()), expected, "{} {arn}", format.text());
        };
        let (bucket, object) = ("arn:${Partition}:s3:::${BucketName}", "arn:${Partition}:s3:::${BucketName}/${ObjectName}");
        check(bucket, "arn:aws:s3:::b", true);
        check(bucket, "arn:aws:s3:::b/k", false);
        check(object, "arn:aws:s3:::b/k/l", true);
        check(object, "arn:aws:s3:::b", false);
        check(object, "arn:aws:s3:eu-west-1::b/k", false);
        let document = "arn:${Partition}:ssm:${Region}:${Account}:document/${DocumentName}";
        check(document, "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript", true);
        check(document, "arn:aws:ssm:eu-west-1:111122223333:parameter/p", false);
        check(document, "arn:aws:ec2:eu-west-1::document/d", false);
        let stream = "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}:log-stream:${LogStreamName}";
        check(stream, "arn:aws:logs:eu-west-1:1:log-group:/a:log-stream:b", true);
        check(stream, "arn:aws:logs:eu-west-1:1:log-group:/a", false);
        check("${Any}", "arn:aws:s3:::b", false);
    }

    #[test]
    fn a_qualified_name_is_of_the_same_thing_and_a_part_is_not() {
        let check = |long: &str, expected: bool| {
            let long = ArnFormat::from(long.to_owned());
            assert_eq!(long.qualifies(&ArnFormat::from("arn:a:${Name}".to_owned())), expected, "{}", long.text());
        };
        check("arn:a:${Name}:${Alias}", true);
        check("arn:a:${Name}", false);
        check("arn:a:${Name}:${Version}/execution/${Id}", false);
        check("arn:a:${Name}/object/${Key}", false);
        check("arn:b:${Name}:${Alias}", false);
    }

    #[test]
    fn a_variable_without_an_end_is_text() {
        let format = ArnFormat::from("a${b".to_owned());
        assert_eq!(format.pieces(), [Piece::Text("a${b".to_owned())]);
        assert_eq!(format.literal_length(), 4);
    }
}
