-- Purpose: what a session of ours is doing, when it has not answered for a while.
-- Engine:  PostgreSQL 14 and later, on another connection
-- Inputs:  $1 its process id, $2 when it began, as text: process ids are used again.
-- Outputs: one row if the server knows it: does it wait for us, and who holds a lock that it waits for. Of
--          another user's session only process id and user can be seen.
select
    coalesce(session.wait_event_type = 'Client', false) as waits_for_us,
    (
        select string_agg(
            'session ' || holder.pid || ' of ' || coalesce(holder.usename, 'somebody')
                || coalesce(' (' || nullif(holder.application_name, '') || ')', '')
                || coalesce(' from ' || host(holder.client_addr), '')
                || coalesce(', in a transaction since '
                    || to_char(holder.xact_start at time zone 'UTC', 'HH24:MI:SS "UTC"'), ''),
            '; ' order by holder.pid
        )
        from pg_stat_activity as holder
        where holder.pid = any (pg_blocking_pids(session.pid))
    ) as held_up_by
from pg_stat_activity as session
where session.pid = $1 and session.backend_start = $2::text::timestamptz;
