-- Purpose: write the graph and the metrics as CSV for PostgreSQL.
-- Engine:  DuckDB
-- Inputs:  the tables of 1_stage.duckdb.sql, losers; :'dir', the folder that takes the files.
-- Outputs: one CSV per table, with a header row.
copy (
    select
        kind, key, name, pagerank, month, commits, authors, newcomers, bus_factor, merge_share, retention, growth, content_hash, record_id
    from graph_nodes
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/graph_nodes.csv') (format csv, header, nullstr '');

copy (
    select
        kind, from_key, to_key, weight, from_kind, to_kind, record_id
    from graph_edges
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/graph_edges.csv') (format csv, header, nullstr '');

copy (
    select
        kind, key, metric, month, value, record_id
    from site_metrics
    where record_no not in (select record_no from losers)
    order by record_no
) to (:'dir' || '/site_metrics.csv') (format csv, header, nullstr '');
