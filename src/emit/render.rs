//! The section that stands in a template, through Handlebars templates that a user may override: `section.hbs` for the
//! whole, `statement.hbs` for each statement.
//!
//! They render YAML: in which order things stand, and the comments. How that is written (block or flow, indentation,
//! quotes, YAML or JSON) follows the template around it, because what is rendered is read and written again. What the
//! policy says is no matter of templates: anything else than the policy that was given is refused.

use std::collections::BTreeMap;

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext};
use serde_json::{Value as Json, json};

use crate::template::{Commented, Document, TemplateError, Value, comment};

/// The templates by file name, and their own text.
const EMBEDDED: [(&str, &str); 2] =
    [("section.hbs", include_str!("templates/section.hbs")), ("statement.hbs", include_str!("templates/statement.hbs"))];

/// The templates of sections: those of policyc, and in their place those of a user.
#[derive(Debug, Clone, Default)]
pub struct SectionTemplates(BTreeMap<&'static str, String>);

/// What a section is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The logical id of the role or endpoint.
    pub id: &'a str,
    /// Whether it is an endpoint.
    pub endpoint: bool,
    /// The file that the policy comes from; empty where it is derived.
    pub from: &'a str,
    /// What the policy stays inside; empty where that is not known.
    pub baseline: &'a str,
    /// The command that generates it again.
    pub command: &'a str,
}

/// A section as it was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The comment lines above it.
    pub comments: Vec<String>,
    /// The policy document, with the comments inside it.
    pub document: Value,
}

/// Why a section cannot be rendered. The author of a template is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A file has a name that no template has.
    #[error("no template of sections is called `{0}`; there are section.hbs and statement.hbs")]
    Unknown(String),
    /// It is malformed, or names something that is not there.
    #[error("the template `{0}`: {1}")]
    Template(&'static str, String),
    /// What comes out is not YAML.
    #[error("what the template `section.hbs` renders is not YAML: {0}")]
    Yaml(TemplateError),
    /// A comment would get lost.
    #[error("line {0} of what the template `section.hbs` renders: no entry stands below this comment, so it has no place")]
    Stray(usize),
    /// What comes out is another policy.
    #[error(
        "what the template `section.hbs` renders is not the policy, at `{0}`; it may order and comment it, and change nothing"
    )]
    Changed(String),
}

impl SectionTemplates {
    /// Puts a user's template in the place of the one with the same file name.
    ///
    /// # Errors
    /// When no template has that name.
    pub fn replace(&mut self, name: &str, text: String) -> Result<(), RenderError> {
        let known = EMBEDDED.iter().find(|(known, _)| *known == name).ok_or_else(|| RenderError::Unknown(name.to_owned()))?;
        self.0.insert(known.0, text);
        Ok(())
    }

    /// The section of a policy document; `reasons` say by `Sid` why a statement is there.
    ///
    /// # Errors
    /// When a template cannot be rendered, or what comes out is not the document.
    pub fn render(
        &self,
        about: &About<'_>,
        document: &Value,
        reasons: &BTreeMap<String, Vec<String>>,
    ) -> Result<Section, RenderError> {
        let meant = document.to_json();
        let text = self.engine()?.render("section", &context(about, &meant, reasons));
        let text = text.map_err(|e| RenderError::Template(named(e.template_name.as_deref()), e.reason().to_string()))?;
        let rendered = Document::parse(text.as_bytes()).map_err(RenderError::Yaml)?;
        let read = Commented::read(&rendered).ok_or_else(|| RenderError::Changed("/".to_owned()))?;
        if let Some(at) = read.stray {
            return Err(RenderError::Stray(rendered.position(at).0));
        }
        match difference(&meant, &read.value.to_json()) {
            Some(path) => Err(RenderError::Changed(if path.is_empty() { "/".to_owned() } else { path })),
            None => Ok(Section { comments: read.above, document: read.value }),
        }
    }

    fn engine(&self) -> Result<Handlebars<'_>, RenderError> {
        let mut engine = Handlebars::new();
        engine.set_strict_mode(true);
        // What is put into a comment stays on its line.
        engine.register_escape_fn(comment);
        engine.register_helper("yaml", Box::new(yaml));
        for (name, embedded) in EMBEDDED {
            let text = self.0.get(name).map_or(embedded, String::as_str);
            let registered = engine.register_template_string(name.trim_end_matches(".hbs"), text);
            registered.map_err(|e| RenderError::Template(name, e.reason().to_string()))?;
        }
        Ok(engine)
    }
}

fn named(template: Option<&str>) -> &'static str {
    EMBEDDED.iter().map(|(name, _)| *name).find(|name| name.strip_suffix(".hbs") == template).unwrap_or("section.hbs")
}

/// `{{yaml value}}`: the value on one line of YAML.
fn yaml(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let value = helper.param(0).map_or(&Json::Null, |param| param.value());
    out.write(&Value::from_json(value).to_flow())?;
    Ok(())
}

/// What the templates know.
fn context(about: &About<'_>, document: &Json, reasons: &BTreeMap<String, Vec<String>>) -> Json {
    let About { id, endpoint, from, baseline, command } = about;
    let statement = |members: &Json| {
        let sid = members.get("Sid").and_then(Json::as_str).unwrap_or_default();
        json!({"sid": sid, "reasons": reasons.get(sid).map_or(&[][..], Vec::as_slice), "members": members})
    };
    let statements: Vec<Json> = document.get("Statement").and_then(Json::as_array).into_iter().flatten().map(statement).collect();
    let mut members = document.as_object().cloned().unwrap_or_default();
    members.shift_remove("Statement");
    json!({
        "id": id, "endpoint": endpoint, "from": from, "baseline": baseline, "command": command,
        "members": members, "statements": statements,
    })
}

/// Where two values first differ, as a path of keys; the order of keys does not count.
fn difference(meant: &Json, read: &Json) -> Option<String> {
    match (meant, read) {
        (Json::Object(meant), Json::Object(read)) => {
            let inner = |(key, value): (&String, &Json)| {
                let below = read.get(key).map_or(Some(String::new()), |read| difference(value, read))?;
                Some(format!("/{key}{below}"))
            };
            meant
                .iter()
                .find_map(inner)
                .or_else(|| read.keys().find(|key| !meant.contains_key(*key)).map(|key| format!("/{key}")))
        }
        (Json::Array(meant), Json::Array(read)) if meant.len() == read.len() => {
            let inner = |(n, (meant, read))| difference(meant, read).map(|below| format!("/{n}{below}"));
            meant.iter().zip(read).enumerate().find_map(inner)
        }
        _ => (meant != read).then(String::new),
    }
}
