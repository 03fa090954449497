-- The end of a user, by themselves or by the operator, and what is done now and then by one process for all.

-- Deleted here. A token from before is no proof any more that there is such a user; one that was issued
-- later is, where this host issues them, once nothing of the earlier one is left.
create table pixcrawler.deleted_user (
    user_id uuid primary key,
    deleted_at timestamptz not null default now(),
    -- To find by what the operator says who is not wholly gone; taken away with the last of it.
    email text,
    -- No row and no object is left.
    done boolean not null default false
);

create table pixcrawler.upkeep (
    what text primary key,
    last timestamptz not null
);

-- What `delete_profile` did, for whoever ends a user: whether the profile could go, too. What others keep
-- of a user may hold it; then nothing is left in it.
create function pixcrawler.delete_rows_of(gone uuid) returns boolean
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

create or replace function pixcrawler.delete_profile() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pixcrawler.delete_rows_of(old.id);
    return null;
exception when others then
    raise warning 'what belongs to user % is left: %', old.id, sqlerrm;
    return null;
end $$;
