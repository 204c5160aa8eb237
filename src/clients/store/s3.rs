//! A store in an S3 bucket, AWS's own or a compatible one.
//!
//! Credentials, region, endpoint and checksum behaviour come from AWS's standard environment and
//! profile. Every request is tried a few times with growing, jittered pauses; connecting, waiting for an answer and a
//! stalled stream each have a time limit.

mod copy;
mod download;
mod failure;
mod options;
mod upload;
mod whole;

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
use bytes::BytesMut;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::error::{ObjectPlace, StoreError};
use super::{Listing, ObjectInfo, S3Location};
use crate::words::hex;
pub use options::{Encryption, Keys, S3Options, S3OptionsError};
pub(super) use upload::Upload;

const MIB: usize = 1 << 20;
/// How often one request is tried at most.
const ATTEMPTS: u32 = 5;

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
        at: &ObjectPlace,
        bucket: &str,
        prefix: &str,
        options: &S3Options,
    ) -> Result<Self, StoreError> {
        let mut trust = TrustStore::default();
        if let Some(path) = &options.ca_bundle {
            let pem = tokio::fs::read(path).await.map_err(|e| {
                let at = ObjectPlace { operation: "read the CA bundle", url: path.display().to_string() };
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
            // With a custom endpoint there is no metadata service, and S3-compatible servers expect us-east-1 unless
            // configured otherwise.
            None if options.endpoint_url.is_some() => environment(),
            // The SDK's own default chain of the same three cannot be given our HTTP client, and panics.
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
                    // Until the answer's head arrives; requests with a body have longer, see `upload`.
                    .operation_attempt_timeout(Duration::from_secs(60))
                    // The longest of all limits, because connections with different limits are not shared.
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
        at: &ObjectPlace,
        folder: &str,
        deep: bool,
    ) -> Result<Listing, StoreError> {
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
        let mut found = Listing::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| failure::classify(at.clone(), e))?;
            for folder in page.common_prefixes() {
                let key = folder.prefix().and_then(|key| key.get(cut..)).unwrap_or_default();
                found.odd.push((key.trim_end_matches('/').to_owned(), "it is a folder"));
            }
            for object in page.contents() {
                let key = object.key().and_then(|key| key.get(cut..)).unwrap_or_default();
                // Consoles make "folders" as empty objects whose key ends in a slash.
                if key.is_empty() || key.ends_with('/') {
                    continue;
                }
                found.files.push(ObjectInfo {
                    key: key.to_owned(),
                    size_bytes: size(object.size()),
                    modified: object.last_modified().and_then(timestamp),
                });
            }
        }
        // Directory buckets of S3 do not sort.
        found.files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    pub(super) async fn head(&self, at: &ObjectPlace, key: &str) -> Result<Option<ObjectInfo>, StoreError> {
        let asked = self.client.head_object().bucket(&self.bucket).key(self.full_key(key)).send().await;
        match asked {
            Ok(head) => Ok(Some(ObjectInfo {
                key: key.to_owned(),
                size_bytes: size(head.content_length()),
                modified: head.last_modified().and_then(timestamp),
            })),
            Err(error) => match failure::classify(at.clone(), error) {
                StoreError::NotFound { .. } => Ok(None),
                // The answer to a HEAD has no body that could say what is wrong; that to a list has.
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

    pub(super) async fn upload(
        &self,
        at: &ObjectPlace,
        key: &str,
        from: &Path,
        sha256: Option<&str>,
    ) -> Result<u64, StoreError> {
        let io =
            |e| StoreError::from_io(ObjectPlace { operation: "read", url: from.display().to_string() }, e);
        let mut file = tokio::fs::File::open(from).await.map_err(io)?;
        let expected = file.metadata().await.map_err(io)?.len();
        file.set_max_buf_size(MIB);
        let part_bytes = upload::part_bytes_for(expected);
        let mut upload = Upload::new(self, at.clone(), key, part_bytes, 3).with_sha256(sha256);
        let mut hash = sha256.map(|_| Sha256::new());
        let mut chunk = BytesMut::with_capacity(MIB);
        let mut size_bytes = 0u64;
        // A dropped upload is aborted, so an error can simply be returned.
        while file.read_buf(&mut chunk).await.map_err(io)? > 0 {
            upload.write(&chunk).await?;
            if let Some(hash) = &mut hash {
                hash.update(&chunk);
            }
            size_bytes += chunk.len() as u64;
            chunk.clear();
        }
        if size_bytes != expected {
            upload.abort().await;
            return Err(StoreError::Changed { at: at.clone(), source: None });
        }
        if let (Some(expected), Some(hash)) = (sha256, hash) {
            let read = hex(&hash.finalize());
            if read != expected {
                upload.abort().await;
                return Err(StoreError::other_content(at.clone(), &read, expected));
            }
        }
        upload.finish().await?;
        Ok(size_bytes)
    }

    pub(super) async fn copy(&self, at: &ObjectPlace, from: &str, to: &str) -> Result<(), StoreError> {
        copy::copy(self, at, from, to).await
    }

    pub(super) fn location(&self, key: &str) -> S3Location {
        let region = self.client.config().region().map(ToString::to_string);
        // The store was opened with a region, even if only a guess.
        let region = region.unwrap_or_default();
        let kms_key = match &self.encryption {
            Encryption::Kms(key) => key.clone(),
            Encryption::None | Encryption::Aes256 => None,
        };
        S3Location { bucket: self.bucket.clone(), key: self.full_key(key), region, kms_key }
    }

    pub(super) async fn delete(&self, at: &ObjectPlace, key: &str) -> Result<(), StoreError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(self.full_key(key));
        match request.send().await.map_err(|e| failure::classify(at.clone(), e)) {
            // AWS answers this only when the bucket is missing; compatible servers may do so for a missing object.
            Err(StoreError::NotFound { detail, .. }) if !detail.contains("NoSuchBucket") => Ok(()),
            result => result.map(drop),
        }
    }

    /// An object that is written piece by piece: one part of 8 MiB is being filled while two are in flight.
    pub(super) fn writer(&self, at: &ObjectPlace, key: &str) -> Upload {
        Upload::new(self, at.clone(), key, 8 * MIB, 2)
    }
}

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|n| u64::try_from(n).ok()).unwrap_or_default()
}

fn timestamp(time: &DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.secs(), time.subsec_nanos().try_into().ok()?).ok()
}

#[cfg(test)]
mod tests;
