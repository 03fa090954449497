//! Databases whose tables somebody else made: the frontend's, in each of their shapes, with rows.

use std::collections::BTreeMap;

use pixcrawler::{
    auth::issuer::user_of,
    db::{self, MigrateError, PgPool},
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::{
    api::send,
    database,
    postgres::{TestDatabase, execute, made_by},
    process::System,
    site::{ORIGIN, Reply, Site},
};

const DRIZZLE: &str = include_str!("layouts/drizzle.sql");
const FILES: &str = include_str!("layouts/files.sql");
const PRODUCTION: &str = include_str!("layouts/production.sql");

/// Who made the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Our migrations.
    Ours,
    /// Drizzle, by a push of the schema.
    Drizzle,
    /// Drizzle, from its older SQL files.
    Files,
    /// The script for production.
    Production,
}

impl Layout {
    pub(crate) const ALL: [Self; 4] = [Self::Ours, Self::Drizzle, Self::Files, Self::Production];

    /// The statements that make them.
    fn tables(self) -> String {
        match self {
            Self::Ours => String::new(),
            Self::Drizzle => DRIZZLE.to_owned(),
            Self::Files => [DRIZZLE, FILES].concat(),
            Self::Production => [DRIZZLE, PRODUCTION].concat(),
        }
    }

    /// A database with its tables, and Ann, who has a project and a job that is over.
    async fn with_ann(self) -> TestDatabase {
        let ann = user_of("ann@example.org").0;
        let person = format!(
            "insert into auth.users (id, email) values ('{ann}', 'ann@example.org');
             insert into profiles (id, email) values ('{ann}', 'ann@example.org') on conflict do nothing;
             insert into projects (name, user_id) values ('old', '{ann}');"
        );
        let dataset = "insert into datasets (user_id, project_id, name, keywords)
             select user_id, id, 'old', '[\"cat\"]' from projects;";
        let belongs_to = if matches!(self, Self::Ours | Self::Drizzle) { "dataset" } else { "project" };
        let job = format!(
            "insert into crawl_jobs ({belongs_to}_id, name, keywords, status, updated_at)
             select id, 'old', '[\"cat\"]', 'completed', '2025-01-02 03:04:05' from {belongs_to}s;
             insert into images (crawl_job_id, original_url, filename, hash)
             select id, 'https://example.org/a.png', 'a.png', 'aa' from crawl_jobs;"
        );
        let repeated = "insert into images (crawl_job_id, original_url, filename, hash)
             select id, 'https://example.org/b.png', 'b.png', 'aa' from crawl_jobs;";
        match self {
            Self::Ours => {
                let ours = database().await;
                execute(&ours.pool, &[&person, dataset, &job].concat()).await;
                ours
            }
            Self::Production => made_by(&[&self.tables(), &*person, &job, repeated].concat()).await,
            Self::Drizzle | Self::Files => {
                made_by(&[&self.tables(), &*person, dataset, &job, repeated].concat()).await
            }
        }
    }

    /// The same, brought up to date.
    pub(crate) async fn migrated(self) -> PgPool {
        let pool = self.with_ann().await.pool;
        db::migrate(&pool).await.unwrap_or_else(|error| panic!("{self:?}: {error:?}"));
        pool
    }
}

async fn count(pool: &PgPool, of: &str) -> i64 {
    let count = format!("select count(*) from {of}");
    sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(pool).await.unwrap()
}

/// What a row of somebody else may hold, which is shown all the same.
const ODD: &str = "
    update crawl_jobs set keywords = '{\"keywords\": [\"red\", \"fox\"]}', status = 'paused', valid_images = -5,
        total_images = -1, sources = '7', options = '[]', rules = '{\"formats\": 3}', task_ids = '{}',
        started_at = '-infinity', completed_at = 'infinity'
     where name = 'old';
    update profiles set onboarding_completed_at = 'infinity'";

/// Every operation of the API, over the tables of each layout, by the counts of the host itself.
#[tokio::test]
async fn every_operation_works_over_every_layout() {
    for layout in Layout::ALL {
        let site = Site::start().await;
        site.gallery("/gallery", 2, None);
        let more = site.gallery("/more", 1, None);
        let settings = [("PIXCRAWLER_CREDITS_PER_IMAGE", "1"), ("PIXCRAWLER_USAGE_EVERY", "100ms")];
        let system = System::with(&site, layout.with_ann().await, &settings).await;
        let _worker = system.worker(&[]).await;

        for path in ["health", "health/ready", "auth/me", "sources", "sources/webpage"] {
            system.get(&format!("/api/v1/{path}")).await.expect(200);
        }
        for path in ["auth/verify-token", "auth/sync-profile"] {
            system.post(&format!("/api/v1/{path}"), &json!({})).await.expect(200);
        }
        let page = json!({ "text": format!("{ORIGIN}/gallery") });
        system.post("/api/v1/sources/webpage/preview", &page).await.expect(200);

        let listed = system.get("/api/v1/crawl-jobs").await.expect(200).json();
        let old = listed["items"][0].clone();
        assert_eq!((&old["name"], &old["keywords"]), (&"old".into(), &json!(["cat"])), "{layout:?}: {old:#}");
        // As it was, and not as of the migration.
        assert_eq!(old["updated_at"], "2025-01-02T03:04:05+00:00", "{layout:?}");
        let old_images = format!("/api/v1/crawl-jobs/{}/images?verdict=kept", old["id"]);
        let images = system.get(&old_images).await.expect(200).json();
        assert_eq!(images["items"].as_array().unwrap().len(), 1, "{layout:?}: {images:#}");

        let job = system.create(&["/gallery"], 10).await;
        let shown = system.until_status(job, "completed").await;
        assert_eq!(shown["kept"], 2, "{layout:?}: {shown:#}");
        system.get(shown["events_url"].as_str().unwrap()).await.expect(200);
        let manifest = system.get(shown["manifest_url"].as_str().unwrap()).await.expect(200).text;
        assert_eq!(manifest.lines().count(), 2, "{layout:?}: {manifest}");
        system.get(&format!("/api/v1/crawl-jobs/{job}/logs")).await.expect(200);
        let images = system.get(&format!("/api/v1/crawl-jobs/{job}/images")).await.expect(200).json();
        let file = images["items"][0]["url"].as_str().unwrap();
        system.get(file).await.expect(200);
        system.get(images["items"][0]["thumbnail_url"].as_str().unwrap()).await.expect(200);
        let labels = json!({ "labels": ["tiger"] });
        let image = format!("/api/v1/images/{}", images["items"][0]["id"]);
        system.call("PATCH", &image, Some(&labels)).await.expect(200);
        let dataset = format!("/api/v1/datasets/{}", shown["dataset_id"]);
        let tigers = system.get(&format!("{dataset}/images?label=tiger")).await.expect(200).json();
        assert_eq!(tigers["items"].as_array().unwrap().len(), 1, "{layout:?}: {tigers:#}");
        let held = system.get(&format!("{dataset}/statistics")).await.expect(200).json();
        assert_eq!(held["images"], 2, "{layout:?}: {held:#}");
        let exported = system.get(&format!("{dataset}/export/json")).await.expect(200).json();
        assert_eq!(exported.as_array().unwrap().len(), 2, "{layout:?}: {exported:#}");
        let exports = format!("{dataset}/exports");
        let export = system.post(&exports, &json!({ "format": "jsonl" })).await.expect(201).json();
        assert_eq!(export["images"], 2, "{layout:?}: {export:#}");
        assert_eq!(system.get(&exports).await.expect(200).json()["items"][0]["id"], export["id"]);
        let lines = system.get(export["files"][0]["url"].as_str().unwrap()).await.expect(200).text;
        assert_eq!(lines.lines().count(), 2, "{layout:?}: {lines}");
        let export = format!("{exports}/{}", export["id"]);
        system.get(&export).await.expect(200);
        system.call("DELETE", &export, None).await.expect(200);
        system.get(&format!("{dataset}/export/zip")).await.expect(200);
        let taken_out = system.call("DELETE", &image, None).await;
        assert_eq!(taken_out.status / 100, 2, "{layout:?}: {}", taken_out.text);
        for removals in ["/api/v1/removals", &format!("{dataset}/removals")] {
            let nothing = json!({ "host": "nothing.example" });
            assert_eq!(system.post(removals, &nothing).await.expect(200).json()["images"], 0, "{layout:?}");
        }
        let kept_out = system.get("/api/v1/removals").await.expect(200).json();
        for removal in kept_out["items"].as_array().unwrap() {
            system.call("DELETE", &format!("/api/v1/removals/{}", removal["id"]), None).await.expect(204);
        }

        let made = json!({ "name": "Training", "permissions": ["read"] });
        let made = system.post("/api/v1/api-keys", &made).await.expect(201).json();
        let key = format!("/api/v1/api-keys/{}", made["id"].as_str().unwrap());
        system.call("PATCH", &key, Some(&json!({ "name": "Second" }))).await.expect(200);
        let me = format!("http://{}/api/v1/auth/me", system.door().address());
        send(reqwest::Client::new().get(me).bearer_auth(made["key"].as_str().unwrap())).await.expect(200);
        for path in ["/api/v1/api-keys", &format!("{key}/usage")] {
            system.get(path).await.expect(200);
        }
        system.call("DELETE", &key, None).await.expect(200);
        system.post("/api/v1/tokens/generate", &json!({})).await.expect(201);
        for path in ["credits/balance", "credits/transactions", "credits/usage", "storage/usage"] {
            system.get(&format!("/api/v1/{path}")).await.expect(200);
        }

        let project = old["project_id"].clone();
        let into_project = json!({ "project_id": project });
        // It cannot be over before it is cancelled.
        site.hold(&more);
        let other = system.create_with(&["/more"], 10, into_project).await;
        system.tell(other, "cancel").await;
        system.tell(other, "retry").await;
        site.release(&more);
        system.until_status(other, "completed").await;
        system.call("DELETE", &format!("/api/v1/crawl-jobs/{other}"), None).await.expect(204);

        resources(&site, &system, job).await;
        told(&system).await;
        at_a_glance(&system, job).await;
        execute(&system.pool, ODD).await;
        let listed = system.get("/api/v1/crawl-jobs").await.expect(200).json();
        system.get("/api/v1/auth/me").await.expect(200);
        let odd = listed["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(odd["keywords"], json!(["red", "fox"]), "{layout:?}");
        assert_eq!((&odd["status"], &odd["sources"]), (&"failed".into(), &json!(["7"])), "{layout:?}");
        for what in ["cancel", "retry"] {
            let told = system.post(&format!("/api/v1/crawl-jobs/{}/{what}", odd["id"]), &json!({})).await;
            assert!(told.status < 500, "{layout:?}: {what}: {}", told.text);
        }
        system.call("DELETE", &format!("/api/v1/crawl-jobs/{}", old["id"]), None).await.expect(204);
        system.call("DELETE", "/api/v1/auth/me?confirm=ann@example.org", None).await.expect(204);
        let ann = user_of("ann@example.org").0;
        for (table, ..) in RIGHTS {
            let owner = if table == "profiles" { "id" } else { "user_id" };
            let left = count(&system.pool, &format!("{table} where {owner} = '{ann}'")).await;
            assert_eq!(left, 0, "{layout:?}: {table}");
        }

        let document = system.get("/openapi.json").await.expect(200).json();
        let metrics = system.get("/metrics").await.expect(200).text;
        let paths = document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        for operation in operations.filter_map(|operation| operation["operationId"].as_str()) {
            let answered =
                |status: &str| metrics.contains(&format!(r#"operation="{operation}",status="{status}""#));
            // No key is shown twice.
            let well = answered("2xx") || operation == "getCurrentToken";
            assert!(well && !answered("5xx"), "{layout:?}: {operation}");
        }
    }
}

/// The operations on projects and datasets, and those under the original's names for jobs.
async fn resources(site: &Site, system: &System, job: i64) {
    // Nothing of it is over before it is cancelled.
    let held = Reply::Held(Box::new(Reply::Status(404, None)));
    site.on("/v1/images/?q=fox&page=1&page_size=20", [held]);
    let made = system.post("/api/v1/projects", &json!({ "name": "Zoo" })).await.expect(201).json();
    let project = format!("/api/v1/projects/{}", made["id"]);
    let body = json!({ "name": "Foxes", "keywords": ["fox"], "max_images": 5, "project_id": made["id"] });
    let dataset = system.post("/api/v1/datasets", &body).await.expect(201).json()["id"].clone();
    let within = json!({ "name": "Cubs" });
    let cubs = system.post(&format!("{project}/datasets"), &within).await.expect(201).json()["id"].clone();
    let (own, below) = (format!("/api/v1/datasets/{dataset}"), format!("{project}/datasets/{cubs}"));
    let change = json!({ "name": "Vixens", "description": "Red", "max_images": 6 });
    for (method, path) in [("PATCH", &project), ("PATCH", &own), ("PUT", &own), ("PATCH", &below)] {
        let body = if *path == project { json!({ "status": "archived" }) } else { change.clone() };
        system.call(method, path, Some(&body)).await.expect(200);
    }
    let old = format!("/api/v1/jobs/{job}");
    for path in [
        "/api/v1/projects",
        &project,
        &format!("{project}/datasets"),
        &format!("{project}/statistics"),
        &below,
        "/api/v1/datasets",
        &own,
        &format!("{own}/status"),
        "/api/v1/jobs",
        &old,
        &format!("{old}/logs"),
        &format!("{old}/progress"),
        &format!("{old}/images"),
        &format!("{old}/manifest"),
        &format!("{old}/events"),
    ] {
        system.get(path).await.expect(200);
    }
    system.post(&format!("{own}/build"), &json!({})).await.expect(200);
    system.post(&format!("{own}/cancel"), &json!({})).await.expect(200);
    let start = json!({ "datasetId": dataset });
    let begun = system.post("/api/v1/jobs/start", &start).await.expect(200).json();
    let begun = format!("/api/v1/jobs/{}", begun["job_id"]);
    system.post(&format!("{begun}/cancel"), &json!({})).await.expect(200);
    system.post(&format!("{begun}/retry"), &json!({ "max_images": 7 })).await.expect(200);
    system.call("DELETE", &begun, None).await.expect(200);
    let jobs = format!("/api/v1/jobs/datasets/{dataset}/jobs");
    let body = json!({ "name": "Foxes", "keywords": ["fox"], "max_images": 1 });
    let made = system.post(&jobs, &body).await.expect(201).json();
    system.post(&format!("/api/v1/jobs/{}/start", made["id"]), &json!({})).await.expect(200);
    for path in [&below, &own, &project] {
        system.call("DELETE", path, None).await.expect(200);
    }
    system.post("/api/v1/batch/projects/batch-delete", &json!({ "ids": [99_999] })).await.expect(200);
}

/// The operations on what a user is told.
async fn told(system: &System) {
    system.get("/api/v1/activity").await.expect(200);
    let path = "/api/v1/notification-preferences";
    system.get(path).await.expect(200);
    system.call("PATCH", path, Some(&json!({ "email_enabled": false }))).await.expect(200);
    system.call("PATCH", "/api/v1/auth/me", Some(&json!({ "full_name": "Ann" }))).await.expect(200);
    let listed = system.get("/api/v1/notifications").await.expect(200).json();
    let one = format!("/api/v1/notifications/{}", listed["items"][0]["id"]);
    system.get(&one).await.expect(200);
    system.call("PATCH", &one, Some(&json!({ "is_read": true }))).await.expect(200);
    system.post("/api/v1/notifications/mark-all-read", &json!({})).await.expect(200);
    system.call("DELETE", &one, None).await.expect(200);
}

/// What only the original's frontend asks: its dashboard, its health, and a job as a flow.
async fn at_a_glance(system: &System, job: i64) {
    system.get("/api/v1/health/detailed").await.expect(200);
    system.get("/api/v1/dashboard/stats").await.expect(200);
    let flow = json!({ "keywords": ["fox"], "output_name": "foxes" });
    let flow = system.post("/api/v1/simple-flow/start", &flow).await.expect(201).json();
    let status = format!("/api/v1/simple-flow/{}/status", flow["flow_id"].as_str().unwrap());
    system.get(&status).await.expect(200);
    let begun = system.get("/api/v1/simple-flow").await.expect(200).json();
    assert_eq!(begun[0]["flow_id"], flow["flow_id"]);
    system.get(&format!("/api/v1/simple-flow/flow_{job:08x}/result")).await.expect(200);
    let newest = system.get("/api/v1/crawl-jobs?limit=1").await.expect(200).json();
    let newest = format!("/api/v1/crawl-jobs/{}", newest["items"][0]["id"]);
    system.call("DELETE", &newest, None).await.expect(204);
}

/// Everything else of Supabase's users: they sign up as they like, change their address, and go.
#[tokio::test]
async fn users_come_and_go_over_every_layout() {
    for layout in Layout::ALL {
        let pool = layout.migrated().await;
        let sign_up = async |email: Option<&str>, more: Value| -> (Uuid, String) {
            let id = Uuid::new_v4();
            // As the service does that signs people up.
            let mut service = pool.begin().await.unwrap();
            sqlx::query("set local role supabase_auth_admin").execute(&mut *service).await.unwrap();
            sqlx::query("insert into auth.users (id, email, raw_user_meta_data) values ($1, $2, $3)")
                .bind(id)
                .bind(email)
                .bind(more)
                .execute(&mut *service)
                .await
                .unwrap_or_else(|error| panic!("{layout:?}: {error}"));
            service.commit().await.unwrap();
            let profile = sqlx::query_scalar("select email from profiles where id = $1");
            (id, profile.bind(id).fetch_one(&pool).await.unwrap())
        };
        let email = async |id: Uuid| -> String {
            let email = sqlx::query_scalar("select email from profiles where id = $1");
            email.bind(id).fetch_one(&pool).await.unwrap()
        };
        let (telephone, made) = sign_up(None, json!({})).await;
        assert_eq!(made, format!("{telephone}@users.invalid"), "{layout:?}");
        let (bob, made) = sign_up(Some("bob@example.org"), json!({ "full_name": "x".repeat(300) })).await;
        assert_eq!(made, "bob@example.org");
        sqlx::query("update profiles set email = 'taken@example.org' where id = $1")
            .bind(telephone)
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(email(telephone).await, format!("{telephone}@users.invalid"), "{layout:?}: nobody has it");
        let credit = "select (current_balance, digest_frequency)::text from credit_accounts join
             notification_preferences using (user_id) where user_id = $1";
        for user in [telephone, bob] {
            let begins_with: String = sqlx::query_scalar(credit).bind(user).fetch_one(&pool).await.unwrap();
            assert_eq!(begins_with, "(100,daily)", "{layout:?}");
        }
        sqlx::query("update auth.users set email = 'robert@example.org' where id = $1")
            .bind(bob)
            .execute(&pool)
            .await
            .unwrap();
        assert_eq!(email(bob).await, "robert@example.org", "{layout:?}");

        let ann = user_of("ann@example.org").0;
        execute(
            &pool,
            &format!(
                "insert into activity_logs (user_id, action) values ('{ann}', 'x');
                 insert into notifications (user_id, type, title, message) values ('{ann}', 'info', 'a', 'b');
                 insert into api_keys (user_id, name, key_hash, key_prefix) values ('{ann}', 'k', 'h', 'p');
                 insert into credit_transactions (account_id, user_id, type, description, amount, balance_after)
                     select id, user_id, 'bonus', 'd', 1, 1 from credit_accounts where user_id = '{ann}';
                 insert into usage_metrics (user_id, metric_date) values ('{ann}', now());
                 insert into subscriptions (user_id, lemonsqueezy_customer_id, lemonsqueezy_subscription_id,
                     lemonsqueezy_variant_id, plan_id, status, current_period_start, current_period_end)
                     values ('{ann}', 'c', 's', 'v', 'p', 'active', now(), now());
                 insert into transactions (user_id, lemonsqueezy_order_id, amount, status, plan_id)
                     values ('{ann}', 'o', 1, 'paid', 'p');
                 insert into job_chunks (job_id, chunk_index, image_range) select id, 0, '{{}}' from crawl_jobs;
                 delete from auth.users where id = '{ann}'"
            ),
        )
        .await;
        for (table, ..) in RIGHTS {
            let owner = if table == "profiles" { "id" } else { "user_id" };
            assert_eq!(
                count(&pool, &format!("{table} where {owner} = '{ann}'")).await,
                0,
                "{layout:?}: {table}"
            );
        }
        assert_eq!(count(&pool, "profiles").await, 2, "{layout:?}");
    }
}

/// What each role may do with each table, in every cell: `S`elect, `I`nsert, `U`pdate and `D`elete of all
/// columns, in lower case of some, and `T`runcate, references and triggers.
const RIGHTS: [(&str, &str, &str); 15] = [
    // Table, the user, service_role. The public key alone may nothing.
    ("profiles", "Siu", "SIUDT"),
    ("projects", "SiuD", "SIUDT"),
    ("datasets", "Siu", "SIUDT"),
    ("crawl_jobs", "Siu", "SIUDT"),
    ("job_chunks", "S", "SIUDT"),
    ("images", "S", "SIUDT"),
    ("activity_logs", "S", "SIUDT"),
    ("notifications", "SuD", "SIUDT"),
    ("api_keys", "suD", "SIUDT"),
    ("credit_accounts", "Su", "SIUDT"),
    ("credit_transactions", "S", "SIUDT"),
    ("notification_preferences", "Siu", "SIUDT"),
    ("usage_metrics", "S", "SIUDT"),
    ("subscriptions", "S", "SIUDT"),
    ("transactions", "S", "SIUDT"),
];

/// Whoever made the tables, and whatever they granted, or a project grants by itself: everything to
/// everybody, or in a newer one nothing.
#[tokio::test]
async fn rights_are_the_same_over_every_layout() {
    const NEWER: &str = "
        alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
        alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
        alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;";
    for (layout, defaults) in Layout::ALL.into_iter().flat_map(|layout| [(layout, ""), (layout, NEWER)]) {
        let pool = made_by(&[defaults, layout.tables().as_str()].concat()).await.pool;
        db::migrate(&pool).await.unwrap();
        let held = async |role: &str, table: &str| -> String {
            sqlx::query_scalar(
                "select concat(
                    case when has_table_privilege($1, $2, 'select') then 'S'
                         when has_any_column_privilege($1, $2, 'select') then 's' end,
                    case when has_table_privilege($1, $2, 'insert') then 'I'
                         when has_any_column_privilege($1, $2, 'insert') then 'i' end,
                    case when has_table_privilege($1, $2, 'update') then 'U'
                         when has_any_column_privilege($1, $2, 'update') then 'u' end,
                    case when has_table_privilege($1, $2, 'delete') then 'D' end,
                    case when has_table_privilege($1, $2, 'truncate, references, trigger') then 'T' end)",
            )
            .bind(role)
            .bind(table)
            .fetch_one(&pool)
            .await
            .unwrap()
        };
        for (table, user, service) in RIGHTS {
            assert_eq!(held("anon", table).await, "", "{layout:?}: anon: {table}");
            assert_eq!(held("authenticated", table).await, user, "{layout:?}: {table}");
            assert_eq!(held("service_role", table).await, service, "{layout:?}: service_role: {table}");
        }
        // Columns that nobody may write or see, among those that some may.
        for (table, column, verb) in [
            ("profiles", "role", "insert, update"),
            ("projects", "user_id", "update"),
            ("datasets", "user_id", "update"),
            ("datasets", "status", "insert, update"),
            ("api_keys", "key_hash", "select, insert, update"),
            ("api_keys", "rate_limit", "insert, update"),
            ("credit_accounts", "current_balance", "insert, update"),
            ("notification_preferences", "user_id", "update"),
            ("notifications", "user_id", "update"),
        ] {
            let may: bool = sqlx::query_scalar("select has_column_privilege('authenticated', $1, $2, $3)")
                .bind(table)
                .bind(column)
                .bind(verb)
                .fetch_one(&pool)
                .await
                .unwrap();
            assert!(!may, "{layout:?}: {table}.{column}: {verb}");
        }
        let sequences = "select c.relname::text, concat(
                 case when has_sequence_privilege('anon', c.oid, 'usage, select, update') then 'a' end,
                 case when has_sequence_privilege('authenticated', c.oid, 'usage') then 'u' end,
                 case when has_sequence_privilege('authenticated', c.oid, 'update') then 'w' end)
             from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'S'";
        let sequences: Vec<(String, String)> = sqlx::query_as(sequences).fetch_all(&pool).await.unwrap();
        let expect =
            BTreeMap::from([("projects_id_seq", "u"), ("datasets_id_seq", "u"), ("crawl_jobs_id_seq", "u")]);
        for (name, held) in sequences {
            assert_eq!(held, expect.get(&*name).copied().unwrap_or(""), "{layout:?}: {name}");
        }
        let unguarded =
            "pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and not relrowsecurity";
        assert_eq!(count(&pool, unguarded).await, 0, "{layout:?}");
        let others = r"pg_policies where schemaname = 'public' and policyname not like 'pixcrawler\_%'";
        assert_eq!(count(&pool, others).await, 0, "{layout:?}: policies add up");
        let unindexed =
            "pg_constraint k where contype = 'f' and connamespace = 'public'::regnamespace and not exists (
            select from pg_index i where i.indrelid = k.conrelid and i.indkey[0] = k.conkey[1])";
        assert_eq!(count(&pool, unindexed).await, 0, "{layout:?}: keys without an index");
    }
}

/// What the frontend takes over names all that is there; `make strangers` has Drizzle make it.
#[tokio::test]
async fn the_schema_for_drizzle_names_everything() {
    let pool = database().await.pool;
    let schema = include_str!("../drizzle/schema.ts");
    let of_table = |table: &str| {
        let start =
            schema.find(&format!("pgTable(\n  '{table}',")).unwrap_or_else(|| panic!("no table {table}"));
        schema[start..].split("\n);").next().unwrap().to_owned()
    };
    let named: Vec<(String, String)> = sqlx::query_as(
        "select table_name::text, column_name::text from information_schema.columns where table_schema = 'public'
         union all
         select tablename::text, policyname::text from pg_policies where schemaname = 'public'
         union all
         select tablename::text, indexname::text from pg_indexes
          where schemaname = 'public' and indexname not in (select conname from pg_constraint)
         union all
         select conrelid::regclass::text, conname::text from pg_constraint
          where connamespace = 'public'::regnamespace and contype = 'c'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    for (table, name) in named {
        assert!(of_table(&table).contains(&format!("'{name}'")), "drizzle/schema.ts: {table}: no {name}");
    }
}

/// What others made beside the tables holds nobody, and what protects stays.
#[tokio::test]
async fn what_others_added_is_minded() {
    let (ann, bob) = (user_of("ann@example.org").0, user_of("bob@example.org").0);
    let database = Layout::Files.with_ann().await;
    let pool = database.pool;
    // Anybody could write anything.
    execute(
        &pool,
        &format!(
            "insert into auth.users (id, email) values ('{bob}', 'bob@example.org');
             insert into profiles (id, email) values ('{bob}', 'victim@example.org');
             insert into auth.users (id, email) values (gen_random_uuid(), 'victim@example.org');
             update datasets set crawl_job_id = null;
             insert into datasets (user_id, name, keywords, crawl_job_id) select '{bob}', 'mine now', '[]', id from crawl_jobs;
             create table comments (id serial primary key, user_id uuid references profiles (id));
             insert into comments (user_id) values ('{ann}');
             alter table projects enable row level security;
             create policy second_factor on projects as restrictive using (true);
             create policy everything on projects using (true);
             insert into notifications (user_id, type, title, message) values ('{ann}', 'payment', 'a', 'b')"
        ),
    )
    .await;
    db::migrate(&pool).await.unwrap();

    let job: (Uuid, String) = sqlx::query_as(
        "select job.user_id, dataset.name from crawl_jobs job join datasets dataset on dataset.id = job.dataset_id",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(job, (ann, "old".to_owned()), "it stays with the owner of its project");
    let named: Vec<String> =
        sqlx::query_scalar("select email from profiles order by email").fetch_all(&pool).await.unwrap();
    assert_eq!(named, ["ann@example.org", "bob@example.org", "victim@example.org"]);
    let others = r"pg_policies where policyname in ('second_factor', 'everything')";
    assert_eq!(count(&pool, others).await, 1, "what restricts stays, and what adds goes");
    execute(&pool, "update notifications set is_read = true").await;

    execute(&pool, &format!("delete from auth.users where id = '{ann}'")).await;
    let left: (String, i64) =
        sqlx::query_as("select email, (select count(*) from projects) from profiles where id = $1")
            .bind(ann)
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(left, (format!("{ann}@users.invalid"), 0), "the profile is held, and empty");
}

/// What cannot be built on is said, all of it, before anything is changed.
#[tokio::test]
async fn tables_that_cannot_be_built_on_are_left_alone() {
    let database = made_by(&format!(
        "{DRIZZLE}
         alter table images alter hash type integer using null, drop column labels;
         drop table notifications;
         create view notifications as select 1 as id;
         alter table profiles add column username text not null, drop constraint profiles_email_unique;
         alter table transactions drop column user_id;
         do $$ begin
             execute format('alter database %I set timezone to %L', current_database(), 'America/New_York');
         end $$"
    ))
    .await;
    let tables = "select string_agg(oid::text, ',' order by oid) from pg_class where oid > 16384";
    let before: String = sqlx::query_scalar(tables).fetch_one(&database.pool).await.unwrap();
    let error = db::migrate(&database.pool).await.unwrap_err();
    let MigrateError::Unfit(reasons) = &error else { panic!("{error}") };
    for expect in [
        "public.images has no column labels (json): add it",
        "public.images.hash is integer and not text: change its type",
        "public.notifications is not a table but something else of that name: rename it",
        "public.profiles.username must be filled and nobody here knows with what: give it a default",
        "public.profiles.email may repeat: add a unique constraint on it",
        "public.transactions has no column user_id (uuid): add it",
    ] {
        assert!(reasons.contains(&expect.to_owned()), "{expect} is not among {error}");
    }
    assert!(
        reasons.iter().any(|reason| reason.contains("America/New_York") && reason.contains("alter database")),
        "{error}"
    );
    assert_eq!(reasons.len(), 7, "{error}");
    let after: String = sqlx::query_scalar(tables).fetch_one(&database.pool).await.unwrap();
    assert_eq!(before, after);
}
