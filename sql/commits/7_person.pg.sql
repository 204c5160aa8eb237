-- Purpose: take a person out of the tables: names, and hashes of addresses. The commits stay, so that histories stay whole.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction
-- Inputs:  :'hashes', hashes of the person's addresses, :'names', the person's names, and :'name_hashes', the hashes of
--          these and of the person's name in git_identities, for git_removed_people; each an array; :"schema" with the tables; :"ledger".undo_images. A name counts where it stands without an address:
--          with another address it is somebody else's.
-- Outputs: pg_temp.purged: table_name, with what of it in brackets where no row went, and rows; pg_temp.sealed_records: record_id of
--          the commits, of which no before-image may stay; git_removed_people has the hashes, so that no later run brings the person
--          back.
create temp table purged (table_name text, rows bigint) on commit drop;

create temp table removed on commit drop as
select distinct unnest(:'hashes'::text[]) as email_hash;

create temp table removed_name on commit drop as
select distinct unnest(:'names'::text[]) as name;

create temp table author on commit drop as
select record_id
from :"schema".git_commits
where author_email_hash in (select email_hash from pg_temp.removed)
    or author_email_hash is null and author_name in (select name from pg_temp.removed_name);

create temp table committer on commit drop as
select record_id
from :"schema".git_commits
where committer_email_hash in (select email_hash from pg_temp.removed)
    or committer_email_hash is null and committer_name in (select name from pg_temp.removed_name);

create temp table trailer on commit drop as
select record_id, position
from :"schema".git_trailers
where person_email_hash in (select email_hash from pg_temp.removed)
    or person_email_hash is null and coalesce(person_name, value) in (select name from pg_temp.removed_name);

create temp table named on commit drop as
select record_id from pg_temp.author
union
select record_id from pg_temp.committer
union
select record_id from pg_temp.trailer;

create or replace temp view sealed_records as
select record_id from pg_temp.named;

with changed as (
    update :"schema".git_commits
    set author_name = '', author_email_hash = null
    where record_id in (select record_id from pg_temp.author)
    returning 1
)
insert into pg_temp.purged (table_name, rows)
select 'git_commits (authors)', count(*) from changed;

with changed as (
    update :"schema".git_commits
    set committer_name = '', committer_email_hash = null
    where record_id in (select record_id from pg_temp.committer)
    returning 1
)
insert into pg_temp.purged (table_name, rows)
select 'git_commits (committers)', count(*) from changed;

with changed as (
    update :"schema".git_trailers
    set value = '…', person_name = null, person_email_hash = null
    where (record_id, position) in (select record_id, position from pg_temp.trailer)
    returning 1
)
insert into pg_temp.purged (table_name, rows)
select 'git_trailers (people)', count(*) from changed;

-- What metrics has made of them calls people by name, and so do its before-images: another dataset's tables, which may not be there. A
-- person is known there by a hash of what git_identities says, and what was a node of a person goes with the next metrics.
create temp table graph_person on commit drop as
select distinct left(md5('person ' || known_as), 16) as key
from (
    select email_hash from pg_temp.removed
    union
    select name from pg_temp.removed_name
    union
    select person
    from :"schema".git_identities
    where email_hash in (select email_hash from pg_temp.removed)
        or email_hash = '' and name in (select name from pg_temp.removed_name)
) as person (known_as);

-- And who else there is: the name of such a node is that person's, whoever else has it. A node of nobody, as it is after somebody has
-- put an identity right, goes by its name.
create temp table graph_other on commit drop as
select distinct left(md5('person ' || person.known_as), 16) as key
from :"schema".git_identities as identity
    cross join lateral (
        values (identity.person), (nullif(identity.email_hash, '')), (case when identity.email_hash = '' then identity.name end)
    ) as person (known_as)
where person.known_as is not null
    and identity.email_hash not in (select email_hash from pg_temp.removed)
    and not (identity.email_hash = '' and identity.name in (select name from pg_temp.removed_name));

create temp table graph_nodes_at on commit drop as
select 'graph_nodes' as table_name, to_regclass(format('%I.graph_nodes', :'schema')) as place
union all
select image.image, to_regclass(format('%I.%I', :'ledger', image.image))
from :"ledger".undo_images as image
where image.dataset = 'metrics' and image.target_schema = :'schema' and image.table_name = 'graph_nodes';

do $$
declare
    is_named constant text := $sql$
        kind = 'person'
        and name <> ''
        and (
            key in (select key from pg_temp.graph_person)
            or name in (select name from pg_temp.removed_name) and key not in (select key from pg_temp.graph_other)
        )
    $sql$;
    named record;
    changed bigint;
    still bigint;
begin
    for named in select table_name, place from pg_temp.graph_nodes_at where place is not null loop
        execute format('update %s set name = '''' where %s', named.place, is_named);
        get diagnostics changed = row_count;
        execute format('select count(*) from %s where %s', named.place, is_named) into still;
        if still > 0 then
            raise exception 'the name of the person is still in % (rows: %)', named.place, still;
        end if;
        insert into pg_temp.purged (table_name, rows) values (named.table_name || ' (names)', changed);
    end loop;
end
$$;

with gone as (
    delete from :"schema".git_identities
    where email_hash in (select email_hash from pg_temp.removed)
        or email_hash = '' and name in (select name from pg_temp.removed_name)
    returning 1
)
insert into pg_temp.purged (table_name, rows)
select 'git_identities', count(*) from gone;

with hashed as (
    select email_hash from pg_temp.removed
    union
    select unnest(:'name_hashes'::text[])
)
insert into :"schema".git_removed_people (email_hash)
select email_hash
from hashed
where not exists (
    select from :"schema".git_removed_people as known where known.email_hash = hashed.email_hash
)
order by email_hash;
