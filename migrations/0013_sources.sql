-- The sources as all workers know them: how each build of each fares, and what it did.
-- Which builds there are, what is on and what was granted stands in the folder of plugins.

-- Adds up counts by name.
create function pixcrawler.add_counts(one jsonb, other jsonb) returns jsonb
language sql immutable set search_path = '' as $$
    select coalesce(jsonb_object_agg(name, total), '{}')
      from (select name, sum(counted::bigint) as total
              from (select * from jsonb_each_text(one) union all select * from jsonb_each_text(other))
                   as counts (name, counted)
             group by name) as totals
$$;

create table pixcrawler.source (
    id text not null,
    -- SHA-256 of the component, in hexadecimal.
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),

    -- What ailed it last, with its words and since when; null while it does well.
    trouble text check (trouble in ('fault', 'layout-changed', 'unauthorized')),
    message text,
    since timestamptz,
    -- Slices in a row that its faults ended: the chunk of the first, and whether others are among them.
    faults integer not null default 0,
    fault_chunk integer,
    several_chunks boolean not null default false,

    -- While it is paused no chunk asks it. Without a time to go on it waits for its operator.
    paused_at timestamptz,
    resumes_at timestamptz,
    -- In a row; each is longer than the one before.
    pauses integer not null default 0,
    -- The pause is not for one that was enabled later than this, or, when its credential
    -- was refused, has another credential: 16 bits of a keyed hash tell the two apart.
    enabled_at timestamptz not null default 'epoch',
    credential_mark integer,
    -- Left aside for an earlier build, which is more than a pause.
    rolled_back boolean not null default false,

    -- Totals by name, such as `kept` or `answer.404`, and the most memory of a step in bytes.
    counts jsonb not null default '{}',
    peak_memory bigint not null default 0,
    primary key (id, digest)
);
