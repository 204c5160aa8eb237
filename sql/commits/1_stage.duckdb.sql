-- Purpose: histories in the local staging store of one run.
-- Engine:  DuckDB
-- Inputs:  none; the parser appends rows, the columns in this order.
-- Outputs: git_commits, git_parents, git_trailers, git_repositories; files, records and failed are the engine's.
create table git_commits (
    record_no bigint not null,
    record_id varchar,
    repository_id bigint,
    sha varchar,
    author_name varchar,
    author_email_hash varchar,
    author_time timestamp,
    author_offset integer,
    committer_name varchar,
    committer_email_hash varchar,
    committer_time timestamp,
    committer_offset integer,
    year integer,
    subject varchar,
    is_merge boolean,
    is_bot boolean,
    is_signed boolean,
    notes varchar
);

create table git_parents (
    record_no bigint not null,
    record_id varchar,
    repository_id bigint,
    sha varchar,
    position integer,
    parent_sha varchar
);

create table git_trailers (
    record_no bigint not null,
    record_id varchar,
    repository_id bigint,
    sha varchar,
    position integer,
    token varchar,
    value varchar,
    person_name varchar,
    person_email_hash varchar
);

-- What a file says of repositories is no record: the plan takes it.
create table git_repositories (
    record_no bigint not null,
    record_id varchar,
    repository_id bigint,
    full_name varchar,
    project varchar,
    state varchar,
    state_since timestamp,
    seen_at timestamp,
    default_branch varchar,
    head_names varchar[],
    head_shas varchar[],
    moved_from varchar,
    moved_at timestamp,
    is_named_by_host boolean
);
