-- Where images are gathered. Two crawl jobs may feed the same one.

create table if not exists public.datasets (
    id serial primary key,
    user_id uuid not null
        constraint datasets_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    project_id integer
        constraint datasets_project_id_projects_id_fk references public.projects (id) on delete set null,
    name varchar(100) not null,
    description text,
    -- A JSON array of strings, and so is `search_engines`.
    keywords jsonb not null,
    max_images integer not null default 100,
    search_engines jsonb not null default '[]',
    -- pending, processing, completed, failed or cancelled
    status varchar(20) not null default 'pending',
    -- Percent.
    progress numeric(5, 2) not null default 0,
    images_collected integer not null default 0,
    -- The latest job. Its foreign key follows in the next file, where the jobs are made.
    crawl_job_id integer,
    download_url text,
    error_message text,
    storage_tier varchar(20) not null default 'hot',
    archived_at timestamptz,
    last_accessed_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index if not exists datasets_user_id_idx on public.datasets (user_id, id);
create index if not exists datasets_project_id_idx on public.datasets (project_id);
create index if not exists datasets_crawl_job_id_idx on public.datasets (crawl_job_id);

create or replace trigger set_updated_at before update on public.datasets
    for each row execute function pixcrawler.set_updated_at();

-- A dataset can only be put into a project of its user.
alter table public.datasets enable row level security;
create policy pixcrawler_select on public.datasets for select to authenticated
    using ((select auth.uid()) = user_id);
create policy pixcrawler_insert on public.datasets for insert to authenticated
    with check (
        (select auth.uid()) = user_id
        and (project_id is null or project_id in (select id from public.projects where user_id = (select auth.uid())))
    );
create policy pixcrawler_update on public.datasets for update to authenticated
    using ((select auth.uid()) = user_id)
    with check (
        (select auth.uid()) = user_id
        and (project_id is null or project_id in (select id from public.projects where user_id = (select auth.uid())))
    );

-- Deleting goes through the API, which stops the jobs first.
revoke all on public.datasets from anon, authenticated;
grant select,
    insert (user_id, project_id, name, description, keywords, max_images, search_engines),
    update (project_id, name, description, last_accessed_at, updated_at)
    on public.datasets to authenticated;
grant usage on sequence public.datasets_id_seq to authenticated;
grant all on public.datasets to service_role;
grant all on sequence public.datasets_id_seq to service_role;
