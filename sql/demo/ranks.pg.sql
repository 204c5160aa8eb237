-- Purpose: a look at the demo of metrics: the projects with the highest rank, and their metrics of the last month.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  :"schema".graph_nodes.
-- Outputs: name, rank, commits, authors, newcomers, bus factor, retention and growth; empty where nothing can be told.
select
    name,
    to_char(pagerank, 'FM0.00000'),
    commits,
    authors,
    newcomers,
    bus_factor,
    to_char(retention, 'FM0.00'),
    to_char(growth, 'FM0.00')
from :"schema".graph_nodes
where kind = 'project'
order by pagerank desc, key collate "C"
limit 5;
