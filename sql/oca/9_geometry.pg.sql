-- Purpose: the geometry of addresses, where PostGIS is installed and the table has it.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), inside the transaction of a promotion or a backfill
-- Inputs:  :"schema"; pg_temp.completed: record_id of the cases whose addresses are to be looked at.
-- Outputs: oca_addresses.geom, of lon and lat. (A "do" block sees no psql variables, so it reads a setting.)
select set_config('merganser.schema', :'schema', true);

do $$
declare
    postgis text := (
        select nspname
        from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
        where extname = 'postgis'
    );
    has_geom boolean := exists (
        select
        from pg_attribute
        where attrelid = to_regclass(format('%I.oca_addresses', current_setting('merganser.schema')))
            and attname = 'geom'
            and not attisdropped
            and attgenerated = ''
    );
    has_work boolean := false;
begin
    -- Where nothing is geocoded, the right to update is not needed.
    if postgis is not null and has_geom then
        execute format(
            'select exists (
                select
                from %I.oca_addresses
                where (lat is not null or geom is not null)
                    and indexnumberid in (select record_id from pg_temp.completed)
            )',
            current_setting('merganser.schema')
        ) into has_work;
    end if;
    if has_work then
        -- Operators of PostGIS may be in another schema: bytes are compared.
        execute format(
            'update %1$I.oca_addresses as address
            set geom = %2$I.st_setsrid(%2$I.st_makepoint(lon, lat), 4326)
            where indexnumberid in (select record_id from pg_temp.completed)
                and (lat is not null or geom is not null)
                and %2$I.st_asewkb(geom) is distinct from
                    %2$I.st_asewkb(%2$I.st_setsrid(%2$I.st_makepoint(lon, lat), 4326))',
            current_setting('merganser.schema'), postgis
        );
    end if;
end
$$;
