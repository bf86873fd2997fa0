//! Whether an answer in XML came whole: the SDK takes one that was cut for a shorter one, and a list would be shorter than it is.
//!
//! INVARIANT (answers-whole): no answer in XML is used that does not end with the end of its root element.

use aws_sdk_iam::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_iam::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_iam::error::BoxError;

/// Looks at every answer after it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole;

impl Intercept for Whole {
    fn name(&self) -> &'static str {
        "whole"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        // Of a refusal nothing is used but its words.
        let cut = response.status().is_success() && response.body().bytes().is_some_and(|body| !is_whole(body));
        if cut { Err("the answer was cut on its way".into()) } else { Ok(()) }
    }
}

/// Whether a body is no XML, or ends with the end of its root element.
fn is_whole(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let mut rest = text.trim_start();
    while let Some(after) = rest.strip_prefix("<?").or_else(|| rest.strip_prefix("<!")) {
        let Some((_, next)) = after.split_once('>') else { return false };
        rest = next.trim_start();
    }
    let Some(root) = rest.strip_prefix('<') else { return !text.trim_start().starts_with('<') };
    let name = root.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next().unwrap_or_default();
    let end = text.trim_end();
    let alone = root.split_once('>').is_some_and(|(open, after)| open.ends_with('/') && after.trim().is_empty());
    alone || end.strip_suffix('>').and_then(|t| t.trim_end().strip_suffix(name)).is_some_and(|t| t.ends_with("</"))
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn a_cut_answer_is_seen() {
        let answer = "<?xml version=\"1.0\"?>\n<Answer xmlns=\"x\">\n <Item>1</Item>\n</Answer>\n";
        assert!(is_whole(answer.as_bytes()));
        for end in 1..answer.trim_end().len() {
            let part = &answer[..end];
            assert!(!is_whole(part.as_bytes()), "{part}");
        }
        for whole in ["", "{\"Events\":[]}", "<Answer/>", "<Answer></Answer>", "<!DOCTYPE x><x></x >"] {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
    }
}
