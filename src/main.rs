//! Parse arguments, call the library, render the error, exit code; nothing else.

use std::process::ExitCode;

use merganser::cli::environment;
use merganser::commands;

/// Settings of DuckDB's allocator, which looks for a variable of this name. By default it has an arena for each CPU,
/// and each arena keeps freed memory: the store would take several times its memory limit.
#[unsafe(export_name = "duckdb_je_malloc_conf_2_conf_harder")]
#[used]
static ONE_ARENA: &u8 = &b"narenas:1,muzzy_decay_ms:0\0"[0];

fn main() -> ExitCode {
    // An empty variable means unset, here and for the libraries that read the environment themselves.
    for (name, value) in std::env::vars_os() {
        if value.as_encoded_bytes().trim_ascii().is_empty() {
            // SAFETY: no other thread runs yet.
            unsafe { std::env::remove_var(name) };
        }
    }
    match environment::parse(std::env::args_os()) {
        Ok(cli) => commands::run(cli).into(),
        Err(error) => error.exit(),
    }
}
