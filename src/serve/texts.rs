//! The statements of a dataset, with the names of its tables in them.

use crate::dataset::Dataset;
use crate::dataset::served::Served;
use crate::sql;

/// What is asked of one dataset.
#[derive(Clone, Debug)]
pub struct ServedTexts {
    pub dataset: &'static Dataset,
    pub served: &'static Served,
    pub schema: String,
    /// The hits that whatever is told must have; 0: everything is told, by place.
    pub min_count: i64,
    pub run: String,
    pub places: String,
    pub days: String,
    pub loaded: String,
    pub sums: String,
    pub points: String,
    pub atoms: String,
}

impl ServedTexts {
    /// Of a dataset that can be served; `None`: it cannot.
    /// `min_count`: another one than the dataset's.
    pub fn new(
        dataset: &'static Dataset,
        (schema, ledger): (&str, &str),
        min_count: Option<u32>,
    ) -> Option<Self> {
        let served = dataset.served?;
        let tables = served.tables();
        let variables: Vec<_> = [("schema", schema), ("ledger", ledger)].into_iter().chain(tables).collect();
        let text = |script| sql::render(script, &variables);
        Some(Self {
            dataset,
            served,
            schema: schema.to_owned(),
            min_count: min_count.unwrap_or(served.min_count).into(),
            run: text(sql::SERVE_RUN),
            places: text(sql::SERVE_PLACES),
            days: text(sql::SERVE_DAYS),
            loaded: text(sql::SERVE_LOADED),
            sums: text(sql::SERVE_SUMS),
            points: text(sql::SERVE_POINTS),
            atoms: text(sql::SERVE_ATOMS),
        })
    }
}
