//! Reports in every format: what they look like, that they are what they claim to be, and that names from logs stay
//! names in all of them.
//!
//! After a wanted change: `INSTA_UPDATE=always cargo test --test reports`, and read the difference.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/node.rs"]
mod node;
#[path = "support/python.rs"]
mod python;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use policyc::review::render::{Format, MARKDOWN_LIMIT};
use serde_json::Value;

const FORMATS: [&str; 6] = ["text", "markdown", "html", "json", "sarif", "github"];
const ONE: &str = "ssm-demo-privatelink-PrivateLinkInstanceRole-";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn policyc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_policyc")).args(arguments).current_dir(repository()).output().unwrap()
}

fn report(format: &str, arguments: &[&str]) -> String {
    let done = policyc(&[&["report", "--format", format], arguments].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

fn demo(format: &str) -> String {
    report(format, &["--stack", "demo"])
}

fn hostile(format: &str) -> String {
    report(format, &["--trail", &hostile::trail(), "--role", hostile::ROLE])
}

/// A file of the test's own.
fn scratch(name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    fs::write(&path, bytes).unwrap();
    path
}

/// Digests and the version change with what they stand for.
fn steady(text: &str) -> String {
    let mut steady = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let is_digest = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let digests: Vec<String> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| is_digest(w)).map(str::to_owned).collect();
    for digest in digests {
        steady = steady.replace(&digest, "SHA256");
    }
    steady
}

/// The name of the demo's smallest role.
fn smallest() -> String {
    let all: Value = serde_json::from_str(&demo("json")).unwrap();
    let name = all["PrivateLinkInstanceRole"]["role"].as_str().unwrap().to_owned();
    assert!(name.starts_with(ONE), "{name}");
    name
}

#[test]
fn what_people_see() {
    insta::assert_snapshot!("text", steady(&demo("text")));
    insta::assert_snapshot!("markdown", steady(&demo("markdown")));
    insta::assert_snapshot!("github", steady(&demo("github")));
}

#[test]
fn what_programs_and_browsers_see() {
    let role = smallest();
    let of_one = |format: &str| steady(&report(format, &["--trail", "cfn/recording/AWSLogs", "--role", &role]));
    insta::assert_snapshot!("json", of_one("json"));
    // Styles and the program have files of their own.
    let html = of_one("html");
    let (head, rest) = html.split_once("<style>").unwrap();
    let (body, _) = rest.split_once("</style>").unwrap().1.split_once("<script>").unwrap();
    let policy = head.lines().find(|l| l.contains("Content-Security-Policy")).unwrap();
    assert!(policy.contains("default-src 'none'") && policy.matches("'sha256-").count() == 2 && !policy.contains("unsafe"));
    insta::assert_snapshot!("html", body);
    let all = steady(&demo("html"));
    let endpoint =
        &all[all.find("<section class=\"role\" aria-labelledby=\"endpoint-1\">").unwrap()..all.find("</main>").unwrap()];
    insta::assert_snapshot!("html_endpoint", endpoint);
    let sarif: Value = serde_json::from_str(&steady(&demo("sarif"))).unwrap();
    insta::assert_snapshot!("sarif", serde_json::to_string_pretty(&sarif["runs"][0]["results"]).unwrap());
}

/// Validates documents against a schema with the reference implementation for Python.
fn validate(schema: &Path, documents: &[PathBuf]) {
    const SCRIPT: &str = "import json, sys, jsonschema\n\
        load = lambda p: json.load(open(p, encoding='utf-8'))\n\
        schema = load(sys.argv[1])\n\
        kind = jsonschema.validators.validator_for(schema)\n\
        kind.check_schema(schema)\n\
        for p in sys.argv[2:]:\n\
        \x20   for e in kind(schema).iter_errors(load(p)):\n\
        \x20       best = jsonschema.exceptions.best_match([e])\n\
        \x20       print(p, list(best.absolute_path), best.message[:300])";
    let said = python::run(Command::new(python::python()).args(["-c", SCRIPT]).arg(schema).args(documents));
    assert_eq!(said, "");
}

#[test]
fn json_is_as_its_schema_says() {
    let role = smallest();
    let documents = [
        scratch("demo.json", demo("json")),
        scratch("one.json", report("json", &["--trail", "cfn/recording/AWSLogs", "--role", &role])),
        scratch("hostile.json", hostile("json")),
    ];
    validate(&repository().join("docs/report.schema.json"), &documents);
    // The schema is strict: a key that it does not know is an error.
    let mut strange: Value = serde_json::from_str(&hostile("json")).unwrap();
    strange["surprise"] = true.into();
    let path = scratch("strange.json", strange.to_string());
    let failed = std::panic::catch_unwind(|| validate(&repository().join("docs/report.schema.json"), &[path]));
    assert!(failed.is_err(), "the schema takes anything");
}

#[test]
fn the_report_of_derive_is_the_json_format() {
    let done = policyc(&["derive", "--stack", "demo", "--dry-run", "--format", "json"]);
    let derived: Value = serde_json::from_slice(&done.stdout).unwrap();
    let mut reported: Value = serde_json::from_str(&demo("json")).unwrap();
    for role in reported.as_object_mut().unwrap().values_mut() {
        assert!(!role["places"].as_array().unwrap().is_empty());
        role["places"] = Value::Array(Vec::new());
        for endpoint in role["endpoints"].as_array_mut().unwrap() {
            assert!(!endpoint["places"].as_array().unwrap().is_empty());
            endpoint["places"] = Value::Array(Vec::new());
        }
    }
    assert_eq!(derived, reported);
}

#[test]
fn sarif_is_as_its_schema_says_and_points_at_the_role() {
    let schema = node::packages("browser").join("node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json");
    validate(&schema, &[scratch("demo.sarif", demo("sarif")), scratch("hostile.sarif", hostile("sarif"))]);

    let log: Value = serde_json::from_str(&demo("sarif")).unwrap();
    let run = &log["runs"][0];
    let rules: Vec<&str> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    let mut seen = 0;
    for result in run["results"].as_array().unwrap() {
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        let template = fs::read_to_string(repository().join(place["artifactLocation"]["uri"].as_str().unwrap())).unwrap();
        let line = place["region"]["startLine"].as_u64().unwrap() as usize;
        let before: Vec<&str> = template.lines().take(line).collect();
        let role = result["message"]["text"].as_str().unwrap().split(':').next().unwrap();
        let heading = before.iter().rposition(|l| *l == format!("  {role}:")).unwrap();
        assert!(!before[heading + 1..].iter().any(|l| l.starts_with("  ") && !l.starts_with("   ") && !l.starts_with("  #")));
        let own = template.lines().nth(line - 1).unwrap();
        assert!(own.contains("PolicyName: policyc") || own.trim_start().starts_with("- "), "line {line} is {own}");
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} results");
}

#[test]
fn names_from_logs_stay_names() {
    for format in FORMATS {
        let text = hostile(format);
        let strange = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2066}\u{200b}\u{9b}".contains(c);
        assert!(!text.contains(strange), "{format} has {:?}", text.chars().find(|c| strange(*c)));
        assert!(text.contains("globalThis"), "{format} leaves the names out");
    }
    assert!(!hostile("html").contains("<script>globalThis") && hostile("html").matches("<script").count() == 1);

    for line in hostile("github").lines() {
        let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (kind, properties) = head.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&kind), "{line}");
        assert!(properties.starts_with("title=policyc ") && !properties.contains(','), "{line}");
        assert!(message.starts_with("web-Role: "), "{line}");
    }
    for line in hostile("text").lines().chain(demo("text").lines()) {
        assert!(!line.trim_start().starts_with("::"), "{line}");
    }
}

#[test]
fn names_are_no_markup_in_markdown() {
    // GitHub's parser, with raw HTML passed through as the host gets it before it cleans up.
    const SCRIPT: &str = "import sys, collections, html.parser, cmarkgfm\n\
        from cmarkgfm.cmark import Options\n\
        page = cmarkgfm.github_flavored_markdown_to_html(open(sys.argv[1]).read(), options=Options.CMARK_OPT_UNSAFE)\n\
        stack, cells, text = [], [], []\n\
        class P(html.parser.HTMLParser):\n\
        \x20   def handle_starttag(self, t, a):\n\
        \x20       print('tag', t)\n\
        \x20       if t == 'tr': cells.append(0)\n\
        \x20       if t in ('td', 'th'): cells[-1] += 1\n\
        \x20       if t != 'br': stack.append(t)\n\
        \x20   def handle_endtag(self, t):\n\
        \x20       assert stack.pop() == t, t\n\
        \x20   def handle_data(self, d):\n\
        \x20       text.append(d)\n\
        P(convert_charrefs=True).feed(page)\n\
        assert not stack, stack\n\
        print('cells', *sorted(set(cells)))\n\
        print('shown', '<script>globalThis.hacked=1</script>' in ''.join(text), 'a | b || c' in ''.join(text))\n\
        print('mentioned', any(d.startswith('@') and d[1:2].isalpha() for d in ' '.join(text).split()))";
    let path = scratch("hostile.md", hostile("markdown"));
    let said = python::run(Command::new(python::python()).args(["-c", SCRIPT]).arg(path));
    let allowed = "h2 h3 table thead tbody tr th td code br em strong details summary ul li p pre sub blockquote".split(' ');
    let allowed: Vec<&str> = allowed.collect();
    for tag in said.lines().filter_map(|l| l.strip_prefix("tag ")) {
        assert!(allowed.contains(&tag), "a name became <{tag}>");
    }
    assert!(said.contains("cells 3 6\n"), "{said}");
    assert!(said.contains("shown True True\n"), "{said}");
}

#[test]
fn a_comment_is_never_too_long_and_says_so() {
    let mut config = "[stack.many]\ndescription = \"cfn/recording/stack.json\"\ntrail = [\"cfn/recording/AWSLogs\"]\n".to_owned();
    config.push_str("baseline = \"AmazonEC2RoleforSSM\"\n");
    for n in 0..12 {
        config.push_str("[[stack.many.role]]\nstack = \"ssm-demo\"\nlogical-id = \"NatInstanceRole\"\n");
        config.push_str(&format!("policy = \"missing-{n}.json\"\n"));
    }
    let config = config.replace("\"cfn/", &format!("\"{}/cfn/", repository().display()));
    let path = scratch("many.toml", config);
    let text = report("markdown", &["--stack", "many", "--config", &path.to_string_lossy()]);
    assert!(text.len() <= MARKDOWN_LIMIT, "{} bytes", text.len());
    assert!(text.contains("parts of it were left out") && text.matches("NatInstanceRole").count() >= 12, "{text}");
    assert!(!demo("markdown").contains("left out"));
}

#[test]
fn templates_are_overridden_and_mistakes_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_string_lossy().into_owned();
    let arguments = ["--stack", "demo", "--templates", &path];
    fs::write(folder.path().join("markdown.hbs"), "{{#each roles}}{{name}}: {{tally.gone}} gone\n{{/each}}").unwrap();
    assert!(report("markdown", &arguments).contains("NatInstanceRole: 23 gone\n"));
    // The escape function belongs to the format, not to the template.
    fs::write(folder.path().join("html.hbs"), "{{#each roles}}{{#each nothing}}{{#each rows}}{{on}}{{/each}}{{/each}}{{/each}}")
        .unwrap();
    let html = report("html", &["--trail", &hostile::trail(), "--role", hostile::ROLE, "--templates", &path]);
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");

    let check = |name: &str, text: &str, format: &str, says: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        let done = policyc(&[&["report", "--format", format][..], &arguments].concat());
        assert_eq!(done.status.code(), Some(2), "{name}");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains(says), "{said}");
        fs::remove_file(folder.path().join(name)).unwrap();
    };
    check("text.hbs", "{{#each roles}}", "text", "the template `text.hbs`");
    check("text.hbs", "{{missing}}", "text", "missing");
    check("json.hbs", "{", "json", "the template `json.hbs` gives no JSON");
    check("makdown.hbs", "", "text", "no template is called `makdown.hbs`; there are github.hbs");
}

#[test]
fn built_in_templates_show_nothing_unescaped() {
    let folder = repository().join("src/review/templates");
    for format in Format::ALL {
        let text = fs::read_to_string(folder.join(format.template())).unwrap();
        assert!(!text.contains("{{{") && !text.contains("{{&"), "{format:?}");
    }
}
