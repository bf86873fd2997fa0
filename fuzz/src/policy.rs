//! Policy documents: the compiler and the checker have readers of their own, and what the checker reads, the compiler reads
//! as the same. The checker refuses more (it evaluates nothing that it does not model), the compiler never more.

use policyc::iam::{Policy, everyone};
use policyc::prove::document::Document;

/// Checks any bytes.
pub fn check(bytes: &[u8]) {
    let compiler = Policy::parse(bytes);
    same(compiler.as_ref().ok(), Document::read(bytes).ok());
    if let Ok(policy) = &compiler {
        assert_eq!(Policy::parse(policy.to_json().as_bytes()).as_ref(), Ok(policy), "what was written reads back");
        let _ = policy.size();
    }
    let endpoint = serde_json::from_slice(bytes).ok().and_then(|json| everyone::read(&json).ok());
    let checker = Document::read_for_everyone(bytes).ok();
    same(endpoint.as_ref(), checker.clone());
    if let (Some(policy), Some(document)) = (endpoint, checker) {
        let written = everyone::write(&policy).to_string();
        let again = Document::read_for_everyone(written.as_bytes()).expect("what was written reads back");
        assert_eq!(sorted(again), sorted(document));
    }
}

fn same(compiler: Option<&Policy>, checker: Option<Document>) {
    let Some(document) = checker else { return };
    let policy = compiler.expect("the compiler reads what the checker reads");
    let written = Document::read(policy.to_json().as_bytes()).expect("the checker reads what the compiler writes");
    assert_eq!(sorted(written), sorted(document), "the compiler reads something else");
}

/// The order of conditions means nothing.
fn sorted(mut document: Document) -> Document {
    for statement in &mut document.statements {
        statement.conditions.sort_by_key(|test| format!("{test:?}"));
        statement.sid = statement.sid.take().filter(|sid| !sid.is_empty());
    }
    document
}
