-- Purpose: the parts that runs take in.
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/parts.pg.sql

-- part: add_part  (statement)
-- Purpose: enter a part that a run takes in.
-- Inputs:  $1 run_id, $2 batch, $3 name, $4 source, $5 sha256 (null: it could not be fetched), $6 size, $7
--          the day of its data, as text, or null, $8 order key, $9 when it was last changed at its source, as text, or null,
--          $10 what was requested, as JSON text, or null, $11 how many records that has, or null; :"ledger".
-- Outputs: one row of parts; its part_id. If the run has put the part into the archive, its row is used again.
insert into :"ledger".parts (
    run_id, batch, name, source, sha256, size_bytes, as_of, order_key, modified_at, slice, expected_records
)
values ($1, $2, $3, $4, $5, $6, $7::text::date, $8, $9::text::timestamptz, $10::text::jsonb, $11)
on conflict (run_id, name) do update
set batch = excluded.batch, sha256 = excluded.sha256, size_bytes = excluded.size_bytes, status = 'pending'
where parts.status = 'archived'
returning part_id;

-- part: order_keys  (statement)
-- Purpose: the order key of files when they were last committed, or last taken in if no run committed them: a file that is read
--          again keeps its place among the others. (A file that was posted later and not committed is not the one that the
--          archive has under the name.)
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: name, order_key; part_id of the newest of all.
select distinct on (parts.name) parts.name, parts.order_key, max(parts.part_id) over () as part_id
from :"ledger".parts join :"ledger".runs using (run_id)
where runs.dataset = $1 and runs.target_schema = $2 and not runs.dry_run
order by parts.name, parts.status in ('pending', 'failed', 'retried'), parts.part_id desc;

-- part: uncommitted  (statement)
-- Purpose: the files that runs took from their source and none has committed. The sender may have withdrawn them since.
-- Inputs:  $1 dataset, $2 target schema; :"ledger".
-- Outputs: their names. A file that was only read from the archive is not among them: it may be all there is.
select parts.name
from :"ledger".parts join :"ledger".runs using (run_id)
where runs.dataset = $1 and runs.target_schema = $2 and not runs.dry_run
group by parts.name
having bool_or(runs.kind = 'run' and parts.status = 'pending')
    and bool_and(parts.status in ('pending', 'failed', 'retried'));

-- part: add_archived  (statement)
-- Purpose: enter an answer that is in the archive and that no run has taken in yet.
-- Inputs:  $1 run_id, $2 name, $3 its source, $4 sha256, $5 size, $6 the day of the answer, as text, $7 order key, $8 what
--          was requested, as JSON text, $9 how many records it has; :"ledger".
-- Outputs: one row of parts; archived.
insert into :"ledger".parts (
    run_id, batch, name, source, sha256, size_bytes, as_of, order_key, slice, expected_records, status
)
values ($1, 0, $2, $3, $4, $5, $6::text::date, $7, $8::text::jsonb, $9, 'archived')
on conflict (run_id, name) do update
set sha256 = excluded.sha256, size_bytes = excluded.size_bytes, expected_records = excluded.expected_records;

-- part: closed  (statement)
-- Purpose: the checksum of a part of the archive when it was closed, or last read successfully.
-- Inputs:  $1 dataset, $2 name; :"ledger".
-- Outputs: one row with sha256, or none.
select parts.sha256
from :"ledger".parts join :"ledger".runs using (run_id)
where runs.dataset = $1
    and parts.name = $2
    and parts.sha256 is not null
    and parts.status in ('archived', 'done', 'done_with_failures', 'incomplete', 'retried')
order by parts.part_id desc
limit 1;

-- part: rewritten  (statement)
-- Purpose: update a part of the archive that a purge has rewritten.
-- Inputs:  $1 dataset, $2 name, $3 sha256, $4 size in bytes; :"ledger".
-- Outputs: its rows of parts.
update :"ledger".parts
set sha256 = $3, size_bytes = $4
from :"ledger".runs
where runs.run_id = parts.run_id and runs.dataset = $1 and parts.name = $2 and parts.sha256 is not null;

-- part: save_plan  (statement)
-- Purpose: store what a run has requested so far, piece by piece, so that another run can go on with it.
-- Inputs:  $1 dataset, $2 target schema, $3 what is wanted, with the piece's number behind it, $4 the piece, $5 run_id; :"ledger".
-- Outputs: one row of plans.
insert into :"ledger".plans (dataset, target_schema, want, state, run_id)
values ($1, $2, $3, $4, $5)
on conflict (dataset, target_schema, want) do update
set state = excluded.state, run_id = excluded.run_id, saved_at = clock_timestamp();

-- part: saved_plan  (statement)
-- Purpose: what a run that did not end has requested.
-- Inputs:  $1 dataset, $2 target schema, $3 what is wanted; :"ledger".
-- Outputs: the pieces of the plan, in their order.
select state
from :"ledger".plans
where dataset = $1 and target_schema = $2 and starts_with(want, $3 || ' ')
order by want collate "C";

-- part: forget_plan  (statement)
-- Purpose: remove a plan that is done.
-- Inputs:  $1 dataset, $2 target schema, $3 what is wanted; :"ledger".
-- Outputs: none.
delete from :"ledger".plans
where dataset = $1 and target_schema = $2 and starts_with(want, $3 || ' ');

-- part: claim_request  (statement)
-- Purpose: count a request to a service that bears so many in a while, whoever sends it; or say how long it has to wait. The time
--          at which all requests so far are borne is kept, which is a bucket that empties at the rate: it bounds every window.
-- Inputs:  $1 dataset, $2 the service, $3 how many microseconds a request costs, $4 how many requests may be ahead of their time;
--          :"ledger".
-- Outputs: one row of plans, of no schema; the microseconds to wait, 0 if the request is counted.
insert into :"ledger".plans as known (dataset, target_schema, want, state)
select $1, '', $2, jsonb_build_object('now', now.us, 'borne', now.us + $3, 'wait', 0)
from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us) as now
on conflict (dataset, target_schema, want) do update
set saved_at = clock_timestamp(),
    state = (
        select case
            when claim.wait <= 0
                then jsonb_build_object('now', claim.us, 'borne', greatest(claim.borne, claim.us) + $3, 'wait', 0)
            else jsonb_build_object('now', claim.us, 'borne', claim.borne, 'wait', claim.wait)
        end
        from (
            select last.us, last.borne, last.borne - (last.us + ($4::bigint - 1) * $3) as wait
            from (
                select
                    (excluded.state ->> 'now')::bigint as us,
                    -- What a slower rate has put further ahead, or a clock that was wrong, holds nobody up for longer than a
                    -- full bucket does.
                    least(
                        (known.state ->> 'borne')::bigint,
                        (excluded.state ->> 'now')::bigint + $4::bigint * $3
                    ) as borne
            ) as last
        ) as claim
    )
returning (state ->> 'wait')::bigint;

-- part: adopt_parts  (statement)
-- Purpose: enter files that were processed before the ledger existed.
-- Inputs:  $1 run_id, $2 where they are, $3 a JSON array of files, as text; :"ledger".
-- Outputs: rows of parts, done, without counts; the names of those that were not known before. A file that a
--          run has taken in is known, whatever its status; a dry run takes in nothing.
insert into :"ledger".parts (run_id, batch, name, source, size_bytes, as_of, order_key, status)
select run.run_id, 0, file.name, $2, file.size_bytes, file.as_of, file.order_key, 'done'
from jsonb_to_recordset($3::text::jsonb) as file (name text, size_bytes bigint, as_of date, order_key text)
    join :"ledger".runs as run on run.run_id = $1
where not exists (
    select
    from :"ledger".parts as known join :"ledger".runs as known_run on known_run.run_id = known.run_id
    where known.name = file.name
        and known_run.dataset = run.dataset
        and known_run.target_schema = run.target_schema
        and not known_run.dry_run
)
order by file.order_key collate "C", file.name collate "C"
returning name;

-- part: part_parsed  (statement)
-- Purpose: what the parser and the checks found in a part.
-- Inputs:  $1 part_id, $2 status (pending, or failed: nothing of it can be used), $3 records seen, $4
--          records failed, $5 unknown elements, $6 error; :"ledger".
-- Outputs: its row of parts.
update :"ledger".parts
set status = $2, records_seen = $3, records_failed = $4, unknown = $5, error = $6
where part_id = $1;

-- part: compared  (statement)
-- Purpose: a file that was posted again was compared, and has the known content.
-- Inputs:  $1 part_id of the posting that is known, $2 when the file was last changed at its source, as
--          text; :"ledger".
-- Outputs: the time is entered, so the next run does not fetch the file to compare it.
update :"ledger".parts set modified_at = $2::text::timestamptz where part_id = $1;

-- part: new_elements  (statement)
-- Purpose: which of these elements without a column did no earlier run see?
-- Inputs:  $1 dataset, $2 target schema, $3 run_id, $4 paths; :"ledger".
-- Outputs: the paths that are new.
select path
from unnest($4::text[]) as path
where not exists (
    select
    from :"ledger".parts join :"ledger".runs using (run_id)
    where dataset = $1
        and target_schema = $2
        and not dry_run
        and run_id <> $3
        and unknown ? path
)
order by path;
