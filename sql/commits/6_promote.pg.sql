-- Purpose: decide what becomes of every commit of this batch, and keep what is known of repositories.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of the promotion
-- Inputs:  :"staging".commits_records, a row for each good record; :"staging".git_commits, git_parents, git_trailers and git_repositories;
--          :"schema".git_commits, git_parents, git_trailers and git_repositories; :"ledger".record_origins, :'dataset', :'schema';
--          :'overwrite_newer', true only when the operator asks for it.
-- Outputs: the rows of a repository that comes under another number, under that number; :"staging".git_commits, completed with what
--          production knows and the source does not say; pg_temp.plan, one row a commit: record_id, action (load, same, or delete: it is
--          there under another number), part_id, ordinal and order_key of its last word, is_newly_sealed and has_data (never: nothing is
--          lost), is_known and is_changed (never: no other table has data of a commit); git_repositories up to date; pg_temp.told_repositories, those of the batch; pg_temp.counted, how many rows of git_repositories had to change
--          (expected), and did (found).

-- A clone whose number no list has gets one. If a host has named its repository by now, the host's number is taken.
create temp table host_numbers on commit drop as
select distinct on (staged.repository_id) staged.repository_id as from_id, known.repository_id as to_id
from :"staging".git_repositories as staged
    join :"schema".git_repositories as known on lower(known.full_name) = lower(staged.full_name)
where staged.repository_id < 0
    and known.repository_id > 0
    and coalesce(known.is_named_by_host, true)
    and not exists (select from :"staging".git_repositories as told where told.repository_id = known.repository_id)
order by staged.repository_id, known.seen_at desc, known.repository_id;

analyze pg_temp.host_numbers;

update :"staging".git_repositories as staged
set record_id = host_numbers.to_id, repository_id = host_numbers.to_id
from pg_temp.host_numbers
where staged.repository_id = host_numbers.from_id;

update :"staging".git_commits as staged
set record_id = host_numbers.to_id || ':' || staged.sha, repository_id = host_numbers.to_id
from pg_temp.host_numbers
where staged.repository_id = host_numbers.from_id;

update :"staging".git_parents as staged
set record_id = host_numbers.to_id || ':' || staged.sha, repository_id = host_numbers.to_id
from pg_temp.host_numbers
where staged.repository_id = host_numbers.from_id;

update :"staging".git_trailers as staged
set record_id = host_numbers.to_id || ':' || staged.sha, repository_id = host_numbers.to_id
from pg_temp.host_numbers
where staged.repository_id = host_numbers.from_id;

update :"staging".commits_records as staged
set record_id = host_numbers.to_id || substr(staged.record_id, strpos(staged.record_id, ':'))
from pg_temp.host_numbers
where staged.record_id like host_numbers.from_id || ':%';

create temp table counted (table_name text, change text, expected bigint, found bigint) on commit drop;

-- The reverse: only a list or a folder has named a repository so far, and now the same name comes with another number. Its rows
-- move to that number; otherwise each commit would be there twice.
create temp table renumbered on commit drop as
select distinct on (known.repository_id) known.repository_id as from_id, staged.repository_id as to_id
from :"staging".git_repositories as staged
    join :"schema".git_repositories as known
        on known.repository_id <> staged.repository_id
        and lower(known.full_name) in (lower(staged.full_name), lower(staged.moved_from))
where not coalesce(known.is_named_by_host, known.repository_id > 0)
    and not exists (select from :"staging".git_repositories as told where told.repository_id = known.repository_id)
order by known.repository_id, staged.seen_at desc, staged.repository_id;

analyze pg_temp.renumbered;

create temp table moving on commit drop as
select distinct on (moved.to_id, known.sha)
    known.record_id as from_record,
    moved.to_id,
    moved.to_id || ':' || known.sha as to_record
from :"schema".git_commits as known join pg_temp.renumbered as moved on moved.from_id = known.repository_id
where known.repository_id = any (array(select from_id from pg_temp.renumbered))
    and not exists (
        select from :"schema".git_commits as other where other.record_id = moved.to_id || ':' || known.sha
    )
order by moved.to_id, known.sha, known.record_id;

analyze pg_temp.moving;

update :"schema".git_trailers as moved
set record_id = moving.to_record, repository_id = moving.to_id
from pg_temp.moving
where moved.record_id = moving.from_record;

update :"schema".git_parents as moved
set record_id = moving.to_record, repository_id = moving.to_id
from pg_temp.moving
where moved.record_id = moving.from_record;

update :"schema".git_commits as moved
set record_id = moving.to_record, repository_id = moving.to_id
from pg_temp.moving
where moved.record_id = moving.from_record;

update :"ledger".record_origins as moved
set record_id = moving.to_record
from pg_temp.moving
where moved.dataset = :'dataset' and moved.target_schema = :'schema' and moved.record_id = moving.from_record;

with first as (
    select distinct on (to_id) from_id, to_id from pg_temp.renumbered order by to_id, from_id desc
)
update :"schema".git_repositories as moved
set record_id = first.to_id, repository_id = first.to_id
from first
where moved.repository_id = first.from_id
    and not exists (
        select from :"schema".git_repositories as other where other.repository_id = first.to_id
    );

with gone as (
    delete from :"schema".git_repositories
    where repository_id in (select from_id from pg_temp.renumbered)
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select
    'git_repositories', 'delete',
    (select count(*) from :"schema".git_repositories join pg_temp.renumbered on from_id = repository_id),
    (select count(*) from gone);

-- A host tells neither offsets nor, without being asked, signatures; what a clone told stays.
update :"staging".git_commits as staged
set author_offset = coalesce(staged.author_offset, known.author_offset),
    committer_offset = coalesce(staged.committer_offset, known.committer_offset),
    is_signed = coalesce(staged.is_signed, known.is_signed),
    unreachable_since_run = known.unreachable_since_run
from :"schema".git_commits as known
where known.record_id = staged.record_id;

create temp table plan on commit drop as
with seen as (
    -- One row a commit: the last word of the batch.
    select record_id, order_key, part_id, ordinal
    from :"staging".commits_records
    where is_winner
)
select
    seen.record_id,
    seen.part_id,
    seen.ordinal,
    seen.order_key,
    false as is_newly_sealed,
    false as has_data,
    false as is_known,
    false as is_changed,
    case
        -- Its SHA settles what a commit says, so it is written once; a better parser may read it otherwise.
        when not :'overwrite_newer'::boolean and known.record_id is not null and (
            known.author_name, known.author_email_hash, known.author_time, known.author_offset,
            known.committer_name, known.committer_email_hash, known.committer_time, known.committer_offset,
            known.subject, known.is_merge, known.is_bot, known.is_signed, known.notes
        ) is not distinct from (
            staged.author_name, staged.author_email_hash, staged.author_time, staged.author_offset,
            staged.committer_name, staged.committer_email_hash, staged.committer_time, staged.committer_offset,
            staged.subject, staged.is_merge, staged.is_bot, staged.is_signed, staged.notes
        ) then 'same'
        else 'load'
    end as action
from seen
    left join :"staging".git_commits as staged on staged.record_id = seen.record_id
    left join :"schema".git_commits as known on known.record_id = seen.record_id
union all
-- The rows that still have these numbers are also there under the other one.
select record_id, null, null, null, false, false, false, false, 'delete'
from :"schema".git_commits
where repository_id = any (array(select from_id from pg_temp.renumbered));

analyze pg_temp.plan;

create temp table told on commit drop as
with said as (
    -- What was seen before what is known says nothing new, though a part of then is read again beside a newer one. In a row of an
    -- earlier program only the number tells whether a host has named it.
    select
        staged.*,
        staged.ctid as place,
        known.full_name as known_name,
        coalesce(
            known.record_id is not null and coalesce(known.is_named_by_host, known.repository_id > 0)
                or bool_or(staged.is_named_by_host) over (partition by staged.record_id),
            false
        ) as host_names
    from :"staging".git_repositories as staged
        left join :"schema".git_repositories as known on known.record_id = staged.record_id
    where known.record_id is null or staged.seen_at >= known.seen_at
),
word as (
    -- A clone is called what its folder is called: that names nothing that a host has named.
    select
        said.*,
        case when said.is_named_by_host or not said.host_names then said.full_name end as own_name
    from said
),
latest as (
    select distinct on (record_id) *
    from word
    order by record_id, seen_at desc, place desc
),
-- What the last word leaves open, an earlier one of the batch may say: one that is gone by now had heads when its commits came.
heads as (
    select distinct on (record_id) record_id, seen_at, head_names, head_shas
    from :"staging".git_repositories
    where head_shas is not null
    order by record_id, seen_at desc, ctid desc
),
before as (
    select
        word.record_id,
        (array_agg(word.project order by word.seen_at desc) filter (where word.project is not null))[1] as project,
        (array_agg(word.default_branch order by word.seen_at desc) filter (where word.default_branch is not null))[1]
            as default_branch,
        (array_agg(word.own_name order by word.seen_at desc, word.place desc) filter (where word.own_name is not null))[1]
            as full_name,
        max(word.seen_at) filter (where word.state is distinct from latest.state) as otherwise_at
    from word join latest using (record_id)
    group by word.record_id
),
since as (
    select word.record_id, min(word.state_since) as state_since
    from word join before using (record_id)
    where before.otherwise_at is null or word.seen_at > before.otherwise_at
    group by word.record_id
),
named as (
    -- Of a repository that is new to us, the list may have the name of before.
    select
        record_id,
        seen_at,
        place,
        own_name as full_name,
        coalesce(lag(own_name) over (partition by record_id order by seen_at, place), known_name, moved_from) as name_before
    from word
    where own_name is not null
),
moved as (
    -- Hosts do not tell capitals from small letters.
    select distinct on (record_id) record_id, name_before as moved_from, seen_at as moved_at
    from named
    where lower(full_name) <> lower(name_before)
    order by record_id, seen_at desc, place desc
)
select
    latest.record_id,
    latest.repository_id,
    coalesce(before.full_name, known.full_name) as full_name,
    coalesce(before.project, known.project) as project,
    latest.state,
    case
        when latest.state = known.state and before.otherwise_at is null then known.state_since
        else coalesce(since.state_since, latest.state_since)
    end as state_since,
    latest.seen_at,
    coalesce(before.default_branch, known.default_branch) as default_branch,
    -- Of one that is gone, what was there last stays.
    case when heads.seen_at >= known.seen_at or known.head_shas is null then heads.head_names else known.head_names end
        as head_names,
    case when heads.seen_at >= known.seen_at or known.head_shas is null then heads.head_shas else known.head_shas end
        as head_shas,
    case when moved.record_id is null then known.moved_from else moved.moved_from end as moved_from,
    case when moved.record_id is null then known.moved_at else moved.moved_at end as moved_at,
    latest.host_names as is_named_by_host,
    known.record_id is not null as is_known
from latest
    join before using (record_id)
    left join since using (record_id)
    left join heads using (record_id)
    left join moved using (record_id)
    left join :"schema".git_repositories as known using (record_id);

create temp table told_repositories on commit drop as
select repository_id from pg_temp.told
union
select distinct split_part(record_id, ':', 1)::bigint from pg_temp.plan;

with updated as (
    update :"schema".git_repositories as repository
    set full_name = told.full_name,
        project = told.project,
        state = told.state,
        state_since = told.state_since,
        seen_at = told.seen_at,
        default_branch = told.default_branch,
        head_names = told.head_names,
        head_shas = told.head_shas,
        moved_from = told.moved_from,
        moved_at = told.moved_at,
        is_named_by_host = told.is_named_by_host
    from pg_temp.told
    where told.is_known and repository.record_id = told.record_id
    returning 1
),
inserted as (
    insert into :"schema".git_repositories (
        record_id, repository_id, full_name, project, state, state_since, seen_at, default_branch, head_names, head_shas,
        moved_from, moved_at, is_named_by_host
    )
    select
        record_id, repository_id, full_name, project, state, state_since, seen_at, default_branch, head_names, head_shas,
        moved_from, moved_at, is_named_by_host
    from pg_temp.told
    where not is_known
    order by record_id
    returning 1
)
insert into pg_temp.counted (table_name, change, expected, found)
select
    'git_repositories', 'update',
    (select count(*) from pg_temp.told where is_known), (select count(*) from updated)
union all
select
    'git_repositories', 'insert',
    (select count(*) from pg_temp.told where not is_known), (select count(*) from inserted);
