-- The hosts that run, and the names of the credentials that each has: what `plugin list` is asked about is
-- what they have, not the shell in which it is asked.
create table pixcrawler.host (
    id uuid primary key,
    role text not null check (role in ('server', 'worker')),
    pid integer not null,
    machine text,
    -- By source: names, and the mark that tells them from others. No secrets.
    credentials jsonb not null default '{}',
    started_at timestamptz not null default now(),
    -- Said again every ten seconds.
    seen_at timestamptz not null default now()
);
