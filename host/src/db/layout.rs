//! Whether the tables that somebody else made are such that the migrations can build on them.

use sqlx::PgConnection;

/// The last migration before the one that makes jobs.
pub(super) const BEFORE_JOBS: i64 = 3;

/// Tables that may be there before the first migration, with the columns that are worked with and
/// their kinds; `unique` after one that must have an index of its own which says so.
const TABLES: [(&str, &str); 15] = [
    (
        "profiles",
        "id uuid unique, email text unique, full_name text, avatar_url text, role text, onboarding_completed bool, \
         onboarding_completed_at time, created_at time, updated_at time",
    ),
    (
        "projects",
        "id integer unique, user_id uuid, name text, description text, status text, created_at time, updated_at time",
    ),
    (
        "datasets",
        "id integer unique, user_id uuid, project_id integer, name text, description text, keywords json, \
         max_images integer, search_engines json, status text, progress number, images_collected integer, \
         crawl_job_id integer, download_url text, error_message text, storage_tier text, archived_at time, \
         last_accessed_at time, created_at time, updated_at time",
    ),
    (
        "crawl_jobs",
        "id integer unique, name text, keywords json, max_images integer, status text, progress integer, \
         total_images integer, downloaded_images integer, valid_images integer, total_chunks integer, \
         active_chunks integer, completed_chunks integer, failed_chunks integer, task_ids json, started_at time, \
         completed_at time, created_at time, updated_at time",
    ),
    (
        "job_chunks",
        "id integer unique, job_id integer, chunk_index integer, status text, image_range json, error_message text, \
         retry_count integer, updated_at time",
    ),
    (
        "images",
        "id integer unique, crawl_job_id integer, original_url text, filename text, storage_url text, width integer, \
         height integer, file_size integer, format text, hash text, is_valid bool, is_duplicate bool, labels json, \
         metadata json, downloaded_at time, created_at time",
    ),
    (
        "activity_logs",
        "id integer, user_id uuid, action text, resource_type text, resource_id text, metadata json, timestamp time",
    ),
    (
        "notifications",
        "id integer, user_id uuid, type text, title text, message text, is_read bool, read_at time",
    ),
    (
        "api_keys",
        "id uuid, user_id uuid, name text, key_hash text, key_prefix text, status text, permissions json, \
         rate_limit integer, usage_count integer, last_used_at time, last_used_ip text, expires_at time, \
         created_at time, updated_at time",
    ),
    (
        "credit_accounts",
        "id uuid unique, user_id uuid unique, current_balance integer, auto_refill_enabled bool, \
         refill_threshold integer, refill_amount integer, monthly_limit integer, updated_at time",
    ),
    ("credit_transactions", "id uuid, account_id uuid, user_id uuid, type text"),
    (
        "notification_preferences",
        "user_id uuid unique, email_enabled bool, push_enabled bool, sms_enabled bool, crawl_jobs_enabled bool, \
         datasets_enabled bool, billing_enabled bool, security_enabled bool, marketing_enabled bool, \
         product_updates_enabled bool, digest_frequency text, quiet_hours_start clock, quiet_hours_end clock, \
         updated_at time",
    ),
    ("usage_metrics", "id uuid, user_id uuid, metric_date day"),
    ("subscriptions", "id uuid, user_id uuid"),
    ("transactions", "id uuid, user_id uuid"),
];

/// Names of all tables that are worked with.
pub(super) fn tables() -> Vec<&'static str> {
    TABLES.iter().map(|(name, _)| *name).collect()
}

/// Tables that rows are added to, with the columns beyond those above that are filled then.
const FILLED: [(&str, &str); 9] = [
    ("profiles", ""),
    ("projects", ""),
    ("datasets", ""),
    ("crawl_jobs", "user_id,dataset_id,project_id,sources,options,rules,error,revision"),
    ("job_chunks", "user_id"),
    ("images", "user_id"),
    ("activity_logs", ""),
    ("credit_accounts", ""),
    ("notification_preferences", ""),
];

/// Why the tables that are there cannot be built on: every reason, and what to do about it. Jobs
/// may be `of_projects`, see [`jobs_belong_to_projects`].
pub(super) async fn unfit(connection: &mut PgConnection, of_projects: bool) -> sqlx::Result<Vec<String>> {
    let (tables, columns): (Vec<&str>, Vec<&str>) = TABLES.into_iter().unzip();
    let (filled, more): (Vec<&str>, Vec<&str>) = FILLED.into_iter().unzip();
    let mut reasons: Vec<String> = sqlx::query_scalar(
        "with expected as (
            select name, to_regclass('public.' || quote_ident(name)) as oid, columns
              from unnest($1::text[], $2::text[]) as given (name, columns)),
              there as (
            select e.name, e.oid, e.columns, c.relkind, c.relowner
              from expected e join pg_class c on c.oid = e.oid),
              wanted as (
            select name, oid, split_part(trim(said), ' ', 1) as wanted, split_part(trim(said), ' ', 2) as kind,
                   trim(said) like '% unique' as is_unique
              from there, unnest(string_to_array(columns, ',')) as said
             where relkind in ('r', 'p')),
              found as (
            select w.*, a.attnum, format_type(a.atttypid, null) as type
              from wanted w
              left join pg_attribute a on a.attrelid = w.oid and a.attname = w.wanted and not a.attisdropped)
         select format('public.%I is not a table but something else of that name: rename it', name)
           from there where relkind not in ('r', 'p')
         union all
         select format('public.%I belongs to %s, whose rights %s does not have: run `alter table public.%I owner to %s`',
                       name, relowner::regrole, current_user, name, current_user)
           from there where relkind in ('r', 'p') and not pg_has_role(relowner, 'usage')
         union all
         select format('public.%I has no column %I (%s): add it', name, wanted, kind) from found where attnum is null
         union all
         select format('public.%I.%I is %s and not %s: change its type', name, wanted, type, kind)
           from found
          where attnum is not null and not type = any (case kind
                    when 'uuid' then '{uuid}'
                    when 'text' then '{text,\"character varying\"}'
                    when 'integer' then '{integer}'
                    when 'number' then '{numeric}'
                    when 'bool' then '{boolean}'
                    when 'json' then '{jsonb}'
                    when 'clock' then '{\"time without time zone\"}'
                    when 'day' then '{date,\"timestamp with time zone\",\"timestamp without time zone\"}'
                    else '{\"timestamp with time zone\",\"timestamp without time zone\"}'
                    end::text[])
         union all
         select format('public.%I.%I may repeat: add a unique constraint on it', name, wanted)
           from found f
          where is_unique and attnum is not null and not exists (
                select from pg_index i
                 where i.indrelid = f.oid and i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = f.attnum
                   and i.indpred is null)
         union all
         select format('public.%I.%I must be filled and nobody here knows with what: give it a default', t.name, a.attname)
           from there t
           join unnest($3::text[], $4::text[]) as filled (name, more) using (name)
           join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
          where a.attnotnull and not a.atthasdef and a.attidentity = ''
            and a.attname <> all (string_to_array(more, ','))
            and not exists (select from wanted w where w.oid = t.oid and w.wanted = a.attname)
         union all
         select format('the time zone of %s is %s, and instants without a zone would be read as UTC: run `alter %s set timezone to ''UTC''`',
                       place, zone, place)
           from (select case when setrole = 0 then 'database ' || quote_ident(current_database())
                             else 'role ' || setrole::regrole end as place,
                        split_part(setting, '=', 2) as zone
                   from pg_db_role_setting, unnest(setconfig) as setting
                  where setting ilike 'timezone=%'
                    and setdatabase in (0, (select oid from pg_database where datname = current_database()))) as zones
          where lower(zone) not in ('utc', 'gmt', 'etc/utc') and exists (
                select from found where type = 'timestamp without time zone')
         order by 1",
    )
    .bind(tables)
    .bind(columns)
    .bind(filled)
    .bind(more)
    .fetch_all(&mut *connection)
    .await?;
    if reasons.is_empty() && of_projects {
        reasons.extend(unfit_jobs(connection).await?);
    }
    Ok(reasons)
}

/// Why jobs that have no dataset cannot be given one.
async fn unfit_jobs(connection: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let projects: bool = sqlx::query_scalar(
        "select exists (
            select from pg_attribute where attrelid = 'public.crawl_jobs'::regclass and attname = 'project_id'
               and atttypid = 'integer'::regtype and not attisdropped)",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !projects {
        let reason =
            "public.crawl_jobs has neither dataset_id nor project_id (integer): add the one whose they are";
        return Ok(Some(reason.to_owned()));
    }
    let without: i64 = sqlx::query_scalar(
        "select count(*) from public.crawl_jobs job
          where not exists (select from public.projects project where project.id = job.project_id)",
    )
    .fetch_one(connection)
    .await?;
    Ok((without > 0).then(|| {
        format!("{without} rows of public.crawl_jobs have no project: give them one, or delete them")
    }))
}

/// Whether jobs are there and have no dataset, as the frontend's older layouts have them.
pub(super) async fn jobs_belong_to_projects(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select to_regclass('public.crawl_jobs') is not null and not exists (
                select from pg_attribute
                 where attrelid = to_regclass('public.crawl_jobs') and attname = 'dataset_id' and not attisdropped)",
    )
    .fetch_one(connection)
    .await
}
