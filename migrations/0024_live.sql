-- What browsers see live of a row is the row, at every change: it stays small, and its end reaches
-- its owner.

alter table pixcrawler.job
    -- Addresses, and the classes of inputs: what a job is asked for that may be large.
    add column input jsonb not null default '{}';

-- Nothing changes for those who look.
alter table public.crawl_jobs disable trigger revise_job;
update pixcrawler.job p
set input = jsonb_build_object(
    'urls', coalesce(job.options -> 'urls', '[]'), 'labels', coalesce(job.options -> 'labels', '{}'))
from public.crawl_jobs job
where job.id = p.job_id;
update public.crawl_jobs job set options = job.options - 'urls' - 'labels'
from pixcrawler.job p
where p.job_id = job.id and job.options ?| array['urls', 'labels'];
alter table public.crawl_jobs enable trigger revise_job;

-- Who watches the rows of a user hears of a deleted one only if all of it is known then.
alter table public.crawl_jobs replica identity full;
alter table public.notifications replica identity full;
