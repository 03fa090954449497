-- What a user is told. Written by the backend, marked as read and deleted by the user.

create table if not exists public.notifications (
    id serial primary key,
    user_id uuid not null
        constraint notifications_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    -- success, info, warning or error
    type varchar(50) not null,
    -- crawl_job, payment, system, security, dataset, project or null
    category varchar(50),
    title varchar(255) not null,
    message text not null,
    icon varchar(50),
    color varchar(20),
    action_url text,
    action_label varchar(100),
    metadata jsonb,
    is_read boolean not null default false,
    read_at timestamptz,
    created_at timestamptz not null default now()
);
create index if not exists notifications_user_id_idx on public.notifications (user_id, id);

alter table public.notifications enable row level security;
create policy pixcrawler_select on public.notifications for select to authenticated
    using ((select auth.uid()) = user_id);
create policy pixcrawler_update on public.notifications for update to authenticated
    using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy pixcrawler_delete on public.notifications for delete to authenticated
    using ((select auth.uid()) = user_id);

revoke all on public.notifications from anon, authenticated;
grant select, delete, update (is_read, read_at) on public.notifications to authenticated;
grant all on public.notifications to service_role;
grant all on sequence public.notifications_id_seq to service_role;
