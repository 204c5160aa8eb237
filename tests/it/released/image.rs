//! The image, with no daemon: its files are mounted, read only, and the weekly job runs in them as Kubernetes would run
//! it, against a real PostgreSQL, a real S3 server and a real OpenSSH.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use k8s_openapi::api::batch::v1::CronJob;

use super::{succeed, words};
use crate::rules::marked;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::{s3, ssh};

/// What runs the program, in namespaces of its own: $1 the image's files, $2 the folder for work, $3 a memory group or
/// nothing, $4 and $5 user and group; then the words. Everything but /staging is read only.
const RUN: &str = r#"
    set -e
    root=$1 staging=$2 group=$3 uid=$4 gid=$5
    shift 5
    if [ -n "$group" ]; then echo 0 >"$group/cgroup.procs"; fi
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 none "$root/sys"
    if [ -n "$group" ]; then
        mkdir -p "$root/sys/fs/cgroup/memory"
        mount --bind "$group" "$root/sys/fs/cgroup/memory"
        mount -o remount,bind,ro "$root/sys/fs/cgroup/memory"
    fi
    mount --bind "$staging" "$root/staging"
    mount -o remount,bind,ro "$root"
    exec chroot --userspec="$uid:$gid" "$root" "$@"
"#;

/// A container of the image whose files are mounted; it goes when this is dropped.
struct Mounted {
    container: String,
    root: PathBuf,
}

impl Mounted {
    fn new(image: &str) -> Self {
        let container = succeed(Command::new("buildah").args(["from", image]));
        let root = succeed(Command::new("buildah").args(["mount", &container])).into();
        Self { container, root }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for words in [["umount", &self.container], ["rm", &self.container]] {
            let _ = Command::new("buildah").args(words).stdout(Stdio::null()).status();
        }
    }
}

/// A memory group with a limit; it goes when this is dropped. None where there are no such groups to make.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("merganser-test-{}", std::process::id());
        for (root, file) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let folder = Path::new(root).join(&name);
            if !Path::new(root).join("cgroup.procs").exists() || fs::create_dir(&folder).is_err() {
                continue;
            }
            let group = Self(folder);
            if fs::write(group.0.join(file), bytes.to_string()).is_ok() {
                return Some(group);
            }
        }
        None
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn image() -> String {
    format!("merganser:{}", env!("CARGO_PKG_VERSION"))
}

/// The weekly job of `deploy/`.
fn cron_job() -> CronJob {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/base/cronjob.yaml");
    serde_norway::from_str(&fs::read_to_string(file).expect("a manifest can be read"))
        .expect("it is a CronJob")
}

fn bytes(quantity: &str) -> u64 {
    let number = quantity.strip_suffix("Mi").expect("the limit is in Mi");
    number.parse::<u64>().expect("a number") * 1024 * 1024
}

#[tokio::test]
#[ignore = "make test-dist runs it, on what make image has built"]
async fn the_weekly_job_runs_in_the_image() {
    let pod = cron_job().spec.job_template.spec.and_then(|job| job.template.spec).expect("the job has a pod");
    let (container, user) = (pod.containers[0].clone(), pod.security_context.expect("a pod says who it is"));
    let limit = container.resources.and_then(|resources| resources.limits).expect("there are limits");
    let group = MemoryGroup::new(bytes(&limit["memory"].0));
    if group.is_none() {
        eprintln!("no memory limit: this machine makes no memory groups for us");
    }
    let (pipeline, bucket, server) = (Pipeline::new("image").await, s3::bucket("image").await, ssh::server());
    let extract =
        Extract::weekly("2024-01-08").case("a", &marked("1")).case("b", "<FiledDate>soon</FiledDate>");
    server.put(&extract.file_name(), &extract.bytes());
    server.own_files();
    let mut env: BTreeMap<String, String> = bucket.env().into_iter().collect();
    for (name, value) in [
        ("DATABASE_URL", pipeline.database.tcp_url()),
        ("AWS_S3_BUCKET_NAME", bucket.name.clone()),
        ("MERGANSER_SOURCE", server.url()),
        ("MERGANSER_SFTP_KEY", fs::read_to_string(server.dir.join("user_key")).expect("a key")),
        ("MERGANSER_SFTP_HOST_KEY", server.fingerprint("ed25519")),
        ("MERGANSER_LOG_FORMAT", "json".into()),
        ("MERGANSER_WORK_DIR", "/staging".into()),
    ] {
        env.insert(name.into(), value);
    }
    let mounted = Mounted::new(&image());
    let staging = pipeline.folder().join("work");
    let number = |id: Option<i64>| id.expect("the pod says it").to_string();
    let (uid, gid) = (number(user.run_as_user), number(user.run_as_group));
    succeed(Command::new("chown").arg(format!("{uid}:{gid}")).arg(&staging));
    let in_image = |line: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "sh", "-c", RUN, "sh"]).arg(&mounted.root).arg(&staging);
        command.arg(group.as_ref().map_or_else(PathBuf::new, |group| group.0.clone())).args([&uid, &gid]);
        command.args(line).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(&env);
        command.stdin(Stdio::null());
        command
    };
    let args = container.args.expect("the job has arguments");
    let entry = "/opt/merganser/merganser";
    let command_line: Vec<_> = [entry].into_iter().chain(args.iter().map(String::as_str)).collect();
    let run = || {
        let mut command = in_image(&command_line);
        async move {
            let ran = tokio::task::spawn_blocking(move || command.output().expect("unshare runs")).await;
            Ran::new(ran.expect("the run is over"))
        }
    };
    // Before the first: what the pod would be checked with.
    let check = in_image(&[entry, "check", "oca"]).output().expect("unshare runs");
    assert!(check.status.success(), "{}", words(&check));
    let ran = run().await.exits(3);
    assert_eq!(
        (ran.count("records_loaded"), pipeline.one("select count(*) from oca_index").await),
        (1, "1".into())
    );
    assert!(bucket.objects().await.contains_key("public/oca_index.csv"));
    // The next week has nothing new.
    assert_eq!(run().await.exits(0).count("files"), 0);
    let kept: Vec<_> = fs::read_dir(&staging).expect("a folder").flatten().collect();
    assert!(kept.is_empty(), "left behind: {kept:?}");
    if let Some(group) = &group {
        let mut most = ["memory.max_usage_in_bytes", "memory.peak"].iter();
        let most =
            most.find_map(|file| fs::read_to_string(group.0.join(file)).ok()?.trim().parse::<u64>().ok());
        let (most, limit) = (most.unwrap_or_default(), bytes(&limit["memory"].0));
        assert!(most > 0 && most < limit, "{most} of {limit}");
        println!("the weekly job used {} MiB of {} MiB", most >> 20, limit >> 20);
    }
}

#[test]
#[ignore = "make test-dist runs it, on what make image has built"]
fn the_image_is_the_same_when_it_is_built_again() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/image");
    let id = |image: &str| succeed(Command::new("buildah").args(["images", "--no-trunc", "--quiet", image]));
    // Both here: the one of `make image` may be of an earlier commit, and so of another time.
    let [first, second] = ["merganser:built-once", "merganser:built-twice"].map(|image| {
        succeed(Command::new(&script).arg(image));
        let built = id(image);
        succeed(Command::new("buildah").args(["rmi", image]));
        built
    });
    assert_eq!(first, second);
}

#[test]
#[ignore = "make test-dist runs it, on what make image has built"]
fn the_image_holds_what_it_needs_and_no_more() {
    let said = succeed(Command::new("buildah").args(["inspect", "--type", "image", &image()]));
    let said: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
    let config = &said["OCIv1"]["config"];
    assert_eq!(config["User"], "10001:10001");
    assert_eq!(config["Entrypoint"][0], "/opt/merganser/merganser");
    let mounted = Mounted::new(&image());
    let megabytes = succeed(Command::new("du").args(["-s", "--block-size=1000000"]).arg(&mounted.root));
    let megabytes: u64 = megabytes.split('\t').next().and_then(|word| word.parse().ok()).expect("a number");
    assert!(megabytes < 130, "{megabytes} MB");
    let bundle =
        fs::read_to_string(mounted.root.join("etc/ssl/certs/ca-certificates.crt")).expect("the authorities");
    assert!(bundle.matches("BEGIN CERTIFICATE").count() > 100);
    for absent in ["bin/sh", "usr/bin/perl", "usr/bin/dpkg", "sbin/ldconfig"] {
        assert!(!mounted.root.join(absent).exists(), "{absent} is in the image");
    }
    let writable =
        succeed(Command::new("find").arg(&mounted.root).args(["-xdev", "!", "-type", "l", "-perm", "/022"]));
    assert_eq!(writable, mounted.root.join("tmp").display().to_string());
}
