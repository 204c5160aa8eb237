//! The page around the drawings, and the picture that stands alone. Values for a template are markup already: text is
//! escaped where it is turned into markup.

use std::cmp::Reverse;
use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::DrawnRun;
use super::counts::MapCounts;
use super::picture::{draw, legend, number};
use crate::config::MapConfig;
use crate::dataset::map::{Form, Measured};
use crate::words::{base64, count, markup};

const PAGE: &str = include_str!("page.html");
const ALONE: &str = include_str!("alone.svg");
const COLOURS: &str = include_str!("colours.css");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The texts around a picture.
pub struct Heading {
    pub title: String,
    pub days: String,
    note: Option<&'static str>,
    run: String,
}

impl Heading {
    /// The texts for a map of these days.
    pub fn new(config: &MapConfig, (first, last): (Date, Date), run: Option<&DrawnRun>) -> Self {
        let days = match first == last {
            true => day(first),
            false => format!("{} to {}", day(first), day(last)),
        };
        let run = match run {
            None => "The ledger has no run for these data.".to_owned(),
            Some(run) => {
                let at = run.at.to_zoned(TimeZone::UTC).date();
                format!("Data of run {} of {}.", run.id, day(at))
            }
        };
        Self {
            title: format!("{}, by {}", config.measure.title, config.division.area),
            days,
            note: config.note,
            run,
        }
    }
}

fn day(date: Date) -> String {
    date.strftime("%-d %B %Y").to_string()
}

/// The page: pictures, a table, and explanations.
pub fn page(heading: &Heading, config: &MapConfig, counts: &MapCounts) -> String {
    let style = format!("{COLOURS}{STYLE}");
    let note = heading.note.map_or(String::new(), |note| format!("<p class=\"note\">{}</p>", markup(note)));
    fill(
        PAGE,
        &[
            ("title", &markup(&heading.title)),
            ("days", &markup(&heading.days)),
            ("note", &note),
            ("sum", &markup(&sum(config, counts))),
            ("about", &markup(&about(config, counts))),
            (
                "legend_title",
                &markup(&format!("{} in one {}", capital(config.records()), config.division.area)),
            ),
            ("legend", &keys(counts)),
            ("figures", &figures(heading, config, counts)),
            ("area", &markup(&capital(config.division.area))),
            ("records", &markup(&capital(config.records()))),
            ("rows", &rows(counts)),
            ("others", &others(config, counts)),
            ("run", &markup(&heading.run)),
            ("credit", &markup(config.map.credit)),
            ("program", &markup(&program())),
            ("style", &style),
            ("script", SCRIPT),
            ("style_hash", &hash(&style)),
            ("script_hash", &hash(SCRIPT)),
        ],
    )
}

/// The picture alone, with title and legend in it.
pub fn alone(heading: &Heading, config: &MapConfig, counts: &MapCounts) -> String {
    const WIDTH: u32 = 1_000;
    let mut body = String::new();
    let mut y = if heading.note.is_some() { 124 } else { 100 };
    if let Some(note) = heading.note {
        let _ = writeln!(body, "<text class=\"small\" x=\"20\" y=\"104\">{}</text>", markup(note));
    }
    let each = (WIDTH - 40) / u32::try_from(legend(counts).len()).unwrap_or(1).max(1);
    for ((colour, words), x) in legend(counts).into_iter().zip((20..).step_by(each as usize)) {
        let _ = writeln!(
            body,
            "<g class=\"key\"><rect class=\"{colour}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"16\"/>\
             <text class=\"small\" x=\"{x}\" y=\"{}\">{}</text></g>",
            each - 4,
            y + 34,
            markup(&words)
        );
    }
    y += 60;
    for (number, panel) in config.division.panels.iter().enumerate() {
        let drawing = draw(panel, number, counts, config.records());
        let height = drawing.height * (WIDTH - 40) / drawing.width;
        let _ = writeln!(
            body,
            "<text class=\"panel\" x=\"20\" y=\"{}\">{}</text>\n<svg x=\"20\" y=\"{}\" width=\"{}\" height=\"{height}\" \
             viewBox=\"0 0 {} {}\">\n{}</svg>",
            y + 20,
            markup(panel.title),
            y + 30,
            WIDTH - 40,
            drawing.width,
            drawing.height,
            drawing.body
        );
        y += height + 60;
    }
    let says = format!("{} {} {}", sum(config, counts), about(config, counts), heading.run);
    let credit = format!("{} {}", config.map.credit, program());
    for line in wrap(&says, 150).into_iter().chain(wrap(&credit, 150)) {
        let _ = writeln!(body, "<text class=\"small\" x=\"20\" y=\"{y}\">{}</text>", markup(&line));
        y += 18;
    }
    fill(
        ALONE,
        &[
            ("width", &WIDTH.to_string()),
            ("height", &(y + 10).to_string()),
            ("title", &markup(&heading.title)),
            ("days", &markup(&heading.days)),
            ("description", &markup(&says)),
            ("style", COLOURS),
            ("body", &body),
        ],
    )
}

/// Nothing here depends on a number that is not shown.
fn sum(config: &MapConfig, counts: &MapCounts) -> String {
    let (records, areas, fewest) = (config.map.records, config.division.areas, counts.fewest);
    if let Measured::Figure { .. } = counts.measured {
        return format!("{} {areas} have a figure.", count(counts.shown() as u64));
    }
    match counts.shown() {
        0 => format!("None of the {areas} has {fewest} {records} or more, so no number is shown."),
        shown => format!(
            "{} {records} in {} with {fewest} or more each.",
            count(counts.total()),
            match shown {
                1 => format!("one {}", config.division.area),
                shown => format!("{} {areas}", count(shown as u64)),
            }
        ),
    }
}

fn about(config: &MapConfig, counts: &MapCounts) -> String {
    let (records, fewest) = (config.map.records, counts.fewest);
    if let Measured::Figure { about, .. } = counts.measured {
        return about.to_owned();
    }
    let mut text = format!(
        "An area with fewer than {fewest} {records}, or none, is shown as “fewer than {fewest}” and is in no sum. What has \
         addresses in two areas counts in both."
    );
    if let Some(without) = counts.without {
        let _ = write!(text, " About {without}% of the {records} {}.", config.division.without);
    }
    text
}

fn program() -> String {
    format!("Made with merganser {}.", env!("CARGO_PKG_VERSION"))
}

fn keys(counts: &MapCounts) -> String {
    let mut drawn = String::new();
    for (colour, words) in legend(counts) {
        let _ = writeln!(
            drawn,
            "<li><svg class=\"key\" viewBox=\"0 0 100 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect class=\"{colour}\" width=\"100\" height=\"14\"/></svg>{}</li>",
            markup(&words)
        );
    }
    drawn
}

fn figures(heading: &Heading, config: &MapConfig, counts: &MapCounts) -> String {
    let mut drawn = String::new();
    for (number, panel) in config.division.panels.iter().enumerate() {
        let drawing = draw(panel, number, counts, config.records());
        let title = markup(panel.title);
        let says = markup(&format!(
            "Map of {}: {}, {}. The table has its numbers.",
            panel.title, heading.title, heading.days
        ));
        let _ = writeln!(
            drawn,
            "<figure><figcaption>{title}</figcaption>\n<svg class=\"map\" role=\"img\" aria-label=\"{says}\" \
             viewBox=\"0 0 {} {}\">\n{}</svg></figure>",
            drawing.width, drawing.height, drawing.body
        );
    }
    drawn
}

/// The areas, the largest numbers first. Circles without a number are covered by the line below the table.
fn rows(counts: &MapCounts) -> String {
    let mut listed: Vec<_> =
        counts.areas.iter().filter(|(area, shown)| shown.is_some() || !is_circle(&area.form)).collect();
    listed.sort_by_key(|(area, shown)| (Reverse(*shown), area.name.len(), area.name.clone()));
    let mut rows = String::new();
    for (area, shown) in listed {
        let _ = writeln!(
            rows,
            "<tr data-a=\"{}\"><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td></tr>",
            markup(&area.key),
            markup(&area.name),
            markup(area.place),
            number(*shown, counts)
        );
    }
    rows
}

fn others(config: &MapConfig, counts: &MapCounts) -> String {
    let others = counts.areas.iter().filter(|(area, shown)| shown.is_none() && is_circle(&area.form)).count();
    match others {
        0 => String::new(),
        others => format!(
            "<p>{} other {} that the map has as small circles: {} each.</p>",
            count(others as u64),
            markup(config.division.areas),
            number(None, counts)
        ),
    }
}

fn is_circle(form: &Form) -> bool {
    matches!(form, Form::Circle(_))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// Lines of at most `width` characters, as far as the words allow.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(line) if last + word.chars().count() < width => {
                if last > 0 {
                    line.push(' ');
                }
                *line += word;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Replaces names (`{{name}}`) by their values. Inserted values are not searched again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, behind) = after.split_once("}}").unwrap_or((after, ""));
        text += before;
        text += values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        rest = behind;
    }
    text + rest
}

/// The SHA-256 of a script or a style, as a content security policy takes it.
fn hash(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_places_of_their_names_once() {
        assert_eq!(fill("a {{x}} {{y}}{{none}} b", &[("x", "{{y}}"), ("y", "2")]), "a {{y}} 2 b");
        for template in [PAGE, ALONE] {
            assert_eq!(template.matches("{{").count(), template.matches("}}").count());
        }
    }

    #[test]
    fn hashes_are_those_of_the_policy() {
        assert_eq!(hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn lines_are_not_longer_than_asked_for() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
    }
}
