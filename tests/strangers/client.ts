// Drives the whole API through a client generated from its document, under `tsc --strict`: what the types say
// must do, and what comes must be what they say. Arguments: address, token. Says which operations it called.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

type Job = components["schemas"]["CrawlJobDetail"];

const [baseUrl, token, gallery, held] = process.argv.slice(2) as [string, string, string, string];
const headers = { Authorization: `Bearer ${token}` };
const client = createClient<paths>({ baseUrl, headers });
const called = new Set<string>();
client.use({
  onRequest({ request, schemaPath }) {
    called.add(`${request.method} ${schemaPath}`);
  },
});

/** What came, where it went well. */
function ok<T>(answer: { data?: T; error?: unknown; response: Response }, status = 200): NonNullable<T> {
  const { data, error, response } = answer;
  assert.equal(response.status, status, `${response.url}: ${JSON.stringify(error)}`);
  assert.ok(data !== undefined && data !== null, response.url);
  return data;
}

/** That it went well, and nothing came. */
function gone(answer: { response: Response }): void {
  assert.equal(answer.response.status, 204, answer.response.url);
}

/** The jobs that a stream of events has, in order. */
async function follow(stream: ReadableStream<Uint8Array>): Promise<Job[]> {
  const text = await new Response(stream).text();
  const data = text.split("\n").filter((line) => line.startsWith("data: "));
  return data.map((line) => JSON.parse(line.slice("data: ".length)) as Job);
}

async function health(): Promise<void> {
  assert.equal(ok(await client.GET("/api/v1/health")).status, "healthy");
  assert.equal(ok(await client.GET("/api/v1/health/ready")).parts["database"], "ready");
}

async function profile(): Promise<string> {
  const me = ok(await client.GET("/api/v1/auth/me"));
  const name: string | null = me.full_name;
  assert.ok(name === null || name.length > 0);
  const verified = ok(await client.POST("/api/v1/auth/verify-token"));
  assert.deepEqual([verified.valid, verified.user.id], [true, me.id]);
  assert.equal(ok(await client.POST("/api/v1/auth/sync-profile")).id, me.id);
  const changed = ok(await client.PATCH("/api/v1/auth/me", { body: { full_name: "Ann Example" } }));
  assert.equal(changed.full_name, "Ann Example");
  return me.id;
}

async function sources(): Promise<void> {
  const { items, next } = ok(await client.GET("/api/v1/sources"));
  assert.equal(next, null);
  const addresses = items.filter((source) => source.input === "address").map((source) => source.id);
  assert.ok(addresses.includes("webpage"), addresses.join());
  const path = { id: "webpage" };
  const webpage = ok(await client.GET("/api/v1/sources/{id}", { params: { path } }));
  assert.ok(webpage.available && webpage.health.condition === "ok");
  const body = { text: gallery, limit: 2 };
  const preview = ok(await client.POST("/api/v1/sources/{id}/preview", { params: { path }, body }));
  assert.equal(preview.candidates.length, 2);
  assert.ok(preview.more && preview.requests.every((request) => request.status === 200));
}

async function create(url: string, name: string, max_images?: number): Promise<Job> {
  const body = { name, urls: [url], sources: ["webpage"], labels: { [url]: "fox" }, max_images };
  return ok(await client.POST("/api/v1/crawl-jobs", { body }), 201);
}

/** From a job to its pictures. */
async function crawl(): Promise<Job> {
  const body = { name: "Foxes", urls: [gallery], rules: { min_width: 1, formats: ["png"] } };
  const params = { header: { "Idempotency-Key": "foxes" } };
  const job = ok(await client.POST("/api/v1/crawl-jobs", { params, body }), 201);
  const again = ok(await client.POST("/api/v1/crawl-jobs", { params, body }), 200);
  assert.deepEqual([again.id, again.max_is_default, again.rules.formats], [job.id, true, ["png"]]);

  const path = { id: job.id };
  const events = await client.GET("/api/v1/crawl-jobs/{id}/events", { params: { path }, parseAs: "stream" });
  const changes = await follow(ok(events));
  const revisions = changes.map((change) => change.revision);
  assert.deepEqual(revisions, revisions.toSorted((a, b) => a - b));
  const over = changes.at(-1);
  assert.deepEqual([over?.status, over?.kept, over?.error], ["completed", 3, null]);
  const seen = { path, header: { "Last-Event-ID": String(over?.revision) } };
  gone(await client.GET("/api/v1/crawl-jobs/{id}/events", { params: seen }));

  const shown = ok(await client.GET("/api/v1/crawl-jobs/{id}", { params: { path } }));
  assert.deepEqual(shown.chunks.map((chunk) => [chunk.source, chunk.state, chunk.kept]), [["webpage", "exhausted", 3]]);
  const listed = ok(await client.GET("/api/v1/crawl-jobs", { params: { query: { status: "completed", limit: 1 } } }));
  assert.deepEqual([listed.items.length, listed.items[0]?.id], [1, job.id]);
  const log = ok(await client.GET("/api/v1/crawl-jobs/{id}/logs", { params: { path } }));
  assert.deepEqual(log.items.map((entry) => entry.action), ["COMPLETE_CRAWL_JOB", "START_CRAWL_JOB"]);
  return shown;
}

/** The pictures, by token and by link. */
async function images(job: Job): Promise<void> {
  const path = { id: job.id };
  const query = { verdict: "kept", limit: 2 } as const;
  const first = ok(await client.GET("/api/v1/crawl-jobs/{id}/images", { params: { path, query } }));
  assert.equal(first.items.length, 2);
  const after = first.next ?? assert.fail("there are three");
  const rest = ok(await client.GET("/api/v1/crawl-jobs/{id}/images", { params: { path, query: { ...query, after } } }));
  assert.deepEqual([rest.items.length, rest.next], [1, null]);
  for (const image of [...first.items, ...rest.items]) {
    const file = { params: { path: { id: image.id } }, parseAs: "arrayBuffer" } as const;
    const bytes = Buffer.from(ok(await client.GET("/api/v1/images/{id}/file", file)));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), image.hash);
    const linked = await fetch(new URL(image.url ?? assert.fail("it has bytes"), baseUrl));
    assert.deepEqual([linked.headers.get("content-type"), linked.headers.get("etag")], ["image/png", `"${image.hash}"`]);
    assert.deepEqual(Buffer.from(await linked.arrayBuffer()), bytes);
    const small = { params: { path: { id: image.id }, query: { size: 64 } }, parseAs: "arrayBuffer" } as const;
    const copy = Buffer.from(ok(await client.GET("/api/v1/images/{id}/thumbnail", small)));
    const shown = await fetch(new URL(`${image.thumbnail_url ?? assert.fail("it has bytes")}&size=64`, baseUrl));
    assert.deepEqual(Buffer.from(await shown.arrayBuffer()), copy);
  }
  const manifest = await client.GET("/api/v1/crawl-jobs/{id}/manifest", { params: { path }, parseAs: "text" });
  const lines = ok(manifest).trimEnd().split("\n").map((line) => JSON.parse(line) as { download_url: string });
  assert.equal(lines.length, 3);
  for (const { download_url } of lines) assert.equal((await fetch(download_url)).status, 200);
}

/** What is in the dataset, by label. */
async function contents(job: Job): Promise<void> {
  const params = { path: { id: job.dataset_id } };
  const all = ok(await client.GET("/api/v1/datasets/{id}/images", { params: { ...params, query: { verdict: "kept" } } }));
  const first = all.items[0] ?? assert.fail("there are three");
  const labels = ["vixen", "fox"];
  const changed = ok(await client.PATCH("/api/v1/images/{id}", { params: { path: { id: first.id } }, body: { labels } }));
  assert.deepEqual(changed.labels, labels);
  const query = { label: "vixen", source: "webpage", license: "" };
  const found = ok(await client.GET("/api/v1/datasets/{id}/images", { params: { ...params, query } }));
  assert.deepEqual(found.items.map((image) => image.id), [first.id]);
  const counted = ok(await client.GET("/api/v1/datasets/{id}/statistics", { params }));
  assert.deepEqual([counted.images, counted.formats.items.map((share) => share.name)], [3, ["png"]]);
  assert.equal(ok(await client.GET("/api/v1/datasets/{id}/export/json", { params })).length, 3);
  const archive = await client.GET("/api/v1/datasets/{id}/export/zip", { params, parseAs: "arrayBuffer" });
  assert.equal(Buffer.from(ok(archive)).subarray(0, 2).toString(), "PK");
}

/** What is in the dataset, packed. */
async function exports(job: Job): Promise<void> {
  const path = { id: job.dataset_id };
  const body = { format: "webdataset", order: "shuffled", seed: 3 } as const;
  const made = ok(await client.POST("/api/v1/datasets/{id}/exports", { params: { path }, body }), 201);
  assert.deepEqual([made.images, made.revision, made.options.seed], [3, 0, 3]);
  const one = { ...path, export_id: made.id };
  const shown = ok(await client.GET("/api/v1/datasets/{id}/exports/{export_id}", { params: { path: one } }));
  const [archive] = shown.files;
  const { name, bytes, url } = archive ?? assert.fail("there is an archive");
  const file = { params: { path: { ...one, file: name } }, parseAs: "arrayBuffer" } as const;
  const whole = Buffer.from(ok(await client.GET("/api/v1/datasets/{id}/exports/{export_id}/{file}", file)));
  assert.equal(whole.length, bytes);
  const linked = await fetch(new URL(url, baseUrl), { headers: { range: "bytes=512-1023" } });
  assert.equal(linked.status, 206);
  assert.deepEqual(Buffer.from(await linked.arrayBuffer()), whole.subarray(512, 1024));
  assert.equal(ok(await client.GET("/api/v1/datasets/{id}/exports", { params: { path } })).items.length, 1);
  ok(await client.DELETE("/api/v1/datasets/{id}/exports/{export_id}", { params: { path: one } }));
}

/** What the pictures cost, and what they take. */
async function account(job: Job): Promise<void> {
  const balance = ok(await client.GET("/api/v1/credits/balance"));
  assert.deepEqual([balance.monthly_usage, balance.is_low_balance], [3, false]);
  const left: number = balance.days_until_depleted ?? assert.fail("some were spent");
  assert.ok(left > 0);
  const used = ok(await client.GET("/api/v1/credits/usage", { params: { query: { days: 7 } } }));
  assert.deepEqual([used.current_balance, used.period_usage, used.period_days], [balance.current_balance, 3, 7]);
  const query = { type: "usage", limit: 10 } as const;
  const { data, meta } = ok(await client.GET("/api/v1/credits/transactions", { params: { query } }));
  assert.deepEqual(data.map((row) => [row.amount, row.balance_after, row.is_debit]), [[-3, balance.current_balance, true]]);
  assert.deepEqual(meta, { total: 1, skip: 0, limit: 10 });
  const stored = ok(await client.GET("/api/v1/storage/usage"));
  const { bytes } = ok(await client.GET("/api/v1/datasets/{id}", { params: { path: { id: job.dataset_id } } }));
  assert.deepEqual([stored.file_count, stored.total_size_bytes, stored.hot_storage_bytes], [3, bytes, bytes]);
}

/** A job that is stopped, goes on and is deleted. */
async function change(): Promise<void> {
  const job = await create(held, "Stopped", 2);
  const path = { id: job.id };
  const cancelled = ok(await client.POST("/api/v1/crawl-jobs/{id}/cancel", { params: { path } }));
  assert.equal(cancelled.status, "cancelled");
  const body = { max_images: 3 };
  const retried = ok(await client.POST("/api/v1/crawl-jobs/{id}/retry", { params: { path }, body }));
  assert.equal(retried.max_images, 3);
  ok(await client.POST("/api/v1/crawl-jobs/{id}/cancel", { params: { path } }));
  gone(await client.DELETE("/api/v1/crawl-jobs/{id}", { params: { path } }));
  const absent = await client.GET("/api/v1/crawl-jobs/{id}", { params: { path } });
  assert.deepEqual([absent.response.status, absent.error?.code], [404, "not-found"]);
}

/** What is wrong is said in a form that has a type, too. */
async function refusals(): Promise<void> {
  const body = { name: "Foxes", keywords: ["fox"], sources: ["nowhere"], max_images: 0 };
  const { error, response } = await client.POST("/api/v1/crawl-jobs", { body });
  assert.equal(response.status, 422);
  assert.deepEqual(error?.errors.map((broken) => broken.pointer).toSorted(), ["/max_images", "/sources/0"]);
  // @ts-expect-error: neither keywords nor addresses
  const empty = await client.POST("/api/v1/crawl-jobs", { body: { name: "Foxes" } });
  assert.equal(empty.error?.errors[0]?.pointer, "/keywords");
  // @ts-expect-error: no field of the body
  const red: components["schemas"]["CreateCrawlJob"] = { name: "Foxes", keywords: ["fox"], colour: "red" };
  const unknown = await client.POST("/api/v1/crawl-jobs", { body: red });
  assert.equal(unknown.error?.errors[0]?.pointer, "/colour");
  const nobody = createClient<paths>({ baseUrl });
  assert.equal((await nobody.GET("/api/v1/crawl-jobs")).error?.code, "unauthorized");
}

/** What the user is told, how, and what the user did. */
async function notices(job: Job): Promise<void> {
  const { items, next } = ok(await client.GET("/api/v1/notifications", { params: { query: { limit: 100 } } }));
  const [notice] = items;
  assert.ok(notice !== undefined && next === null);
  const path = { id: notice.id };
  assert.deepEqual(ok(await client.GET("/api/v1/notifications/{id}", { params: { path } })).title, notice.title);
  const body = { is_read: true };
  assert.equal(ok(await client.PATCH("/api/v1/notifications/{id}", { params: { path }, body })).is_read, true);
  const { count } = ok(await client.POST("/api/v1/notifications/mark-all-read"));
  assert.equal(count, items.length - 1);
  assert.equal(ok(await client.DELETE("/api/v1/notifications/{id}", { params: { path } })).id, notice.id);

  const before = ok(await client.GET("/api/v1/notification-preferences"));
  const wanted = { marketing_enabled: !before.marketing_enabled, digest_frequency: "weekly", quiet_hours_start: "22:00" } as const;
  const after = ok(await client.PATCH("/api/v1/notification-preferences", { body: wanted }));
  assert.deepEqual([after.marketing_enabled, after.digest_frequency], [wanted.marketing_enabled, "weekly"]);
  const cleared = ok(await client.PATCH("/api/v1/notification-preferences", { body: { quiet_hours_start: null } }));
  assert.equal(cleared.quiet_hours_start, null);

  const did = ok(await client.GET("/api/v1/activity"));
  assert.ok(did.items.length > 0 && did.items.every((entry) => entry.action.length > 0), job.name);
}

/** A key in place of the token. */
async function keys(user: string): Promise<void> {
  const body = { name: "Looks", permissions: ["crawl_jobs:read"], days: 1 } satisfies components["schemas"]["CreateApiKey"];
  const made = ok(await client.POST("/api/v1/api-keys", { body }), 201);
  const keyed = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${made.key}` } });
  ok(await keyed.GET("/api/v1/crawl-jobs"));
  assert.equal((await keyed.POST("/api/v1/crawl-jobs", { body: { name: "Foxes", keywords: ["fox"] } })).response.status, 403);
  const path = { id: made.id };
  const renamed = ok(await client.PATCH("/api/v1/api-keys/{id}", { params: { path }, body: { name: "Watches" } }));
  assert.deepEqual([renamed.name, renamed.status, renamed.permissions], ["Watches", "active", ["crawl_jobs:read"]]);
  const listed = ok(await client.GET("/api/v1/api-keys"));
  assert.deepEqual(listed.items.map((key) => key.id), [made.id]);
  assert.equal(ok(await client.GET("/api/v1/api-keys/{id}/usage", { params: { path } })).key_id, made.id);
  assert.equal(ok(await client.DELETE("/api/v1/api-keys/{id}", { params: { path } })).key_id, made.id);
  assert.equal((await keyed.GET("/api/v1/crawl-jobs")).response.status, 401);

  const original = ok(await client.POST("/api/v1/tokens/generate"), 201);
  const lasting = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${original.token}` } });
  assert.deepEqual([original.token_type, ok(await lasting.GET("/api/v1/auth/me")).id], ["service", user]);
  assert.ok(Date.parse(original.expires_at) > Date.parse(original.created_at));
  const current = await client.GET("/api/v1/tokens/current");
  assert.deepEqual([current.response.status, current.error?.code], [404, "not-found"]);
}

/** Projects and their datasets, each by both of its paths. */
async function projects(job: Job): Promise<void> {
  const made = async (name: string) => ok(await client.POST("/api/v1/projects", { body: { name } }), 201);
  const project = await made("Animals");
  const path = { id: project.id };
  const body = { description: "Of the wood", status: "archived" } as const;
  const changed = ok(await client.PATCH("/api/v1/projects/{id}", { params: { path }, body }));
  assert.deepEqual([changed.description, changed.status], ["Of the wood", "archived"]);
  assert.deepEqual(ok(await client.GET("/api/v1/projects/{id}", { params: { path } })).name, "Animals");
  assert.ok(ok(await client.GET("/api/v1/projects")).items.some((known) => known.id === project.id));
  assert.equal(ok(await client.GET("/api/v1/projects/{id}/statistics", { params: { path } })).images, 0);

  const wanted = { name: "Wolves", keywords: ["wolf"], max_images: 1 };
  const dataset = ok(await client.POST("/api/v1/projects/{id}/datasets", { params: { path }, body: wanted }), 201);
  const both = { id: project.id, dataset_id: dataset.id };
  const renamed = ok(
    await client.PATCH("/api/v1/projects/{id}/datasets/{dataset_id}", { params: { path: both }, body: { name: "Wolf" } }),
  );
  assert.deepEqual([renamed.name, renamed.project_id], ["Wolf", project.id]);
  const shown = await client.GET("/api/v1/projects/{id}/datasets/{dataset_id}", { params: { path: both } });
  assert.equal(ok(shown).name, "Wolf");
  const within = ok(await client.GET("/api/v1/projects/{id}/datasets", { params: { path } }));
  assert.deepEqual([within.items.map((known) => known.id), within.total], [[dataset.id], 1]);
  ok(await client.DELETE("/api/v1/projects/{id}/datasets/{dataset_id}", { params: { path: both } }));
  const others = await Promise.all([made("Plants"), made("Stones")]);
  const ids = others.map(({ id }) => id);
  const batch = ok(await client.POST("/api/v1/batch/projects/batch-delete", { body: { ids } }));
  assert.deepEqual([batch.deleted_count, batch.failed_ids], [2, []]);
  ok(await client.DELETE("/api/v1/projects/{id}", { params: { path } }));

  const own = { path: { id: job.dataset_id } };
  assert.equal(ok(await client.GET("/api/v1/datasets/{id}", { params: own })).image_count, 3);
}

/** A dataset that is built. */
async function datasets(): Promise<void> {
  const wanted = { name: "Bears", keywords: ["bear"], max_images: 1 };
  const dataset = ok(await client.POST("/api/v1/datasets", { body: wanted }), 201);
  const params = { path: { id: dataset.id } };
  const patched = ok(await client.PATCH("/api/v1/datasets/{id}", { params, body: { description: "Brown ones" } }));
  assert.equal(patched.description, "Brown ones");
  assert.equal(ok(await client.PUT("/api/v1/datasets/{id}", { params, body: { name: "Bear" } })).name, "Bear");
  ok(await client.POST("/api/v1/datasets/{id}/build", { params }));
  ok(await client.POST("/api/v1/datasets/{id}/cancel", { params }));
  assert.equal(ok(await client.GET("/api/v1/datasets/{id}/status", { params })).id, dataset.id);
  const listed = ok(await client.GET("/api/v1/datasets", { params: { query: { page: 1, size: 100 } } }));
  assert.ok(listed.items.some((known) => known.id === dataset.id) && listed.page === 1);
  ok(await client.DELETE("/api/v1/datasets/{id}", { params }));
}

/** What the original calls, by the names that it has for it. */
async function original(job: Job): Promise<void> {
  const params = { path: { id: job.id } };
  assert.equal(ok(await client.GET("/api/v1/jobs/{id}", { params })).id, job.id);
  assert.ok(ok(await client.GET("/api/v1/jobs", { params: { query: { page: 1 } } })).total > 0);
  assert.equal(ok(await client.GET("/api/v1/jobs/{id}/progress", { params })).status, "completed");
  assert.ok(ok(await client.GET("/api/v1/jobs/{id}/logs", { params })).length > 0);
  assert.equal(ok(await client.GET("/api/v1/jobs/{id}/images", { params })).items.length, 3);
  ok(await client.GET("/api/v1/jobs/{id}/manifest", { params, parseAs: "text" }));
  const changes = await follow(ok(await client.GET("/api/v1/jobs/{id}/events", { params, parseAs: "stream" })));
  assert.deepEqual(changes.map((change) => change.status), ["completed"]);

  const dataset = ok(await client.POST("/api/v1/datasets", { body: { name: "Owls", keywords: ["owl"] } }), 201);
  const started = ok(await client.POST("/api/v1/jobs/start", { body: { datasetId: dataset.id } }));
  const other = { path: { id: started.job_id } };
  assert.equal(ok(await client.POST("/api/v1/jobs/{id}/start", { params: other })).job_id, started.job_id);
  assert.equal(ok(await client.POST("/api/v1/jobs/{id}/cancel", { params: other })).status, "cancelled");
  ok(await client.POST("/api/v1/jobs/{id}/retry", { params: other }));
  ok(await client.DELETE("/api/v1/jobs/{id}", { params: other }));
  const into = { params: { path: { id: dataset.id } }, body: { name: "Owls", keywords: ["owl"] } };
  const made = ok(await client.POST("/api/v1/jobs/datasets/{id}/jobs", into), 201);
  assert.equal(made.dataset_id, dataset.id);

  const body = { keywords: ["hare"], output_name: "hares", max_images: 1 };
  const flow = ok(await client.POST("/api/v1/simple-flow/start", { body }), 201);
  const { flow_id } = flow;
  const path = { id: flow_id };
  assert.equal(ok(await client.GET("/api/v1/simple-flow/{id}/status", { params: { path } })).flow_id, flow_id);
  const newest = ok(await client.GET("/api/v1/crawl-jobs", { params: { query: { limit: 1 } } })).items[0];
  const its = { params: { path: { id: newest?.id ?? assert.fail("it is there") } }, parseAs: "stream" } as const;
  await follow(ok(await client.GET("/api/v1/crawl-jobs/{id}/events", its)));
  assert.equal(ok(await client.GET("/api/v1/simple-flow/{id}/result", { params: { path } })).flow_id, flow_id);
  assert.ok(ok(await client.GET("/api/v1/simple-flow")).some((known) => known.flow_id === flow_id));
  assert.ok(ok(await client.GET("/api/v1/dashboard/stats")).total_images >= 3);
  assert.equal(typeof ok(await client.GET("/api/v1/health/detailed")).components, "object");
}

/** What is taken out of datasets and kept out of them, and an end of that. */
async function removals(job: Job): Promise<void> {
  const path = { id: job.dataset_id };
  const body = { host: "nowhere.example", reason: "The site asked for it." };
  const dry = { params: { path }, body: { ...body, dry_run: true } };
  assert.equal(ok(await client.POST("/api/v1/datasets/{id}/removals", dry)).images, 0);
  assert.equal(ok(await client.POST("/api/v1/removals", { body })).more, false);
  const kept = ok(await client.GET("/api/v1/datasets/{id}/images", { params: { path, query: { verdict: "kept" } } }));
  const image = kept.items[0] ?? assert.fail("there are three");
  assert.equal(ok(await client.DELETE("/api/v1/images/{id}", { params: { path: { id: image.id } } })).images, 1);

  const { items, next } = ok(await client.GET("/api/v1/removals"));
  const listed = items.map((removal) => [removal.kind, removal.value, removal.dataset_id, removal.reason]);
  const expected = [["image", String(image.id), job.dataset_id, null], ["host", body.host, null, body.reason]];
  assert.deepEqual([listed, next], [expected, null]);
  const query = { dataset_id: job.dataset_id, limit: 1 };
  const own = ok(await client.GET("/api/v1/removals", { params: { query } }));
  assert.deepEqual(own.items.map((removal) => removal.id), [items[0]?.id]);
  for (const { id } of items) {
    gone(await client.DELETE("/api/v1/removals/{id}", { params: { path: { id } } }));
  }
  assert.deepEqual(ok(await client.GET("/api/v1/removals")).items, []);
}

/** All that is the user's goes, and the token with it. */
async function leave(user: string): Promise<void> {
  const wrong = await client.DELETE("/api/v1/auth/me", { params: { query: { confirm: "someone else" } } });
  assert.equal(wrong.error?.code, "bad-parameter");
  gone(await client.DELETE("/api/v1/auth/me", { params: { query: { confirm: user } } }));
  assert.equal((await client.GET("/api/v1/auth/me")).response.status, 401);
}

await health();
const user = await profile();
await sources();
const job = await crawl();
await images(job);
await contents(job);
await exports(job);
await account(job);
await change();
await projects(job);
await datasets();
await original(job);
await removals(job);
await notices(job);
await keys(user);
await refusals();
await leave(user);
console.log(JSON.stringify([...called].toSorted()));
