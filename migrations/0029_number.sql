-- Whether a job's number of images is the default, because nobody said one: where the sources have
-- fewer, nothing is missing.
alter table pixcrawler.job add column wanted_is_default boolean not null default false;
