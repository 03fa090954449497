-- Keys, credit, preferences, usage and payments of users: the frontend's. The host writes none of
-- them, but for what a new user begins with.

create table if not exists public.api_keys (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null
        constraint api_keys_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    name varchar(200) not null,
    -- Shown to nobody.
    key_hash varchar(255) not null constraint api_keys_key_hash_unique unique,
    key_prefix varchar(20) not null,
    -- active, revoked or expired
    status varchar(20) not null default 'active',
    permissions jsonb not null default '[]',
    rate_limit integer not null default 1000,
    usage_count integer not null default 0,
    last_used_at timestamptz,
    last_used_ip varchar(45),
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists public.credit_accounts (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null
        constraint credit_accounts_user_id_unique unique
        constraint credit_accounts_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    current_balance integer not null default 0,
    monthly_usage integer not null default 0,
    average_daily_usage numeric(10, 2) not null default 0,
    auto_refill_enabled boolean not null default false,
    refill_threshold integer not null default 100,
    refill_amount integer not null default 500,
    monthly_limit integer not null default 2000,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists public.credit_transactions (
    id uuid primary key default gen_random_uuid(),
    account_id uuid not null
        constraint credit_transactions_account_id_credit_accounts_id_fk
        references public.credit_accounts (id) on delete cascade,
    user_id uuid not null
        constraint credit_transactions_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    -- purchase, usage, refund or bonus
    type varchar(20) not null,
    description text not null,
    amount integer not null,
    balance_after integer not null,
    -- completed, pending, failed or cancelled
    status varchar(20) not null default 'completed',
    metadata jsonb,
    created_at timestamptz not null default now()
);

create table if not exists public.notification_preferences (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null
        constraint notification_preferences_user_id_unique unique
        constraint notification_preferences_user_id_profiles_id_fk
        references public.profiles (id) on delete cascade,
    email_enabled boolean not null default true,
    push_enabled boolean not null default false,
    sms_enabled boolean not null default false,
    crawl_jobs_enabled boolean not null default true,
    datasets_enabled boolean not null default true,
    billing_enabled boolean not null default true,
    security_enabled boolean not null default true,
    marketing_enabled boolean not null default false,
    product_updates_enabled boolean not null default true,
    -- realtime, daily, weekly or never
    digest_frequency varchar(20) not null default 'daily',
    quiet_hours_start time,
    quiet_hours_end time,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists public.usage_metrics (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null
        constraint usage_metrics_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    metric_date timestamptz not null,
    images_processed integer not null default 0,
    images_limit integer not null default 10000,
    storage_used_gb numeric(10, 2) not null default 0,
    storage_limit_gb numeric(10, 2) not null default 100,
    api_calls integer not null default 0,
    api_calls_limit integer not null default 50000,
    bandwidth_used_gb numeric(10, 2) not null default 0,
    bandwidth_limit_gb numeric(10, 2) not null default 500,
    created_at timestamptz not null default now()
);

create table if not exists public.subscriptions (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null
        constraint subscriptions_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    lemonsqueezy_customer_id varchar(255) not null,
    lemonsqueezy_subscription_id varchar(255) not null
        constraint subscriptions_lemonsqueezy_subscription_id_unique unique,
    lemonsqueezy_variant_id varchar(255) not null,
    plan_id varchar(50) not null,
    -- active, cancelled, expired, on_trial, paused, past_due or unpaid
    status varchar(20) not null,
    current_period_start timestamptz not null,
    current_period_end timestamptz not null,
    cancel_at_period_end boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists public.transactions (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null
        constraint transactions_user_id_profiles_id_fk references public.profiles (id) on delete cascade,
    lemonsqueezy_order_id varchar(255) not null
        constraint transactions_lemonsqueezy_order_id_unique unique,
    amount numeric(10, 2) not null,
    currency varchar(3) not null default 'usd',
    -- paid, pending, failed or refunded
    status varchar(20) not null,
    plan_id varchar(50) not null,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index if not exists api_keys_user_id_idx on public.api_keys (user_id, id);
create index if not exists credit_transactions_user_id_idx on public.credit_transactions (user_id, id);
create index if not exists credit_transactions_account_id_idx on public.credit_transactions (account_id);
create index if not exists usage_metrics_user_id_idx on public.usage_metrics (user_id, metric_date);
create index if not exists subscriptions_user_id_idx on public.subscriptions (user_id, id);
create index if not exists transactions_user_id_idx on public.transactions (user_id, id);
create index if not exists crawl_jobs_project_id_idx on public.crawl_jobs (project_id);

create or replace trigger set_updated_at before update on public.api_keys
    for each row execute function pixcrawler.set_updated_at();
create or replace trigger set_updated_at before update on public.credit_accounts
    for each row execute function pixcrawler.set_updated_at();
create or replace trigger set_updated_at before update on public.notification_preferences
    for each row execute function pixcrawler.set_updated_at();

-- What a row must hold from now on. Where rows that are there break it, it is left out: they could
-- not be changed any more, not even to be read.
do $$
declare
    rule record;
begin
    for rule in select * from (values
        ('api_keys', 'ck_api_keys_status_valid', 'status in (''active'', ''revoked'', ''expired'')'),
        ('api_keys', 'ck_api_keys_rate_limit_positive', 'rate_limit > 0'),
        ('api_keys', 'ck_api_keys_usage_count_positive', 'usage_count >= 0'),
        ('credit_accounts', 'ck_credit_accounts_balance_positive', 'current_balance >= 0'),
        ('credit_transactions', 'ck_credit_transactions_type_valid',
         'type in (''purchase'', ''usage'', ''refund'', ''bonus'')'),
        ('notifications', 'ck_notifications_type_valid', 'type in (''success'', ''info'', ''warning'', ''error'')')
    ) as rules (on_table, name, must)
    loop
        if exists (
            select from pg_constraint
            where conrelid = format('public.%I', rule.on_table)::regclass and conname = rule.name
        ) then
            continue;
        end if;
        begin
            execute format('alter table public.%I add constraint %I check (%s)', rule.on_table, rule.name, rule.must);
        exception when check_violation then
            raise warning 'rows of public.% break %, which is left out: %', rule.on_table, rule.name, rule.must;
        end;
    end loop;
end $$;
