//! Packs partitions into groups; a group is what a worker claims at once.

/// The most partitions in a group, because one statement holds all their keys.
pub const GROUP_PARTITIONS: usize = 2_000;
/// A partition with more than so many times the rows of a group is a giant.
pub const GIANT: u64 = 10;
/// The number of the group that colliding groups become. Those of single partitions are smaller.
pub const TOGETHER: i32 = 2_000_000_000;
/// One more than the highest page number of a table.
pub const NO_PAGE: i64 = u32::MAX as i64;

/// A partition as the plan finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The key as text; `None` (NULL) is a key as well.
    pub key: Option<String>,
    pub rows: u64,
    pub fingerprint: String,
}

/// Some partitions, or some pages of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The place of each partition in the plan's list, and the number of its part.
    pub members: Vec<(usize, i32)>,
    pub rows: u64,
    pub pages: Option<(i64, i64)>,
    /// The bucket with the rows; `None`: they are read by key.
    pub bucket: Option<i32>,
}

/// Packs partitions, which must be sorted from largest to smallest. Large partitions are groups by themselves, the others are
/// combined up to `group_rows` rows. The result is sorted in the same way, so that no large group begins when all others are
/// nearly done.
pub fn pack(partitions: &[Partition], group_rows: u64) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (place, partition) in partitions.iter().enumerate() {
        let open = groups.last_mut().filter(|group| {
            group.rows + partition.rows <= group_rows && group.members.len() < GROUP_PARTITIONS
        });
        match open {
            Some(group) => {
                group.members.push((place, 0));
                group.rows += partition.rows;
            }
            None => {
                groups.push(Group { members: vec![(place, 0)], rows: partition.rows, ..Group::default() });
            }
        }
    }
    sort(&mut groups);
    groups
}

/// Packs partitions so that each group lies in one bucket and combines partitions with neighbouring hashes, because their rows
/// lie together in the bucket's file. `hashes` are the hashes of the partitions' keys.
pub fn pack_buckets(partitions: &[Partition], hashes: &[i64], buckets: i32, group_rows: u64) -> Vec<Group> {
    let bucket = |place: usize| bucket_of(hashes[place], buckets);
    let mut places: Vec<usize> = (0..partitions.len()).collect();
    places.sort_by_key(|place| (bucket(*place), hashes[*place]));
    let mut groups: Vec<Group> = Vec::new();
    let mut open: Option<Group> = None;
    for place in places {
        let rows = partitions[place].rows;
        let alone = Group { members: vec![(place, 0)], rows, pages: None, bucket: Some(bucket(place)) };
        // A large partition is a group by itself, and its neighbours stay together.
        if rows >= group_rows {
            groups.push(alone);
            continue;
        }
        let fitting = open.as_mut().filter(|group| {
            group.bucket == alone.bucket
                && group.rows + rows <= group_rows
                && group.members.len() < GROUP_PARTITIONS
        });
        match fitting {
            Some(group) => {
                group.members.push((place, 0));
                group.rows += rows;
            }
            None => groups.extend(open.replace(alone)),
        }
    }
    groups.extend(open);
    sort(&mut groups);
    groups
}

/// The bucket of a key with this hash.
pub fn bucket_of(hash: i64, buckets: i32) -> i32 {
    (hash % i64::from(buckets.max(1))) as i32
}

/// Moves the largest group of each bucket to the front: each worker begins with a bucket of its own and stays with it.
pub fn lead(groups: Vec<Group>) -> Vec<Group> {
    let mut seen = std::collections::HashSet::new();
    let (mut leading, rest): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|group| seen.insert(group.bucket));
    leading.extend(rest);
    leading
}

/// Moves two groups of several partitions to the front, before and behind the largest group: one with as many partitions as
/// most groups have, and one with more. They show how much time a partition takes besides its rows, and with it the time that
/// is left; large groups do not show it.
pub fn scout(groups: &mut Vec<Group>) {
    let members = |groups: &[Group], at: usize| groups[at].members.len();
    let mut packed: Vec<usize> = (0..groups.len()).filter(|at| members(groups, *at) > 1).collect();
    packed.sort_by_key(|at| members(groups, *at));
    let (usual, many) = (packed.get(packed.len() / 2), packed.get(packed.len() * 3 / 4));
    let (Some(&usual), Some(&many)) = (usual, many) else { return };
    let mut scouts = vec![groups[usual].clone()];
    scouts.extend((many != usual).then(|| groups[many].clone()));
    groups.retain(|group| !scouts.contains(group));
    for (scout, place) in scouts.into_iter().zip([0, 2]) {
        groups.insert(place.min(groups.len()), scout);
    }
}

fn sort(groups: &mut [Group]) {
    groups.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.members.cmp(&b.members)));
}

/// Whether a partition is large enough to be split.
pub fn is_giant(partition: &Partition, group_rows: u64) -> bool {
    partition.rows > group_rows.saturating_mul(GIANT)
}

/// Splits the group of a giant into ranges of its pages, in parts of about ten times `group_rows` rows. The last one includes
/// pages that the table gets later.
pub fn split(groups: &mut Vec<Group>, place: usize, rows: u64, pages: (i64, i64), group_rows: u64) {
    let (first, end) = pages;
    let parts = rows.div_ceil(group_rows.saturating_mul(GIANT)).min((end - first).max(1) as u64) as i64;
    let bucket = groups.iter().find(|group| group.members == [(place, 0)]).and_then(|group| group.bucket);
    groups.retain(|group| group.members != [(place, 0)]);
    for part in 0..parts {
        let at = |part: i64| if part == parts { NO_PAGE } else { first + (end - first) * part / parts };
        groups.push(Group {
            members: vec![(place, part as i32)],
            rows: rows / parts as u64,
            pages: Some((at(part), at(part + 1))),
            bucket,
        });
    }
    sort(groups);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(rows: &[u64]) -> Vec<Partition> {
        let partition =
            |rows: &u64| Partition { key: Some(rows.to_string()), rows: *rows, fingerprint: "0".into() };
        rows.iter().map(partition).collect()
    }

    #[test]
    fn small_partitions_are_packed_and_large_ones_are_alone() {
        let groups = pack(&partitions(&[500, 100, 40, 40, 30, 20, 1]), 100);
        let packed: Vec<_> = groups
            .iter()
            .map(|group| (group.rows, group.members.iter().map(|m| m.0).collect::<Vec<_>>()))
            .collect();
        assert_eq!(packed, [(500, vec![0]), (100, vec![1]), (80, vec![2, 3]), (51, vec![4, 5, 6])]);
        assert_eq!(pack(&[], 100), []);
        let many = pack(&partitions(&vec![0; 5000]), 100);
        assert_eq!(many.iter().map(|group| group.members.len()).collect::<Vec<_>>(), [2000, 2000, 1000]);
    }

    #[test]
    fn packed_groups_are_among_the_first_and_the_others_stay_in_order() {
        let mut groups = pack(&partitions(&[500, 300, 100, 50, 49, 40, 30, 20, 5, 4, 3, 2, 1]), 100);
        let before = groups.clone();
        let sizes = |groups: &[Group]| groups.iter().map(|group| group.members.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&groups), [1, 1, 1, 2, 5, 3]);
        scout(&mut groups);
        assert_eq!(sizes(&groups), [3, 1, 5, 1, 1, 2]);
        assert_eq!(groups[1], before[0], "the largest waits for one group at most");
        sort(&mut groups);
        assert_eq!(groups, before, "none is lost or twice");
        let mut few = pack(&partitions(&[500, 60, 40]), 100);
        scout(&mut few);
        assert_eq!(sizes(&few), [2, 1]);
        let mut single = pack(&partitions(&[500, 300]), 100);
        scout(&mut single);
        assert_eq!(sizes(&single), [1, 1]);
    }

    #[test]
    fn a_group_lies_in_one_bucket_and_each_bucket_leads_with_its_largest() {
        let partitions = partitions(&[500, 90, 80, 70, 60, 50, 40, 30, 20, 10]);
        let hashes: Vec<i64> = (0..10).map(|place| place * 7 % 10).collect();
        let groups = lead(pack_buckets(&partitions, &hashes, 3, 100));
        let mut seen: Vec<usize> =
            groups.iter().flat_map(|group| group.members.iter().map(|m| m.0)).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        for group in &groups {
            assert!(group.rows <= 100 || group.members.len() == 1);
            assert!(
                group.members.iter().all(|(place, _)| Some(bucket_of(hashes[*place], 3)) == group.bucket)
            );
        }
        let first: std::collections::HashSet<_> = groups[..3].iter().map(|group| group.bucket).collect();
        assert_eq!((first.len(), groups[0].rows), (3, 500));
        assert!(groups[3..].windows(2).all(|two| two[0].rows >= two[1].rows));
    }

    #[test]
    fn the_parts_of_a_giant_have_all_its_pages_once() {
        let partitions = partitions(&[5000, 10]);
        assert!(is_giant(&partitions[0], 100) && !is_giant(&partitions[1], 100));
        let mut groups = pack(&partitions, 100);
        split(&mut groups, 0, 5000, (7, 30), 100);
        let mut pages: Vec<_> = groups.iter().filter_map(|group| group.pages).collect();
        pages.sort_unstable();
        assert_eq!((pages.len(), pages[0].0, pages[4]), (5, 7, (25, NO_PAGE)));
        assert!(pages.windows(2).all(|two| two[0].1 == two[1].0));
        assert_eq!(groups.len(), 6);
    }
}
