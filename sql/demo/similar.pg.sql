-- Purpose: a look at the demo of metrics: the projects that are most alike.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  :"schema".graph_similar_projects.
-- Outputs: two projects, each pair once, how many neighbours they share, and the share of these among all neighbours of
--          either, as texts.
select project, other, shared::text, to_char(similarity, 'FM0.00')
from :"schema".graph_similar_projects
where project < other
order by similarity desc, project collate "C", other collate "C"
limit 3;
