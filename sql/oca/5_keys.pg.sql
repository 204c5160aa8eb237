-- Purpose: keys, foreign keys and indexes of the court extract's tables.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction (psql -1)
-- Inputs:  :"schema", the tables of 4_tables.pg.sql, just made.
-- Outputs: the primary keys, the foreign keys and the indexes; with PostGIS also oca_addresses.geom.

alter table :"schema".oca_index add primary key (indexnumberid);
alter table :"schema".oca_metadata add primary key (indexnumberid);

alter table :"schema".oca_causes add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_addresses add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_parties add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_events add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_appearances add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_appearance_outcomes add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_motions add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_decisions add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_judgments add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;
alter table :"schema".oca_warrants add foreign key (indexnumberid)
    references :"schema".oca_index (indexnumberid) on delete cascade;

create index on :"schema".oca_causes (indexnumberid);
create index on :"schema".oca_addresses (indexnumberid);
create index on :"schema".oca_parties (indexnumberid);
create index on :"schema".oca_events (indexnumberid);
create index on :"schema".oca_appearances (indexnumberid);
create index on :"schema".oca_appearance_outcomes (indexnumberid);
create index on :"schema".oca_motions (indexnumberid);
create index on :"schema".oca_decisions (indexnumberid);
create index on :"schema".oca_judgments (indexnumberid);
create index on :"schema".oca_warrants (indexnumberid);
create index on :"schema".oca_addresses (bbl);

-- The geometry, where PostGIS is installed. (A "do" block sees no psql variables, so it reads a setting.)
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
            'alter table %I.oca_addresses add column geom %I.geometry(Point, 4326)',
            current_setting('merganser.schema'), postgis
        );
    end if;
end
$$;
