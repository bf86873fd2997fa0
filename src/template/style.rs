//! How a document is written around a place, so that what is put in looks like its surroundings.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use super::layout::{column, indentation};
use super::yaml::dash_before;
use super::{Collection, Document, Format, Kind, Node, ScalarStyle, Span};

/// Which quotes a text gets that needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quote {
    /// None.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
}

/// The habits of a document around a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// One step of indentation of mappings. Blanks in YAML; JSON may have tabs.
    pub indent: String,
    /// How much deeper than its key the dashes of a list stand.
    pub dash_indent: usize,
    /// How much deeper than its dash the content of an item stands.
    pub dash_width: usize,
    /// The quotes of texts that are one word, such as `Allow`.
    pub words: Quote,
    /// The quotes of other texts, such as `ssm:GetParameter`.
    pub texts: Quote,
    /// Whether intrinsic functions have their short form.
    pub short_functions: bool,
    /// What stands between key and value in flow collections and JSON.
    pub colon: String,
    /// Whether one blank follows a comma in collections on one line.
    pub comma_blank: bool,
    /// Whether blanks stand inside the brackets of lists on one line: `[ a ]`.
    pub bracket_blank: bool,
}

#[derive(Default)]
struct Votes {
    indent: BTreeMap<String, usize>,
    dash_indent: BTreeMap<usize, usize>,
    dash_width: BTreeMap<usize, usize>,
    words: BTreeMap<Quote, usize>,
    texts: BTreeMap<Quote, usize>,
    short: BTreeMap<bool, usize>,
    colon: BTreeMap<String, usize>,
    comma: BTreeMap<bool, usize>,
    bracket: BTreeMap<bool, usize>,
}

/// The most frequent, the first of them in order when several are.
fn winner<T: Ord + Clone>(votes: &BTreeMap<T, usize>) -> Option<T> {
    let best = votes.values().max()?;
    votes.iter().find(|(_, count)| *count == best).map(|(value, _)| value.clone())
}

impl Style {
    /// The style below `node`, and of the whole document where that shows none. What lies inside the ranges of `skip`
    /// is not looked at: they are to be replaced, and must not influence by what.
    #[must_use]
    pub fn around(node: Node<'_>, skip: &[Span]) -> Self {
        let doc = node.document();
        let mut near = Votes::default();
        near.node(doc, node, skip);
        let far = LazyCell::new(|| {
            let mut votes = Votes::default();
            votes.node(doc, doc.root(), skip);
            votes
        });
        macro_rules! habit {
            ($aspect:ident, $default:expr) => {
                winner(&near.$aspect).or_else(|| winner(&far.$aspect)).unwrap_or_else(|| $default)
            };
        }
        let json = doc.format() == Format::Json;
        let indent = habit!(indent, (if json { "    " } else { "  " }).to_owned());
        let colon = habit!(colon, (if doc.text().contains('\n') { ": " } else { ":" }).to_owned());
        // Where no other list shows how deep dashes stand, the ones to be replaced do: what comes in their place is
        // written alike, so that they show the same again.
        let own = LazyCell::new(|| {
            let mut votes = Votes::default();
            votes.node(doc, node, &[]);
            votes
        });
        let dash_indent = habit!(dash_indent, winner(&own.dash_indent).unwrap_or(2));
        let dash_width = habit!(dash_width, winner(&own.dash_width).unwrap_or(2));
        let (words, texts) = (habit!(words, Quote::Plain), habit!(texts, Quote::Plain));
        let short_functions = !json && habit!(short, true);
        let (comma_blank, bracket_blank) = (habit!(comma, colon != ":"), habit!(bracket, false));
        Self { indent, dash_indent, dash_width, words, texts, short_functions, colon, comma_blank, bracket_blank }
    }

    /// The quotes that a text gets.
    pub(crate) fn quote(&self, text: &str) -> Quote {
        if is_word(text) { self.words } else { self.texts }
    }
}

fn skipped(node: Node<'_>, skip: &[Span]) -> bool {
    let span = node.full_span();
    skip.iter().any(|s| s.start <= span.start && span.end <= s.end)
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Votes {
    fn node(&mut self, doc: &Document, node: Node<'_>, skip: &[Span]) {
        if skipped(node, skip) {
            return;
        }
        let span = node.full_span();
        if let Some(tag) = node.tag().filter(|tag| !tag.starts_with("!!") && !node.is_alias()) {
            *self.short.entry(!tag.is_empty()).or_default() += 1;
        }
        match node.kind() {
            Kind::Alias => {}
            Kind::Scalar(style) => self.scalar(doc, node, style),
            Kind::Sequence(style) => {
                let items = node.items().filter(|item| !skipped(*item, skip)).map(|item| item.full_span());
                self.separators(doc, &items.collect::<Vec<_>>(), &span, style);
                node.items().for_each(|item| self.node(doc, item, skip));
            }
            Kind::Mapping(style) => {
                if style == Collection::Flow {
                    let first = node.entries().find(|(_, value)| !skipped(*value, skip));
                    self.flow_indent(doc.text(), &span, first.map(|(key, _)| key.full_span().start));
                }
                for (key, value) in node.entries().filter(|(_, value)| !skipped(*value, skip)) {
                    self.entry(doc, key, value, style);
                    self.node(doc, value, skip);
                }
            }
        }
    }

    fn scalar(&mut self, doc: &Document, node: Node<'_>, style: ScalarStyle) {
        let text = node.scalar().unwrap_or("");
        let quote = match style {
            ScalarStyle::Plain => Quote::Plain,
            ScalarStyle::Single => Quote::Single,
            ScalarStyle::Double => Quote::Double,
            ScalarStyle::Literal | ScalarStyle::Folded => return,
        };
        // Only a text that needs no quotes shows whether the author likes them.
        if doc.format() == Format::Json || !super::quote::is_plain(text, super::quote::Context::Block) {
            return;
        }
        let votes = if is_word(text) { &mut self.words } else { &mut self.texts };
        *votes.entry(quote).or_default() += 1;
    }

    fn entry(&mut self, doc: &Document, key: Node<'_>, value: Node<'_>, style: Collection) {
        let text = doc.text();
        if key.as_str().is_some_and(|name| super::value::short_name(name).is_some()) {
            *self.short.entry(false).or_default() += 1;
        }
        let start = value.span().start;
        if style == Collection::Flow {
            let between = text.get(key.span().end..value.full_span().start).unwrap_or("");
            if between.trim() == ":" && !between.contains('\n') {
                *self.colon.entry(between.to_owned()).or_default() += 1;
            }
            return;
        }
        let own = column(text, key.full_span().start);
        match value.kind() {
            Kind::Mapping(Collection::Block) => {
                let step = column(text, start).saturating_sub(own);
                *self.indent.entry(" ".repeat(step)).or_default() += usize::from(step > 0);
            }
            Kind::Sequence(Collection::Block) => {
                *self.dash_indent.entry(column(text, start).saturating_sub(own)).or_default() += 1;
                for content in value.items().filter(|item| !item.full_span().is_empty()).map(|item| item.full_span().start) {
                    let dash = dash_before(text, doc.comments(), content).unwrap_or(content);
                    if text.get(dash..content).is_some_and(|between| between.len() > 1 && !between.contains('\n')) {
                        *self.dash_width.entry(content - dash).or_default() += 1;
                    }
                }
            }
            _ => {}
        }
    }

    fn flow_indent(&mut self, text: &str, outer: &Span, first: Option<usize>) {
        let (outer, Some(first)) = (indentation(text, outer.start), first) else { return };
        if let Some(step) = indentation(text, first).strip_prefix(outer).filter(|step| !step.is_empty()) {
            *self.indent.entry(step.to_owned()).or_default() += 1;
        }
    }

    fn separators(&mut self, doc: &Document, items: &[Span], span: &Span, style: Collection) {
        let text = doc.text();
        if style == Collection::Block {
            return;
        }
        self.flow_indent(text, span, items.first().map(|item| item.start));
        for (one, next) in items.iter().zip(items.iter().skip(1)) {
            let between = text.get(one.end..next.start).unwrap_or("");
            if !between.contains('\n') {
                *self.comma.entry(between.ends_with(' ')).or_default() += 1;
            }
        }
        if let (Some(first), false) = (items.first(), text.get(span.clone()).is_some_and(|t| t.contains('\n'))) {
            let gap = text.get(..first.start).is_some_and(|t| t.ends_with(' '));
            *self.bracket.entry(gap).or_default() += 1;
        }
    }
}
