-- Purpose: bring the parent table up to date: deleted records go, known ones are updated in place (so
--          that no foreign key has to look at their children), new ones are inserted.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :columns, :assignments, pg_temp.touched,
--          pg_temp.blocked.
-- Outputs: the parent table; pg_temp.before and pg_temp.removed filled for it.

insert into pg_temp.before (table_name, rows)
select :'table', case
    -- Made anew, or emptied by hand.
    when not exists (select from :"schema".:"table") then 0
    else coalesce(
        (
            select rows_after
            from :"ledger".table_changes join :"ledger".runs using (run_id)
            where dataset = :'dataset' and target_schema = :'schema' and table_name = :'table' and not dry_run
            order by started_at desc, batch desc
            limit 1
        ),
        (select count(*) from :"schema".:"table")
    )
end;

with gone as (
    delete from :"schema".:"table" as parent
    using pg_temp.touched
    where parent.:"key" = touched.record_id and touched.action = 'delete'
    returning touched.record_id
)
insert into pg_temp.removed (table_name, record_id, rows)
select :'table', record_id, 1 from gone
union all
select :'table', record_id, 1 from pg_temp.touched where action = 'load';

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;

update :"schema".:"table" as parent
set :assignments
from :"staging".:"table" as staged
where parent.:"key" = staged.:"key";

insert into :"schema".:"table" (:columns)
select :columns
from :"staging".:"table" as staged
where not exists (select from pg_temp.touched where touched.record_id = staged.:"key");
