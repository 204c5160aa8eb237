//! Estimates how many records each value of a column has, from earlier counts, including those of an earlier year.

use std::collections::BTreeMap;

use super::values::Dimension;

/// The smallest weight: a value that had no records may have some now.
const LEAST: f64 = 0.01;

/// For each column and context, the weight of each value. Only ratios within a context are meaningful.
#[derive(Clone, Debug, Default)]
pub(super) struct Weights {
    known: BTreeMap<(String, String), BTreeMap<String, f64>>,
}

impl Weights {
    /// The estimated distribution of a request's records over some values; the sum is `total`.
    pub(super) fn spread(
        &self,
        dimension: Dimension,
        within: &str,
        values: &[String],
        total: u64,
    ) -> Vec<f64> {
        let weights = self.weights(dimension, within, values);
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum.max(LEAST) * total as f64).collect()
    }

    /// The weights of a column in this context, or in any context.
    fn known(&self, dimension: Dimension, within: &str) -> Option<&BTreeMap<String, f64>> {
        let of = |within: &str| self.known.get(&(dimension.column().to_owned(), within.to_owned()));
        of(within).or_else(|| of(""))
    }

    fn weights(&self, dimension: Dimension, within: &str, values: &[String]) -> Vec<f64> {
        let known = self.known(dimension, within);
        // The counts of other values show how much a guess is worth.
        let worth = known.map_or(1.0, |known| {
            let guessed: f64 = known.keys().map(|value| dimension.guess(value)).sum();
            known.values().sum::<f64>() / guessed.max(LEAST)
        });
        let weight = |value: &String| {
            let counted = known.and_then(|known| known.get(value)).copied();
            counted.unwrap_or_else(|| dimension.guess(value) * worth).max(LEAST)
        };
        values.iter().map(weight).collect()
    }

    /// Whether each of these values was counted before, alone or together with others.
    pub(super) fn knows(&self, dimension: Dimension, within: &str, values: &[String]) -> bool {
        let known = self.known(dimension, within);
        known.is_some_and(|known| values.iter().all(|value| known.contains_key(value)))
    }

    /// Records that these values together had so many records.
    pub(super) fn learn(&mut self, dimension: Dimension, within: &str, values: &[String], records: u64) {
        let weights = self.weights(dimension, within, values);
        let sum: f64 = weights.iter().sum();
        for (value, weight) in values.iter().zip(weights) {
            let weight = (weight / sum.max(LEAST) * records as f64).max(LEAST);
            for within in [within, ""] {
                let key = (dimension.column().to_owned(), within.to_owned());
                self.known.entry(key).or_default().insert(value.clone(), weight);
            }
        }
    }
}
