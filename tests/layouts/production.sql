-- The same as the frontend's script for production makes them: instants with a zone, keys that
-- cascade, checks, policies and triggers of its own; neither datasets nor chunks nor payments.

alter table public.crawl_jobs
    drop column dataset_id,
    add column project_id integer not null
        constraint crawl_jobs_project_id_fkey references public.projects (id) on delete cascade;
drop table public.datasets, public.job_chunks, public.subscriptions, public.transactions;

do $$
declare
    instant record;
    key record;
begin
    for instant in
        select table_name, column_name from information_schema.columns
        where table_schema = 'public' and data_type = 'timestamp without time zone'
    loop
        execute format('alter table public.%I alter %I type timestamptz', instant.table_name, instant.column_name);
    end loop;
    for key in
        select conname, conrelid::regclass as on_table, pg_get_constraintdef(oid) as definition
        from pg_constraint where connamespace = 'public'::regnamespace and contype = 'f' and confdeltype = 'a'
    loop
        execute format('alter table %s drop constraint %I', key.on_table, key.conname);
        execute format('alter table %s add %s on delete cascade', key.on_table, key.definition);
    end loop;
end $$;
alter table public.usage_metrics
    alter metric_date type date,
    add constraint uq_usage_metrics_user_date unique (user_id, metric_date);
alter table public.profiles
    add constraint profiles_id_fkey foreign key (id) references auth.users (id) on delete cascade;
alter table public.api_keys
    add constraint ck_api_keys_status_valid check (status in ('active', 'revoked', 'expired')),
    add constraint ck_api_keys_rate_limit_positive check (rate_limit > 0),
    add constraint ck_api_keys_usage_count_positive check (usage_count >= 0);
alter table public.credit_accounts
    add constraint ck_credit_accounts_balance_positive check (current_balance >= 0);
alter table public.credit_transactions
    add constraint ck_credit_transactions_type_valid check (type in ('purchase', 'usage', 'refund', 'bonus'));
alter table public.notifications
    add constraint ck_notifications_type_valid check (type in ('success', 'info', 'warning', 'error'));

create index ix_activity_logs_resource on public.activity_logs (resource_type, resource_id);
create index ix_activity_logs_timestamp on public.activity_logs (timestamp);
create index ix_activity_logs_user_id on public.activity_logs (user_id);
create index ix_activity_logs_user_timestamp on public.activity_logs (user_id, "timestamp");
create index ix_api_keys_key_hash on public.api_keys (key_hash);
create index ix_api_keys_status on public.api_keys (status);
create index ix_api_keys_user_id on public.api_keys (user_id);
create index ix_crawl_jobs_created_at on public.crawl_jobs (created_at);
create index ix_crawl_jobs_project_id on public.crawl_jobs (project_id);
create index ix_crawl_jobs_project_status on public.crawl_jobs (project_id, status);
create index ix_crawl_jobs_status on public.crawl_jobs (status);
create index ix_credit_accounts_user_id on public.credit_accounts (user_id);
create index ix_credit_transactions_account_id on public.credit_transactions (account_id);
create index ix_credit_transactions_created_at on public.credit_transactions (created_at);
create index ix_credit_transactions_user_id on public.credit_transactions (user_id);
create index ix_images_crawl_job_id on public.images (crawl_job_id);
create index ix_images_created_at on public.images (created_at);
create index ix_images_hash on public.images (hash);
create index ix_notification_preferences_user_id on public.notification_preferences (user_id);
create index ix_notifications_created_at on public.notifications (created_at DESC);
create index ix_notifications_is_read on public.notifications (is_read);
create index ix_notifications_user_id on public.notifications (user_id);
create index ix_notifications_user_unread on public.notifications (user_id, is_read) where not is_read;
create index ix_profiles_email on public.profiles (email);
create index ix_profiles_role on public.profiles (role);
create index ix_projects_status on public.projects (status);
create index ix_projects_user_id on public.projects (user_id);
create index ix_usage_metrics_metric_date on public.usage_metrics (metric_date);
create index ix_usage_metrics_user_id on public.usage_metrics (user_id);

-- Names as Postgres gives them.
do $$
declare
    named record;
begin
    for named in
        select conrelid::regclass as on_table, conname, regexp_replace(
            regexp_replace(conname, '_unique$', '_key'), '_(profiles|crawl_jobs|credit_accounts)_id_fk$', '_fkey') as wanted
        from pg_constraint where connamespace = 'public'::regnamespace and conname ~ '_(unique|fk)$'
    loop
        execute format('alter table %s rename constraint %I to %I', named.on_table, named.conname, named.wanted);
    end loop;
end $$;

create function public.handle_updated_at() returns trigger language plpgsql as $$
begin
    new.updated_at = now();
    return new;
end $$;

-- It fails for who has no address, a long name, or an address that somebody has.
create function public.handle_new_user() returns trigger language plpgsql security definer as $$
begin
    insert into public.profiles (id, email, full_name, avatar_url)
    values (new.id, new.email, new.raw_user_meta_data ->> 'full_name', new.raw_user_meta_data ->> 'avatar_url');
    insert into public.credit_accounts (user_id, current_balance) values (new.id, 100);
    insert into public.notification_preferences (user_id) values (new.id);
    return new;
end $$;
create trigger on_auth_user_created after insert on auth.users
    for each row execute function public.handle_new_user();

do $$
declare
    updated text;
    owned text;
begin
    foreach updated in array array[
        'profiles', 'projects', 'crawl_jobs', 'api_keys', 'credit_accounts', 'notification_preferences'
    ] loop
        execute format(
            'create trigger handle_updated_at before update on public.%I
                 for each row execute function public.handle_updated_at()', updated);
    end loop;
    foreach owned in array array[
        'profiles', 'projects', 'crawl_jobs', 'images', 'activity_logs', 'notifications', 'api_keys',
        'credit_accounts', 'credit_transactions', 'notification_preferences', 'usage_metrics'
    ] loop
        execute format('alter table public.%I enable row level security', owned);
    end loop;
    foreach owned in array array['api_keys', 'notifications', 'notification_preferences'] loop
        execute format('create policy "Users can manage own rows" on public.%I for all using (auth.uid() = user_id)', owned);
    end loop;
    foreach owned in array array['credit_accounts', 'credit_transactions', 'usage_metrics', 'activity_logs', 'projects'] loop
        execute format('create policy "Users can view own rows" on public.%I for select using (auth.uid() = user_id)', owned);
    end loop;
end $$;
create policy "Users can view own profile" on public.profiles for select using (auth.uid() = id);
create policy "Users can insert own profile" on public.profiles for insert with check (auth.uid() = id);
-- Role included.
create policy "Users can update own profile" on public.profiles for update using (auth.uid() = id);
-- Balance included.
create policy "Users can update own credit account" on public.credit_accounts for update using (auth.uid() = user_id);
create policy "Users can create own projects" on public.projects for insert with check (auth.uid() = user_id);
create policy "Users can update own projects" on public.projects for update using (auth.uid() = user_id);
create policy "Users can delete own projects" on public.projects for delete using (auth.uid() = user_id);
create policy "Users can insert own activity logs" on public.activity_logs for insert with check (auth.uid() = user_id);
create policy "Users can view own crawl jobs" on public.crawl_jobs for select
    using (exists (select from public.projects p where p.id = project_id and p.user_id = auth.uid()));
create policy "Users can create crawl jobs in own projects" on public.crawl_jobs for insert
    with check (exists (select from public.projects p where p.id = project_id and p.user_id = auth.uid()));
create policy "Users can update own crawl jobs" on public.crawl_jobs for update
    using (exists (select from public.projects p where p.id = project_id and p.user_id = auth.uid()));
create policy "Users can view own images" on public.images for select using (exists (
    select from public.crawl_jobs j join public.projects p on p.id = j.project_id
    where j.id = crawl_job_id and p.user_id = auth.uid()));
