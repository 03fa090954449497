// The 15 tables as the host's migrations make them, for Drizzle: columns, keys, checks, indexes,
// row-level security and policies. Triggers, grants and the private schema are the migrations' alone.
import { sql } from 'drizzle-orm';
import {
  type AnyPgColumn,
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  numeric,
  pgPolicy,
  pgTable,
  serial,
  smallint,
  text,
  time,
  timestamp,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';
import { authenticatedRole } from 'drizzle-orm/supabase';

const instant = { withTimezone: true } as const;

// Who is calling is asked once a statement and not once a row.
const own = sql`(select auth.uid()) = user_id`;
const ownId = sql`(select auth.uid()) = id`;
const ownInOwnProject = sql`(select auth.uid()) = user_id and (project_id is null or project_id in (select id from public.projects where user_id = (select auth.uid())))`;

export const profiles = pgTable(
  'profiles',
  {
    id: uuid('id').primaryKey(),
    email: varchar('email', { length: 255 }).notNull().unique('profiles_email_unique'),
    fullName: varchar('full_name', { length: 100 }),
    avatarUrl: text('avatar_url'),
    role: varchar('role', { length: 20 }).notNull().default('user'),
    onboardingCompleted: boolean('onboarding_completed').notNull().default(false),
    onboardingCompletedAt: timestamp('onboarding_completed_at', instant),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
  },
  () => [
    pgPolicy('pixcrawler_insert', { for: 'insert', to: authenticatedRole, withCheck: ownId }),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: ownId }),
    pgPolicy('pixcrawler_update', { for: 'update', to: authenticatedRole, using: ownId, withCheck: ownId }),
  ],
);

export const projects = pgTable(
  'projects',
  {
    id: serial('id').primaryKey(),
    name: varchar('name', { length: 100 }).notNull(),
    description: text('description'),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    status: varchar('status', { length: 20 }).notNull().default('active'),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
  },
  (t) => [
    index('projects_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_delete', { for: 'delete', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_insert', { for: 'insert', to: authenticatedRole, withCheck: own }),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_update', { for: 'update', to: authenticatedRole, using: own, withCheck: own }),
  ],
);

export const datasets = pgTable(
  'datasets',
  {
    id: serial('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    projectId: integer('project_id').references(() => projects.id, { onDelete: 'set null' }),
    name: varchar('name', { length: 100 }).notNull(),
    description: text('description'),
    keywords: jsonb('keywords').notNull(),
    maxImages: integer('max_images').notNull().default(100),
    searchEngines: jsonb('search_engines').notNull().default([]),
    status: varchar('status', { length: 20 }).notNull().default('pending'),
    progress: numeric('progress', { precision: 5, scale: 2 })
      .notNull()
      .default(sql`0`),
    imagesCollected: integer('images_collected').notNull().default(0),
    crawlJobId: integer('crawl_job_id').references((): AnyPgColumn => crawlJobs.id, { onDelete: 'set null' }),
    downloadUrl: text('download_url'),
    errorMessage: text('error_message'),
    storageTier: varchar('storage_tier', { length: 20 }).notNull().default('hot'),
    archivedAt: timestamp('archived_at', instant),
    lastAccessedAt: timestamp('last_accessed_at', instant).notNull().defaultNow(),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
  },
  (t) => [
    index('datasets_crawl_job_id_idx').on(t.crawlJobId),
    index('datasets_project_id_idx').on(t.projectId),
    index('datasets_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_insert', { for: 'insert', to: authenticatedRole, withCheck: ownInOwnProject }),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_update', {
      for: 'update',
      to: authenticatedRole,
      using: own,
      withCheck: ownInOwnProject,
    }),
  ],
);

export const crawlJobs = pgTable(
  'crawl_jobs',
  {
    id: serial('id').primaryKey(),
    datasetId: integer('dataset_id')
      .notNull()
      .references(() => datasets.id, { onDelete: 'cascade' }),
    name: varchar('name', { length: 100 }).notNull(),
    keywords: jsonb('keywords').notNull(),
    maxImages: integer('max_images').notNull().default(1000),
    status: varchar('status', { length: 20 }).notNull().default('pending'),
    progress: integer('progress').notNull().default(0),
    totalImages: integer('total_images').notNull().default(0),
    downloadedImages: integer('downloaded_images').notNull().default(0),
    validImages: integer('valid_images').notNull().default(0),
    totalChunks: integer('total_chunks').notNull().default(0),
    activeChunks: integer('active_chunks').notNull().default(0),
    completedChunks: integer('completed_chunks').notNull().default(0),
    failedChunks: integer('failed_chunks').notNull().default(0),
    taskIds: jsonb('task_ids').notNull().default([]),
    startedAt: timestamp('started_at', instant),
    completedAt: timestamp('completed_at', instant),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
    userId: uuid('user_id'),
    projectId: integer('project_id'),
    sources: jsonb('sources').notNull().default([]),
    options: jsonb('options').notNull().default({}),
    rules: jsonb('rules').notNull().default({}),
    error: text('error'),
    revision: bigint('revision', { mode: 'number' }).notNull().default(0),
  },
  (t) => [
    foreignKey({
      name: 'crawl_jobs_project_id_fkey',
      columns: [t.projectId],
      foreignColumns: [projects.id],
    }).onDelete('set null'),
    index('crawl_jobs_dataset_id_idx').on(t.datasetId),
    index('crawl_jobs_open_idx').on(t.userId).where(sql`status in ('pending', 'running')`),
    index('crawl_jobs_project_id_idx').on(t.projectId),
    index('crawl_jobs_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_insert', { for: 'insert', to: authenticatedRole, withCheck: own }),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_update', { for: 'update', to: authenticatedRole, using: own, withCheck: own }),
  ],
);

export const jobChunks = pgTable(
  'job_chunks',
  {
    id: serial('id').primaryKey(),
    jobId: integer('job_id')
      .notNull()
      .references(() => crawlJobs.id, { onDelete: 'cascade' }),
    chunkIndex: integer('chunk_index').notNull(),
    status: varchar('status', { length: 20 }).notNull().default('pending'),
    priority: integer('priority').notNull().default(5),
    imageRange: jsonb('image_range').notNull(),
    errorMessage: text('error_message'),
    retryCount: integer('retry_count').notNull().default(0),
    taskId: varchar('task_id', { length: 255 }),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
    userId: uuid('user_id'),
  },
  (t) => [
    index('job_chunks_job_id_idx').on(t.jobId, t.id),
    index('job_chunks_user_id_idx').on(t.userId),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
  ],
);

export const images = pgTable(
  'images',
  {
    id: serial('id').primaryKey(),
    crawlJobId: integer('crawl_job_id')
      .notNull()
      .references(() => crawlJobs.id, { onDelete: 'cascade' }),
    originalUrl: text('original_url').notNull(),
    filename: varchar('filename', { length: 255 }).notNull(),
    storageUrl: text('storage_url'),
    width: integer('width'),
    height: integer('height'),
    fileSize: integer('file_size'),
    format: varchar('format', { length: 10 }),
    hash: varchar('hash', { length: 64 }),
    isValid: boolean('is_valid').notNull().default(true),
    isDuplicate: boolean('is_duplicate').notNull().default(false),
    labels: jsonb('labels'),
    metadata: jsonb('metadata'),
    downloadedAt: timestamp('downloaded_at', instant).notNull().defaultNow(),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    userId: uuid('user_id'),
    datasetId: integer('dataset_id'),
    chunkId: integer('chunk_id'),
    source: text('source'),
    sourceId: text('source_id'),
    pageUrl: text('page_url'),
    title: text('title'),
    description: text('description'),
    creator: text('creator'),
    creatorUrl: text('creator_url'),
    license: text('license'),
    licenseUrl: text('license_url'),
    attribution: text('attribution'),
    declaredWidth: integer('declared_width'),
    declaredHeight: integer('declared_height'),
    declaredMime: text('declared_mime'),
    declaredSize: bigint('declared_size', { mode: 'number' }),
    reason: text('reason'),
    frames: integer('frames'),
    phash: bigint('phash', { mode: 'bigint' }),
    duplicateOf: integer('duplicate_of'),
    askedUrl: text('asked_url'),
    crc32: bigint('crc32', { mode: 'number' }),
    labelsSetAt: timestamp('labels_set_at', instant),
    pdq: text('pdq'),
    pdqQuality: smallint('pdq_quality'),
    pdqTrimmed: text('pdq_trimmed'),
    brightness: smallint('brightness'),
    contrast: smallint('contrast'),
    sharpness: smallint('sharpness'),
    jpegQuality: smallint('jpeg_quality'),
    consent: jsonb('consent'),
  },
  (t) => [
    index('images_crawl_job_id_idx').on(t.crawlJobId, t.id),
    index('images_dataset_id_idx').on(t.datasetId, t.id),
    index('images_duplicate_of_idx')
      .on(t.duplicateOf)
      .where(sql`duplicate_of is not null`),
    uniqueIndex('images_kept_idx')
      .on(t.datasetId, t.hash)
      .where(sql`is_valid and not is_duplicate`),
    index('images_not_kept_idx')
      .on(t.crawlJobId, t.isDuplicate, t.reason, t.userId)
      .where(sql`is_duplicate or not is_valid`),
    index('images_refused_bytes_idx')
      .on(t.datasetId, t.hash)
      .where(sql`reason in ('corrupt', 'decoder-fault', 'too-costly', 'truncated', 'unsupported-format')`),
    index('images_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
  ],
);

export const activityLogs = pgTable(
  'activity_logs',
  {
    id: serial('id').primaryKey(),
    userId: uuid('user_id').references(() => profiles.id, { onDelete: 'cascade' }),
    action: text('action').notNull(),
    resourceType: varchar('resource_type', { length: 50 }),
    resourceId: varchar('resource_id', { length: 50 }),
    metadata: jsonb('metadata'),
    timestamp: timestamp('timestamp', instant).notNull().defaultNow(),
  },
  (t) => [
    index('activity_logs_resource_idx').on(t.resourceType, t.resourceId, t.id),
    index('activity_logs_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
  ],
);

export const notifications = pgTable(
  'notifications',
  {
    id: serial('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    type: varchar('type', { length: 50 }).notNull(),
    category: varchar('category', { length: 50 }),
    title: varchar('title', { length: 255 }).notNull(),
    message: text('message').notNull(),
    icon: varchar('icon', { length: 50 }),
    color: varchar('color', { length: 20 }),
    actionUrl: text('action_url'),
    actionLabel: varchar('action_label', { length: 100 }),
    metadata: jsonb('metadata'),
    isRead: boolean('is_read').notNull().default(false),
    readAt: timestamp('read_at', instant),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
  },
  (t) => [
    check('ck_notifications_type_valid', sql`type in ('success', 'info', 'warning', 'error')`),
    index('notifications_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_delete', { for: 'delete', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_update', { for: 'update', to: authenticatedRole, using: own, withCheck: own }),
  ],
);

export const apiKeys = pgTable(
  'api_keys',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    name: varchar('name', { length: 200 }).notNull(),
    keyHash: varchar('key_hash', { length: 255 }).notNull().unique('api_keys_key_hash_unique'),
    keyPrefix: varchar('key_prefix', { length: 20 }).notNull(),
    status: varchar('status', { length: 20 }).notNull().default('active'),
    permissions: jsonb('permissions').notNull().default([]),
    rateLimit: integer('rate_limit').notNull().default(1000),
    usageCount: integer('usage_count').notNull().default(0),
    lastUsedAt: timestamp('last_used_at', instant),
    lastUsedIp: varchar('last_used_ip', { length: 45 }),
    expiresAt: timestamp('expires_at', instant),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
  },
  (t) => [
    check('ck_api_keys_rate_limit_positive', sql`rate_limit > 0`),
    check('ck_api_keys_status_valid', sql`status in ('active', 'revoked', 'expired')`),
    check('ck_api_keys_usage_count_positive', sql`usage_count >= 0`),
    index('api_keys_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_delete', { for: 'delete', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_update', { for: 'update', to: authenticatedRole, using: own, withCheck: own }),
  ],
);

export const creditAccounts = pgTable(
  'credit_accounts',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .unique('credit_accounts_user_id_unique')
      .references(() => profiles.id, { onDelete: 'cascade' }),
    currentBalance: integer('current_balance').notNull().default(0),
    monthlyUsage: integer('monthly_usage').notNull().default(0),
    averageDailyUsage: numeric('average_daily_usage', { precision: 10, scale: 2 })
      .notNull()
      .default(sql`0`),
    autoRefillEnabled: boolean('auto_refill_enabled').notNull().default(false),
    refillThreshold: integer('refill_threshold').notNull().default(100),
    refillAmount: integer('refill_amount').notNull().default(500),
    monthlyLimit: integer('monthly_limit').notNull().default(2000),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
  },
  () => [
    check('ck_credit_accounts_balance_positive', sql`current_balance >= 0`),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_update', { for: 'update', to: authenticatedRole, using: own, withCheck: own }),
  ],
);

export const creditTransactions = pgTable(
  'credit_transactions',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    accountId: uuid('account_id')
      .notNull()
      .references(() => creditAccounts.id, { onDelete: 'cascade' }),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    type: varchar('type', { length: 20 }).notNull(),
    description: text('description').notNull(),
    amount: integer('amount').notNull(),
    balanceAfter: integer('balance_after').notNull(),
    status: varchar('status', { length: 20 }).notNull().default('completed'),
    metadata: jsonb('metadata'),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
  },
  (t) => [
    check('ck_credit_transactions_type_valid', sql`type in ('purchase', 'usage', 'refund', 'bonus')`),
    index('credit_transactions_account_id_idx').on(t.accountId),
    index('credit_transactions_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
  ],
);

export const notificationPreferences = pgTable(
  'notification_preferences',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .unique('notification_preferences_user_id_unique')
      .references(() => profiles.id, { onDelete: 'cascade' }),
    emailEnabled: boolean('email_enabled').notNull().default(true),
    pushEnabled: boolean('push_enabled').notNull().default(false),
    smsEnabled: boolean('sms_enabled').notNull().default(false),
    crawlJobsEnabled: boolean('crawl_jobs_enabled').notNull().default(true),
    datasetsEnabled: boolean('datasets_enabled').notNull().default(true),
    billingEnabled: boolean('billing_enabled').notNull().default(true),
    securityEnabled: boolean('security_enabled').notNull().default(true),
    marketingEnabled: boolean('marketing_enabled').notNull().default(false),
    productUpdatesEnabled: boolean('product_updates_enabled').notNull().default(true),
    digestFrequency: varchar('digest_frequency', { length: 20 }).notNull().default('daily'),
    quietHoursStart: time('quiet_hours_start'),
    quietHoursEnd: time('quiet_hours_end'),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
  },
  () => [
    pgPolicy('pixcrawler_insert', { for: 'insert', to: authenticatedRole, withCheck: own }),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
    pgPolicy('pixcrawler_update', { for: 'update', to: authenticatedRole, using: own, withCheck: own }),
  ],
);

export const usageMetrics = pgTable(
  'usage_metrics',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    metricDate: timestamp('metric_date', instant).notNull(),
    imagesProcessed: integer('images_processed').notNull().default(0),
    imagesLimit: integer('images_limit').notNull().default(10000),
    storageUsedGb: numeric('storage_used_gb', { precision: 10, scale: 2 })
      .notNull()
      .default(sql`0`),
    storageLimitGb: numeric('storage_limit_gb', { precision: 10, scale: 2 })
      .notNull()
      .default(sql`100`),
    apiCalls: integer('api_calls').notNull().default(0),
    apiCallsLimit: integer('api_calls_limit').notNull().default(50000),
    bandwidthUsedGb: numeric('bandwidth_used_gb', { precision: 10, scale: 2 })
      .notNull()
      .default(sql`0`),
    bandwidthLimitGb: numeric('bandwidth_limit_gb', { precision: 10, scale: 2 })
      .notNull()
      .default(sql`500`),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
  },
  (t) => [
    index('usage_metrics_user_id_idx').on(t.userId, t.metricDate),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
  ],
);

export const subscriptions = pgTable(
  'subscriptions',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    lemonsqueezyCustomerId: varchar('lemonsqueezy_customer_id', { length: 255 }).notNull(),
    lemonsqueezySubscriptionId: varchar('lemonsqueezy_subscription_id', { length: 255 })
      .notNull()
      .unique('subscriptions_lemonsqueezy_subscription_id_unique'),
    lemonsqueezyVariantId: varchar('lemonsqueezy_variant_id', { length: 255 }).notNull(),
    planId: varchar('plan_id', { length: 50 }).notNull(),
    status: varchar('status', { length: 20 }).notNull(),
    currentPeriodStart: timestamp('current_period_start', instant).notNull(),
    currentPeriodEnd: timestamp('current_period_end', instant).notNull(),
    cancelAtPeriodEnd: boolean('cancel_at_period_end').notNull().default(false),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
  },
  (t) => [
    index('subscriptions_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
  ],
);

export const transactions = pgTable(
  'transactions',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    lemonsqueezyOrderId: varchar('lemonsqueezy_order_id', { length: 255 })
      .notNull()
      .unique('transactions_lemonsqueezy_order_id_unique'),
    amount: numeric('amount', { precision: 10, scale: 2 }).notNull(),
    currency: varchar('currency', { length: 3 }).notNull().default('usd'),
    status: varchar('status', { length: 20 }).notNull(),
    planId: varchar('plan_id', { length: 50 }).notNull(),
    metadata: jsonb('metadata'),
    createdAt: timestamp('created_at', instant).notNull().defaultNow(),
    updatedAt: timestamp('updated_at', instant).notNull().defaultNow(),
  },
  (t) => [
    index('transactions_user_id_idx').on(t.userId, t.id),
    pgPolicy('pixcrawler_select', { for: 'select', to: authenticatedRole, using: own }),
  ],
);
