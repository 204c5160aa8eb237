//! The store under fire: a proxy in front of the S3 server answers that it is busy, and cuts, shortens, damages or
//! delays requests and answers.

mod client;
mod one_file;
mod publish;
mod runs;

use std::collections::BTreeMap;

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use serde_json::Value;

use crate::support::extract::Extract;
use crate::support::fire::{Fire, Seen};
use crate::support::pipeline::Pipeline;
use crate::support::s3::{self, Bucket};
use crate::support::sha256;

/// The folder for the sender's files.
const SOURCE: &str = "from the court/weekly";

/// A pipeline whose source and store are in a bucket, behind the proxy.
struct Place {
    bucket: Bucket,
    fire: Fire,
    pipeline: Pipeline,
}

impl Place {
    async fn new(hint: &str) -> Self {
        let bucket = s3::bucket(hint).await;
        let fire = Fire::start(&bucket.endpoint).await;
        let pipeline = Pipeline::new(hint)
            .await
            .env(bucket.env())
            .env([("AWS_ENDPOINT_URL_S3".to_owned(), fire.endpoint.clone())])
            .with("--source", format!("s3://{}/{SOURCE}", bucket.name))
            .with("--store", format!("s3://{}/oca", bucket.name));
        Self { bucket, fire, pipeline }
    }

    /// Puts an extract into the source, past the proxy.
    async fn put(&self, extract: Extract) {
        self.bucket.put(&format!("{SOURCE}/{}", extract.file_name()), extract.bytes()).await;
    }

    /// The same in parts and without checksums, as other programs may upload.
    async fn put_in_parts(&self, extract: &Extract) {
        let (client, bucket) = (self.bucket.client(), &self.bucket.name);
        let key = format!("{SOURCE}/{}", extract.file_name());
        let created = client.create_multipart_upload().bucket(bucket).key(&key).send().await.unwrap();
        let id = created.upload_id().unwrap();
        let mut parts = CompletedMultipartUpload::builder();
        for (bytes, number) in extract.bytes().chunks(10 << 20).zip(1..) {
            let part = client.upload_part().bucket(bucket).key(&key).upload_id(id).part_number(number);
            let sent = part.body(bytes.to_vec().into()).send().await.unwrap();
            parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
        }
        let complete = client.complete_multipart_upload().bucket(bucket).key(&key).upload_id(id);
        complete.multipart_upload(parts.build()).send().await.unwrap();
    }

    /// The public objects: `public/NAME` and bytes.
    async fn public(&self) -> BTreeMap<String, Vec<u8>> {
        let objects = self.bucket.objects().await.into_iter();
        let ours = objects.filter_map(|(key, bytes)| Some((key.strip_prefix("oca/")?.to_owned(), bytes)));
        ours.filter(|(key, _)| key.starts_with("public/")).collect()
    }

    /// A careful reader's check: the public files are those that the manifest names.
    async fn is_consistent(&self) -> bool {
        let public = self.public().await;
        let manifest: Value = serde_json::from_slice(&public["public/manifest.json"]).unwrap();
        let date = String::from_utf8_lossy(&public["public/last-updated-date.txt"]);
        manifest["newest_run_date"] == *date
            && manifest["files"].as_array().unwrap().iter().all(|file| {
                let bytes = &public[&format!("public/{}", file["name"].as_str().unwrap())];
                file["size_bytes"] == bytes.len() && file["sha256"] == *sha256(bytes)
            })
    }

    /// Keys of uploads that were begun and neither completed nor aborted.
    async fn unfinished(&self) -> Vec<String> {
        unfinished(&self.bucket).await
    }
}

async fn unfinished(bucket: &Bucket) -> Vec<String> {
    let listed = bucket.client().list_multipart_uploads().bucket(&bucket.name).send().await;
    listed.unwrap().uploads().iter().filter_map(|upload| upload.key().map(str::to_owned)).collect()
}

/// The key of a request for an object of the store.
fn key(seen: &Seen) -> String {
    let path = seen.target.split('?').next().unwrap_or_default();
    path.split_once("/oca/").expect("it is below the prefix").1.to_owned()
}
