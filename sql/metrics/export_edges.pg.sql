-- Purpose: the graph for other programs, its edges.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 whether those of people are among them; :"schema".graph_edges.
-- Outputs: kind, the id and the kind of the node that it comes from, of that which it leads to, and the text of its weight.
select kind, from_kind || ':' || from_key, from_kind, to_kind || ':' || to_key, to_kind, weight::text
from :"schema".graph_edges
where $1::boolean or from_kind <> 'person' and to_kind <> 'person'
order by from_kind collate "C", from_key collate "C", kind collate "C", to_kind collate "C", to_key collate "C";
