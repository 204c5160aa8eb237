-- Purpose: histories, in production and, without keys, in staging.
-- Engine:  PostgreSQL 14 and later; a script (psql -v)
-- Inputs:  :"schema"
-- Outputs: the tables; existing ones are left as they are. All times are in UTC, offsets are seconds east of it.
create table if not exists :"schema".git_commits (
    record_id text,
    repository_id bigint,
    sha text,
    author_name text,
    author_email_hash text,
    author_time timestamp,
    author_offset int,
    committer_name text,
    committer_email_hash text,
    committer_time timestamp,
    committer_offset int,
    year int,
    subject text,
    is_merge boolean,
    is_bot boolean,
    is_signed boolean,
    notes text,
    unreachable_since_run text
);

create table if not exists :"schema".git_parents (
    record_id text,
    repository_id bigint,
    sha text,
    position int,
    parent_sha text
);

create table if not exists :"schema".git_trailers (
    record_id text,
    repository_id bigint,
    sha text,
    position int,
    token text,
    value text,
    person_name text,
    person_email_hash text
);

create table if not exists :"schema".git_repositories (
    record_id text,
    repository_id bigint,
    full_name text,
    project text,
    state text,
    state_since timestamp,
    seen_at timestamp,
    default_branch text,
    head_names text[],
    head_shas text[],
    moved_from text,
    moved_at timestamp,
    is_named_by_host boolean
);
