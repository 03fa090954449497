-- CRC-32 of the original bytes, as archives say it: an archive is made of rows, and its length known, without
-- an object being read. Rows of earlier versions have none until `pixcrawler dataset measure` has read theirs.
alter table public.images add column if not exists crc32 bigint;
-- When a person gave it its labels: crawls then add none to them.
alter table public.images add column if not exists labels_set_at timestamptz;

-- Exports: snapshots of what a dataset has kept, an ordered list of pictures with the record of each.
create table pixcrawler.export (
    id integer generated always as identity primary key,
    -- Names it in a store, which other databases may use, too.
    key uuid not null unique default gen_random_uuid(),
    user_id uuid not null,
    dataset_id integer not null references public.datasets (id) on delete cascade,
    format text not null,
    options jsonb not null,
    -- Pictures at the beginning, and those of them that were taken out since.
    images integer not null,
    removed integer not null default 0,
    -- Raised whenever some are taken out.
    revision integer not null default 0,
    -- What documents say of it, as of which revision.
    facts jsonb not null,
    facts_revision integer not null default 0,
    created_at timestamptz not null default now(),
    -- Of what it was made of, where it was made for whoever gets the dataset as it is (`export/zip`): it serves
    -- again as long as that is the same. Null where a user has asked for an export.
    fingerprint text,
    -- A transaction that began before the export was there may take out a picture without finding it here.
    -- Once all up to this one have ended it is looked after these; null when that is done, or not begun.
    settle_after xid8,
    settled boolean not null default false
);
create index export_user_id_idx on pixcrawler.export (user_id, id);
create index export_dataset_id_idx on pixcrawler.export (dataset_id, id);

-- What an export gives. Its bytes follow from the rows of its pictures, or are made and kept as an object.
create table pixcrawler.export_file (
    export_id integer not null references pixcrawler.export (id) on delete cascade,
    number integer not null,
    name text not null,
    kind text not null,
    -- Positions of its pictures: the first, and that behind the last.
    first_position integer not null,
    end_position integer not null,
    images integer not null,
    removed integer not null default 0,
    revision integer not null default 0,
    -- By which version of the rules that bytes follow from the rest was measured. What was by another one does
    -- not count.
    layout smallint not null default 0,
    -- Its length, and what else it takes to give any range of it; null until it is measured or made.
    length bigint,
    measure jsonb,
    -- Null until it has been read through.
    sha256 bytea,
    -- Who makes or reads it at the moment.
    claim uuid,
    claimed_until timestamptz,
    -- How often that failed, and why.
    failures integer not null default 0,
    error text,
    primary key (export_id, number),
    unique (export_id, name)
);

create table pixcrawler.export_item (
    export_id integer not null references pixcrawler.export (id) on delete cascade,
    -- From 0. What is taken out leaves a gap.
    position integer not null,
    -- Whose row it was made of. No foreign key: the trigger below says what happens.
    image_id integer not null,
    sha256 bytea not null,
    format text not null,
    size bigint not null,
    crc32 bigint,
    -- As `metadata.jsonl` has it.
    record text not null,
    primary key (export_id, position)
);
create index export_item_image_id_idx on pixcrawler.export_item (image_id);

-- Takes pictures out of all exports. Their files are others from then on.
create function pixcrawler.take_out_of_exports(gone integer[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- In one order, for who takes out others at the same time.
    perform from pixcrawler.export
        where id in (select export_id from pixcrawler.export_item where image_id = any (gone))
        order by id for update;
    with taken as (
        delete from pixcrawler.export_item where image_id = any (gone) returning export_id, position
    ), gone_of as (
        select export_id, array_agg(position order by position) as positions from taken group by export_id
    ), lost as (
        -- Counted by binary search: there may be many of both.
        select f.export_id, f.number, f.kind,
               width_bucket(f.end_position - 1, g.positions)
                   - width_bucket(f.first_position - 1, g.positions) as images
          from gone_of g join pixcrawler.export_file f on f.export_id = g.export_id
    ), changed as (
        update pixcrawler.export_file file
            set revision = revision + 1, removed = file.removed + lost.images, length = null, measure = null,
                sha256 = null, claim = null, claimed_until = null, failures = 0, error = null
            from lost
            where lost.export_id = file.export_id and lost.number = file.number
                -- In each archive of class folders stands how many pictures there are in all of them.
                and (lost.images > 0 or lost.kind = 'zip')
    )
    update pixcrawler.export e
        set revision = revision + 1, removed = e.removed + cardinality(g.positions)
        from gone_of g where g.export_id = e.id;
end $$;

create function pixcrawler.deleted_from_exports() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from pixcrawler.export) then
        perform pixcrawler.take_out_of_exports(array(select id from before where is_valid and not is_duplicate));
    end if;
    return null;
end $$;

create function pixcrawler.dropped_from_exports() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from pixcrawler.export) then
        perform pixcrawler.take_out_of_exports(array(
            select before.id from before join after on after.id = before.id
             where before.is_valid and not before.is_duplicate
               and (not after.is_valid or after.is_duplicate or after.hash is distinct from before.hash)));
    end if;
    return null;
end $$;

create or replace trigger deleted_from_exports after delete on public.images
    referencing old table as before for each statement execute function pixcrawler.deleted_from_exports();
create or replace trigger dropped_from_exports after update on public.images
    referencing old table as before new table as after
    for each statement execute function pixcrawler.dropped_from_exports();
