//! Picks partitions for trying the cleaning before anything is written.

use std::collections::HashMap;

use arrow::record_batch::RecordBatch;

use super::clean::Cleaning;
use super::groups::Partition;
use super::look::RawTable;
use super::read::apart;
use super::rows::{self, CleanColumns, CleanRows, GroupError};

/// The most partitions to try.
const PARTITIONS: usize = 8;

/// Picks partitions of all sizes that together have at most `group_rows` rows; partitions without a key or with a blank one
/// come first.
pub fn pick(partitions: &[Partition], group_rows: u64) -> Vec<Option<String>> {
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
    // If all partitions are larger than that, the smallest is taken.
    if picked.is_empty() {
        picked.extend(partitions.last());
    }
    picked.into_iter().map(|partition| partition.key.clone()).collect()
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
        let alone = rows::clean(cleaning, true, target, raw, std::slice::from_ref(key), &batches)?;
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
        let picked = pick(&partitions, 100);
        assert!(picked.contains(&None) && picked.contains(&Some(String::new())));
        assert!(picked.len() > 2 && picked.len() <= PARTITIONS && !picked.contains(&Some("giant".into())));
        assert_eq!(pick(&partitions[..1], 100), [Some("giant".to_owned())]);
        assert!(pick(&[], 100).is_empty());
    }
}
