-- Cookies that sites gave to the crawl of a chunk, part of its checkpoint. Secrets, though
-- of no person: nobody but the backend reads this schema.
alter table pixcrawler.chunk add column cookies jsonb not null default '[]';
