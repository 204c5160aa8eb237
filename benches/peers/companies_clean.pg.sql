-- :"schema" and :"table" stand for the version that is built.
create table :"schema".:"table" (
    company_id bigint primary key,
    -- The key of the raw rows as it is; what is cleaned of it stands in zip.
    zip_code text,
    zip text,
    name text not null,
    founded date,
    revenue numeric(14, 2),
    is_largest boolean not null
);
create index on :"schema".:"table" (zip_code);
comment on table :"schema".:"table" is 'companies, cleaned';
