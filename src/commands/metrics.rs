//! The metrics of a run for Prometheus: in a file, or sent to a push gateway. All are gauges without timestamps. Values
//! that a run does not know (a table that it did not reach, a success that it did not have) stay as they were.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::deliver::deliver;
use crate::clients::http::{Posted, SecretUrl};
use crate::config;
use crate::error::{Cause, Exit};
use crate::prometheus::{CONTENT_TYPE, PrometheusText, label};

/// The variable with their destination.
pub const VARIABLE: &str = "MERGANSER_METRICS";
/// The file's mode: everybody may read it.
const MODE: u32 = 0o644;

/// Every metric with its description; `deploy/monitoring/` uses these names.
pub const METRICS: [(&str, &str); 7] = [
    ("merganser_run_exit_code", "How the last run ended."),
    ("merganser_run_failed_records", "Records of the last run that could not be loaded."),
    ("merganser_run_failed_files", "Files of the last run that could not be read, or not to their end."),
    (
        "merganser_run_unanswered_questions",
        "Questions of the last run that outside services left without an answer.",
    ),
    ("merganser_table_rows", "Rows of a table."),
    ("merganser_last_success_timestamp_seconds", "When a run last ended with 0 or 3, in seconds since 1970."),
    ("merganser_step_seconds", "What the last run took for a step."),
];

/// The destination of the metrics.
#[derive(Clone, Debug)]
pub enum MetricsTarget {
    File(PathBuf),
    Gateway(SecretUrl),
}

/// The metrics of one run.
#[derive(Clone, Debug)]
pub struct Figures {
    pub dataset: &'static str,
    pub exit: Exit,
    /// Records, and files, that could not be loaded; `None`: not known.
    pub failed_records: Option<u64>,
    pub failed_files: Option<u64>,
    /// `None`: not known, or the dataset asks no service.
    pub unanswered: Option<u64>,
    /// Rows of each table, if they are known.
    pub rows: BTreeMap<String, i64>,
    /// Seconds since 1970.
    pub now: u64,
    /// Seconds of each step, summed over batches.
    pub steps: BTreeMap<&'static str, f64>,
}

/// A line without its value: the metric and its labels.
type Series = (String, String);

impl MetricsTarget {
    /// The destination from the environment; `None`: there is none.
    ///
    /// # Errors
    /// [`Cause::Usage`] if it is neither a path nor an address; it is not repeated.
    pub fn from_env() -> Result<Option<Self>, Cause> {
        let Some(text) = config::environment(VARIABLE) else { return Ok(None) };
        if !text.contains("://") {
            return Ok(Some(Self::File(text.into())));
        }
        let refused = |_| Cause::Usage {
            message: format!("{VARIABLE} is neither a file nor the address of a push gateway"),
            hint: Some(
                "give a file such as /var/lib/node_exporter/merganser.prom, or http://HOST:9091".into(),
            ),
        };
        SecretUrl::in_the_clear(&text).map(|url| Some(Self::Gateway(url))).map_err(refused)
    }

    /// Writes them. A failure is only a warning.
    pub async fn write(&self, figures: &Figures) {
        let written = match self {
            Self::File(path) => {
                write_file(path, figures).map_err(|error| format!("{}: {error}", path.display()))
            }
            Self::Gateway(url) => push(url, figures).await,
        };
        if let Err(why) = written {
            tracing::warn!("the figures of this run could not be sent to the place in {VARIABLE}: {why}");
        }
    }
}

/// Pushes them into the dataset's own group. Metrics that are not pushed stay in it.
async fn push(url: &SecretUrl, figures: &Figures) -> Result<(), String> {
    let group = format!("/metrics/job/merganser/dataset/{}", figures.dataset);
    let url = url.below(&group, |path| path.contains("/metrics/job"));
    let bytes = render(&series(figures)).into_bytes();
    deliver(&url, &[], Posted { content_type: CONTENT_TYPE.into(), bytes }).await
}

/// Replaces the file atomically.
fn write_file(path: &Path, figures: &Figures) -> std::io::Result<()> {
    // A file that cannot be read may still hold other datasets' metrics.
    let old = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => read?,
    };
    let text = render(&merged(&old, figures));
    let mut file = beside(path)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(MODE))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A temporary file beside the one that it may replace; removed if it does not.
pub fn beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".merganser-").suffix(".part").tempfile_in(folder)
}

/// The content of the file after this run: other datasets' metrics stay, and so do its own that it does not know.
fn merged(old: &str, figures: &Figures) -> BTreeMap<Series, String> {
    let new = series(figures);
    let known = |name: &str| METRICS.iter().any(|(metric, _)| *metric == name);
    let own = label("dataset", figures.dataset);
    let lines = old.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.strip_suffix('}')?.split_once('{')?;
        let is_number = value.parse::<f64>().is_ok();
        (known(name) && is_number).then(|| ((name.to_owned(), labels.to_owned()), value.to_owned()))
    });
    let stays = |(name, labels): &Series| {
        let is_own = labels.split(',').any(|label| label == own);
        !is_own || !new.keys().any(|(metric, _)| metric == name)
    };
    let mut all: BTreeMap<_, _> = lines.filter(|(series, _)| stays(series)).collect();
    all.extend(new);
    all
}

fn series(figures: &Figures) -> BTreeMap<Series, String> {
    let dataset = label("dataset", figures.dataset);
    let [exit_code, failed_records, failed_files, unanswered, table_rows, last_success, step_seconds] =
        METRICS.map(|(name, _)| name);
    let mut all = BTreeMap::new();
    let mut add = |name: &str, labels: String, value: String| all.insert((name.to_owned(), labels), value);
    add(exit_code, dataset.clone(), (figures.exit as u8).to_string());
    for (name, failed) in [(failed_records, figures.failed_records), (failed_files, figures.failed_files)] {
        if let Some(failed) = failed {
            add(name, dataset.clone(), failed.to_string());
        }
    }
    if let Some(questions) = figures.unanswered {
        add(unanswered, dataset.clone(), questions.to_string());
    }
    if matches!(figures.exit, Exit::Done | Exit::SomeFailed) {
        add(last_success, dataset.clone(), figures.now.to_string());
    }
    for (table, rows) in &figures.rows {
        add(table_rows, format!("{dataset},{}", label("table", table)), rows.to_string());
    }
    for (step, seconds) in &figures.steps {
        add(step_seconds, format!("{dataset},{}", label("step", step)), format!("{seconds:.3}"));
    }
    all
}

/// The text in both formats: for Prometheus' own, the last line is a comment.
fn render(all: &BTreeMap<Series, String>) -> String {
    let mut text = PrometheusText::default();
    for (metric, about) in METRICS {
        let mut lines = all.iter().filter(|((name, _), _)| name == metric).peekable();
        if lines.peek().is_some() {
            text.begin(metric, "gauge", about);
        }
        for ((_, labels), value) in lines {
            text.value(metric, labels, value);
        }
    }
    text.into_text() + "# EOF\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(dataset: &'static str, exit: Exit) -> Figures {
        Figures {
            dataset,
            exit,
            failed_records: Some(2),
            failed_files: Some(1),
            unanswered: None,
            rows: BTreeMap::from([("rates".to_owned(), 7)]),
            now: 1000,
            steps: BTreeMap::from([("promote", 1.5)]),
        }
    }

    #[test]
    fn what_a_run_does_not_know_stays() {
        let first = render(&series(&figures("a", Exit::SomeFailed)));
        assert!(first.contains("merganser_last_success_timestamp_seconds{dataset=\"a\"} 1000\n"), "{first}");
        assert!(
            first.ends_with("merganser_step_seconds{dataset=\"a\",step=\"promote\"} 1.500\n# EOF\n"),
            "{first}"
        );
        let failed = Figures {
            failed_records: None,
            failed_files: None,
            rows: BTreeMap::new(),
            now: 2000,
            steps: BTreeMap::from([("load", 2.0)]),
            ..figures("a", Exit::Failed)
        };
        let second = render(&merged(&first, &failed));
        for line in [
            "merganser_run_exit_code{dataset=\"a\"} 1\n",
            "merganser_run_failed_records{dataset=\"a\"} 2\n",
            "merganser_run_failed_files{dataset=\"a\"} 1\n",
            "merganser_table_rows{dataset=\"a\",table=\"rates\"} 7\n",
            "merganser_last_success_timestamp_seconds{dataset=\"a\"} 1000\n",
            "merganser_step_seconds{dataset=\"a\",step=\"load\"} 2.000\n",
        ] {
            assert!(second.contains(line), "no {line} in {second}");
        }
        assert!(!second.contains("promote"), "{second}");
        let other = render(&merged(&second, &figures("b", Exit::Done)));
        assert!(
            other.contains("exit_code{dataset=\"a\"} 1\n") && other.contains("exit_code{dataset=\"b\"} 0\n")
        );
        assert_eq!(merged("garbage\n# EOF\nx{y} z\n", &failed), series(&failed));
    }
}
