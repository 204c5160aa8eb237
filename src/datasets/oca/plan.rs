//! Which element goes where: a tree of elements made from the tables, once per file.

use crate::dataset::{CellSource, Column, ColumnType, Table};

/// Element that holds the case's identity, directly below the case.
pub(super) const RECORD_ID: &str = "IndexNumberId";
/// Element that marks a case as sealed, invalidated or deleted, directly below the case.
pub(super) const DELETE: &str = "Delete";
/// Fields that level 1 data must not hold, whatever the document has: table and element.
const LEVEL_2_ONLY: &[(&str, &str)] = &[("oca_addresses", "Street1"), ("oca_addresses", "Street2")];

/// The tree of elements and the tables that it fills.
pub(super) struct Plan {
    pub tables: Vec<TablePlan>,
    /// The case itself is node 0.
    pub nodes: Vec<Node>,
}

/// A table, and where each of its staged columns is found when a case is complete.
pub(super) struct TablePlan {
    pub name: &'static str,
    pub columns: Vec<(&'static Column, Slot)>,
    /// Number of columns that have an element.
    pub cells: usize,
    /// The table of the row that holds this table's rows.
    pub parent: Option<usize>,
    /// The element that makes a row.
    pub node: usize,
    /// The columns that together occur once in a case.
    pub unique: Vec<Slot>,
}

/// Where the value of a column is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The case's identity.
    RecordId,
    /// A cell of the row.
    Cell(usize),
    /// A cell of the parent row.
    ParentCell(usize),
    /// An id made from the row's position in the case.
    Made,
    /// The id made for the parent row.
    ParentMade,
}

/// An element that holds other elements.
pub(super) struct Node {
    /// Path below the case; empty for the case.
    pub path: String,
    /// The table whose row this element, or the nearest one around it, makes.
    pub table: usize,
    /// True: each such element is a row of `table`.
    pub is_row: bool,
    children: Vec<(&'static str, Child)>,
}

/// What an element below a node is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Child {
    Node(usize),
    Field(Field),
    RecordId,
    Delete,
    /// Known but not wanted.
    Dropped,
}

impl Child {
    /// Whether what stands in the element itself may be of a kind that is not wanted.
    pub fn is_private(self, plan: &Plan) -> bool {
        match self {
            Self::Dropped => true,
            Self::Node(node) => plan.is_private(node),
            Self::Field(_) | Self::RecordId | Self::Delete => false,
        }
    }
}

/// An element that holds a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub element: &'static str,
    pub kind: ColumnType,
    pub cell: usize,
}

impl Plan {
    /// The plan for tables in which the case's own table comes first and parents come before their
    /// children. Level 1 leaves out the fields of level 2.
    ///
    /// # Panics
    /// When the tables, which are constants, contradict each other.
    pub fn new(tables: &'static [Table], level: u8) -> Self {
        let mut plan = Plan { tables: Vec::new(), nodes: Vec::new() };
        plan.nodes.push(Node { path: String::new(), table: 0, is_row: true, children: Vec::new() });
        plan.nodes[0].children.push((RECORD_ID, Child::RecordId));
        plan.nodes[0].children.push((DELETE, Child::Delete));
        for (index, table) in tables.iter().enumerate() {
            assert_eq!(index == 0, table.element.is_empty(), "the first table is the case's");
            // Only a table that comes before can be the one around this.
            let parent = match table.element {
                "" => None,
                element => Some(plan.owner(element)),
            };
            let node = plan.add_path(0, table.element.split('/'));
            plan.nodes[node].table = index;
            plan.nodes[node].is_row = true;
            let planned = plan.table(index, table, parent, node, level);
            plan.tables.push(planned);
        }
        // A container belongs to the row around it.
        for node in 0..plan.nodes.len() {
            if !plan.nodes[node].is_row {
                plan.nodes[node].table = plan.owner(&plan.nodes[node].path);
            }
        }
        plan
    }

    /// Elements that are known but not wanted.
    pub fn dropped(&self) -> Vec<&'static str> {
        let children = self.nodes.iter().flat_map(|node| &node.children);
        children.filter(|(_, child)| matches!(child, Child::Dropped)).map(|(name, _)| *name).collect()
    }

    /// Whether texts directly in this node may be of a kind that is not wanted.
    pub fn is_private(&self, node: usize) -> bool {
        self.nodes[node].children.iter().any(|(_, child)| matches!(child, Child::Dropped))
    }

    /// Finds a child element by its local name. `hint` is where to look first: elements come in the
    /// order of the columns, so the next one is behind the last one.
    #[inline]
    pub fn child(&self, node: usize, name: &str, hint: &mut usize) -> Option<Child> {
        let children = &self.nodes[node].children;
        let (before, after) = children.split_at((*hint).min(children.len()));
        let found = after.iter().position(|(known, _)| *known == name).map(|at| before.len() + at);
        let at = found.or_else(|| before.iter().position(|(known, _)| *known == name))?;
        let child = children[at].1;
        // Containers and arrays repeat, single values do not.
        let repeats = match child {
            Child::Node(_) => true,
            Child::Field(field) => field.kind == ColumnType::TextArray,
            _ => false,
        };
        *hint = if repeats { at } else { at + 1 };
        Some(child)
    }

    fn table(
        &mut self,
        index: usize,
        table: &'static Table,
        parent: Option<usize>,
        node: usize,
        level: u8,
    ) -> TablePlan {
        let mut cells = 0;
        let mut columns = Vec::new();
        for column in table.parsed() {
            let slot = match column.source {
                CellSource::RecordId => Slot::RecordId,
                CellSource::Element(path) => {
                    let (group, element) = path.rsplit_once('/').unwrap_or(("", path));
                    let holder = self.add_path(node, group.split('/'));
                    let field = Field { element, kind: column.kind, cell: cells };
                    let dropped = level < 2 && LEVEL_2_ONLY.contains(&(table.name, path));
                    self.add_child(
                        holder,
                        element,
                        if dropped { Child::Dropped } else { Child::Field(field) },
                    );
                    cells += 1;
                    Slot::Cell(cells - 1)
                }
                CellSource::Parent(path) => {
                    let parent = &self.tables[parent.expect("the table has a parent")];
                    let same = |c: &&(&Column, Slot)| c.0.source == CellSource::Element(path);
                    parent.columns.iter().find(same).map(|c| parent_cell(c.1)).expect("the parent has it")
                }
                CellSource::Made => match parent {
                    Some(p) if self.tables[p].columns.iter().any(|c| c.1 == Slot::Made) => Slot::ParentMade,
                    _ => Slot::Made,
                },
                CellSource::Enriched => unreachable!("it is not parsed"),
            };
            columns.push((column, slot));
        }
        debug_assert_eq!(self.tables.len(), index);
        let slot_of =
            |name: &&str| columns.iter().find(|c| c.0.name == *name).expect("a unique column is staged").1;
        let unique = table.unique.iter().map(slot_of).collect();
        TablePlan { name: table.name, columns, cells, parent, node, unique }
    }

    /// The planned table whose row is nearest around the element.
    fn owner(&self, path: &str) -> usize {
        let around = |node: &&Node| {
            node.is_row && (node.path.is_empty() || path.starts_with(&format!("{}/", node.path)))
        };
        let nearest = self.nodes.iter().filter(around).max_by_key(|node| node.path.len());
        nearest.expect("the case is around everything").table
    }

    /// The node at a path below a node, made where it is missing.
    fn add_path(&mut self, from: usize, path: impl Iterator<Item = &'static str>) -> usize {
        path.filter(|name| !name.is_empty()).fold(from, |node, name| {
            match self.nodes[node].children.iter().find(|(known, _)| *known == name) {
                Some((_, Child::Node(child))) => *child,
                Some(_) => panic!("{name} holds a value and other elements"),
                None => {
                    let path = join(&self.nodes[node].path, name);
                    self.nodes.push(Node { path, table: 0, is_row: false, children: Vec::new() });
                    let child = self.nodes.len() - 1;
                    self.add_child(node, name, Child::Node(child));
                    child
                }
            }
        })
    }

    fn add_child(&mut self, node: usize, name: &'static str, child: Child) {
        let children = &mut self.nodes[node].children;
        assert!(children.iter().all(|(known, _)| *known != name), "{name} fills two columns");
        children.push((name, child));
    }
}

fn parent_cell(slot: Slot) -> Slot {
    match slot {
        Slot::Cell(cell) => Slot::ParentCell(cell),
        _ => panic!("only a parent's own element can be taken over"),
    }
}

/// A path with one more name.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::oca::tables::TABLES;

    fn find(plan: &Plan, path: &str) -> Option<Child> {
        path.split('/').try_fold(Child::Node(0), |child, name| match child {
            Child::Node(node) => plan.child(node, name, &mut 3),
            _ => None,
        })
    }

    #[test]
    fn every_element_of_the_tables_is_found() {
        let plan = Plan::new(TABLES, 2);
        for table in TABLES {
            for column in table.columns {
                let CellSource::Element(element) = column.source else { continue };
                let path = join(table.element, element);
                match find(&plan, &path) {
                    Some(Child::Field(field)) => assert_eq!(field.kind, column.kind, "{path}"),
                    other => panic!("{path}: {other:?}"),
                }
            }
        }
        assert!(matches!(find(&plan, "IndexNumberId"), Some(Child::RecordId)));
        assert!(matches!(find(&plan, "Delete"), Some(Child::Delete)));
        assert!(find(&plan, "Parties/Party/NickName").is_none());
    }

    #[test]
    fn rows_know_their_parents() {
        let plan = Plan::new(TABLES, 2);
        let table = |name: &str| plan.tables.iter().find(|t| t.name == name).unwrap();
        let slot = |t: &str, c: &str| table(t).columns.iter().find(|(col, _)| col.name == c).unwrap().1;
        let parent = |t: &str| table(t).parent.map(|p| plan.tables[p].name);
        assert_eq!(parent("oca_index"), None);
        assert_eq!(parent("oca_parties"), Some("oca_index"));
        assert_eq!(parent("oca_warrants"), Some("oca_judgments"));
        assert_eq!(parent("oca_appearance_outcomes"), Some("oca_appearances"));
        assert_eq!(slot("oca_warrants", "judgmentsequence"), Slot::ParentCell(0));
        assert_eq!(slot("oca_appearances", "appearanceid"), Slot::Made);
        assert_eq!(slot("oca_appearance_outcomes", "appearanceid"), Slot::ParentMade);
        let owner = |path: &str| match find(&plan, path) {
            Some(Child::Node(node)) => plan.tables[plan.nodes[node].table].name,
            other => panic!("{other:?}"),
        };
        assert_eq!(owner("Judgments"), "oca_index");
        assert_eq!(owner("Judgments/Judgment/Creditors"), "oca_judgments");
        assert_eq!(owner("Judgments/Judgment/Warrants"), "oca_judgments");
        assert_eq!(owner("Events/Event/FilingParties/FilingParty"), "oca_events");
    }

    #[test]
    fn level_1_has_no_street_lines() {
        let plan = Plan::new(TABLES, 1);
        for street in ["Street1", "Street2"] {
            let path = format!("PropertyAddresses/PropertyAddress/{street}");
            assert!(matches!(find(&plan, &path), Some(Child::Dropped)));
        }
        assert!(matches!(find(&plan, "PropertyAddresses/PropertyAddress/City"), Some(Child::Field(_))));
    }
}
