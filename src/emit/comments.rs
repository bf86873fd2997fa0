//! The comments of a section, through Handlebars templates that a user may override: `section.hbs` for what stands above
//! it, `statement.hbs` for what stands above each statement. What is granted is no matter of templates: a section that does
//! not give the policy is never written, whatever its comments say.

use std::collections::BTreeMap;

use handlebars::Handlebars;
use serde_json::json;

/// The templates by file name, and their own text.
const EMBEDDED: [(&str, &str); 2] =
    [("section.hbs", include_str!("templates/section.hbs")), ("statement.hbs", include_str!("templates/statement.hbs"))];

/// The templates of comments: those of policyc, and in their place those of a user.
#[derive(Debug, Clone, Default)]
pub struct Comments(BTreeMap<&'static str, String>);

/// What a section is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The logical id of the role or endpoint.
    pub id: &'a str,
    /// Whether it is an endpoint.
    pub endpoint: bool,
    /// What the policy stays inside.
    pub baseline: &'a str,
    /// The command that generates it again.
    pub command: &'a str,
}

/// Why comments cannot be written. The author of a template is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommentError {
    /// A file has a name that no template has.
    #[error("no template of comments is called `{0}`; there are section.hbs and statement.hbs")]
    Unknown(String),
    /// It is malformed, or names something that is not there.
    #[error("the template `{0}`: {1}")]
    Template(&'static str, String),
}

impl Comments {
    /// Puts a user's template in the place of the one with the same file name.
    ///
    /// # Errors
    /// When no template has that name.
    pub fn replace(&mut self, name: &str, text: String) -> Result<(), CommentError> {
        let known = EMBEDDED.iter().find(|(known, _)| *known == name).ok_or_else(|| CommentError::Unknown(name.to_owned()))?;
        self.0.insert(known.0, text);
        Ok(())
    }

    /// The lines above a section.
    ///
    /// # Errors
    /// When the template cannot be rendered.
    pub fn section(&self, about: &About<'_>) -> Result<Vec<String>, CommentError> {
        let About { id, endpoint, baseline, command } = about;
        self.lines(0, &json!({"id": id, "endpoint": endpoint, "baseline": baseline, "command": command}))
    }

    /// The lines above each statement, by `Sid`, from the reasons for it.
    ///
    /// # Errors
    /// When the template cannot be rendered.
    pub fn statements(&self, reasons: &BTreeMap<String, Vec<String>>) -> Result<BTreeMap<String, Vec<String>>, CommentError> {
        let lines =
            |(sid, reasons): (&String, &Vec<String>)| Ok((sid.clone(), self.lines(1, &json!({"sid": sid, "reasons": reasons}))?));
        reasons.iter().map(lines).collect()
    }

    fn lines(&self, which: usize, context: &serde_json::Value) -> Result<Vec<String>, CommentError> {
        let Some((name, embedded)) = EMBEDDED.get(which) else { return Ok(Vec::new()) };
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        // Whatever stands in a comment stays on its line: a control character becomes a blank.
        engine.register_escape_fn(|text| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect());
        let text = engine.render_template(self.0.get(name).map_or(*embedded, String::as_str), context);
        let text = text.map_err(|e| CommentError::Template(name, e.to_string()))?;
        let plain = |line: &str| line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        Ok(text.lines().map(plain).filter(|line| !line.is_empty()).collect())
    }
}
