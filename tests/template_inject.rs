//! Injection into whole templates: the fixtures beside this file, and the real ones of `POLICYC_SHARED` (or
//! `../shared`) where they exist; without those the second half of each test has nothing to do.

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

use std::path::PathBuf;
use std::process::Command;

use policyc::emit::{
    Ejection, InjectError, Injection, Note, RegionalName, StackValues, Substitutions, eject, inject, map_name, mappings,
    portable, resolve, roles, section::MARKER, section_of,
};
use policyc::template::{Collection, Document, Kind, Node, Value};
use serde_json::{Value as Json, json};

const SSM: &str = "AmazonEC2RoleforSSM";

/// Name and bytes of every template, with LF and with CRLF.
fn templates() -> Vec<(String, Vec<u8>)> {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates");
    let shared = std::env::var_os("POLICYC_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from).join("templates");
    let mut found = Vec::new();
    for dir in [fixtures, shared] {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            println!("{} does not exist: nothing to do there", dir.display());
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == "manifest.json" || path.is_dir() {
                continue;
            }
            let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap().replace("\r\n", "\n");
            found.push((format!("{name} (crlf)"), text.replace('\n', "\r\n").into_bytes()));
            found.push((name, text.into_bytes()));
        }
    }
    found.sort();
    assert!(found.len() >= 14, "the fixtures are gone");
    found
}

fn substitutions(role: &str) -> Substitutions<'static> {
    let name = |region: &str, tail: &str| (region.to_owned(), format!("aws-patch-manager-{region}-{tail}"));
    Substitutions {
        partition: "aws".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        follows_region: ["patch-baseline-snapshot-us-east-1".to_owned()].into(),
        by_region: vec![RegionalName {
            key: "PatchManager".into(),
            names: [name("us-east-1", "1970c647d"), name("eu-west-1", "4b0a9d1e5")].into(),
        }],
        map: map_name(role),
        ..Substitutions::default()
    }
}

fn stack(doc: &Document) -> StackValues {
    StackValues {
        partition: "aws".into(),
        region: "us-east-1".into(),
        account: "123456789012".into(),
        mappings: mappings(doc),
        ..StackValues::default()
    }
}

fn policies() -> [Json; 2] {
    [
        json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "Parameters", "Effect": "Allow", "Action": ["ssm:GetParameter"],
             "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/a: #b/${aws:username}/*"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
             "Resource": ["arn:aws:s3:::patch-baseline-snapshot-us-east-1/*", "arn:aws:s3:::aws-patch-manager-us-east-1-1970c647d/*", "*"],
             "Condition": {"StringEquals": {"aws:ResourceAccount": "123456789012"}, "Bool": {"aws:SecureTransport": "true"}}}]}),
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ssm:UpdateInstanceInformation", "Resource": "*"}}),
    ]
}

fn injection(role: &str, policy: &Json) -> Injection {
    let portable = portable(policy, &substitutions(role));
    Injection {
        role: role.to_owned(),
        remove_managed: vec![SSM.to_owned()],
        policy_name: "derived".to_owned(),
        section: portable.section,
        regional: portable.regional,
        comments: vec![format!("{MARKER} from recorded activity."), String::new(), "policyc derive --stack demo".to_owned()],
    }
}

/// What a document says, as its own reader sees it.
fn read(bytes: &[u8]) -> Json {
    Value::read(Document::parse(bytes).unwrap().root()).unwrap().to_json()
}

/// What a document says without the parts of the role that may change.
fn rest(mut json: Json, role: &str) -> Json {
    let properties = json.pointer_mut(&format!("/Resources/{role}/Properties")).unwrap().as_object_mut().unwrap();
    let mut others = properties.remove("Policies").unwrap_or(json!([]));
    if let Some(list) = others.as_array_mut() {
        list.retain(|policy| !policy.to_string().contains("\"derived\""));
    }
    if others == json!({"Ref": "AWS::NoValue"}) {
        others = json!([]);
    }
    let managed = properties.remove("ManagedPolicyArns").unwrap_or(json!([])).to_string();
    properties.insert("Others".to_owned(), others);
    let kept: Vec<&str> =
        ["/A\"", "/B\"", "/C\"", "CloudWatch", "EKS"].into_iter().filter(|name| managed.contains(name)).collect();
    properties.insert("Managed".to_owned(), json!(kept));
    let root = json.as_object_mut().unwrap();
    let mut maps = root.remove("Mappings").filter(Json::is_object).unwrap_or(json!({}));
    maps.as_object_mut().unwrap().remove(&map_name(role));
    root.insert("Mappings".to_owned(), maps);
    json
}

/// The text without `ManagedPolicyArns` and `Policies` of the role: whole lines in block style, the bytes of the two
/// entries in flow style, there also without the commas and white space that come and go with entries.
fn outside(bytes: &[u8], role: &str) -> String {
    let doc = Document::parse(bytes).unwrap();
    let text = doc.text();
    let properties = doc.get(&["Resources", role, "Properties"]).unwrap();
    let block = properties.kind() == Kind::Mapping(Collection::Block);
    let mut kept = String::new();
    let mut done = 0;
    if let Some(maps) = doc.get(&["Mappings"]) {
        let lines = |node: Node<'_>, n: usize| {
            let span = doc.child_span(node, n).unwrap();
            let mut start = span.start;
            if doc.root().kind() == Kind::Mapping(Collection::Block) {
                start = doc.own_comments(node, n).first().map_or(start, |comment| comment.start.min(start));
                start = text[..start].rfind('\n').map_or(0, |at| at + 1);
                let end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at + 1);
                return start..end;
            }
            start..span.end
        };
        let own = maps.entries().position(|(key, _)| key.as_str() == Some(&map_name(role)));
        if own.is_some() || maps.entries().len() == 0 {
            let mut span = own.map_or(0..0, |own| lines(maps, own));
            if maps.entries().len() < 2 {
                span = lines(doc.root(), doc.root().entries().position(|(key, _)| key.as_str() == Some("Mappings")).unwrap());
                let blank = if text[span.end..].starts_with("\r\n") { "\r\n" } else { "\n" };
                if block && text[..span.start].ends_with(&blank.repeat(2)) && text[span.end..].starts_with(blank) {
                    span.end += blank.len();
                }
            }
            kept.push_str(&text[..span.start]);
            done = span.end;
        }
    }
    for (n, (key, _)) in properties.entries().enumerate() {
        if !["ManagedPolicyArns", "Policies"].contains(&key.as_str().unwrap()) {
            continue;
        }
        let mut span = doc.child_span(properties, n).unwrap();
        if block {
            let mut start = text[..span.start].rfind('\n').unwrap() + 1;
            // The comment lines above an entry that goes are moved into the section.
            while text[..start - 1].rsplit('\n').next().unwrap().trim_start().starts_with('#') {
                start = text[..start - 1].rfind('\n').unwrap() + 1;
            }
            let column = span.start - start;
            let mut end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at + 1);
            // So are those below it that are indented deeper.
            while let Some(line) = text[end..].split_inclusive('\n').next() {
                let deeper = line.len() - line.trim_start().len() > column;
                if !(deeper && line.trim_start().starts_with('#')) {
                    break;
                }
                end += line.len();
            }
            span = start..end;
        }
        kept.push_str(&text[done..span.start]);
        done = span.end;
    }
    kept.push_str(&text[done..]);
    if block { kept } else { kept.replace([' ', '\t', '\r', '\n', ','], "") }
}

/// The texts of the other policies and of all comments: they have to be somewhere afterwards.
fn to_keep(bytes: &[u8], role: &str) -> Vec<String> {
    let doc = Document::parse(bytes).unwrap();
    let properties = doc.get(&["Resources", role, "Properties"]).unwrap();
    let mut keep: Vec<String> =
        doc.comments_within(0..doc.text().len()).map(|comment| doc.text()[comment].trim().to_owned()).collect();
    for name in ["ManagedPolicyArns", "Policies"] {
        for item in properties.get(name).into_iter().flat_map(Node::items) {
            let text = doc.text()[item.full_span()].to_owned();
            keep.extend((!text.to_lowercase().contains("ec2roleforssm") && !text.contains("${N}")).then_some(text));
        }
    }
    keep
}

#[test]
fn every_role_of_every_template_takes_the_section_and_nothing_else_changes() {
    let [first, second] = policies();
    let mut done = 0;
    for (name, bytes) in templates() {
        for role in roles(&Document::parse(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"))) {
            let at = format!("{name}: {}", role.id);
            let one = inject(&bytes, &injection(&role.id, &first)).unwrap_or_else(|e| panic!("{at}: {e}"));
            assert!(one.changed, "{at}");
            // Nothing else changed its meaning, no line was lost but those of the managed policy.
            assert_eq!(rest(read(&bytes), &role.id), rest(read(&one.bytes), &role.id), "{at}");
            let doc = Document::parse(&one.bytes).unwrap();
            let properties = doc.get(&["Resources", &role.id, "Properties"]).unwrap();
            let managed = properties.get("ManagedPolicyArns").map(|n| &doc.text()[n.full_span()]).unwrap_or("");
            assert!(!managed.to_lowercase().contains("ssm\"") && !managed.contains(SSM), "{at}: {managed}");
            let text = std::str::from_utf8(&bytes).unwrap();
            assert_eq!(text.contains("\r\n"), doc.text().contains("\r\n"), "{at}");
            assert_eq!(
                doc.text().matches("\r\n").count(),
                if text.contains("\r\n") { doc.text().matches('\n').count() } else { 0 },
                "{at}"
            );
            assert_eq!(outside(&bytes, &role.id), outside(&one.bytes, &role.id), "{at}");
            let dropped = one.notes.iter().any(|note| matches!(note, Note::CommentsDropped(_)));
            for kept in to_keep(&bytes, &role.id).iter().filter(|kept| !(dropped && kept.starts_with('#'))) {
                assert!(doc.text().contains(kept), "{at} lost {kept:?}");
            }
            // INVARIANT (inject-idempotent).
            let again = inject(&one.bytes, &injection(&role.id, &first)).unwrap();
            assert!(!again.changed && again.bytes == one.bytes, "{at}: injecting twice");
            let other = inject(&one.bytes, &injection(&role.id, &second)).unwrap();
            assert_ne!(other.bytes, one.bytes, "{at}");
            let back = inject(&other.bytes, &injection(&role.id, &first)).unwrap();
            assert_eq!(String::from_utf8(back.bytes), String::from_utf8(one.bytes.clone()), "{at}: another and then the first");
            if String::from_utf8_lossy(&bytes).contains("\"Mappings\": {}") {
                done += 1;
                continue; // an empty collection that was there is written anew
            }
            let direct = inject(&bytes, &injection(&role.id, &second)).unwrap();
            assert_eq!(String::from_utf8(other.bytes), String::from_utf8(direct.bytes), "{at}: the path does not matter");
            done += 1;
        }
    }
    assert!(done >= 18, "only {done} roles were seen");
}

#[test]
fn what_is_written_resolves_to_the_policy() {
    let [first, _] = policies();
    for (name, bytes) in templates() {
        for role in roles(&Document::parse(&bytes).unwrap()) {
            let one = inject(&bytes, &injection(&role.id, &first)).unwrap();
            let doc = Document::parse(&one.bytes).unwrap();
            let section = section_of(&doc, &role.id, "derived").unwrap().unwrap();
            assert_eq!(resolve(&section, &stack(&doc)).unwrap(), first, "{name}: {}", role.id);
        }
    }
}

#[test]
fn ejecting_and_injecting_gives_the_template_back() {
    let [first, _] = policies();
    for (name, bytes) in templates() {
        for role in roles(&Document::parse(&bytes).unwrap()) {
            let at = format!("{name}: {}", role.id);
            let one = inject(&bytes, &injection(&role.id, &first)).unwrap();
            let ejection = Ejection {
                role: role.id.clone(),
                policy_name: "derived".into(),
                managed: "service-role/AmazonEC2RoleforSSM".into(),
            };
            let ejected = match eject(&one.bytes, &ejection) {
                Ok(ejected) => ejected,
                // A list that is chosen by a condition takes no further entry.
                Err(InjectError::Shape { .. }) if name.contains("al2-mutable") || role.id == "RoleE" => continue,
                Err(error) => panic!("{at}: {error}"),
            };
            let text = String::from_utf8(ejected.bytes.clone()).unwrap();
            assert!(!text.contains(MARKER) && text.contains(SSM), "{at}");
            if !ejected.notes.is_empty() {
                // A list in brackets has no room for the comments that stood above the section.
                assert!(name.starts_with("nasty.yaml"), "{at}");
                continue;
            }
            let back = inject(&ejected.bytes, &injection(&role.id, &first)).unwrap_or_else(|e| panic!("{at}: {e}\n{text}"));
            assert_eq!(String::from_utf8(back.bytes), String::from_utf8(one.bytes), "{at}:\n{text}");
        }
    }
}

/// The policy document of the section in a list of policies, wherever conditions put it.
fn section_in(json: &Json) -> Option<&Json> {
    if json.get("PolicyName").is_some_and(|name| name == "derived") {
        return json.get("PolicyDocument");
    }
    match json {
        Json::Array(items) => items.iter().find_map(section_in),
        Json::Object(entries) => entries.values().find_map(section_in),
        _ => None,
    }
}

#[test]
fn pyyaml_and_json_see_the_same_change() {
    let [first, _] = policies();
    let folder = tempfile::tempdir().unwrap();
    let (mut cases, mut files) = (Vec::new(), Vec::new());
    for (name, bytes) in templates() {
        for role in roles(&Document::parse(&bytes).unwrap()) {
            let request = injection(&role.id, &first);
            let injected = inject(&bytes, &request).unwrap();
            for bytes in [&bytes, &injected.bytes] {
                files.push(folder.path().join(files.len().to_string()));
                std::fs::write(files.last().unwrap(), bytes).unwrap();
            }
            cases.push((format!("{name}: {}", role.id), role.id, request.section.to_json()));
        }
    }
    let reader = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/template_reader.py");
    let output = python::run(Command::new(python::python()).arg(reader).args(&files));
    let read: Vec<Json> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), 2 * cases.len());
    for ((at, role, section), pair) in cases.iter().zip(read.chunks(2)) {
        assert_eq!(rest(pair[0].clone(), role), rest(pair[1].clone(), role), "{at}");
        let policies = &pair[1]["Resources"][role]["Properties"]["Policies"];
        assert_eq!(section_in(policies), Some(section), "{at}");
    }
}
