//! The document model: what is read where, what a change leaves alone, and what is refused.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use std::collections::BTreeSet;

use policyc::template::{
    Document, Edit, Entry, Format, Item, MAX_BYTES, MAX_DEPTH, Node, Pair, Place, Style, TemplateError, Value,
};
use proptest::prelude::*;

fn parse(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}:\n{text}"))
}

fn slice<'d>(doc: &'d Document, node: Node<'_>) -> &'d str {
    &doc.text()[node.full_span()]
}

/// The bytes of every node lie within those of the node around it, in order.
fn check_spans(doc: &Document, node: Node<'_>) {
    let outer = node.full_span();
    assert!(doc.text().get(outer.clone()).is_some(), "{outer:?} are no characters");
    let children: Vec<Node<'_>> = node.entries().flat_map(|(key, value)| [key, value]).chain(node.items()).collect();
    if node.is_alias() {
        return;
    }
    let mut last = outer.start;
    for child in children {
        let span = child.full_span();
        assert!(span.start >= last && span.end <= outer.end, "{span:?} in {outer:?} after {last}:\n{}", doc.text());
        last = span.end;
        check_spans(doc, child);
    }
}

#[test]
fn nodes_know_their_bytes() {
    let doc = parse(concat!(
        "a: &x !If [b, !Sub \"c\", ]  # d\n",
        "block: |+ # e | f\n  g\n\n\n",
        "fold: !Sub >-\n  h\n  i\n\n",
        "list:\n- j: k\n  l:\n-\n  m\n- - n\n  # deeper\n",
        "empty:\nalias: *x\n? o\n: p\nflow: {q, r: , s: t}\nplain: u\n  v # w\nlast: |\n  x",
    ));
    let check = |path: &[&str], expected: &str| assert_eq!(slice(&doc, doc.get(path).unwrap()), expected, "{path:?}");
    check(&["a"], "&x !If [b, !Sub \"c\", ]");
    check(&["block"], "|+ # e | f\n  g\n\n");
    check(&["fold"], "!Sub >-\n  h\n  i");
    check(&["list"], "- j: k\n  l:\n-\n  m\n- - n");
    check(&["empty"], "");
    check(&["alias"], "&x !If [b, !Sub \"c\", ]".get(..0).map_or("", |_| "*x"));
    check(&["o"], "p");
    check(&["flow"], "{q, r: , s: t}");
    check(&["plain"], "u\n  v");
    check(&["last"], "|\n  x");
    assert_eq!(doc.get(&["block"]).unwrap().scalar(), Some("g\n\n\n"));
    assert_eq!(doc.get(&["fold"]).unwrap().scalar(), Some("h i"));
    assert_eq!(doc.get(&["alias"]).unwrap().items().nth(1).unwrap().tag(), Some("!Sub"));
    assert_eq!(doc.get(&["a"]).unwrap().anchor(), Some("x"));
    assert!(doc.get(&["a"]).unwrap().is_shared() && !doc.get(&["list"]).unwrap().is_shared());
    check_spans(&doc, doc.root());
}

#[test]
fn comments_belong_to_entries() {
    let doc = parse("# top\n\n# of a\n# too\na: 1 # end of a\n  # deeper, still a's\n# of b\nb:\n  # of c\n  - c # end of c\n");
    let texts = |node: Node<'_>, n: usize| -> Vec<String> {
        doc.own_comments(node, n).iter().map(|c| doc.comment_text(c).trim().to_owned()).collect()
    };
    assert_eq!(texts(doc.root(), 0), ["of a", "too", "end of a"]);
    assert_eq!(texts(doc.root(), 1), ["of b", "end of c"]);
    assert_eq!(texts(doc.get(&["b"]).unwrap(), 0), ["of c", "end of c"]);
    assert_eq!(doc.comments_within(0..doc.text().len()).count(), 8);
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    let check = |bytes: &[u8], expected: TemplateError| assert_eq!(Document::parse(bytes).unwrap_err(), expected);
    let syntax = |line, column, problem: &str| TemplateError::Syntax { line, column, problem: problem.to_owned() };
    check(b"a: \xff", TemplateError::Encoding(3));
    check(b"a: 1\nb:\n  c: 1\n  c: 2\n", TemplateError::DuplicateKey { line: 4, column: 3, key: "c".into() });
    check(b"{\"a\": 1,\n \"\\u0061\": 2}", TemplateError::DuplicateKey { line: 2, column: 2, key: "a".into() });
    check(b"a: 1\n---\nb: 2\n", syntax(2, 1, "a second document begins; a template is one document"));
    check(b"a: 1\rb: 2\n", syntax(1, 5, "a carriage return stands without a line feed; lines end with LF or CRLF"));
    check(b"", syntax(1, 1, "the document is empty"));
    check(b"# only words\n", syntax(1, 1, "the document is empty"));
    check(b"{\"a\": [1, 2}", syntax(1, 12, "`,` or `]` is expected here"));
    check(b"{\"a\": 1} x", syntax(1, 10, "something follows the outermost value"));
    check(b"{\"a\": \"b", syntax(1, 9, "the string has no end"));
    check(b"{\"a\": \"\\x\"}", syntax(1, 7, "the string has an escape that JSON does not know"));
    check(b"{\"a\": 1., }]", syntax(1, 9, "the number is not complete"));
    check(b"{\"a\": 1, 2]", syntax(1, 10, "a key in quotes is expected here"));
    check(b"{\"a\" 1, ]", syntax(1, 6, "`:` is expected after a key"));
    check(b"{\"a\": nil, ]", syntax(1, 7, "a value is expected here"));
    check(b"{\"a\": \"\n\", ]", syntax(1, 8, "a control character stands in a string"));
    check(b"a: &x\n  - *x\n", syntax(2, 5, "an alias stands inside the node that it stands for"));
    check(&vec![b' '; MAX_BYTES + 1], TemplateError::TooLarge(MAX_BYTES + 1));
    assert!(matches!(Document::parse(b"a: [1\nb: 2"), Err(TemplateError::Syntax { .. })));
    assert!(matches!(Document::parse(b"a: *nobody\n"), Err(TemplateError::Syntax { line: 1, column: 4, .. })));
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    assert!(matches!(Document::parse(deep.as_bytes()), Err(TemplateError::TooDeep { line: 1, .. })));
    for open in ["- ", "[", "{a: ", "? "] {
        let deep = open.repeat(100_000);
        assert!(Document::parse(deep.as_bytes()).is_err(), "{open}");
    }
}

#[test]
fn edits_that_overlap_or_lie_outside_are_refused() {
    let doc = parse("a: bcd\n");
    let check = |edits: Vec<Edit>, from, to| assert_eq!(doc.apply(edits).unwrap_err(), TemplateError::Overlap(from, to));
    check(vec![Edit::delete(3..5), Edit::delete(4..6)], 4, 6);
    check(vec![Edit::delete(3..99)], 3, 99);
    check(vec![Edit::new(std::ops::Range { start: 5, end: 4 }, "")], 5, 4);
    assert!(matches!(doc.apply(vec![Edit::insert(0, "[")]), Err(TemplateError::Syntax { .. })));
    let both = doc.apply(vec![Edit::delete(4..5), Edit::insert(4, "1"), Edit::insert(4, "2")]).unwrap();
    assert_eq!(both.text(), "a: b12d\n");
    let all = doc.take_out(doc.root(), &[0].into());
    assert_eq!(all, Err(TemplateError::Unsupported("line 1, column 1: the collection would be empty".into())));
    assert!(doc.take_out(doc.get(&["a"]).unwrap(), &[0].into()).is_err());
    assert!(parse("[1, 2]").take_out(parse("[1, 2]").root(), &[7].into()).is_err());
}

/// An entry put into `before` gives `after`.
#[track_caller]
fn check_put(before: &str, path: &[&str], place: Place, comment: &str, after: &str) {
    let doc = parse(before);
    let node = doc.get(path).unwrap();
    let comments: Vec<String> = comment.lines().map(str::to_owned).collect();
    let value = Value::map([("k", Value::text("v: w")), ("l", Value::list([Value::tagged("Ref", Value::text("R"))]))]);
    let style = Style::around(doc.root(), &[]);
    let edits = if node.is_mapping() {
        doc.put(node, place, Entry::Pair(&Pair { comments, key: "new".into(), value }), &style)
    } else {
        doc.put(node, place, Entry::Item(&Item { comments, value }), &style)
    };
    assert_eq!(doc.apply(edits.unwrap()).unwrap().text(), after);
}

#[test]
fn entries_are_put_in_as_their_surroundings_are_written() {
    check_put("a:\n- b: c\n", &["a"], Place::End, "why", "a:\n- b: c\n# why\n- k: 'v: w'\n  l:\n  - !Ref R\n");
    check_put(
        "a:\n    -   b: c",
        &["a"],
        Place::End,
        "",
        "a:\n    -   b: c\n    -   k: 'v: w'\n        l:\n            -   !Ref R",
    );
    check_put(
        "a:\r\n  b: c # d\r\n",
        &["a"],
        Place::After(0),
        "x",
        "a:\r\n  b: c # d\r\n  # x\r\n  new:\r\n    k: 'v: w'\r\n    l:\r\n      - !Ref R\r\n",
    );
    check_put(
        "a: \"b\"\nc: d\n",
        &[],
        Place::Before(1),
        "",
        "a: \"b\"\nnew:\n  k: \"v: w\"\n  l:\n    - !Ref R\nc: d\n".replace("\"v: w\"", "'v: w'").as_str(),
    );
    check_put("a: 1\n# of c\nc: d\n", &[], Place::Before(1), "", "a: 1\nnew:\n  k: 'v: w'\n  l:\n    - !Ref R\n# of c\nc: d\n");
    check_put("a:\n- b: c\n", &["a"], Place::Over { index: 0, from: None }, "", "a:\n- k: 'v: w'\n  l:\n  - !Ref R\n");
    check_put(
        "a:\n  - |+\n    b\n\nc: d\n",
        &["a"],
        Place::End,
        "",
        "a:\n  - |+\n    b\n\n  - k: 'v: w'\n    l:\n      - !Ref R\nc: d\n",
    );
    check_put("- - a\n  - b\n", &[], Place::End, "", "- - a\n  - b\n- k: 'v: w'\n  l:\n    - !Ref R\n");
    check_put("a: [b, c]\n", &["a"], Place::After(0), "", "a: [b, {k: 'v: w', l: [!Ref R]}, c]\n");
    check_put("a: [b,]\n", &["a"], Place::End, "", "a: [b, {k: 'v: w', l: [!Ref R]},]\n");
    check_put("a: []\n", &["a"], Place::End, "", "a: [{k: 'v: w', l: [!Ref R]}]\n");
    check_put(
        "a: [\n  b # why b\n]\n",
        &["a"],
        Place::End,
        "",
        "a: [\n  b, # why b\n  {\n    k: 'v: w',\n    l: [\n      !Ref R\n    ]\n  }\n]\n",
    );
    check_put(
        r#"{"a":{"b":1},"c":[1,2]}"#,
        &["a"],
        Place::End,
        "",
        r#"{"a":{"b":1,"new":{"k":"v: w","l":[{"Ref":"R"}]}},"c":[1,2]}"#,
    );
    check_put(
        "{\n\t\"a\" : []\n}",
        &["a"],
        Place::End,
        "",
        "{\n\t\"a\" : [\n\t\t{\n\t\t\t\"k\" : \"v: w\",\n\t\t\t\"l\" : [\n\t\t\t\t{\"Ref\" : \"R\"}\n\t\t\t]\n\t\t}\n\t]\n}",
    );
    check_put(
        "a:\n  Fn::Sub: b\nc:\n  Ref: d\n",
        &[],
        Place::End,
        "",
        "a:\n  Fn::Sub: b\nc:\n  Ref: d\nnew:\n  k: 'v: w'\n  l:\n    - Ref: R\n",
    );
}

/// Entries taken out of `before` give `after`.
#[track_caller]
fn check_out(before: &str, indices: &[usize], after: &str) {
    let doc = parse(before);
    let edits = doc.take_out(doc.get(&["a"]).unwrap(), &indices.iter().copied().collect()).unwrap();
    assert_eq!(doc.apply(edits).unwrap().text(), after);
}

#[test]
fn entries_go_with_their_own_comments_only() {
    check_out("a:\n  # of b\n  - b # end\n  # of c\n  - c\n", &[0], "a:\n  # of c\n  - c\n");
    check_out("a:\n  - b\n\n  # apart\n\n  - c\nd: e\n", &[1], "a:\n  - b\n\n  # apart\n\nd: e\n");
    check_out("a:\n  - b\n  - c", &[1], "a:\n  - b");
    check_out("a:\n  - b\n  - c:\n      d\n      # in c\n  - e\n", &[1], "a:\n  - b\n  - e\n");
    check_out("x:\n- a: 1\na:\n  b: 1\n  c: 2\n", &[0], "x:\n- a: 1\na:\n  c: 2\n");
    check_out("a: [b, c, d]\n", &[0], "a: [c, d]\n");
    check_out("a: [b, c, d]\n", &[1, 2], "a: [b]\n");
    check_out("a: [b, c, d,]\n", &[2], "a: [b, c,]\n");
    check_out("a: [ b, c ]\n", &[1], "a: [ b ]\n");
    check_out("a: [\n  b, # of b\n  # of c\n  c # end c\n]\n", &[1], "a: [\n  b # of b\n]\n");
    check_out("a: [\n  # of b\n  b, # end b\n  # of c\n  c\n]\n", &[0], "a: [\n  # of c\n  c\n]\n");
    check_out("a: [\n  b\n  , c\n  , d\n]\n", &[1], "a: [\n  b\n  , d\n]\n");
    check_out("{\"a\":[1,2,3]}", &[0, 2], "{\"a\":[2]}");
    check_out("{\n  \"a\": [\n    1,\n    2\n  ]\n}\n", &[1], "{\n  \"a\": [\n    1\n  ]\n}\n");
}

#[test]
fn texts_get_quotes_exactly_where_yaml_needs_them() {
    let written = |text: &str| {
        let doc = parse("a: b\n");
        let style = Style::around(doc.root(), &[]);
        let edit = doc.replace(doc.get(&["a"]).unwrap(), &Value::text(text), &style);
        doc.apply(vec![edit]).unwrap().text()[3..].trim_end().to_owned()
    };
    for plain in [
        "Allow",
        "ssm:GetParameter",
        "arn:aws:s3:::b/k",
        "a#b",
        "a:b",
        "1a",
        "1.2.3.4x",
        "i-0abc",
        "us-east-1",
        "x y",
        "it's",
        "a*",
        "null-x",
        ".",
    ] {
        assert_eq!(written(plain), plain);
    }
    for quoted in [
        "",
        "*",
        "2012-10-17",
        "2012-10-17T10:00:00Z",
        "true",
        "No",
        "y",
        "~",
        "null",
        "123456789012",
        "0x1f",
        "0o17",
        "1e3",
        "-1",
        "+.5",
        ".inf",
        "12:30:45",
        "1_000",
        "=",
        "<<",
        "- a",
        "? a",
        "a: b",
        "a #b",
        "a:",
        " a",
        "a ",
        "#a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "[a",
        "{a",
        "}",
        "a, b]",
    ] {
        assert_eq!(written(quoted), format!("'{quoted}'"));
    }
    assert_eq!(written("'"), "''''");
    assert_eq!(written("a\nb\t\u{1b}[31m\u{202e}\u{7f}"), r#""a\nb\t\u001b[31m\u202e\u007f""#);
}

#[test]
fn both_forms_of_a_function_read_alike() {
    let yaml = parse(
        "- !Sub a\n- Fn::Sub: a\n- !GetAtt b.c.d\n- Fn::GetAtt: [b, c.d]\n- !Ref e\n- {Ref: e}\n- !If [f, 1, true]\n- 'Fn::If': [f, 1, true]\n",
    );
    let json = parse(
        r#"[{"Fn::Sub": "a"}, {"Fn::Sub": "a"}, {"Fn::GetAtt": "b.c.d"}, {"Fn::GetAtt": ["b", "c.d"]}, {"Ref": "e"}, {"Ref": "e"}, {"Fn::If": ["f", 1, true]}, {"Fn::If": ["f", 1, true]}]"#,
    );
    let read = |doc: &Document| Value::read(doc.root()).unwrap();
    assert_eq!(read(&yaml), read(&json));
    let items: Vec<Value> = read(&yaml).items().cloned().collect();
    assert!(items.chunks(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(read(&parse("[1, 1.5, true, ~, '1', x]")).to_json(), serde_json::json!([1, 1.5, true, null, "1", "x"]));
    assert_eq!((parse("{\"a\": 1}").format(), parse("{a: 1}").format()), (Format::Json, Format::Yaml));
}

#[test]
fn aliases_do_not_expand_without_end() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let all = vec![format!("*a{}", n - 1); 10].join(", ");
        text.push_str(&format!("a{n}: &a{n} [{all}]\n"));
    }
    let doc = parse(&text);
    assert_eq!(Value::read(doc.root()), None);
    assert!(Value::read(doc.get(&["a2"]).unwrap()).is_some());
}

/// Texts that break naive writers.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "a",
        "ssm:Get",
        "'",
        "\"",
        "\\",
        "\n",
        "\r",
        "\t",
        "${",
        "}",
        "${!",
        "*",
        "#",
        " #",
        ": ",
        ":",
        "- ",
        "{",
        "[",
        ",",
        "%",
        "é",
        "𝄞",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{1b}[2J",
        "\0",
        "---",
        "...",
        "&x",
        "*x",
        "!Sub",
        "|",
        ">",
        "~",
        "1",
        "2012-10-17",
        "<script>",
        " ",
        "\u{202e}",
        "<<",
        "=",
        "?",
    ]);
    prop::collection::vec(parts, 0..6).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        hostile().prop_map(Value::Str),
        Just(Value::Bool(true)),
        Just(Value::Null),
        Just(Value::Number("-1.5".into()))
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let map = prop::collection::btree_map(hostile(), inner.clone(), 0..4);
        let names = prop::sample::select(vec!["Sub", "Ref", "Join", "If", "Select"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::list),
            // A mapping with the one key `Ref` or `Fn::…` is a function.
            map.prop_map(|map| Value::map(map.into_iter().map(|(key, value)| (format!("k{key}"), value)))),
            map_keys(inner.clone()),
            (names, inner).prop_map(|(name, argument)| Value::tagged(name, argument)),
        ]
    })
}

fn map_keys(inner: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = Value> {
    (hostile(), inner.clone(), inner).prop_map(|(key, one, other)| Value::map([(key, one), ("z".to_owned(), other)]))
}

const HOLDERS: [(&str, &[&str]); 8] = [
    ("a:\n  b:\n  - c\n", &["a", "b"]),
    ("a:\n    b:\n        -   'c'\n", &["a", "b"]),
    ("x: !Ref y\r\na:\r\n  b: c\r\n", &["a"]),
    ("a: {b: [c, d]}\n", &["a", "b"]),
    ("a: [\n  b\n  ]\n", &["a"]),
    ("a:\n  Ref: b\nc: []\n", &["c"]),
    ("{\"a\":[1]}", &["a"]),
    ("{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n", &["a"]),
];

/// Documents to edit anywhere.
const EDITED: [&str; 6] = [
    include_str!("fixtures/templates/nasty.yaml"),
    include_str!("fixtures/templates/several.yaml"),
    "a:\n  b:\n    c: 1 # d\n    e: |+\n      f\n\n  # g\n  h: [i, 'j'] # k\n  # l\nm:\n  n: o\n  p:\n  - q: r\n    s: t\n  -\n    u\nv: w\n",
    "# a\nb:\n   c: >-\n     d\n\n     e\n   ? f\n   : g\n   h:\n   i: \"j\n     k\"\n   l: &x m\nn:\n   o: *x\n   p: {q: r}\n...\n",
    "---\r\na:\r\n  b: 1\r\n\r\n  c: !Sub\r\n  - d\r\n  - {e: f}\r\n  g:\r\n# h\r\ni:\r\n  j: k\r\n  l:\r\n    - m",
    "\u{feff}a:\n b: 1\n c:\n  d: 2\n  e: 3\nf:\n g: |2\n   h\n i: k\n   l\n",
];

/// What comes into them.
const FRAGMENTS: [&str; 34] = [
    "",
    "",
    "",
    "\n",
    "\r\n",
    " ",
    "  ",
    "   ",
    "\t",
    "x",
    "x: y\n",
    "  x: y\n",
    "    x: y\n",
    "    x:\n      y\n",
    "a: 1\n",
    "  b: 1\n",
    "- z\n",
    "  - z\n",
    "# c\n",
    " # c",
    "|+\n",
    "|\n    x\n",
    ">2\n",
    "'",
    "\"",
    "{",
    "}]",
    "&x ",
    "*x",
    "!Ref ",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
];

proptest! {

    /// INVARIANT (splice-keeps-the-rest)
    #[test]
    fn a_splice_keeps_every_other_byte(cuts in prop::collection::btree_set(0usize..40, 0..8), texts in prop::collection::vec("[xyz]{0,3}", 4)) {
        let text = "a: 'häß€𝄞 abcdefghijklmnopqrstuvw'\n";
        let bounds: Vec<usize> = cuts.into_iter().filter(|&at| at > 3 && at < text.len() - 2 && text.is_char_boundary(at)).collect();
        let edits: Vec<Edit> = bounds.chunks_exact(2).zip(&texts).map(|(pair, text)| Edit::new(pair[0]..pair[1], text.clone())).collect();
        let result = parse(text).apply(edits.clone()).unwrap();
        // Undoing the edits from the back gives the text again.
        let mut undone = result.text().to_owned();
        let mut shift = 0isize;
        for edit in &edits {
            let at = edit.span.start.checked_add_signed(shift).unwrap();
            prop_assert_eq!(&undone[at..at + edit.replacement.len()], edit.replacement.as_str());
            shift += edit.replacement.len() as isize - edit.span.len() as isize;
        }
        for edit in edits.iter().rev() {
            shift -= edit.replacement.len() as isize - edit.span.len() as isize;
            let at = edit.span.start.checked_add_signed(shift).unwrap();
            undone.replace_range(at..at + edit.replacement.len(), &text[edit.span.clone()]);
        }
        prop_assert_eq!(undone, text);
    }

    /// Whatever is put in reads back as it is, beside what was there, in every style.
    #[test]
    fn what_is_put_in_reads_back(value in value(), comment in hostile(), holder in 0..HOLDERS.len()) {
        let (text, path) = HOLDERS[holder];
        let doc = parse(text);
        let node = doc.get(path).unwrap();
        let style = Style::around(doc.root(), &[]);
        let comments = vec![comment];
        let edits = if node.is_mapping() {
            doc.put(node, Place::End, Entry::Pair(&Pair { comments, key: "new".into(), value: value.clone() }), &style)
        } else {
            doc.put(node, Place::End, Entry::Item(&Item { comments, value: value.clone() }), &style)
        };
        let after = doc.apply(edits.unwrap());
        let after = match after { Ok(after) => after, Err(error) => return Err(TestCaseError::fail(format!("{error}: {value:?}"))) };
        let holder = after.get(path).unwrap();
        let put = holder.get("new").or_else(|| holder.items().next_back()).unwrap();
        prop_assert_eq!(Value::read(put).unwrap().to_json(), value.to_json(), "{}", after.text());
        check_spans(&after, after.root());
    }

    /// Taking entries out of a list leaves the others, whatever the layout.
    #[test]
    fn what_is_taken_out_is_gone_and_the_rest_stays(
        items in prop::collection::vec((0..4usize, any::<bool>(), any::<bool>()), 2..7),
        mask in 0..127usize,
        layout in 0..5usize,
        trailing in any::<bool>(),
    ) {
        // Some go, and some stay.
        let all = (1 << items.len()) - 1;
        let mask = if mask & all == all || mask & all == 0 { 1 } else { mask };
        let gone: BTreeSet<usize> = (0..items.len()).filter(|n| mask >> n & 1 == 1).collect();
        let mut text = String::from(["a:\n", "a: [", "a: [\n", "{\"a\": [", "x:\n  - - 0\na:\n"][layout]);
        for (n, (shape, above, after)) in items.iter().enumerate() {
            let body = [format!("i{n}"), format!("\"i{n}\""), format!("[i{n}, 1]"), format!("{{k: i{n}}}")][*shape].clone();
            let last = n + 1 == items.len();
            match layout {
                0 | 4 => text.push_str(&format!("{}  - {body}{}\n", if *above { format!("  # above {n}\n") } else { String::new() }, if *after { " # after" } else { "" })),
                1 => text.push_str(&format!("{body}{}", if last && !trailing { "" } else { ", " })),
                2 => text.push_str(&format!("{}  {body}{}{}\n", if *above { "  # above\n" } else { "" }, if last && !trailing { "" } else { "," }, if *after { " # after, this" } else { "" })),
                _ => text.push_str(&format!("\"i{n}\"{}", if last { "" } else { "," })),
            }
        }
        text.push_str(["z: 1\n", "]\n", "]\nz: 1", "]}", ""][layout]);
        let doc = parse(&text);
        let list = doc.get(&["a"]).unwrap();
        let after = doc.apply(doc.take_out(list, &gone).unwrap()).unwrap_or_else(|e| panic!("{e}: {gone:?} of\n{text}"));
        let kept: Vec<&str> = list.items().enumerate().filter(|(n, _)| !gone.contains(n)).map(|(_, item)| slice(&doc, item)).collect();
        let left: Vec<&str> = after.get(&["a"]).unwrap().items().map(|item| slice(&after, item)).collect();
        prop_assert_eq!(left, kept, "{:?} of\n{}gives\n{}", gone, text, after.text());
        if layout == 0 {
            for n in (0..items.len()).filter(|n| items[*n].1) {
                prop_assert_eq!(after.text().contains(&format!("# above {n}\n")), !gone.contains(&n), "{}", after.text());
            }
        }
    }

    /// INVARIANT (reparse-is-parse): an edited document is the one that its text alone gives, whatever the edit.
    #[test]
    fn an_edited_document_is_that_of_its_text(seed in 0..EDITED.len(), edits in prop::collection::vec((0.0..1.0f64, 0..20usize, 0..FRAGMENTS.len(), 0..FRAGMENTS.len()), 1..4)) {
        let doc = parse(EDITED[seed]);
        let at = |offset: usize| (0..=offset.min(doc.text().len())).rev().find(|&at| doc.text().is_char_boundary(at)).unwrap();
        let edit = |(place, length, first, second): (f64, usize, usize, usize)| {
            let from = (place * doc.text().len() as f64) as usize;
            Edit::new(at(from)..at(from + length / 2), format!("{}{}", FRAGMENTS[first], FRAGMENTS[second]))
        };
        if let Ok(edited) = doc.apply(edits.into_iter().map(edit).collect()) {
            let parsed = parse(edited.text());
            prop_assert!(format!("{edited:?}") == format!("{parsed:?}"), "{}", edited.text());
        }
    }

    /// No input makes the parser panic, and what it takes has consistent bytes.
    #[test]
    fn broken_documents_are_refused_or_consistent(seed in 0..5usize, cuts in prop::collection::vec((0.0..1.0f64, 0..12usize, hostile()), 1..4)) {
        let fixture = [
            include_str!("fixtures/templates/nasty.yaml"), include_str!("fixtures/templates/several.yaml"), include_str!("fixtures/templates/flow.template"),
            include_str!("fixtures/templates/tabs.json"), include_str!("fixtures/templates/one-line.json"),
        ][seed];
        let mut text: Vec<char> = fixture.chars().collect();
        for (at, length, put) in cuts {
            let at = (at * text.len() as f64) as usize;
            let end = (at + length).min(text.len());
            text.splice(at..end, put.chars());
        }
        let text: String = text.into_iter().collect();
        if let Ok(doc) = Document::parse(text.as_bytes()) {
            prop_assert_eq!(doc.text(), &text);
            check_spans(&doc, doc.root());
        }
    }
}
