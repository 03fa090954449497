-- What was asked for, and how far it has come: the job, and its chunks (one input at one source).

create table if not exists public.crawl_jobs (
    id serial primary key,
    dataset_id integer not null
        constraint crawl_jobs_dataset_id_datasets_id_fk references public.datasets (id) on delete cascade,
    name varchar(100) not null,
    -- A JSON array of strings.
    keywords jsonb not null,
    max_images integer not null default 1000,
    -- pending, running, completed, failed or cancelled
    status varchar(20) not null default 'pending',
    -- Images kept of those wanted, in whole percent; 100 only when completed.
    progress integer not null default 0,
    -- Candidates judged, bodies received whole, images kept.
    total_images integer not null default 0,
    downloaded_images integer not null default 0,
    valid_images integer not null default 0,
    total_chunks integer not null default 0,
    active_chunks integer not null default 0,
    completed_chunks integer not null default 0,
    failed_chunks integer not null default 0,
    task_ids jsonb not null default '[]',
    started_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

alter table public.crawl_jobs
    -- Copied from the dataset, so that policies and Realtime filters need no join.
    add column if not exists user_id uuid,
    -- What the frontend names instead of a dataset; see `own_job` below.
    add column if not exists project_id integer references public.projects (id) on delete set null,
    -- Ids of sources, in the order of preference.
    add column if not exists sources jsonb not null default '[]',
    -- Options per source, and urls, labels, safe_search, language.
    add column if not exists options jsonb not null default '{}',
    -- Licences, minimum size, formats.
    add column if not exists rules jsonb not null default '{}',
    -- Why it failed, or why it completed with fewer images than asked.
    add column if not exists error text,
    -- Raised by every update: who sees it move asks for what is new.
    add column if not exists revision bigint not null default 0;

update public.crawl_jobs job set user_id = dataset.user_id
from public.datasets dataset where dataset.id = job.dataset_id and job.user_id is null;

create index if not exists crawl_jobs_user_id_idx on public.crawl_jobs (user_id, id);
create index if not exists crawl_jobs_dataset_id_idx on public.crawl_jobs (dataset_id);

do $$ begin
    if not exists (
        select from pg_constraint
        where conrelid = 'public.datasets'::regclass and confrelid = 'public.crawl_jobs'::regclass
    ) then
        alter table public.datasets add constraint datasets_crawl_job_id_crawl_jobs_id_fk
            foreign key (crawl_job_id) references public.crawl_jobs (id) on delete set null;
    end if;
end $$;

create table if not exists public.job_chunks (
    id serial primary key,
    job_id integer not null
        constraint job_chunks_job_id_crawl_jobs_id_fk references public.crawl_jobs (id) on delete cascade,
    chunk_index integer not null,
    -- pending, processing, completed or failed
    status varchar(20) not null default 'pending',
    -- 0 to 10
    priority integer not null default 5,
    -- Its share of the job's images: {"start": …, "end": …}.
    image_range jsonb not null,
    error_message text,
    retry_count integer not null default 0,
    task_id varchar(255),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
-- Copied from the job.
alter table public.job_chunks add column if not exists user_id uuid;
update public.job_chunks chunk set user_id = job.user_id
from public.crawl_jobs job where job.id = chunk.job_id and chunk.user_id is null;

create index if not exists job_chunks_user_id_idx on public.job_chunks (user_id);
create index if not exists job_chunks_job_id_idx on public.job_chunks (job_id, id);

-- The owner of a job is that of its dataset. A row that names only a project gets a dataset made.
create function pixcrawler.own_job() returns trigger
language plpgsql set search_path = '' as $$
begin
    if new.dataset_id is null and new.project_id is not null then
        insert into public.datasets (user_id, project_id, name, keywords, max_images)
        select user_id, id, new.name, new.keywords, new.max_images
        from public.projects where id = new.project_id
        returning id into new.dataset_id;
    end if;
    select user_id, coalesce(new.project_id, project_id) into new.user_id, new.project_id
    from public.datasets where id = new.dataset_id;
    return new;
end $$;

create or replace trigger own_job before insert on public.crawl_jobs
    for each row execute function pixcrawler.own_job();

create function pixcrawler.revise_job() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.revision := old.revision + 1;
    new.updated_at := now();
    return new;
end $$;

create or replace trigger revise_job before update on public.crawl_jobs
    for each row execute function pixcrawler.revise_job();

create function pixcrawler.own_chunk() returns trigger
language plpgsql set search_path = '' as $$
begin
    select user_id into new.user_id from public.crawl_jobs where id = new.job_id;
    return new;
end $$;

create or replace trigger own_chunk before insert on public.job_chunks
    for each row when (new.user_id is null) execute function pixcrawler.own_chunk();
create or replace trigger set_updated_at before update on public.job_chunks
    for each row execute function pixcrawler.set_updated_at();

-- Users read; jobs are made, stopped and deleted through the API.
alter table public.crawl_jobs enable row level security;
create policy pixcrawler_select on public.crawl_jobs for select to authenticated
    using ((select auth.uid()) = user_id);
alter table public.job_chunks enable row level security;
create policy pixcrawler_select on public.job_chunks for select to authenticated
    using ((select auth.uid()) = user_id);

revoke all on public.crawl_jobs, public.job_chunks from anon, authenticated;
grant select on public.crawl_jobs, public.job_chunks to authenticated;
grant all on public.crawl_jobs, public.job_chunks to service_role;
grant all on sequence public.crawl_jobs_id_seq, public.job_chunks_id_seq to service_role;
