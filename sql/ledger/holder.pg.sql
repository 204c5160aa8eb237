-- Purpose: who holds the lock of a dataset.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 dataset, $2 the lock's name (see lock.pg.sql); :"ledger".
-- Outputs: one row if somebody does: database user, address and start of the session, and its run if it has
--          got as far as the ledger (kind, run_id, host, start). Another user's session shows its user only.
with key as (
    select hashtextextended($2, 0) as value
),
session as (
    select usename, client_addr, backend_start
    from pg_locks
        join pg_stat_activity using (pid)
        join key
            on classid::bigint = (value >> 32) & 4294967295
            and objid::bigint = value & 4294967295
    where locktype = 'advisory'
        and objsubid = 1
        and granted
        and pg_locks.database = (select oid from pg_database where datname = current_database())
)
select
    coalesce(usename, 'somebody') as db_user,
    coalesce(host(client_addr), 'the server''s own machine') as address,
    coalesce(to_char(backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'), '?') as since,
    kind,
    run_id,
    host,
    to_char(started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as started_at
from session
left join lateral (
    select kind, run_id, host, started_at
    from :"ledger".runs
    where dataset = $1
        and status = 'running'
        -- One that died without a word is marked by the next run, which may not have got to that yet.
        and (backend_start is null or started_at >= backend_start)
    order by started_at desc
    limit 1
) as run on true
limit 1;
