-- The tables as the frontend's Drizzle schema makes them by a push: instants without a zone,
-- most keys without an action, no row-level security, all rights to everybody.

create table public.profiles (
    id uuid primary key,
    email varchar(255) not null,
    full_name varchar(100),
    avatar_url text,
    role varchar(20) not null default 'user',
    onboarding_completed boolean not null default false,
    onboarding_completed_at timestamp,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint profiles_email_unique unique (email)
);

create table public.projects (
    id serial primary key,
    name varchar(100) not null,
    description text,
    user_id uuid not null,
    status varchar(20) not null default 'active',
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint projects_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.datasets (
    id serial primary key,
    user_id uuid not null,
    project_id integer,
    name varchar(100) not null,
    description text,
    keywords jsonb not null,
    max_images integer not null default 100,
    search_engines jsonb not null default '[]',
    status varchar(20) not null default 'pending',
    progress numeric(5,2) not null default 0.00,
    images_collected integer not null default 0,
    crawl_job_id integer,
    download_url text,
    error_message text,
    storage_tier varchar(20) not null default 'hot',
    archived_at timestamp,
    last_accessed_at timestamp not null default now(),
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint datasets_project_id_projects_id_fk foreign key (project_id) references public.projects (id) on delete set null,
    constraint datasets_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id) on delete cascade
);

create table public.crawl_jobs (
    id serial primary key,
    dataset_id integer not null,
    name varchar(100) not null,
    keywords jsonb not null,
    max_images integer not null default 1000,
    status varchar(20) not null default 'pending',
    progress integer not null default 0,
    total_images integer not null default 0,
    downloaded_images integer not null default 0,
    valid_images integer not null default 0,
    total_chunks integer not null default 0,
    active_chunks integer not null default 0,
    completed_chunks integer not null default 0,
    failed_chunks integer not null default 0,
    task_ids jsonb not null default '[]',
    started_at timestamp,
    completed_at timestamp,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint crawl_jobs_dataset_id_datasets_id_fk foreign key (dataset_id) references public.datasets (id) on delete cascade
);

create table public.job_chunks (
    id serial primary key,
    job_id integer not null,
    chunk_index integer not null,
    status varchar(20) not null default 'pending',
    priority integer not null default 5,
    image_range jsonb not null,
    error_message text,
    retry_count integer not null default 0,
    task_id varchar(255),
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint job_chunks_job_id_crawl_jobs_id_fk foreign key (job_id) references public.crawl_jobs (id) on delete cascade
);

create table public.images (
    id serial primary key,
    crawl_job_id integer not null,
    original_url text not null,
    filename varchar(255) not null,
    storage_url text,
    width integer,
    height integer,
    file_size integer,
    format varchar(10),
    hash varchar(64),
    is_valid boolean not null default true,
    is_duplicate boolean not null default false,
    labels jsonb,
    metadata jsonb,
    downloaded_at timestamp not null default now(),
    created_at timestamp not null default now(),
    constraint images_crawl_job_id_crawl_jobs_id_fk foreign key (crawl_job_id) references public.crawl_jobs (id)
);

create table public.activity_logs (
    id serial primary key,
    user_id uuid,
    action text not null,
    resource_type varchar(50),
    resource_id varchar(50),
    metadata jsonb,
    "timestamp" timestamp not null default now(),
    constraint activity_logs_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.notifications (
    id serial primary key,
    user_id uuid not null,
    type varchar(50) not null,
    category varchar(50),
    title varchar(255) not null,
    message text not null,
    icon varchar(50),
    color varchar(20),
    action_url text,
    action_label varchar(100),
    metadata jsonb,
    is_read boolean not null default false,
    read_at timestamp,
    created_at timestamp not null default now(),
    constraint notifications_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.api_keys (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null,
    name varchar(200) not null,
    key_hash varchar(255) not null,
    key_prefix varchar(20) not null,
    status varchar(20) not null default 'active',
    permissions jsonb not null default '[]',
    rate_limit integer not null default 1000,
    usage_count integer not null default 0,
    last_used_at timestamp,
    last_used_ip varchar(45),
    expires_at timestamp,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint api_keys_key_hash_unique unique (key_hash),
    constraint api_keys_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.credit_accounts (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null,
    current_balance integer not null default 0,
    monthly_usage integer not null default 0,
    average_daily_usage numeric(10,2) not null default 0.00,
    auto_refill_enabled boolean not null default false,
    refill_threshold integer not null default 100,
    refill_amount integer not null default 500,
    monthly_limit integer not null default 2000,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint credit_accounts_user_id_unique unique (user_id),
    constraint credit_accounts_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.credit_transactions (
    id uuid primary key default gen_random_uuid(),
    account_id uuid not null,
    user_id uuid not null,
    type varchar(20) not null,
    description text not null,
    amount integer not null,
    balance_after integer not null,
    status varchar(20) not null default 'completed',
    metadata jsonb,
    created_at timestamp not null default now(),
    constraint credit_transactions_account_id_credit_accounts_id_fk foreign key (account_id) references public.credit_accounts (id),
    constraint credit_transactions_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.notification_preferences (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null,
    email_enabled boolean not null default true,
    push_enabled boolean not null default false,
    sms_enabled boolean not null default false,
    crawl_jobs_enabled boolean not null default true,
    datasets_enabled boolean not null default true,
    billing_enabled boolean not null default true,
    security_enabled boolean not null default true,
    marketing_enabled boolean not null default false,
    product_updates_enabled boolean not null default true,
    digest_frequency varchar(20) not null default 'daily',
    quiet_hours_start time,
    quiet_hours_end time,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint notification_preferences_user_id_unique unique (user_id),
    constraint notification_preferences_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.usage_metrics (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null,
    metric_date timestamp not null,
    images_processed integer not null default 0,
    images_limit integer not null default 10000,
    storage_used_gb numeric(10,2) not null default 0.00,
    storage_limit_gb numeric(10,2) not null default 100.00,
    api_calls integer not null default 0,
    api_calls_limit integer not null default 50000,
    bandwidth_used_gb numeric(10,2) not null default 0.00,
    bandwidth_limit_gb numeric(10,2) not null default 500.00,
    created_at timestamp not null default now(),
    constraint usage_metrics_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.subscriptions (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null,
    lemonsqueezy_customer_id varchar(255) not null,
    lemonsqueezy_subscription_id varchar(255) not null,
    lemonsqueezy_variant_id varchar(255) not null,
    plan_id varchar(50) not null,
    status varchar(20) not null,
    current_period_start timestamp not null,
    current_period_end timestamp not null,
    cancel_at_period_end boolean not null default false,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint subscriptions_lemonsqueezy_subscription_id_unique unique (lemonsqueezy_subscription_id),
    constraint subscriptions_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

create table public.transactions (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null,
    lemonsqueezy_order_id varchar(255) not null,
    amount numeric(10,2) not null,
    currency varchar(3) not null default 'usd',
    status varchar(20) not null,
    plan_id varchar(50) not null,
    metadata jsonb,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    constraint transactions_lemonsqueezy_order_id_unique unique (lemonsqueezy_order_id),
    constraint transactions_user_id_profiles_id_fk foreign key (user_id) references public.profiles (id)
);

alter table public.datasets add constraint datasets_crawl_job_id_crawl_jobs_id_fk foreign key (crawl_job_id) references public.crawl_jobs (id) on delete set null;

create index ix_job_chunks_job_id on public.job_chunks (job_id);
create index ix_job_chunks_status on public.job_chunks (status);
create index ix_job_chunks_task_id on public.job_chunks (task_id);

-- What older projects give on everything that is made in `public`.
grant all on all tables in schema public to anon, authenticated, service_role;
grant all on all sequences in schema public to anon, authenticated, service_role;
