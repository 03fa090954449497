-- How often a key was used within the present hour, by all processes together.
create table pixcrawler.api_key_hour (
    key_id uuid primary key references public.api_keys (id) on delete cascade,
    hour timestamptz not null,
    used integer not null
);
