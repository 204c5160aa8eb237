//! Picks partitions for trying the cleaning before anything is written.

use std::collections::HashMap;

use arrow::record_batch::RecordBatch;

use super::clean::Cleaning;
use super::groups::Partition;
use super::look::RawTable;
use super::read::{self, RawRows, ReadError, Wanted, apart};
use super::rows::{self, CleanColumns, CleanRows, GroupError};
use super::session::JobSession;

/// The most partitions to try.
const PARTITIONS: usize = 8;

/// A partition of the sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    pub key: Option<String>,
    /// The most rows to read; `None`: all.
    pub limit: Option<u64>,
}

/// Picks partitions of all sizes that together have at most `group_rows` rows; partitions without a key or with a blank one
/// come first. Whether the cleaning looks across partitions shows only where there are two: if no two fit, the smallest two are
/// taken, and as many rows of each as do.
pub fn pick(partitions: &[Partition], group_rows: u64) -> Vec<Picked> {
    let fitting: Vec<_> = partitions.iter().filter(|partition| partition.rows <= group_rows).collect();
    let mut picked: Vec<&Partition> = Vec::new();
    let odd =
        fitting.iter().filter(|partition| partition.key.as_deref().is_none_or(|key| key.trim().is_empty()));
    let step = (fitting.len() / PARTITIONS).max(1);
    let mut rows = 0;
    for partition in odd.take(2).chain(fitting.iter().step_by(step)).copied() {
        let is_new = !picked.iter().any(|other| other.key == partition.key);
        if is_new && picked.len() < PARTITIONS && rows + partition.rows <= group_rows {
            rows += partition.rows;
            picked.push(partition);
        }
    }
    if picked.len() >= 2 {
        return picked
            .into_iter()
            .map(|partition| Picked { key: partition.key.clone(), limit: None })
            .collect();
    }
    let smallest = partitions.iter().rev().take(2);
    let each = (group_rows / 2).max(1);
    smallest
        .map(|partition| Picked {
            key: partition.key.clone(),
            limit: (partition.rows > each).then_some(each),
        })
        .collect()
}

/// Reads the rows of picked partitions.
pub async fn read(looking: &JobSession, raw: &RawTable, picked: &[Picked]) -> Result<RawRows, ReadError> {
    let keys: Vec<_> = picked.iter().map(|picked| picked.key.clone()).collect();
    if picked.iter().all(|picked| picked.limit.is_none()) {
        return read::read(looking, raw, &Wanted::all(&keys, None)).await;
    }
    let mut all = RawRows { batches: Vec::new(), counted: Vec::new(), bytes: 0 };
    for (picked, key) in picked.iter().zip(&keys) {
        let wanted = Wanted { keys: std::slice::from_ref(key), pages: None, limit: picked.limit };
        let found = read::read(looking, raw, &wanted).await?;
        all.batches.extend(found.batches);
        all.counted.extend(found.counted);
        all.bytes += found.bytes;
    }
    Ok(all)
}

/// The key of the first partition that has a different result when it is cleaned by itself; `Some(None)` is the partition
/// without a key. Rows are compared as a multiset.
pub fn difference(
    cleaning: &mut Cleaning,
    target: &CleanColumns,
    raw: &RawTable,
    keys: &[Option<String>],
    batches: &[RecordBatch],
    together: &CleanRows,
) -> Result<Option<Option<String>>, GroupError> {
    let mut lines: HashMap<&str, usize> = HashMap::new();
    for line in together.encoded.text.lines() {
        *lines.entry(line).or_default() += 1;
    }
    for (key, batches) in keys.iter().zip(apart(batches, keys, raw)?) {
        let alone = rows::clean(cleaning, true, target, raw, std::slice::from_ref(key), batches)?;
        for line in alone.encoded.text.lines() {
            match lines.get_mut(line).filter(|count| **count > 0) {
                Some(count) => *count -= 1,
                None => return Ok(Some(key.clone())),
            }
        }
    }
    // Rows that remain come from no partition by itself.
    let is_left = lines.values().any(|count| *count > 0);
    Ok(if is_left { keys.last().cloned() } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_small_and_has_the_odd_ones() {
        let partition = |key: Option<&str>, rows| Partition {
            key: key.map(str::to_owned),
            rows,
            fingerprint: "0".into(),
        };
        let mut partitions = vec![partition(Some("giant"), 1000)];
        partitions.extend((0..40).map(|number| partition(Some(&number.to_string()), 40 - number)));
        partitions.extend([partition(Some(""), 1), partition(None, 1)]);
        let keys = |picked: &[Picked]| picked.iter().map(|one| one.key.clone()).collect::<Vec<_>>();
        let picked = pick(&partitions, 100);
        let picked_keys = keys(&picked);
        assert!(picked_keys.contains(&None) && picked_keys.contains(&Some(String::new())));
        assert!(picked.len() > 2 && picked.len() <= PARTITIONS);
        assert!(!picked_keys.contains(&Some("giant".into())) && picked.iter().all(|one| one.limit.is_none()));
        // Two, however large they are.
        let large = [partition(Some("a"), 900), partition(Some("b"), 800), partition(Some("c"), 70)];
        let picked = pick(&large, 100);
        assert_eq!(keys(&picked), [Some("c".to_owned()), Some("b".to_owned())]);
        assert_eq!(picked.iter().map(|one| one.limit).collect::<Vec<_>>(), [Some(50), Some(50)]);
        assert_eq!(keys(&pick(&partitions[..1], 100)), [Some("giant".to_owned())]);
        assert!(pick(&[], 100).is_empty());
    }
}
