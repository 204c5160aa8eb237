//! Decides which values are counted together, and which are fetched together.

/// Values that were counted together.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub values: Vec<String>,
    pub records: u64,
}

/// The requests' worth of records to count together, for values that were not counted yet. If the group is too large, its
/// halves cost only one more count, because the second is what the first leaves, and after a wrong guess seldom more than one
/// of them is too large. (Groups of one request's worth would be too large every other time, or half empty.)
const PAIR: f64 = 1.8;
/// How full a request is planned if the numbers are guessed.
pub(super) const FILLED: f64 = 0.95;

/// How many of `records` records to count together. `is_known`: each of the values was counted before, in another year.
pub(super) fn together(records: u64, limit: u64, is_known: bool) -> f64 {
    let (records, limit) = (records as f64, limit as f64);
    match is_known {
        true => FILLED * limit,
        false if records <= 2.0 * FILLED * limit => (records / 2.0).max(records - FILLED * limit),
        false => PAIR * limit,
    }
}

/// Chooses values that together have at most about `most` records, the largest first: at least one, and never all.
pub(super) fn choose(values: &[String], spread: &[f64], most: f64) -> Vec<String> {
    let mut order: Vec<_> = (0..values.len()).collect();
    order.sort_by(|a, b| spread[*b].total_cmp(&spread[*a]).then(values[*a].cmp(&values[*b])));
    let (mut some, mut sum) = (Vec::new(), 0.0);
    for at in order {
        if some.is_empty() || sum + spread[at] <= most && some.len() + 1 < values.len() {
            sum += spread[at];
            some.push(values[at].clone());
        }
    }
    some
}

/// Packs counted values into as few requests as possible, the largest first.
pub(super) fn pack(mut atoms: Vec<Atom>, limit: u64) -> Vec<Atom> {
    atoms.retain(|atom| atom.records > 0);
    atoms.sort_by(|a, b| b.records.cmp(&a.records).then(a.values.cmp(&b.values)));
    let mut packed: Vec<Atom> = Vec::new();
    for atom in atoms {
        match packed.iter_mut().find(|known| known.records + atom.records <= limit) {
            Some(known) => {
                known.records += atom.records;
                known.values.extend(atom.values);
            }
            None => packed.push(atom),
        }
    }
    packed
}
