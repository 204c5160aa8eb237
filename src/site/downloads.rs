//! The downloads of a site: the content of its pages as CSV.

use super::chart::month_short;
use super::facts::{PageKind, SiteFacts};
use super::pages::DOWNLOADS;
use super::render::SiteFile;
use crate::datasets::metrics::site::told;
use crate::error::Cause;

/// All of them.
///
/// # Errors
/// Only errors of the CSV writer, which writes to memory.
pub fn downloads(facts: &SiteFacts) -> Result<Vec<SiteFile>, Cause> {
    let [projects, metrics] = DOWNLOADS.map(|(path, _)| path.to_owned());
    Ok(vec![SiteFile::new(projects, project_rows(facts)?), SiteFile::new(metrics, month_rows(facts)?)])
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
        for month in entry.months().into_iter().flatten() {
            let own = [kind.one().to_owned(), key.clone(), month_short(month)];
            let values = metrics.iter().map(|metric| cell(entry.value(metric.name, month)));
            write(&mut rows, own.into_iter().chain(values))?;
        }
    }
    end(rows)
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
