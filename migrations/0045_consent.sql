-- What owners say of the use of a picture by machines, and where that was read: a list of signals, empty where
-- nothing was found. Null in rows that are older.
alter table public.images
    add column if not exists consent jsonb;
