-- Purpose: what of the server and of the session stops a run or makes its statements mean something else.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none; before the session is set otherwise; :any.
-- Outputs: one row: database_name, role_name; encoding of the database; read_only_from, where the setting comes from that
--          transactions only read (null: they write, or the server is a standby); standbys_wanted and standbys_there, for
--          which a COMMIT waits (0: for none); replication_role (origin: triggers and foreign keys work).
with standbys as (
    select
        -- `ANY 2 (a, b)`, `FIRST 2 (a, b)`, `2 (a, b)`; a list alone wants one.
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
    -- What one may not see counts as there.
    (
        select count(*)
        from pg_stat_replication
        where sync_state is null or sync_state in ('sync', 'quorum')
    ) as standbys_there,
    current_setting('session_replication_role') as replication_role;
