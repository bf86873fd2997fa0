//! Answers in XML as trees that own their texts.

/// An element: its name without prefix, its own text, and the elements in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Reads a document; one that was cut or spoilt on its way is none.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
        let document = roxmltree::Document::parse(text).map_err(|e| e.to_string())?;
        Ok(Self::of(document.root_element()))
    }

    fn of(node: roxmltree::Node<'_, '_>) -> Self {
        Self {
            name: node.tag_name().name().to_owned(),
            text: node.text().unwrap_or_default().trim().to_owned(),
            children: node.children().filter(roxmltree::Node::is_element).map(Self::of).collect(),
        }
    }

    /// The first element of this name in it.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of this name; `None` where there is no such element, or nothing in it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The text of an element that holds nothing else.
    pub(super) fn own_text(&self) -> &str {
        &self.text
    }

    /// The elements of a list, which is an element of this name.
    pub(super) fn items(&self, list: &str) -> impl Iterator<Item = &Self> {
        self.child(list).into_iter().flat_map(|list| &list.children)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test says what is wrong by panicking
mod tests {
    use super::*;

    #[test]
    fn lists_and_texts_are_found_by_name() {
        let text = "<A xmlns=\"x\"><set><item><id> i-1 </id></item><item><id>i&amp;2</id></item></set><empty/></A>";
        let read = Element::read(text.as_bytes()).unwrap();
        let ids: Vec<_> = read.items("set").map(|item| item.text("id")).collect();
        assert_eq!(ids, [Some("i-1"), Some("i&2")]);
        assert_eq!((read.text("empty"), read.text("none"), read.items("none").count()), (None, None, 0));
    }

    #[test]
    fn what_was_cut_is_no_document() {
        let whole = "<?xml version=\"1.0\"?><A><set><item>1</item></set></A>";
        for end in 0..whole.len() {
            assert!(Element::read(&whole.as_bytes()[..end]).is_err(), "{end}");
        }
        assert!(Element::read(whole.as_bytes()).is_ok() && Element::read(b"\xff").is_err());
    }
}
