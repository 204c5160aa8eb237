//! The same workers, started by another engine with the code of `docs/engines.md`.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::world::World;
use crate::support::ssh::free_port;
use crate::support::tools;
use crate::support::waiting::until;

/// A process with all its children, which ends with the test.
struct Group(Child);

impl Group {
    fn start(command: &mut Command) -> Self {
        let command =
            command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    fn kill(&mut self) {
        let _ = kill_process_group(Pid::from_raw(self.0.id() as i32).unwrap(), Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first block of the document in this language.
fn block(language: &str) -> String {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/engines.md");
    let text = fs::read_to_string(document).unwrap();
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("there is a block");
    rest.split_once("```").expect("it ends").0.to_owned()
}

#[tokio::test]
async fn dask_starts_workers_and_replaces_one_that_is_killed() {
    let world = World::new("transform_dask", 20_000).await;
    let python = tools::python();
    let dask = python.with_file_name("dask");
    let scheduler = format!("tcp://127.0.0.1:{}", free_port());
    let port = scheduler.rsplit(':').next().unwrap().to_owned();
    let place = world.folder.path().join("dask");
    fs::create_dir(&place).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_merganser"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let engine = |words: &[&str], faults: &str| {
        let mut command = Command::new(&dask);
        command.args(words).current_dir(&place).env("PATH", &path).env("JOB", world.folder.path());
        command.env("DATABASE_URL", world.database.url()).env("FAULTS", faults);
        Group::start(&mut command)
    };
    let _scheduler = engine(&["scheduler", "--host", "127.0.0.1", "--port", &port, "--no-dashboard"], "");
    let worker = |faults: &str| {
        let place = ["--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard"];
        engine(&[&["worker", scheduler.as_str()], place.as_slice()].concat(), faults)
    };
    let held = place.join("held");
    // The second worker has a claim and stands still.
    let (_one, mut other) = (worker(""), worker(&format!("transform.claimed@2=hold {}", held.display())));
    let code = block("python").replace("os.environ[\"JOB\"]]", "os.environ[\"JOB\"], \"--lease\", \"2\"]");
    assert!(code.contains("--lease"), "{code}");
    let code = code.replace("\nworkers = ", "\nclient.wait_for_workers(2)\nworkers = ");
    let mut client = Command::new(&python)
        .args(["-c", &code])
        .envs([("SCHEDULER", scheduler.as_str()), ("JOB", &world.folder.path().display().to_string())])
        .current_dir(&place)
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    until("a worker is held", async || held.exists()).await;
    other.kill();
    let ended = tokio::task::spawn_blocking(move || {
        let status = client.wait().unwrap();
        (status, std::io::read_to_string(client.stderr.take().unwrap()).unwrap())
    });
    let (status, said) =
        tokio::time::timeout(Duration::from_secs(120), ended).await.expect("in time").unwrap();
    assert!(status.success(), "{said}");
    world.assert_whole().await;
    assert_eq!(world.status()["state"], "swapped");
}
