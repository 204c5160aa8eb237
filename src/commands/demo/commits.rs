//! The demo of histories: repositories with all kinds of oddities, a local host that serves them, a budget that is used
//! up before everything is there, a force push in between, and the proof.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::git_host::{HostHoldings, HourlyLimit, read_clones, router};
use super::place::DemoPlace;
use super::quickstats::LocalServer;
use crate::cli::DemoArgs;
use crate::commands::show::TextTable;
use crate::commands::terminal::{say, say_line};
use crate::commands::{run, summary};
use crate::config::{ApiSecret, RunConfig};
use crate::datasets::commits::COMMITS;
use crate::datasets::commits::host::GitHost;
use crate::datasets::commits::options::of_list;
use crate::datasets::commits::sample::{HistoriesArgs, LIST, write_histories};
use crate::datasets::samples::SampleFault;
use crate::error::{Cause, Exit, Failure};
use crate::log::Report;
use crate::run::server::Server;
use crate::run::walk;

/// Commits of the largest repository: more than one budget covers.
const LARGEST: u32 = 4_000;
const BUDGET: u64 = 30;
/// The most runs after the first two: one or two fetch the rest.
const MOST_RUNS: usize = 10;
/// The token for the local host, and the secret for hashing addresses.
const SECRET: &str = "demo";
/// The repository that gets a force push.
const PUSHED: &str = "harbour/lighthouse";

/// Serves repositories, loads their histories in two runs, and shows the proof and what to try next.
pub async fn demo(args: &DemoArgs, report: &Report) -> Result<Exit, Failure> {
    let dir = DemoPlace::folder(&args.dir)?;
    say_line!("1. A sample: repositories of git, with everything strange that histories have.");
    let clones = dir.join("clones");
    let sample = HistoriesArgs { commits: LARGEST, seed: 1, out: clones.clone(), serve: false };
    let made = write_histories(&sample).map_err(SampleFault::from)?;
    say_line!("   {} ({} commits)", clones.display(), made.commits);
    let place = DemoPlace::settle(&args.database_url, dir).await?;
    let list = clones.join(LIST);
    let service = GitService::start(&clones, &list, Some(SECRET)).await?;
    say_line!("   A host of this machine serves them at {}.", service.server.url());
    let config = |requests| run_config(&place, &service, &list, requests);
    let database = config(BUDGET)?.target.database.url;
    let server = Server::open(&database).await?;
    let shown = async {
        say_line!("\n2. A run with --requests {BUDGET}: it ends with what it has, and says what is left.");
        run_and_show(config(BUDGET)?, report, &server).await?;
        say_line!("3. Somebody pushes to {PUSHED} by force; then the same command goes on.");
        push(&clones)?;
        service.reread(&clones, &list).await?;
        run_and_show(config(BUDGET)?, report, &server).await?;
        say_line!(
            "4. As often as it takes, until nothing is left; then once more, which sees the heads of now:"
        );
        for _ in 0..MOST_RUNS {
            if !run_and_show(config(BUDGET)?, report, &server).await? {
                break;
            }
        }
        run_and_show(config(BUDGET)?, report, &server).await?;
        say_line!("5. The proof: every head, every parent, and what no head reaches any more is marked.");
        let mut proved = TextTable::new(&["", ""]);
        for proof in walk::prove(&config(BUDGET)?, &server.url).await?.unwrap_or_default() {
            let judged = match proof.is_complete() {
                true => "ok".to_owned(),
                false => proof.faults.iter().chain(&proof.unseen).cloned().collect::<Vec<_>>().join("; "),
            };
            proved.row([proof.name, format!("{} ({judged})", proof.found)]);
        }
        say(&proved.render(3));
        Ok::<_, Failure>(())
    }
    .await;
    server.close().await;
    shown?;
    next_steps(&place, &clones);
    Ok(Exit::Done)
}

/// Serves a sample's repositories on the loopback address, as a host does, until somebody ends it.
///
/// # Errors
/// The repositories cannot be read, or no port is free.
pub async fn serve(clones: &Path) -> Result<(), Cause> {
    let clones = std::path::absolute(clones).map_err(Cause::io("find the folder of the sample"))?;
    let list = clones.join(LIST);
    let service = GitService::start(&clones, &list, None).await?;
    let (tool, list, url) = (DemoPlace::tool(), list.display(), service.server.url());
    say_line!("\nA host with these repositories, until Ctrl-C: {url}");
    say_line!("What to try in another terminal:");
    say_line!(
        "   export MERGANSER_EMAIL_KEY={SECRET} MERGANSER_STORE=file:$PWD/store DATABASE_URL=embedded:$PWD/database"
    );
    say_line!("   {tool} run commits --projects {list} --source {url} --requests 10");
    say_line!("      (repeat it until nothing is left to do)");
    tokio::signal::ctrl_c().await.map_err(Cause::io("wait for Ctrl-C"))
}

/// A local host that runs as long as this exists.
struct GitService {
    server: LocalServer,
    holdings: Arc<HostHoldings>,
}

impl GitService {
    /// `token`: the token that a request must send; `None`: anybody is served.
    async fn start(clones: &Path, list: &Path, token: Option<&str>) -> Result<Self, Cause> {
        let (repositories, token) = (read(clones, list).await?, token.map(str::to_owned));
        let host = GitHost { repositories, token, ..GitHost::default() };
        let holdings = HostHoldings::new(host, HourlyLimit::new(5_000, 3600));
        let server = LocalServer::start(router(holdings.clone()))
            .map_err(Cause::io("serve on the loopback address"))?;
        Ok(Self { server, holdings })
    }

    async fn reread(&self, clones: &Path, list: &Path) -> Result<(), Cause> {
        let repositories = read(clones, list).await?;
        self.holdings.host().repositories = repositories;
        Ok(())
    }
}

async fn read(
    clones: &Path,
    list: &Path,
) -> Result<Vec<crate::datasets::commits::host::HostedRepository>, Cause> {
    let text = std::fs::read_to_string(list).map_err(Cause::io("read the list of projects"))?;
    let read = read_clones(clones, &text).await;
    read.map_err(|error| Cause::io("read the sample")(std::io::Error::other(error)))
}

fn run_config(
    place: &DemoPlace,
    service: &GitService,
    list: &Path,
    requests: u64,
) -> Result<RunConfig, Cause> {
    let options = of_list(list, requests).map_err(|wrong| Cause::usage(wrong.message))?;
    let secret = || ApiSecret::local(SECRET);
    RunConfig::plainly_walked(
        &COMMITS,
        (options, &service.server.url()),
        [secret(), secret()],
        place.store()?,
        place.database()?,
    )
}

/// Runs and shows the result; returns whether there is more to do.
async fn run_and_show(mut config: RunConfig, report: &Report, server: &Server) -> Result<bool, Failure> {
    config.target.database.url = crate::config::DatabaseUrl::Server(Box::new(server.url.clone()));
    let summary = run::run(config, report).await?;
    say_line!("{}", summary::render(&summary));
    Ok(summary.walked.is_some_and(|walked| walked.more.is_some()))
}

/// Replaces the last forty commits by another one.
fn push(clones: &Path) -> Result<(), Cause> {
    let repository: PathBuf = clones.join(PUSHED);
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=Demo", "-c", "user.email=demo@example.org"])
            .args(arguments)
            .current_dir(&repository)
            .output()
            .map_err(Cause::io("run git"))?;
        Ok::<_, Cause>(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let tree = git(&["rev-parse", "main^{tree}"])?;
    let other = git(&["commit-tree", "-m", "Another way", "-p", "main~40", &tree])?;
    git(&["update-ref", "refs/heads/main", &other])?;
    Ok(())
}

fn next_steps(place: &DemoPlace, clones: &Path) {
    let (tool, options) = (DemoPlace::tool(), place.options());
    let list = clones.join(LIST);
    say_line!("\n6. What to try next:");
    say_line!("   export MERGANSER_EMAIL_KEY={SECRET}");
    say_line!("   {tool} status last --database-url {}", place.database_url);
    let list = list.display();
    let clones = clones.display();
    say_line!("   {tool} run commits --projects {list} --source git:{clones} --branches all {options}");
    say_line!("      (the same histories from the repositories themselves, with every branch)");
    say_line!(
        "   {tool} check commits --complete --projects {list} --source git:{clones} --branches all {options}"
    );
    say_line!("   {tool} reprocess commits '*' --force --projects {list} {options}");
    say_line!("      (the answers are in the archive: no request is made)");
    say_line!("   ls {}/store/public/commits", place.dir.display());
    place.say_how_to_remove();
}
