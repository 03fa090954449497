-- Jobs that belong to a project and not to a dataset, as two layouts of the frontend have them, brought
-- to what the migrations build on. Run between the migrations of datasets and of jobs, in their
-- transaction, once.

alter table public.crawl_jobs add column dataset_id integer
    constraint crawl_jobs_dataset_id_datasets_id_fk references public.datasets (id) on delete cascade;

-- Ours does the same, and this one would say that every job was just changed.
drop trigger if exists handle_updated_at on public.crawl_jobs;

-- Anybody could name anybody's job: only a dataset of the project's owner counts.
update public.datasets dataset set crawl_job_id = null
from public.crawl_jobs job, public.projects project
where job.id = dataset.crawl_job_id and project.id = job.project_id and project.user_id <> dataset.user_id;

-- The dataset that names the job as its own.
update public.crawl_jobs job set dataset_id = dataset.id
from (select crawl_job_id, min(id) as id from public.datasets group by crawl_job_id) dataset
where dataset.crawl_job_id = job.id;

-- The others of a project share one.
with made as (
    insert into public.datasets (
        user_id, project_id, name, description, keywords, max_images, crawl_job_id, status, images_collected, progress)
    select
        project.user_id, project.id, project.name, project.description, latest.keywords, latest.max_images, latest.id,
        case
            when latest.status in ('completed', 'failed', 'cancelled') then latest.status
            when latest.status = 'running' then 'processing'
            else 'pending'
        end,
        latest.images, least(100, latest.images * 100.0 / greatest(latest.max_images, 1))
    from public.projects project
    join lateral (
        select
            id, keywords, status, least(sum(max_images) over (), 2147483647) as max_images,
            greatest(least(sum(valid_images) over (), 2147483647), 0) as images
        from public.crawl_jobs
        where project_id = project.id and dataset_id is null
        order by id desc limit 1
    ) latest on true
    returning id, project_id
)
update public.crawl_jobs job set dataset_id = made.id
from made where made.project_id = job.project_id and job.dataset_id is null;

alter table public.crawl_jobs alter dataset_id set not null, alter project_id drop not null;

-- A job outlives its project.
do $$
declare
    key name;
begin
    for key in
        select conname from pg_constraint
        where conrelid = 'public.crawl_jobs'::regclass and confrelid = 'public.projects'::regclass
    loop
        execute format('alter table public.crawl_jobs drop constraint %I', key);
        execute format(
            'alter table public.crawl_jobs add constraint %I foreign key (project_id)
                 references public.projects (id) on delete set null', key);
    end loop;
end $$;
