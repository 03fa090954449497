-- What is not to be in a dataset: what was taken out of one, and what must not come into it again.

-- What was asked to be taken out: of one dataset, of all of a user, or of all users.
create table pixcrawler.removal (
    id bigint generated always as identity primary key,
    -- None of both means everybody's.
    user_id uuid,
    dataset_id integer references public.datasets (id) on delete cascade,
    -- 'image', 'url', 'host', 'creator', 'sha256' or 'pdq', and which.
    kind text not null,
    value text not null,
    -- SHA-256 of kind and value: a long address fits in no index.
    digest bytea not null,
    reason text,
    created_at timestamptz not null default now(),
    unique nulls not distinct (digest, user_id, dataset_id)
);

-- What is kept out because of it, in batches whose numbers rise in the order in which they can be seen: who has
-- seen those up to one looks at what came after it only.
create table pixcrawler.removal_batch (
    sequence bigint generated always as identity primary key,
    removal_id bigint not null references pixcrawler.removal (id) on delete cascade,
    -- Those of the removal.
    user_id uuid,
    dataset_id integer references public.datasets (id) on delete cascade,
    -- Perceptual hashes of pictures, 32 bytes each.
    hashes bytea not null
);
create index removal_batch_removal_id_idx on pixcrawler.removal_batch (removal_id);
create index removal_batch_user_id_idx on pixcrawler.removal_batch (user_id, dataset_id, sequence);
create index removal_batch_dataset_id_idx on pixcrawler.removal_batch (dataset_id) where dataset_id is not null;

-- Digests of addresses, hosts, creators and bytes.
create table pixcrawler.removal_key (
    digest bytea not null,
    sequence bigint not null references pixcrawler.removal_batch (sequence) on delete cascade,
    primary key (digest, sequence)
);
create index removal_key_sequence_idx on pixcrawler.removal_key (sequence);

-- Hashes of pictures that a job does not want, nor what looks like them; 32 bytes each.
alter table pixcrawler.job add column unlike bytea;

-- As before, with what a user has had taken out.
create or replace function pixcrawler.delete_rows_of(gone uuid) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    -- Who writes for this user at the moment is waited for, and who comes after finds no profile.
    perform from public.profiles where id = gone for update;
    delete from public.transactions where user_id = gone;
    delete from public.subscriptions where user_id = gone;
    delete from public.usage_metrics where user_id = gone;
    delete from public.notification_preferences where user_id = gone;
    delete from public.credit_transactions where user_id = gone
        or account_id in (select id from public.credit_accounts where user_id = gone);
    delete from public.credit_accounts where user_id = gone;
    delete from public.api_keys where user_id = gone;
    delete from public.notifications where user_id = gone;
    delete from public.activity_logs where user_id = gone;
    delete from public.crawl_jobs where user_id = gone;
    delete from public.datasets where user_id = gone;
    delete from public.projects where user_id = gone;
    delete from pixcrawler.idempotency_key where user_id = gone;
    delete from pixcrawler.share where user_id = gone;
    delete from pixcrawler.removal where user_id = gone;
    begin
        delete from public.profiles where id = gone;
    exception when others then
        raise warning 'something that is not ours still refers to user %: %', gone, sqlerrm;
        update public.profiles
            set email = gone || '@users.invalid', full_name = null, avatar_url = null, role = 'user'
            where id = gone;
        return false;
    end;
    return true;
end $$;
