-- Purpose: find what the parser, which sees one row at a time, cannot: duplicate keys, look-alikes, cycles of
--          categories, references to missing rows, dead addresses, and rows that refer to a row that is not loaded.
-- Engine:  DuckDB
-- Inputs:  the tables of 1_stage.duckdb.sql, records, failed.
-- Outputs: the offending rows, added to failed, with suggestions; none: passed. catalog_keys, catalog_refs,
--          catalog_entries, catalog_dangling and the macro catalog_folded, which nothing else uses.

-- A key or a name without the differences in how people write it: blanks, hyphens, accents, capitals.
create or replace temp macro catalog_folded(said) as
    regexp_replace(lower(strip_accents(said)), '[\s._''’-]+', '', 'g');

-- The first row of each key, whether it can be loaded or not: references to the key mean this row.
create or replace temp table catalog_keys as
select record_id, min(record_no) as record_no
from (
    select record_id, record_no from records
    union all
    select record_id, record_no from failed where record_id is not null
)
group by record_id;

-- The later row is the duplicate.
insert into failed by name
with own (sheet, field) as (
    values
        ('categories', 'category'), ('communities', 'community'), ('backers', 'backer'), ('projects', 'project'),
        ('project_categories', 'project,category'), ('project_backers', 'project,backer'),
        ('project_dependencies', 'project,depends_on'), ('links', 'project,kind,url')
)
select
    records.record_no,
    records.record_id,
    records.offset_bytes,
    'catalog_' || own.sheet as table_name,
    own.field,
    records.record_id[length(own.sheet) + 2:] as value,
    'the key is there twice; the row that has it first counts' as reason,
    'row ' || (catalog_keys.record_no & 4294967295) || ' has it first' as suggestion
from records
    join catalog_keys using (record_id)
    join own on own.sheet = split_part(records.record_id, ':', 1)
where records.record_no > catalog_keys.record_no
order by records.record_no;

-- Rows with a name, and the texts by which they are recognised; categories only need to differ within their parent.
create or replace temp table catalog_entries as
with entry as (
    select record_no, 'categories' as sheet, 'category' as field, category as key, name, coalesce(parent, '') as place
    from catalog_categories
    union all
    select record_no, 'communities', 'community', community, name, '' from catalog_communities
    union all
    select record_no, 'backers', 'backer', backer, name, '' from catalog_backers
    union all
    select record_no, 'projects', 'project', project, name, '' from catalog_projects
)
select
    entry.*,
    catalog_folded(key) as folded_key,
    catalog_folded(name) as folded_name
from entry;

-- `tensor-flow` beside `tensorflow`, or two keys with the same name: one thing that was entered twice.
insert into failed by name
with form as (
    select record_no, sheet, field, key, name, place, folded_key as form from catalog_entries
    union
    select record_no, sheet, field, key, name, place, folded_name from catalog_entries
),
twin as (
    select later.record_no, min(earlier.record_no) as earlier_no
    from form as later
        join form as earlier
            on earlier.sheet = later.sheet and earlier.place = later.place and earlier.form = later.form
    where later.record_no > earlier.record_no and later.key <> earlier.key and later.form <> ''
    group by later.record_no
)
select
    records.record_no,
    records.record_id,
    records.offset_bytes,
    'catalog_' || later.sheet as table_name,
    later.field,
    later.key || ' (' || later.name || ')' as value,
    'it looks like another row of the sheet' as reason,
    earlier.key || ', in row ' || (earlier.record_no & 4294967295) as suggestion
from twin
    join records using (record_no)
    join catalog_entries as later using (record_no)
    join catalog_entries as earlier on earlier.record_no = twin.earlier_no
order by records.record_no;

-- A category whose parents lead back to itself.
insert into failed by name
with recursive up (record_no, category, above) as (
    select category.record_no, category.category, category.parent
    from catalog_categories as category
        join catalog_keys on catalog_keys.record_no = category.record_no
    where category.parent is not null
    union
    select up.record_no, up.category, category.parent
    from up
        join catalog_categories as category on category.category = up.above
        join catalog_keys on catalog_keys.record_no = category.record_no
    where up.above <> up.category and category.parent is not null
)
select
    records.record_no,
    records.record_id,
    records.offset_bytes,
    'catalog_categories' as table_name,
    'parent' as field,
    category.parent as value,
    'its parents lead back to itself' as reason,
    null as suggestion
from records join catalog_categories as category using (record_no)
where record_no in (select up.record_no from up where up.above = up.category)
order by records.record_no;

-- Every cell that names a row of another sheet, or of its own.
create or replace temp table catalog_refs as
select record_no, 'categories' as sheet, 'parent' as field, 'categories' as target, parent as key
from catalog_categories
where parent is not null
union all
select record_no, 'projects', 'community', 'communities', community
from catalog_projects
where community is not null
union all
select record_no, 'project_categories', 'project', 'projects', project from catalog_project_categories
union all
select record_no, 'project_categories', 'category', 'categories', category from catalog_project_categories
union all
select record_no, 'project_backers', 'project', 'projects', project from catalog_project_backers
union all
select record_no, 'project_backers', 'backer', 'backers', backer from catalog_project_backers
union all
select record_no, 'project_dependencies', 'project', 'projects', project from catalog_project_dependencies
union all
select record_no, 'project_dependencies', 'depends_on', 'projects', depends_on from catalog_project_dependencies
union all
select record_no, 'links', 'project', 'projects', project from catalog_links;

create or replace temp table catalog_dangling as
select refs.*
from catalog_refs as refs anti join catalog_keys on catalog_keys.record_id = refs.target || ':' || refs.key;

-- With a suggestion: a key that differs only in blanks, hyphens, accents and capitals, or else a very similar one.
insert into failed by name
with wanted as (
    select distinct target, key, catalog_folded(key) as folded
    from catalog_dangling
    order by target, key
    -- Each is compared with every key, so for a sheet full of errors a limited number is enough.
    limit 2000
),
scored as (
    select
        wanted.target,
        wanted.key,
        entry.key as near,
        entry.record_no in (select failed.record_no from failed) as is_failed,
        case
            when wanted.folded in (entry.folded_key, entry.folded_name) then 2.0
            else greatest(
                jaro_winkler_similarity(wanted.folded, entry.folded_key),
                jaro_winkler_similarity(wanted.folded, entry.folded_name)
            )
        end as score
    from wanted join catalog_entries as entry on entry.sheet = wanted.target
),
nearest as (
    select target, key, near
    from scored
    where score >= 0.88
    qualify row_number() over (partition by target, key order by score desc, is_failed, near) = 1
)
select
    records.record_no,
    records.record_id,
    records.offset_bytes,
    'catalog_' || dangling.sheet as table_name,
    dangling.field,
    dangling.key as value,
    'it refers to nothing: no row of ' || dangling.target || '.csv has this key' as reason,
    nearest.near as suggestion
from catalog_dangling as dangling
    join records using (record_no)
    left join nearest on nearest.target = dangling.target and nearest.key = dangling.key
order by records.record_no, dangling.field;

-- Dead addresses, if addresses were checked.
insert into failed by name
select
    records.record_no,
    records.record_id,
    records.offset_bytes,
    'catalog_' || addresses.sheet as table_name,
    addresses.field,
    addresses.url as value,
    catalog_dead.reason,
    case
        when addresses.sheet = 'links' then 'put in where it is now, or take the row out'
        else 'put in where it is now, or leave the cell empty'
    end as suggestion
from catalog_addresses as addresses
    join catalog_dead using (url)
    join records using (record_no)
order by records.record_no, addresses.field;

-- A row that refers to one that is not loaded is not loaded either, and so on.
insert into failed by name
with recursive bad (record_no) as (
    select record_no from failed
    union
    select refs.record_no
    from bad
        join catalog_keys on catalog_keys.record_no = bad.record_no
        join catalog_refs as refs on refs.target || ':' || refs.key = catalog_keys.record_id
)
select
    records.record_no,
    records.record_id,
    records.offset_bytes,
    'catalog_' || refs.sheet as table_name,
    refs.field,
    refs.key as value,
    'it refers to a row that is not loaded' as reason,
    'put row ' || (catalog_keys.record_no & 4294967295) || ' of ' || refs.target || '.csv right' as suggestion
from catalog_refs as refs
    join records using (record_no)
    join catalog_keys on catalog_keys.record_id = refs.target || ':' || refs.key
where catalog_keys.record_no in (select bad.record_no from bad)
    and refs.record_no not in (select failed.record_no from failed)
order by records.record_no, refs.field;
