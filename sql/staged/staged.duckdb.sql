-- Purpose: the staging store, the same for every dataset.
-- Engine:  DuckDB
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/staged/staged.duckdb.sql

-- part: tables  (script)
-- Purpose: the tables that the local staging store of a run has for every dataset.
-- Inputs:  none; rows are appended to these tables, the columns in this order.
-- Outputs: files, records, failed, sealed.
-- A record number is file_no << 32 | position in the document, and files are numbered in the order
-- in which they count, so a higher number is a later state of the same record.

create table files (
    file_no bigint primary key,
    part_id bigint not null,
    as_of varchar,
    order_key varchar not null
);

-- One row for each good record, live or delete.
create table records (
    record_no bigint not null,
    record_id varchar not null,
    is_delete boolean not null,
    -- A delete that also had data, which is not loaded.
    has_data boolean not null,
    offset_bytes bigint not null
);

-- Records that production knows as permanently deleted, as far as it was asked.
create table sealed (
    record_id varchar not null
);

-- Records that could not be loaded, with the reason. If the record number is not in records, the parser refused it.
create table failed (
    record_no bigint not null,
    record_id varchar,
    offset_bytes bigint not null,
    table_name varchar,
    field varchar,
    value varchar,
    reason varchar not null,
    fragment varchar,
    -- A suggestion.
    suggestion varchar
);

-- part: known  (script)
-- Purpose: load rows of production, for the checks.
-- Inputs:  :"known", made by the dataset; :'file', a CSV with a header row.
-- Outputs: the rows.
insert into :"known" select * from read_csv(:'file', header = true, all_varchar = true, nullstr = '');

-- part: merge  (script)
-- Purpose: decide which records of a merge are exported.
-- Inputs:  records, failed.
-- Outputs: losers, the records whose rows are not exported.

-- The winner among the records of one identity: the last one of the run, unless the identity is deleted anywhere in it.
-- The losers' rows are not exported.
create or replace table losers as
with good as (
    select record_no, record_id, is_delete from records anti join failed using (record_no)
),
latest as (
    select record_id, max(record_no) as record_no, bool_or(is_delete) as is_deleted
    from good
    group by record_id
)
select good.record_no
from good join latest using (record_id)
where latest.is_deleted or good.record_no < latest.record_no
union all
select record_no from failed;

-- part: replace  (script)
-- Purpose: decide which records of a replacement are exported: those of the newest file, and of several for one
--          identity the last.
-- Inputs:  files, records, failed.
-- Outputs: losers, the records whose rows are not exported.
create or replace table losers as
with good as (
    select record_no, record_id from records anti join failed using (record_no)
),
latest as (
    select record_id, max(record_no) as record_no from good group by record_id
)
select good.record_no
from good join latest using (record_id)
where good.record_no < latest.record_no or good.record_no >> 32 < (select max(file_no) from files)
union all
select record_no from failed;

-- part: slices  (script)
-- Purpose: decide which records of slices are exported: the last one of duplicates.
-- Inputs:  records, failed.
-- Outputs: losers, the records whose rows are not exported.
create or replace table losers as
with good as (
    select record_no, record_id from records anti join failed using (record_no)
),
latest as (
    select record_id, max(record_no) as record_no from good group by record_id
)
select good.record_no
from good join latest using (record_id)
where good.record_no < latest.record_no
union all
select record_no from failed;

-- part: all  (script)
-- Purpose: decide which records are exported if the tables hold all parts together: those that did not fail.
-- Inputs:  failed.
-- Outputs: losers, the records whose rows are not exported.
create or replace table losers as
select distinct record_no from failed;

-- part: array_literal  (script)
-- Purpose: write an array for PostgreSQL.
-- Inputs:  none.
-- Outputs: the macro array_literal(elements).

-- An array literal quotes every element, so commas, braces and the word NULL need no special treatment.
create or replace macro array_literal(elements) as
    case when elements is not null then
        '{' || array_to_string(list_transform(elements, lambda element:
            case when element is null then 'NULL'
            else '"' || replace(replace(element, '\', '\\'), '"', '\"') || '"' end), ',') || '}'
    end;

-- part: records  (script)
-- Purpose: write one row for each good record, for the plan of the promotion.
-- Inputs:  files, records, failed, losers; :'dir', the folder that takes the file; :'records', its name.
-- Outputs: the CSV, with a header row.
copy (
    select
        record_id,
        part_id,
        as_of,
        order_key,
        record_no & 4294967295 as ordinal,
        offset_bytes,
        is_delete,
        has_data,
        not is_delete and record_no not in (select record_no from losers) as is_winner
    from records join files on file_no = record_no >> 32
    where record_no not in (select record_no from failed)
    order by record_no
) to (:'dir' || '/' || :'records' || '.csv') (format csv, header, nullstr '');

-- part: counts  (query)
-- Purpose: how many records of each file are good, how many failed.
-- Inputs:  files, records, failed.
-- Outputs: file_no, good, failed.
with good as (
    select record_no >> 32 as file_no, count(*) as n
    from records
    where record_no not in (select record_no from failed)
    group by all
),
bad as (
    select record_no >> 32 as file_no, count(distinct record_no) as n from failed group by all
)
select file_no, coalesce(good.n, 0), coalesce(bad.n, 0)
from files left join good using (file_no) left join bad using (file_no)
order by file_no;

-- part: failures  (query)
-- Purpose: some of the failed records, for the ledger.
-- Inputs:  failed, records; :limit, :offset.
-- Outputs: one row a failure, in the order of the documents.
select
    failed.record_no >> 32 as file_no,
    -- A check need not repeat values of the record itself.
    coalesce(failed.record_id, records.record_id) as record_id,
    failed.record_no & 4294967295 as ordinal,
    failed.offset_bytes,
    table_name,
    field,
    value,
    reason,
    fragment,
    suggestion
from failed left join records on records.record_no = failed.record_no
order by failed.record_no, failed.rowid
limit :limit offset :offset;
