-- Purpose: the paths from one node to another over one, two or three directed edges; no node occurs twice.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema".graph_edges; :"into", the schema that takes the view.
-- Outputs: the view graph_paths. Query it for one start node (`where from_kind = … and from_key = …`): there are very
--          many paths in all.
create or replace view :"into".graph_paths as
select from_kind, from_key, to_kind, to_key, 1 as steps, array[from_kind || ':' || from_key, to_kind || ':' || to_key] as path
from :"schema".graph_edges
union
select
    one.from_kind, one.from_key, two.to_kind, two.to_key, 2,
    array[one.from_kind || ':' || one.from_key, one.to_kind || ':' || one.to_key, two.to_kind || ':' || two.to_key]
from :"schema".graph_edges as one
    join :"schema".graph_edges as two on two.from_kind = one.to_kind and two.from_key = one.to_key
where (two.to_kind, two.to_key) <> (one.from_kind, one.from_key)
union
select
    one.from_kind, one.from_key, three.to_kind, three.to_key, 3,
    array[
        one.from_kind || ':' || one.from_key, one.to_kind || ':' || one.to_key, two.to_kind || ':' || two.to_key,
        three.to_kind || ':' || three.to_key
    ]
from :"schema".graph_edges as one
    join :"schema".graph_edges as two on two.from_kind = one.to_kind and two.from_key = one.to_key
    join :"schema".graph_edges as three on three.from_kind = two.to_kind and three.from_key = two.to_key
where (two.to_kind, two.to_key) <> (one.from_kind, one.from_key)
    and (three.to_kind, three.to_key) <> (one.from_kind, one.from_key)
    and (three.to_kind, three.to_key) <> (one.to_kind, one.to_key);
