-- Purpose: update the parents that are known, in place, so that no foreign key has to look at their children.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion, after 3_parent.pg.sql
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :assignments; only rows that are to be loaded are staged still.
-- Outputs: the parent table.

update :"schema".:"table" as parent
set :assignments
from :"staging".:"table" as staged
where parent.:"key" = staged.:"key";
