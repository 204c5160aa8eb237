-- Purpose: the graph for other programs, its edges.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 whether to include those of people; :"schema".graph_edges.
-- Outputs: kind, id and kind of the node it starts from, id and kind of the node it leads to, and the weight as text.
select kind, from_kind || ':' || from_key, from_kind, to_kind || ':' || to_key, to_kind, weight::text
from :"schema".graph_edges
where $1::boolean or from_kind <> 'person' and to_kind <> 'person'
order by from_kind collate "C", from_key collate "C", kind collate "C", to_kind collate "C", to_key collate "C";
