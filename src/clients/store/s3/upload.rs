//! Writing an object to S3: one request if it is small, else a multipart upload whose parts are sent while the next one
//! is filled. An upload that is dropped is aborted: S3 shows nothing of it.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption};
use bytes::{Bytes, BytesMut};
use tokio::task::JoinSet;

use super::{Encryption, MIB, S3Store, failure};
use crate::clients::store::error::{ObjectPlace, StoreError};

/// The most parts that S3 accepts for one object.
const PARTS_MAX: u64 = 10_000;
/// Metadata of an object that came in parts: which upload made it.
const MADE_BY: &str = "merganser-upload";
/// Metadata of an object whose content was known when it was made: its SHA-256, 64 hex digits.
pub(super) const SHA256: &str = "merganser-sha256";
/// Part size of an upload from a file; a file up to this goes out in one request.
const FILE_PART_BYTES: usize = 16 * MIB;
const ABORT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer may take after the whole body is sent, and the slowest line that a body must get through: the SDK
/// counts from the start of the request, and does not notice a stalled body.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const BYTES_PER_MS_MIN: u64 = 100;
/// How long S3 may take to put the parts of an object together.
const COMPLETE_TIMEOUT: Duration = Duration::from_secs(180);

/// An object on its way to S3. Holds `parts in flight + 1` parts in memory.
#[derive(Debug)]
pub(in crate::clients::store) struct Upload {
    target: Target,
    part_bytes: usize,
    in_flight_max: usize,
    buffer: BytesMut,
    /// Set when the first part is sent.
    multipart: Option<Multipart>,
}

#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) at: ObjectPlace,
    pub(super) content_type: &'static str,
    pub(super) cache_control: Option<String>,
    encryption: Encryption,
    /// Checksum of the parts. The SDK adds one to each part by itself, but S3 must be told the algorithm when the
    /// upload is created: otherwise it (or Garage, at the end) rejects the parts' checksums.
    checksum: Option<ChecksumAlgorithm>,
    sha256: Option<String>,
}

#[derive(Debug)]
struct Multipart {
    id: String,
    /// Our own id, to recognise the object by: S3's upload id no longer exists once the object does.
    made_by: String,
    parts_sent: i32,
    in_flight: JoinSet<Result<CompletedPart, StoreError>>,
    done: Vec<CompletedPart>,
}

/// The size of parts in which a file of this size fits: 16 MiB, more for files past 156 GiB.
pub(super) fn part_bytes_for(file_bytes: u64) -> usize {
    let least = usize::try_from(file_bytes.div_ceil(PARTS_MAX)).unwrap_or(usize::MAX);
    least.div_ceil(MIB).saturating_mul(MIB).max(FILE_PART_BYTES)
}

impl Upload {
    pub(super) fn new(
        store: &S3Store,
        at: ObjectPlace,
        key: &str,
        part_bytes: usize,
        in_flight_max: usize,
    ) -> Self {
        let target = Target::new(store, at, key);
        Self { target, part_bytes, in_flight_max, buffer: BytesMut::new(), multipart: None }
    }

    /// Has S3 keep the checksum of the whole content with the object.
    pub(super) fn with_sha256(mut self, sha256: Option<&str>) -> Self {
        self.target.sha256 = sha256.map(str::to_owned);
        self
    }

    pub(in crate::clients::store) async fn write(&mut self, mut data: &[u8]) -> Result<(), StoreError> {
        while !data.is_empty() {
            // Only when more data follows: an object of just one part is sent in one request.
            if self.buffer.len() >= self.part_bytes {
                self.send_part().await?;
            }
            let n = data.len().min(self.part_bytes - self.buffer.len());
            self.buffer.extend_from_slice(&data[..n]);
            data = &data[n..];
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), StoreError> {
        let upload = match &mut self.multipart {
            Some(upload) => upload,
            none => {
                let made_by = uuid::Uuid::now_v7().to_string();
                let id = self.target.create(&made_by).await?;
                let (in_flight, done) = (JoinSet::new(), Vec::new());
                none.insert(Multipart { id, made_by, parts_sent: 0, in_flight, done })
            }
        };
        while upload.in_flight.len() >= self.in_flight_max {
            upload.join_next(&self.target).await?;
        }
        if upload.parts_sent as u64 >= PARTS_MAX {
            return Err(StoreError::refused(self.target.at.clone(), "the object has more than 10,000 parts"));
        }
        upload.parts_sent += 1;
        let part = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(self.part_bytes)).freeze();
        upload.in_flight.spawn(self.target.clone().part(upload.id.clone(), upload.parts_sent, part));
        Ok(())
    }

    pub(in crate::clients::store) async fn finish(mut self) -> Result<(), StoreError> {
        if self.multipart.is_none() {
            return self.target.put(std::mem::take(&mut self.buffer).freeze()).await;
        }
        let result = self.complete().await;
        match result {
            Ok(()) => self.multipart = None,
            Err(_) => self.abort().await,
        }
        result
    }

    async fn complete(&mut self) -> Result<(), StoreError> {
        if !self.buffer.is_empty() {
            self.send_part().await?;
        }
        let Some(upload) = &mut self.multipart else { return Ok(()) };
        while !upload.in_flight.is_empty() {
            upload.join_next(&self.target).await?;
        }
        upload.done.sort_unstable_by_key(CompletedPart::part_number);
        let completed = self.target.complete(&upload.id, std::mem::take(&mut upload.done)).await;
        match completed {
            // The request is repeated if its answer was lost; by then the upload no longer exists.
            Err(StoreError::NotFound { .. }) if self.target.is_made_by(&upload.made_by).await => Ok(()),
            completed => completed,
        }
    }

    /// Stops the parts in flight and has S3 discard the upload. A failure is only logged: it leaves nothing but
    /// invisible parts, which a lifecycle rule of the bucket should remove.
    pub(in crate::clients::store) async fn abort(mut self) {
        if let Some(upload) = self.multipart.take() {
            upload.abort(self.target.clone()).await;
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.multipart.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn(upload.abort(self.target.clone()));
    }
}

impl Multipart {
    async fn join_next(&mut self, target: &Target) -> Result<(), StoreError> {
        match self.in_flight.join_next().await {
            None => Ok(()),
            Some(Ok(part)) => {
                self.done.push(part?);
                Ok(())
            }
            Some(Err(join)) => Err(StoreError::refused(target.at.clone(), join.to_string())),
        }
    }

    async fn abort(mut self, target: Target) {
        // A part that arrives after the abort would be kept, and billed.
        self.in_flight.shutdown().await;
        let request = target
            .client
            .abort_multipart_upload()
            .bucket(&target.bucket)
            .key(&target.key)
            .upload_id(&self.id);
        let failed = match tokio::time::timeout(ABORT_TIMEOUT, request.send()).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => failure::classify(target.at.clone(), error).to_string(),
            Err(_) => "timed out".to_owned(),
        };
        tracing::warn!(object = target.at.url, cause = failed, "an unfinished upload could not be aborted");
    }
}

/// How long a request may wait until its answer begins.
fn patience(limit: Duration) -> Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(limit).build();
    aws_sdk_s3::config::Config::builder().timeout_config(timeouts)
}

/// The same for one that sends a body.
fn patience_for(content: &Bytes) -> Builder {
    patience(ANSWER_TIMEOUT + Duration::from_millis(content.len() as u64 / BYTES_PER_MS_MIN))
}

impl Target {
    pub(super) fn new(store: &S3Store, at: ObjectPlace, key: &str) -> Self {
        Self {
            client: store.client.clone(),
            bucket: store.bucket.clone(),
            key: store.full_key(key),
            at,
            content_type: content_type(key),
            cache_control: store.cache_control.clone(),
            encryption: store.encryption.clone(),
            checksum: match store.client.config().request_checksum_calculation() {
                Some(RequestChecksumCalculation::WhenRequired) => None,
                _ => Some(ChecksumAlgorithm::Crc32),
            },
            sha256: None,
        }
    }

    pub(super) fn kms_key(&self) -> Option<String> {
        match &self.encryption {
            Encryption::Kms(key) => key.clone(),
            _ => None,
        }
    }

    pub(super) fn sse(&self) -> Option<ServerSideEncryption> {
        match &self.encryption {
            Encryption::None => None,
            Encryption::Aes256 => Some(ServerSideEncryption::Aes256),
            Encryption::Kms(_) => Some(ServerSideEncryption::AwsKms),
        }
    }

    async fn put(&self, content: Bytes) -> Result<(), StoreError> {
        let patience = patience_for(&content);
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .content_type(self.content_type)
            .set_cache_control(self.cache_control.clone())
            .set_server_side_encryption(self.sse())
            .set_ssekms_key_id(self.kms_key())
            .set_metadata(self.sha256.clone().map(|sha256| [(SHA256.to_owned(), sha256)].into()))
            .body(ByteStream::from(content))
            .customize()
            .config_override(patience)
            .send()
            .await
            .map(drop)
            .map_err(|e| failure::classify(self.at.clone(), e))
    }

    async fn create(&self, made_by: &str) -> Result<String, StoreError> {
        let known = self.sha256.clone().map(|sha256| (SHA256.to_owned(), sha256));
        let metadata = known.into_iter().chain([(MADE_BY.to_owned(), made_by.to_owned())]).collect();
        let created = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .content_type(self.content_type)
            .set_cache_control(self.cache_control.clone())
            .set_server_side_encryption(self.sse())
            .set_ssekms_key_id(self.kms_key())
            .set_checksum_algorithm(self.checksum.clone())
            .set_metadata(Some(metadata))
            .send()
            .await
            .map_err(|e| failure::classify(self.at.clone(), e))?;
        created.upload_id.ok_or_else(|| StoreError::refused(self.at.clone(), "S3 gave no upload id"))
    }

    async fn part(self, id: String, number: i32, content: Bytes) -> Result<CompletedPart, StoreError> {
        let patience = patience_for(&content);
        let sent = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(id)
            .part_number(number)
            .set_checksum_algorithm(self.checksum.clone())
            .body(ByteStream::from(content))
            .customize()
            .config_override(patience)
            .send()
            .await
            .map_err(|e| failure::classify(self.at.clone(), e))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag)
            .set_checksum_crc32(sent.checksum_crc32)
            .build())
    }

    async fn complete(&self, id: &str, parts: Vec<CompletedPart>) -> Result<(), StoreError> {
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .customize()
            .config_override(patience(COMPLETE_TIMEOUT))
            .send()
            .await
            .map(drop)
            .map_err(|e| failure::classify(self.at.clone(), e))
    }

    /// Is the object that is there now the one of this upload?
    async fn is_made_by(&self, made_by: &str) -> bool {
        let asked = self.client.head_object().bucket(&self.bucket).key(&self.key).send().await;
        asked.is_ok_and(|head| {
            head.metadata().and_then(|known| known.get(MADE_BY)).is_some_and(|known| known == made_by)
        })
    }
}

/// The media type of an object, by its extension.
fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "txt" | "log" | "sql" => "text/plain; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_extension() {
        assert_eq!(content_type("a/oca_index.csv"), "text/csv; charset=utf-8");
        assert_eq!(content_type("last-updated-shield.svg"), "image/svg+xml");
        assert_eq!(content_type("a.b/none"), "application/octet-stream");
    }

    #[test]
    fn any_file_fits_in_ten_thousand_parts() {
        assert_eq!(part_bytes_for(0), 16 << 20);
        assert_eq!(part_bytes_for(100 << 30), 16 << 20);
        let large = 5u64 << 40;
        assert!(large.div_ceil(part_bytes_for(large) as u64) <= PARTS_MAX);
    }
}
