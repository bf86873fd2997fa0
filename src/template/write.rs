//! Writing values: YAML in block style, and flow style for YAML and JSON.
//!
//! All text is made with `\n`; [`Writer::finish`] puts in the line ends of the document. No text written here contains
//! a line end of its own, because texts with control characters are written escaped.

use super::quote::{self, Context};
use super::value::long_name;
use super::{Format, Item, LineEnd, Pair, Style, Value};

/// The widest list of plain arguments that an intrinsic function gets on its own line.
const WIDE: usize = 100;

/// How a flow collection is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Everything on one line.
    Line,
    /// Entries on lines of their own, within something that is indented so.
    Lines(String),
}

impl Value {
    /// The value on one line of YAML, texts in double quotes, functions in their long form.
    #[must_use]
    pub fn to_flow(&self) -> String {
        let style = Style {
            indent: "  ".to_owned(),
            dash_indent: 2,
            dash_width: 2,
            words: super::Quote::Double,
            texts: super::Quote::Double,
            short_functions: false,
            colon: ": ".to_owned(),
            comma_blank: true,
            bracket_blank: false,
        };
        let mut writer = Writer::new(&style, Format::Yaml);
        writer.flow(self, &Layout::Line, Context::Flow);
        writer.finish(LineEnd::Lf)
    }
}

pub(crate) struct Writer<'s> {
    style: &'s Style,
    format: Format,
    out: String,
}

impl<'s> Writer<'s> {
    pub(crate) fn new(style: &'s Style, format: Format) -> Self {
        Self { style, format, out: String::new() }
    }

    /// The text written, with the line ends of the document.
    pub(crate) fn finish(self, line_end: LineEnd) -> String {
        match line_end {
            LineEnd::Lf => self.out,
            LineEnd::CrLf => self.out.replace('\n', "\r\n"),
        }
    }

    fn pad(&mut self, column: usize) {
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    /// Comment lines at a column. The writer stands at the beginning of a line, and does so afterwards.
    pub(crate) fn comments(&mut self, lines: &[String], column: usize) {
        for line in lines {
            self.pad(column);
            let text = quote::comment(line);
            self.out.push('#');
            self.out.push_str(if text.is_empty() || text.starts_with(' ') { "" } else { " " });
            self.out.push_str(&text);
            self.out.push('\n');
        }
    }

    /// Pairs of a block mapping, each with its comments; no line end after the last.
    pub(crate) fn block_pairs(&mut self, pairs: &[Pair], column: usize, mut placed: bool) {
        for (n, pair) in pairs.iter().enumerate() {
            if n > 0 {
                self.out.push('\n');
            }
            if !placed {
                self.comments(&pair.comments, column);
                self.pad(column);
            }
            placed = false;
            let key = quote::yaml(&pair.key, super::Quote::Plain, Context::Block);
            self.out.push_str(&key);
            self.out.push(':');
            self.after_key(&pair.value, column);
        }
    }

    /// Items of a block sequence, each with its comments; no line end after the last.
    pub(crate) fn block_items(&mut self, items: &[Item], column: usize, mut placed: bool) {
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                self.out.push('\n');
            }
            if !placed {
                self.comments(&item.comments, column);
                self.pad(column);
            }
            placed = false;
            self.out.push('-');
            self.after_dash(&item.value, column);
        }
    }

    fn after_dash(&mut self, value: &Value, column: usize) {
        let inner = column + self.style.dash_width.max(2);
        match value {
            Value::Map(pairs) if !pairs.is_empty() => {
                self.pad(inner - column - 1);
                self.block_pairs(pairs, inner, true);
            }
            Value::Seq(items) if !items.is_empty() => {
                self.pad(inner - column - 1);
                self.block_items(items, inner, true);
            }
            _ if matches!(self.function(value), Some((_, None))) => {
                self.pad(inner - column - 1);
                if let Value::Tagged(name, argument) = value {
                    let pair = Pair { comments: Vec::new(), key: long_name(name), value: (**argument).clone() };
                    self.block_pairs(&[pair], inner, true);
                }
            }
            _ => {
                self.pad(inner - column - 1);
                self.inline(value, inner, inner);
            }
        }
    }

    fn after_key(&mut self, value: &Value, column: usize) {
        let step = self.step();
        match value {
            Value::Map(pairs) if !pairs.is_empty() => {
                self.out.push('\n');
                self.block_pairs(pairs, column + step, false);
            }
            Value::Seq(items) if !items.is_empty() => {
                self.out.push('\n');
                self.block_items(items, column + self.style.dash_indent, false);
            }
            _ if matches!(self.function(value), Some((_, None))) => {
                self.out.push('\n');
                if let Value::Tagged(name, argument) = value {
                    let pair = Pair { comments: Vec::new(), key: long_name(name), value: (**argument).clone() };
                    self.block_pairs(&[pair], column + step, false);
                }
            }
            _ => {
                self.out.push(' ');
                self.inline(value, column + step, column + self.style.dash_indent);
            }
        }
    }

    fn step(&self) -> usize {
        self.style.indent.len().max(1)
    }

    /// An intrinsic function: its short form with the argument, or nothing where only the long form can be written.
    fn function<'v>(&self, value: &'v Value) -> Option<(&'v str, Option<&'v Value>)> {
        let Value::Tagged(name, argument) = value else { return None };
        // `!A !B x` would be two tags on one node, and a tagged `true` is a text.
        let short = self.style.short_functions && matches!(**argument, Value::Str(_) | Value::Seq(_) | Value::Map(_));
        Some((name, short.then_some(&**argument)))
    }

    /// What begins on the line of its key or dash: scalars, empty collections, and functions in short form, whose
    /// argument goes on below at the given columns.
    fn inline(&mut self, value: &Value, map_column: usize, seq_column: usize) {
        let Some((name, Some(argument))) = self.function(value) else {
            self.flow(value, &Layout::Line, Context::Block);
            return;
        };
        let one_line = self.flow_text(value, &Layout::Line, Context::Block);
        match argument {
            Value::Map(pairs) if !pairs.is_empty() => {
                self.out.push_str(&format!("!{name}\n"));
                self.block_pairs(pairs, map_column, false);
            }
            Value::Seq(items)
                if name != "GetAtt" && !(argument.items().all(is_flat) && one_line.len() <= WIDE) && !items.is_empty() =>
            {
                self.out.push_str(&format!("!{name}\n"));
                self.block_items(items, seq_column, false);
            }
            _ => self.out.push_str(&one_line),
        }
    }

    fn flow_text(&self, value: &Value, layout: &Layout, context: Context) -> String {
        let mut writer = Writer::new(self.style, self.format);
        writer.flow(value, layout, context);
        writer.out
    }

    /// A value in flow style.
    pub(crate) fn flow(&mut self, value: &Value, layout: &Layout, context: Context) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Number(text) => self.out.push_str(text),
            Value::Str(text) => {
                let text = self.text(text, self.style.quote(text), context);
                self.out.push_str(&text);
            }
            Value::Seq(items) => self.bracket('[', ']', items.len(), layout, |writer, n, layout| {
                if let Some(item) = items.get(n) {
                    writer.flow(&item.value, layout, Context::Flow);
                }
            }),
            Value::Map(pairs) => self.bracket('{', '}', pairs.len(), layout, |writer, n, layout| {
                if let Some(pair) = pairs.get(n) {
                    writer.flow_pair(&pair.key, &pair.value, layout);
                }
            }),
            Value::Tagged(name, argument) => self.flow_function(value, name, argument, layout, context),
        }
    }

    fn flow_function(&mut self, value: &Value, name: &str, argument: &Value, layout: &Layout, context: Context) {
        if *layout != Layout::Line && is_flat(argument) {
            let one_line = self.flow_text(value, &Layout::Line, context);
            if one_line.len() <= WIDE || matches!(argument, Value::Str(_)) {
                self.out.push_str(&one_line);
                return;
            }
        }
        if matches!(self.function(value), Some((_, Some(_)))) && self.format == Format::Yaml {
            self.out.push_str(&format!("!{name} "));
            let parts = argument.items().map(Value::as_str).collect::<Option<Vec<_>>>();
            match (name, parts.as_deref()) {
                ("GetAtt", Some([resource, attribute])) => {
                    let text = format!("{resource}.{attribute}");
                    self.flow(&Value::Str(text), layout, context);
                }
                _ => self.flow(argument, layout, context),
            }
            return;
        }
        self.bracket('{', '}', 1, layout, |writer, _, layout| writer.flow_pair(&long_name(name), argument, layout));
    }

    /// A key and its value in flow style.
    pub(crate) fn flow_pair(&mut self, key: &str, value: &Value, layout: &Layout) {
        let key = self.text(key, super::Quote::Plain, Context::Flow);
        self.out.push_str(&key);
        // YAML needs the blank after the colon.
        let colon = if self.format == Format::Yaml && !self.style.colon.ends_with(' ') { ": " } else { &self.style.colon };
        self.out.push_str(colon);
        self.flow(value, layout, Context::Flow);
    }

    fn text(&self, text: &str, wish: super::Quote, context: Context) -> String {
        match self.format {
            Format::Json => quote::json(text),
            Format::Yaml => quote::yaml(text, wish, context),
        }
    }

    fn bracket(&mut self, open: char, close: char, count: usize, layout: &Layout, each: impl Fn(&mut Self, usize, &Layout)) {
        self.out.push(open);
        let inner = match layout {
            Layout::Line => Layout::Line,
            Layout::Lines(indent) => Layout::Lines(format!("{indent}{}", self.style.indent)),
        };
        for n in 0..count {
            match &inner {
                Layout::Lines(indent) => {
                    self.out.push_str(if n > 0 { ",\n" } else { "\n" });
                    self.out.push_str(indent);
                }
                Layout::Line if n > 0 => self.out.push_str(if self.style.comma_blank { ", " } else { "," }),
                Layout::Line => self.out.push_str(if self.style.bracket_blank { " " } else { "" }),
            }
            each(self, n, &inner);
        }
        match layout {
            Layout::Lines(indent) if count > 0 => {
                self.out.push('\n');
                self.out.push_str(indent);
            }
            Layout::Line if count > 0 && self.style.bracket_blank => self.out.push(' '),
            _ => {}
        }
        self.out.push(close);
    }
}

/// Whether an argument is easily read on one line: no mapping in it.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Map(_) => false,
        Value::Seq(_) => value.items().all(is_flat),
        Value::Tagged(_, argument) => is_flat(argument),
        _ => true,
    }
}
