//! What a clone's heads are.

use std::path::Path;

use gix::Repository;

use super::CloneProblem;

/// The heads of a clone, by name, each with the SHA of its commit.
pub(super) struct CloneHeads {
    pub default_branch: Option<String>,
    pub heads: Vec<(String, String)>,
}

impl CloneHeads {
    /// Reads the head of the branch that is checked out, or those of all branches, including its remotes' branches.
    pub(super) fn read(path: &Path, all_branches: bool) -> Result<Self, CloneProblem> {
        let repository = open(path).map_err(|_| match has_other_format(path) {
            true => CloneProblem::OtherFormat,
            false => CloneProblem::NoClone,
        })?;
        if repository.is_shallow().map_err(|_| CloneProblem::NoClone)? {
            return Err(CloneProblem::Shallow);
        }
        let head = repository.head().map_err(|_| CloneProblem::Heads)?;
        let default_branch = head.referent_name().map(|name| name.shorten().to_string());
        let heads = match all_branches {
            true => branches(&repository).map_err(|_| CloneProblem::Heads)?,
            false => {
                let own = head.try_into_peeled_id().map_err(|_| CloneProblem::Heads)?;
                let name = default_branch.clone().unwrap_or_else(|| "HEAD".into());
                own.map(|id| (name, id.to_string())).into_iter().collect()
            }
        };
        Ok(Self { default_branch, heads })
    }
}

/// Opens a clone and reads nothing outside its own folder. Replacement objects are ignored.
pub(super) fn open(path: &Path) -> gix::Result<Repository> {
    let mut repository = gix::open_opts(path, gix::open::Options::isolated())?;
    repository.objects.ignore_replacements = true;
    Ok(repository)
}

/// Does a clone that cannot be opened say that its objects are not named by SHA-1?
fn has_other_format(path: &Path) -> bool {
    [path.join(".git/config"), path.join("config")].into_iter().any(|config| {
        let read = gix::config::File::from_path_no_includes(config, gix::config::Source::Local).ok();
        let format = read.and_then(|read| Some(read.string("extensions.objectFormat")?.to_string()));
        format.is_some_and(|format| !format.eq_ignore_ascii_case("sha1"))
    })
}

fn branches(repository: &Repository) -> gix::Result<Vec<(String, String)>> {
    let mut heads = Vec::new();
    let references = repository.references()?;
    for branch in references.local_branches()?.chain(references.remote_branches()?) {
        let branch = branch?;
        let name = branch.name().shorten().to_string();
        // The branch that a remote has checked out is there under its own name.
        if !name.ends_with("/HEAD") {
            heads.push((name, branch.into_fully_peeled_id()?.to_string()));
        }
    }
    heads.sort_unstable();
    Ok(heads)
}
