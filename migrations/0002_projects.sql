-- What a user groups datasets by. The frontend writes it directly.

create table if not exists public.projects (
    id serial primary key,
    name varchar(100) not null,
    description text,
    user_id uuid not null
        constraint projects_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    -- active, archived or deleted
    status varchar(20) not null default 'active',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index if not exists projects_user_id_idx on public.projects (user_id, id);

create or replace trigger set_updated_at before update on public.projects
    for each row execute function pixcrawler.set_updated_at();

alter table public.projects enable row level security;
create policy pixcrawler_select on public.projects for select to authenticated
    using ((select auth.uid()) = user_id);
create policy pixcrawler_insert on public.projects for insert to authenticated
    with check ((select auth.uid()) = user_id);
create policy pixcrawler_update on public.projects for update to authenticated
    using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy pixcrawler_delete on public.projects for delete to authenticated
    using ((select auth.uid()) = user_id);

revoke all on public.projects from anon, authenticated;
grant select, delete,
    insert (name, description, user_id, status),
    update (name, description, status, updated_at)
    on public.projects to authenticated;
grant usage on sequence public.projects_id_seq to authenticated;
grant all on public.projects to service_role;
grant all on sequence public.projects_id_seq to service_role;
