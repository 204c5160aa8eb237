//! The answer to a question, read from one snapshot of the database.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Once;

use futures_util::TryStreamExt as _;
use jiff::civil::Date;
use serde::Serialize;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Statement, Transaction};

use super::exact::{ExactStatements, POINTS_MOST, exact};
use super::places::{Places, ServedPlace, ServedZone};
use super::pool::PoolReader;
use super::question::PlaceQuestion;
use super::rights;
use super::snapshot::{KnownPlaces, opened, snapshot};
use super::texts::{PackedTexts, ServedTexts};
use super::totals::{Moment, NOTHING, Stat, Sum, Totals, add};
use crate::sql;

/// The number of days that the page offers.
const DAYS_OFFERED: i64 = 30;

/// The answer to a question; its fields are written to JSON in this order.
#[derive(Debug, Serialize)]
pub struct PlaceAnswer {
    pub run_id: String,
    /// Identifies the commit that the answer was read from.
    #[serde(skip)]
    pub version: String,
    pub dataset: &'static str,
    pub postcode: String,
    pub lat: f64,
    pub lon: f64,
    pub radius_km: f64,
    pub dates: Vec<Date>,
    /// The last day that is loaded, for datasets whose records come late; the timeline has no later days.
    pub as_of: Option<Date>,
    /// The number of days in the question that are not loaded: nothing is known of them.
    pub not_loaded: usize,
    /// The number of places within the radius.
    pub places: usize,
    /// The smallest radius within which a zone's centre lies, if answers are protected and none lies within this one.
    pub nearest_zone_km: Option<f64>,
    /// Null: no zone's centre lies within the radius, so nothing can be told. That is not the same as no hits.
    pub stats: Option<Vec<Stat>>,
    pub timeline: Vec<Moment>,
    pub points: Vec<AreaSum>,
    /// The number of places that have a row; `points` lists at most the first thousand of them. Null as `stats`.
    pub points_total: Option<i64>,
    pub truncated: bool,
    pub suppressed: Suppressed,
}

/// The sum of a place, or of a zone if answers are protected, over all days and branches.
#[derive(Debug, Serialize)]
pub struct AreaSum {
    pub postcode: String,
    pub lat: f64,
    pub lon: f64,
    pub hits: i64,
    pub delta: Option<i64>,
}

/// The pieces that were left out so that nobody can be identified; all zero for exact answers.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Suppressed {
    /// The number of zones that have a place within the radius and their centre outside it. Only the places and the radius decide it,
    /// so it tells nothing of hits.
    pub outside: usize,
    /// The number of zones with at least one piece left out.
    pub zones: usize,
    /// The number of pieces with too few hits.
    pub small: usize,
    /// The number of pieces that reach beyond the days of the question.
    pub cut: usize,
    /// The number of pieces that cover several days, which the timeline cannot show.
    pub undated: usize,
}

/// The outcome of a question.
#[derive(Debug)]
pub enum Answered {
    PlaceAnswer(Box<PlaceAnswer>),
    NoSuchPlace,
    TooManyBranches,
    /// No run has committed yet.
    NothingLoaded,
}

/// The days of a question for which there is an answer.
#[derive(Clone, Debug, Default)]
struct ServedDays {
    as_of: Option<Date>,
    /// The days that are both in the question and loaded.
    days: Vec<Date>,
    /// Those of `days` whose earlier hits, with which they are compared, are known. `None`: each row says so itself.
    compared: Option<BTreeSet<Date>>,
}

impl ServedDays {
    /// Whether the earlier hits are known for all days.
    fn is_compared(&self) -> bool {
        self.compared.as_ref().is_none_or(|compared| compared.len() == self.days.len())
    }

    /// The delta of a day without a row: 0 if its earlier hits are known.
    fn delta(&self, day: &Date) -> Option<i64> {
        self.compared.as_ref().is_none_or(|compared| compared.contains(day)).then_some(0)
    }
}

/// Answers a question from one snapshot. `known` holds the places of an earlier snapshot; it is replaced if production has
/// changed.
///
/// # Errors
/// Any error of the server.
pub async fn answer(
    reader: &mut PoolReader,
    texts: &ServedTexts,
    question: &PlaceQuestion,
    known: &mut Option<KnownPlaces>,
) -> Result<Answered, tokio_postgres::Error> {
    let asked = [&texts.run, &texts.places, &texts.loaded, &texts.sums, &texts.points, &texts.atoms];
    reader.prepare(&asked.map(String::as_str)).await?;
    let [run, places, loaded, sums, points, atoms] = asked.map(|text| reader.prepared(text));
    let mut statements = ExactStatements { rows: [sums, points], days: None, months: None };
    if let (Some(packed), Some(tables), 0) = (&texts.packed, &texts.served.packed, texts.min_count) {
        let PackedTexts { days, months, month_points } = packed;
        let (of_days, of_months) = ([tables.zone_points], [tables.place_months, tables.zone_months]);
        statements.days = usable(reader, [days], &of_days, texts).await?.map(|[cells]| cells);
        statements.months = usable(reader, [months, month_points], &of_months, texts).await?;
    }
    let transaction = snapshot(reader).await?;
    let Some((run_id, current)) = opened(&transaction, [&run, &places], texts, known).await? else {
        return Ok(Answered::NothingLoaded);
    };
    let Some(centre) = current.1.find(&question.postcode) else { return Ok(Answered::NoSuchPlace) };
    let mut loaded = find_loaded(&transaction, &loaded, question).await?;
    let not_loaded = question.dates.len() - loaded.days.len();
    if texts.served.sums.is_none() {
        // Each day that is asked for has an answer, and is compared with what its rows say.
        loaded = ServedDays { days: question.dates.clone(), ..ServedDays::default() };
    }
    let found = match texts.min_count {
        0 => exact_answer(&transaction, &statements, &current.1, centre, (question, &loaded)).await?,
        least => protected(&transaction, &atoms, &current.1, centre, (question, &loaded, least)).await?,
    };
    let Some(mut answer) = found else { return Ok(Answered::TooManyBranches) };
    (answer.as_of, answer.not_loaded) = (loaded.as_of, not_loaded);
    transaction.commit().await?;
    let (version, dataset) = (current.0.clone(), texts.dataset.name);
    let truncated = answer.points_total.is_some_and(|total| total > answer.points.len() as i64);
    Ok(Answered::PlaceAnswer(Box::new(PlaceAnswer { run_id, version, dataset, truncated, ..answer })))
}

/// Statements over packed tables. If there are none (`None`), the rows say the same: an older program has promoted and made no
/// such table, or a newer one has made it and nobody has granted it yet.
async fn usable<const N: usize>(
    reader: &mut PoolReader,
    statements: [&str; N],
    tables: &[&str],
    texts: &ServedTexts,
) -> Result<Option<[Statement; N]>, tokio_postgres::Error> {
    static WARNED: Once = Once::new();
    match reader.prepare(&statements).await {
        Err(error) if is_undefined(&error) => return Ok(None),
        prepared => prepared?,
    }
    reader.prepare(&[sql::SERVE_UNREADABLE]).await?;
    let looked = reader.prepared(sql::SERVE_UNREADABLE);
    let Some(unreadable) = rights::unreadable(reader, &looked, tables, &texts.schema).await? else {
        return Ok(Some(statements.map(|text| reader.prepared(text))));
    };
    WARNED.call_once(|| {
        tracing::warn!(
            "this role may not read {}, so answers take much longer: {}",
            unreadable.tables,
            unreadable.remedy
        );
    });
    Ok(None)
}

async fn find_loaded(
    transaction: &Transaction<'_>,
    statement: &Statement,
    question: &PlaceQuestion,
) -> Result<ServedDays, tokio_postgres::Error> {
    let row = transaction.query_one(statement, &[&question.dates]).await?;
    let compared: Vec<Date> = row.try_get(2)?;
    Ok(ServedDays {
        as_of: row.try_get(0)?,
        days: row.try_get(1)?,
        compared: Some(compared.into_iter().collect()),
    })
}

/// Exact sums, by place; `None`: of too many branches.
async fn exact_answer(
    transaction: &Transaction<'_>,
    statements: &ExactStatements,
    places: &Places,
    centre: &ServedPlace,
    (question, loaded): (&PlaceQuestion, &ServedDays),
) -> Result<Option<PlaceAnswer>, tokio_postgres::Error> {
    let within = places.within(centre, question.radius_km);
    let mut totals = Totals::new(loaded.days.iter().map(|day| (*day, loaded.delta(day))));
    let asked = (loaded.days.as_slice(), question.sbi.as_deref());
    let most = exact(transaction, statements, &within, asked, &mut totals).await?;
    if totals.are_too_many() {
        return Ok(None);
    }
    let mut answer = begun(totals, question, centre, within.places);
    if !loaded.is_compared() {
        answer.stats.iter_mut().flatten().for_each(|stat| (stat.delta, stat.percentage) = (None, None));
    }
    answer.points_total = Some(most.total as i64);
    for (postcode, (hits, delta)) in most.places {
        let (lat, lon) = places.find(&postcode).map(|place| (place.lat, place.lon)).unwrap_or_default();
        answer.points.push(AreaSum {
            postcode,
            lat,
            lon,
            hits,
            delta: delta.filter(|_| loaded.is_compared()),
        });
    }
    Ok(Some(answer))
}

/// Sums of pieces that were chosen when they were loaded, whatever is asked: each is in an answer as a whole or not at all, so no
/// two answers differ by less than one of them. `None`: of too many branches.
async fn protected(
    transaction: &Transaction<'_>,
    atoms: &Statement,
    places: &Places,
    centre: &ServedPlace,
    (question, loaded, least): (&PlaceQuestion, &ServedDays, i64),
) -> Result<Option<PlaceAnswer>, tokio_postgres::Error> {
    let zones = places.zones_within(centre, question.radius_km);
    let names: BTreeSet<_> = zones.iter().map(|zone| zone.name.as_str()).collect();
    let listed: Vec<_> = names.iter().collect();
    let (first, last) = (question.dates.first(), question.dates.last());
    let asked: [&(dyn ToSql + Sync); 5] = [&listed, &first, &last, &question.sbi, &least];
    // The load's own pieces need no number.
    let asked = &asked[..atoms.params().len()];
    let mut rows = pin!(transaction.query_raw(atoms, asked.iter().copied()).await?);
    let (mut totals, mut suppressed) =
        (Totals::new(loaded.days.iter().map(|day| (*day, None))), Suppressed::default());
    let (mut sums, mut lacking): (BTreeMap<String, Sum>, BTreeSet<String>) = Default::default();
    // Days that a piece has which is not of that day alone.
    let mut is_covered = vec![false; loaded.days.len()];
    while let Some(row) = rows.try_next().await? {
        let (zone, first, last): (String, Date, Date) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (sbi, hits): (String, Option<i64>) = (row.try_get(3)?, row.try_get(4)?);
        // The dates are in ascending order, and each occurs once.
        let before = |day: Date| question.dates.partition_point(|date| *date < day);
        let within = (question.dates.partition_point(|date| *date <= last) - before(first)) as i64;
        let days = last.duration_since(first).as_hours() / 24 + 1;
        if days > 1 || hits.is_none() {
            let start = loaded.days.partition_point(|date| *date < first);
            let end = loaded.days.partition_point(|date| *date <= last);
            is_covered[start..end].fill(true);
        }
        match hits {
            _ if within == 0 => {}
            Some(hits) if within == days => {
                let sum = (hits, None);
                suppressed.undated += usize::from(days > 1);
                totals.add((days == 1).then_some(first), sbi, sum);
                add(sums.entry(zone).or_insert(NOTHING), sum);
            }
            Some(_) => {
                suppressed.cut += 1;
                lacking.insert(zone);
            }
            None => {
                suppressed.small += 1;
                lacking.insert(zone);
            }
        }
    }
    if totals.are_too_many() {
        return Ok(None);
    }
    suppressed.zones = lacking.len();
    let within = places.within(centre, question.radius_km);
    let reached = within.whole.iter().chain(&within.cut);
    suppressed.outside = reached.filter(|zone| !names.contains(zone.as_str())).count();
    let mut answer = PlaceAnswer { suppressed, ..begun(totals, question, centre, within.places) };
    if zones.is_empty() {
        (answer.stats, answer.points_total) = (None, None);
        answer.nearest_zone_km = places.nearest_zone_km(centre);
        answer.timeline.iter_mut().for_each(|moment| moment.hits = None);
        return Ok(Some(answer));
    }
    // Nothing is said of a day with hits in weeks or months alone, or perhaps with none: 0 would be wrong. This says no more than
    // `suppressed`, which counts these pieces for each single day.
    for moment in &mut answer.timeline {
        let is_untold = loaded.days.binary_search(&moment.date).is_ok_and(|at| is_covered[at]);
        moment.hits = moment.hits.filter(|hits| *hits > 0 || !is_untold);
    }
    let area = |zone: &ServedZone| {
        let (hits, delta) = *sums.get(&zone.name)?;
        Some(AreaSum { postcode: zone.name.clone(), lat: zone.lat, lon: zone.lon, hits, delta })
    };
    answer.points = zones.iter().filter_map(area).collect();
    answer.points.sort_by(|a, b| b.hits.cmp(&a.hits).then_with(|| a.postcode.cmp(&b.postcode)));
    answer.points_total = Some(answer.points.len() as i64);
    answer.points.truncate(POINTS_MOST);
    Ok(Some(answer))
}

/// The last days that are loaded. `known` is replaced as in [`answer`]; `None`: nothing is loaded.
///
/// # Errors
/// Any error of the server.
pub async fn offered(
    reader: &mut PoolReader,
    texts: &ServedTexts,
    known: &mut Option<KnownPlaces>,
) -> Result<Option<(String, Vec<Date>)>, tokio_postgres::Error> {
    reader.prepare(&[&texts.run, &texts.places, &texts.days]).await?;
    let [run, places, days] = [&texts.run, &texts.places, &texts.days].map(|text| reader.prepared(text));
    let transaction = snapshot(reader).await?;
    let Some((run_id, _)) = opened(&transaction, [&run, &places], texts, known).await? else {
        return Ok(None);
    };
    let rows = transaction.query(&days, &[&DAYS_OFFERED]).await?;
    transaction.commit().await?;
    let mut days = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Date>, _>>()?;
    days.reverse();
    Ok(Some((run_id, days)))
}

/// Whether the error says that a table does not exist.
fn is_undefined(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::UNDEFINED_TABLE)
}

/// An answer without points and without its run.
fn begun(totals: Totals, question: &PlaceQuestion, centre: &ServedPlace, places: usize) -> PlaceAnswer {
    PlaceAnswer {
        run_id: String::new(),
        version: String::new(),
        dataset: "",
        postcode: centre.postcode.clone(),
        lat: centre.lat,
        lon: centre.lon,
        radius_km: question.radius_km,
        dates: question.dates.clone(),
        as_of: None,
        not_loaded: 0,
        places,
        nearest_zone_km: None,
        stats: Some(totals.stats()),
        timeline: totals.timeline(),
        points: Vec::new(),
        points_total: Some(0),
        truncated: false,
        suppressed: Suppressed::default(),
    }
}
