-- What Supabase brings and the migrations build on, for a database without it: roles, `auth`,
-- `realtime`, `storage`, the publication, and what is granted by default. Names, signatures, rights
-- and columns are Supabase's as far as somebody here could notice. Can be run again.

-- Roles belong to the cluster: another of its databases may make or change them at the same time.
do $$
declare
    wanted text;
begin
    foreach wanted in array array[
        'create role anon nologin', 'create role authenticated nologin', 'create role service_role nologin bypassrls',
        'create role authenticator login noinherit', 'create role supabase_auth_admin login noinherit createrole',
        'create role supabase_realtime_admin nologin noinherit',
        'create role postgres login createrole createdb replication bypassrls'
    ] loop
        begin
            execute wanted;
        exception when duplicate_object or unique_violation then
            null;
        end;
    end loop;
    for wanted in
        select statement from (values
            ('anon', 'statement_timeout=3s', 'alter role anon set statement_timeout = ''3s'''),
            ('authenticated', 'statement_timeout=8s', 'alter role authenticated set statement_timeout = ''8s'''),
            ('supabase_auth_admin', 'search_path=auth', 'alter role supabase_auth_admin set search_path = auth')
        ) as settings (role, setting, statement)
        join pg_roles on rolname = role
        where not coalesce(setting = any (rolconfig), false)
        union all
        select format('alter role %I inherit', rolname) from pg_roles
        where rolname in ('anon', 'authenticated', 'service_role') and not rolinherit
        union all
        select format('grant %I to %I', granted.rolname, member.rolname)
        from pg_roles granted, pg_roles member
        where (member.rolname = 'authenticator' and granted.rolname in ('anon', 'authenticated', 'service_role')
                or member.rolname = 'postgres' and not member.rolsuper and granted.rolname in (
                    'anon', 'authenticated', 'service_role', 'supabase_auth_admin', 'supabase_realtime_admin'))
            and not exists (
                select from pg_auth_members m where m.roleid = granted.oid and m.member = member.oid)
    loop
        begin
            execute wanted;
        -- "tuple concurrently updated"
        exception when internal_error or unique_violation then
            null;
        end;
    end loop;
end $$;

-- As in a project from before the end of 2026: whoever makes a table and takes nothing away leaves it
-- open to all. In a newer one nothing is granted, and a grant that is missing shows.
grant usage on schema public to anon, authenticated, service_role, postgres;
do $$
declare
    maker name;
    kind text;
begin
    foreach maker in array array[current_user, 'postgres'] loop
        foreach kind in array array['tables', 'sequences', 'functions'] loop
            execute format(
                'alter default privileges for role %I in schema public
                     grant all on %s to anon, authenticated, service_role', maker, kind);
        end loop;
    end loop;
end $$;

create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role, postgres;

-- Who is signed in, as PostgREST says it: the claims of the token are a setting.
create schema if not exists auth;
comment on schema auth is 'made by pixcrawler, in place of Supabase';
grant usage on schema auth to anon, authenticated, service_role, postgres, supabase_auth_admin;

create table if not exists auth.users (id uuid primary key);
alter table auth.users
    add column if not exists instance_id uuid,
    add column if not exists aud varchar(255),
    add column if not exists role varchar(255),
    add column if not exists email varchar(255),
    add column if not exists encrypted_password varchar(255),
    add column if not exists email_confirmed_at timestamptz,
    add column if not exists invited_at timestamptz,
    add column if not exists confirmation_token varchar(255),
    add column if not exists confirmation_sent_at timestamptz,
    add column if not exists recovery_token varchar(255),
    add column if not exists recovery_sent_at timestamptz,
    add column if not exists email_change_token_new varchar(255),
    add column if not exists email_change varchar(255),
    add column if not exists email_change_sent_at timestamptz,
    add column if not exists last_sign_in_at timestamptz,
    add column if not exists raw_app_meta_data jsonb,
    add column if not exists raw_user_meta_data jsonb,
    add column if not exists is_super_admin boolean,
    add column if not exists created_at timestamptz,
    add column if not exists updated_at timestamptz,
    add column if not exists phone text default null constraint users_phone_key unique,
    add column if not exists phone_confirmed_at timestamptz,
    add column if not exists phone_change text default '',
    add column if not exists phone_change_token varchar(255) default '',
    add column if not exists phone_change_sent_at timestamptz,
    add column if not exists confirmed_at timestamptz
        generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
    add column if not exists email_change_token_current varchar(255) default '',
    add column if not exists email_change_confirm_status smallint default 0
        check (email_change_confirm_status between 0 and 2),
    add column if not exists banned_until timestamptz,
    add column if not exists reauthentication_token varchar(255) default '',
    add column if not exists reauthentication_sent_at timestamptz,
    add column if not exists is_sso_user boolean not null default false,
    add column if not exists deleted_at timestamptz,
    add column if not exists is_anonymous boolean not null default false;
-- An earlier version was stricter, and filled in more.
alter table auth.users
    drop constraint if exists users_email_key, alter id drop default, alter aud drop default, alter role drop default,
    alter raw_app_meta_data drop not null, alter raw_app_meta_data drop default,
    alter raw_user_meta_data drop not null, alter raw_user_meta_data drop default,
    alter created_at drop not null, alter created_at drop default,
    alter updated_at drop not null, alter updated_at drop default;
create unique index if not exists users_email_partial_key on auth.users (email) where not is_sso_user;
alter table auth.users enable row level security, owner to supabase_auth_admin;

do $$ begin
    create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
exception when duplicate_object then
    null;
end $$;
create table if not exists auth.sessions (
    id uuid primary key, user_id uuid not null references auth.users (id) on delete cascade);
alter table auth.sessions
    add column if not exists created_at timestamptz,
    add column if not exists updated_at timestamptz,
    add column if not exists factor_id uuid,
    add column if not exists aal auth.aal_level,
    add column if not exists not_after timestamptz,
    add column if not exists refreshed_at timestamp,
    add column if not exists user_agent text,
    add column if not exists ip inet,
    add column if not exists tag text,
    add column if not exists oauth_client_id uuid,
    add column if not exists refresh_token_hmac_key text,
    add column if not exists refresh_token_counter bigint,
    add column if not exists scopes text check (char_length(scopes) <= 4096);
alter table auth.sessions alter id drop default, alter created_at drop not null, alter created_at drop default;
create index if not exists sessions_user_id_idx on auth.sessions (user_id);
alter table auth.sessions enable row level security, owner to supabase_auth_admin;
grant all on auth.users, auth.sessions to postgres;

-- The settings of older versions of PostgREST, one for each claim, come first.
create or replace function auth.jwt() returns jsonb language sql stable as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), ''))::jsonb
$$;
create or replace function auth.uid() returns uuid language sql stable as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
create or replace function auth.role() returns text language sql stable as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
$$;
create or replace function auth.email() returns text language sql stable as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
$$;

-- Changes that browsers follow.
do $$ begin
    if not exists (select from pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    end if;
end $$;

-- Messages to browsers. Who may read a topic is a policy on the table.
create schema if not exists realtime;
grant usage on schema realtime to anon, authenticated, service_role;

-- It has no partition: the service that reads them makes one for each day, and is not here.
create table if not exists realtime.messages (
    id uuid not null default gen_random_uuid(),
    topic text not null,
    extension text not null,
    event text,
    payload jsonb,
    private boolean default false,
    inserted_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    primary key (id, inserted_at)
) partition by range (inserted_at);
drop table if exists realtime.messages_default;
alter table realtime.messages add column if not exists binary_payload bytea;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;

create or replace function realtime.topic() returns text language sql stable as $$
    select nullif(current_setting('realtime.topic', true), '')
$$;
-- A message that cannot be sent is a warning there, and so it is here.
create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language plpgsql as $$
begin
    perform set_config('realtime.topic', topic, true);
    insert into realtime.messages (topic, extension, event, payload, private)
    values (topic, 'broadcast', event, jsonb_build_object('id', gen_random_uuid()) || payload, private);
exception when others then
    raise warning 'message not sent: %', sqlerrm;
end $$;

-- Objects are listed here and kept elsewhere.
create schema if not exists storage;
grant usage on schema storage to anon, authenticated, service_role;

create table if not exists storage.buckets (
    id text primary key,
    name text not null unique,
    public boolean default false,
    file_size_limit bigint,
    allowed_mime_types text[],
    created_at timestamptz default now()
);
create table if not exists storage.objects (
    id uuid primary key default gen_random_uuid(),
    bucket_id text references storage.buckets (id),
    name text,
    owner_id text,
    metadata jsonb,
    created_at timestamptz default now(),
    unique (bucket_id, name)
);
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
