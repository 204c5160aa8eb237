//! PageRank over compact arrays: edges are directed and weighted, and parallel edges are summed.

/// The probability that a random walk follows an edge instead of jumping to any node.
pub const DAMPING: f64 = 0.85;
/// The difference per node below which two rounds count as equal. The common libraries use the same rule, so the number
/// of rounds is the same as theirs: with fewer or more rounds, the ranks of a large graph would differ from theirs by
/// more than the tolerance.
pub const TOLERANCE: f64 = 1e-12;
/// The most rounds: with this damping, a hundred and seventy are enough.
const ROUNDS: usize = 1000;

/// An edge by the numbers of its nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedEdge {
    pub from: u32,
    pub to: u32,
    /// Not negative.
    pub weight: f64,
}

/// The rank of each of `nodes` nodes; the sum is 1. From a node without outgoing edges, a walk jumps to any node.
pub fn ranks(nodes: usize, edges: &[WeightedEdge]) -> Vec<f64> {
    if nodes == 0 {
        return Vec::new();
    }
    let mut out = vec![0.0; nodes];
    for edge in edges {
        out[edge.from as usize] += edge.weight;
    }
    // The edges that lead to a node, one node after the other.
    let mut starts = vec![0_u32; nodes + 1];
    for edge in edges {
        starts[edge.to as usize + 1] += 1;
    }
    for node in 0..nodes {
        starts[node + 1] += starts[node];
    }
    let mut next = starts.clone();
    let (mut sources, mut shares) = (vec![0_u32; edges.len()], vec![0.0; edges.len()]);
    for edge in edges {
        let at = next[edge.to as usize] as usize;
        next[edge.to as usize] += 1;
        let total = out[edge.from as usize];
        (sources[at], shares[at]) = (edge.from, if total > 0.0 { edge.weight / total } else { 0.0 });
    }
    let dangling: Vec<_> = (0..nodes).filter(|node| out[*node] <= 0.0).collect();
    let uniform = 1.0 / nodes as f64;
    let mut ranks = vec![uniform; nodes];
    for _ in 0..ROUNDS {
        let lost: f64 = dangling.iter().map(|node| ranks[*node]).sum();
        let base = (1.0 - DAMPING + DAMPING * lost) * uniform;
        let new: Vec<f64> = (0..nodes)
            .map(|node| {
                let edges = starts[node] as usize..starts[node + 1] as usize;
                let come: f64 = edges.map(|edge| ranks[sources[edge] as usize] * shares[edge]).sum();
                base + DAMPING * come
            })
            .collect();
        let difference: f64 = new.iter().zip(&ranks).map(|(new, old)| (new - old).abs()).sum();
        ranks = new;
        if difference < TOLERANCE * nodes as f64 {
            break;
        }
    }
    let sum: f64 = ranks.iter().sum();
    ranks.iter().map(|rank| rank / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: u32, to: u32, weight: f64) -> WeightedEdge {
        WeightedEdge { from, to, weight }
    }

    #[test]
    fn a_circle_is_even_and_a_star_is_not() {
        let circle = ranks(3, &[edge(0, 1, 1.0), edge(1, 2, 5.0), edge(2, 0, 1.0)]);
        assert!(circle.iter().all(|rank| (rank - 1.0 / 3.0).abs() < 1e-12), "{circle:?}");
        let star = ranks(3, &[edge(0, 2, 1.0), edge(1, 2, 1.0)]);
        // Node 2 has no outgoing edges: x = (0.15 + 0.85 y) / 3 for the others, y = x + 0.85 * 2 x.
        let x = 0.15 / (3.0 - 0.85 * 2.7);
        assert!((star[0] - x).abs() < 1e-10 && (star[2] - 2.7 * x).abs() < 1e-10, "{star:?}");
        assert_eq!(ranks(0, &[]), Vec::<f64>::new());
        assert_eq!(ranks(2, &[]), [0.5, 0.5]);
    }

    #[test]
    fn parallel_edges_add_up() {
        let one = ranks(3, &[edge(0, 1, 3.0), edge(0, 2, 1.0)]);
        let two = ranks(3, &[edge(0, 1, 1.0), edge(0, 2, 1.0), edge(0, 1, 2.0)]);
        assert!(one.iter().zip(&two).all(|(one, two)| (one - two).abs() < 1e-15));
    }
}
