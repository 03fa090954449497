-- Objects in a bucket, where nothing can be deleted on condition that nobody puts it at the same moment.

-- Objects that no row names, on their way to be deleted: a sweep notes them, and a later one deletes those
-- that are noted still. Who puts one takes it off first, and waits while it is being deleted.
create table pixcrawler.object_to_delete (
    user_id uuid not null,
    hash text not null,
    noted_at timestamptz not null default now(),
    -- The request may be on its way since then.
    deleting_at timestamptz,
    primary key (user_id, hash)
);
