//! Parse arguments, call the library, render the error, exit code; nothing else.

use std::process::ExitCode;

use clap::Parser;
use merganser::cli::Cli;
use merganser::command;

fn main() -> ExitCode {
    // An empty variable means unset, here and for the libraries that read the environment themselves.
    for (name, value) in std::env::vars_os() {
        if value.is_empty() {
            // SAFETY: no other thread runs yet.
            unsafe { std::env::remove_var(name) };
        }
    }
    command::run(Cli::parse()).into()
}
