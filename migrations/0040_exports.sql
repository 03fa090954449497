-- CRC-32 of the original bytes, as archives say it: an archive is made of rows, and its length known, without
-- an object being read. Rows of earlier versions have none until `pixcrawler dataset measure` has read theirs.
alter table public.images add column if not exists crc32 bigint;
-- When a person gave it its labels: crawls then add none to them.
alter table public.images add column if not exists labels_set_at timestamptz;
