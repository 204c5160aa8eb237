-- Purpose: what have others put on our tables that can make a statement do more or less than it says?
-- Engine:  PostgreSQL 14 and later; a statement (prepare)
-- Inputs:  $1 schema, $2 names of tables.
-- Outputs: one row for each object in force: table_name; kind (trigger, rule, policy, child: a table that inherits); name;
--          definition as the server gives it. The internal triggers of keys and foreign keys are left out.
with recursive ours as (
    select class.oid, class.relname::text as table_name, class.relkind, class.relrowsecurity
    from pg_class as class join pg_namespace as namespace on namespace.oid = class.relnamespace
    where namespace.nspname = $1 and class.relname = any ($2::text[]) and class.relkind in ('r', 'p')
),
-- A row that goes into a partition, or is deleted from a child, fires the triggers of that table.
tree as (
    select oid as part_oid, table_name, relkind as parent_kind, false as is_part from ours
    union all
    select inherits.inhrelid, tree.table_name, parent.relkind, true
    from tree
        join pg_inherits as inherits on inherits.inhparent = tree.part_oid
        join pg_class as parent on parent.oid = inherits.inhparent
),
in_force as (
    select unnest(case current_setting('session_replication_role') when 'replica' then '{R,A}' else '{O,A}' end::"char"[])
        as enabled
),
attached as (
    select
        tree.table_name,
        'trigger' as kind,
        trigger.tgname::text as name,
        pg_get_triggerdef(trigger.oid, true) as definition
    from tree join pg_trigger as trigger on trigger.tgrelid = tree.part_oid
    -- A trigger of a partitioned table exists on every partition, too.
    where not trigger.tgisinternal
        and trigger.tgparentid = 0
        and trigger.tgenabled in (select enabled from in_force)
    union all
    select ours.table_name, 'rule', rule.rulename::text, pg_get_ruledef(rule.oid, true)
    from ours join pg_rewrite as rule on rule.ev_class = ours.oid
    where rule.ev_type <> '1' and rule.ev_enabled in (select enabled from in_force)
    union all
    select
        ours.table_name,
        'policy',
        coalesce(policy.polname::text, '(row security without a policy)'),
        coalesce(pg_get_expr(policy.polqual, policy.polrelid), pg_get_expr(policy.polwithcheck, policy.polrelid), '')
    from ours left join pg_policy as policy on policy.polrelid = ours.oid
    where ours.relrowsecurity
    union all
    select tree.table_name, 'child', tree.part_oid::regclass::text, 'inherits ' || tree.table_name
    from tree
    where tree.is_part and tree.parent_kind = 'r'
)
select table_name, kind, name, definition
from attached
order by array_position($2::text[], table_name), kind, name, definition;
