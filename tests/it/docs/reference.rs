//! The reference names every command, option and variable. The parts that can be generated come from the program's
//! definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use clap::{Arg, Args, Command, CommandFactory};
use merganser::cli::{self, Cli};
use merganser::datasets::catalog::options::CatalogOptions;
use merganser::datasets::commits::options::CommitsOptions;
use merganser::datasets::metrics::options::MetricsOptions;
use merganser::datasets::nass::options::NassOptions;
use merganser::datasets::oca::options::{GeocodeOptions, OcaOptions};

use super::documents::{documents, files, is_variable, read, root, slug};

/// With this variable, the reference is written instead of compared.
const WRITE: &str = "MERGANSER_TEST_WRITE_DOCS";
const REFERENCE: &str = "docs/reference.md";
const BEGIN: &str = "<!-- begin: made from the program's own definitions by tests/it/docs/reference.rs -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn the_reference_names_every_command_option_and_variable() {
    let text = read(REFERENCE);
    let (before, rest) = text.split_once(BEGIN).expect("the reference has the mark of its made part");
    let (_, after) = rest.split_once(END).expect("the reference has the mark of the end of its made part");
    let whole = format!("{before}{BEGIN}{}{END}{after}", reference());
    if std::env::var_os(WRITE).is_some() {
        fs::write(root().join(REFERENCE), whole).expect("the reference can be written");
    } else {
        let differs = whole.lines().zip(text.lines()).find(|(made, there)| made != there);
        assert!(
            whole == text,
            "{REFERENCE} is not up to date: {WRITE}=1 cargo test --test it docs::reference\n{differs:#?}"
        );
    }
}

/// An option that follows a group in a struct would stand under the group's heading in `--help`.
#[test]
fn each_option_stands_under_the_heading_of_its_group() {
    let mut cli = Cli::command();
    cli.build();
    let headings: Vec<_> =
        SHARED.iter().map(|(heading, augment)| (heading.replace('`', ""), augment)).collect();
    let mut looked_at = 0;
    let mut look = |command: &Command| {
        for arg in command.get_arguments() {
            let Some(heading) = arg.get_help_heading().filter(|heading| *heading != "Every command") else {
                continue;
            };
            let (_, augment) =
                headings.iter().find(|(known, _)| known == heading).expect("a heading of SHARED");
            let group = augment(Command::new("group"));
            let own = group.get_arguments().find(|own| own.get_id() == arg.get_id());
            let is_of_group = own.is_some_and(|own| own.get_help_heading() == Some(heading));
            assert!(is_of_group, "{}: --{} stands under {heading}", command.get_name(), arg.get_id());
            looked_at += 1;
        }
    };
    for command in cli.get_subcommands() {
        look(command);
        command.get_subcommands().for_each(&mut look);
    }
    assert!(looked_at > 100, "only {looked_at}");
}

/// The heading of a group of options, and the function that adds them to a command.
type SharedOptions = (&'static str, fn(Command) -> Command);

/// Options that commands share by one definition, with the heading under which the reference lists them once. A group
/// comes before those that contain it.
const SHARED: &[SharedOptions] = &[
    ("The database", cli::DatabaseArgs::augment_args),
    ("The store", cli::StoreArgs::augment_args),
    ("Files and public files", cli::MovingArgs::augment_args),
    ("Which files a run takes", cli::FilesArgs::augment_args),
    ("Geocoding", GeocodeOptions::augment_args),
    ("Options of `oca`", OcaOptions::augment_args),
    ("Options of `nass`", NassOptions::augment_args),
    ("Options of `commits`", CommitsOptions::augment_args),
    ("Options of `catalog`", CatalogOptions::augment_args),
    ("Options of `metrics`", MetricsOptions::augment_args),
    ("Processing", cli::Processing::augment_args),
    ("Buckets", cli::BucketArgs::augment_args),
    ("How a version is made", cli::WayArgs::augment_args),
    ("Workers", cli::WorkerArgs::augment_args),
];
/// Two commands that share more options than this, word for word, need a group with a heading.
const MOST_IN_COMMON: usize = 3;

/// The generated part of the reference.
fn reference() -> String {
    let mut cli = Cli::command();
    cli.build();
    let shared = shared();
    let mut text = String::new();
    // The other options of each command.
    let mut own: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut options = |command: &Command| {
        let mut left: Vec<_> = rows(command.get_arguments().filter(|arg| !arg.is_global_set()));
        let mut links = Vec::new();
        for (heading, group) in &shared {
            if group.iter().all(|row| left.contains(row)) {
                left.retain(|row| !group.contains(row));
                links.push(format!("[{heading}](#{})", slug(heading)));
            }
        }
        let mut text = String::new();
        if !left.is_empty() {
            text = format!("\n{}", table(&left));
        }
        if !links.is_empty() {
            let _ = writeln!(text, "\nShared options: {}.", links.join(", "));
        }
        own.insert(command.get_bin_name().unwrap_or_default().to_owned(), left);
        text
    };
    let shown = |command: &&Command| command.get_name() != "help" && !command.is_hide_set();
    for command in cli.get_subcommands().filter(shown) {
        let _ = writeln!(text, "\n## `merganser {}`\n\n{}.", command.get_name(), about(command));
        if !command.has_subcommands() {
            text += &options(command);
        }
        // The fields that can be geocoded differ from dataset to dataset.
        for inner in command.get_subcommands().filter(shown) {
            let (outer, name) = (command.get_name(), inner.get_name());
            let _ = writeln!(text, "\n### `merganser {outer} {name}`\n\n{}.", about(inner));
            text += &options(inner);
        }
    }
    for (at, (one, rows)) in own.iter().enumerate() {
        for (other, others) in own.iter().skip(at + 1) {
            let same: Vec<_> = rows.iter().filter(|row| others.contains(row)).collect();
            assert!(
                same.len() <= MOST_IN_COMMON,
                "`{one}` and `{other}` share a group; name it in SHARED: {same:#?}"
            );
        }
    }
    text += "\n## Options that commands share\n";
    for (heading, rows) in &shared {
        let _ = write!(text, "\n### {heading}\n\n{}", table(rows));
    }
    let _ = writeln!(text, "\n## Every command\n");
    text += &table(&rows(cli.get_arguments()));
    text.push('\n');
    text
}

/// The rows of each group, without those of groups in it.
fn shared() -> Vec<(&'static str, Vec<String>)> {
    let mut groups: Vec<(_, Vec<String>)> = Vec::new();
    for (heading, augment) in SHARED {
        let mut command = augment(Command::new("group"));
        command.build();
        let mut rows = rows(command.get_arguments());
        for (_, inner) in &groups {
            if inner.iter().all(|row| rows.contains(row)) {
                rows.retain(|row| !inner.contains(row));
            }
        }
        groups.push((*heading, rows));
    }
    groups
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn table(rows: &[String]) -> String {
    format!("| | variable | default | |\n|---|---|---|---|\n{}", rows.concat())
}

/// A row for each option.
fn rows<'a>(args: impl Iterator<Item = &'a Arg>) -> Vec<String> {
    let is_shown = |arg: &&Arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str());
    let row = |arg: &Arg| {
        let value = match arg.get_action().takes_values() {
            true => arg.get_value_names().map(|names| names.join(" ")).unwrap_or_default(),
            false => String::new(),
        };
        let name = match arg.get_long() {
            Some(long) => format!("--{long} {value}"),
            None => value,
        };
        let code = |text: &str| match text {
            "" => String::new(),
            text => format!("`{}`", text.replace('|', "\\|")),
        };
        let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let defaults = match arg.get_action().takes_values() {
            true => arg
                .get_default_values()
                .iter()
                .map(|value| value.to_string_lossy())
                .collect::<Vec<_>>()
                .join(" "),
            false => String::new(),
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
        let values = match arg.get_possible_values() {
            values if values.is_empty() || !arg.get_action().takes_values() => String::new(),
            values => format!(
                ": {}",
                values.iter().map(|value| code(value.get_name())).collect::<Vec<_>>().join(", ")
            ),
        };
        let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
        let (name, variable, defaults) = (code(name.trim()), code(&variable), code(&defaults));
        format!("| {short}{name} | {variable} | {defaults} | {help}{values} |\n")
    };
    args.filter(is_shown).map(row).collect()
}

/// Variables without an option: the sources have them as literals, and the reference names them.
#[test]
fn the_reference_names_every_other_variable() {
    const PREFIXES: &[&str] =
        &["MERGANSER_", "AWS_", "PGP", "PGSSL", "XDG_", "NO_COLOR", "SFTP_", "KUBERNETES_"];
    let mut names = BTreeSet::new();
    for path in files(&root().join("src"), "rs") {
        let text = read(&path);
        // The text after a file's unit tests is not part of the program.
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        names.extend(program.split('"').filter(|part| is_variable(part)).map(str::to_owned));
    }
    // A literal with this end is only the beginning of names.
    names.retain(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !name.ends_with('_'));
    assert!(names.contains("MERGANSER_EMBEDDED_DIR") && names.contains("AWS_CA_BUNDLE"), "{names:?}");
    let reference = read(REFERENCE);
    let missing: Vec<_> = names.iter().filter(|name| !reference.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{REFERENCE} does not name {missing:?}");
}

/// The reverse: a document names only variables that the program or the tests read.
#[test]
fn documents_name_no_variable_that_nobody_reads() {
    let mut readers: Vec<_> = files(&root().join("src"), "rs");
    readers.extend(files(&root().join("tests"), "rs"));
    readers.extend(["Makefile", "scripts/setup"].map(|name| root().join(name)));
    let code: String = readers.iter().map(read).collect();
    for document in documents() {
        let text = read(&document);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for name in words.filter(|word| word.starts_with("MERGANSER_") && word.len() > "MERGANSER_".len()) {
            assert!(code.contains(name), "{}: nothing reads {name}", document.display());
        }
    }
}
