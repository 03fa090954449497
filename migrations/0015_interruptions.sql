-- Which picture it may be that kills the workers that try it.

alter table pixcrawler.candidate
    -- Workers that died while they had it in hand. What others of the chunk achieve meanwhile
    -- does not clear it.
    add column interruptions smallint not null default 0;

alter table pixcrawler.chunk
    -- Candidates in the hands of the worker that holds the lease.
    add column trying bigint[] not null default '{}';
