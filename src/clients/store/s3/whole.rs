//! Answers in XML must be complete. Nothing else guarantees the length of a list: the SDK accepts a truncated one, and
//! files would be missing silently.

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

/// Refuses an answer whose XML ends too early.
#[derive(Debug)]
pub(super) struct WholeAnswers;

/// An answer is truncated.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut: its XML ends too early")]
pub(super) struct Cut;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        // An object's own bytes are not read yet, and an error remains an error even if truncated.
        match response.body().bytes() {
            Some(body) if response.status().is_success() && !is_whole(body) => Err(Cut.into()),
            _ => Ok(()),
        }
    }
}

/// Is the element that is closed at the end the one that begins the document? No element inside has the same name.
/// Anything that is not XML is accepted here.
fn is_whole(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    if !body.starts_with(b"<") {
        return true;
    }
    let declared = match body.starts_with(b"<?") {
        true => body.windows(2).position(|two| two == b"?>").map_or(body.len(), |at| at + 2),
        false => 0,
    };
    let root = body[declared..].trim_ascii_start();
    let last = root.strip_suffix(b">").and_then(|root| root.rsplit(|byte| *byte == b'<').next());
    match last {
        None => false,
        Some(last) => match last.strip_prefix(b"/") {
            Some(name) => root[1..].starts_with(name.trim_ascii()),
            // A single empty element and nothing else.
            None => last.ends_with(b"/") && root.len() == last.len() + 2,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_ends_too_early_is_not_whole() {
        let list = "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\"><Contents><Key>a</Key></Contents>\
                    <KeyCount>1</KeyCount><Prefix/></ListBucketResult>";
        for length in 1..list.len() {
            assert!(!is_whole(&list.as_bytes()[..length]), "{}", &list[..length]);
        }
        for whole in ["", "OK\n", list, &format!("{list}\n"), "<Empty/>", "<?xml version=\"1.0\"?><Empty />"]
        {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
    }
}
