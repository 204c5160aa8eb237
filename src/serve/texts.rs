//! The statements for a dataset, with the names of its tables filled in.

use crate::dataset::Dataset;
use crate::dataset::served::{MinCount, PIECES_LEAST, Served};
use crate::sql;

/// The statements for one dataset.
#[derive(Clone, Debug)]
pub struct ServedTexts {
    pub dataset: &'static Dataset,
    pub served: &'static Served,
    pub schema: String,
    /// The minimum number of hits of a sum that may be shown; 0: everything is shown, by place.
    pub min_count: i64,
    pub run: String,
    pub places: String,
    pub days: String,
    pub loaded: String,
    pub sums: String,
    pub points: String,
    pub atoms: String,
    /// The statements for packed tables, if the dataset has them.
    pub packed: Option<PackedTexts>,
}

/// The statements for packed tables.
#[derive(Clone, Debug)]
pub struct PackedTexts {
    pub days: String,
    pub months: String,
    pub month_points: String,
}

impl ServedTexts {
    /// The statements of a dataset; `None` if it is not served. `min_counts` holds numbers that replace those of the datasets.
    pub fn new(
        dataset: &'static Dataset,
        (schema, ledger): (&str, &str),
        min_counts: &[MinCount],
    ) -> Option<Self> {
        let served = dataset.served?;
        let variables = [("schema", schema), ("ledger", ledger)].into_iter().chain(served.all_tables());
        let variables: Vec<_> = variables.collect();
        let text = |script| sql::render(script, &variables);
        let min_count = MinCount::of(dataset.name, served.min_count, min_counts);
        Some(Self {
            dataset,
            served,
            schema: schema.to_owned(),
            min_count: min_count.into(),
            run: text(sql::SERVE_RUN),
            places: text(sql::SERVE_PLACES),
            days: text(sql::SERVE_DAYS),
            loaded: text(sql::SERVE_LOADED),
            sums: text(sql::SERVE_SUMS),
            points: text(sql::SERVE_POINTS),
            atoms: match min_count > PIECES_LEAST {
                true => text(sql::SERVE_LARGER_ATOMS),
                false => text(sql::SERVE_ATOMS),
            },
            packed: served.packed.map(|_| PackedTexts {
                days: text(sql::SERVE_DAY_CELLS),
                months: text(sql::SERVE_MONTH_CELLS),
                month_points: text(sql::SERVE_MONTH_POINTS),
            }),
        })
    }

    /// The tables without which no question is answered. Where packed ones may not be read, these say the same.
    pub fn needed(&self) -> Vec<&'static str> {
        let Served { places, place_days, zone_days, days, atoms, .. } = self.served;
        match self.min_count {
            0 => vec![places, days, place_days, zone_days],
            _ => vec![places, days, atoms],
        }
    }
}
