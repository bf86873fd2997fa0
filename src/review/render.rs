//! Reports in the formats that people and programs read, through Handlebars templates.
//!
//! Each format has one template, which a user may override, and one escape function, which the engine applies to every
//! expression. Helpers that write markup of their own escape what they are given, so a template can show log content
//! only escaped.

use std::collections::BTreeMap;

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason};
use sha2::{Digest, Sha256};

use super::escape;
use super::report::Report;
use super::summary::{Piece, Summary};
use super::view::{Detail, View};

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// For a terminal, with ANSI styles; whoever prints it strips them where they are not wanted.
    Text,
    /// For a comment on a pull request.
    Markdown,
    /// One self-contained page.
    Html,
    /// For programs; `docs/report.schema.json` describes it.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands that GitHub shows as annotations.
    Github,
}

impl Format {
    /// Every format there is.
    pub const ALL: &'static [Self] = &[Self::Text, Self::Markdown, Self::Html, Self::Json, Self::Sarif, Self::Github];

    /// The file name of its template.
    #[must_use]
    pub fn template(self) -> &'static str {
        match self {
            Self::Text => "text.hbs",
            Self::Markdown => "markdown.hbs",
            Self::Html => "html.hbs",
            Self::Json => "json.hbs",
            Self::Sarif => "sarif.hbs",
            Self::Github => "github.hbs",
        }
    }

    fn escape(self) -> fn(&str) -> String {
        match self {
            Self::Text => escape::terminal,
            Self::Markdown => escape::markdown,
            Self::Html => escape::html,
            Self::Json | Self::Sarif => escape::json,
            Self::Github => escape::workflow,
        }
    }
}

/// How many bytes a Markdown report has at most. GitHub refuses a comment of more than 65,536 characters; whoever posts
/// it may add a line.
pub const MARKDOWN_LIMIT: usize = 65_000;

/// The templates, by file name: those of policyc, and in their place those of a user.
#[derive(Debug, Clone)]
pub struct Templates(BTreeMap<&'static str, String>);

const EMBEDDED: &[(&str, &str)] = &[
    ("github.hbs", include_str!("templates/github.hbs")),
    ("html.hbs", include_str!("templates/html.hbs")),
    ("json.hbs", include_str!("templates/json.hbs")),
    ("markdown.hbs", include_str!("templates/markdown.hbs")),
    ("report.css", include_str!("templates/report.css")),
    ("report.js", include_str!("templates/report.js")),
    ("sarif.hbs", include_str!("templates/sarif.hbs")),
    ("text.hbs", include_str!("templates/text.hbs")),
];

impl Default for Templates {
    fn default() -> Self {
        Self(EMBEDDED.iter().map(|(name, text)| (*name, (*text).to_owned())).collect())
    }
}

impl Templates {
    /// The file names that can be overridden.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(name, _)| *name)
    }

    /// Puts a user's template in the place of the one with the same file name.
    ///
    /// # Errors
    /// When no template has that name.
    pub fn replace(&mut self, name: &str, text: String) -> Result<(), RenderError> {
        match Self::names().find(|known| *known == name) {
            Some(known) => drop(self.0.insert(known, text)),
            None => return Err(RenderError::Unknown(name.to_owned(), Self::names().collect::<Vec<_>>().join(", "))),
        }
        Ok(())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// Why a report cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The user is at fault: a file in the folder of templates has a name that no template has.
    #[error("no template is called `{0}`; there are {1}")]
    Unknown(String, String),
    /// The author of a template is at fault: it is malformed, or names something that is not there.
    #[error("the template `{0}`: {1}")]
    Template(&'static str, String),
    /// The author of a template is at fault: what it gives is not JSON.
    #[error("the template `{0}` gives no JSON: {1}")]
    NotJson(&'static str, String),
}

/// Renders the reports of a stack's roles, or the one of a role.
///
/// # Errors
/// When a template that was overridden is malformed.
pub fn render(reports: &[Report], format: Format, templates: &Templates) -> Result<String, RenderError> {
    if format != Format::Markdown {
        let text = at(reports, format, templates, Detail::ALL)?;
        return match format {
            Format::Json | Format::Sarif => tidy(&text).map_err(|e| RenderError::NotJson(format.template(), e.to_string())),
            _ => Ok(text),
        };
    }
    let mut text = String::new();
    for detail in Detail::falling() {
        text = at(reports, format, templates, detail)?;
        if text.len() <= MARKDOWN_LIMIT {
            return Ok(text);
        }
    }
    Ok(cut(&text))
}

/// The JSON that a template gave, laid out anew: templates need not care for commas' surroundings.
fn tidy(text: &str) -> Result<String, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    Ok(format!("{}\n", escape::json_document(&serde_json::to_string_pretty(&value)?)))
}

const CUT: &str = "\n\n**The report is longer than a comment may be and was cut here.** Run `policyc report` for all of it.\n";

/// Whole lines up to the limit, and a sentence that says so.
fn cut(text: &str) -> String {
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        if kept.len() + line.len() + CUT.len() > MARKDOWN_LIMIT {
            break;
        }
        kept.push_str(line);
    }
    kept + CUT
}

fn at(reports: &[Report], format: Format, templates: &Templates, detail: Detail) -> Result<String, RenderError> {
    let fault = |e: &dyn std::fmt::Display| RenderError::Template(format.template(), e.to_string());
    let mut engine = engine(format);
    for (name, text) in templates.0.iter().filter(|(name, _)| !name.ends_with(".hbs")) {
        let text = text.clone();
        let digest = base64(&Sha256::digest(text.as_bytes()));
        engine.register_helper(asset_name(name), raw(move || text.clone()));
        engine.register_helper(digest_name(name), raw(move || digest.clone()));
    }
    engine.render_template(templates.get(format.template()), &View::of(reports, detail)).map_err(|e| fault(&e))
}

fn asset_name(file: &str) -> &'static str {
    if file.ends_with(".css") { "stylesheet" } else { "program" }
}

fn digest_name(file: &str) -> &'static str {
    if file.ends_with(".css") { "stylesheet-sha256" } else { "program-sha256" }
}

/// The engine of a format: its escape function, and the helpers that write markup of their own.
fn engine(format: Format) -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    let escape = format.escape();
    engine.register_escape_fn(escape);
    engine.set_strict_mode(true);
    // What stands between backticks in a sentence is a name.
    engine.register_helper("prose", text_helper(move |text, _| prose(text, escape)));
    engine.register_helper("fence", text_helper(fence));
    engine.register_helper("paint", text_helper(paint));
    engine.register_helper("property", text_helper(|text, _| escape::workflow_property(text)));
    engine.register_helper("uri", text_helper(|text, _| escape::uri(text)));
    engine.register_helper("json", Box::new(json));
    engine
}

type Boxed = Box<dyn handlebars::HelperDef + Send + Sync>;

/// A helper of a text and, where it has one, a word that says how.
fn text_helper(write: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Boxed {
    Box::new(move |h: &Helper<'_>, _: &Handlebars<'_>, _: &Context, _: &mut RenderContext<'_, '_>, out: &mut dyn Output| {
        let word = |n: usize| h.param(n).map(|p| p.value().as_str().map_or_else(|| p.value().to_string(), str::to_owned));
        let text = word(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("text", 0))?;
        out.write(&write(&text, &word(1).unwrap_or_default()))?;
        HelperResult::Ok(())
    })
}

/// A helper that writes something of policyc's or the template author's own.
fn raw(text: impl Fn() -> String + Send + Sync + 'static) -> Boxed {
    Box::new(move |_: &Helper<'_>, _: &Handlebars<'_>, _: &Context, _: &mut RenderContext<'_, '_>, out: &mut dyn Output| {
        out.write(&text())?;
        HelperResult::Ok(())
    })
}

/// A value as JSON.
fn json(h: &Helper<'_>, _: &Handlebars<'_>, _: &Context, _: &mut RenderContext<'_, '_>, out: &mut dyn Output) -> HelperResult {
    let value = h.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("json", 0))?;
    out.write(&value.value().to_string())?;
    Ok(())
}

fn prose(text: &str, escape: fn(&str) -> String) -> String {
    let pieces: Vec<&str> = text.split('`').collect();
    let paired = pieces.len() % 2 == 1;
    let piece = |(n, piece): (usize, &&str)| {
        if n % 2 == 1 && paired { format!("<code>{}</code>", escape(piece)) } else { escape(piece) }
    };
    pieces.iter().enumerate().map(piece).collect::<Vec<_>>().join(if paired { "" } else { "'" })
}

/// A fenced code block of Markdown whose fence is longer than any run of backticks in it.
fn fence(text: &str, language: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}", escape::terminal_lines(text.trim_end()))
}

/// A summary with ANSI styles, as the built-in template for a terminal lays it out.
#[must_use]
pub fn summary(summary: &Summary) -> String {
    let line = |pieces: &Vec<Piece>| pieces.iter().map(|piece| paint(&piece.text, piece.style)).collect::<String>() + "\n";
    summary.lines.iter().map(line).collect()
}

fn paint(text: &str, style: &str) -> String {
    use anstyle::{AnsiColor, Style};
    let style = match style {
        "bold" => Style::new().bold(),
        "dim" => Style::new().dimmed(),
        "good" => AnsiColor::Green.on_default(),
        "look" => AnsiColor::Yellow.on_default(),
        "bad" => AnsiColor::Red.on_default().bold(),
        "cool" => AnsiColor::Cyan.on_default(),
        _ => Style::new(),
    };
    format!("{style}{}{style:#}", escape::terminal(text))
}

/// Base64 with padding (RFC 4648, section 4), as a content security policy wants its digests.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |n: usize| u32::from(chunk.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * n) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if n <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("a\n````\nb\u{1b}", "diff"), "`````diff\na\n````\nb\\u{1b}\n`````");
    }

    #[test]
    fn names_in_a_sentence_are_code_only_where_backticks_pair() {
        assert_eq!(prose("a `b<` c", escape::html), "a <code>b&lt;</code> c");
        assert_eq!(prose("a `b<", escape::html), "a 'b&lt;");
    }
}
