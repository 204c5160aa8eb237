//! Copying an object inside the bucket.

use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::types::MetadataDirective;

use super::upload::Target;
use super::{S3Store, failure};
use crate::clients::store::error::{ObjectPlace, StoreError};
use crate::words::percent_encoded;

/// A copy is at most 5 GB.
const COPY_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Copies an object inside the bucket: its bytes stay with S3, and the copy gets the headers and the encryption of
/// everything else that is written here.
pub(super) async fn copy(store: &S3Store, at: &ObjectPlace, from: &str, to: &str) -> Result<(), StoreError> {
    let target = Target::new(store, at.clone(), to);
    let source = format!("{}/{}", target.bucket, encoded(&store.full_key(from)));
    // The answer comes when the copy is complete. That may take minutes, in which S3 sends little.
    let timeouts =
        TimeoutConfig::builder().read_timeout(COPY_TIMEOUT).operation_attempt_timeout(COPY_TIMEOUT);
    let patience = aws_sdk_s3::config::Config::builder()
        .timeout_config(timeouts.build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    target
        .client
        .copy_object()
        .copy_source(source)
        .bucket(&target.bucket)
        .key(&target.key)
        .metadata_directive(MetadataDirective::Replace)
        .content_type(target.content_type)
        .set_cache_control(target.cache_control.clone())
        .set_server_side_encryption(target.sse())
        .set_ssekms_key_id(target.kms_key())
        .customize()
        .config_override(patience)
        .send()
        .await
        .map(drop)
        .map_err(|e| failure::classify(target.at.clone(), e))
}

/// A key as part of a URL's path.
fn encoded(key: &str) -> String {
    key.split('/').map(percent_encoded).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_a_url() {
        assert_eq!(encoded("a-b_c.d~/e f+g%ä"), "a-b_c.d~/e%20f%2Bg%25%C3%A4");
    }
}
