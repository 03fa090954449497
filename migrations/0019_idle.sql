-- How long a chunk has done nothing but wait, for what others ask it to wait for.

alter table pixcrawler.chunk
    -- Since when nothing is left but what must wait; until a verdict or a step is written.
    add column idle_since timestamptz;
