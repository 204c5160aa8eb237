-- Purpose: put a version in place.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/transform/swap.pg.sql

-- part: counted  (statement)
-- Purpose: read the counts of each partition as it was read.
-- Inputs:  $1 version_id; :"ledger".
-- Outputs: a row each: partition_no, key, rows, fingerprint (below zero, if the partition or a part of it was put off).
select
    partition_no,
    min(key) as key,
    coalesce(sum(rows_in), 0)::bigint as rows,
    case
        when min(fingerprint::numeric) < 0 then '-1'
        else coalesce(sum(fingerprint::numeric), 0)::text
    end as fingerprint
from :"ledger".transform_partitions
where version_id = $1
group by partition_no
order by partition_no;

-- part: now  (statement)
-- Purpose: read the server's time, to compare its sessions with.
-- Inputs:  none.
-- Outputs: one row: the time as text.
select clock_timestamp()::text as now;

-- part: readers  (statement)
-- Purpose: find sessions with a snapshot older than the last partition, which would see holes in the version.
-- Inputs:  $1 the time when all partitions were done, as text; $2 the name of the job's lock (see lock_job): workers that hold
--          it or wait for it read nothing.
-- Outputs: a row each: a description of the session.
with key as (
    select hashtextextended($2, 2) as value
)
select
    'session ' || pid || ' of ' || coalesce(usename, 'somebody') || coalesce(' (' || nullif(application_name, '') || ')', '')
        || ', in a transaction since ' || to_char(xact_start at time zone 'UTC', 'HH24:MI:SS "UTC"') as reader
from pg_stat_activity
where datname = current_database()
    and pid <> pg_backend_pid()
    and backend_type = 'client backend'
    and backend_xmin is not null
    and xact_start < $1::text::timestamptz
    and not exists (
        select from pg_locks join key
            on pg_locks.classid::bigint = (key.value >> 32) & 4294967295 and pg_locks.objid::bigint = key.value & 4294967295
        where pg_locks.pid = pg_stat_activity.pid and pg_locks.locktype = 'advisory' and pg_locks.objsubid = 1
    )
order by xact_start, pid;

-- part: views  (statement, inside the transaction)
-- Purpose: list the views that read the table to be replaced.
-- Inputs:  $1 schema, $2 table.
-- Outputs: a row each: schema, name, the statement that replaces the view, the statement that creates it after it was dropped,
--          comment (null: none).
select
    namespace.nspname::text as schema,
    class.relname::text as name,
    format('create or replace view %I.%I%s as %s', namespace.nspname, class.relname,
        coalesce(' with (' || array_to_string(class.reloptions, ', ') || ')', ''), pg_get_viewdef(class.oid)) as replace_it,
    format('create view %I.%I%s as %s', namespace.nspname, class.relname,
        coalesce(' with (' || array_to_string(class.reloptions, ', ') || ')', ''), pg_get_viewdef(class.oid)) as make_it,
    obj_description(class.oid, 'pg_class') as comment
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where class.relkind = 'v'
    and class.oid in (
        select rule.ev_class
        from pg_depend join pg_rewrite as rule on rule.oid = pg_depend.objid
        where pg_depend.classid = 'pg_rewrite'::regclass
            and pg_depend.refclassid = 'pg_class'::regclass
            and pg_depend.refobjid = (
                select target.oid
                from pg_class as target join pg_namespace as place on place.oid = target.relnamespace
                where place.nspname = $1 and target.relname = $2
            )
    )
order by namespace.nspname, class.relname;

-- part: carried  (statement, inside the transaction)
-- Purpose: list what the table in place has and the script did not set for the new one: comments of the table and its columns,
--          storage parameters, statistics targets, and a replica identity that is no index.
-- Inputs:  $1 schema, $2 table, $3 the new table, which has this name only until it is in place.
-- Outputs: a row each: column_name (null: the table), the statement for the new table when it is in place.
with relation as (
    select class.oid, class.relname, class.reloptions, class.relreplident
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1
),
there as (
    select oid, reloptions, relreplident from relation where relname = $2
),
coming as (
    select oid, reloptions, relreplident from relation where relname = $3
),
comments as (
    select attribute.attname::text as column_name, description.description
    from there
        join pg_description as description on description.objoid = there.oid and description.classoid = 'pg_class'::regclass
        left join pg_attribute as attribute
            on attribute.attrelid = there.oid and attribute.attnum = description.objsubid and not attribute.attisdropped
            and description.objsubid > 0
    where description.objsubid = 0 or attribute.attname is not null
),
said as (
    select attribute.attname::text as column_name
    from coming
        join pg_description as description on description.objoid = coming.oid and description.classoid = 'pg_class'::regclass
        left join pg_attribute as attribute
            on attribute.attrelid = coming.oid and attribute.attnum = description.objsubid and description.objsubid > 0
)
select
    column_name,
    case when column_name is null
        then format('comment on table %I.%I is %L', $1::text, $2::text, description)
        else format('comment on column %I.%I.%I is %L', $1::text, $2::text, column_name, description)
    end as statement
from comments
where not exists (select from said where said.column_name is not distinct from comments.column_name)
union all
select null, format('alter table %I.%I set (%I = %L)', $1::text, $2::text, parameter.option_name, parameter.option_value)
from there cross join pg_options_to_table(there.reloptions) as parameter
where not exists (
    select from coming cross join pg_options_to_table(coming.reloptions) as own where own.option_name = parameter.option_name
)
union all
select null, format('alter table %I.%I replica identity %s', $1::text, $2::text, case when there.relreplident = 'f' then 'full' else 'nothing' end)
from there join coming on coming.relreplident = 'd'
where there.relreplident in ('f', 'n')
union all
select
    attribute.attname::text,
    format('alter table %I.%I alter column %I set statistics %s', $1::text, $2::text, attribute.attname, attribute.attstattarget)
from there join pg_attribute as attribute on attribute.attrelid = there.oid and attribute.attnum > 0 and not attribute.attisdropped
where attribute.attstattarget >= 0
    and not exists (
        select from coming join pg_attribute as own on own.attrelid = coming.oid and own.attname = attribute.attname
        where own.attstattarget >= 0
    )
order by column_name nulls first, statement;

-- part: lock_version  (script, inside the transaction)
-- Purpose: lock the new table exclusively, before the old one. Only a session that reads the new table by its own name could
--          queue behind this lock. The wait is a little longer than the deadlock timeout, because only then does an
--          autovacuum give way. Everything else that the transaction locks must be free almost at once.
-- Inputs:  :"schema", :"table".
-- Outputs: the lock.
set local lock_timeout = '2s';
lock table :"schema".:"table" in access exclusive mode;
set local lock_timeout = '10ms';

-- part: lock_table  (script, inside the transaction)
-- Purpose: lock the table exclusively, at once or not at all: a session that waits for the lock blocks all readers.
-- Inputs:  :"schema", :"table".
-- Outputs: the lock.
lock table :"schema".:"table" in access exclusive mode nowait;

-- part: holders  (statement)
-- Purpose: find sessions with a lock on one of two tables.
-- Inputs:  $1 schema, $2 and $3 the tables.
-- Outputs: a row each: a description of the session.
select distinct
    'session ' || activity.pid || ' of ' || coalesce(activity.usename, 'somebody')
        || coalesce(' (' || nullif(activity.application_name, '') || ')', '') as holder
from pg_class as class
    join pg_namespace as namespace on namespace.oid = class.relnamespace
    join pg_locks on pg_locks.relation = class.oid and pg_locks.locktype = 'relation' and pg_locks.granted
    join pg_stat_activity as activity on activity.pid = pg_locks.pid and activity.datname = current_database()
where namespace.nspname = $1 and class.relname in ($2, $3) and activity.pid <> pg_backend_pid()
order by holder;

-- part: rename  (script, inside the transaction)
-- Purpose: rename a table.
-- Inputs:  :"schema", :"table", :"name".
-- Outputs: the table under its new name.
alter table :"schema".:"table" rename to :"name";

-- part: drop_view  (script, inside the transaction)
-- Purpose: drop a view whose columns have other types now.
-- Inputs:  :"schema", :"table".
-- Outputs: none; the view is dropped.
drop view :"schema".:"table";

-- part: comment_view  (script, inside the transaction)
-- Purpose: restore the comment of a view that was created again.
-- Inputs:  :"schema", :"table", :'comment'.
-- Outputs: the comment.
comment on view :"schema".:"table" is :'comment';

-- part: leftovers  (script, inside the transaction)
-- Purpose: delete rows of the clean table whose partition is no longer in the source.
-- Inputs:  :"schema", :"table", :"key", :'version_id'; :"ledger".
-- Outputs: none; the rows are deleted.
delete from :"schema".:"table"
where :"key" is not null and :"key"::text not in (
        select key from :"ledger".transform_partitions where version_id = :'version_id' and key is not null
    )
    or :"key" is null and not exists (
        select from :"ledger".transform_partitions where version_id = :'version_id' and key is null
    );

-- part: whole  (script)
-- Purpose: count the rows of a version by key before it is put in place, and compare them with what was written.
-- Inputs:  :"schema", :"table", :'schema', :'table', :"key", :'version_id'; :"ledger".
-- Outputs: one row: there; written, the rows that the ledger has counted; has_triggers on inserts, which may have written more; for the first
--          key that has fewer rows than were written with it: its name, its rows there, those that were written (null: none has);
--          the same for the first key of the version's partitions that has more.
with counted as (
    select key, sum(there)::bigint as there, sum(written)::bigint as written, bool_or(is_known) as is_known
    from (
        select :"key"::text collate "C" as key, count(*) as there, 0 as written, false as is_known
        from :"schema".:"table"
        group by :"key"
        union all
        select key collate "C", 0, coalesce(rows_out, 0), true
        from :"ledger".transform_partitions
        where version_id = :'version_id'
    ) as side
    group by key
)
select
    total.there,
    total.written,
    exists (
        select from pg_trigger
        -- 4 stands for an insert.
        where tgrelid = format('%I.%I', :'schema', :'table')::regclass and not tgisinternal and tgtype & 4 > 0
    ) as has_triggers,
    lacking.key as lacking_key,
    lacking.there as lacking_there,
    lacking.written as lacking_written,
    surplus.key as surplus_key,
    surplus.there as surplus_there,
    surplus.written as surplus_written
from (select coalesce(sum(there), 0)::bigint as there, coalesce(sum(written), 0)::bigint as written from counted) as total
    left join (select key, there, written from counted where there < written order by key limit 1) as lacking on true
    left join (
        select key, there, written from counted where is_known and there > written order by key limit 1
    ) as surplus on true;

-- part: look_at_rows  (script)
-- Purpose: collect statistics of a table before it is read.
-- Inputs:  :"schema", :"table".
-- Outputs: the table's statistics.
analyze :"schema".:"table";

-- part: left_tables  (statement)
-- Purpose: list the tables of a job's versions that are not in place, because they were replaced or given up.
-- Inputs:  $1 job; :"ledger".
-- Outputs: a row for each table that exists: schema, table, version_id, is_old (it was in place once).
select distinct on (place.table_name, place.schema_name) place.schema_name, place.table_name, place.version_id, place.is_old
from (
    select target_schema as schema_name, old_table as table_name, version_id, true as is_old
    from :"ledger".transform_versions
    where job = $1 and old_table is not null
    union all
    select target_schema, version_table, version_id, false
    from :"ledger".transform_versions
    where job = $1 and state in ('superseded', 'dropped') and swapped_at is null and not is_in_place
) as place
where exists (
    select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = place.schema_name and relname = place.table_name
)
and not exists (
    select from :"ledger".transform_versions as open
    where open.job = $1 and open.state in ('open', 'paused') and open.version_table = place.table_name
)
order by place.table_name, place.schema_name, place.is_old desc;

-- part: drop_table  (script)
-- Purpose: drop a table that is no longer needed.
-- Inputs:  :"schema", :"table".
-- Outputs: none; the table is dropped.
drop table if exists :"schema".:"table";

-- part: lag  (statement)
-- Purpose: find out how far the slowest replica is behind.
-- Inputs:  none.
-- Outputs: one row: seconds; 0 without replicas.
select coalesce(max(extract(epoch from replay_lag)), 0)::double precision as seconds from pg_stat_replication;
