-- A user of Supabase and what belongs to one: made at sign-up, kept up to date, gone at the end.
-- Nothing here may make a sign-up fail, or the end of a user.

-- An address that a profile can have: the user's own, unless there is none or another profile has
-- it; then one that can never receive mail, because the column must be filled and unique.
create function pixcrawler.free_email(of uuid, wanted text) returns text
language sql stable set search_path = '' as $$
    select case
        when coalesce(wanted, '') = '' or length(wanted) > 255
            or exists (select from public.profiles where email = wanted and id <> of)
        then of || '@users.invalid' else wanted end
$$;

create or replace function pixcrawler.create_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into public.profiles (id, email, full_name, avatar_url)
    values (
        new.id,
        pixcrawler.free_email(new.id, new.email),
        left(coalesce(new.raw_user_meta_data ->> 'full_name', new.raw_user_meta_data ->> 'name'), 100),
        coalesce(new.raw_user_meta_data ->> 'avatar_url', new.raw_user_meta_data ->> 'picture')
    )
    on conflict do nothing;
    return null;
exception when others then
    raise warning 'user % has no profile yet: %', new.id, sqlerrm;
    return null;
end $$;

-- Whoever makes the profile: the sign-up, the frontend, or the backend from a token.
create function pixcrawler.begin_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    begin
        insert into public.credit_accounts (user_id, current_balance) values (new.id, 100) on conflict do nothing;
    exception when others then
        raise warning 'user % has no credit yet: %', new.id, sqlerrm;
    end;
    begin
        insert into public.notification_preferences (user_id) values (new.id) on conflict do nothing;
    exception when others then
        raise warning 'user % has no preferences yet: %', new.id, sqlerrm;
    end;
    return null;
end $$;

create or replace trigger begin_profile after insert on public.profiles
    for each row execute function pixcrawler.begin_profile();

create function pixcrawler.update_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    update public.profiles set email = pixcrawler.free_email(new.id, new.email) where id = new.id;
    return null;
exception when others then
    raise warning 'the profile of user % keeps its address: %', new.id, sqlerrm;
    return null;
end $$;

create or replace trigger pixcrawler_update_profile after update of email on auth.users
    for each row when (new.email is distinct from old.email) execute function pixcrawler.update_profile();

-- The tables that Drizzle made have keys without an action, so all is deleted by name. What others
-- keep of a user may hold the profile: then nothing is left in it.
create or replace function pixcrawler.delete_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    -- Who writes for this user at the moment is waited for, and who comes after finds no profile.
    perform from public.profiles where id = old.id for update;
    delete from public.transactions where user_id = old.id;
    delete from public.subscriptions where user_id = old.id;
    delete from public.usage_metrics where user_id = old.id;
    delete from public.notification_preferences where user_id = old.id;
    delete from public.credit_transactions where user_id = old.id
        or account_id in (select id from public.credit_accounts where user_id = old.id);
    delete from public.credit_accounts where user_id = old.id;
    delete from public.api_keys where user_id = old.id;
    delete from public.notifications where user_id = old.id;
    delete from public.activity_logs where user_id = old.id;
    delete from public.crawl_jobs where user_id = old.id;
    delete from public.datasets where user_id = old.id;
    delete from public.projects where user_id = old.id;
    begin
        delete from public.profiles where id = old.id;
    exception when others then
        raise warning 'something that is not ours still refers to user %: %', old.id, sqlerrm;
        update public.profiles
            set email = old.id || '@users.invalid', full_name = null, avatar_url = null, role = 'user'
            where id = old.id;
    end;
    return null;
exception when others then
    raise warning 'what belongs to user % is left: %', old.id, sqlerrm;
    return null;
end $$;

-- A user who is only marked as deleted is as gone, and its address is none any more.
create or replace trigger pixcrawler_forget_profile after update of deleted_at on auth.users
    for each row when (old.deleted_at is null and new.deleted_at is not null)
    execute function pixcrawler.delete_profile();

-- Whoever writes a profile, its address is that of the user. Where `auth.users` knows no such
-- user, nobody makes one who is not the backend: a token lives on for a while when its user is gone.
create function pixcrawler.own_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    known record;
begin
    select email into known from auth.users where id = new.id and deleted_at is null;
    if found then
        new.email := pixcrawler.free_email(new.id, known.email);
    elsif current_setting('role', true) in ('anon', 'authenticated') then
        raise exception 'there is no such user' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;

create or replace trigger own_profile before insert or update of id, email on public.profiles
    for each row execute function pixcrawler.own_profile();

-- Users from before. An address that is not the user's own gives way to the one whose it is.
update public.profiles p set email = p.id || '@users.invalid'
from auth.users u
where u.email = p.email and u.id <> p.id;
insert into public.profiles (id, email, full_name, avatar_url)
select u.id, u.id || '@users.invalid',
       left(coalesce(u.raw_user_meta_data ->> 'full_name', u.raw_user_meta_data ->> 'name'), 100),
       coalesce(u.raw_user_meta_data ->> 'avatar_url', u.raw_user_meta_data ->> 'picture')
from auth.users u where u.deleted_at is null
on conflict do nothing;
update public.profiles p set email = u.email
from auth.users u
where u.id = p.id and u.deleted_at is null and p.email <> u.email and u.email <> '';
insert into public.credit_accounts (user_id, current_balance)
select p.id, 100 from public.profiles p
on conflict do nothing;
insert into public.notification_preferences (user_id)
select p.id from public.profiles p
on conflict do nothing;

-- The frontend's own trigger makes the same and fails for who has no address, a long name, or an
-- address that somebody has. `auth.users` is not ours to take triggers from, but the function is.
do $$
declare
    was text;
begin
    select pg_get_functiondef(p.oid) into was from pg_proc p
    where p.oid = to_regprocedure('public.handle_new_user()') and pg_has_role(p.proowner, 'usage')
        and p.prorettype = 'trigger'::regtype;
    if found then
        create or replace function public.handle_new_user() returns trigger
        language plpgsql set search_path = '' as $body$
        begin
            -- pixcrawler.create_profile does it, and fails for nobody.
            return new;
        end $body$;
        raise warning 'public.handle_new_user does nothing any more, because pixcrawler.create_profile does it; it was: %', was;
    end if;
end $$;

-- Its other function looked wherever the caller looks first.
do $$ begin
    if exists (
        select from pg_proc p
        where p.oid = to_regprocedure('public.handle_updated_at()') and pg_has_role(p.proowner, 'usage')
    ) then
        alter function public.handle_updated_at() set search_path = public, pg_temp;
    end if;
end $$;
