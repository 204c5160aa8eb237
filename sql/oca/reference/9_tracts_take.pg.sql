-- Purpose: load census tracts whose geometry is valid.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction (psql -1)
-- Inputs:  :"schema", with oca_tracts, empty; pg_temp.filling and pg_temp.faults.
-- Outputs: rows of oca_tracts, which gets its geometry where PostGIS came after it; what cannot be taken, in pg_temp.faults.

-- (A "do" block sees no psql variables, so it reads a setting.)
select set_config('merganser.schema', :'schema', true);

do $$
declare
    tables text := current_setting('merganser.schema');
    postgis text := (
        select nspname
        from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
        where extname = 'postgis'
    );
    tract record;
    fault text;
begin
    if postgis is null then
        insert into pg_temp.faults (subject, reason, hint)
        values (
            'the database',
            'has no PostGIS, and a tract is a shape',
            'run create extension postgis; in this database, then the same command again; without --tracts it takes the rest'
        );
        return;
    end if;
    if not exists (
        select
        from pg_attribute
            join pg_class on pg_class.oid = attrelid
            join pg_namespace on pg_namespace.oid = relnamespace
        where nspname = tables and relname = 'oca_tracts' and attname = 'geom' and not attisdropped
    ) then
        execute format(
            'alter table %1$I.oca_tracts add column geom %2$I.geometry(MultiPolygon, 4326)', tables, postgis
        );
        execute format('create index on %I.oca_tracts using gist (geom)', tables);
    end if;
    for tract in select geoid, countyfp, geom from pg_temp.filling order by geoid loop
        begin
            execute format(
                'with typed as (select %2$I.st_multi(%2$I.st_geomfromtext(%5$L, 4326)) as geom),'
                ' taken as ('
                '     insert into %1$I.oca_tracts (geoid, countyfp, geom)'
                '     select %3$L, %4$L, geom from typed'
                '     where %2$I.st_isvalid(geom)'
                '         and %2$I.st_coveredby(geom, %2$I.st_makeenvelope(-80, 40, -71.5, 45.5, 4326))'
                '     returning geoid'
                ' )'
                ' select case'
                '     when not %2$I.st_isvalid(geom) then ''has a shape that is not valid'''
                '     when not exists (select from taken) then ''does not lie in the state'''
                ' end from typed',
                tables, postgis, tract.geoid, tract.countyfp, tract.geom
            ) into fault;
        exception when others then
            fault := 'has no shape that can be read';
        end;
        if fault is not null then
            insert into pg_temp.faults (subject, reason) values ('tract ' || tract.geoid, fault);
        end if;
    end loop;
end
$$;
