-- Purpose: the short questions of the preflight to the database.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/check/check.pg.sql

-- part: session  (script, which an older server answers, too)
-- Purpose: our server, user and connection, for the preflight.
-- Inputs:  none.
-- Outputs: one row: version, version_number, db_user, tls (null: the connection has none), is_standby, is_read_only
--          (by the settings of server, database or role), epoch_seconds of the server's clock, postgis and aws_s3 (the
--          versions of these extensions, null if they are missing).
select
    current_setting('server_version') as version,
    current_setting('server_version_num')::int as version_number,
    current_user::text as db_user,
    (select ssl.version from pg_stat_ssl as ssl where ssl.pid = pg_backend_pid() and ssl.ssl) as tls,
    pg_is_in_recovery() as is_standby,
    current_setting('default_transaction_read_only') = 'on' as is_read_only,
    extract(epoch from clock_timestamp())::float8 as epoch_seconds,
    (select extversion from pg_extension where extname = 'postgis') as postgis,
    (select extversion from pg_extension where extname = 'aws_s3') as aws_s3;

-- part: settings  (script, inside a transaction, with which the settings end: the session may be a pool's)
-- Purpose: keep the preflight from waiting for others.
-- Inputs:  :limit_ms, for how long a statement may run.
-- Outputs: the settings of the transaction.
set local statement_timeout = :limit_ms;
set local lock_timeout = :limit_ms;

-- part: owners  (statement)
-- Purpose: who owns the tables.
-- Inputs:  $1 schema, $2 names of tables.
-- Outputs: the owners, in one text; null if the tables do not exist.
select string_agg(distinct pg_get_userbyid(class.relowner)::text, ', ')
from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = $1 and class.relname = any ($2::text[]);

-- part: server  (script)
-- Purpose: settings of the server and the session that stop a run or change what its statements mean.
-- Inputs:  none; before the session's settings are changed; :any.
-- Outputs: one row: database_name, role_name; encoding of the database; read_only_from, the origin of the setting that
--          makes transactions read only (null: they can write, or the server is a standby); standbys_wanted and standbys_there,
--          for which a COMMIT waits (0: for none); replication_role (origin: triggers and foreign keys work).
with standbys as (
    select
        -- `ANY 2 (a, b)`, `FIRST 2 (a, b)`, `2 (a, b)`; a list alone requires one.
        coalesce((regexp_match(setting, '^\s*(?:any|first)?\s*(\d+)\s*\(', 'i'))[1]::bigint, 1) as wanted
    from pg_settings
    where name = 'synchronous_standby_names'
        and setting <> ''
        and current_setting('synchronous_commit') not in ('off', 'local')
)
select
    current_database()::text as database_name,
    current_user::text as role_name,
    (select pg_encoding_to_char(encoding)::text from pg_database where datname = current_database()) as encoding,
    (
        select source
        from pg_settings
        where name = 'default_transaction_read_only' and setting = 'on' and not pg_is_in_recovery()
    ) as read_only_from,
    coalesce((select wanted from standbys), 0) as standbys_wanted,
    -- A standby that we may not see counts as there.
    (
        select count(*)
        from pg_stat_replication
        where sync_state is null or sync_state in ('sync', 'quorum')
    ) as standbys_there,
    current_setting('session_replication_role') as replication_role;

-- part: foreign_keys  (statement)
-- Purpose: which tables of others refer to ours? They can refuse that a row of ours is deleted.
-- Inputs:  $1 schema, $2 names of our tables.
-- Outputs: a row for each foreign key: its table, its name, our table, on_delete (as the catalogue has it: a, r, c, n, d),
--          is_indexed: can the referring rows be found without reading the whole table?
with ours as (
    select class.oid
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = any ($2::text[])
),
-- Partitions have copies of their parents' keys.
parts as (
    select tree.relid as oid from ours cross join pg_partition_tree(ours.oid) as tree
)
select
    key.conrelid::regclass::text as from_table,
    quote_ident(key.conname) as key_name,
    referred.relname::text as to_table,
    key.confdeltype::text as on_delete,
    exists (
        select
        from pg_index as index
        where index.indrelid = key.conrelid
            and index.indisvalid
            and index.indpred is null
            and (index.indkey::int2[])[0] = any (key.conkey)
    ) as is_indexed
from pg_constraint as key join pg_class as referred on referred.oid = key.confrelid
where key.contype = 'f'
    and key.conparentid = 0
    and key.confrelid in (select oid from ours)
    and key.conrelid not in (select oid from ours union all select oid from parts)
order by from_table, key_name;

-- part: row_security  (statement)
-- Purpose: on which of our tables do row policies apply to this role? Policies hide rows, or refuse them.
-- Inputs:  $1 schemas and $2 names of tables, in parallel.
-- Outputs: a row for each such table, in the order of $2: the table with its schema, the policies (an empty text: none, and
--          then no row is seen), our role, the table's owner, is_forced (they apply to the owner, too).
select
    format('%s.%s', namespace.nspname, class.relname) as table_name,
    coalesce(
        (select string_agg(polname::text, ', ' order by polname) from pg_policy where polrelid = class.oid), ''
    ) as policies,
    current_user::text as role_name,
    pg_get_userbyid(class.relowner)::text as owner_name,
    class.relforcerowsecurity as is_forced
from unnest($1::text[], $2::text[]) with ordinality as wanted (schema_name, table_name, position)
    join pg_namespace as namespace on namespace.nspname = wanted.schema_name
    join pg_class as class on class.relnamespace = namespace.oid and class.relname = wanted.table_name
where class.relrowsecurity and row_security_active(class.oid)
order by wanted.position;
