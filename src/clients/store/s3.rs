//! A store in an S3 bucket, AWS's own or a compatible one.
//!
//! Credentials, region, endpoint and checksum behaviour come from AWS's standard environment and
//! profile. Every request is tried a few times with growing, jittered pauses; connecting, waiting
//! for an answer and a stream that stands still each have a limit.

mod copy;
mod failure;
mod options;
mod upload;
mod whole;

use std::hash::{BuildHasher, RandomState};
use std::io::SeekFrom;
use std::path::Path;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Credentials, IntoShared, Region};
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};

use super::error::{Place, StoreError};
use super::{Fetched, ObjectInfo, S3Location, hex};
pub use options::{Encryption, Keys, S3Options, S3OptionsError};
pub(super) use upload::Upload;

const MIB: usize = 1 << 20;
/// Times that one request is made.
const ATTEMPTS: u32 = 5;
/// Times in a row that a download may break without [`PROGRESS_BYTES`] having come.
const BREAKS: u32 = 5;
const PROGRESS_BYTES: u64 = 8 << 20;
/// A body that gives nothing for so long is broken, whatever the SDK thinks.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// A bucket, or the part of it below a prefix.
#[derive(Clone, Debug)]
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
    encryption: Encryption,
    cache_control: Option<String>,
}

impl S3Store {
    pub(super) async fn open(
        at: &Place,
        bucket: &str,
        prefix: &str,
        options: &S3Options,
    ) -> Result<Self, StoreError> {
        let mut trust = TrustStore::default();
        if let Some(path) = &options.ca_bundle {
            let pem = tokio::fs::read(path).await.map_err(|e| {
                let at = Place { operation: "read the CA bundle", url: path.display().to_string() };
                StoreError::from_io(at, e)
            })?;
            trust = trust.with_pem_certificate(pem);
        }
        let context = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .map_err(|e| StoreError::refused(at.clone(), e.to_string()))?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .tls_context(context)
            .build_https();

        let environment = || {
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
        };
        let region = match &options.region {
            Some(region) => RegionProviderChain::first_try(Region::new(region.clone())),
            // Where there is an endpoint of one's own there is no metadata service, and S3-compatible
            // servers take us-east-1 unless told otherwise.
            None if options.endpoint_url.is_some() => environment(),
            // The SDK's own default chain, of the same three, cannot be given our HTTP client, and panics.
            None => {
                let with_client = ProviderConfig::without_region().with_http_client(http.clone());
                environment().or_else(ImdsRegionProvider::builder().configure(&with_client).build())
            }
        }
        // A wrong guess is answered with the right region.
        .or_else(Region::new("us-east-1"));

        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(region)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(10))
                    // To the answer's head; who sends a body has more, see `upload`.
                    .operation_attempt_timeout(Duration::from_secs(60))
                    // The longest of all: connections with another limit are not shared.
                    .read_timeout(Duration::from_secs(240))
                    .build(),
            )
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(Duration::from_secs(20)).build(),
            );
        if let Some(keys) = &options.credentials {
            loader = loader.credentials_provider(Credentials::new(
                &keys.access_key_id,
                &keys.secret_access_key,
                keys.session_token.clone(),
                None,
                "merganser",
            ));
        }
        let shared = loader.load().await;
        let mut config =
            aws_sdk_s3::config::Builder::from(&shared).force_path_style(options.uses_path_style());
        config.push_interceptor(whole::WholeAnswers.into_shared());
        if let Some(endpoint) = &options.endpoint_url {
            config = config.endpoint_url(endpoint.as_str());
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            encryption: options.encryption.clone(),
            cache_control: options.cache_control.clone(),
        })
    }

    fn full_key(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    pub(super) async fn list(
        &self,
        at: &Place,
        folder: &str,
        deep: bool,
    ) -> Result<Vec<ObjectInfo>, StoreError> {
        let mut below = match folder {
            "" => self.prefix.clone(),
            folder => self.full_key(folder),
        };
        if !below.is_empty() {
            below.push('/');
        }
        let cut = if self.prefix.is_empty() { 0 } else { self.prefix.len() + 1 };
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(below)
            .set_delimiter((!deep).then(|| "/".to_owned()))
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| failure::classify(at.clone(), e))?;
            for object in page.contents() {
                let key = object.key().and_then(|key| key.get(cut..)).unwrap_or_default();
                // Consoles make "folders" as empty objects whose key ends in a slash.
                if key.is_empty() || key.ends_with('/') {
                    continue;
                }
                found.push(ObjectInfo {
                    key: key.to_owned(),
                    size_bytes: size(object.size()),
                    modified: object.last_modified().and_then(timestamp),
                });
            }
        }
        // Directory buckets of S3 do not sort.
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    pub(super) async fn head(&self, at: &Place, key: &str) -> Result<Option<ObjectInfo>, StoreError> {
        let asked = self.client.head_object().bucket(&self.bucket).key(self.full_key(key)).send().await;
        match asked {
            Ok(head) => Ok(Some(ObjectInfo {
                key: key.to_owned(),
                size_bytes: size(head.content_length()),
                modified: head.last_modified().and_then(timestamp),
            })),
            Err(error) => match failure::classify(at.clone(), error) {
                StoreError::NotFound { .. } => Ok(None),
                // The answer to a HEAD has no body to say what is wrong: a list has.
                vague @ StoreError::Refused { .. } => {
                    let list = self.client.list_objects_v2().bucket(&self.bucket).max_keys(1);
                    Err(match list.prefix(self.full_key(key)).send().await {
                        Err(error) => failure::classify(at.clone(), error),
                        Ok(_) => vague,
                    })
                }
                error => Err(error),
            },
        }
    }

    pub(super) async fn download(
        &self,
        at: &Place,
        key: &str,
        mut to: Option<&mut BufWriter<tokio::fs::File>>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, StoreError> {
        let io = |e| StoreError::from_io(at.clone(), e);
        let mut etag: Option<String> = None;
        let mut total: Option<u64> = None;
        let (mut hash, mut size_bytes, mut counted, mut breaks) = (Sha256::new(), 0u64, 0u64, 0u32);
        loop {
            let request = self.client.get_object().bucket(&self.bucket).key(self.full_key(key));
            let answer = request
                .set_if_match(etag.clone())
                .set_range((size_bytes > 0).then(|| format!("bytes={size_bytes}-")))
                .send()
                .await
                .map_err(|e| failure::classify(at.clone(), e))?;
            let resumed =
                answer.content_range().is_some_and(|r| r.starts_with(&format!("bytes {size_bytes}-")));
            if size_bytes > 0 && !resumed {
                // The server sends the whole again.
                rewind(&mut to).await.map_err(io)?;
                (hash, size_bytes, counted) = (Sha256::new(), 0, 0);
            }
            if size_bytes == 0 {
                total = answer.content_length().and_then(|n| u64::try_from(n).ok());
                etag = answer.e_tag().map(str::to_owned);
            }
            let mut body = answer.body;
            let broken = loop {
                match tokio::time::timeout(BODY_TIMEOUT, body.next()).await {
                    Err(_) => break failure::stalled(at.clone(), BODY_TIMEOUT),
                    Ok(Some(Err(error))) => break failure::body(at.clone(), error),
                    Ok(Some(Ok(chunk))) => {
                        hash.update(&chunk);
                        if let Some(to) = &mut to {
                            to.write_all(&chunk).await.map_err(io)?;
                        }
                        size_bytes += chunk.len() as u64;
                        progress(size_bytes);
                    }
                    Ok(None) if total.is_none_or(|total| total == size_bytes) => {
                        if let Some(to) = &mut to {
                            to.flush().await.map_err(io)?;
                        }
                        return Ok(Fetched { size_bytes, sha256: hex(&hash.finalize()) });
                    }
                    Ok(None) => break failure::short(at.clone(), size_bytes, total.unwrap_or_default()),
                }
            };
            breaks = if size_bytes >= counted + PROGRESS_BYTES { 1 } else { breaks + 1 };
            counted = size_bytes;
            if breaks > BREAKS {
                return Err(broken);
            }
            tracing::warn!(object = at.url, size_bytes, breaks, cause = %broken, "a download broke off and is taken up again");
            if matches!(broken, StoreError::Checksum { .. }) || total.is_some_and(|total| size_bytes >= total)
            {
                rewind(&mut to).await.map_err(io)?;
                (hash, size_bytes, counted) = (Sha256::new(), 0, 0);
                progress(0);
            }
            pause(breaks).await;
        }
    }

    pub(super) async fn read(&self, at: &Place, key: &str, max_bytes: u64) -> Result<Bytes, StoreError> {
        let mut breaks = 0;
        loop {
            let answer = self
                .client
                .get_object()
                .bucket(&self.bucket)
                .key(self.full_key(key))
                .send()
                .await
                .map_err(|e| failure::classify(at.clone(), e))?;
            let total = answer.content_length().and_then(|n| u64::try_from(n).ok());
            if total.is_some_and(|total| total > max_bytes) {
                return Err(StoreError::TooLarge { at: at.clone(), max_bytes });
            }
            let mut body = answer.body;
            let mut bytes = BytesMut::new();
            let broken = loop {
                match tokio::time::timeout(BODY_TIMEOUT, body.next()).await {
                    Err(_) => break failure::stalled(at.clone(), BODY_TIMEOUT),
                    Ok(Some(Err(error))) => break failure::body(at.clone(), error),
                    Ok(Some(Ok(chunk))) => bytes.extend_from_slice(&chunk),
                    Ok(None) if total.is_none_or(|total| total == bytes.len() as u64) => {
                        return Ok(bytes.freeze());
                    }
                    Ok(None) => {
                        break failure::short(at.clone(), bytes.len() as u64, total.unwrap_or_default());
                    }
                }
                if bytes.len() as u64 > max_bytes {
                    return Err(StoreError::TooLarge { at: at.clone(), max_bytes });
                }
            };
            breaks += 1;
            if breaks > BREAKS {
                return Err(broken);
            }
            pause(breaks).await;
        }
    }

    pub(super) async fn upload(&self, at: &Place, key: &str, from: &Path) -> Result<u64, StoreError> {
        let io = |e| StoreError::from_io(Place { operation: "read", url: from.display().to_string() }, e);
        let mut file = tokio::fs::File::open(from).await.map_err(io)?;
        let expected = file.metadata().await.map_err(io)?.len();
        file.set_max_buf_size(MIB);
        let part_bytes = upload::part_bytes_for(expected);
        let mut upload = Upload::new(self, at.clone(), key, part_bytes, 3);
        let mut chunk = BytesMut::with_capacity(MIB);
        let mut size_bytes = 0u64;
        // A dropped upload is aborted, so an error can simply be returned.
        while file.read_buf(&mut chunk).await.map_err(io)? > 0 {
            upload.write(&chunk).await?;
            size_bytes += chunk.len() as u64;
            chunk.clear();
        }
        if size_bytes != expected {
            upload.abort().await;
            return Err(StoreError::Changed { at: at.clone(), source: None });
        }
        upload.finish().await?;
        Ok(size_bytes)
    }

    pub(super) async fn copy(&self, at: &Place, from: &str, to: &str) -> Result<(), StoreError> {
        copy::copy(self, at, from, to).await
    }

    pub(super) fn location(&self, key: &str) -> S3Location {
        let region = self.client.config().region().map(ToString::to_string);
        // Opened with one, if only a guess.
        let region = region.unwrap_or_default();
        let kms_key = match &self.encryption {
            Encryption::Kms(key) => key.clone(),
            Encryption::None | Encryption::Aes256 => None,
        };
        S3Location { bucket: self.bucket.clone(), key: self.full_key(key), region, kms_key }
    }

    pub(super) async fn delete(&self, at: &Place, key: &str) -> Result<(), StoreError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(self.full_key(key));
        match request.send().await.map_err(|e| failure::classify(at.clone(), e)) {
            // AWS answers so only when the bucket is missing; compatible servers may for the object.
            Err(StoreError::NotFound { detail, .. }) if !detail.contains("NoSuchBucket") => Ok(()),
            result => result.map(drop),
        }
    }

    /// An object that is written piece by piece: 8 MiB being filled, two of them on their way.
    pub(super) fn writer(&self, at: &Place, key: &str) -> Upload {
        Upload::new(self, at.clone(), key, 8 * MIB, 2)
    }
}

async fn rewind(file: &mut Option<&mut BufWriter<tokio::fs::File>>) -> std::io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    file.seek(SeekFrom::Start(0)).await?;
    file.get_ref().set_len(0).await
}

/// Half a second, doubled each time, give or take a half: many clients must not come back at once.
async fn pause(breaks: u32) {
    let base_ms = 500u64 << breaks.saturating_sub(1).min(5);
    let jitter = RandomState::new().hash_one(breaks) % base_ms;
    tokio::time::sleep(Duration::from_millis(base_ms / 2 + jitter)).await;
}

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|n| u64::try_from(n).ok()).unwrap_or_default()
}

fn timestamp(time: &DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.secs(), time.subsec_nanos().try_into().ok()?).ok()
}

#[cfg(test)]
mod tests;
