//! Translates the SDK's errors into those of the store. The raw response is dropped: S3's answer to an expired or
//! unknown token repeats the token.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStreamError;

use super::whole::Cut;
use crate::clients::BoxedError;
use crate::clients::store::error::{ObjectPlace, StoreError, chain};

/// What S3 said: HTTP status, error code and message, and the region from its header.
#[derive(Debug, Default)]
struct S3Answer {
    status: u16,
    code: String,
    message: String,
    region: Option<String>,
}

/// The store's error for an error of an operation.
pub(super) fn classify<E>(at: ObjectPlace, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(error) => {
            let answer = S3Answer {
                status: error.raw().status().as_u16(),
                code: error.err().code().unwrap_or_default().to_owned(),
                message: error.err().message().unwrap_or_default().to_owned(),
                region: error.raw().headers().get("x-amz-bucket-region").map(str::to_owned),
            };
            answered(at, answer, Box::new(error.into_err()))
        }
        error => {
            let timed_out = match &error {
                SdkError::TimeoutError(_) => true,
                SdkError::DispatchFailure(failure) => failure.is_timeout(),
                _ => false,
            };
            let status = error.raw_response().map(|r| r.status().as_u16());
            match error.into_source() {
                Ok(source) => unanswered(at, timed_out, status, source),
                Err(error) => StoreError::refused(at, error.to_string()),
            }
        }
    }
}

fn answered(at: ObjectPlace, answer: S3Answer, source: BoxedError) -> StoreError {
    let S3Answer { status, code, message, region } = answer;
    let detail = match (code.as_str(), message.as_str()) {
        ("", _) => format!("HTTP status {status}"),
        (code, "") => format!("{code} (HTTP status {status})"),
        (code, message) => format!("{message} ({code})"),
    };
    let source = Some(source);
    match (code.as_str(), status) {
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => {
            let region = region.or_else(|| region_in(&message));
            StoreError::WrongRegion { at, region, source }
        }
        ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired", _) => {
            StoreError::ExpiredCredentials { at, detail, source }
        }
        ("BadDigest" | "InvalidDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch", _) => {
            StoreError::Checksum { at, detail, source }
        }
        ("PreconditionFailed" | "InvalidRange", _) | (_, 412 | 416) => StoreError::Changed { at, source },
        ("NoSuchKey" | "NoSuchBucket" | "NoSuchUpload" | "NotFound", _) | (_, 404) => {
            StoreError::NotFound { at, detail, source }
        }
        ("InvalidToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch", _) | (_, 401 | 403) => {
            StoreError::Denied { at, detail, source }
        }
        // S3 may begin its answer before it knows the outcome: then the status is 200, and the body holds the error.
        ("SlowDown" | "RequestTimeout" | "Throttling" | "InternalError" | "ServiceUnavailable", _)
        | (_, 429 | 500..=599) => StoreError::Network { at, detail, source },
        ("", 200..=299) => {
            let detail = format!("the answer ({detail}) cannot be read");
            StoreError::Network { at, detail, source }
        }
        _ => StoreError::Refused { at, detail, source },
    }
}

/// The region that a message asks for: AWS writes `expecting 'eu-west-1'`, Garage
/// `expected: 20260101/garage/s3/aws4_request`.
fn region_in(message: &str) -> Option<String> {
    if let Some((_, rest)) = message.split_once("expecting '") {
        return rest.split_once('\'').map(|(region, _)| region.to_owned());
    }
    let scope = message.split_once("expected: ")?.1.split_whitespace().next()?;
    let mut parts = scope.trim_matches(['`', '\'', '"']).split('/');
    parts.next().filter(|day| day.len() == 8 && day.chars().all(|c| c.is_ascii_digit()))?;
    parts.next().map(str::to_owned)
}

fn unanswered(at: ObjectPlace, timed_out: bool, status: Option<u16>, source: BoxedError) -> StoreError {
    let detail = chain(source.as_ref());
    if let Some(error) = find::<CredentialsError>(source.as_ref()) {
        let expired = detail.contains("ExpiredToken") || detail.contains("expired");
        return match error {
            CredentialsError::ProviderTimedOut(_) => StoreError::Timeout { at, detail, source: Some(source) },
            _ if expired => StoreError::ExpiredCredentials { at, detail, source: Some(source) },
            _ => StoreError::NoCredentials { at, detail, source: Some(source) },
        };
    }
    if timed_out {
        return StoreError::Timeout { at, detail, source: Some(source) };
    }
    if let Some(cut) = find::<Cut>(source.as_ref()) {
        return StoreError::Network { at, detail: cut.to_string(), source: Some(source) };
    }
    match status {
        // An answer that does not come from S3, such as a proxy's page.
        Some(status) => {
            let detail = format!("not an answer of S3 (HTTP status {status}): {detail}");
            StoreError::Network { at, detail, source: Some(source) }
        }
        None => StoreError::Network { at, detail, source: Some(source) },
    }
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The store's error for a body that broke while it was read.
pub(super) fn body(at: ObjectPlace, error: ByteStreamError) -> StoreError {
    let detail = chain(&error);
    // The type of this error belongs to a crate that the SDK does not show.
    if detail.contains("checksum mismatch") {
        return StoreError::Checksum { at, detail, source: Some(Box::new(error)) };
    }
    StoreError::Network { at, detail, source: Some(Box::new(error)) }
}

/// The error for a stalled body.
pub(super) fn stalled(at: ObjectPlace, after: Duration) -> StoreError {
    StoreError::Timeout { at, detail: format!("nothing came for {} s", after.as_secs()), source: None }
}

/// The error for a body that ends before its length.
pub(super) fn short(at: ObjectPlace, size_bytes: u64, total_bytes: u64) -> StoreError {
    StoreError::Network {
        at,
        detail: format!("it ended after {size_bytes} of {total_bytes} bytes"),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, code: &str, message: &str, region: Option<&str>) -> StoreError {
        let at = ObjectPlace { operation: "download", url: "s3://bucket/key".into() };
        let answer = S3Answer {
            status,
            code: code.into(),
            message: message.into(),
            region: region.map(str::to_owned),
        };
        answered(at, answer, "the service's error".into())
    }

    #[test]
    fn answers_are_split_by_what_can_be_done() {
        use StoreError as E;
        assert!(matches!(error(404, "NoSuchKey", "", None), E::NotFound { .. }));
        assert!(matches!(error(404, "", "", None), E::NotFound { .. }));
        assert!(matches!(error(403, "AccessDenied", "no", None), E::Denied { .. }));
        assert!(matches!(error(403, "", "", None), E::Denied { .. }));
        assert!(matches!(error(400, "ExpiredToken", "", None), E::ExpiredCredentials { .. }));
        assert!(matches!(error(412, "PreconditionFailed", "", None), E::Changed { .. }));
        assert!(matches!(error(400, "BadDigest", "", None), E::Checksum { .. }));
        assert!(matches!(error(503, "SlowDown", "", None), E::Network { .. }));
        assert!(matches!(error(200, "InternalError", "", None), E::Network { .. }));
        assert!(matches!(error(200, "", "", None), E::Network { .. }));
        assert!(matches!(error(400, "InvalidArgument", "", None), E::Refused { .. }));
        let denied = error(403, "AccessDenied", "Access Denied.", None);
        assert_eq!(
            denied.to_string(),
            "download s3://bucket/key failed: access denied: Access Denied. (AccessDenied)"
        );
        assert!(denied.source().is_some());
    }

    #[test]
    fn the_right_region_is_found() {
        let region = |error| match error {
            StoreError::WrongRegion { region, .. } => region,
            other => panic!("{other:?}"),
        };
        assert_eq!(region(error(301, "", "", Some("eu-west-1"))).as_deref(), Some("eu-west-1"));
        let aws =
            "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-2'";
        assert_eq!(
            region(error(400, "AuthorizationHeaderMalformed", aws, None)).as_deref(),
            Some("eu-west-2")
        );
        let garage = "Authorization header malformed, unexpected scope: 20260101/us-east-1/s3/aws4_request, \
                      expected: 20260101/garage/s3/aws4_request";
        assert_eq!(
            region(error(400, "AuthorizationHeaderMalformed", garage, None)).as_deref(),
            Some("garage")
        );
        assert_eq!(region(error(301, "PermanentRedirect", "", None)), None);
    }
}
