//! Any bytes as a template: parsing must not panic or hang, the bytes of nodes must be consistent, and where a role
//! takes a section, it must read back, and a second injection must change nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policyc::emit::separate::attach;
use policyc::emit::{InjectError, Injection, inject, roles};
use policyc::stack::config::AttachAs;
use policyc::template::{Document, Node, Value};

fn check_spans(doc: &Document, node: Node<'_>) {
    let outer = node.full_span();
    assert!(doc.text().get(outer.clone()).is_some());
    if node.is_alias() {
        return;
    }
    let mut last = outer.start;
    for child in node.entries().flat_map(|(key, value)| [key, value]).chain(node.items()) {
        let span = child.full_span();
        assert!(span.start >= last && span.end <= outer.end);
        last = span.end;
        check_spans(doc, child);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(doc) = Document::parse(bytes) else { return };
    assert_eq!(doc.bytes(), bytes);
    check_spans(&doc, doc.root());
    for role in roles(&doc) {
        let request = Injection {
            role: role.id,
            remove_managed: vec!["AmazonEC2RoleforSSM".to_owned()],
            policy_name: "fuzz".to_owned(),
            section: Value::map([("Statement", Value::list([Value::tagged("Sub", Value::text("a: ${AWS::Region} #"))]))]),
            regional: Vec::new(),
            comments: Vec::new(),
        };
        match inject(bytes, &request) {
            Ok(once) => {
                let twice = inject(&once.bytes, &request).expect("what was written can be written again");
                assert!(!twice.changed, "injecting twice changed something");
            }
            Err(InjectError::Unfaithful(what)) => panic!("{what}"),
            Err(_) => {}
        }
        match attach(bytes, &request, AttachAs::RolePolicy) {
            Ok(once) => {
                let twice = attach(&once.bytes, &request, AttachAs::RolePolicy).expect("what was written can be written again");
                assert!(!twice.changed, "attaching twice changed something");
            }
            Err(InjectError::Unfaithful(what)) => panic!("{what}"),
            Err(_) => {}
        }
    }
});
