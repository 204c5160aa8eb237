//! The nodes of a history that are kept but not yet in production: those of answers in the archive that no run has
//! promoted.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::dataset::walked::WalkedNode;

/// Nodes of answers, by history. A kept node takes a hash of 128 bits, a missing one its name: memory depends on how
/// much a run may fetch, not on how long a history is.
pub(super) struct KeptNodes {
    histories: HashMap<i64, HistoryNodes>,
    hashers: [RandomState; 2],
}

#[derive(Default)]
struct HistoryNodes {
    kept: HashSet<u128>,
    missing: HashSet<String>,
}

impl KeptNodes {
    pub(super) fn new() -> Self {
        Self { histories: HashMap::new(), hashers: [RandomState::new(), RandomState::new()] }
    }

    /// Adds a node and what it leads to.
    pub(super) fn add(&mut self, node: WalkedNode) {
        let own = self.hash(&node.id);
        let led_to: Vec<_> = node.leads_to.into_iter().map(|id| (self.hash(&id), id)).collect();
        let nodes = self.histories.entry(node.history).or_default();
        nodes.kept.insert(own);
        nodes.missing.remove(&node.id);
        nodes
            .missing
            .extend(led_to.into_iter().filter(|(hash, _)| !nodes.kept.contains(hash)).map(|(_, id)| id));
    }

    /// Is a node among them?
    pub(super) fn has(&self, history: i64, id: &str) -> bool {
        self.histories.get(&history).is_some_and(|nodes| nodes.kept.contains(&self.hash(id)))
    }

    /// Nodes that they lead to but that are not among them.
    pub(super) fn missing(&self, history: i64) -> Vec<String> {
        let nodes = self.histories.get(&history);
        nodes.into_iter().flat_map(|nodes| nodes.missing.iter().cloned()).collect()
    }

    fn hash(&self, id: &str) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(id)));
        high << 64 | low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_what_kept_nodes_lead_to() {
        let node = |id: &str, leads_to: &[&str]| WalkedNode {
            history: 1,
            id: id.into(),
            leads_to: leads_to.iter().map(|id| (*id).to_owned()).collect(),
        };
        let mut nodes = KeptNodes::new();
        nodes.add(node("c", &["b", "x"]));
        nodes.add(node("a", &[]));
        nodes.add(node("b", &["a"]));
        assert!(nodes.has(1, "a") && nodes.has(1, "c") && !nodes.has(1, "x") && !nodes.has(2, "a"));
        assert_eq!(nodes.missing(1), ["x"]);
        assert_eq!(nodes.missing(2), Vec::<String>::new());
    }
}
