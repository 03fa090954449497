-- The removals of a user are listed, newest first, and those of a dataset go with it.
create index removal_user_id_idx on pixcrawler.removal (user_id, id);
create index removal_dataset_id_idx on pixcrawler.removal (dataset_id) where dataset_id is not null;
