//! The output of a run while it goes on: progress bars and lines on a terminal, one JSON object per event elsewhere.
//! Always on standard error; standard output is for data.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli::{LogFormat, Output};
use crate::timeline::Timeline;
use crate::words::count;

/// Where progress is shown.
#[derive(Clone, Debug)]
pub struct Report {
    bars: MultiProgress,
    json: bool,
    timeline: Timeline,
    /// The command that was typed, without its arguments.
    command: String,
    /// The whole command; empty: it holds a password.
    typed: String,
}

/// Writes whole lines above the bars.
#[derive(Clone)]
struct AboveBars(MultiProgress);

impl std::io::Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.suspend(|| std::io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = AboveBars;

    fn make_writer(&'a self) -> AboveBars {
        self.clone()
    }
}

impl Report {
    /// Sets the process' log up; `for_people`: text wherever it goes. Call it once.
    pub fn start(output: &Output, for_people: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let usual = if terminal || for_people { LogFormat::Text } else { LogFormat::Json };
        let format = output.log_format.unwrap_or(usual);
        let bars = MultiProgress::new();
        let shows_bars = terminal && format == LogFormat::Text && !output.quiet;
        if !shows_bars {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        let level = match (output.quiet, output.verbose) {
            (true, _) => "warn",
            (_, 0) => "warn,merganser=info",
            (_, 1) => "info,merganser=debug",
            _ => "debug,merganser=trace",
        };
        // Levels that cannot be switched on. At `debug`, PostgreSQL's library shows the parameters of statements:
        // failed records with all their content. At `trace`, S3's shows whole bodies: uploads, and the answer to an
        // expired token, which repeats the token.
        let quiet = ["tokio_postgres=info", "aws_smithy_runtime::client::orchestrator=info"];
        let filter = EnvFilter::try_from_env("MERGANSER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        let filter = quiet.into_iter().fold(filter, |filter, directive| {
            filter.add_directive(directive.parse().expect("it is a directive"))
        });
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(AboveBars(bars.clone()));
        let color = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        // A second start (tests) keeps the first.
        let _ = match format {
            LogFormat::Json => builder
                .json()
                .with_target(false)
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .try_init(),
            LogFormat::Text => builder
                .with_ansi(color)
                .with_target(false)
                .without_time()
                .event_format(Lines { color })
                .try_init(),
        };
        let (command, typed) = (output.command.clone(), output.typed.clone());
        Self { bars, json: format == LogFormat::Json, timeline: Timeline::default(), command, typed }
    }

    /// A report that shows nothing.
    pub fn silent() -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self {
            bars,
            json: false,
            timeline: Timeline::default(),
            command: String::new(),
            typed: String::new(),
        }
    }

    /// When each operation of the process began and ended.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The command that was typed, such as `run` or `transform plan`.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The command as it is typed again for a real run.
    pub fn typed(&self) -> &str {
        match self.typed.as_str() {
            "" => "the same command with",
            typed => typed,
        }
    }

    /// Are the lines and bars shown on a terminal?
    pub fn shows_bars(&self) -> bool {
        !self.bars.is_hidden()
    }

    /// Is every event one JSON object?
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A bar for one file that is read or written, in bytes; `total` 0: unknown.
    pub fn bytes_bar(&self, what: &str, total: u64) -> ProgressBar {
        self.bar(what, total, "{bytes}/{total_bytes} {bytes_per_sec}")
    }

    /// A bar for one document that is parsed, in bytes of the document; the message counts records.
    pub fn records_bar(&self, what: &str, total: u64) -> ProgressBar {
        self.bar(what, total, "{msg}")
    }

    /// A line for a step that has no bytes to count: it shows the current operation, and how long the step has taken so
    /// far. A name from `tables` at the end of the words is numbered.
    pub fn doing(&self, step: &str, tables: Vec<&'static str>) -> Doing {
        let bar = self.bars.add(ProgressBar::new_spinner());
        let template = "  {prefix:<8} {wide_msg} {elapsed}";
        bar.set_style(ProgressStyle::with_template(template).expect("the template is ours"));
        bar.set_prefix(step.to_owned());
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(500));
        }
        Doing { bar, tables, rows: Vec::new() }
    }

    fn bar(&self, what: &str, total: u64, tail: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(total));
        let template = format!("  {{prefix:<46!}} {{wide_bar}} {tail} {{eta}}");
        bar.set_style(ProgressStyle::with_template(&template).expect("the template is ours"));
        bar.set_prefix(what.to_owned());
        bar
    }
}

/// The line of a step; it disappears when this is dropped.
#[derive(Debug)]
pub struct Doing {
    bar: ProgressBar,
    tables: Vec<&'static str>,
    /// How many rows go into some of them.
    rows: Vec<(String, u64)>,
}

impl Doing {
    /// Adds the number of rows to be shown beside a table's name.
    pub fn with_rows(mut self, rows: &[(String, u64)]) -> Self {
        self.rows = rows.to_vec();
        self
    }

    /// Shows what is done now.
    pub fn show(&self, words: &str) {
        self.bar.set_message(numbered(words, &self.tables, &self.rows));
    }

    /// A function that shows the current operation; once the line has ended, it does nothing.
    pub fn shower(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let (bar, tables, rows) = (self.bar.clone(), self.tables.clone(), self.rows.clone());
        move |words| bar.set_message(numbered(words, &tables, &rows))
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `insert into parties (4 of 11, 1,200 rows)`: how many of the tables there are, which this one is, and how many rows go into it.
fn numbered(words: &str, tables: &[&str], rows: &[(String, u64)]) -> String {
    let (operation, rest) = words.split_once(": ").map_or((words, None), |(op, rest)| (op, Some(rest)));
    let last = operation.rsplit(' ').next().unwrap_or_default();
    let mut text = operation.to_owned();
    if let Some(at) = tables.iter().position(|table| *table == last) {
        let rows = rows.iter().find(|(table, _)| table == last);
        let rows = rows.map(|(_, rows)| format!(", {} rows", count(*rows))).unwrap_or_default();
        text += &format!(" ({} of {}{rows})", at + 1, tables.len());
    }
    if let Some(rest) = rest {
        text += &format!(": {rest}");
    }
    text
}

/// One line per event for people: `warning:` and `error:` where it matters, else the message alone.
struct Lines {
    color: bool,
}

impl<S, N> tracing_subscriber::fmt::FormatEvent<S, N> for Lines
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    N: for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &tracing_subscriber::fmt::FmtContext<'_, S, N>,
        mut writer: tracing_subscriber::fmt::format::Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let (word, code) = match *event.metadata().level() {
            tracing::Level::ERROR => ("error: ", "31"),
            tracing::Level::WARN => ("warning: ", "33"),
            _ => ("", ""),
        };
        if self.color && !code.is_empty() {
            write!(writer, "\x1b[{code}m{word}\x1b[0m")?;
        } else {
            write!(writer, "{word}")?;
        }
        let mut message = MessageText::default();
        event.record(&mut message);
        writeln!(writer, "{}", message.0)
    }
}

/// The message of an event without its fields.
#[derive(Default)]
struct MessageText(String);

impl tracing::field::Visit for MessageText {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_is_at_work_is_numbered() {
        let tables = ["oca_index", "oca_parties"];
        let rows = [("oca_parties".to_owned(), 1_200)];
        assert_eq!(
            numbered("insert into oca_parties", &tables, &rows),
            "insert into oca_parties (2 of 2, 1,200 rows)"
        );
        let waits = numbered("merge oca_index: waiting for a lock on oca_index", &tables, &rows);
        assert_eq!(waits, "merge oca_index (1 of 2): waiting for a lock on oca_index");
        assert_eq!(numbered("plan the merge", &tables, &rows), "plan the merge");
    }
}
