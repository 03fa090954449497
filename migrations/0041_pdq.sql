-- A perceptual hash that others know, too: PDQ, 256 bits in 64 hexadecimal digits, and how much there is to
-- see by it, 0 to 100. `phash`, which nobody writes any more, stays for the binary before this one.
alter table public.images
    add column if not exists pdq text,
    add column if not exists pdq_quality smallint,
    -- Of what is within uniform borders; none where there are none.
    add column if not exists pdq_trimmed text;
