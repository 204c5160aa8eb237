-- Purpose: the projects of the catalog that have a repository.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  :"schema".catalog_projects.
-- Outputs: project and repository, as the sheet has it.
select project, repository
from :"schema".catalog_projects
where repository is not null
order by project collate "C";
