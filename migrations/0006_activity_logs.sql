-- What happened, for the user to read.

create table if not exists public.activity_logs (
    id serial primary key,
    user_id uuid
        constraint activity_logs_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    -- In upper case, such as START_CRAWL_JOB.
    action text not null,
    resource_type varchar(50),
    resource_id varchar(50),
    metadata jsonb,
    "timestamp" timestamptz not null default now()
);
create index if not exists activity_logs_user_id_idx on public.activity_logs (user_id, id);
create index if not exists activity_logs_resource_idx on public.activity_logs (resource_type, resource_id, id);

alter table public.activity_logs enable row level security;
create policy pixcrawler_select on public.activity_logs for select to authenticated
    using ((select auth.uid()) = user_id);

revoke all on public.activity_logs from anon, authenticated;
grant select on public.activity_logs to authenticated;
grant all on public.activity_logs to service_role;
grant all on sequence public.activity_logs_id_seq to service_role;
