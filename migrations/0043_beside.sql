-- Over, but its pictures are not fixed yet: its sources had no more, and a job is under way that was so, too,
-- before this one ended. Which of such jobs ends first makes no difference to what is kept.
alter table pixcrawler.job add column gives_way boolean not null default false;
create index job_gives_way_idx on pixcrawler.job (dataset_id) where gives_way;
