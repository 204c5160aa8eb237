//! Made-up repositories: ordinary ones, and ones with everything strange that histories have. For demonstrations, tests and
//! benchmarks. Git itself makes them, by `git fast-import` and `git hash-object`.

mod odd;
mod story;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::odd::odd_commits;
use self::story::HistoryStory;

/// The owner of all of them.
const OWNER: &str = "harbour";
/// The list of projects beside them.
pub const LIST: &str = "projects.csv";

/// How many commits, and where, as it is typed.
#[derive(clap::Args, Clone, Debug)]
pub struct HistoriesArgs {
    /// Commits of the largest repository, 100 to 1,000,000
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub commits: u32,
    /// The same seed gives the same commits
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Folder for the repositories (OUT/harbour/NAME) and the list of projects; repositories that are there are made anew
    #[arg(long, default_value = "sample-commits", value_name = "DIR")]
    pub out: PathBuf,
    /// Then serve them on the loopback address, as a host does, until Ctrl-C
    #[arg(long)]
    pub serve: bool,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoriesWritten {
    /// The list of projects.
    pub list: PathBuf,
    pub repositories: u64,
    pub commits: u64,
    /// Bytes that git was given, and that it made of them.
    pub text_bytes: u64,
    pub packed_bytes: u64,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum HistoriesFault {
    #[error("git is not there, and makes these repositories: {0}")]
    NoGit(io::Error),
    #[error("git {what}: {said}")]
    Git { what: String, said: String },
    #[error("cannot write {path}: {source}")]
    Histories { path: PathBuf, source: io::Error },
}

/// The repositories, each with the number that a host knows it by.
const REPOSITORIES: [(&str, i64); 5] =
    [("lighthouse", 9001), ("oddities", 9002), ("empty", 9003), ("detached", 9004), ("replaced", 9005)];

/// Makes the repositories and the list.
///
/// # Errors
/// Where git is not there or refuses something, or a file cannot be written.
pub fn write_histories(args: &HistoriesArgs) -> Result<HistoriesWritten, HistoriesFault> {
    let mut written = HistoriesWritten {
        list: args.out.join(LIST),
        repositories: 0,
        commits: 0,
        text_bytes: 0,
        packed_bytes: 0,
    };
    let mut list = "project,repository,repository_id\n".to_owned();
    for (name, id) in REPOSITORIES {
        let repository = SampleRepository::make(&args.out.join(OWNER).join(name))?;
        let count = match name {
            "lighthouse" => args.commits,
            "empty" => 0,
            _ => 20,
        };
        let story = HistoryStory::new(count, args.seed.wrapping_add(id as u64));
        written.text_bytes += repository.import(&story)?;
        written.commits += u64::from(count);
        match name {
            "oddities" => written.commits += repository.add_oddities()?,
            "detached" => repository.detach()?,
            "replaced" => repository.replace()?,
            _ => {}
        }
        list += &format!("{},{OWNER}/{name},{id}\n", title(name));
        written.packed_bytes += repository.packed_bytes();
        written.repositories += 1;
    }
    fs::write(&written.list, list)
        .map_err(|source| HistoriesFault::Histories { path: written.list.clone(), source })?;
    Ok(written)
}

fn title(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

/// A bare repository that is being made.
struct SampleRepository {
    path: PathBuf,
}

impl SampleRepository {
    fn make(path: &Path) -> Result<Self, HistoriesFault> {
        let failed = |source| HistoriesFault::Histories { path: path.to_owned(), source };
        if path.join("HEAD").is_file() {
            fs::remove_dir_all(path).map_err(failed)?;
        }
        fs::create_dir_all(path).map_err(failed)?;
        let repository = Self { path: path.to_owned() };
        repository.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."], b"")?;
        Ok(repository)
    }

    /// Runs git here, with these bytes as its input; gives what it says.
    fn git(&self, arguments: &[&str], input: &[u8]) -> Result<String, HistoriesFault> {
        let mut git = Command::new("git")
            .args(arguments)
            .current_dir(&self.path)
            // Nothing of whoever types this is in it.
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(HistoriesFault::NoGit)?;
        let mut stdin = git.stdin.take().expect("it was piped");
        let input = input.to_vec();
        let feed = std::thread::spawn(move || stdin.write_all(&input));
        let output = git.wait_with_output().map_err(HistoriesFault::NoGit)?;
        // Git closes its side where it has enough; what it made of it is what counts.
        let _ = feed.join();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(HistoriesFault::Git { what: arguments.join(" "), said });
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Has git import a story; gives its bytes.
    fn import(&self, story: &HistoryStory) -> Result<u64, HistoriesFault> {
        let stream = story.stream();
        if !stream.is_empty() {
            self.git(
                &["fast-import", "--quiet", "--force", "--done", "--date-format=raw-permissive"],
                &stream,
            )?;
        }
        Ok(stream.len() as u64)
    }

    fn packed_bytes(&self) -> u64 {
        let packs = fs::read_dir(self.path.join("objects/pack")).into_iter().flatten().flatten();
        packs.filter_map(|pack| Some(pack.metadata().ok()?.len())).sum()
    }

    /// Adds commits that git would not write, and reads; gives their number.
    fn add_oddities(&self) -> Result<u64, HistoriesFault> {
        let mut parent = self.git(&["rev-parse", "main"], b"")?;
        let tree = self.git(&["hash-object", "-w", "-t", "tree", "--stdin"], b"")?;
        let odd = odd_commits();
        for object in &odd {
            let mut bytes = format!("tree {tree}\nparent {parent}\n").into_bytes();
            bytes.extend_from_slice(object);
            parent = self.git(&["hash-object", "-w", "-t", "commit", "--literally", "--stdin"], &bytes)?;
        }
        self.git(&["update-ref", "refs/heads/main", &parent], b"")?;
        Ok(odd.len() as u64)
    }

    /// Leaves no branch checked out.
    fn detach(&self) -> Result<(), HistoriesFault> {
        let sha = self.git(&["rev-parse", "main"], b"")?;
        self.git(&["update-ref", "--no-deref", "HEAD", &sha], b"")?;
        Ok(())
    }

    /// Puts another commit in the place of one, and cuts the history by a graft: neither is part of it.
    fn replace(&self) -> Result<(), HistoriesFault> {
        let (old, new) = (self.git(&["rev-parse", "main~3"], b"")?, self.git(&["rev-parse", "main~7"], b"")?);
        self.git(&["replace", &old, &new], b"")?;
        let grafted = self.git(&["rev-parse", "main~5"], b"")?;
        let (info, path) = (self.path.join("info"), self.path.join("info/grafts"));
        fs::create_dir_all(&info)
            .and_then(|()| fs::write(&path, format!("{grafted}\n")))
            .map_err(|source| HistoriesFault::Histories { path, source })
    }
}
