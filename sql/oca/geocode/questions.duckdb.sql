-- Purpose: the questions of a batch: its addresses, each distinct one once.
-- Engine:  DuckDB
-- Inputs:  oca_addresses of the staging store, losers, records and sealed of sql/staged.
-- Outputs: all_questions (key, street1, street2, city, state, postalcode); an empty table of answers (key, way, version and
--          the columns of oca_addresses that are not in the extract, all as text); ways (way, version), empty: those that
--          are named, in their order; the views valid_answers, the answers that count, and best_answers, one a key;
--          and the macros that make the key. address_key.pg.sql makes the same key, backfill_open.pg.sql the same rank.

-- Small and capital letters of ASCII alone are the same, as are kinds and numbers of blanks: both engines agree on that.
create macro key_text(line) as translate(
    trim(regexp_replace(coalesce(line, ''), '[\x01-\x20]+', ' ', 'g'), ' '),
    'abcdefghijklmnopqrstuvwxyz',
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
);
create macro address_key(street1, street2, city, state, postalcode) as md5(
    concat_ws(
        chr(31),
        key_text(street1),
        key_text(street2),
        key_text(city),
        key_text(state),
        key_text(postalcode)
    )
);

create table all_questions as
select
    address_key(street1, street2, city, state, postalcode) as key,
    min(street1) as street1,
    min(street2) as street2,
    min(city) as city,
    min(state) as state,
    min(postalcode) as postalcode
from oca_addresses
-- What is deleted, or said otherwise by a later record, is not asked for.
where record_no not in (select record_no from losers)
    -- What was sealed before never comes back, and nobody is told of it.
    and record_no not in (select record_no from records join sealed using (record_id))
group by 1;

create table ways (
    way varchar not null,
    version varchar not null
);

create table answers (
    key varchar not null,
    way varchar not null,
    -- The edition of an answer that was remembered; null: it was given in this run.
    version varchar,
    status varchar,
    house_number varchar,
    street_name varchar,
    borough_code varchar,
    place_name varchar,
    sname varchar,
    hnum varchar,
    boro varchar,
    lat varchar,
    lon varchar,
    bin varchar,
    bbl varchar,
    cd varchar,
    ct varchar,
    council varchar,
    grc varchar,
    grc2 varchar,
    msg varchar,
    msg2 varchar,
    zip_code varchar
);

-- An answer of an earlier edition of a way counts until the way answers now. Answers of ways that are not named count too.
create view valid_answers as
select
    answers.*,
    answers.rowid as row_no,
    ways.rowid as number,
    answers.version is null or coalesce(answers.version = ways.version, false) as is_current
from answers left join ways using (way)
where answers.rowid not in (
    select older.rowid
    from answers as older
    join answers as newer using (key, way)
    where older.version is not null and newer.version is null and newer.status <> 'failed'
);

-- A building lot is better than a point on a street, and a point than none. Any answer of another way ranks above a service
-- that did not answer; that service is asked again anyway.
create macro answer_rank(status, bbl, lat) as case
    when bbl is not null then 1
    when lat is not null then 2
    when status = 'tie' then 3
    when status is null or status = 'failed' then 5
    else 4
end;

-- Among equally good answers, that of the way named first counts, then the latest.
create view best_answers as
select valid_answers.* exclude (way, version, row_no, number, is_current)
from valid_answers
qualify row_number() over (
    partition by key
    order by
        answer_rank(status, bbl, lat),
        number nulls last,
        row_no
) = 1;
