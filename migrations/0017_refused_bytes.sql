-- Bytes that a dataset refused, by their hash: they are not decoded again.

create index if not exists images_refused_bytes_idx on public.images (dataset_id, hash)
 where reason in ('corrupt', 'decoder-fault', 'too-costly');
