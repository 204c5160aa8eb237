-- Purpose: the Property Address Directory as the matching needs it: streets with their keys, ranges with numbers that sort.
-- Engine:  DuckDB
-- Inputs:  :'addresses', the directory's bobaadr.txt; :'billing', its bobabbl.txt; the macros of geocode/1_words.
-- Outputs: directory_rows, one a row of the directory that can be used; street_names, for geocode/5_keys; and
--          left_out: reason and number of the rows that cannot.
create or replace table billing_lots as
select
    try_cast(trim(loboro) as integer) * 100000 + try_cast(trim(loblock) as integer) as block,
    try_cast(trim(lolot) as integer) as low_lot,
    coalesce(try_cast(trim(hilot) as integer), try_cast(trim(lolot) as integer)) as high_lot,
    try_cast(trim(billboro) as bigint) * 1000000000 + try_cast(trim(billblock) as bigint) * 10000
    + try_cast(trim(billlot) as bigint) as bbl
from read_csv(:'billing', header = true, delim = ',', quote = '"', escape = '"', all_varchar = true)
where try_cast(trim(billlot) as integer) > 0
    and try_cast(trim(lolot) as integer) <= 6999 and coalesce(try_cast(trim(hilot) as integer), 9999) >= 1001;

create or replace table directory_typed as
with trimmed as (
    select
        try_cast(trim(boro) as integer) as boro,
        coalesce(try_cast(nullif(trim(scboro), '') as integer), try_cast(trim(boro) as integer)) as street_boro,
        try_cast(trim(block) as integer) as block,
        try_cast(trim(lot) as integer) as lot,
        try_cast(trim(bin) as integer) as bin,
        trim(lhnd) as low_shown, trim(lhns) as low_sorts, trim(hhns) as high_sorts, trim(hhnd) as high_shown,
        trim(stname) as street,
        trim(addrtype) as kind,
        try_cast(nullif(trim(parity), '') as integer) as parity,
        coalesce(try_cast(trim(zipcode) as integer), 0) as zip
    from read_csv(:'addresses', header = true, delim = ',', quote = '"', escape = '"', all_varchar = true)
)
select
    *,
    address_text(street) as name,
    case
        when boro not between 1 and 5 or boro is null or block is null or lot is null or block <= 0 or lot <= 0
            then 'no borough, block or lot'
        when street_boro not between 1 and 5 then 'no borough of its street'
        when street is null or street = '' then 'no name of a street'
        when kind in ('B', 'F') then 'a vacant frontage, or a building without an address'
        when kind in ('N', 'G', 'X') and coalesce(low_sorts, '') = '' then null
        when not regexp_full_match(coalesce(low_sorts, ''), '[01][0-9]{8}[A-Z0-9]{2}') then 'no house number that sorts'
        when coalesce(high_sorts, '') <> '' and not regexp_full_match(high_sorts, '[01][0-9]{8}[A-Z0-9]{2}')
            then 'no house number that sorts'
    end as reason
from trimmed;

-- A number sorts by hyphen, the digits before it, those behind it and the suffix. Where the number is shown with a hyphen,
-- what is shown decides: the flag of the sorted one is not confirmed by any published row.
create or replace table directory_rows as
with numbered as (
    select
        *,
        regexp_extract(low_shown, '^([0-9]{1,5})-([0-9]{1,3})', ['before', 'behind']) as low_hyphen,
        regexp_extract(high_shown, '^([0-9]{1,5})-([0-9]{1,3})', ['before', 'behind']) as high_hyphen,
        coalesce(nullif(high_sorts, ''), low_sorts) as top_sorts
    from directory_typed
    where reason is null
),
keyed as (
    select
        *,
        case
            when coalesce(low_sorts, '') = '' then -1
            when low_hyphen.before <> '' then house_key(
                1, try_cast(low_hyphen.before as integer), try_cast(low_hyphen.behind as integer), suffix_rank(low_sorts[10:11]))
            else house_key(
                try_cast(low_sorts[1] as integer), try_cast(low_sorts[2:6] as integer), try_cast(low_sorts[7:9] as integer), suffix_rank(low_sorts[10:11]))
        end as low,
        case
            when coalesce(top_sorts, '') = '' then -1
            when high_hyphen.before <> '' then house_key(
                1, try_cast(high_hyphen.before as integer), try_cast(high_hyphen.behind as integer), suffix_rank(top_sorts[10:11]))
            when high_shown = '' and low_hyphen.before <> '' then house_key(
                1, try_cast(low_hyphen.before as integer), try_cast(low_hyphen.behind as integer), suffix_rank(top_sorts[10:11]))
            else house_key(
                try_cast(top_sorts[1] as integer), try_cast(top_sorts[2:6] as integer), try_cast(top_sorts[7:9] as integer), suffix_rank(top_sorts[10:11]))
        end as high
    from numbered
)
select
    boro,
    street_boro,
    (boro * 100000 + block)::integer as block,
    lot,
    case when bin % 1000000 = 0 or bin not between 1000000 and 5999999 then 0 else coalesce(bin, 0) end::integer as bin,
    street,
    name,
    low,
    -- A range that runs backwards, or from one way of numbering to the other, is reduced to its first number.
    case when high < low or house_hyphen(high) <> house_hyphen(low) then low else high end as high,
    coalesce(parity, 0) as parity,
    zip
from keyed;

create or replace table left_out as
select reason, count(*) as rows from directory_typed where reason is not null group by reason order by reason;

drop table directory_typed;

create or replace table street_names as
select distinct name from directory_rows;
