-- Purpose: the key of the tracts, and where PostGIS is installed their geometry, with its index.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction (psql -1)
-- Inputs:  :"schema", with oca_tracts, just made.
-- Outputs: the key, oca_tracts.geom and its index. What fills it then, anew and in one transaction:
--          COPY oca_tracts (geoid, countyfp, geom) FROM STDIN (FORMAT csv), with the geometry as EWKT (SRID=4326;MULTIPOLYGON(…))
--          or as hexadecimal EWKB.
alter table :"schema".oca_tracts add primary key (geoid);

-- (A "do" block sees no psql variables, so it reads a setting.)
select set_config('merganser.schema', :'schema', true);

do $$
declare
    postgis text := (
        select nspname
        from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
        where extname = 'postgis'
    );
begin
    if postgis is not null then
        execute format(
            'alter table %1$I.oca_tracts add column geom %2$I.geometry(MultiPolygon, 4326)',
            current_setting('merganser.schema'), postgis
        );
        execute format('create index on %I.oca_tracts using gist (geom)', current_setting('merganser.schema'));
    end if;
end
$$;
