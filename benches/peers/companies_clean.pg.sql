-- Purpose: create the table of clean companies.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema" and :"table", the version that is built.
-- Outputs: the table, without rows.
create table :"schema".:"table" (
    company_id bigint primary key,
    -- The key of the raw rows as it is; what is cleaned of it stands in zip.
    zip_code text,
    zip text,
    name text not null,
    trade_name text,
    street text,
    unit text,
    city text,
    county text,
    state text,
    country text,
    phone text,
    fax text,
    email text,
    website text,
    contact text,
    title text,
    naics text,
    sic text,
    legal_form text,
    employees bigint,
    founded date,
    revenue numeric(14, 2),
    status text,
    remarks text,
    is_largest boolean not null
);
create index on :"schema".:"table" (zip_code);
