-- Purpose: the memory of enrichments: what was answered once is not asked again.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"ledger".
-- Outputs: answers. A key is a checksum of the question; an answer may be as private as the question is.
create table :"ledger".answers (
    dataset text not null,
    enrichment text not null,
    key text not null,
    -- Who answered, and in which edition.
    way text not null,
    version text not null,
    -- Without what is null.
    answer jsonb not null,
    run_id uuid references :"ledger".runs on delete set null,
    answered_at timestamptz not null default clock_timestamp(),
    primary key (dataset, enrichment, key, way)
);
-- Default privileges may open new tables to people who look: not this one. (A "do" block sees no psql variables.)
select set_config('merganser.ledger', :'ledger', true);

do $$
declare
    ledger text := current_setting('merganser.ledger');
    grantee text;
begin
    for grantee in
        select distinct coalesce(quote_ident(role.rolname), 'public')
        from pg_class
            join pg_namespace on pg_namespace.oid = relnamespace
            cross join lateral aclexplode(relacl) as granted
            left join pg_roles as role on role.oid = granted.grantee
        where nspname = ledger and relname = 'answers' and granted.grantee <> relowner
    loop
        execute format('revoke all on %I.answers from %s', ledger, grantee);
    end loop;
end
$$;

comment on table :"ledger".answers is
'Private: answers to questions that were asked of production rows, such as where an address is.';
