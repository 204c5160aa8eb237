-- Purpose: find out why a connection does not answer.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/session/session.pg.sql

-- part: who  (script)
-- Purpose: which process of the server answers this connection.
-- Inputs:  none.
-- Outputs: one row: the process id.
select pg_backend_pid() as pid;

-- part: look  (statement, on another connection)
-- Purpose: what a session of ours is doing that has not answered for a while.
-- Inputs:  $1 its process id, $2 when it began, as text: process ids are used again.
-- Outputs: one row if the server knows it: waits_for_us; waits_for, what else it waits for, in words (null: it is
--          working); held_by, who holds that lock. The server shows only process id, user and application of
--          other users' sessions. No query is shown: it may hold values.
with session as (
    select pid, wait_event_type, wait_event
    from pg_stat_activity
    where pid = $1 and backend_start = $2::text::timestamptz
),
-- It waits for a lock that somebody else holds. A session that waits for a row waits for the end of another
-- transaction, and holds the row's place in the queue meanwhile.
wanted as (
    select
        case
            when lock.locktype = 'advisory' then 'an advisory lock'
            when coalesce(lock.relation, line.relation) is null then 'the end of another transaction'
            when lock.locktype = 'relation' then 'a lock on ' || lock.relation::regclass
            else 'a row of ' || coalesce(lock.relation, line.relation)::regclass
        end as words
    from pg_locks as lock
    left join pg_locks as line on line.pid = lock.pid and line.locktype = 'tuple' and line.granted
    where lock.pid = $1 and not lock.granted
    limit 1
),
holders as (
    select
        blocking.pid,
        case
            when blocking.pid = 0 then 'a prepared transaction (pg_prepared_xacts shows it)'
            else 'session ' || blocking.pid || ' of ' || coalesce(holder.usename, 'somebody')
                || coalesce(' (' || nullif(holder.application_name, '') || ')', '')
                || coalesce(' from ' || host(holder.client_addr), '')
                || coalesce(', in a transaction since '
                    || to_char(holder.xact_start at time zone 'UTC', 'HH24:MI:SS "UTC"'), '')
        end as words
    from session
    cross join lateral (select distinct unnest(pg_blocking_pids(session.pid)) as pid) as blocking
    left join pg_stat_activity as holder on holder.pid = blocking.pid
)
select
    coalesce(wait_event_type = 'Client', false) as waits_for_us,
    case
        when exists (select from holders) then coalesce((select words from wanted), 'a lock')
        when wait_event = 'SyncRep' then
            'a standby that confirms the commit (synchronous_standby_names is '''
                || current_setting('synchronous_standby_names') || ''')'
    end as waits_for,
    (select string_agg(words, '; ' order by pid) from holders) as held_by
from session;

-- part: end  (statement, on another connection)
-- Purpose: end a session of ours that we have lost, so that its transaction is over: committed or rolled back.
-- Inputs:  $1 its process id, $2 when it began, as text: process ids are used again.
-- Outputs: nothing of interest.
select pg_terminate_backend(pid)
from pg_stat_activity
where pid = $1 and backend_start = $2::text::timestamptz and usename = current_user;

-- part: progress  (statement, on another connection)
-- Purpose: the progress of an index that a session of ours builds.
-- Inputs:  $1 its process id.
-- Outputs: one row while it builds one: phase; rows and blocks done and in total, 0 if unknown. No
--          names: other sessions cannot see tables that this one has just created.
select phase, tuples_done, tuples_total, blocks_done, blocks_total
from pg_stat_progress_create_index
where pid = $1;
