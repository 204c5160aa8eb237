-- Purpose: who and where we are, for the preflight.
-- Engine:  PostgreSQL 14 and later; an older server answers it too; a script (psql -v)
-- Inputs:  none.
-- Outputs: one row: version, version_number, db_user, tls (null: the connection has none), is_standby, is_read_only
--          (by the settings of server, database or role), epoch_seconds of the server's clock, postgis and aws_s3 (the
--          versions of these extensions, null where there is none).
select
    current_setting('server_version') as version,
    current_setting('server_version_num')::int as version_number,
    current_user::text as db_user,
    (select ssl.version from pg_stat_ssl as ssl where ssl.pid = pg_backend_pid() and ssl.ssl) as tls,
    pg_is_in_recovery() as is_standby,
    current_setting('default_transaction_read_only') = 'on' as is_read_only,
    extract(epoch from clock_timestamp())::float8 as epoch_seconds,
    (select extversion from pg_extension where extname = 'postgis') as postgis,
    (select extversion from pg_extension where extname = 'aws_s3') as aws_s3;
