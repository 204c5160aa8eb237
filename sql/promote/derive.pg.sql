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
