-- Purpose: the keys of the graph and the metrics.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  the tables of 4_tables.pg.sql in :"schema".
-- Outputs: primary keys, and indexes by which a node's edges and metrics are found.
alter table :"schema".graph_nodes add primary key (record_id);
alter table :"schema".graph_edges add primary key (from_kind, from_key, kind, to_kind, to_key);
alter table :"schema".site_metrics add primary key (kind, key, metric, month);
create index graph_nodes_key_idx on :"schema".graph_nodes (kind, key);
create index graph_edges_record_id_idx on :"schema".graph_edges (record_id);
create index graph_edges_to_idx on :"schema".graph_edges (to_kind, to_key);
create index site_metrics_record_id_idx on :"schema".site_metrics (record_id);
