//! JSON (RFC 8259), with the byte range of every value.

use std::collections::BTreeSet;

use super::layout;
use super::node::{NodeData, Shape, Tree};
use super::{Collection, MAX_DEPTH, ScalarStyle, TemplateError};

struct Reader<'t> {
    text: &'t str,
    at: usize,
    nodes: Vec<NodeData>,
}

/// Parses one JSON value with nothing after it.
pub(super) fn parse(text: &str) -> Result<Tree, TemplateError> {
    let at = if text.starts_with(layout::BOM) { layout::BOM.len_utf8() } else { 0 };
    let mut reader = Reader { text, at, nodes: Vec::new() };
    reader.blank();
    let root = reader.value(0)?;
    reader.blank();
    if reader.peek().is_some() {
        return Err(reader.wrong("something follows the outermost value"));
    }
    let root = reader.nodes.get(root).cloned().ok_or_else(|| reader.wrong("the document is empty"))?;
    Ok(Tree { nodes: reader.nodes, root, comments: Vec::new() })
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, problem: &str) -> TemplateError {
        let (line, column) = layout::position(self.text, self.at);
        TemplateError::Syntax { line, column, problem: problem.to_owned() }
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn add(&mut self, shape: Shape, start: usize) -> usize {
        self.nodes.push(NodeData { shape, tag: None, anchor: None, span: start..self.at, start });
        self.nodes.len() - 1
    }

    fn value(&mut self, depth: usize) -> Result<usize, TemplateError> {
        if depth > MAX_DEPTH {
            let (line, column) = layout::position(self.text, self.at);
            return Err(TemplateError::TooDeep { line, column });
        }
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(self.plain(start))
            }
            _ => {
                let rest = self.text.get(start..).unwrap_or("");
                let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word));
                self.at += word.ok_or_else(|| self.wrong("a value is expected here"))?.len();
                Ok(self.plain(start))
            }
        }
    }

    fn plain(&mut self, start: usize) -> usize {
        let value = self.text.get(start..self.at).unwrap_or("").to_owned();
        self.add(Shape::Scalar { value, style: ScalarStyle::Plain }, start)
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at > start
    }

    fn number(&mut self) -> Result<(), TemplateError> {
        self.take(b'-');
        let whole = self.take(b'0') || self.digits();
        let fraction = !self.take(b'.') || self.digits();
        let exponent = !(self.take(b'e') || self.take(b'E')) || {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()
        };
        if whole && fraction && exponent { Ok(()) } else { Err(self.wrong("the number is not complete")) }
    }

    fn string(&mut self) -> Result<usize, TemplateError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(self.wrong("the string has no end")),
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(0..=0x1f) => return Err(self.wrong("a control character stands in a string")),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let raw = self.text.get(start..self.at).unwrap_or("");
        match serde_json::from_str::<String>(raw) {
            Ok(value) => Ok(self.add(Shape::Scalar { value, style: ScalarStyle::Double }, start)),
            Err(_) => {
                self.at = start;
                Err(self.wrong("the string has an escape that JSON does not know"))
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<usize, TemplateError> {
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if !self.take(b']') {
            loop {
                self.blank();
                items.push(self.value(depth + 1)?);
                self.blank();
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.wrong("`,` or `]` is expected here"));
                }
            }
        }
        Ok(self.add(Shape::Sequence { items, style: Collection::Flow }, start))
    }

    fn object(&mut self, depth: usize) -> Result<usize, TemplateError> {
        let start = self.at;
        self.at += 1;
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        self.blank();
        if !self.take(b'}') {
            loop {
                self.blank();
                entries.push(self.entry(depth, &mut seen)?);
                self.blank();
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.wrong("`,` or `}` is expected here"));
                }
            }
        }
        Ok(self.add(Shape::Mapping { entries, style: Collection::Flow }, start))
    }

    fn entry(&mut self, depth: usize, seen: &mut BTreeSet<String>) -> Result<(usize, usize), TemplateError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a key in quotes is expected here"));
        }
        let key = self.string()?;
        if let Some(Shape::Scalar { value, .. }) = self.nodes.get(key).map(|node| &node.shape)
            && !seen.insert(value.clone())
        {
            let (line, column) = layout::position(self.text, start);
            return Err(TemplateError::DuplicateKey { line, column, key: value.clone() });
        }
        self.blank();
        if !self.take(b':') {
            return Err(self.wrong("`:` is expected after a key"));
        }
        self.blank();
        Ok((key, self.value(depth + 1)?))
    }
}
