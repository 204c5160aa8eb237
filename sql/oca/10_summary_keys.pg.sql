-- Purpose: the key of the summary, and a foreign key so that a case and its summary are deleted together.
-- Engine:  PostgreSQL 14 and later; a script (psql -v), in one transaction (psql -1)
-- Inputs:  :"schema", with oca_index and oca_case_summary, just made.
-- Outputs: the primary key, where oca_index has one: a production that was taken over, or is in parts, may have none, or a
--          case twice, and then an index must do. With it the foreign key, where one may refer to oca_index.

-- (A "do" block sees no psql variables, so it reads a setting.)
select set_config('merganser.schema', :'schema', true);

do $$
declare
    place text := current_setting('merganser.schema');
    is_keyed boolean := exists (
        select
        from pg_constraint join pg_class on pg_class.oid = conrelid
        where conrelid = format('%I.oca_index', place)::regclass
            and contype in ('p', 'u')
            and not condeferrable
            -- A key does not cover the rows of tables that inherit.
            and (relkind = 'p' or not relhassubclass)
            and conkey = (
                select array_agg(attnum) from pg_attribute where attrelid = conrelid and attname = 'indexnumberid'
            )
    );
begin
    if is_keyed then
        execute format('alter table %I.oca_case_summary add primary key (indexnumberid)', place);
        if has_table_privilege(format('%I.oca_index', place), 'references') then
            execute format(
                'alter table %1$I.oca_case_summary add foreign key (indexnumberid)'
                ' references %1$I.oca_index (indexnumberid) on delete cascade',
                place
            );
        end if;
    else
        execute format('create index on %I.oca_case_summary (indexnumberid)', place);
    end if;
end
$$;
