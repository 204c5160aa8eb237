//! The environment as the command line sees it: some options have an older name besides their own, and a value that
//! cannot be used is an error that names its variable.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use crate::cli::Cli;
use crate::dataset::Dataset;
use crate::datasets::OwnOptions;
use crate::version;
use crate::words::quoted;

/// Names of the job that this program takes over from, and the variable that each of them stands for. Its
/// other variables are those of the options themselves.
pub const OLDER_NAMES: &[(&str, &str)] = &[
    ("PARSE_FAIL_FAST", "MERGANSER_FAIL_FAST"),
    ("PARSE_WRITE_FLUSH_EVERY_N_CASES", "MERGANSER_BATCH_RECORDS"),
    ("SKIP_PUBLIC_PUBLISH", "MERGANSER_SKIP_PUBLISH"),
];

/// Variables of that job that change nothing here.
pub const UNUSED_NAMES: &[&str] = &[
    "CLONED_DATABASE_URL",
    "CSV_ROW_CHECK_CHUNK_SIZE",
    "DB_KEEPALIVES",
    "DB_KEEPALIVES_COUNT",
    "DB_KEEPALIVES_IDLE",
    "DB_KEEPALIVES_INTERVAL",
    "PARSE_WRITE_BATCH_ENABLED",
    "PARSE_WRITE_BATCH_SIZE",
];

/// Reads the command line and, for options that it does not give, the environment.
///
/// # Errors
/// Any error of clap; a request for help or for the version is one as well. Values of the environment are never shown.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, Error> {
    let words: Vec<_> = words.into_iter().collect();
    let older = older_names(&|name| std::env::var_os(name))?;
    let mut command = Cli::command().mut_subcommands(|command| with_older_names(command, &older));
    // Not for every command: DuckDB is asked for its own.
    if words.iter().any(|word| word == "--version") {
        command = command.long_version(&*version::text().leak());
    }
    let matches = command.try_get_matches_from_mut(&words);
    // A request for help is always answered.
    if !matches.as_ref().is_err_and(|error| !error.use_stderr())
        && let Some(name) = not_text(&command, std::env::vars_os())
    {
        let message = format!("the variable {name} is not UTF-8 text");
        return Err(command.error(ErrorKind::InvalidUtf8, message));
    }
    let matches = matches.map_err(|error| name_the_variable(&mut command, &words, error))?;
    if let Some((option, owner, dataset)) = foreign(&matches) {
        let message = format!("{option} is an option of {owner}, and {dataset} does not have it");
        return Err(command.error(ErrorKind::UnknownArgument, message));
    }
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    cli.output.command = typed(&matches);
    cli.output.typed = again(&words);
    Ok(cli)
}

/// The command that was typed, without its arguments.
fn typed(matches: &ArgMatches) -> String {
    let mut words = Vec::new();
    let mut inner = matches.subcommand();
    while let Some((name, matches)) = inner {
        words.push(name);
        inner = matches.subcommand();
    }
    words.join(" ")
}

/// The whole command, quoted for a shell, that does what a dry run has shown; empty if it holds a password.
fn again(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    let has_password = |word: &str| {
        let host = word.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(rest));
        host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) || word.contains("password")
    };
    if words.iter().any(|word| has_password(word)) {
        return String::new();
    }
    let words = words.iter().filter(|word| *word != "--dry-run").map(|word| quoted(word));
    std::iter::once("merganser".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// An option on the command line that the named dataset does not have, and the dataset that has it.
fn foreign(matches: &ArgMatches) -> Option<(String, &'static str, &'static str)> {
    let (_, given) = matches.subcommand()?;
    let dataset = given.try_get_one::<&'static Dataset>("dataset").ok().flatten()?;
    let (option, owner) = OwnOptions::foreign(dataset, given)?;
    Some((option, owner, dataset.name))
}

/// A variable that we or our libraries read as text, but whose value is not text: it would be ignored as if it were unset. The
/// name of a folder may be any bytes.
fn not_text(command: &Command, variables: impl Iterator<Item = (OsString, OsString)>) -> Option<String> {
    const PREFIXES: [&str; 4] = ["MERGANSER_", "SFTP_", "AWS_", "PG"];
    const FOLDERS: [&str; 2] = ["MERGANSER_WORK_DIR", "MERGANSER_EMBEDDED_DIR"];
    let options = command.get_subcommands().chain([command]).flat_map(Command::get_arguments);
    let options: HashSet<_> = options.filter_map(Arg::get_env).collect();
    let read = |name: &OsStr| {
        let text = name.to_string_lossy();
        let is_ours = options.contains(name) || PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        is_ours && !FOLDERS.contains(&text.as_ref())
    };
    let mut wrong = variables.filter(|(name, value)| value.to_str().is_none() && read(name));
    wrong.next().map(|(name, _)| name.to_string_lossy().into_owned())
}

/// The older names that are in use.
fn older_names(
    env: &dyn Fn(&'static str) -> Option<OsString>,
) -> Result<Vec<(&'static str, &'static str)>, Error> {
    let set = |name| env(name).filter(|value| !value.is_empty());
    let mut used = Vec::new();
    for &(older, own) in OLDER_NAMES {
        match (set(older), set(own)) {
            (None, _) => {}
            (Some(older_value), Some(value)) if older_value != value => {
                let message = format!("{older} and {own} are the same setting and differ: unset one of them");
                return Err(Cli::command().error(ErrorKind::ArgumentConflict, message));
            }
            (Some(_), _) => used.push((older, own)),
        }
    }
    Ok(used)
}

fn with_older_names(command: Command, used: &[(&'static str, &'static str)]) -> Command {
    command.mut_args(|arg| match used.iter().find(|(_, own)| arg.get_env() == Some(OsStr::new(own))) {
        Some((older, _)) => arg.env(older),
        None => arg,
    })
}

/// Names the variable in the error about a value from the environment, because the value may be a secret.
fn name_the_variable(command: &mut Command, words: &[OsString], error: Error) -> Error {
    match complaint(command, words, &error) {
        Some(message) => command.error(ErrorKind::ValueValidation, message),
        None => error,
    }
}

fn complaint(command: &mut Command, words: &[OsString], error: &Error) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (name, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
    // clap cannot show an argument of a command that is not built. It builds the commands on its way, but not their
    // subcommands.
    command.build();
    let (mut inner, mut commands) = (&*command, vec![&*command]);
    while let Some(sub) = inner.get_subcommands().find(|sub| words.iter().any(|word| word == sub.get_name()))
    {
        commands.push(sub);
        inner = sub;
    }
    let mut args = commands.into_iter().rev().flat_map(Command::get_arguments);
    let arg = args.find(|arg| arg.to_string() == name && !is_typed(arg, words))?;
    let variable = arg.get_env()?;
    let allowed: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let reason = match std::error::Error::source(error) {
        _ if !arg.get_action().takes_values() => "write true, yes, on or 1, or false, no, off or 0".into(),
        _ if !allowed.is_empty() => format!("write {}", allowed.join(" or ")),
        Some(source) => source.to_string().replace(value, "it"),
        None => "its value cannot be used there".into(),
    };
    Some(format!("the variable {}, for {name}: {reason}", variable.to_string_lossy()))
}

/// Whether the option is on the command line itself.
fn is_typed(arg: &Arg, words: &[OsString]) -> bool {
    let Some(long) = arg.get_long() else { return true };
    let long = format!("--{long}");
    words.iter().any(|word| {
        let word = word.to_string_lossy();
        word == long || word.strip_prefix(&long).is_some_and(|rest| rest.starts_with('='))
    })
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn an_older_name_stands_for_an_option_of_every_command_that_has_it() {
        let mut own: Vec<_> = OLDER_NAMES.iter().map(|(_, own)| *own).collect();
        let command = Cli::command().mut_subcommands(|command| with_older_names(command, OLDER_NAMES));
        for sub in command.get_subcommands() {
            for variable in sub.get_arguments().filter_map(Arg::get_env).map(OsStr::to_string_lossy) {
                assert!(!OLDER_NAMES.iter().any(|(_, own)| *own == variable), "{variable}");
                own.retain(|own| !OLDER_NAMES.contains(&(&variable, own)));
            }
        }
        assert!(own.is_empty(), "{own:?} is of no option");
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_is_typed_again_without_the_dry_run_and_never_with_a_password() {
        for (words, typed) in [
            (&["./merganser", "run", "oca", "--dry-run"][..], "merganser run oca"),
            (
                &["merganser", "reprocess", "oca", "*.zip", "--force"],
                "merganser reprocess oca '*.zip' --force",
            ),
            (
                &["merganser", "run", "oca", "--source", "sftp://me@host/a:b@c"],
                "merganser run oca --source sftp://me@host/a:b@c",
            ),
            (&["merganser", "run", "oca", "--database-url", "postgres://me:secret@host/db"], ""),
            (&["merganser", "run", "oca", "--database-url=postgres://host/db?password=secret"], ""),
        ] {
            let words: Vec<_> = words.iter().map(OsString::from).collect();
            assert_eq!(again(&words), typed);
        }
    }

    #[test]
    fn the_command_that_was_typed_is_known_without_its_arguments() {
        for (words, command) in [
            (&["merganser", "status", "last"][..], "status"),
            (&["merganser", "transform", "pause", "job"], "transform pause"),
        ] {
            assert_eq!(typed(&Cli::command().get_matches_from(words)), command);
        }
    }

    /// All commands, each with the words that lead to it.
    fn commands(command: &Command, words: &[String]) -> Vec<(Vec<String>, Command)> {
        let mut found = vec![(words.to_vec(), command.clone())];
        for sub in command.get_subcommands() {
            found.extend(commands(sub, &[words, &[sub.get_name().to_owned()]].concat()));
        }
        found
    }

    #[test]
    fn a_value_that_cannot_be_used_is_an_error_in_every_command() {
        let texts = [TypeId::of::<String>(), TypeId::of::<OsString>(), TypeId::of::<PathBuf>()];
        let mut tried = 0;
        for (words, command) in commands(&Cli::command(), &["merganser".to_owned()]) {
            for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
                let kind = arg.get_value_parser().type_id();
                let Some(long) = arg.get_long().filter(|_| !texts.iter().any(|text| kind == *text)) else {
                    continue;
                };
                let option = format!("--{long}");
                let typed = words.iter().chain([&option]).map(OsString::from).chain(["no such".into()]);
                let Err(error) = parse(typed) else { panic!("{words:?} {option} takes anything") };
                assert_eq!(error.exit_code(), 2);
                assert!(error.to_string().contains(&option), "{words:?} {option}: {error}");
                tried += 1;
            }
        }
        assert!(tried > 20, "{tried}");
    }

    #[test]
    fn two_names_of_one_setting_must_agree() {
        let env = |value: &'static str| {
            move |name: &'static str| match name {
                "PARSE_FAIL_FAST" => Some(OsString::from("true")),
                "MERGANSER_FAIL_FAST" => Some(OsString::from(value)),
                _ => None,
            }
        };
        assert_eq!(older_names(&env("true")).unwrap(), [("PARSE_FAIL_FAST", "MERGANSER_FAIL_FAST")]);
        assert_eq!(older_names(&env("")).unwrap(), [("PARSE_FAIL_FAST", "MERGANSER_FAIL_FAST")]);
        let error = older_names(&env("false")).unwrap_err().to_string();
        assert!(error.contains("PARSE_FAIL_FAST and MERGANSER_FAIL_FAST"), "{error}");
        assert_eq!(older_names(&|_| None).unwrap(), []);
    }

    #[test]
    fn help_names_the_older_names() {
        for (older, own) in OLDER_NAMES {
            for sub in Cli::command().get_subcommands() {
                for arg in sub.get_arguments().filter(|arg| arg.get_env() == Some(OsStr::new(own))) {
                    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                    assert!(help.contains(older), "{}: {help}", sub.get_name());
                }
            }
        }
    }
}
