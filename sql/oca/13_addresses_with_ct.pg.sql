-- Purpose: addresses with the census tract in which they lie, statewide.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction (psql -1)
-- Inputs:  :"schema".oca_addresses and oca_tracts; :"into", the schema of the view.
-- Outputs: the view oca_addresses_with_ct, one row an address; tract and county are NULL where there is no tract, and where
--          either table has no geometry, which takes PostGIS.

-- (A "do" block sees no psql variables, so it reads settings.)
select set_config('merganser.schema', :'schema', true), set_config('merganser.into', :'into', true);

do $$
declare
    tables text := current_setting('merganser.schema');
    postgis text := (
        select nspname
        from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
        where extname = 'postgis'
            and 2 = (
                select count(*)
                from pg_attribute
                    join pg_class on pg_class.oid = attrelid
                    join pg_namespace as place on place.oid = relnamespace
                where place.nspname = current_setting('merganser.schema')
                    and relname in ('oca_addresses', 'oca_tracts')
                    and attname = 'geom'
                    and not attisdropped
            )
    );
    -- A point on the border of two tracts counts for the first of them, so that an address is one row.
    tract text := case
        when postgis is null then 'select null::text as geoid, null::text as countyfp'
        else format(
            'select geoid, countyfp from %I.oca_tracts as tract'
            ' where %I.st_intersects(address.geom, tract.geom) order by geoid limit 1',
            tables, postgis
        )
    end;
begin
    execute format(
        'create or replace view %I.oca_addresses_with_ct as'
        ' select address.indexnumberid, found.geoid, found.countyfp, address.city, address.state, address.postalcode'
        ' from %I.oca_addresses as address left join lateral (%s) as found on true',
        current_setting('merganser.into'), tables, tract
    );
end
$$;
