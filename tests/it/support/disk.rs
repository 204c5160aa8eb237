//! Small or read-only disks that only one process sees.

use std::path::Path;
use std::process::{Command, Stdio};

use super::pipeline::{Pipeline, Ran};

/// What a test needs for its own file system: a private mount namespace, which ends with the process.
fn namespace() -> Option<Vec<&'static str>> {
    [vec!["unshare", "--mount"], vec!["unshare", "--map-root-user", "--mount"]].into_iter().find(|words| {
        let mut probe = Command::new(words[0]);
        probe.args(&words[1..]).args(["sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]);
        probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

/// Runs the pipeline, with these words more, where `folder` is a file system of its own, with these options; `None`: this
/// machine cannot.
pub async fn run_mounted(pipeline: &Pipeline, folder: &Path, options: &str, more: &[&str]) -> Option<Ran> {
    mounted(folder, options, pipeline.args(more), &[]).await
}

/// The same with all of a command's words, and more variables of its environment.
pub async fn mounted(folder: &Path, options: &str, args: Vec<String>, envs: &[(&str, &str)]) -> Option<Ran> {
    let Some(words) = namespace() else {
        eprintln!("skipped: no file system can be mounted here (it takes root, or user namespaces)");
        return None;
    };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args([
        "sh",
        "-c",
        "mount -t tmpfs -o \"$1\" none \"$2\" && shift 2 && exec \"$@\"",
    ]);
    command.args(["sh", options]).arg(folder).arg(env!("CARGO_BIN_EXE_merganser")).args(args);
    command.env_clear().stdin(Stdio::null());
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.envs(envs.iter().copied());
    let ran = tokio::task::spawn_blocking(move || Ran::new(command.output().expect("it runs")));
    Some(ran.await.expect("no panic"))
}
