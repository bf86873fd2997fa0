//! Making log content harmless for where it is shown: one function for each place.

/// Text for a terminal, which may be the log of a CI job: control characters, bidirectional controls and other invisible
/// characters are written as `\u{…}`, so that a name in a log can neither move the cursor nor pose as something else, and
/// `##[`, which GitHub's runner takes for a command anywhere in a line, is broken up.
///
/// Source: actions/runner, `src/Runner.Common/ActionCommand.cs`, `TryParse`.
#[must_use]
pub fn terminal(text: &str) -> String {
    visible(text).replace("##[", "#\\u{23}[")
}

/// Text in which every character can be seen.
fn visible(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_treacherous(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// [`terminal`], but line ends stay, and no line begins like a workflow command.
///
/// Source: actions/runner, `src/Runner.Common/ActionCommand.cs`, `TryParseV2`: white space before `::` is skipped.
#[must_use]
pub fn terminal_lines(text: &str) -> String {
    let line = |line: &str| {
        let safe = terminal(line);
        let start = safe.len() - safe.trim_start().len();
        match (safe.get(..start), safe.get(start..).and_then(|rest| rest.strip_prefix("::"))) {
            (Some(space), Some(rest)) => format!("{space}\\u{{3a}}:{rest}"),
            _ => safe,
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Text between the tags, or in a quoted attribute, of an HTML document. What [`terminal`] shows as `\u{…}` is shown so
/// here too: a name must not pose as another one in any format.
#[must_use]
pub fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '`' => safe.push_str("&#96;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Text anywhere in Markdown: in a paragraph, a table cell, or between the tags of an HTML block. Punctuation that could
/// be markup becomes a character reference, which CommonMark never takes for structure. A comment behind `@` and `#`
/// keeps hosts from reading a mention of a person or a reference to an issue into it.
///
/// Source: CommonMark 0.31.2, section 2.5, "Entity and numeric character references"; GitHub Flavored Markdown 0.29,
/// sections 4.10 and 6.9 (tables, extended autolinks).
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '@' | '#' => safe.push_str(&format!("&#{};<!-- -->", u32::from(c))),
            ' ' | '-' | '/' | ',' | ';' | '+' | '=' | '%' => safe.push(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => safe.push_str(&format!("&#{};", u32::from(c))),
            c => safe.push(c),
        }
    }
    safe
}

/// Text between the quotes of a JSON string.
#[must_use]
pub fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// A JSON document in which what [`terminal`] would not print is escaped with `\u`: the same document, safe to print. Such
/// characters can only stand in strings.
#[must_use]
pub fn json_document(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_treacherous(c) && !c.is_ascii() {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    safe.replace("##[", "#\\u0023[")
}

/// The message of a GitHub workflow command (`::error::MESSAGE`).
///
/// Source: actions/toolkit, `packages/core/src/command.ts`, `escapeData`.
#[must_use]
pub fn workflow(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(visible).collect();
    lines.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a GitHub workflow command (`::error title=PROPERTY::…`).
///
/// Source: actions/toolkit, `packages/core/src/command.ts`, `escapeProperty`.
#[must_use]
pub fn workflow_property(text: &str) -> String {
    workflow(text).replace(':', "%3A").replace(',', "%2C")
}

/// A relative path as the URI reference of a SARIF artifact location (RFC 3986).
#[must_use]
pub fn uri(path: &str) -> String {
    let mut safe = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    safe
}

/// Characters that are not seen or change how others are seen.
///
/// Source: Unicode 16.0, `DerivedCoreProperties.txt`, Default_Ignorable_Code_Point, with the line and paragraph separators,
/// the interlinear annotations, and U+2800, a Braille pattern without dots.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(terminal("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\u{d}\\u{a}");
        assert_eq!(terminal("evil\u{202e}gpj.exe"), "evil\\u{202e}gpj.exe");
        assert_eq!(terminal("Zürich 東京"), "Zürich 東京");
        assert_eq!(terminal_lines("a\nb\u{7}"), "a\nb\\u{7}");
        for invisible in ['\u{61c}', '\u{ad}', '\u{3164}', '\u{fe0f}', '\u{e0101}', '\u{2066}', '\u{200d}', '\u{2800}'] {
            assert_eq!(terminal(&format!("a{invisible}b")), format!("a{}b", invisible.escape_unicode()));
        }
    }

    #[test]
    fn no_line_is_a_workflow_command() {
        assert_eq!(terminal_lines(" ::error::x\n+ ::y\n::z"), " \\u{3a}:error::x\n+ ::y\n\\u{3a}:z");
        assert_eq!(terminal("a ##[add-mask]b"), "a #\\u{23}[add-mask]b");
    }

    #[test]
    fn each_place_has_its_own_dangers() {
        const HOSTILE: &str = "<b>|`*_[x](y) @team #1 a\nb\u{1b}[31m\"'&%:,\\";
        let marked = markdown(HOSTILE);
        assert!(!marked.replace("<!-- -->", "").contains(['<', '>', '|', '`', '*', '_', '[', '(', '\n', '\u{1b}', '"', '\\']));
        assert!(marked.contains("&#64;<!-- -->team &#35;<!-- -->1"), "{marked}");
        let shown = html(HOSTILE);
        assert!(!shown.contains(['<', '>', '"', '\'', '\n', '\u{1b}', '`']), "{shown}");
        assert!(shown.starts_with("&lt;b&gt;|"), "{shown}");
        let parsed: String = serde_json::from_str(&format!("\"{}\"", json(HOSTILE))).unwrap();
        assert_eq!(parsed, HOSTILE);
        let document = json_document("{\n  \"\u{202e}\u{9b}\": \"\u{e0041}\u{e4}\"\n}");
        assert_eq!(document, "{\n  \"\\u202e\\u009b\": \"\\udb40\\udc41\u{e4}\"\n}");
        assert_eq!(workflow("a\n::error::x 5%"), "a%0A::error::x 5%25");
        assert_eq!(workflow_property("a,title=b::c"), "a%2Ctitle=b%3A%3Ac");
        assert_eq!(uri("cfn/a b#?:\u{e4}.yaml"), "cfn/a%20b%23%3F%3A%C3%A4.yaml");
    }
}
