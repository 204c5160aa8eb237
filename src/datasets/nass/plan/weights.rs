//! What is guessed of the records behind each value of a column: from what was counted of others, an earlier year among
//! them.

use std::collections::BTreeMap;

use super::values::Dimension;

/// What no value falls below: one that had nothing may have something now.
const LEAST: f64 = 0.01;

/// For each column and what it was counted within, the weight of each value. Only their ratios say something.
#[derive(Clone, Debug, Default)]
pub(super) struct Weights {
    known: BTreeMap<(String, String), BTreeMap<String, f64>>,
}

impl Weights {
    /// How the records of a request are spread over some values, as far as can be told; the sum is `total`.
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

    /// What was counted of a column within this; else within anything.
    fn known(&self, dimension: Dimension, within: &str) -> Option<&BTreeMap<String, f64>> {
        let of = |within: &str| self.known.get(&(dimension.column().to_owned(), within.to_owned()));
        of(within).or_else(|| of(""))
    }

    fn weights(&self, dimension: Dimension, within: &str, values: &[String]) -> Vec<f64> {
        let known = self.known(dimension, within);
        // What was counted of others says how much a guess is worth.
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

    /// Was each of these values counted before, if only together with others?
    pub(super) fn knows(&self, dimension: Dimension, within: &str, values: &[String]) -> bool {
        let known = self.known(dimension, within);
        known.is_some_and(|known| values.iter().all(|value| known.contains_key(value)))
    }

    /// These values together had so many records.
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
