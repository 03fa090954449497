-- Copies of one picture: when one cannot be had or is none, the next that the source knows is tried.
alter table pixcrawler.candidate
    -- Which is tried: 0 its own address, then its alternates.
    add column copy smallint not null default 0,
    -- Those before it that were refused, and why.
    add column refused jsonb not null default '[]';

-- The address that was asked first, where the picture came from another.
alter table public.images add column if not exists asked_url text;

-- A file can be cut and end properly all the same, and be whole and still be none that is read: only
-- decoding tells, once.
drop index if exists public.images_refused_bytes_idx;
create index images_refused_bytes_idx on public.images (dataset_id, hash)
 where reason in ('corrupt', 'decoder-fault', 'too-costly', 'truncated', 'unsupported-format');
