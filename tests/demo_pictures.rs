//! The drawings of the demo: each is one that the text shows, stands alone, and knows both colour schemes.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/python.rs"]
mod python;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images")
}

fn drawings() -> BTreeSet<String> {
    let names = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| n.ends_with(".svg")).collect()
}

#[test]
fn the_text_shows_every_drawing_with_words_for_those_who_do_not_see_it() {
    let text = fs::read_to_string(folder().with_file_name("demo.md")).unwrap();
    let shown: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("![")?.strip_suffix(')')?.split_once("](images/"))
        .map(|(words, name)| {
            assert!(words.len() > 20, "{name} has no words");
            name.to_owned()
        })
        .collect();
    assert_eq!(shown, drawings());
    assert_eq!(shown.len(), 3);
}

#[test]
fn drawings_stand_alone_in_both_schemes() {
    // As an image of a page a drawing may load nothing and run nothing.
    const SCRIPT: &str = "import sys, xml.etree.ElementTree as t\n\
        for n in t.parse(sys.argv[1]).iter():\n\
        \x20   print(n.tag.split('}')[1], *[a.split('}')[-1] + '=' + v for a, v in n.attrib.items()], sep='\\t')";
    for name in drawings() {
        let path = folder().join(&name);
        let elements = python::run(Command::new(python::python()).args(["-c", SCRIPT]).arg(&path));
        let tags: BTreeSet<&str> = elements.lines().map(|l| l.split('\t').next().unwrap()).collect();
        assert!(tags.contains("title") && tags.contains("desc"), "{name} says nothing to a screen reader");
        for foreign in ["image", "script", "foreignObject", "use", "a"] {
            assert!(!tags.contains(foreign), "{name} has a {foreign}");
        }
        assert!(!elements.contains("href=") && !elements.contains("url(http"), "{name} refers to something else");
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains("@media (prefers-color-scheme: dark)"), "{name} has one scheme");
        assert!(!text.contains("@import") && !text.contains("@font-face"), "{name} loads a style or a font");
    }
}
