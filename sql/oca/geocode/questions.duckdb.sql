-- Purpose: the questions of a batch: its addresses, each distinct one once.
-- Engine:  DuckDB
-- Inputs:  oca_addresses of the staging store, losers, records and sealed of sql/staged.
-- Outputs: all_questions (key, street1, street2, city, state, postalcode), an empty table of answers (key, way and
--          the columns of oca_addresses that are not in the extract, all as text), best_answers (a view of them: one
--          a key), and the macros that make the key. address_key.pg.sql makes the same key.

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

create table answers (
    key varchar not null,
    way varchar not null,
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

-- One building lot is better than several, and what went wrong must be tried again; of the others the first counts.
create view best_answers as
select answers.* exclude (way)
from answers
qualify row_number() over (
    partition by key
    order by
        case status when 'match' then 1 when 'tie' then 2 when 'failed' then 3 else 4 end,
        answers.rowid
) = 1;
