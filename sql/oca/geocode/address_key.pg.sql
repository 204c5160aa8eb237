-- Purpose: the key of an address, made as questions.duckdb.sql makes it.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  none.
-- Outputs: the temporary functions key_text and address_key.
create or replace function pg_temp.key_text(line text) returns text
language sql immutable parallel safe
as $$
    select translate(
        trim(both ' ' from regexp_replace(coalesce(line, ''), '[\x01-\x20]+', ' ', 'g')),
        'abcdefghijklmnopqrstuvwxyz',
        'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
    )
$$;

create or replace function pg_temp.address_key(
    street1 text, street2 text, city text, state text, postalcode text
) returns text
language sql immutable parallel safe
as $$
    select md5(
        concat_ws(
            chr(31),
            pg_temp.key_text(street1),
            pg_temp.key_text(street2),
            pg_temp.key_text(city),
            pg_temp.key_text(state),
            pg_temp.key_text(postalcode)
        )
    )
$$;
