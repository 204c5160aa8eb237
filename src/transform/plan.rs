//! Plans a version: inspects the job's tables, tries its cleaning, and enters the partitions into the ledger. Nothing else is
//! changed.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::buckets::BucketPlace;
use super::clean::Cleaning;
use super::groups::{self, Group, Partition};
use super::job::{Job, TableName};
use super::look::RawTable;
use super::packing::{self, PackedGroups};
use super::rows::{self, CleanColumns, shown_key};
use super::session::{JobSession, decode};
use super::versions::{self, Again, NewVersion, PlannedBuckets, Version};
use super::{other_jobs, sample, status, target};
use crate::clients::duckdb::DuckLimits;
use crate::config::{BucketConfig, TransformConfig};
use crate::error::Cause;
use crate::fault;
use crate::sql;
use crate::words::count;

/// If rows are stored in another order than the key, a sample may read one page in so many, but may have at least so many rows.
const SAMPLE_PAGES: u64 = 25;
const SAMPLE_ROWS: u64 = 100;
/// The bytes of a row in a table besides its values.
const ROW_HEADER: f64 = 28.0;

/// The findings of a plan.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanReport {
    pub rows: u64,
    pub partitions: u64,
    pub groups: u64,
    pub largest: Vec<(Option<String>, u64)>,
    /// The rows without a key and those with an empty one, and the keys with blanks around them.
    pub null_rows: u64,
    pub empty_rows: u64,
    pub padded: Vec<String>,
    pub pages: i64,
    pub size_bytes: i64,
    pub index: Option<String>,
    pub correlation: Option<f64>,
    pub split: u64,
    /// The numbers of buckets and of ranges that are read into them; both are 0 if partitions are read by key.
    pub buckets: i32,
    pub ranges: u64,
    pub store: Option<String>,
    pub sample_rows: u64,
    /// The estimated number of rows that come out, by the sample.
    pub rows_out: u64,
    pub rows_per_s: Option<f64>,
    pub expected_s: Option<f64>,
    /// The estimated size of the version's table, and of the write-ahead log for it.
    pub version_bytes: Option<u64>,
    pub wal_bytes: Option<u64>,
    pub old_bytes: i64,
    /// The server's counter of changes of the source before the plan read it.
    pub changes: i64,
    pub warnings: Vec<String>,
}

/// Returns the version for this text of the job, and plans it if there is none. The second value says whether it was planned
/// now.
///
/// # Errors
/// [`Cause::Refused`] with the obstacle; then nothing is changed.
pub async fn ensure(
    session: &JobSession,
    job: &Job,
    options: &PlanOptions<'_>,
) -> Result<(Version, bool), Cause> {
    // The holder of the lock may be asleep, so the lock is taken only if a plan is needed.
    if let Some(version) = current(session, job, options).await? {
        return Ok((version, false));
    }
    let lock = versions::lock_name(session, &job.name);
    let mut given_up = None;
    let planned: Result<_, Cause> = session
        .transaction("plan the job", async {
            session.execute("wait for another plan of the job", sql::TRANSFORM_LOCK_JOB, &[&lock]).await?;
            if let Some(version) = current(session, job, options).await? {
                return Ok((version, false));
            }
            given_up = versions::newest(session, &job.name).await?.filter(Version::is_open);
            let was_paused = plan(session, job, options).await?;
            let planned = versions::newest(session, &job.name).await?;
            let mut planned = planned.expect("it was just written");
            // Whoever has paused the job has paused its next version, too.
            if was_paused {
                status::set_state(session, job, &planned, "paused").await?;
                planned.state = "paused".to_owned();
                tracing::warn!(
                    "the job was paused, so its new version is paused too: merganser transform resume {}",
                    job.folder.display()
                );
            }
            Ok((planned, true))
        })
        .await;
    if let (Ok((new, _)), Some(version)) = (&planned, given_up)
        // If the old one was never made, the new one gets its name.
        && version.version_table != new.version_table
    {
        versions::drop_table(session, job, &version).await;
    }
    planned
}

/// # Errors
/// [`Cause::Refused`] if the version is being made in the other way: in place where the table was to be swapped, or the reverse.
async fn current(
    session: &JobSession,
    job: &Job,
    options: &PlanOptions<'_>,
) -> Result<Option<Version>, Cause> {
    let version = versions::current(session, job, options.again).await?;
    if let Some(version) = version.as_ref().filter(|version| version.is_open())
        && version.is_in_place != options.in_place
    {
        let (hash, folder) = (versions::short(&version.hash), job.folder.display());
        let (way, goes_on, anew) = match version.is_in_place {
            true => ("with --in-place", " --in-place", ""),
            false => ("without --in-place", "", " --in-place"),
        };
        return Err(Cause::Refused {
            message: format!(
                "version {hash} of {} was planned {way}, and can only be made that way",
                job.name
            ),
            hint: Some(format!(
                "merganser transform work {folder}{goes_on} goes on as planned; merganser transform plan {folder}{anew} --anew \
                 plans it in the other way"
            )),
        });
    }
    Ok(version)
}

/// The options of a plan.
pub struct PlanOptions<'o> {
    pub in_place: bool,
    pub again: Again,
    /// A second connection for reading tables, so that no snapshot is held while the ledger is written.
    pub looking: &'o JobSession,
    pub folder: &'o Path,
    pub limits: DuckLimits,
    pub buckets: &'o BucketConfig,
}

impl<'o> PlanOptions<'o> {
    /// The options that a command gives; `folder` is for what does not fit into memory.
    pub fn new(config: &'o TransformConfig, looking: &'o JobSession, folder: &'o Path) -> Self {
        let TransformConfig { in_place, anew, worker, buckets, .. } = config;
        let again = if *anew { Again::Ended } else { Again::Never };
        Self { in_place: *in_place, again, looking, folder, limits: worker.duckdb(), buckets }
    }
}

async fn plan(session: &JobSession, job: &Job, options: &PlanOptions<'_>) -> Result<bool, Cause> {
    let looking = options.looking;
    let raw = RawTable::look(looking, job, &job.source.table).await?;
    let version_table = match options.in_place {
        true => job.target.table.table.clone(),
        false => free_name((session, looking), job).await?,
    };
    match options.in_place {
        true if job.source.condition.is_some() => raw.refuse_partial(looking).await?,
        true => other_jobs::refuse(session, job).await?,
        false => {}
    }
    let table = TableName { schema: job.target.table.schema.clone(), table: version_table.clone() };
    let (mut clean, untried) = target::look(looking, job, &raw, &table, options.in_place).await?;
    let mut cleaning = clean.open(job, (options.folder, options.limits), &raw)?;

    let mut report = PlanReport { changes: changes(looking, &raw).await?, ..PlanReport::default() };
    let partitions = partitions(looking, &raw, false).await?;
    fault::point!("transform.planning");
    let store = options.buckets.store.as_ref();
    let wanted = store.map(|_| options.buckets.bucket_mib);
    let PackedGroups { groups: mut packed, split, buckets, why_none } =
        packing::pack(looking, job, &raw, &partitions, (wanted, options.in_place)).await?;
    groups::scout(&mut packed);
    report.split = split;
    report.warnings.extend(untried);
    let null = clean.always_null();
    if !null.is_empty() {
        report.warnings.push(format!("the cleaning does not give {}, which will be NULL", null.join(", ")));
    }
    if options.in_place {
        report.warnings.extend(other_jobs::shared(session, job, &partitions).await?);
    } else if let Some(other) = other_jobs::any(session, job).await? {
        report.warnings.push(format!(
            "{} is the target of the job {other}, too: a version of one job replaces that of the other",
            job.target.table
        ));
    }
    report.warnings.extend(why_none.map(|why| format!("the rows cannot be put into buckets: {why}")));
    describe(&mut report, &raw, &partitions, &packed);
    let url = store.map(ToString::to_string).unwrap_or_default();
    if let Some(planned) = &buckets {
        (report.buckets, report.ranges) = (planned.buckets, planned.ranges.len() as u64);
        report.store = Some(url.clone());
    }
    let old = super::look::relation(looking, &job.target.table).await?;
    report.old_bytes = old.as_ref().map_or(0, |old| old.size_bytes);
    try_sample(looking, job, &raw, &clean, &mut cleaning, &partitions, &mut report).await?;
    warn(&mut report, job, &raw);
    // A job with a condition leaves most of a table in place as it is.
    if let Some(old) = old.filter(|_| !options.in_place || job.source.condition.is_none()) {
        report.warnings.extend(fewer(report.rows_out, old.rows));
    }
    let version_id = Uuid::now_v7();
    let planned = buckets.as_ref().zip(store);
    if let Some((buckets, store)) = planned {
        BucketPlace::make((store, &options.buckets.s3), job, version_id, buckets.buckets).await?;
    }
    let new = NewVersion {
        version_id,
        buckets: planned.map(|(plan, _)| PlannedBuckets {
            buckets: plan.buckets,
            ranges: &plan.ranges,
            store: &url,
            keeps: options.buckets.keeps,
        }),
        job,
        version_table,
        is_in_place: options.in_place,
        key_type: raw.key().cast(),
        plan: &json!(report),
        partitions: &partitions,
        groups: &packed,
    };
    versions::write(session, &new).await
}

/// The name for the version's table. If an earlier plan of this cleaning has left a table of the usual name, it gets one of its
/// own.
async fn free_name((session, looking): (&JobSession, &JobSession), job: &Job) -> Result<String, Cause> {
    let name = job.version_table();
    let table = TableName { schema: job.target.table.schema.clone(), table: name.clone() };
    if super::look::relation(looking, &table).await?.is_none() {
        return Ok(name);
    }
    if versions::is_ours(session, job, &table).await? {
        return Ok(versions::numbered_name(&job.target.table, Uuid::now_v7()));
    }
    Err(Cause::Refused {
        message: format!("there is already a table {table}, which does not belong to this job"),
        hint: Some(format!("alter table {table} rename to …; or drop it")),
    })
}

/// The server's counter of changes of the source.
pub async fn changes(session: &JobSession, raw: &RawTable) -> Result<i64, Cause> {
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&raw.table.schema, &raw.table.table];
    let row = session.maybe("look for changes of the source", sql::TRANSFORM_CHANGES, &values).await?;
    Ok(row.map(|row| row.try_get(0)).transpose().map_err(decode)?.unwrap_or(0))
}

/// All partitions, from largest to smallest. Without fingerprints the server may need to read only an index on the key.
pub async fn partitions(
    session: &JobSession,
    raw: &RawTable,
    with_fingerprints: bool,
) -> Result<Vec<Partition>, Cause> {
    let variables = [
        ("schema", raw.table.schema.as_str()),
        ("table", &raw.table.table),
        ("key", &raw.key().name),
        ("condition", &raw.condition),
        ("written", if with_fingerprints { raw.written() } else { "0" }),
    ];
    let text = sql::render(sql::TRANSFORM_PARTITIONS, &variables);
    let rows = session.query(&format!("count the partitions of {}", raw.table), &text).await?;
    let partition = |row: &tokio_postgres::Row| {
        let rows: i64 = row.try_get(1)?;
        Ok(Partition { key: row.try_get(0)?, rows: rows.unsigned_abs(), fingerprint: row.try_get(2)? })
    };
    Ok(rows.iter().map(partition).collect::<Result<_, tokio_postgres::Error>>().map_err(decode)?)
}

fn describe(report: &mut PlanReport, raw: &RawTable, partitions: &[Partition], packed: &[Group]) {
    let rows_of = |wanted: Option<&str>| {
        partitions.iter().find(|partition| partition.key.as_deref() == wanted).map_or(0, |found| found.rows)
    };
    report.rows = partitions.iter().map(|partition| partition.rows).sum();
    report.rows_out = report.rows;
    report.partitions = partitions.len() as u64;
    report.groups = packed.len() as u64;
    report.largest =
        partitions.iter().take(5).map(|partition| (partition.key.clone(), partition.rows)).collect();
    (report.null_rows, report.empty_rows) = (rows_of(None), rows_of(Some("")));
    let keys = partitions.iter().filter_map(|partition| partition.key.as_deref());
    report.padded = keys.filter(|key| key.trim() != *key).take(20).map(str::to_owned).collect();
    (report.pages, report.size_bytes) = (raw.relation.pages, raw.relation.size_bytes);
    (report.index, report.correlation) = (raw.index.clone(), raw.correlation);
}

/// Cleans some partitions, first together and then one by one: if the results differ, the cleaning looks across partitions.
async fn try_sample(
    looking: &JobSession,
    job: &Job,
    raw: &RawTable,
    clean: &CleanColumns,
    cleaning: &mut Cleaning,
    partitions: &[Partition],
    report: &mut PlanReport,
) -> Result<(), Cause> {
    // If the rows are stored in another order than the key, each costs a page.
    let rows = match raw.is_scattered() && raw.is_table() {
        true => job.source.group_rows.min((raw.relation.pages as u64 / SAMPLE_PAGES).max(SAMPLE_ROWS)),
        false => job.source.group_rows,
    };
    let picked = sample::pick(partitions, rows);
    if picked.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = picked.iter().map(|picked| picked.key.clone()).collect();
    let start = Instant::now();
    let found = sample::read(looking, raw, &picked).await?;
    let together = job.clean.grouped;
    let cleaned = tokio::task::block_in_place(|| {
        let cleaned = rows::clean(cleaning, together, clean, raw, &keys, found.batches.clone())?;
        let seconds = start.elapsed().as_secs_f64();
        let difference = match together && keys.len() > 1 {
            true => sample::difference(cleaning, clean, raw, &keys, &found.batches, &cleaned)?,
            false => None,
        };
        Ok::<_, rows::GroupError>((cleaned, seconds, difference))
    });
    // A sample that cannot be cleaned does not stop the plan: its partitions will fail, and the others can be done.
    let (cleaned, seconds, difference) = match cleaned {
        Ok(cleaned) => cleaned,
        Err(error) => {
            let unknown = match together {
                true => "; whether it looks across partitions is not known",
                false => "",
            };
            report
                .warnings
                .push(format!("the sample ({}) cannot be cleaned: {error}{unknown}", rows::name(&keys)));
            return Ok(());
        }
    };
    if let Some(key) = difference {
        return Err(Cause::Refused {
            message: format!(
                "the cleaning returns different rows for the partition {} when it sees other partitions at the same time",
                shown_key(key.as_deref())
            ),
            hint: Some(format!(
                "what looks across rows says `partition by {}`; or give it one partition at a time: [clean] grouped = false",
                job.source.key
            )),
        });
    }
    let read: u64 = found.counted.iter().map(|counted| counted.rows).sum();
    report.sample_rows = read;
    if read > 0 {
        report.rows_out = (report.rows as f64 * cleaned.encoded.rows as f64 / read as f64) as u64;
        let row_bytes = cleaned.encoded.text.len() as f64 / read as f64
            + ROW_HEADER * cleaned.encoded.rows as f64 / read as f64;
        let version_bytes = (row_bytes * report.rows as f64) as u64;
        (report.version_bytes, report.wal_bytes) = (Some(version_bytes), Some(version_bytes));
        if seconds > 0.0 {
            // Writing takes about as long as reading and cleaning together.
            let rows_per_s = read as f64 / seconds / 2.0;
            (report.rows_per_s, report.expected_s) =
                (Some(rows_per_s), Some(report.rows as f64 / rows_per_s));
        }
    }
    Ok(())
}

/// The warning about a version with far fewer rows than the table that it replaces: its source may have been emptied.
pub fn fewer(rows: u64, old_rows: u64) -> Option<String> {
    (rows < old_rows / 2).then(|| {
        format!(
            "the new rows are about {}, and the table in place has about {}",
            count(rows),
            count(old_rows)
        )
    })
}

fn warn(report: &mut PlanReport, job: &Job, raw: &RawTable) {
    let mut warnings = Vec::new();
    if report.buckets > 0 {
        if raw.index.is_none() {
            warnings.push(format!(
                "no index of {} begins with {}: a partition that has changed when its bucket is read costs a pass over the table",
                raw.table, job.source.key
            ));
        }
    } else if raw.index.is_none() && report.groups > 1 {
        warnings.push(format!(
            "no index of {} begins with {}: each of the {} groups reads the whole table; create index concurrently on {} ({}); \
             or --store URL, where the rows are put into buckets",
            raw.table, job.source.key, report.groups, raw.table, job.source.key
        ));
    } else if raw.is_scattered() && report.groups > 1 {
        warnings.push(format!(
            "the rows lie in another order than {}: each row may cost a page of the {} that the table has; cluster {} using {} puts \
             them in order; with --store URL they are read once, into buckets there",
            job.source.key,
            report.pages,
            raw.table,
            raw.index.as_deref().unwrap_or("an index")
        ));
    }
    if raw.correlation.is_none() && raw.is_table() {
        warnings.push(format!("the order of the rows is not known: analyze {};", raw.table));
    }
    if !raw.is_table() {
        warnings.push(format!(
            "changes of {} while it is read are seen only where numbers of rows change",
            raw.table
        ));
    }
    if raw.relation.has_row_security {
        warnings.push(format!("{} has row security: rows that our role may not see are an error", raw.table));
    }
    report.warnings.extend(warnings);
}
