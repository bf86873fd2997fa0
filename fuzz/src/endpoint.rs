//! VPC endpoints of templates: what is read of them never panics, and where one takes a policy, nothing beside it changes,
//! a second time changes nothing, and another policy and then the first one give the first file.

use std::collections::BTreeMap;

use policyc::catalog::Catalog;
use policyc::emit::StackValues;
use policyc::emit::endpoint::{Endpoint, EndpointPlacement, place_endpoint, values_of};
use policyc::emit::place::PlaceError;
use policyc::emit::render::{About, SectionTemplates};
use policyc::emit::routes::{images, roles_behind};
use policyc::iam::{Policy, everyone};
use policyc::template::{Document, Node, Value};

const POLICIES: [&str; 2] = [
    r##"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b-us-east-1/*"]}]}"##,
    r##"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","NotAction":["s3:*"],"Resource":["a${aws:x}\n'\"# é"],"Condition":{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}}]}"##,
];

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let Ok(doc) = Document::parse(bytes) else { return };
    let stack = StackValues {
        partition: "aws".to_owned(),
        region: "us-east-1".to_owned(),
        account: "111122223333".to_owned(),
        ..StackValues::default()
    };
    let ids: Vec<&str> =
        doc.get(&["Resources"]).into_iter().flat_map(Node::entries).filter_map(|(key, _)| key.as_str()).collect();
    for id in ids {
        let Ok(found) = Endpoint::find(&doc, id) else { continue };
        let values = values_of(&doc, &stack, "fuzz");
        let (from, to) = found.lines();
        assert!(0 < from && from <= to, "lines {from} to {to}");
        let _ = (found.service(&values), found.policy(&values), found.is_gateway(), found.is_ours());
        if let Ok(roles) = roles_behind(&doc, id, &found) {
            let _ = images(&doc, &roles);
        }
        place(bytes, &doc, id, &stack);
    }
}

fn place(bytes: &[u8], doc: &Document, id: &str, values: &StackValues) {
    let policies: Vec<Policy> =
        POLICIES.iter().filter_map(|text| everyone::read(&serde_json::from_str(text).ok()?).ok()).collect();
    let [first, second] = policies.as_slice() else { panic!("the policies read") };
    let put = |bytes: &[u8], policy: &Policy| -> Result<Vec<u8>, PlaceError> {
        let (about, templates) = (About { id, endpoint: true, ..About::default() }, &SectionTemplates::default());
        let placement = EndpointPlacement { endpoint: id, policy, reasons: &BTreeMap::new(), about, templates, values };
        place_endpoint(bytes, &placement, Catalog::embedded()).map(|placed| placed.bytes)
    };
    let once = match put(bytes, first) {
        Ok(once) => once,
        Err(PlaceError::Unfaithful) => panic!("unfaithful"),
        Err(_) => return,
    };
    assert!(put(&once, first).expect("again") == once, "twice is not once");
    let other = put(&once, second).expect("another");
    assert!(put(&other, first).expect("and back") == once, "another policy and the first are not the first");
    // All else says what it said.
    let meaning = |doc: &Document| -> Option<serde_json::Value> {
        let mut json = Value::read(doc.root())?.to_json();
        json.pointer_mut(&format!("/Resources/{}/Properties", id.replace('~', "~0").replace('/', "~1")))?
            .as_object_mut()?
            .shift_remove("PolicyDocument");
        Some(json)
    };
    let written = Document::parse(&once).expect("what was written parses");
    if let Some(before) = meaning(doc) {
        assert_eq!(meaning(&written).expect("it still reads").to_string(), before.to_string(), "something else changed");
    }
}
