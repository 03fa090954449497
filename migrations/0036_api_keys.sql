-- How often a key was used within the present hour, by all processes together.
create table pixcrawler.api_key_hour (
    key_id uuid primary key references public.api_keys (id) on delete cascade,
    hour timestamptz not null,
    used integer not null
);

-- A use of a key is no change of it.
create or replace trigger set_updated_at
    before update of name, key_hash, key_prefix, status, permissions, rate_limit, expires_at on public.api_keys
    for each row execute function pixcrawler.set_updated_at();
