//! The source: can it be reached and listed, and which files are new?

use std::time::Duration;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::{Finding, Probe, Probes, host};
use crate::clients::sftp::{HostKeyProblem, SftpError};
use crate::clients::source::{Source, SourceError, SourceUrl};
use crate::clients::store::Listing;
use crate::config::{RunConfig, Selection};
use crate::error::Cause;
use crate::ledger::KnownPart;
use crate::stages::select::{self, SelectedFile};
use crate::words::{count, counted, size};

/// The most files that are opened: each costs a round trip or two.
const OPENED_MAX: usize = 30;

/// The results of the source's probes.
pub(super) struct SourceFound {
    pub probes: Vec<Probe>,
    /// `None`: it could not be listed.
    pub listing: Option<Listing>,
}

/// Logs in and lists.
pub(super) async fn probe(config: &RunConfig, limit: Duration) -> SourceFound {
    let mut probes = Probes::new(limit);
    if matches!(config.from.selection, Selection::Tables) {
        probes.skip(&["source"], "it is made of tables of the database");
        return SourceFound { probes: probes.list, listing: None };
    }
    // In S3 it is on the store's host, or on one of Amazon's, which the listing checks.
    let (host, variables) = match &config.from.url {
        SourceUrl::Sftp(url) => {
            (Some((url.host().to_owned(), url.port())), "--source, MERGANSER_SOURCE or SFTP_HOST")
        }
        SourceUrl::Web(url) => (url.host().map(|(host, port)| (host.to_owned(), port)), "--bulk-url"),
        SourceUrl::Sheets(urls) => (urls.host().map(|(host, port)| (host.to_owned(), port)), "--sheet"),
        SourceUrl::Store(_) | SourceUrl::Git(_) => (None, ""),
    };
    let hosts = Vec::from_iter(host);
    if host::resolve(&mut probes, "source host", &hosts, variables).await.is_none() {
        probes.skip(&["source"], "its host is not known");
        return SourceFound { probes: probes.list, listing: None };
    }
    let place = config.from.url.to_string();
    let listing = probes.run("source", &place, list(config)).await.flatten();
    SourceFound { probes: probes.list, listing }
}

async fn list(config: &RunConfig) -> Result<(Option<Listing>, Finding), Cause> {
    let source = Source::open(&config.from.url, &config.target.s3, &config.from.sftp).await?;
    match source.listing("").await {
        Ok(listing) => {
            let how = match &config.from.url {
                SourceUrl::Sftp(url) => {
                    format!("the key of {} is known, and {} can log in", url.known_hosts_name(), url.user())
                }
                SourceUrl::Store(url) => format!("{url} can be listed"),
                SourceUrl::Web(url) => format!("{url} can be listed"),
                SourceUrl::Git(folder) => format!("{folder} can be listed"),
                SourceUrl::Sheets(urls) => format!("{urls} are named"),
            };
            let finding =
                Finding::ok(format!("{how}, {} there", counted(listing.files.len() as u64, "file")));
            Ok((Some(listing), finding))
        }
        Err(SourceError::Sftp(SftpError::HostKey { at, problem }))
            if config.from.sftp.trust_on_first_use && matches!(*problem, HostKeyProblem::Unknown { .. }) =>
        {
            Ok((None, Finding::warn(format!("{at}: {problem}"), "a run would accept it and remember it")))
        }
        Err(error) => Err(error.into()),
    }
}

/// The files that a run would take; `None`: not known.
pub(super) fn files(
    probes: &mut Probes,
    config: &RunConfig,
    listing: Option<Listing>,
    known: Option<Vec<KnownPart>>,
) -> Option<Vec<SelectedFile>> {
    let (listing, known) = match (listing, known) {
        (Some(listing), Some(known)) => (listing, known),
        (None, _) => {
            probes.skip(&["files"], "the source could not be listed");
            return None;
        }
        (_, None) => {
            probes.skip(&["files"], "the ledger could not be read");
            return None;
        }
    };
    let names = listing.files.len();
    let mut files = select::of_dataset(config.target.dataset, listing.files);
    let ours = files.len();
    match &config.from.selection {
        Selection::Archived { glob, force } => {
            files.retain(|file| glob.is_match(&file.name));
            if !force {
                let clean: Vec<_> = known.into_iter().filter(|file| !file.has_failures).collect();
                select::leave_out_archived(&mut files, &clean);
            }
        }
        _ => {
            select::add_odd(config.target.dataset, &mut files, listing.odd);
            select::leave_out_done(&mut files, known);
        }
    }
    probes.note("files", finding(config, &files, ours, names));
    Some(files)
}

/// Opens the files that a run would take, without fetching them; only the newest if there are many.
pub(super) async fn open(probes: &mut Probes, config: &RunConfig, files: Option<&[SelectedFile]>) {
    let Some(files) = files else {
        probes.skip(&["files open"], "it is not known which files a run would take");
        return;
    };
    let place = config.from.url.to_string();
    let work = async { Ok(((), opened(config, files).await?)) };
    probes.run("files open", &place, work).await;
}

async fn opened(config: &RunConfig, files: &[SelectedFile]) -> Result<Finding, Cause> {
    let tried = &files[files.len().saturating_sub(OPENED_MAX)..];
    let source = Source::open(&config.from.url, &config.target.s3, &config.from.sftp).await?;
    let mut closed = Vec::new();
    for file in tried {
        if let Some(problem) = file.problem {
            closed.push(format!("{}: {problem}", file.name));
            continue;
        }
        match source.try_open(&file.name).await {
            Ok(()) => {}
            Err(error) if error.is_about_file() => closed.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    let of = match tried.len() == files.len() {
        true => format!("{} to be taken", count(files.len() as u64)),
        false => format!("the last {} of {} to be taken", tried.len(), count(files.len() as u64)),
    };
    let Some(first) = closed.first() else {
        return Ok(Finding::ok(format!("{of} can be opened")));
    };
    let found = format!("{} of {of} cannot be opened: {first}", closed.len());
    let hint = "ask the sender for the right to read it, or for the file; what it deletes stays visible until a run has \
                loaded it";
    Ok(match closed.len() == files.len() {
        true => Finding::fail(found, hint),
        false => {
            Finding::warn(found, format!("a run loads the others and fails in part (exit code 3): {hint}"))
        }
    })
}

fn finding(config: &RunConfig, files: &[SelectedFile], ours: usize, names: usize) -> Finding {
    let dataset = config.target.dataset.name;
    // A day of grace, as in the promotion's guard, because of time zones.
    let tomorrow = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_add(1.day());
    let dated = files.iter().filter_map(|file| Some((&file.name, file.meaning.run_date?)));
    let future = dated.into_iter().find(|(_, date)| *date > tomorrow);
    if let Some((name, date)) =
        future.filter(|_| !config.processing.allow.iter().any(|guard| guard == "run_date"))
    {
        return Finding::fail(
            format!("{name} has a run date in the future, {date}"),
            "the guard run_date would stop the run: check this machine's date, then ask the sender; \
             --allow run_date lets it through once",
        );
    }
    if ours == 0 && matches!(config.from.selection, Selection::Asked | Selection::Walked) {
        return Finding::ok("no answer in the archive yet: the first run requests them");
    }
    if ours == 0 {
        return Finding::warn(
            format!("no file of {dataset} among {}", counted(names as u64, "name")),
            "check the folder (--source, MERGANSER_SOURCE or SFTP_DIR), or ask the sender why nothing was posted",
        );
    }
    let bytes: u64 = files.iter().map(|file| file.size_bytes).sum();
    Finding::ok(match files.last() {
        None => format!("none of {} is to be taken: all are done", count(ours as u64)),
        Some(last) => format!(
            "{} of {} to be taken, {}; the last is {}",
            count(files.len() as u64),
            count(ours as u64),
            size(bytes),
            last.name
        ),
    })
}
