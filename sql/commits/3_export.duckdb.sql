-- Purpose: write histories as CSVs for PostgreSQL.
-- Engine:  DuckDB
-- Inputs:  the staging tables, losers and array_literal() of sql/staged; :'dir', the folder that takes the files.
-- Outputs: a CSV a table, with a header row, the rows as they were staged, which is their order: a sort of a million commits would
--          not fit into the memory of the store. Quotes tell an empty text from one that is absent.
copy (
    select
        record_id, repository_id, sha, author_name, author_email_hash, author_time, author_offset,
        committer_name, committer_email_hash, committer_time, committer_offset, year, subject, is_merge, is_bot,
        is_signed, notes, null as unreachable_since_run
    from git_commits
    where record_no not in (select record_no from losers)
) to (:'dir' || '/git_commits.csv') (format csv, header, nullstr '');

copy (
    select record_id, repository_id, sha, position, parent_sha
    from git_parents
    where record_no not in (select record_no from losers)
) to (:'dir' || '/git_parents.csv') (format csv, header, nullstr '');

copy (
    select record_id, repository_id, sha, position, token, value, person_name, person_email_hash
    from git_trailers
    where record_no not in (select record_no from losers)
) to (:'dir' || '/git_trailers.csv') (format csv, header, nullstr '');

-- Of several words on a repository the last one counts, and what it leaves open an earlier one may say.
copy (
    select
        record_id, repository_id, full_name, project, state, state_since, seen_at, default_branch,
        array_literal(head_names) as head_names, array_literal(head_shas) as head_shas, moved_from, moved_at, is_named_by_host
    from git_repositories
    order by record_no, seen_at
) to (:'dir' || '/git_repositories.csv') (format csv, header, nullstr '');
