-- Purpose: tables and views that are made of the others.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/promote/derive.pg.sql

-- part: drop_table  (script)
-- Purpose: drop a derived table of which the columns are others now, to make it anew.
-- Inputs:  :"schema".:"table".
-- Outputs: none; an error if something depends on it.
drop table :"schema".:"table";

-- part: drop_view  (script)
-- Purpose: drop a view of which the columns are others now, to make it anew.
-- Inputs:  :"schema".:"table", a view.
-- Outputs: none; an error if something depends on it.
drop view :"schema".:"table";

-- part: completed  (script, inside the transaction of the promotion)
-- Purpose: the records whose rows a dataset may complete.
-- Inputs:  pg_temp.plan.
-- Outputs: pg_temp.completed: record_id.
create or replace temp view completed as
select record_id from pg_temp.plan where action = 'load';

-- part: completed_too  (script, inside the transaction of the promotion)
-- Purpose: the same, and the records whose rows lack what a dataset makes of their answers. A run goes on without the right to
--          complete them.
-- Inputs:  pg_temp.plan, pg_temp.unfinished; :'schema' and :'table', whose rows they are.
-- Outputs: pg_temp.completed: record_id, until the transaction ends.
create or replace temp view completed as
select record_id from pg_temp.plan where action = 'load'
union
select record_id
from pg_temp.unfinished
where has_table_privilege(format('%I.%I', :'schema', :'table'), 'update');

-- part: left_behind  (statement)
-- Purpose: which derived tables has the last change of the production tables passed over? One by an older program, which
--          does not know them.
-- Inputs:  $1 dataset, $2 target schema, $3 the parent table, $4 names of derived tables; :"ledger".
-- Outputs: table_name of each that the last promotion or purge has not written to the ledger; all of them where there is none.
with newest as (
    select change.run_id, change.batch
    from :"ledger".table_changes as change join :"ledger".runs using (run_id)
    where runs.dataset = $1 and runs.target_schema = $2 and not runs.dry_run and change.table_name = $3
    order by runs.started_at desc, change.batch desc
    limit 1
)
select derived.name as table_name
from unnest($4::text[]) as derived (name)
where not exists (
    select from newest join :"ledger".table_changes as change using (run_id, batch) where change.table_name = derived.name
);

-- part: clear  (script)
-- Purpose: take all rows out of a derived table that is to be made as a whole. Not truncate: who reads it would wait.
-- Inputs:  :"schema".:"table".
-- Outputs: the empty table.
delete from :"schema".:"table";
