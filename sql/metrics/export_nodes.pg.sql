-- Purpose: the graph for other programs, its nodes.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 whether to include people; :"schema".graph_nodes.
-- Outputs: id, kind, key, name, and texts of pagerank, commits, authors, newcomers, bus_factor, merge_share, retention and growth.
select
    record_id, kind, key, coalesce(name, ''), pagerank::text, commits::text, authors::text, newcomers::text, bus_factor::text,
    merge_share::text, retention::text, growth::text
from :"schema".graph_nodes
where $1::boolean or kind <> 'person'
order by record_id collate "C";
