-- Purpose: the graph and the metrics, in production and, without keys, in staging.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: the tables; existing ones are left as they are.
create table if not exists :"schema".graph_nodes (
    kind text,
    key text,
    name text,
    pagerank numeric,
    month date,
    commits numeric,
    authors numeric,
    newcomers numeric,
    bus_factor numeric,
    merge_share numeric,
    retention numeric,
    growth numeric,
    content_hash text,
    record_id text
);

create table if not exists :"schema".graph_edges (
    kind text,
    from_key text,
    to_key text,
    weight numeric,
    from_kind text,
    to_kind text,
    record_id text
);

create table if not exists :"schema".site_metrics (
    kind text,
    key text,
    metric text,
    month date,
    value numeric,
    record_id text
);
