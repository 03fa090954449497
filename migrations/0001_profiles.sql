-- Who uses PixCrawler: one row a Supabase user.
--
-- Here and in the files that follow: columns that the frontend's Drizzle schema declares
-- are made as it declares them when the table is absent, and are never altered; columns
-- of ours are added, nullable or with a default. Constraints carry Drizzle's names.

create table if not exists public.profiles (
    id uuid primary key,
    email varchar(255) not null constraint profiles_email_unique unique,
    full_name varchar(100),
    avatar_url text,
    role varchar(20) not null default 'user',
    onboarding_completed boolean not null default false,
    onboarding_completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- Trigger functions live in the schema that is granted to nobody, so that the REST
-- interface cannot see them; triggers find them all the same.
create function pixcrawler.set_updated_at() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.updated_at := now();
    return new;
end $$;

create or replace trigger set_updated_at before update on public.profiles
    for each row execute function pixcrawler.set_updated_at();

-- A new user gets a profile. It runs inside the sign-up, as whoever signs up, so it runs
-- with its owner's rights and must not fail on a profile that is there already.
create function pixcrawler.create_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into public.profiles (id, email, full_name, avatar_url)
    values (
        new.id,
        -- Who signs up by phone or anonymously has no address, and the column needs one.
        coalesce(nullif(new.email, ''), new.id || '@users.invalid'),
        left(coalesce(new.raw_user_meta_data ->> 'full_name', new.raw_user_meta_data ->> 'name'), 100),
        coalesce(new.raw_user_meta_data ->> 'avatar_url', new.raw_user_meta_data ->> 'picture')
    )
    on conflict do nothing;
    return null;
end $$;

-- There is no foreign key to auth.users, because a valid token is proof enough of a user;
-- so that a user who is deleted takes everything along, this does what a cascade would.
create function pixcrawler.delete_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    delete from public.profiles where id = old.id;
    return null;
end $$;

-- Own names: an `on_auth_user_created` of the frontend may stand beside them, and runs first.
create or replace trigger pixcrawler_create_profile after insert on auth.users
    for each row execute function pixcrawler.create_profile();
create or replace trigger pixcrawler_delete_profile after delete on auth.users
    for each row execute function pixcrawler.delete_profile();

alter table public.profiles enable row level security;
create policy pixcrawler_select on public.profiles for select to authenticated
    using ((select auth.uid()) = id);
create policy pixcrawler_insert on public.profiles for insert to authenticated
    with check ((select auth.uid()) = id);
create policy pixcrawler_update on public.profiles for update to authenticated
    using ((select auth.uid()) = id) with check ((select auth.uid()) = id);

-- Supabase grants nothing by default any more, and used to grant everything: say it all.
-- Nobody writes their own `role`. `id` is among the columns that may be updated because
-- an upsert names it; the policy keeps its value.
revoke all on public.profiles from anon, authenticated;
grant select,
    insert (id, email, full_name, avatar_url, onboarding_completed, onboarding_completed_at, updated_at),
    update (id, email, full_name, avatar_url, onboarding_completed, onboarding_completed_at, updated_at)
    on public.profiles to authenticated;
grant all on public.profiles to service_role;
