-- What only the backend needs: the work itself, in a schema granted to nobody.
-- The public tables show a user what goes on; these say what is to be done next.

-- The slot counter of a job, and the counts that its public row is refreshed from.
-- Rows are written under the advisory lock of the job's dataset.
create table pixcrawler.job (
    job_id integer primary key references public.crawl_jobs (id) on delete cascade,
    dataset_id integer not null,
    -- Images asked for, and how many of them are there.
    wanted integer not null check (wanted > 0),
    kept integer not null default 0 check (kept between 0 and wanted),
    -- Candidates judged, and bodies received whole.
    judged integer not null default 0,
    downloaded integer not null default 0,
    -- The public row follows at most twice a second.
    refreshed_at timestamptz not null default now()
);

-- One input at one source: the checkpoint of its crawl and who holds it.
create table pixcrawler.chunk (
    id integer primary key references public.job_chunks (id) on delete cascade,
    job_id integer not null references public.crawl_jobs (id) on delete cascade,
    source text not null,
    -- The class of the images.
    label text not null,
    -- Position among the job's inputs, and of the source among those of the input:
    -- the order in which shares are given.
    input integer not null,
    rank integer not null,
    query jsonb not null,

    state text not null default 'queued'
        check (state in ('queued', 'running', 'waiting', 'satisfied', 'exhausted', 'failed', 'cancelled')),
    -- Raised by each enqueue; a message for another run is stale.
    run integer not null default 0,
    -- Who works on it; every write of a worker names it.
    lease uuid,
    share integer not null check (share >= 0),
    kept integer not null default 0 check (kept between 0 and share),

    -- The plugin's state and the requests it waits for; no requests before the first step.
    plugin_state text not null default '',
    plugin_digest text,
    requests jsonb,
    -- True after a step that wants to be called again with the same answers.
    again boolean not null default false,
    -- The source has no more to give; the backlog may still hold some.
    source_done boolean not null default false,
    -- Spent so far, against the budgets of a chunk; `found` also numbers the backlog.
    steps integer not null default 0,
    found integer not null default 0,
    asked integer not null default 0,
    received bigint not null default 0,

    -- Workers that died while they held it, in a row, and passing errors in a row.
    crash_count integer not null default 0,
    errors_in_row integer not null default 0,
    -- The source is not asked before the first, the chunk not worked on before the second.
    step_not_before timestamptz,
    not_before timestamptz,
    -- Why it waits, or how it ended.
    reason text,
    warnings jsonb not null default '[]'
);
create index chunk_job_id_idx on pixcrawler.chunk (job_id);
-- Workers look every second whether they still have theirs.
create index chunk_lease_idx on pixcrawler.chunk (lease) where lease is not null;

-- The backlog of a chunk, in order, and, once judged, what the job has seen before.
create table pixcrawler.candidate (
    id bigint generated always as identity primary key,
    job_id integer not null references public.crawl_jobs (id) on delete cascade,
    -- Chunks go only with their job. A foreign key would look for the candidates of each
    -- of them, and no index holds the judged ones by chunk.
    chunk_id integer not null,
    -- Order in which the source gave it. Rows are inserted in the order of their
    -- digests, so that two chunks that find the same addresses cannot deadlock.
    position integer not null,
    -- SHA-256 of the normalised address. Addresses are too long for an index.
    url_digest bytea not null,
    candidate jsonb not null,
    -- Null while it waits in the backlog.
    verdict text check (verdict in ('kept', 'duplicate', 'refused')),
    -- The row that tells the user; a retry changes it in place.
    image_id integer references public.images (id) on delete set null,
    -- Times that its host asked to come back later, and when that is.
    holds integer not null default 0,
    not_before timestamptz,
    unique (job_id, url_digest)
);
create index candidate_backlog_idx on pixcrawler.candidate (chunk_id, position) where verdict is null;
create index candidate_image_id_idx on pixcrawler.candidate (image_id) where image_id is not null;

-- Answers to repeated requests, kept for a day.
create table pixcrawler.idempotency_key (
    user_id uuid not null,
    key text not null,
    -- SHA-256 of the request's body: the same key with another body is an error.
    request_digest bytea not null,
    job_id integer not null references public.crawl_jobs (id) on delete cascade,
    created_at timestamptz not null default now(),
    primary key (user_id, key)
);
create index idempotency_key_job_id_idx on pixcrawler.idempotency_key (job_id);
create index idempotency_key_created_at_idx on pixcrawler.idempotency_key (created_at);

-- When a source may ask a host again, shared by all workers.
create table pixcrawler.pace (
    -- Source and host.
    place text primary key,
    next_at timestamptz not null default now()
);

-- Keys that all processes share, such as the one of signed links.
create table pixcrawler.secret (
    name text primary key,
    value bytea not null
);
