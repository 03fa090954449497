-- The same as its SQL files make them, which are older: no chunks, and a job belongs to a project.

drop table public.job_chunks;
alter table public.crawl_jobs
    drop column dataset_id,
    add column project_id integer not null
        constraint crawl_jobs_project_id_projects_id_fk references public.projects (id);

create schema drizzle;
create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint);
