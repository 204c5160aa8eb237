//! Computes ranks and metrics from the nodes, edges and work in the database's tables, and writes the rows of both.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufReader;

use csv::StringRecord;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::activity::{Activity, CommitCounts, METRICS};
use super::pagerank::{WeightedEdge, ranks};
use super::series::{MetricSeries, Period};
use super::tables::{EDGES, NODES, VALUES};
use crate::dataset::records::{RecordPlace, RecordsWriter};
use crate::dataset::rows::{BATCH, RowCell, RowsWriter};
use crate::dataset::{ParseError, ParseInput, Parsed, Sink};
use crate::words::hex;

/// A node of the graph.
struct RankedNode {
    kind: String,
    key: String,
    name: String,
}

impl RankedNode {
    fn id(&self) -> String {
        format!("{}:{}", self.kind, self.key)
    }
}

/// An edge, with the number of its kind.
struct Edge {
    kind: usize,
    ends: WeightedEdge,
}

/// The graph in compact arrays.
#[derive(Default)]
struct Graph {
    nodes: Vec<RankedNode>,
    /// By kind and key.
    numbers: HashMap<String, HashMap<String, u32>>,
    kinds: Vec<String>,
    edges: Vec<Edge>,
}

impl Graph {
    fn number(&self, kind: &str, key: &str) -> Option<u32> {
        self.numbers.get(kind)?.get(key).copied()
    }

    fn add_node(&mut self, kind: &str, key: &str, name: &str) {
        let number = self.nodes.len() as u32;
        self.numbers.entry(kind.to_owned()).or_default().insert(key.to_owned(), number);
        self.nodes.push(RankedNode { kind: kind.to_owned(), key: key.to_owned(), name: name.to_owned() });
    }

    fn add_edge(&mut self, kind: &str, from: u32, to: u32, weight: f64) {
        let known = self.kinds.iter().position(|known| known == kind);
        let kind = known.unwrap_or_else(|| {
            self.kinds.push(kind.to_owned());
            self.kinds.len() - 1
        });
        self.edges.push(Edge { kind, ends: WeightedEdge { from, to, weight } });
    }
}

/// Reads the one input, whose lines are grouped in sections.
pub(super) fn parse(input: &ParseInput<'_>, sink: &mut dyn Sink) -> Result<Parsed, ParseError> {
    let failed = |source| ParseError::Io { file: input.name.to_owned(), source };
    let file = File::open(input.path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let reader = csv::ReaderBuilder::new().has_headers(false).from_reader(BufReader::new(file));
    let mut lines = InputLines { reader, name: input.name, line: StringRecord::new(), is_read: false };
    let as_of = lines.next(0)?.and_then(|line| line.month());
    let as_of = as_of.ok_or_else(|| lines.broken())?;
    let mut graph = Graph::default();
    while let Some(line) = lines.next(1)? {
        graph.add_node(line.kind(), line.key(), line.what());
    }
    while let Some(line) = lines.next(2)? {
        let (from, to) =
            (graph.number(line.kind(), line.key()), graph.number(line.other_kind(), line.other_key()));
        // The sheets were checked, so both ends of an edge are nodes.
        let (Some(from), Some(to), Some(weight)) = (from, to, line.amount()) else {
            return Err(lines.broken());
        };
        let kind = line.what().to_owned();
        graph.add_edge(&kind, from, to, weight);
    }
    let ends: Vec<_> = graph.edges.iter().map(|edge| edge.ends).collect();
    let ranks = ranks(graph.nodes.len(), &ends);
    let work = read_work(&mut lines, &graph, as_of, |months| {
        sink.progress(months, 0, size);
    })?;
    let mut writer = GraphWriter::new(input.file_no, as_of, &graph, ranks);
    for node in 0..graph.nodes.len() {
        let series = work.get(&(node as u32)).map_or(&[][..], Activity::series);
        writer.finish(node, series, sink)?;
    }
    writer.flush(sink)?;
    Ok(Parsed {
        records_seen: graph.nodes.len() as u64,
        complete: true,
        document_bytes: size,
        ..Parsed::default()
    })
}

/// Reads the monthly work at each node; calls `told` with the number of closed months.
fn read_work(
    lines: &mut InputLines<'_>,
    graph: &Graph,
    as_of: i32,
    mut told: impl FnMut(u64),
) -> Result<BTreeMap<u32, Activity>, ParseError> {
    let mut places = HashMap::<u32, Vec<u32>>::new();
    let mut work = BTreeMap::<u32, Activity>::new();
    while let Some(line) = lines.next(3)? {
        let (Some(node), Some(place)) = (graph.number(line.kind(), line.key()), line.place()) else {
            return Err(lines.broken());
        };
        places.entry(place).or_default().push(node);
        work.entry(node).or_default();
    }
    let mut open = None;
    let mut closed = 0;
    while let Some(line) = lines.next(4)? {
        let nodes = line.place().and_then(|place| places.get(&place));
        let (Some(nodes), Some(person), Some(month), Some(counts)) =
            (nodes, line.person(), line.month(), line.counts())
        else {
            return Err(lines.broken());
        };
        let first = *open.get_or_insert(month);
        // Months must be in order, and none may be after the last one.
        if month < first || month > as_of {
            return Err(lines.broken());
        }
        for over in first..month {
            work.values_mut().for_each(|activity| activity.close(over));
            closed += 1;
            told(closed);
        }
        open = Some(month);
        for node in nodes {
            if let Some(activity) = work.get_mut(node) {
                activity.add(person, counts);
            }
        }
    }
    for over in open.unwrap_or(as_of)..=as_of {
        work.values_mut().for_each(|activity| activity.close(over));
    }
    Ok(work)
}

/// The lines of the input.
struct InputLines<'a> {
    reader: csv::Reader<BufReader<File>>,
    name: &'a str,
    line: StringRecord,
    /// The line is read but not taken yet.
    is_read: bool,
}

/// One line.
struct InputLine<'a>(&'a StringRecord);

impl InputLines<'_> {
    /// The next line if it is of this section.
    fn next(&mut self, section: u8) -> Result<Option<InputLine<'_>>, ParseError> {
        if !self.is_read {
            self.is_read = self
                .reader
                .read_record(&mut self.line)
                .map_err(|error| ParseError::Io { file: self.name.to_owned(), source: error.into() })?;
        }
        if !self.is_read || self.line.get(0).and_then(|cell| cell.parse().ok()) != Some(section) {
            return Ok(None);
        }
        self.is_read = false;
        Ok(Some(InputLine(&self.line)))
    }

    /// The error for an inconsistent input.
    fn broken(&self) -> ParseError {
        let line = self.line.position().map_or(0, csv::Position::line);
        ParseError::Unreadable {
            file: self.name.to_owned(),
            reason: format!("line {line} is not what was asked for"),
        }
    }
}

impl<'a> InputLine<'a> {
    fn cell(&self, at: usize) -> &'a str {
        self.0.get(at).unwrap_or_default()
    }

    fn kind(&self) -> &'a str {
        self.cell(1)
    }

    fn key(&self) -> &'a str {
        self.cell(2)
    }

    fn what(&self) -> &'a str {
        self.cell(3)
    }

    fn other_kind(&self) -> &'a str {
        self.cell(4)
    }

    fn other_key(&self) -> &'a str {
        self.cell(5)
    }

    fn place(&self) -> Option<u32> {
        self.cell(6).parse().ok()
    }

    fn person(&self) -> Option<u32> {
        self.cell(7).parse().ok()
    }

    fn month(&self) -> Option<i32> {
        self.cell(8).parse().ok()
    }

    fn amount(&self) -> Option<f64> {
        self.cell(9).parse().ok()
    }

    fn counts(&self) -> Option<CommitCounts> {
        Some(CommitCounts { commits: self.cell(9).parse().ok()?, merges: self.cell(10).parse().ok()? })
    }
}

/// Writes the rows of each node, once.
struct GraphWriter<'a> {
    graph: &'a Graph,
    ranks: Vec<f64>,
    /// The edges, grouped by node.
    edges: Vec<&'a Edge>,
    as_of: i32,
    file_no: u32,
    nodes: RowsWriter,
    outgoing: RowsWriter,
    values: RowsWriter,
    records: RecordsWriter,
}

impl<'a> GraphWriter<'a> {
    fn new(file_no: u32, as_of: i32, graph: &'a Graph, ranks: Vec<f64>) -> Self {
        let mut edges: Vec<_> = graph.edges.iter().collect();
        // The order among those of one node is that of the input, which is the same for the same content.
        edges.sort_by_key(|edge| edge.ends.from);
        Self {
            ranks,
            edges,
            graph,
            as_of,
            file_no,
            nodes: RowsWriter::new(&NODES),
            outgoing: RowsWriter::new(&EDGES),
            values: RowsWriter::new(&VALUES),
            records: RecordsWriter::default(),
        }
    }

    /// Passes on the collected rows.
    fn flush(&mut self, sink: &mut dyn Sink) -> Result<(), ParseError> {
        self.nodes.flush(sink)?;
        self.outgoing.flush(sink)?;
        self.values.flush(sink)?;
        if self.records.rows() > 0 {
            sink.rows(self.records.finish())?;
        }
        Ok(())
    }

    /// Writes the rows of a node.
    fn finish(
        &mut self,
        number: usize,
        series: &[MetricSeries],
        sink: &mut dyn Sink,
    ) -> Result<(), ParseError> {
        let node = &self.graph.nodes[number];
        let id = node.id();
        let place = RecordPlace::new(self.file_no, number as u64 + 1, 0);
        let mut hash = Sha256::new();
        let mut say = |text: &str| {
            hash.update(text.as_bytes());
            hash.update([0]);
        };
        say(&node.name);
        say(&self.ranks[number].to_string());
        say(&self.as_of.to_string());
        let first = self.edges.partition_point(|edge| (edge.ends.from as usize) < number);
        let own = self.edges[first..].iter().take_while(|edge| edge.ends.from as usize == number);
        for edge in own {
            let to = &self.graph.nodes[edge.ends.to as usize];
            let kind = &self.graph.kinds[edge.kind];
            for text in [kind, &to.kind, &to.key, &edge.ends.weight.to_string()] {
                say(text);
            }
            let cells = [
                RowCell::Text(kind),
                RowCell::Text(&node.key),
                RowCell::Text(&to.key),
                RowCell::Figure(edge.ends.weight),
                RowCell::Text(&node.kind),
                RowCell::Text(&to.kind),
                RowCell::Text(&id),
            ];
            self.outgoing.add(place.record_no, &cells, sink)?;
        }
        for (metric, series) in METRICS.iter().zip(series) {
            say(metric.name);
            for (month, value) in series.iter() {
                say(&value.map(|value| format!("{month} {value}")).unwrap_or_default());
                let cells = [
                    RowCell::Text(&node.kind),
                    RowCell::Text(&node.key),
                    RowCell::Text(metric.name),
                    day(month),
                    value.into(),
                    RowCell::Text(&id),
                ];
                self.values.add(place.record_no, &cells, sink)?;
            }
        }
        let hash = hex(&hash.finalize());
        let mut cells = vec![
            RowCell::Text(&node.kind),
            RowCell::Text(&node.key),
            RowCell::Text(&node.name),
            RowCell::Figure(self.ranks[number]),
            day(self.as_of),
        ];
        cells.extend((0..METRICS.len()).map(|at| RowCell::from(series.get(at).and_then(MetricSeries::last))));
        cells.extend([RowCell::Text(&hash), RowCell::Text(&id)]);
        self.nodes.add(place.record_no, &cells, sink)?;
        self.records.live(place, &id);
        if self.records.rows() >= BATCH {
            sink.rows(self.records.finish())?;
        }
        Ok(())
    }
}

fn day(month: i32) -> RowCell<'static> {
    let day: Option<Date> = Period::Month.first_day(month);
    day.map_or(RowCell::None, RowCell::Day)
}

#[cfg(test)]
mod tests;
