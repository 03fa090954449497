// The frontend's own tables in its own ORM, as it declares them for each layout of the database:
// `b` is what a push of its schema makes, `c` its older SQL files, `d` its script for production.
import {
  boolean,
  date,
  integer,
  jsonb,
  numeric,
  index,
  pgTable,
  serial,
  text,
  time,
  timestamp,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';

/** The tables of a shape by the names that the frontend's code has for them. */
export function tables(shape) {
  const instant = (name) => timestamp(name, { withTimezone: shape === 'd' });
  const created = () => instant('created_at').notNull().defaultNow();
  const updated = () => instant('updated_at').notNull().defaultNow();
  const money = (name, value) => numeric(name, { precision: 10, scale: 2 }).notNull().default(value);
  const count = (name, value = 0) => integer(name).notNull().default(value);
  // What goes with its owner in production, and holds its owner back elsewhere.
  const below = shape === 'd' ? { onDelete: 'cascade' } : undefined;
  const ofUser = () =>
    uuid('user_id')
      .notNull()
      .references(() => profiles.id, below);
  const ownId = () => uuid('id').primaryKey().defaultRandom();

  const profiles = pgTable('profiles', {
    id: uuid('id').primaryKey(),
    email: varchar('email', { length: 255 }).notNull().unique(),
    fullName: varchar('full_name', { length: 100 }),
    avatarUrl: text('avatar_url'),
    role: varchar('role', { length: 20 }).notNull().default('user'),
    onboardingCompleted: boolean('onboarding_completed').notNull().default(false),
    onboardingCompletedAt: instant('onboarding_completed_at'),
    createdAt: created(),
    updatedAt: updated(),
  });

  const projects = pgTable('projects', {
    id: serial('id').primaryKey(),
    name: varchar('name', { length: 100 }).notNull(),
    description: text('description'),
    userId: ofUser(),
    status: varchar('status', { length: 20 }).notNull().default('active'),
    createdAt: created(),
    updatedAt: updated(),
  });

  const datasets = pgTable('datasets', {
    id: serial('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => profiles.id, { onDelete: 'cascade' }),
    projectId: integer('project_id').references(() => projects.id, { onDelete: 'set null' }),
    name: varchar('name', { length: 100 }).notNull(),
    description: text('description'),
    keywords: jsonb('keywords').notNull(),
    maxImages: count('max_images', 100),
    searchEngines: jsonb('search_engines').notNull().default([]),
    status: varchar('status', { length: 20 }).notNull().default('pending'),
    progress: numeric('progress', { precision: 5, scale: 2 }).notNull().default('0.00'),
    imagesCollected: count('images_collected'),
    crawlJobId: integer('crawl_job_id').references(() => crawlJobs.id, { onDelete: 'set null' }),
    downloadUrl: text('download_url'),
    errorMessage: text('error_message'),
    storageTier: varchar('storage_tier', { length: 20 }).notNull().default('hot'),
    archivedAt: instant('archived_at'),
    lastAccessedAt: instant('last_accessed_at').notNull().defaultNow(),
    createdAt: created(),
    updatedAt: updated(),
  });

  const crawlJobs = pgTable('crawl_jobs', {
    id: serial('id').primaryKey(),
    ...(shape === 'b'
      ? {
          datasetId: integer('dataset_id')
            .notNull()
            .references(() => datasets.id, { onDelete: 'cascade' }),
        }
      : {
          projectId: integer('project_id')
            .notNull()
            .references(() => projects.id, below),
        }),
    name: varchar('name', { length: 100 }).notNull(),
    keywords: jsonb('keywords').notNull(),
    maxImages: count('max_images', 1000),
    status: varchar('status', { length: 20 }).notNull().default('pending'),
    progress: count('progress'),
    totalImages: count('total_images'),
    downloadedImages: count('downloaded_images'),
    validImages: count('valid_images'),
    totalChunks: count('total_chunks'),
    activeChunks: count('active_chunks'),
    completedChunks: count('completed_chunks'),
    failedChunks: count('failed_chunks'),
    taskIds: jsonb('task_ids').notNull().default([]),
    startedAt: instant('started_at'),
    completedAt: instant('completed_at'),
    createdAt: created(),
    updatedAt: updated(),
  });

  const jobChunks = pgTable(
    'job_chunks',
    {
      id: serial('id').primaryKey(),
      jobId: integer('job_id')
        .notNull()
        .references(() => crawlJobs.id, { onDelete: 'cascade' }),
      chunkIndex: integer('chunk_index').notNull(),
      status: varchar('status', { length: 20 }).notNull().default('pending'),
      priority: count('priority', 5),
      imageRange: jsonb('image_range').notNull(),
      errorMessage: text('error_message'),
      retryCount: count('retry_count'),
      taskId: varchar('task_id', { length: 255 }),
      createdAt: created(),
      updatedAt: updated(),
    },
    (t) => [
      index('ix_job_chunks_job_id').on(t.jobId),
      index('ix_job_chunks_status').on(t.status),
      index('ix_job_chunks_task_id').on(t.taskId),
    ],
  );

  const images = pgTable('images', {
    id: serial('id').primaryKey(),
    crawlJobId: integer('crawl_job_id')
      .notNull()
      .references(() => crawlJobs.id, below),
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
    downloadedAt: instant('downloaded_at').notNull().defaultNow(),
    createdAt: created(),
  });

  const activityLogs = pgTable('activity_logs', {
    id: serial('id').primaryKey(),
    userId: uuid('user_id').references(() => profiles.id, below),
    action: text('action').notNull(),
    resourceType: varchar('resource_type', { length: 50 }),
    resourceId: varchar('resource_id', { length: 50 }),
    metadata: jsonb('metadata'),
    timestamp: instant('timestamp').notNull().defaultNow(),
  });

  const apiKeys = pgTable('api_keys', {
    id: ownId(),
    userId: ofUser(),
    name: varchar('name', { length: 200 }).notNull(),
    keyHash: varchar('key_hash', { length: 255 }).notNull().unique(),
    keyPrefix: varchar('key_prefix', { length: 20 }).notNull(),
    status: varchar('status', { length: 20 }).notNull().default('active'),
    permissions: jsonb('permissions').notNull().default([]),
    rateLimit: count('rate_limit', 1000),
    usageCount: count('usage_count'),
    lastUsedAt: instant('last_used_at'),
    lastUsedIp: varchar('last_used_ip', { length: 45 }),
    expiresAt: instant('expires_at'),
    createdAt: created(),
    updatedAt: updated(),
  });

  const creditAccounts = pgTable('credit_accounts', {
    id: ownId(),
    userId: ofUser().unique(),
    currentBalance: count('current_balance'),
    monthlyUsage: count('monthly_usage'),
    averageDailyUsage: money('average_daily_usage', '0.00'),
    autoRefillEnabled: boolean('auto_refill_enabled').notNull().default(false),
    refillThreshold: count('refill_threshold', 100),
    refillAmount: count('refill_amount', 500),
    monthlyLimit: count('monthly_limit', 2000),
    createdAt: created(),
    updatedAt: updated(),
  });

  const creditTransactions = pgTable('credit_transactions', {
    id: ownId(),
    accountId: uuid('account_id')
      .notNull()
      .references(() => creditAccounts.id, below),
    userId: ofUser(),
    type: varchar('type', { length: 20 }).notNull(),
    description: text('description').notNull(),
    amount: integer('amount').notNull(),
    balanceAfter: integer('balance_after').notNull(),
    status: varchar('status', { length: 20 }).notNull().default('completed'),
    metadata: jsonb('metadata'),
    createdAt: created(),
  });

  const notifications = pgTable('notifications', {
    id: serial('id').primaryKey(),
    userId: ofUser(),
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
    readAt: instant('read_at'),
    createdAt: created(),
  });

  const notificationPreferences = pgTable('notification_preferences', {
    id: ownId(),
    userId: ofUser().unique(),
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
    createdAt: created(),
    updatedAt: updated(),
  });

  const usageMetrics = pgTable('usage_metrics', {
    id: ownId(),
    userId: ofUser(),
    metricDate: (shape === 'd' ? date('metric_date') : instant('metric_date')).notNull(),
    imagesProcessed: count('images_processed'),
    imagesLimit: count('images_limit', 10000),
    storageUsedGb: money('storage_used_gb', '0.00'),
    storageLimitGb: money('storage_limit_gb', '100.00'),
    apiCalls: count('api_calls'),
    apiCallsLimit: count('api_calls_limit', 50000),
    bandwidthUsedGb: money('bandwidth_used_gb', '0.00'),
    bandwidthLimitGb: money('bandwidth_limit_gb', '500.00'),
    createdAt: created(),
  });

  const subscriptions = pgTable('subscriptions', {
    id: ownId(),
    userId: ofUser(),
    lemonsqueezyCustomerId: varchar('lemonsqueezy_customer_id', { length: 255 }).notNull(),
    lemonsqueezySubscriptionId: varchar('lemonsqueezy_subscription_id', { length: 255 }).notNull().unique(),
    lemonsqueezyVariantId: varchar('lemonsqueezy_variant_id', { length: 255 }).notNull(),
    planId: varchar('plan_id', { length: 50 }).notNull(),
    status: varchar('status', { length: 20 }).notNull(),
    currentPeriodStart: instant('current_period_start').notNull(),
    currentPeriodEnd: instant('current_period_end').notNull(),
    cancelAtPeriodEnd: boolean('cancel_at_period_end').notNull().default(false),
    createdAt: created(),
    updatedAt: updated(),
  });

  const transactions = pgTable('transactions', {
    id: ownId(),
    userId: ofUser(),
    lemonsqueezyOrderId: varchar('lemonsqueezy_order_id', { length: 255 }).notNull().unique(),
    amount: numeric('amount', { precision: 10, scale: 2 }).notNull(),
    currency: varchar('currency', { length: 3 }).notNull().default('usd'),
    status: varchar('status', { length: 20 }).notNull(),
    planId: varchar('plan_id', { length: 50 }).notNull(),
    metadata: jsonb('metadata'),
    createdAt: created(),
    updatedAt: updated(),
  });

  // In an order in which each finds what its keys refer to.
  const before = { profiles, projects };
  const rest = {
    images,
    activityLogs,
    apiKeys,
    creditAccounts,
    creditTransactions,
    notifications,
    notificationPreferences,
    usageMetrics,
  };
  switch (shape) {
    case 'b':
      return { ...before, datasets, crawlJobs, jobChunks, ...rest, subscriptions, transactions };
    case 'c':
      return { ...before, crawlJobs, datasets, ...rest, subscriptions, transactions };
    case 'd':
      return { ...before, crawlJobs, ...rest };
    default:
      throw new Error(`there is no shape ${shape}, only b, c and d`);
  }
}
