-- Bytes of what each job has kept: what a user has stored is added up of jobs, and not of images.

-- Before anything is locked, for it reads all images.
create temporary table sizes on commit drop as
select crawl_job_id, sum(file_size)::bigint as bytes from public.images
where is_valid and not is_duplicate and hash is not null
group by crawl_job_id;

alter table pixcrawler.job add column bytes bigint not null default 0;
update pixcrawler.job set bytes = sizes.bytes from sizes where crawl_job_id = job_id and sizes.bytes is not null;
drop table sizes;
