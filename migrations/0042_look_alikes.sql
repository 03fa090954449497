-- Pictures that look alike are one picture of a dataset.

-- Hashes of the good pictures of each dataset, kept or not, in one row a batch of verdicts: a batch that comes
-- later is compared with all of them in the process, which costs a tenth of what any index does.
create table pixcrawler.picture_batch (
    dataset_id integer not null references public.datasets (id) on delete cascade,
    -- Without gaps, from 1.
    sequence integer not null,
    -- `images.id` of each hash. A picture with borders has two hashes, one with little to see none.
    images integer[] not null,
    -- 32 bytes each.
    hashes bytea not null,
    primary key (dataset_id, sequence)
);

-- Images up to this id were kept when the job ended: they stay, whatever comes later.
alter table pixcrawler.job add column fixed_to integer not null default 0;
update pixcrawler.job set fixed_to = coalesce((select max(id) from public.images where crawl_job_id = job_id), 0)
where exists (select from public.crawl_jobs j where j.id = job_id and status in ('completed', 'failed', 'cancelled'));

-- When another picture of the same look takes a place, what repeated the one before repeats that.
create index if not exists images_duplicate_of_idx on public.images (duplicate_of) where duplicate_of is not null;
