-- What a user has stored is added up in an index, each file once, and not in the rows, which hold much more.
create index if not exists images_objects_idx on public.images (user_id, hash, file_size)
    where is_valid and not is_duplicate;
