-- Purpose: find the records that the database refuses.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/refused/refused.pg.sql

-- part: budget  (script)
-- Purpose: how many records of the run may still fail.
-- Inputs:  :'run_id', :"ledger".parts; :max_failures_percent, :max_failures_records (the larger of both is the budget).
-- Outputs: one row: budget, failed so far, seen so far; computed as the guard `failures` does.
select
    greatest(floor(coalesce(sum(records_seen), 0) * :max_failures_percent / 100.0), :max_failures_records)::bigint,
    coalesce(sum(records_failed), 0)::bigint,
    coalesce(sum(records_seen), 0)::bigint
from :"ledger".parts
where run_id = :'run_id' and records_seen is not null;

-- part: owner  (statement)
-- Purpose: our table that a table is, or of which it is a partition or a child.
-- Inputs:  $1 its schema, $2 its name, $3 the schema of the production tables, $4 their names.
-- Outputs: the name of the production table; no row if it is somebody else's.
with recursive line as (
    select to_regclass(format('%I.%I', $1::text, $2::text))::oid as oid
    union all
    select inhparent from line join pg_inherits on inhrelid = line.oid
)
select relname::text
from line join pg_class on pg_class.oid = line.oid join pg_namespace on pg_namespace.oid = relnamespace
where nspname = $3 and relname = any ($4::text[])
limit 1;

-- part: referred  (statement)
-- Purpose: our table that somebody's foreign key refers to.
-- Inputs:  $1 schema and $2 name of the table that has the key, $3 the key's name, $4 the schema of the production
--          tables, $5 their names.
-- Outputs: the name of the production table; no row if the key refers to something else.
with recursive line as (
    select confrelid as oid
    from pg_constraint
    where contype = 'f' and conname = $3 and conrelid = to_regclass(format('%I.%I', $1::text, $2::text))
    union all
    select inhparent from line join pg_inherits on inhrelid = line.oid
)
select relname::text
from line join pg_class on pg_class.oid = line.oid join pg_namespace on pg_namespace.oid = relnamespace
where nspname = $4 and relname = any ($5::text[])
limit 1;

-- part: numbered  (script, inside the transaction of the probe, which is always rolled back)
-- Purpose: number the identities of a batch in the order in which they count.
-- Inputs:  :"staging".:"records".
-- Outputs: pg_temp.numbered, one row each with the place of its last record: position from 1, record_id, part_id,
--          ordinal, offset_bytes, is_winner (false: it is deleted).

create temp table numbered on commit drop as
with latest as (
    select distinct on (record_id) record_id, part_id, ordinal, offset_bytes, is_winner
    from :"staging".:"records"
    order by record_id, part_id desc, ordinal desc
)
select row_number() over (order by part_id, ordinal) as position, latest.*
from latest;

create unique index on pg_temp.numbered (position);
create unique index on pg_temp.numbered (record_id);
analyze pg_temp.numbered;

-- part: find  (script, inside the transaction of the probe)
-- Purpose: the staged records that break a constraint which can be evaluated on staged rows alone.
-- Inputs:  :"staging".:"table", :"key", :columns; :conditions, a list of (number, condition) made of
--          expressions.pg.sql; pg_temp.plan, pg_temp.numbered; :limit.
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

-- part: plan_some  (script, inside a savepoint of the probe, which is rolled back)
-- Purpose: limit what the dataset's plan sees to some records of the batch.
-- Inputs:  :"staging".:"records", pg_temp.numbered; :first and :end, the positions from the first to before the last.
-- Outputs: :"staging".:"records" with these records only.
delete from :"staging".:"records" as record
using pg_temp.numbered
where numbered.record_id = record.record_id and not (numbered.position >= :first and numbered.position < :end);

-- part: remove_parents  (script, inside the transaction of the probe, after remove (promote/merge.pg.sql), of each child)
-- Purpose: delete the parents of deleted records, and the staged parents of records that are left out.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked.
-- Outputs: the parent table, and the staged parents.

delete from :"schema".:"table" as parent
using pg_temp.touched
where parent.:"key" = touched.record_id and touched.action = 'delete';

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;

-- part: index  (script, inside the transaction of the probe)
-- Purpose: let an attempt with few records find their staged rows at once.
-- Inputs:  :"staging".:"table", :"key".
-- Outputs: an index that ends with the transaction.
create index on :"staging".:"table" (:"key");

-- part: parent  (script, inside a savepoint of the probe)
-- Purpose: merge the parents of some records as parent_update and parent_insert (promote/merge.pg.sql) merge all.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :columns, :assignments, pg_temp.touched, pg_temp.numbered;
--          :first and :end, the positions from the first to before the last.
-- Outputs: the parent table.

update :"schema".:"table" as parent
set :assignments
from :"staging".:"table" as staged
where parent.:"key" = staged.:"key"
    and staged.:"key" in (select record_id from pg_temp.numbered where position >= :first and position < :end);

insert into :"schema".:"table" (:columns)
select :columns
from :"staging".:"table" as staged
where staged.:"key" in (select record_id from pg_temp.numbered where position >= :first and position < :end)
    and not exists (select from pg_temp.touched where touched.record_id = staged.:"key");

-- part: child  (script, inside a savepoint of the probe, after parent)
-- Purpose: put the staged rows of some records into a child table.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :columns, pg_temp.numbered; :first and :end, the positions
--          from the first to before the last.
-- Outputs: the child table.

insert into :"schema".:"table" (:columns)
select :columns
from :"staging".:"table" as staged
where staged.:"key" in (select record_id from pg_temp.numbered where position >= :first and position < :end);

-- part: look  (script, inside a savepoint of the probe)
-- Purpose: check deferred constraints now, and defer them again afterwards.
-- Inputs:  none.
-- Outputs: none; an error if one is broken.
savepoint look;
set constraints all immediate;
rollback to savepoint look;
release savepoint look;

-- part: place  (statement, inside the transaction of the probe)
-- Purpose: the place of a record that the database refuses.
-- Inputs:  $1 position; pg_temp.numbered.
-- Outputs: one row: record_id, part_id, ordinal, offset_bytes, is_winner.
select record_id, part_id, ordinal, offset_bytes, is_winner from pg_temp.numbered where position = $1;
