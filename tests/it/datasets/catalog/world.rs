//! A folder of sheets, a database and a store, and the real program between them.

use std::fs;

use crate::support::csv::Csv;
use crate::support::pipeline::{Pipeline, Ran};

/// Good sheets, small enough to read at a glance.
pub const GOOD: [(&str, &str); 8] = [
    (
        "categories.csv",
        "category,name,parent,description\ndata,Data,,All about data\nstorage,Storage,data,\nml,Machine learning,data,\n",
    ),
    ("communities.csv", "community,name,url,description\npy,Python people,https://py.example.org,\n"),
    (
        "backers.csv",
        "backer,name,kind,url\nacme,Acme,company,https://acme.example.com\nfund,The Fund,foundation,\n",
    ),
    (
        "projects.csv",
        "project,name,repository,community,license,started,description\n\
         tensorflow,TensorFlow,tensorflow/tensorflow,py,Apache-2.0,2015-11-09,Learns\n\
         numpy,NumPy,https://git.example.org/numpy/numpy,py,BSD-3-Clause,2005-01-01,Arrays\n\
         sled,sled,,,MIT OR Apache-2.0,,\n",
    ),
    ("project_categories.csv", "project,category\ntensorflow,ml\nnumpy,data\nsled,storage\n"),
    ("project_backers.csv", "project,backer,since\ntensorflow,acme,2015-11-09\nnumpy,fund,\n"),
    ("project_dependencies.csv", "project,depends_on\ntensorflow,numpy\n"),
    ("links.csv", "project,kind,url\nnumpy,docs,https://docs.example.org/numpy\n"),
];

pub struct World {
    pub pipeline: Pipeline,
}

impl World {
    /// A pipeline with the good sheets in its source.
    pub async fn new(hint: &str) -> Self {
        let world = Self { pipeline: Pipeline::new(hint).await };
        for (name, text) in GOOD {
            world.put(name, text);
        }
        world
    }

    /// Puts a sheet into the source.
    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.pipeline.source().join(name), text).unwrap();
    }

    /// Puts a good sheet with more lines after it.
    pub fn put_with(&self, name: &str, lines: &str) {
        self.put(name, format!("{}{lines}", good(name)));
    }

    pub async fn run(&self, extra: &[&str]) -> Ran {
        self.pipeline.other(&[&["run", "catalog"], extra].concat()).await
    }

    /// The report for the people who keep the sheets: file, row, column, value, reason, suggestion.
    pub async fn failures(&self) -> Vec<[String; 6]> {
        let ran = self.pipeline.other(&["failures", "--csv", "--dataset", "catalog"]).await.exits(0);
        let csv = Csv::parse(&ran.stdout);
        assert_eq!(csv.columns, ["file", "row", "column", "value", "reason", "suggestion"]);
        let cells = |row: Vec<Option<String>>| {
            let cells: Vec<_> = row.into_iter().map(Option::unwrap_or_default).collect();
            cells.try_into().expect("six cells")
        };
        csv.rows.into_iter().map(cells).collect()
    }

    /// The keys of a table, in order.
    pub async fn keys(&self, table: &str) -> String {
        let query = format!(
            "select coalesce(string_agg(split_part(record_id, ':', 2), ' ' order by record_id), '') from {table}"
        );
        self.pipeline.one(&query).await
    }
}

pub fn good(name: &str) -> &'static str {
    GOOD.iter().find(|(file, _)| *file == name).unwrap().1
}
