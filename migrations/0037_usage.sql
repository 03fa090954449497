-- What users have had: by it limits and credits are counted, and it is what they are shown.

alter table pixcrawler.job
    -- Images of it that were counted at its ends: they count once, however often it is retried.
    add column charged integer not null default 0,
    -- Credits for each further one, as it was when the job was begun or retried.
    add column price integer not null default 0;

update pixcrawler.job set charged = kept
where exists (
    select from public.crawl_jobs where id = job_id and status in ('completed', 'failed', 'cancelled')
);

create table pixcrawler.usage_day (
    user_id uuid not null references public.profiles (id) on delete cascade,
    -- In UTC.
    day date not null,
    -- Kept by jobs that ended on it.
    images integer not null default 0,
    api_calls bigint not null default 0,
    -- Of images.
    sent_bytes bigint not null default 0,
    -- More than public.usage_metrics shows.
    is_new boolean not null default true,
    primary key (user_id, day)
);

create index usage_day_new_idx on pixcrawler.usage_day (user_id, day) where is_new;
