-- Whose turn it is: users get equal shares of the workers' time, however much each has queued.

-- What each user has used, in seconds of slices, on the clock below.
create table pixcrawler.share (
    user_id uuid primary key,
    used double precision not null
);

-- Virtual time, which goes as fast as those who wait are served: the turn that was begun last.
-- Who comes anew, or comes back, begins there and not at zero.
create table pixcrawler.clock (
    only_row boolean primary key default true check (only_row),
    virtual double precision not null default 0,
    -- Rounds are counted from here, because the queue's priorities have 16 bits only.
    base bigint not null default 0
);
insert into pixcrawler.clock default values;

alter table pixcrawler.chunk
    -- When its turn comes, in virtual time.
    add column turn double precision not null default 0,
    -- Since when it is held, or since or from when on it waits for its turn.
    add column since timestamptz not null default now(),
    -- Its last slice gave way to another user before it had achieved anything; the next one
    -- does not before it has.
    add column gave_way boolean not null default false;
create index chunk_due_idx on pixcrawler.chunk (since) where state in ('queued', 'waiting');
