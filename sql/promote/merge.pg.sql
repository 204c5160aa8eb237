-- Purpose: put a batch in the place of what is known of its records, as pg_temp.plan says. In this order: begin;
--          remove, of each child; the parts of the parent; insert, of each child.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/promote/merge.pg.sql

-- part: begin  (script)
-- Purpose: find the records whose rows must go.
-- Inputs:  pg_temp.plan (made by the dataset), :"schema".:"table" (the parent), :"key".
-- Outputs: pg_temp.touched: records with rows in production that are replaced or deleted;
--          pg_temp.blocked: staged records that stay out; pg_temp.removed: empty.

create temp table touched on commit drop as
select record_id, action
from pg_temp.plan
where action = 'delete'
    or action = 'load' and exists (
        select from :"schema".:"table" as parent where parent.:"key" = plan.record_id
    );

create temp table blocked on commit drop as
select record_id from pg_temp.plan where action <> 'load' and part_id is not null;

create temp table removed (table_name text, record_id text, rows bigint) on commit drop;

analyze pg_temp.touched, pg_temp.blocked;

-- part: remove  (script)
-- Purpose: take the old rows of the touched records out of a child table.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked.
-- Outputs: pg_temp.removed filled for the table; staging without blocked records. The number of the last statement, of
--          blocked rows, is what the insert is held against.

with gone as (
    delete from :"schema".:"table" as child
    using pg_temp.touched
    where child.:"key" = touched.record_id
    returning touched.record_id
)
insert into pg_temp.removed (table_name, record_id, rows)
select :'table', record_id, count(*) from gone group by record_id;

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;

-- part: take  (script, in the place of remove, where before-images are kept)
-- Purpose: take the old rows of the touched records out of a child table, and keep them.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked; :"images".:"before", :undo_no; :keeps_deleted:
--          a record that goes may come back.
-- Outputs: as of remove; :"images".:"before" with the rows that went, but for those of records that are deleted for ever.

with gone as (
    delete from :"schema".:"table" as child
    using pg_temp.touched
    where child.:"key" = touched.record_id
    returning child.*
),
kept as (
    insert into :"images".:"before"
    select :undo_no, gone.*
    from gone
    where :keeps_deleted or gone.:"key" in (select record_id from pg_temp.touched where action <> 'delete')
)
insert into pg_temp.removed (table_name, record_id, rows)
select :'table', gone.:"key", count(*) from gone group by gone.:"key";

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;

-- part: parent  (script)
-- Purpose: begin with the parent table: deleted records go, and what is staged of records that stay out.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked.
-- Outputs: the parent table without deleted records; pg_temp.removed filled for it; staging without blocked records. The
--          number of the last statement, of blocked rows, is what update and insert are held against.

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

-- part: take_parent  (script, in the place of parent, where before-images are kept)
-- Purpose: as parent, and keep the rows that go.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", pg_temp.touched, pg_temp.blocked; :"images".:"before", :undo_no; :keeps_deleted:
--          a record that goes may come back.
-- Outputs: as of parent; :"images".:"before" with the rows that went, but for those of records that are deleted for ever.

with gone as (
    delete from :"schema".:"table" as parent
    using pg_temp.touched
    where parent.:"key" = touched.record_id and touched.action = 'delete'
    returning parent.*
),
kept as (
    insert into :"images".:"before" select :undo_no, gone.* from gone where :keeps_deleted
)
insert into pg_temp.removed (table_name, record_id, rows)
select :'table', gone.:"key", 1 from gone
union all
select :'table', record_id, 1 from pg_temp.touched where action = 'load';

delete from :"staging".:"table" as staged
using pg_temp.blocked
where staged.:"key" = blocked.record_id;

-- part: parent_update  (script, after parent)
-- Purpose: update the parents that are known, in place, so that no foreign key has to look at their children.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :assignments; only rows that are to be loaded are staged still.
-- Outputs: the parent table.

update :"schema".:"table" as parent
set :assignments
from :"staging".:"table" as staged
where parent.:"key" = staged.:"key";

-- part: take_update  (script, in the place of parent_update, where before-images are kept)
-- Purpose: as parent_update, and keep the rows as they were. They are locked first: nobody changes one between both looks at it.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :assignments; :"images".:"before", :undo_no; only rows that are to be loaded
--          are staged still.
-- Outputs: the parent table; :"images".:"before" with the rows as they were.

with old as materialized (
    select parent.*
    from :"schema".:"table" as parent join :"staging".:"table" as staged on parent.:"key" = staged.:"key"
    for update of parent
),
kept as (
    insert into :"images".:"before" select :undo_no, old.* from old returning 1
)
update :"schema".:"table" as parent
set :assignments
from :"staging".:"table" as staged
where parent.:"key" = staged.:"key"
    -- Asked for first: a row that this statement has changed is locked, and read, no more.
    and (select count(*) from kept) >= 0;

-- part: parent_insert  (script, after parent)
-- Purpose: insert the parents that are new.
-- Inputs:  :"schema".:"table", :"staging".:"table", :"key", :columns, pg_temp.touched; :overriding, for columns that the server numbers, or
--          nothing.
-- Outputs: the parent table.

insert into :"schema".:"table" (:columns) :overriding
select :columns
from :"staging".:"table" as staged
where not exists (select from pg_temp.touched where touched.record_id = staged.:"key");

-- part: parent_counted  (script, after parent_insert)
-- Purpose: hold what the server did to the parent table against the plan.
-- Inputs:  :"schema".:"table", :"key", pg_temp.touched; :staged, rows that were to be loaded; :updated and :inserted, what
--          the server says it did.
-- Outputs: rows of pg_temp.counted.
with known as (
    select count(*) as rows from pg_temp.touched where action = 'load'
)
insert into pg_temp.counted (table_name, change, expected, found)
select :'table', 'update', known.rows, :updated from known
union all
select :'table', 'insert', :staged - known.rows, :inserted from known
union all
select :'table', 'left', 0, count(*)
from :"schema".:"table" as parent
where parent.:"key" in (select record_id from pg_temp.touched where action = 'delete');

-- part: insert  (script)
-- Purpose: put the staged rows into a child table.
-- Inputs:  :"schema".:"table", :"staging".:"table", :columns; only rows that are to be loaded are left; :overriding, for columns that the
--          server numbers, or nothing.
-- Outputs: the child table.

insert into :"schema".:"table" (:columns) :overriding
select :columns from :"staging".:"table";
