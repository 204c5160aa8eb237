-- Purpose: comments of tables, views and columns, as the dataset's dictionary says.
-- Engine:  PostgreSQL 14 and later, inside the transaction of the promotion
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/promote/comments.pg.sql

-- part: begin  (script)
-- Purpose: before comments are set: they may fail, and the promotion may not, nor wait for them.
-- Inputs:  none.
-- Outputs: a savepoint; lock_timeout.
savepoint comments;
set local lock_timeout = '2s';

-- part: end  (script, after begin)
-- Purpose: the comments are set.
-- Inputs:  none.
-- Outputs: lock_timeout as it was.
set local lock_timeout = 0;
release savepoint comments;

-- part: give_up  (script, after begin)
-- Purpose: somebody holds a table against it.
-- Inputs:  none.
-- Outputs: all as it was before.
rollback to savepoint comments;
release savepoint comments;

-- part: differing  (statement)
-- Purpose: which of them say something else?
-- Inputs:  $1 schema, $2 the dictionary: a JSON list of objects with table, column (null: the table itself) and about.
-- Outputs: a row for each that differs, of what is there and may be commented by us: the statement that sets it. A comment
--          that says the same is not written again: that would lock its table against a vacuum.
with said as (
    select
        entry.value ->> 'table' as table_name,
        entry.value ->> 'column' as column_name,
        entry.value ->> 'about' as about,
        entry.position
    from jsonb_array_elements($2::jsonb) with ordinality as entry (value, position)
),
relation as (
    select class.oid, class.relname, class.relkind, format('%I.%I', namespace.nspname, class.relname) as place
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relkind in ('r', 'p', 'v') and pg_has_role(class.relowner, 'usage')
)
select
    case
        when said.column_name is not null
            then format('comment on column %s.%I is %L;', relation.place, said.column_name, said.about)
        else format(
            'comment on %s %s is %L;',
            case when relation.relkind = 'v' then 'view' else 'table' end,
            relation.place,
            said.about
        )
    end as statement
from said
    join relation on relation.relname = said.table_name
    left join pg_attribute as attribute
        on attribute.attrelid = relation.oid
        and attribute.attname = said.column_name
        and attribute.attnum > 0
        and not attribute.attisdropped
where (said.column_name is null or attribute.attnum is not null)
    and said.about is distinct from coalesce(
        case
            when said.column_name is null then obj_description(relation.oid, 'pg_class')
            else col_description(relation.oid, attribute.attnum)
        end,
        ''
    )
order by said.position;
