-- How many chunks of one user are worked on at a time may be limited.

-- The lease that was let work on it. Who claims a chunk counts those of its user that were.
alter table pixcrawler.chunk add column admitted uuid;
