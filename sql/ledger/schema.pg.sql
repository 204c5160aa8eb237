-- Purpose: does the ledger exist, and which version is it?
-- Engine:  PostgreSQL 14 and later
-- By hand: sed -n '/^-- part: NAME /,/^-- part:/p' sql/ledger/schema.pg.sql

-- part: schema_exists  (statement)
-- Purpose: is there a schema of that name?
-- Inputs:  $1 the name.
-- Outputs: true or false.
select exists (select from pg_namespace where nspname = $1);

-- part: create_schema  (script)
-- Purpose: create a schema of our own.
-- Inputs:  :"name".
-- Outputs: the schema.
create schema :"name";

-- part: exists  (statement)
-- Purpose: is there a table of that name?
-- Inputs:  $1 the schema, $2 the table.
-- Outputs: true or false.
select exists (
    select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = $1 and relname = $2
);

-- part: version  (script)
-- Purpose: the newest migration that was applied.
-- Inputs:  :"ledger".migrations.
-- Outputs: its number; 0 for a new ledger.
select coalesce(max(version), 0) from :"ledger".migrations;

-- part: applied  (statement)
-- Purpose: enter a migration.
-- Inputs:  $1 its number, $2 its name, $3 the version of the program; :"ledger".
-- Outputs: one row of migrations.
insert into :"ledger".migrations (version, name, applied_by) values ($1, $2, $3);
