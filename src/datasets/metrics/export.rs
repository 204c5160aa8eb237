//! The graph in forms for other programs: GraphML, or JSON lines for graph databases.

use serde_json::{Map, Value, json};

use crate::words::markup;

/// PostgreSQL: the nodes.
pub const NODES: &str = include_str!("../../../sql/metrics/export_nodes.pg.sql");
/// PostgreSQL: the edges.
pub const EDGES: &str = include_str!("../../../sql/metrics/export_edges.pg.sql");

/// The figures of a node besides its kind, key and name, in the order of the statement.
const FIGURES: [&str; 8] =
    ["pagerank", "commits", "authors", "newcomers", "bus_factor", "merge_share", "retention", "growth"];

/// A form of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum GraphForm {
    /// GraphML, for Gephi and others that draw
    Graphml,
    /// A JSON object a line, for graph databases
    Jsonl,
}

/// A node.
#[derive(Clone, Debug, Default)]
pub struct GraphNode {
    pub id: String,
    pub kind: String,
    pub key: String,
    pub name: String,
    /// Numbers as texts, in the order of the statement; `None` if a value is not known.
    pub figures: Vec<Option<String>>,
}

/// An edge.
#[derive(Clone, Debug, Default)]
pub struct GraphEdge {
    pub kind: String,
    pub from: String,
    pub from_kind: String,
    pub to: String,
    pub to_kind: String,
    pub weight: String,
}

impl GraphForm {
    /// The text before the first node.
    pub fn begin(self) -> String {
        if self == Self::Jsonl {
            return String::new();
        }
        let mut text = String::from(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
        );
        let texts = [("node", "label"), ("node", "kind"), ("node", "key"), ("edge", "kind")];
        let numbers = FIGURES.map(|name| ("node", name)).into_iter().chain([("edge", "weight")]);
        let keys = texts.map(|key| (key, "string")).into_iter().chain(numbers.map(|key| (key, "double")));
        for ((of, name), kind) in keys {
            text += &format!(
                "  <key id=\"{}_{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>\n",
                &of[..1]
            );
        }
        text + "  <graph edgedefault=\"directed\">\n"
    }

    /// A node.
    pub fn node(self, node: &GraphNode) -> String {
        let figures = FIGURES.iter().zip(&node.figures);
        let figures = figures.filter_map(|(name, figure)| Some((*name, figure.as_deref()?)));
        if self == Self::Jsonl {
            let mut told =
                Map::from_iter([("key".to_owned(), json!(node.key)), ("name".to_owned(), json!(node.name))]);
            told.extend(figures.map(|(name, figure)| (name.to_owned(), number(figure))));
            let node = json!({ "type": "node", "id": node.id, "labels": [node.kind], "properties": told });
            return format!("{node}\n");
        }
        let mut text = format!("    <node id=\"{}\">", markup(&node.id));
        for (name, told) in [("label", &node.name), ("kind", &node.kind), ("key", &node.key)] {
            text += &format!("<data key=\"n_{name}\">{}</data>", markup(told));
        }
        for (name, figure) in figures {
            text += &format!("<data key=\"n_{name}\">{figure}</data>");
        }
        text + "</node>\n"
    }

    /// An edge, with its number.
    pub fn edge(self, number_of: usize, edge: &GraphEdge) -> String {
        if self == Self::Jsonl {
            let end = |id: &str, kind: &str| json!({ "id": id, "labels": [kind] });
            let edge = json!({
                "type": "relationship",
                "id": number_of.to_string(),
                "label": edge.kind,
                "properties": { "weight": number(&edge.weight) },
                "start": end(&edge.from, &edge.from_kind),
                "end": end(&edge.to, &edge.to_kind),
            });
            return format!("{edge}\n");
        }
        format!(
            "    <edge id=\"e{number_of}\" source=\"{}\" target=\"{}\"><data key=\"e_kind\">{}</data><data \
             key=\"e_weight\">{}</data></edge>\n",
            markup(&edge.from),
            markup(&edge.to),
            markup(&edge.kind),
            edge.weight
        )
    }

    /// The text after the last edge.
    pub fn end(self) -> &'static str {
        match self {
            Self::Jsonl => "",
            Self::Graphml => "  </graph>\n</graphml>\n",
        }
    }
}

fn number(text: &str) -> Value {
    text.parse::<f64>().map_or(Value::Null, |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_texts_in_both_forms() {
        let node = GraphNode {
            id: "project:a".into(),
            kind: "project".into(),
            key: "a".into(),
            name: "<b>\"A\" & \u{1}B".into(),
            figures: vec![Some("0.25".into()), None],
        };
        let xml = GraphForm::Graphml.node(&node);
        assert!(xml.contains("&lt;b&gt;&quot;A&quot; &amp; \u{fffd}B</data>"), "{xml}");
        assert!(xml.contains("<data key=\"n_pagerank\">0.25</data>") && !xml.contains("n_commits"), "{xml}");
        let line: Value = serde_json::from_str(&GraphForm::Jsonl.node(&node)).unwrap();
        assert_eq!(line["properties"]["name"], "<b>\"A\" & \u{1}B");
        assert_eq!(line["properties"]["pagerank"], 0.25);
    }
}
