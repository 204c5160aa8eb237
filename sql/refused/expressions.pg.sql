-- Purpose: the constraints of a production table that can be evaluated on staged rows alone.
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 table, $3 the columns that are staged.
-- Outputs: one row each: constraint_name (null: a NOT NULL), column_name (null: not of one column), condition (SQL that
--          is true for a staged row that breaks it). No rows if a trigger may change a row before the check. Constraints
--          that name a column which is not staged are left out: only the server knows its value.
with recursive relation as (
    select class.oid
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1
        and class.relname = $2
        -- A BEFORE trigger for each row, on INSERT or UPDATE.
        and not exists (
            select from pg_trigger
            where tgrelid = class.oid and tgtype & 3 = 3 and tgtype & 20 > 0 and tgenabled <> 'D'
        )
),
columns as (
    select attribute.attnum, attribute.attname, attribute.attnotnull, attribute.atttypid
    from relation join pg_attribute as attribute on attribute.attrelid = relation.oid
    where attribute.attname = any ($3::text[]) and not attribute.attisdropped
),
-- A domain may be over another domain.
domains as (
    select columns.attname, type.oid, type.typbasetype, type.typtypmod, type.typnotnull
    from columns join pg_type as type on type.oid = columns.atttypid
    where type.typtype = 'd'
    union all
    select domains.attname, type.oid, type.typbasetype, type.typtypmod, type.typnotnull
    from domains join pg_type as type on type.oid = domains.typbasetype
    where type.typtype = 'd'
),
found as (
    select null::text as constraint_name, attname::text as column_name, format('%I is null', attname) as condition
    from columns
    where attnotnull
    union all
    select null, attname, format('%I is null', attname)
    from domains
    where typnotnull
    union all
    -- In the expression of a domain, the value is a column of this name.
    select conname, attname, format(
        'exists (select from (select %I::%s as value) as of_domain where (%s) is false)',
        attname, format_type(typbasetype, typtypmod), pg_get_expr(conbin, 0)
    )
    from domains join pg_constraint on contypid = domains.oid
    where contype = 'c'
    union all
    select conname, null, format('(%s) is false', pg_get_expr(conbin, conrelid))
    from relation join pg_constraint on conrelid = relation.oid
    where contype = 'c'
        and conkey <@ (select array_agg(attnum) from columns)
        and pg_get_constraintdef(pg_constraint.oid) not like '%NOT ENFORCED'
)
select constraint_name, column_name, condition
from found
order by constraint_name, column_name;
