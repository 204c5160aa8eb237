//! Parse arguments, call the library, render the error, exit code; nothing else.

use std::process::ExitCode;

use merganser::cli::environment;
use merganser::commands;

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
