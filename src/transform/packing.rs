//! Packs the partitions of a plan into groups: by size alone, or by buckets.

use super::buckets::BucketPlan;
use super::encode::key_hash;
use super::groups::{self, Group, Partition};
use super::job::Job;
use super::look::RawTable;
use super::read::key_list;
use super::session::{JobSession, decode};
use crate::error::Cause;
use crate::sql;

/// Packed groups, and the buckets that they are read from.
#[derive(Debug)]
pub struct PackedGroups {
    pub groups: Vec<Group>,
    /// The number of partitions that were split.
    pub split: u64,
    pub buckets: Option<BucketPlan>,
    /// The reason why the rows cannot be put into buckets although the command asks for it.
    pub why_none: Option<String>,
}

/// Packs partitions, which must be sorted from largest to smallest. `wanted` is set if there is a store; it holds the MiB of
/// the table per bucket, if given. Buckets are made only if the rows are not stored in the order of the key.
pub async fn pack(
    looking: &JobSession,
    job: &Job,
    raw: &RawTable,
    partitions: &[Partition],
    (wanted, in_place): (Option<Option<u64>>, bool),
) -> Result<PackedGroups, Cause> {
    let mut groups = groups::pack(partitions, job.source.group_rows);
    let wanted = wanted.filter(|_| raw.is_scattered() && groups.len() > 1);
    match wanted.map(|bucket_mib| BucketPlan::new(raw, bucket_mib)) {
        Some(Ok(plan)) => Ok(by_buckets(job, raw, partitions, plan, in_place)),
        other => {
            let split = split_giants(looking, job, raw, partitions, &mut groups, in_place).await?;
            Ok(PackedGroups { groups, split, buckets: None, why_none: other.and_then(Result::err) })
        }
    }
}

fn by_buckets(
    job: &Job,
    raw: &RawTable,
    partitions: &[Partition],
    plan: BucketPlan,
    in_place: bool,
) -> PackedGroups {
    let group_rows = job.source.group_rows;
    let hashes: Vec<i64> = partitions.iter().map(|partition| key_hash(partition.key.as_deref())).collect();
    let mut groups = groups::pack_buckets(partitions, &hashes, plan.buckets, group_rows);
    let mut split = 0;
    for (place, partition) in partitions.iter().enumerate() {
        if !may_split(job, in_place) || !groups::is_giant(partition, group_rows) {
            break;
        }
        // The rows of a giant may lie on any page.
        groups::split(&mut groups, place, partition.rows, (0, raw.relation.pages.max(1)), group_rows);
        split += 1;
    }
    PackedGroups { groups: groups::lead(groups), split, buckets: Some(plan), why_none: None }
}

/// A giant is not split in place, because the rows of a partition are replaced in one transaction.
fn may_split(job: &Job, in_place: bool) -> bool {
    job.clean.row_wise && !in_place
}

/// Splits giants if each row is cleaned by itself; returns how many were split.
async fn split_giants(
    looking: &JobSession,
    job: &Job,
    raw: &RawTable,
    partitions: &[Partition],
    packed: &mut Vec<Group>,
    in_place: bool,
) -> Result<u64, Cause> {
    let mut split = 0;
    if !may_split(job, in_place) || raw.relation.kind != 'r' {
        return Ok(0);
    }
    for (place, partition) in partitions.iter().enumerate() {
        if !groups::is_giant(partition, job.source.group_rows) {
            break;
        }
        if let Some(pages) = pages(looking, raw, &partition.key).await? {
            groups::split(packed, place, partition.rows, pages, job.source.group_rows);
            split += 1;
        }
    }
    Ok(split)
}

async fn pages(
    looking: &JobSession,
    raw: &RawTable,
    key: &Option<String>,
) -> Result<Option<(i64, i64)>, Cause> {
    let (keys, with_null) = key_list(std::slice::from_ref(key));
    let variables = [
        ("schema", raw.table.schema.as_str()),
        ("table", &raw.table.table),
        ("key", &raw.key().name),
        ("key_type", raw.key().cast()),
        ("keys", &keys),
        ("with_null", with_null),
        ("condition", &raw.condition),
    ];
    let rows =
        looking.query("look where a giant lies", &sql::render(sql::TRANSFORM_PAGES, &variables)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (first, end): (Option<i64>, Option<i64>) =
        (row.try_get(0).map_err(decode)?, row.try_get(1).map_err(decode)?);
    Ok(first.zip(end))
}
