-- Purpose: the graph and the metrics in the local staging store of one run.
-- Engine:  DuckDB
-- Inputs:  none; the parser appends rows, the columns in this order.
-- Outputs: graph_nodes, graph_edges and site_metrics; files, records and failed are the engine's.
-- Figures are text: they keep their digits.
create table graph_nodes (
    record_no bigint not null,
    kind varchar,
    key varchar,
    name varchar,
    pagerank varchar,
    month date,
    commits varchar,
    authors varchar,
    newcomers varchar,
    bus_factor varchar,
    merge_share varchar,
    retention varchar,
    growth varchar,
    content_hash varchar,
    record_id varchar
);

create table graph_edges (
    record_no bigint not null,
    kind varchar,
    from_key varchar,
    to_key varchar,
    weight varchar,
    from_kind varchar,
    to_kind varchar,
    record_id varchar
);

create table site_metrics (
    record_no bigint not null,
    kind varchar,
    key varchar,
    metric varchar,
    month date,
    value varchar,
    record_id varchar
);
