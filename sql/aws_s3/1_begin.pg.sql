-- Purpose: end the function soon when this program is gone: while the server talks to S3, it does not look at its client.
-- Engine:  PostgreSQL 14 and later, on Linux
-- Inputs:  none; in the transaction that then imports or exports.
-- Outputs: none.
set local client_connection_check_interval = '10s';
