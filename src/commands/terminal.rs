//! The end of every command: its result on standard output, its failure on standard error, its exit code.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::future::Future;
use std::io::{BufWriter, ErrorKind, StdoutLock, Write};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use crate::clients::postgres;
use crate::error::{Cause, Database, Exit, Failure};
use crate::log::Report;

/// The exit code; an error is shown.
pub fn end(result: &Result<Exit, Failure>, report: &Report) -> Exit {
    match result {
        Ok(exit) => *exit,
        Err(failure) => {
            show(failure, report);
            failure.exit()
        }
    }
}

/// Runs a command. A panic ends it like any other failure, as an event of the log in whatever format; a panic that is
/// caught elsewhere is logged.
pub fn guarded(report: &Report, work: impl FnOnce() -> Exit) -> Exit {
    let (main, place) = (std::thread::current().id(), Arc::new(OnceLock::new()));
    let noted = Arc::clone(&place);
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            tracing::error!("{trace}");
        }
        if std::thread::current().id() == main {
            let _ = noted.set(place);
        } else {
            tracing::error!("a defect of merganser, {place}: {}", message(panic.payload()));
        }
    }));
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let place = place.get().cloned().unwrap_or_default();
        let cause = Cause::Defect { place, message: message(&*panic).into() };
        end(&Err(Failure { database: Database::BrokenOff, ..cause.into() }), report)
    })
}

/// What a panic says.
fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("it says nothing")
}

/// Writes a result to standard output. Ignores a reader that has closed the pipe (`| head`).
pub fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes a line of a result as [`say`] does; used like `println!`, which would panic if the reader has closed the
/// pipe.
macro_rules! say_line {
    ($($text:tt)*) => {
        $crate::commands::terminal::say(&(format!($($text)*) + "\n"))
    };
}
pub(crate) use say_line;

/// Standard output for what is too long for one text; give what came of it to [`written`].
pub fn writer() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(std::io::stdout().lock())
}

/// The result of writing to a [`writer`]: a reader that has closed the pipe (`| head`) has seen enough.
pub fn written(result: Result<(), Cause>) -> Result<(), Cause> {
    match result {
        Err(Cause::Io { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A failure, for a person or as one event.
fn show(failure: &Failure, report: &Report) {
    if report.is_json() {
        tracing::error!(
            run_id = failure.run_id.map(|id| id.to_string()),
            step = failure.step,
            exit_code = failure.exit() as u8,
            database = failure.database_sentence(),
            hint = failure.hint(report.command()),
            causes = failure.chain().join(": "),
            "{}",
            failure.cause
        );
    } else {
        // Not `eprint!`, which would panic if the reader has closed the pipe.
        let _ = std::io::stderr().write_all(failure.render(report.command()).as_bytes());
    }
}

/// Runs the work of a command on its own runtime.
pub fn start(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Cause::io("start the runtime"))?;
    let result = runtime.block_on(async {
        let result = work.await;
        postgres::farewell().await;
        result
    });
    // A blocking task of an interrupted run is not waited for.
    runtime.shutdown_background();
    result
}

/// JSON for a reader.
pub fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
