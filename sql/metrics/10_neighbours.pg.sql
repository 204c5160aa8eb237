-- Purpose: the neighbours of each node of the graph, by edges in either direction.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".graph_nodes and graph_edges; :"into", the schema that takes the view.
-- Outputs: the view graph_neighbours.
create or replace view :"into".graph_neighbours as
select edge.from_kind as kind, edge.from_key as key, edge.kind as edge, 'out' as direction, edge.to_kind as other_kind,
    edge.to_key as other_key, node.name as other_name, edge.weight
from :"schema".graph_edges as edge
    join :"schema".graph_nodes as node on node.kind = edge.to_kind and node.key = edge.to_key
union all
select edge.to_kind, edge.to_key, edge.kind, 'in', edge.from_kind, edge.from_key, node.name, edge.weight
from :"schema".graph_edges as edge
    join :"schema".graph_nodes as node on node.kind = edge.from_kind and node.key = edge.from_key;
