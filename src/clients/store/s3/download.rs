//! Reading objects of S3. A broken body is resumed where it broke, a few times.

use std::io::SeekFrom;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncSeekExt, AsyncWriteExt, BufWriter};

use super::{S3Store, failure, upload};
use crate::clients::backoff;
use crate::clients::store::Downloaded;
use crate::clients::store::error::{ObjectPlace, StoreError};
use crate::words::hex;

/// How often in a row a download may break before [`PROGRESS_BYTES`] have arrived.
const BREAKS: u32 = 5;
const PROGRESS_BYTES: u64 = 8 << 20;
/// The pause before it is resumed for the first time, and the longest one.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// A body that sends nothing for this long counts as broken, whatever the SDK thinks.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

impl S3Store {
    pub(in crate::clients::store) async fn download(
        &self,
        at: &ObjectPlace,
        key: &str,
        mut to: Option<&mut BufWriter<tokio::fs::File>>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Downloaded, StoreError> {
        let here = |e| StoreError::from_io(at.kept(), e);
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
                // The server sends the whole object again.
                rewind(&mut to).await.map_err(here)?;
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
                            to.write_all(&chunk).await.map_err(here)?;
                        }
                        size_bytes += chunk.len() as u64;
                        progress(size_bytes);
                    }
                    Ok(None) if total.is_none_or(|total| total == size_bytes) => {
                        if let Some(to) = &mut to {
                            to.flush().await.map_err(here)?;
                        }
                        return Ok(Downloaded { size_bytes, sha256: hex(&hash.finalize()) });
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
                rewind(&mut to).await.map_err(here)?;
                (hash, size_bytes, counted) = (Sha256::new(), 0, 0);
                progress(0);
            }
            tokio::time::sleep(backoff::pause(PAUSE, LONGEST_PAUSE, breaks)).await;
        }
    }

    /// Reads the first byte.
    pub(in crate::clients::store) async fn try_open(
        &self,
        at: &ObjectPlace,
        key: &str,
    ) -> Result<(), StoreError> {
        let request = self.client.get_object().bucket(&self.bucket).key(self.full_key(key));
        match request.range("bytes=0-0").send().await.map_err(|e| failure::classify(at.clone(), e)) {
            // An empty object has no first byte.
            Ok(_) | Err(StoreError::Changed { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The checksum that was stored with an object when it was made.
    pub(in crate::clients::store) async fn known_sha256(
        &self,
        at: &ObjectPlace,
        key: &str,
    ) -> Result<Option<String>, StoreError> {
        let asked = self.client.head_object().bucket(&self.bucket).key(self.full_key(key)).send().await;
        match asked.map_err(|e| failure::classify(at.clone(), e)) {
            Ok(head) => Ok(head.metadata().and_then(|known| known.get(upload::SHA256)).cloned()),
            // The read that follows reports the exact error.
            Err(StoreError::NotFound { .. } | StoreError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(in crate::clients::store) async fn read(
        &self,
        at: &ObjectPlace,
        key: &str,
        max_bytes: u64,
    ) -> Result<Bytes, StoreError> {
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
            tokio::time::sleep(backoff::pause(PAUSE, LONGEST_PAUSE, breaks)).await;
        }
    }
}

async fn rewind(file: &mut Option<&mut BufWriter<tokio::fs::File>>) -> std::io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    file.seek(SeekFrom::Start(0)).await?;
    file.get_ref().set_len(0).await
}
