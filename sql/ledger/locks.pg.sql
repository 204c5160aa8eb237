-- Purpose: the locks that allow one run and one promotion for each dataset at a time.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/locks.pg.sql

-- part: lock  (statement)
-- Purpose: take the lock of a dataset for a whole run; it is released when the session ends, however that happens.
-- Inputs:  $1 the lock's name.
-- Outputs: true if it was free.
select pg_try_advisory_lock(hashtextextended($1, 0));

-- part: lock_runs  (statement, inside the transaction of the migrations)
-- Purpose: make sure that nobody uses a ledger whose tables are about to be renamed.
-- Inputs:  $1 what the name of each dataset's lock begins with (see lock); :"ledger".
-- Outputs: the datasets whose lock somebody holds; the other locks are held until the end of the transaction.
select dataset
from (select distinct dataset from :"ledger".runs order by dataset) as known
where not pg_try_advisory_xact_lock(hashtextextended($1 || dataset, 0));

-- part: lock_promotion  (statement)
-- Purpose: wait until no promotion of a dataset is under way, including those of lost connections.
-- Inputs:  $1 the lock's name.
-- Outputs: the lock, until the end of the transaction.
select pg_advisory_xact_lock(hashtextextended($1, 1));

-- part: holder  (statement)
-- Purpose: who holds the lock of a dataset.
-- Inputs:  $1 dataset, $2 the lock's name (see lock); :"ledger".
-- Outputs: one row if somebody holds it: database user, address and start of the session, and its run if it has
--          reached the ledger (kind, run_id, host, start). Another user's session shows only its user.
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
        -- A run that was killed is marked by the next run, which may not have done so yet.
        and (backend_start is null or started_at >= backend_start)
    order by started_at desc
    limit 1
) as run on true
limit 1;

-- part: dead  (statement)
-- Purpose: runs whose process is gone: they are marked as running, and nobody holds the lock of their dataset.
-- Inputs:  $1 what the name of each dataset's lock begins with (see lock); :"ledger".
-- Outputs: their run_ids. No process holds a version of a transform, so none of these is among them; a standby does not know who
--          holds a lock, so on a standby there are none.
select run_id
from :"ledger".runs cross join lateral hashtextextended($1 || dataset, 0) as key (value)
where status = 'running'
    and kind <> 'transform'
    and not pg_is_in_recovery()
    and not exists (
        select
        from pg_locks
        where locktype = 'advisory'
            and classid::bigint = (value >> 32) & 4294967295
            and objid::bigint = value & 4294967295
            and objsubid = 1
            and granted
            and pg_locks.database = (select oid from pg_database where datname = current_database())
    );

-- part: fence  (statement, inside the transaction of the promotion)
-- Purpose: prove that this run may still promote.
-- Inputs:  $1 run_id; :"ledger".
-- Outputs: one row if the run is still running; it stays locked until the end of the transaction.
select run_id from :"ledger".runs where run_id = $1 and status = 'running' for update;

-- part: confirm  (statement, on the connection that holds the lock)
-- Purpose: may this run still write?
-- Inputs:  $1 run_id; :"ledger".
-- Outputs: true, unless another run has declared it dead.
select exists (select from :"ledger".runs where run_id = $1 and status = 'running');
