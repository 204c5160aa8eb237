//! The statements for a dataset, with the names of its tables filled in.

use crate::dataset::Dataset;
use crate::dataset::served::{MinCount, Served};
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
    /// The statements for whole months, if the dataset has tables of them.
    pub months: Option<MonthTexts>,
}

/// The statements for whole months.
#[derive(Clone, Debug)]
pub struct MonthTexts {
    pub cells: String,
    pub points: String,
}

impl ServedTexts {
    /// The statements of a dataset; `None` if it is not served. `min_counts` holds numbers that replace those of the datasets.
    pub fn new(
        dataset: &'static Dataset,
        (schema, ledger): (&str, &str),
        min_counts: &[MinCount],
    ) -> Option<Self> {
        let served = dataset.served?;
        let tables = served.tables();
        let months =
            served.months.map(|months| [("place_months", months.places), ("zone_months", months.zones)]);
        let variables = [("schema", schema), ("ledger", ledger)].into_iter().chain(tables);
        let variables: Vec<_> = variables.chain(months.into_iter().flatten()).collect();
        let text = |script| sql::render(script, &variables);
        Some(Self {
            dataset,
            served,
            schema: schema.to_owned(),
            min_count: MinCount::of(dataset.name, served.min_count, min_counts).into(),
            run: text(sql::SERVE_RUN),
            places: text(sql::SERVE_PLACES),
            days: text(sql::SERVE_DAYS),
            loaded: text(sql::SERVE_LOADED),
            sums: text(sql::SERVE_SUMS),
            points: text(sql::SERVE_POINTS),
            atoms: text(sql::SERVE_ATOMS),
            months: months.map(|_| MonthTexts {
                cells: text(sql::SERVE_MONTH_CELLS),
                points: text(sql::SERVE_MONTH_POINTS),
            }),
        })
    }
}
