-- Purpose: the staged records that break a constraint which can be tried on staged rows alone.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the probe
-- Inputs:  :"staging".:"table", :"key", :columns; :conditions, a list of (number, condition) made of
--          5_expressions.pg.sql; pg_temp.plan, pg_temp.numbered; :limit.
-- Outputs: position of each record that would be loaded, in their order, and the number of the first condition that is true.
with refused as (
    select staged.:"key" as record_id, min(condition.number) as number
    from (select :columns from :"staging".:"table") as staged
        cross join lateral (values :conditions) as condition (number, is_broken)
    where condition.is_broken
    group by staged.:"key"
)
select numbered.position, refused.number
from refused
    join pg_temp.numbered using (record_id)
    join pg_temp.plan using (record_id)
where plan.action = 'load'
order by numbered.position
limit :limit;
