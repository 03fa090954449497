-- Who may do what, on every table, whoever made it and whatever was granted before: users read
-- what is theirs, and write only the columns that are named here.

do $$
declare
    owned text;
    other record;
begin
    foreach owned in array array[
        'profiles', 'projects', 'datasets', 'crawl_jobs', 'job_chunks', 'images', 'activity_logs', 'notifications',
        'api_keys', 'credit_accounts', 'credit_transactions', 'notification_preferences', 'usage_metrics',
        'subscriptions', 'transactions'
    ] loop
        execute format('alter table public.%I enable row level security', owned);
        -- Permissive ones add up: one that lets an owner write a role or a balance would stay in force.
        for other in
            select
                polname, pg_get_expr(polqual, polrelid) as used, pg_get_expr(polwithcheck, polrelid) as checked
            from pg_policy
            where polrelid = format('public.%I', owned)::regclass and polpermissive
                and polname not like 'pixcrawler\_%'
        loop
            execute format('drop policy %I on public.%I', other.polname, owned);
            raise warning 'policy "%" on public.% is replaced; it was: using (%) with check (%)',
                other.polname, owned, other.used, other.checked;
        end loop;
        execute format('revoke all on public.%I from public, anon, authenticated', owned);
        execute format('grant select on public.%I to authenticated', owned);
        execute format('grant all on public.%I to service_role', owned);
    end loop;
    for other in
        select s.oid::regclass as name, s.relname in ('projects_id_seq', 'datasets_id_seq') as used
        from pg_class s
        join pg_depend d on d.objid = s.oid and d.deptype in ('a', 'i') and d.refclassid = 'pg_class'::regclass
        join pg_policy p on p.polrelid = d.refobjid and p.polname = 'pixcrawler_select'
        where s.relkind = 'S'
    loop
        execute format('revoke all on sequence %s from public, anon, authenticated', other.name);
        execute format('grant all on sequence %s to service_role', other.name);
        if other.used then
            execute format('grant usage on sequence %s to authenticated', other.name);
        end if;
    end loop;
    foreach owned in array array[
        'api_keys', 'credit_accounts', 'credit_transactions', 'notification_preferences', 'usage_metrics',
        'subscriptions', 'transactions'
    ] loop
        execute format(
            'create policy pixcrawler_select on public.%I for select to authenticated
                 using ((select auth.uid()) = user_id)', owned);
    end loop;
end $$;

grant insert (id, email, full_name, avatar_url, onboarding_completed, onboarding_completed_at, updated_at),
    update (id, email, full_name, avatar_url, onboarding_completed, onboarding_completed_at, updated_at)
    on public.profiles to authenticated;
grant delete, insert (name, description, user_id, status), update (name, description, status, updated_at)
    on public.projects to authenticated;
grant insert (user_id, project_id, name, description, keywords, max_images, search_engines),
    update (project_id, name, description, last_accessed_at, updated_at)
    on public.datasets to authenticated;
grant delete, update (is_read, read_at) on public.notifications to authenticated;

-- A key is made where its hash is made, on a server; its owner names it, and ends it.
revoke select on public.api_keys from authenticated;
grant select (
        id, user_id, name, key_prefix, status, permissions, rate_limit, usage_count, last_used_at, last_used_ip,
        expires_at, created_at, updated_at
    ), delete, update (name)
    on public.api_keys to authenticated;
create policy pixcrawler_update on public.api_keys for update to authenticated
    using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy pixcrawler_delete on public.api_keys for delete to authenticated
    using ((select auth.uid()) = user_id);

grant update (auto_refill_enabled, refill_threshold, refill_amount, monthly_limit)
    on public.credit_accounts to authenticated;
create policy pixcrawler_update on public.credit_accounts for update to authenticated
    using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);

grant insert (
        user_id, email_enabled, push_enabled, sms_enabled, crawl_jobs_enabled, datasets_enabled, billing_enabled,
        security_enabled, marketing_enabled, product_updates_enabled, digest_frequency, quiet_hours_start,
        quiet_hours_end
    ), update (
        email_enabled, push_enabled, sms_enabled, crawl_jobs_enabled, datasets_enabled, billing_enabled,
        security_enabled, marketing_enabled, product_updates_enabled, digest_frequency, quiet_hours_start,
        quiet_hours_end, updated_at
    )
    on public.notification_preferences to authenticated;
create policy pixcrawler_insert on public.notification_preferences for insert to authenticated
    with check ((select auth.uid()) = user_id);
create policy pixcrawler_update on public.notification_preferences for update to authenticated
    using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
