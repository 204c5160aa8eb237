//! Descriptions of the tables and their columns for people.

use super::activity::METRICS;
use crate::dataset::derived::Described;

const KIND: (&str, &str) = ("kind", "project, category, community, backer or person");
const KEY: (&str, &str) = ("key", "its key, among those of its kind");
const IDENTITY: (&str, &str) = ("record_id", "the node's identity: its kind, a colon and its key");

pub(super) const DICTIONARY: &[Described] = &[
    Described {
        table: "graph_nodes",
        about: "Nodes of the graph, with their rank and the metrics of the last month",
        columns: &[
            KIND,
            KEY,
            ("name", "what people call it"),
            ("pagerank", "its PageRank: all of them add up to 1"),
            ("month", "the last month that counts, by its first day"),
            (METRICS[0].name, METRICS[0].sentence),
            (METRICS[1].name, METRICS[1].sentence),
            (METRICS[2].name, METRICS[2].sentence),
            (METRICS[3].name, METRICS[3].sentence),
            (METRICS[4].name, METRICS[4].sentence),
            (METRICS[5].name, METRICS[5].sentence),
            (METRICS[6].name, METRICS[6].sentence),
            ("content_hash", "a checksum of all its data: rank, edges and metrics"),
            IDENTITY,
        ],
    },
    Described {
        table: "graph_edges",
        about: "Edges of the graph",
        columns: &[
            (
                "kind",
                "in_category, in_community, depends_on, backs, sub_category_of, works_on, or common_developers (both ways)",
            ),
            ("from_key", "the node that it comes from"),
            ("to_key", "the node that it leads to"),
            (
                "weight",
                "1; of works_on the commits; of common_developers the share of all authors of both whom both have",
            ),
            ("from_kind", "the kind of the node that it comes from"),
            ("to_kind", "the kind of the node that it leads to"),
            IDENTITY,
        ],
    },
    Described {
        table: "site_metrics",
        about: "Metrics of projects, categories and communities, month by month",
        columns: &[
            KIND,
            KEY,
            ("metric", "the metric; its sentence is the comment of its column of graph_nodes"),
            ("month", "the month, by its first day"),
            ("value", "the value; empty where none can be computed"),
            IDENTITY,
        ],
    },
    Described {
        table: "graph_neighbours",
        about: "What each node is joined to, by an edge in either way",
        columns: &[
            KIND,
            KEY,
            ("edge", "the kind of the edge"),
            ("direction", "out: the edge comes from the node; in: it leads there"),
            ("other_kind", "the kind of the other node"),
            ("other_key", "the key of the other node"),
            ("other_name", "what people call that"),
            ("weight", "the weight of the edge"),
        ],
    },
    Described {
        table: "graph_paths",
        about: "Ways from a node to another along one to three edges",
        columns: &[
            ("from_kind", "the kind of the first node"),
            ("from_key", "the key of the first node"),
            ("to_kind", "the kind of the last node"),
            ("to_key", "the key of the last node"),
            ("steps", "how many edges"),
            ("path", "all nodes on the way, each as KIND:KEY"),
        ],
    },
    Described {
        table: "graph_similar_projects",
        about: "Projects that share categories, communities, backers, needs and people",
        columns: &[
            ("project", "a project"),
            ("other", "another project"),
            ("shared", "how many neighbours both have"),
            ("similarity", "their share of all neighbours that either has"),
        ],
    },
];
