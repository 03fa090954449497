// Plays the frontend's server, with its own ORM and its own idea of the tables:
//
//     DATABASE_URL=… node frontend.mjs b|c|d
//
// Each table is inserted into, read back, updated and read again, for two new users: one with every
// column filled, whose rows stay, and one with only those that must be, whose rows are deleted at
// the end. Prints what it did with which table; what fails is named on stderr, and the exit code is 1.
import { randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { eq, getTableColumns, getTableName, is, sql, SQL } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { tables } from './shapes.mjs';

const ODD = 'Ünï "quoted" \'single\' \\ 100% $1 — 猫 🐈';
const JSON_OF_ALL_KINDS = {
  list: [1, -2.5, 'three', null, true],
  nested: { 'ключ "k"': { deep: [] } },
  empty: '',
};
// To the millisecond, which is all that a JavaScript date holds; on a day and an hour that are easily lost.
const LEAP_DAY = new Date('2024-02-29T23:59:59.999Z');
const SUMMER = new Date('2025-07-01T00:30:00.001Z');
const LATER = new Date('2031-12-31T12:00:00.000Z');
const LARGEST = 2147483647;

// What is written to each table: what must be there, what may be, and what is changed later.
// `had` holds what this user has already; `unique` is a column that other code (a trigger at
// sign-up) may have made a row for, so that the frontend writes over it.
const ROWS = {
  profiles: (had) => ({
    unique: 'id',
    must: { id: had.id, email: had.email },
    may: {
      fullName: ODD,
      avatarUrl: 'https://example.org/a.png?size=1&x=%20',
      role: 'admin',
      onboardingCompleted: true,
      onboardingCompletedAt: LEAP_DAY,
    },
    later: { fullName: 'n'.repeat(100), avatarUrl: null, role: 'user', onboardingCompletedAt: SUMMER },
  }),
  projects: (had) => ({
    must: { name: ODD, userId: had.id },
    may: { description: ODD, status: 'archived' },
    later: { name: 'n'.repeat(100), description: null, status: 'deleted' },
  }),
  datasets: (had) => ({
    must: { userId: had.id, name: ODD, keywords: ['cat', ODD] },
    may: {
      projectId: had.projects.id,
      description: ODD,
      maxImages: LARGEST,
      searchEngines: ['google', 'bing', 'duckduckgo'],
      status: 'processing',
      progress: '99.99',
      imagesCollected: 12,
      // In one shape the job is made later, and refers to the dataset.
      crawlJobId: had.crawlJobs?.id ?? null,
      downloadUrl: 'https://example.org/d.zip',
      errorMessage: ODD,
      storageTier: 'cold',
      archivedAt: LEAP_DAY,
      lastAccessedAt: SUMMER,
    },
    later: {
      projectId: null,
      keywords: [],
      status: 'completed',
      progress: '100.00',
      crawlJobId: had.crawlJobs?.id,
      archivedAt: null,
      lastAccessedAt: LATER,
    },
  }),
  crawlJobs: (had, columns) => ({
    must: {
      ...(columns.datasetId ? { datasetId: had.datasets.id } : { projectId: had.projects.id }),
      name: ODD,
      keywords: ['cat', ODD],
    },
    may: {
      maxImages: 5,
      status: 'pending',
      progress: 1,
      totalImages: 2,
      downloadedImages: 3,
      validImages: 4,
      totalChunks: 5,
      activeChunks: 6,
      completedChunks: 7,
      failedChunks: 8,
      taskIds: [randomUUID()],
      startedAt: LEAP_DAY,
      completedAt: SUMMER,
    },
    later: {
      name: 'n'.repeat(100),
      keywords: ['dog'],
      status: 'cancelled',
      progress: 100,
      taskIds: [],
      startedAt: SUMMER,
      completedAt: LATER,
    },
  }),
  jobChunks: (had) => ({
    must: { jobId: had.crawlJobs.id, chunkIndex: 3, imageRange: { start: 0, end: 499 } },
    may: { status: 'processing', priority: 10, errorMessage: ODD, retryCount: 2, taskId: randomUUID() },
    later: {
      status: 'failed',
      priority: 0,
      imageRange: { start: 500, end: 999 },
      errorMessage: null,
      retryCount: 3,
    },
  }),
  images: (had) => ({
    must: {
      crawlJobId: had.crawlJobs.id,
      originalUrl: `https://example.org/${'x'.repeat(3000)}.jpg`,
      filename: ODD,
    },
    may: {
      storageUrl: 'images/1.jpg',
      width: 640,
      height: 480,
      fileSize: LARGEST,
      format: 'jpeg',
      hash: randomBytes(32).toString('hex'),
      isValid: false,
      isDuplicate: true,
      labels: ['cat', ODD],
      metadata: JSON_OF_ALL_KINDS,
      downloadedAt: LEAP_DAY,
    },
    later: {
      filename: 'f'.repeat(255),
      isValid: true,
      isDuplicate: false,
      labels: null,
      metadata: [],
      downloadedAt: SUMMER,
    },
  }),
  activityLogs: (had) => ({
    must: { action: ODD },
    may: {
      userId: had.id,
      resourceType: 'crawl_job',
      resourceId: String(had.crawlJobs.id),
      metadata: JSON_OF_ALL_KINDS,
      timestamp: LEAP_DAY,
    },
    later: { action: 'START_CRAWL_JOB', resourceId: null, metadata: null },
  }),
  apiKeys: (had) => ({
    must: { userId: had.id, name: ODD, keyHash: randomBytes(32).toString('hex'), keyPrefix: 'pk_live_abc' },
    may: {
      status: 'expired',
      permissions: ['read', 'write'],
      rateLimit: 1,
      usageCount: LARGEST,
      lastUsedAt: SUMMER,
      lastUsedIp: '2001:0db8:85a3:0000:0000:8a2e:192.168.100.200',
      expiresAt: LATER,
    },
    later: {
      name: 'n'.repeat(200),
      status: 'revoked',
      permissions: [],
      usageCount: 0,
      lastUsedAt: LEAP_DAY,
      expiresAt: null,
    },
  }),
  creditAccounts: (had) => ({
    unique: 'userId',
    must: { userId: had.id },
    may: {
      currentBalance: 500,
      monthlyUsage: 20,
      averageDailyUsage: '12345678.90',
      autoRefillEnabled: true,
      refillThreshold: 1,
      refillAmount: 2,
      monthlyLimit: 3,
    },
    later: { currentBalance: 0, monthlyUsage: 520, averageDailyUsage: '0.01', autoRefillEnabled: false },
  }),
  creditTransactions: (had) => ({
    must: {
      accountId: had.creditAccounts.id,
      userId: had.id,
      type: 'usage',
      description: ODD,
      amount: -500,
      balanceAfter: 0,
    },
    may: { status: 'pending', metadata: JSON_OF_ALL_KINDS },
    later: { type: 'refund', amount: 500, balanceAfter: 500, status: 'failed', metadata: null },
  }),
  notifications: (had) => ({
    must: { userId: had.id, type: 'success', title: ODD, message: ODD },
    may: {
      category: 'product',
      icon: 'check',
      color: 'green',
      actionUrl: '/dashboard/jobs/1',
      actionLabel: ODD,
      metadata: JSON_OF_ALL_KINDS,
      isRead: false,
      readAt: LEAP_DAY,
    },
    later: { type: 'error', title: 't'.repeat(255), isRead: true, readAt: SUMMER },
  }),
  notificationPreferences: (had) => ({
    unique: 'userId',
    must: { userId: had.id },
    may: {
      emailEnabled: false,
      pushEnabled: true,
      smsEnabled: true,
      crawlJobsEnabled: false,
      datasetsEnabled: false,
      billingEnabled: false,
      securityEnabled: false,
      marketingEnabled: true,
      productUpdatesEnabled: false,
      digestFrequency: 'weekly',
      quietHoursStart: '22:00:00',
      quietHoursEnd: '06:30:15',
    },
    later: {
      emailEnabled: true,
      smsEnabled: false,
      digestFrequency: 'never',
      quietHoursStart: null,
      quietHoursEnd: '23:59:59',
    },
  }),
  usageMetrics: (had, columns) => {
    const day = (text) => (columns.metricDate.getSQLType() === 'date' ? text : new Date(text));
    return {
      must: { userId: had.id, metricDate: day('2024-02-29') },
      may: {
        imagesProcessed: 1,
        imagesLimit: 2,
        storageUsedGb: '0.01',
        storageLimitGb: '99999999.99',
        apiCalls: 3,
        apiCallsLimit: LARGEST,
        bandwidthUsedGb: '5.50',
        bandwidthLimitGb: '6.00',
      },
      later: { metricDate: day('2025-07-01'), imagesProcessed: 100, storageUsedGb: '1.10', apiCalls: 0 },
    };
  },
  subscriptions: (had) => ({
    must: {
      userId: had.id,
      lemonsqueezyCustomerId: '1',
      lemonsqueezySubscriptionId: randomUUID(),
      lemonsqueezyVariantId: '2',
      planId: 'pro',
      status: 'on_trial',
      currentPeriodStart: LEAP_DAY,
      currentPeriodEnd: SUMMER,
    },
    may: { cancelAtPeriodEnd: true },
    later: {
      status: 'past_due',
      currentPeriodStart: SUMMER,
      currentPeriodEnd: LATER,
      cancelAtPeriodEnd: false,
    },
  }),
  transactions: (had) => ({
    must: {
      userId: had.id,
      lemonsqueezyOrderId: randomUUID(),
      amount: '19.99',
      status: 'paid',
      planId: 'pro',
    },
    may: { currency: 'eur', metadata: JSON_OF_ALL_KINDS },
    later: { amount: '-99999999.99', status: 'refunded', metadata: null },
  }),
};

const shape = tables(process.argv[2]);
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
const db = drizzle(client);
// By table and verb, whether it went well every time.
const done = Object.fromEntries(Object.values(shape).map((table) => [getTableName(table), {}]));

/** Does something with a table; the others are gone on with when it fails. */
async function attempt(table, verb, action) {
  const name = getTableName(table);
  try {
    await action();
    done[name][verb] ??= true;
    return true;
  } catch (error) {
    done[name][verb] = false;
    // The ORM wraps what the database says.
    const { message, code, detail, where } = error.cause ?? error;
    console.error([`${name} ${verb}: ${message}`, code, detail, where].filter(Boolean).join(' | '));
    return false;
  }
}

/** The moments that the database fills in. */
function isNow(value) {
  return value instanceof Date && Math.abs(Date.now() - value) < 60_000;
}

/** What a new row holds where nothing was written: the default that the shape declares. */
function isDefault(value, column) {
  if (column.default === undefined) return column.primary ? value !== null : value === null;
  if (!is(column.default, SQL)) return isDeepStrictEqual(value, column.default);
  return column.columnType === 'PgUUID' ? typeof value === 'string' : isNow(value);
}

/** Reads a row with every column of the shape, each of which must be right. */
async function read(table, id, isRight) {
  const rows = await db.select().from(table).where(eq(table.id, id));
  if (rows.length !== 1) throw new Error(`${rows.length} rows and not one`);
  const wrong = Object.entries(getTableColumns(table))
    .filter(([key, column]) => !isRight(key, rows[0][key], column))
    .map(([key]) => `${key} is ${JSON.stringify(rows[0][key])}`);
  if (wrong.length > 0) throw new Error(`not as written: ${wrong.join(', ')}`);
}

async function insert(had, name, table, filled) {
  let written;
  const inserted = await attempt(table, 'insert', async () => {
    const { unique, must, may } = ROWS[name](had, getTableColumns(table));
    written = filled ? { ...must, ...may } : must;
    const query = db.insert(table).values(written);
    const over = unique && query.onConflictDoUpdate({ target: table[unique], set: written });
    [had[name]] = await (over ?? query).returning();
    // A row that was there before need not have the defaults in what was not written over.
    if (unique) written = { ...had[name], ...written };
  });
  if (!inserted) return;
  await attempt(table, 'select', () =>
    read(table, had[name].id, (key, value, column) =>
      key in written ? isDeepStrictEqual(value, written[key]) : isDefault(value, column),
    ),
  );
}

async function update(had, name, table) {
  let expected;
  const updated = await attempt(table, 'update', async () => {
    const columns = getTableColumns(table);
    const { later } = ROWS[name](had, columns);
    const changed = columns.updatedAt ? { ...later, updatedAt: new Date() } : later;
    expected = { ...had[name], ...changed };
    await db.update(table).set(changed).where(eq(table.id, had[name].id));
  });
  if (!updated) return;
  await attempt(table, 'select', () =>
    // In some layouts a trigger has the last word on when a row was updated.
    read(table, had[name].id, (key, value) =>
      key === 'updatedAt' ? isNow(value) : isDeepStrictEqual(value, expected[key]),
    ),
  );
}

async function remove(had, name, table) {
  await attempt(table, 'delete', async () => {
    await db.delete(table).where(eq(table.id, had[name].id));
    const left = await db.select().from(table).where(eq(table.id, had[name].id));
    if (left.length > 0) throw new Error('the row is still there');
  });
}

for (const filled of [true, false]) {
  const id = randomUUID();
  const had = { id, email: `${id}@example.org` };
  // Whom the frontend writes for has signed up.
  await db
    .execute(sql`insert into auth.users (id, email) values (${had.id}, ${had.email})`)
    .catch((error) => {
      throw new Error(`auth.users insert: ${(error.cause ?? error).message}`);
    });
  for (const [name, table] of Object.entries(shape)) await insert(had, name, table, filled);
  const made = Object.entries(shape).filter(([name]) => had[name]);
  for (const [name, table] of made) await update(had, name, table);
  if (filled) continue;
  for (const [name, table] of made.reverse()) await remove(had, name, table);
}
await client.end();

const went = Object.entries(done).map(([table, verbs]) => [
  table,
  Object.keys(verbs).filter((verb) => verbs[verb]),
]);
console.log(JSON.stringify(Object.fromEntries(went)));
if (Object.values(done).some((verbs) => Object.values(verbs).includes(false))) process.exitCode = 1;
