//! The files that a site offers: what its pages tell, as CSV.

use super::chart::month_short;
use super::facts::{PageKind, SiteEntry, SiteFacts};
use super::pages::DOWNLOADS;
use super::render::SiteFile;
use crate::datasets::metrics::site::told;
use crate::error::Cause;

/// All of them.
///
/// # Errors
/// None that a writer into memory has.
pub fn downloads(facts: &SiteFacts) -> Result<Vec<SiteFile>, Cause> {
    let [projects, metrics] = DOWNLOADS.map(|(path, _)| path.to_owned());
    Ok(vec![
        SiteFile { path: projects, bytes: project_rows(facts)? },
        SiteFile { path: metrics, bytes: month_rows(facts)? },
    ])
}

fn project_rows(facts: &SiteFacts) -> Result<Vec<u8>, Cause> {
    let metrics = told();
    let mut rows = csv::Writer::from_writer(Vec::new());
    let names = metrics.iter().map(|metric| metric.name);
    write(&mut rows, ["project", "name", "description", "rank"].into_iter().chain(names).map(str::to_owned))?;
    for ((kind, key), entry) in &facts.entries {
        if *kind == PageKind::Project {
            let own = [key.clone(), entry.name.clone(), entry.description.clone(), entry.rank.to_string()];
            let values = metrics
                .iter()
                .map(|metric| cell(facts.last_month.and_then(|month| entry.value(metric.name, month))));
            write(&mut rows, own.into_iter().chain(values))?;
        }
    }
    end(rows)
}

fn month_rows(facts: &SiteFacts) -> Result<Vec<u8>, Cause> {
    let metrics = told();
    let mut rows = csv::Writer::from_writer(Vec::new());
    let names = metrics.iter().map(|metric| metric.name);
    write(&mut rows, ["kind", "key", "month"].into_iter().chain(names).map(str::to_owned))?;
    for ((kind, key), entry) in &facts.entries {
        let series = entry.metrics.values();
        let first = series.clone().map(|series| series.first).min().unwrap_or_default();
        let end_month =
            series.map(|series| series.first + series.values.len() as i32).max().unwrap_or_default();
        for month in first..end_month {
            write(&mut rows, month_row((kind.one(), key), entry, month))?;
        }
    }
    end(rows)
}

fn month_row((kind, key): (&str, &str), entry: &SiteEntry, month: i32) -> impl Iterator<Item = String> {
    let values = told().into_iter().map(move |metric| cell(entry.value(metric.name, month)));
    let values: Vec<_> = values.collect();
    [kind.to_owned(), key.to_owned(), month_short(month)].into_iter().chain(values)
}

fn cell(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn write(rows: &mut csv::Writer<Vec<u8>>, cells: impl Iterator<Item = String>) -> Result<(), Cause> {
    rows.write_record(cells.collect::<Vec<_>>()).map_err(failed)
}

fn end(rows: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, Cause> {
    rows.into_inner().map_err(|error| failed(error.into_error().into()))
}

fn failed(error: csv::Error) -> Cause {
    Cause::io("write a download")(error.into())
}
