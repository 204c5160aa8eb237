//! The image, without a daemon: buildah builds it, its files are mounted read-only, and the weekly job runs in them as
//! in Kubernetes, against a real PostgreSQL, a real S3 server and a real OpenSSH.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use k8s_openapi::api::batch::v1::CronJob;
use tempfile::TempDir;

use super::{cache, dist, is_release, is_root, not_tested, root, succeed, words};
use crate::datasets::oca::rules::marked;
use crate::support::extract::Extract;
use crate::support::pipeline::{Pipeline, Ran};
use crate::support::{self, s3, ssh};

const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The upper limit of the image's size. The tests' own program is not optimised, and therefore larger.
fn most_megabytes() -> u64 {
    if is_release() { 130 } else { 160 }
}

/// Mounts the files of the image $1, and calls the script $2 with their folder and the remaining words.
const MOUNTED: &str = r#"
    set -e
    container=$(buildah from "$1")
    trap 'buildah umount "$container" >/dev/null; buildah rm "$container" >/dev/null' EXIT
    root=$(buildah mount "$container")
    script=$2
    shift 2
    sh -c "$script" sh "$root" "$@"
"#;

/// Runs the words in the folder $1: $2 is the work folder, $3 a memory group or nothing, $4 and $5 user and group.
/// Everything but /staging is read-only.
const JOB: &str = r#"
    exec unshare --mount --pid --fork sh -c '
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
        chown "$uid:$gid" "$staging"
        mount --bind "$staging" "$root/staging"
        mount -o remount,bind,ro "$root"
        exec env -u HOME -u XDG_RUNTIME_DIR -u CONTAINERS_STORAGE_CONF \
            setpriv --no-new-privs chroot --userspec="$uid:$gid" "$root" "$@"
    ' sh "$@"
"#;

/// The features of this machine that this needs.
const PROBE: &str =
    "exec unshare --mount --pid --fork sh -c 'mount -t proc proc /proc && mount -t tmpfs none /mnt'";

/// Looks at the files in the folder $1, and prints a line for each fact: megabytes, authorities, writable places.
const LOOK: &str = r#"
    du -s --block-size=1000000 "$1" | cut -f 1
    grep -c 'BEGIN CERTIFICATE' "$1/etc/ssl/certs/ca-certificates.crt"
    (cd "$1" && find . -xdev ! -type l -perm /022)
    for absent in bin/sh usr/bin/perl usr/bin/dpkg sbin/ldconfig; do
        [ ! -e "$1/$absent" ] || echo "$absent is in the image"
    done
"#;

/// A store for these tests' own images, which is removed when dropped.
struct Store(TempDir);

impl Store {
    /// `None`, and a message, where no image can be made or run; but what setup installs must exist.
    fn new(what: &str) -> Option<Self> {
        if Command::new("apt-get").arg("--version").output().is_err() {
            not_tested(what, "it is made of Debian's packages, and there is no apt here");
            return None;
        }
        assert!(Command::new("buildah").arg("--version").output().is_ok(), "no buildah: scripts/setup test");
        let store = Self(support::server_dir());
        // The first driver copies less; the second works on every file system and for every user.
        let works = |driver: &str| {
            store.keep_with(driver);
            store.as_root("buildah").arg("images").output().is_ok_and(|said| said.status.success())
        };
        assert!(["overlay", "vfs"].iter().any(|driver| works(driver)), "buildah keeps no images here");
        let said = store.as_root("sh").args(["-c", PROBE]).output().expect("it was there before");
        if !said.status.success() {
            not_tested(what, &format!("this machine does not let us mount: {}", words(&said)));
            return None;
        }
        Some(store)
    }

    /// Lets buildah keep its images here with this driver, and starts with an empty store.
    fn keep_with(&self, driver: &str) {
        self.empty();
        let [kept, run] = self.folders();
        let text = format!("[storage]\ndriver = \"{driver}\"\ngraphroot = {kept:?}\nrunroot = {run:?}\n");
        fs::write(self.0.path().join("storage.conf"), text).expect("a file can be written");
    }

    fn folders(&self) -> [PathBuf; 2] {
        ["kept", "run"].map(|name| self.0.path().join(name))
    }

    /// The files in it belong to users of a namespace.
    fn empty(&self) {
        let _ = self.as_root("rm").arg("-rf").args(self.folders()).output();
    }

    /// Builds the image under a name, and returns its id.
    fn build(&self, image: &str) -> String {
        let mut script = self.command(root().join("scripts/image"));
        let most = most_megabytes().to_string();
        succeed(script.args([dist(), Path::new(image), Path::new(&most)]).env("MERGANSER_CACHE", cache()));
        succeed(self.command("buildah").args(["images", "--no-trunc", "--quiet", image]))
    }

    /// A command that finds the images here.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", SYSTEM).stdin(Stdio::null());
        for name in ["HOME", "XDG_RUNTIME_DIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("CONTAINERS_STORAGE_CONF", self.0.path().join("storage.conf"));
        command
    }

    /// A command run as root, at least within a namespace of its own.
    fn as_root(&self, program: impl AsRef<OsStr>) -> Command {
        if is_root() {
            return self.command(program);
        }
        let mut command = self.command("buildah");
        command.arg("unshare").arg(program);
        command
    }

    /// A script that gets the folder of the image's files.
    fn mounted(&self, image: &str, script: &str) -> Command {
        let mut command = self.as_root("sh");
        command.args(["-c", MOUNTED, "sh", image, script]);
        command
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.empty();
    }
}

/// A memory group with a limit, which is removed when dropped. `None` where such groups cannot be made.
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
        not_tested("the memory limit of the weekly job", "this machine makes no memory groups for us");
        None
    }

    /// The peak of the used memory, in bytes.
    fn most(&self) -> u64 {
        let files = ["memory.max_usage_in_bytes", "memory.peak"].map(|file| self.0.join(file));
        let most = files.iter().find_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
        most.expect("the group says it")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// The weekly job of `deploy/`.
fn cron_job() -> CronJob {
    let text = fs::read_to_string(root().join("deploy/base/cronjob.yaml")).expect("a manifest can be read");
    serde_norway::from_str(&text).expect("it is a CronJob")
}

fn bytes(quantity: &str) -> u64 {
    let number = quantity.strip_suffix("Mi").expect("the limit is in Mi");
    number.parse::<u64>().expect("a number") * 1024 * 1024
}

#[tokio::test]
async fn the_weekly_job_runs_in_the_image() {
    let Some(store) = Store::new("the weekly job in the image") else { return };
    let image = "merganser:tests";
    store.build(image);
    let pod = cron_job().spec.job_template.spec.and_then(|job| job.template.spec).expect("the job has a pod");
    let (container, user) = (pod.containers[0].clone(), pod.security_context.expect("a pod says who it is"));
    let limit = container.resources.and_then(|resources| resources.limits).expect("there are limits");
    let limit = bytes(&limit["memory"].0);
    let group = MemoryGroup::new(limit);
    let (pipeline, bucket, server) = (Pipeline::new("image").await, s3::bucket("image").await, ssh::server());
    let extract =
        Extract::weekly("2024-01-08").case("a", &marked("1")).case("b", "<FiledDate>soon</FiledDate>");
    server.put(&extract.file_name(), &extract.bytes());
    server.own_files();
    let mut variables: BTreeMap<String, String> = bucket.env().into_iter().collect();
    for (name, value) in [
        ("DATABASE_URL", pipeline.database.tcp_url()),
        ("AWS_S3_BUCKET_NAME", bucket.name.clone()),
        ("MERGANSER_SOURCE", server.url()),
        ("MERGANSER_SFTP_KEY", fs::read_to_string(server.dir.join("user_key")).expect("a key")),
        ("MERGANSER_SFTP_HOST_KEY", server.fingerprint("ed25519")),
        ("MERGANSER_LOG_FORMAT", "json".into()),
        ("MERGANSER_WORK_DIR", "/staging".into()),
    ] {
        variables.insert(name.into(), value);
    }
    let staging = pipeline.folder().join("work");
    let number = |id: Option<i64>| id.expect("the pod says it").to_string();
    let (uid, gid) = (number(user.run_as_user), number(user.run_as_group));
    let run = |words: &[String]| {
        let mut command = store.mounted(image, JOB);
        command.arg(&staging).arg(group.as_ref().map_or(Path::new(""), |group| &group.0)).args([&uid, &gid]);
        command.arg("/opt/merganser/merganser").args(words).envs(&variables);
        async move {
            let ran = tokio::task::spawn_blocking(move || command.output().expect("it runs")).await;
            Ran::new(ran.expect("the run is over"))
        }
    };
    // The check that comes before the first run, as in the pod.
    run(&["check".into(), "oca".into()]).await.exits(0);
    let job = container.args.expect("the job has arguments");
    let ran = run(&job).await.exits(3);
    assert_eq!(
        (ran.count("records_loaded"), pipeline.one("select count(*) from oca_index").await),
        (1, "1".into())
    );
    assert!(bucket.objects().await.contains_key("public/oca_index.csv"));
    // The next week has nothing new.
    assert_eq!(run(&job).await.exits(0).count("files"), 0);
    let kept: Vec<_> = fs::read_dir(&staging).expect("a folder").flatten().collect();
    assert!(kept.is_empty(), "left behind: {kept:?}");
    if let Some(group) = &group {
        let most = group.most();
        assert!(most > 0 && most < limit, "{most} of {limit}");
        println!("the weekly job used {} MiB of {} MiB", most >> 20, limit >> 20);
    }
}

#[test]
fn the_image_holds_what_it_needs_and_no_more_and_one_that_is_built_again_is_the_same() {
    let Some(store) = Store::new("what is in the image") else { return };
    let (image, again) = ("merganser:first", "merganser:second");
    let built = store.build(image);
    if support::tries_all() {
        assert_eq!(built, store.build(again), "two builds of the same");
    }
    let said = succeed(store.command("buildah").args(["inspect", "--type", "image", image]));
    let said: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
    let config = &said["OCIv1"]["config"];
    assert_eq!(config["User"], "10001:10001");
    assert_eq!(config["Entrypoint"][0], "/opt/merganser/merganser");
    let said = succeed(&mut store.mounted(image, LOOK));
    let lines: Vec<_> = said.lines().collect();
    let number = |line: &str| line.parse::<u64>().unwrap_or_else(|_| panic!("{said}"));
    assert!(number(lines[0]) < most_megabytes(), "{said}");
    assert!(number(lines[1]) > 100, "the authorities: {said}");
    // Places that users other than root may write to, and files that an image should not have.
    assert_eq!(lines[2..], ["./tmp"], "{said}");
}
