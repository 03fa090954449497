-- Whose faults pause a source: not those of one input or one user alone.

alter table pixcrawler.source
    drop column fault_chunk,
    drop column several_chunks,
    -- Of the first fault in a row: the SHA-256 of what was asked for, and who asked; and
    -- whether those after it were for something else, or somebody else.
    add column fault_input bytea,
    add column fault_user uuid,
    add column several_inputs boolean not null default false,
    add column several_users boolean not null default false,
    -- A slice of it ended well, whenever that was.
    add column did_well boolean not null default false;

update pixcrawler.source set did_well = counts ? 'candidates', faults = 0;

-- Since when it waits for a source that is paused, until that makes a step for it.
alter table pixcrawler.chunk add column paused_since timestamptz;
