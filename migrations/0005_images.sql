-- Every download leaves a row: kept, refused (not `is_valid`, with the code in `reason`) or duplicate.

create table if not exists public.images (
    id serial primary key,
    crawl_job_id integer not null
        constraint images_crawl_job_id_crawl_jobs_id_fk references public.crawl_jobs (id) on delete cascade,
    original_url text not null,
    -- {sha256}.{ext}; of a refused one the last segment of its address.
    filename varchar(255) not null,
    -- Path of the route that serves it; null without an object.
    storage_url text,
    -- As measured.
    width integer,
    height integer,
    file_size integer,
    format varchar(10),
    -- SHA-256 of the original bytes, in hex.
    hash varchar(64),
    is_valid boolean not null default true,
    is_duplicate boolean not null default false,
    labels jsonb,
    metadata jsonb,
    downloaded_at timestamptz not null default now(),
    created_at timestamptz not null default now()
);

alter table public.images
    -- Copied from the job. No foreign keys: the one to the job deletes the row, and further
    -- ones would be checked for each of many rows.
    add column if not exists user_id uuid,
    add column if not exists dataset_id integer,
    add column if not exists chunk_id integer,
    -- Provenance.
    add column if not exists source text,
    add column if not exists source_id text,
    add column if not exists page_url text,
    add column if not exists title text,
    add column if not exists description text,
    add column if not exists creator text,
    add column if not exists creator_url text,
    add column if not exists license text,
    add column if not exists license_url text,
    add column if not exists attribution text,
    -- As the source says, which may be wrong.
    add column if not exists declared_width integer,
    add column if not exists declared_height integer,
    add column if not exists declared_mime text,
    add column if not exists declared_size bigint,
    -- Code of a refusal.
    add column if not exists reason text,
    add column if not exists frames integer,
    -- Perceptual hash: 64 bits, whose sign means nothing.
    add column if not exists phash bigint,
    -- The image that it repeats; that one may be gone.
    add column if not exists duplicate_of integer;

update public.images image set user_id = job.user_id, dataset_id = job.dataset_id
from public.crawl_jobs job
where job.id = image.crawl_job_id and (image.user_id is null or image.dataset_id is null);

-- Drizzle declares this key without an action; without one a job with images, or the
-- dataset of one, cannot be deleted.
do $$
declare
    key name;
begin
    for key in
        select conname from pg_constraint
        where conrelid = 'public.images'::regclass and confrelid = 'public.crawl_jobs'::regclass
            and confdeltype <> 'c'
    loop
        execute format('alter table public.images drop constraint %I', key);
        execute format(
            'alter table public.images add constraint %I foreign key (crawl_job_id) references public.crawl_jobs (id) on delete cascade',
            key);
    end loop;
end $$;

-- Lists of images are walked by id.
create index if not exists images_user_id_idx on public.images (user_id, id);
create index if not exists images_crawl_job_id_idx on public.images (crawl_job_id, id);
create index if not exists images_dataset_id_idx on public.images (dataset_id, id);
-- A job is shown with what was not kept, counted by reason, many times while it runs.
create index if not exists images_not_kept_idx on public.images (crawl_job_id, is_duplicate, reason, user_id)
    where is_duplicate or not is_valid;
-- The proof that a dataset holds no picture twice; the mechanism is the lock on the dataset.
-- Rows of the system before this one may repeat a picture: they become what they are.
update public.images later set is_duplicate = true, duplicate_of = first.id
from (
    select dataset_id, hash, min(id) as id from public.images
    where is_valid and not is_duplicate and hash is not null
    group by dataset_id, hash having count(*) > 1
) first
where later.dataset_id = first.dataset_id and later.hash = first.hash and later.id <> first.id
    and later.is_valid and not later.is_duplicate;
create unique index if not exists images_kept_idx on public.images (dataset_id, hash)
    where is_valid and not is_duplicate;

create function pixcrawler.own_image() returns trigger
language plpgsql set search_path = '' as $$
begin
    select user_id, dataset_id into new.user_id, new.dataset_id
    from public.crawl_jobs where id = new.crawl_job_id;
    return new;
end $$;

-- The backend gives both, and is spared the look-up.
create or replace trigger own_image before insert on public.images
    for each row when (new.user_id is null or new.dataset_id is null)
    execute function pixcrawler.own_image();

alter table public.images enable row level security;
create policy pixcrawler_select on public.images for select to authenticated
    using ((select auth.uid()) = user_id);

revoke all on public.images from anon, authenticated;
grant select on public.images to authenticated;
grant all on public.images to service_role;
grant all on sequence public.images_id_seq to service_role;
