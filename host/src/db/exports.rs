//! Exports: snapshots of what a dataset has kept, the files that they give, and who makes these.
//!
//! Its functions fail when the database does.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, FromRow, PgConnection, PgExecutor, PgPool, Postgres, Row as _, Transaction, types::Json,
};
use uuid::Uuid;

use crate::{
    db::export::DatasetRecord,
    model::{
        DatasetId, ExportFileKind, ExportFormat, ExportId, ExportItem, ExportKey, ExportOptions, ExportOrder,
        ExportRecord, Format, ImageId, Pdq, Provenance, Scores, Sha256, SplitPart, UserId,
    },
};

/// A row of `pixcrawler.export`.
#[derive(Clone, Debug)]
pub struct ExportRow {
    /// Its id.
    pub id: ExportId,
    /// Names what is made of it in the store.
    pub key: ExportKey,
    /// Whose.
    pub user: UserId,
    /// Of what.
    pub dataset: DatasetId,
    /// How it is packed.
    pub format: ExportFormat,
    /// What was asked besides.
    pub options: ExportOptions,
    /// Pictures at the beginning.
    pub images: i32,
    /// Those that were taken out since.
    pub removed: i32,
    /// Rises when some are.
    pub revision: i32,
    /// What documents say of it.
    pub facts: Value,
    /// As of which revision.
    pub facts_revision: i32,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

impl ExportRow {
    /// Pictures that were not taken out.
    #[must_use]
    pub fn left(&self) -> u64 {
        u64::try_from(self.images - self.removed).unwrap_or_default()
    }
}

/// A row of `pixcrawler.export_file`.
#[derive(Clone, Debug)]
pub struct ExportFileRow {
    /// Of which export.
    pub export: ExportId,
    /// Its place among the files.
    pub number: i32,
    /// Under which it is asked for.
    pub name: String,
    /// What is in it.
    pub kind: ExportFileKind,
    /// Position of its first picture.
    pub first: i32,
    /// Position behind its last picture.
    pub end: i32,
    /// Pictures at the beginning.
    pub images: i32,
    /// Those that were taken out since.
    pub removed: i32,
    /// Rises when some are.
    pub revision: i32,
    /// In bytes, once it is measured or made.
    pub length: Option<u64>,
    /// What else was measured.
    pub measure: Option<Value>,
    /// Once it was read through.
    pub sha256: Option<Sha256>,
    /// Why it is not made, if that failed, or what is not in it.
    pub error: Option<String>,
    /// Whether a later version of the rules was applied to it.
    pub is_newer: bool,
}

/// A file that is to be, at its beginning.
#[derive(Clone, Debug)]
pub struct NewExportFile {
    /// Under which it is asked for.
    pub name: String,
    /// What is in it.
    pub kind: ExportFileKind,
    /// Position of its first picture.
    pub first: i32,
    /// Position behind its last picture.
    pub end: i32,
}

/// A kept image of which an item is made.
#[derive(Clone, Debug, FromRow)]
pub struct SnapshotRow {
    /// What is known of it.
    #[sqlx(flatten)]
    pub record: DatasetRecord,
    /// CRC-32 of the bytes, where it is known.
    pub crc32: Option<i64>,
    /// Number of its part, where the snapshot is split.
    #[sqlx(default)]
    pub part: Option<i16>,
}

/// What the part of a kept image in a split depends on.
#[derive(Clone, Copy, Debug)]
pub struct LookRow {
    /// Which image.
    pub image: ImageId,
    /// Number of its first label, in their order.
    pub label: u32,
    /// Of the bytes.
    pub sha256: Sha256,
    /// By which others are found to look like it, as far as they say anything.
    pub hashes: [Option<Pdq>; 2],
}

/// Work on a file that nobody else does until then.
#[derive(Clone, Debug)]
pub struct FileClaim {
    /// The export.
    pub export: ExportRow,
    /// The file.
    pub file: ExportFileRow,
    /// Who.
    id: Uuid,
}

/// Version of the rules by which the bytes of files follow from rows and options. It rises with every change
/// of them: lengths and hashes from before do not count then, and clients begin anew. While processes of several
/// versions work on one database, files are made by the rules of the newest.
pub const LAYOUT: i16 = 3;
/// How long a claim is good without a word.
const CLAIM: Duration = Duration::from_secs(60);
/// After how many failures nobody tries any more.
const MOST_FAILURES: i32 = 5;

const EXPORT: &str = "e.id, e.key, e.user_id, e.dataset_id, e.format, e.options, e.images as export_images, e.removed as \
    export_removed, e.revision as export_revision, e.facts, e.facts_revision, e.created_at";
const FILE: &str = "f.export_id, f.number, f.name, f.kind, f.first_position, f.end_position, f.images, f.removed, \
    f.revision, f.layout, f.length, f.measure, f.sha256, f.error";
/// Postgres has no parameters in places of names: what is kept, with a hash and a format that can be read.
const KEPT: &str =
    "is_valid and not is_duplicate and hash ~ '^[0-9a-f]{64}$' and format in ('jpeg', 'png', 'gif', 'webp')";

/// Rows of what a dataset of a user has kept, each in its part if they are split.
fn kept(user: UserId, dataset: DatasetId, is_split: bool) -> String {
    let (part, parts) = match is_split {
        true => (", part", "join pg_temp.export_part on export_part.image_id = images.id"),
        false => ("", ""),
    };
    format!(
        "select id, coalesce(labels ->> 0, '') as label, coalesce(to_jsonb(labels), '[]') as labels,
                coalesce(to_jsonb(metadata) -> 'tags', '[]') as tags, original_url as url, asked_url, source,
                {provenance}, coalesce(consent, '[]') as consent, coalesce(width, 0) as width,
                coalesce(height, 0) as height, coalesce(file_size, 0) as size, hash as sha256, pdq, {scores},
                format, crc32{part}
           from public.images {parts} where user_id = '{user}' and dataset_id = {dataset} and {KEPT}",
        provenance = Provenance::COLUMNS,
        scores = Scores::COLUMNS,
    )
}

/// An expression that is another when these rows are, or what the dataset is called. Crawls add labels to rows
/// that are there, so that counts and dates would not do.
fn fingerprint(user: UserId, dataset: DatasetId) -> String {
    format!(
        "(select concat_ws(' ', count(*), sum(hashtextextended(kept::text, 0)),
                           (select hashtextextended(row(name, description, keywords)::text, 0)
                              from public.datasets where id = {dataset}))
            from ({rows}) as kept)",
        rows = kept(user, dataset, false),
    )
}

/// A snapshot on its way: all that is read is of one moment, and nothing is there before its end.
pub struct Snapshot {
    tx: Transaction<'static, Postgres>,
}

impl Snapshot {
    /// Begins one.
    pub async fn begin(pool: &PgPool) -> sqlx::Result<Self> {
        let mut tx = pool.begin().await?;
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *tx).await?;
        Ok(Self { tx })
    }

    /// For other questions about the same moment.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Lets no other export that this user asks for end before this one does. Waits for the one that is about to.
    pub async fn lock(&mut self, user: UserId) -> sqlx::Result<()> {
        sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.exports'), hashtext($1::text))")
            .bind(user)
            .execute(&mut *self.tx)
            .await
            .map(drop)
    }

    /// First labels of what the dataset has kept, each once.
    pub async fn classes(&mut self, user: UserId, dataset: DatasetId) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(AssertSqlSafe(format!(
            "select distinct coalesce(labels ->> 0, '') from public.images
              where user_id = $1 and dataset_id = $2 and {KEPT}"
        )))
        .bind(user)
        .bind(dataset)
        .fetch_all(&mut *self.tx)
        .await
    }

    /// What the parts of those that the dataset has kept depend on, at most so many.
    pub async fn looks(
        &mut self,
        user: UserId,
        dataset: DatasetId,
        most: usize,
    ) -> sqlx::Result<Vec<LookRow>> {
        type Columns = (ImageId, i64, Vec<u8>, Option<String>, Option<String>);
        // They are compared meanwhile.
        sqlx::raw_sql("set local idle_in_transaction_session_timeout = '15min'")
            .execute(&mut *self.tx)
            .await?;
        let query = format!(
            "select id, dense_rank() over (order by coalesce(labels ->> 0, '') collate \"C\"), decode(hash, 'hex'),
                    case when pdq_quality >= {least} then pdq end, pdq_trimmed
               from public.images where user_id = $1 and dataset_id = $2 and {KEPT} limit $3",
            least = Pdq::LEAST_QUALITY,
        );
        let rows = sqlx::query_as::<_, Columns>(AssertSqlSafe(query));
        let rows = rows.bind(user).bind(dataset).bind(i64::try_from(most).unwrap_or(i64::MAX));
        let look = |(image, label, sha256, pdq, trimmed): Columns| {
            let sha256 = Sha256(sha256.try_into().map_err(|_| unreadable("hash"))?);
            let hashes = [pdq, trimmed].map(|hash| Pdq::parse(&hash?));
            Ok(LookRow { image, label: u32::try_from(label).unwrap_or(u32::MAX), sha256, hashes })
        };
        rows.fetch(&mut *self.tx).and_then(|row| std::future::ready(look(row))).try_collect().await
    }

    /// Hashes of pictures that those stand for, which look like others in turn; at most of so many.
    pub async fn stood_for(
        &mut self,
        user: UserId,
        dataset: DatasetId,
        most: usize,
    ) -> sqlx::Result<Vec<(ImageId, Pdq)>> {
        let query = format!(
            "select duplicate_of, case when pdq_quality >= {least} then pdq end, pdq_trimmed
               from public.images
              where user_id = $1 and dataset_id = $2 and is_valid and is_duplicate and duplicate_of is not null
              order by id limit $3",
            least = Pdq::LEAST_QUALITY,
        );
        let rows = sqlx::query_as::<_, (ImageId, Option<String>, Option<String>)>(AssertSqlSafe(query));
        let rows = rows.bind(user).bind(dataset).bind(i64::try_from(most).unwrap_or(i64::MAX));
        let rows = rows.fetch_all(&mut *self.tx).await?;
        let hashes = |(image, pdq, trimmed): (ImageId, Option<String>, Option<String>)| {
            let hashes = [pdq, trimmed].into_iter().flatten().filter_map(|hash| Pdq::parse(&hash));
            hashes.map(move |hash| (image, hash)).collect::<Vec<_>>()
        };
        Ok(rows.into_iter().flat_map(hashes).collect())
    }

    /// Notes in which part each of them is.
    pub async fn divide(&mut self, parts: &[(ImageId, SplitPart)]) -> sqlx::Result<()> {
        sqlx::raw_sql(
            "create temporary table export_part (image_id integer primary key, part smallint not null) on commit drop",
        )
        .execute(&mut *self.tx)
        .await?;
        for some in parts.chunks(50_000) {
            sqlx::query(
                "insert into pg_temp.export_part select * from unnest($1::integer[], $2::smallint[])",
            )
            .bind(some.iter().map(|(image, _)| *image).collect::<Vec<_>>())
            .bind(some.iter().map(|(_, part)| *part as i16).collect::<Vec<_>>())
            .persistent(false)
            .execute(&mut *self.tx)
            .await?;
        }
        Ok(())
    }

    /// Begins to read what the dataset has kept, in the order that is asked for: by part first, if it is split,
    /// after these were noted.
    pub async fn open(
        &mut self,
        user: UserId,
        dataset: DatasetId,
        options: &ExportOptions,
    ) -> sqlx::Result<()> {
        // Of bytes, not of a language: the same everywhere.
        let order = match options.order {
            ExportOrder::Label => "coalesce(labels ->> 0, '') collate \"C\", hash collate \"C\"".to_owned(),
            ExportOrder::Shuffled => {
                let seed = options.seed;
                format!("sha256(convert_to('{seed}:' || hash, 'UTF8')), hash collate \"C\"")
            }
        };
        let is_split = options.split.is_some();
        let part = if is_split { "part, " } else { "" };
        sqlx::raw_sql(AssertSqlSafe(format!(
            "declare kept no scroll cursor for {rows} order by {part}{order}",
            rows = kept(user, dataset, is_split),
        )))
        .execute(&mut *self.tx)
        .await
        .map(drop)
    }

    /// The next of them, some hundred at a time; none at the end.
    pub async fn next(&mut self) -> sqlx::Result<Vec<SnapshotRow>> {
        sqlx::query_as("fetch 500 from kept").persistent(false).fetch_all(&mut *self.tx).await
    }

    /// Makes the row of the export, without what is known at the end only.
    pub async fn insert(
        &mut self,
        user: UserId,
        dataset: DatasetId,
        format: ExportFormat,
        options: &ExportOptions,
    ) -> sqlx::Result<ExportId> {
        sqlx::query_scalar(
            "insert into pixcrawler.export (user_id, dataset_id, format, options, images, facts)
             values ($1, $2, $3, $4, 0, '{}') returning id",
        )
        .bind(user)
        .bind(dataset)
        .bind(format.name())
        .bind(Json(options))
        .fetch_one(&mut *self.tx)
        .await
    }

    /// Makes it one of those that serve whoever gets the dataset as it is.
    pub async fn reuse(&mut self, user: UserId, dataset: DatasetId, export: ExportId) -> sqlx::Result<()> {
        sqlx::query(AssertSqlSafe(format!(
            "update pixcrawler.export set fingerprint = {} where id = $1",
            fingerprint(user, dataset),
        )))
        .bind(export)
        .execute(&mut *self.tx)
        .await
        .map(drop)
    }

    /// Adds items.
    pub async fn add(&mut self, export: ExportId, items: &[ExportItem]) -> sqlx::Result<()> {
        sqlx::query(
            "insert into pixcrawler.export_item (export_id, position, image_id, sha256, format, size, crc32, record)
             select $1, * from unnest($2::integer[], $3::integer[], $4::bytea[], $5::text[], $6::bigint[],
                                      $7::bigint[], $8::text[])",
        )
        .bind(export)
        .bind(items.iter().map(|item| item.position).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.image).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.sha256.0.to_vec()).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.format.name()).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.size.cast_signed()).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.crc32.map(i64::from)).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.record.json()).collect::<Vec<_>>())
        .execute(&mut *self.tx)
        .await
        .map(drop)
    }

    /// Adds the files and what documents say, and ends the snapshot: from now on the export is there.
    pub async fn end(
        mut self,
        export: ExportId,
        images: i32,
        facts: &Value,
        files: &[NewExportFile],
    ) -> sqlx::Result<()> {
        sqlx::query("close kept").persistent(false).execute(&mut *self.tx).await?;
        sqlx::query("update pixcrawler.export set images = $2, facts = $3 where id = $1")
            .bind(export)
            .bind(images)
            .bind(facts)
            .execute(&mut *self.tx)
            .await?;
        sqlx::query(
            "insert into pixcrawler.export_file (export_id, number, name, kind, first_position, end_position, images)
             select $1, number - 1, name, kind, first, behind, behind - first
               from unnest($2::text[], $3::text[], $4::integer[], $5::integer[])
               with ordinality as file (name, kind, first, behind, number)",
        )
        .bind(export)
        .bind(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>())
        .bind(files.iter().map(|file| file.kind.name()).collect::<Vec<_>>())
        .bind(files.iter().map(|file| file.first).collect::<Vec<_>>())
        .bind(files.iter().map(|file| file.end).collect::<Vec<_>>())
        .execute(&mut *self.tx)
        .await?;
        self.tx.commit().await
    }
}

/// How many exports a user has asked for, of the dataset and of all. A snapshot does not see those that others have
/// ended since it was begun.
pub async fn count(db: impl PgExecutor<'_>, user: UserId, dataset: DatasetId) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "select count(*) filter (where dataset_id = $2), count(*) from pixcrawler.export
          where user_id = $1 and fingerprint is null",
    )
    .bind(user)
    .bind(dataset)
    .fetch_one(db)
    .await
}

/// Takes out of an export what went before it was there, as far as that is known; and notes up to which
/// transaction there may be more. To be called once it is there.
pub async fn begin_to_settle(pool: &PgPool, export: ExportId) -> sqlx::Result<()> {
    sqlx::query("update pixcrawler.export set settle_after = pg_current_xact_id() where id = $1")
        .bind(export)
        .execute(pool)
        .await?;
    take_out_gone(pool, export).await
}

/// Does the same for good with exports of which all transactions have ended that may have missed them.
pub async fn settle(pool: &PgPool) -> sqlx::Result<()> {
    let due: Vec<ExportId> = sqlx::query_scalar(
        "select id from pixcrawler.export
          where not settled and (settle_after is null or settle_after < pg_snapshot_xmin(pg_current_snapshot()))
          order by id limit 100",
    )
    .fetch_all(pool)
    .await?;
    for export in due {
        // Whoever made it may have been killed before that was begun.
        let noted: bool = sqlx::query_scalar(
            "update pixcrawler.export set settle_after = coalesce(settle_after, pg_current_xact_id())
              where id = $1 returning settle_after < pg_snapshot_xmin(pg_current_snapshot())",
        )
        .bind(export)
        .fetch_optional(pool)
        .await?
        .unwrap_or_default();
        take_out_gone(pool, export).await?;
        if noted {
            let settled = sqlx::query("update pixcrawler.export set settled = true where id = $1");
            settled.bind(export).execute(pool).await?;
        }
    }
    Ok(())
}

async fn take_out_gone(pool: &PgPool, export: ExportId) -> sqlx::Result<()> {
    sqlx::query(
        "with gone as (
             select array_agg(item.image_id) as ids from pixcrawler.export_item item
              where item.export_id = $1 and not exists (
                    select from public.images i
                     where i.id = item.image_id and i.is_valid and not i.is_duplicate
                       and i.hash = encode(item.sha256, 'hex')))
         select pixcrawler.take_out_of_exports(ids) from gone where ids is not null",
    )
    .bind(export)
    .execute(pool)
    .await
    .map(drop)
}

/// The newest export that was made for whoever gets this dataset as it is, if it still is that.
pub async fn reusable(pool: &PgPool, user: UserId, dataset: DatasetId) -> sqlx::Result<Option<ExportId>> {
    sqlx::query_scalar(AssertSqlSafe(format!(
        "select id from pixcrawler.export
          where user_id = $1 and dataset_id = $2 and removed = 0 and fingerprint = {}
          order by id desc limit 1",
        fingerprint(user, dataset),
    )))
    .bind(user)
    .bind(dataset)
    .fetch_optional(pool)
    .await
}

/// Deletes the exports of a dataset that were made for whoever gets it as it is, but for the newest three: somebody
/// may still be reading those. Nothing of them is in the store.
pub async fn forget_reusable(pool: &PgPool, user: UserId, dataset: DatasetId) -> sqlx::Result<()> {
    sqlx::query(
        "delete from pixcrawler.export where id in (
             select id from pixcrawler.export where user_id = $1 and dataset_id = $2 and fingerprint is not null
              order by id desc offset 3)",
    )
    .bind(user)
    .bind(dataset)
    .execute(pool)
    .await
    .map(drop)
}

/// The exports of a dataset that this user has asked for, newest first.
pub async fn list(pool: &PgPool, user: UserId, dataset: DatasetId) -> sqlx::Result<Vec<ExportRow>> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select {EXPORT} from pixcrawler.export e
          where user_id = $1 and dataset_id = $2 and fingerprint is null order by id desc"
    )));
    rows.bind(user).bind(dataset).fetch_all(pool).await?.iter().map(export_of).collect()
}

/// An export of a dataset of this user.
pub async fn show(
    pool: &PgPool,
    user: UserId,
    dataset: DatasetId,
    export: ExportId,
) -> sqlx::Result<Option<ExportRow>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "select {EXPORT} from pixcrawler.export e where user_id = $1 and dataset_id = $2 and id = $3"
    )));
    let row = row.bind(user).bind(dataset).bind(export).fetch_optional(pool).await?;
    row.as_ref().map(export_of).transpose()
}

/// The files of an export, in order.
pub async fn files(pool: &PgPool, export: ExportId) -> sqlx::Result<Vec<ExportFileRow>> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select {FILE} from pixcrawler.export_file f where export_id = $1 order by number"
    )));
    rows.bind(export).fetch_all(pool).await?.iter().map(file_of).collect()
}

/// The next items of a file after a position, in order. None where the file has changed since it was read.
pub async fn items(
    pool: &PgPool,
    file: &ExportFileRow,
    after: i32,
    limit: i64,
) -> sqlx::Result<Option<Vec<ExportItem>>> {
    let rows = sqlx::query(
        "select i.* from pixcrawler.export_file f
           left join lateral (
                select position, image_id, sha256, format, size, crc32, record from pixcrawler.export_item
                 where export_id = f.export_id and position > $4 and position >= f.first_position
                   and position < f.end_position
                 order by position limit $5) as i on true
          where f.export_id = $1 and f.number = $2 and f.revision = $3
          order by i.position",
    )
    .bind(file.export)
    .bind(file.number)
    .bind(file.revision)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    rows.iter().filter_map(item_of).collect::<sqlx::Result<_>>().map(Some)
}

/// Writes what a file of this revision was measured to be; what changed meanwhile stays unmeasured.
pub async fn measured(pool: &PgPool, file: &ExportFileRow, length: u64, measure: &Value) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.export_file
            set length = $4, measure = $5, sha256 = case when layout = $6 then sha256 end, layout = $6
          where export_id = $1 and number = $2 and revision = $3",
    )
    .bind(file.export)
    .bind(file.number)
    .bind(file.revision)
    .bind(length.cast_signed())
    .bind(measure)
    .bind(LAYOUT)
    .execute(pool)
    .await
    .map(drop)
}

/// Writes what documents say of an export, as of this revision.
pub async fn write_facts(pool: &PgPool, export: ExportId, revision: i32, facts: &Value) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.export set facts = $3, facts_revision = $2 where id = $1 and facts_revision < $2",
    )
    .bind(export)
    .bind(revision)
    .bind(facts)
    .execute(pool)
    .await
    .map(drop)
}

/// Forgets that a file was made: its object is not there.
pub async fn unmake(pool: &PgPool, file: &ExportFileRow) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.export_file set length = null, sha256 = null
          where export_id = $1 and number = $2 and revision = $3 and layout = $4",
    )
    .bind(file.export)
    .bind(file.number)
    .bind(file.revision)
    .bind(LAYOUT)
    .execute(pool)
    .await
    .map(drop)
}

/// Has a file that could not be made be tried again, now that somebody asks for it.
pub async fn try_again(pool: &PgPool, file: &ExportFileRow) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.export_file set failures = 0
          where export_id = $1 and number = $2 and failures >= $3 and claimed_until < now()",
    )
    .bind(file.export)
    .bind(file.number)
    .bind(MOST_FAILURES)
    .execute(pool)
    .await
    .map(drop)
}

/// Deletes an export of this user; whether it was there.
pub async fn delete(pool: &PgPool, user: UserId, dataset: DatasetId, export: ExportId) -> sqlx::Result<bool> {
    let deleted =
        sqlx::query("delete from pixcrawler.export where user_id = $1 and dataset_id = $2 and id = $3");
    let deleted = deleted.bind(user).bind(dataset).bind(export).execute(pool).await?;
    Ok(deleted.rows_affected() > 0)
}

/// Takes the next file that is to be made or read, of this export or of any, small ones first, and keeps others
/// from it. What a newer version has made is left to it: else the two would make it anew for each other without end.
pub async fn claim(pool: &PgPool, only: Option<ExportId>) -> sqlx::Result<Option<FileClaim>> {
    let id = Uuid::new_v4();
    let row = sqlx::query(AssertSqlSafe(format!(
        "with next as (
             select f.export_id, f.number from pixcrawler.export_file f join pixcrawler.export e on e.id = f.export_id
              where (f.layout < $2 or f.layout = $2 and f.sha256 is null) and f.failures < $3
                and (f.claimed_until is null or f.claimed_until < now())
                and ($5::integer is null or f.export_id = $5)
              order by e.images, f.export_id, f.number limit 1 for update of f skip locked)
         update pixcrawler.export_file f set claim = $1, claimed_until = now() + make_interval(secs => $4)
           from next, pixcrawler.export e
          where f.export_id = next.export_id and f.number = next.number and e.id = f.export_id
         returning {FILE}, {EXPORT}"
    )))
    .bind(id)
    .bind(LAYOUT)
    .bind(MOST_FAILURES)
    .bind(CLAIM.as_secs_f64())
    .bind(only)
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok(FileClaim { export: export_of(&row)?, file: file_of(&row)?, id })).transpose()
}

impl FileClaim {
    /// How often to say that it goes on.
    pub const KEEP: Duration = Duration::from_secs(15);

    /// Says that it goes on; false when it does not count any more.
    pub async fn keep(&self, pool: &PgPool) -> sqlx::Result<bool> {
        let kept = sqlx::query(
            "update pixcrawler.export_file set claimed_until = now() + make_interval(secs => $4)
              where export_id = $1 and number = $2 and claim = $3",
        );
        let kept = kept.bind(self.file.export).bind(self.file.number).bind(self.id).bind(CLAIM.as_secs_f64());
        Ok(kept.execute(pool).await?.rows_affected() > 0)
    }

    /// Ends it with what the file is, and what is to be said of it; false when it has changed meanwhile, or
    /// another one does it.
    pub async fn done(
        &self,
        pool: &PgPool,
        length: u64,
        sha256: Sha256,
        note: Option<&str>,
    ) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "update pixcrawler.export_file
                set length = $5, measure = case when layout = $7 then measure end, sha256 = $6, layout = $7,
                    claim = null, claimed_until = null, failures = 0, error = $8
              where export_id = $1 and number = $2 and claim = $3 and revision = $4",
        )
        .bind(self.file.export)
        .bind(self.file.number)
        .bind(self.id)
        .bind(self.file.revision)
        .bind(length.cast_signed())
        .bind(sha256.0.as_slice())
        .bind(LAYOUT)
        .bind(note);
        Ok(done.execute(pool).await?.rows_affected() > 0)
    }

    /// Ends it without; somebody tries again later, each time later.
    pub async fn failed(&self, pool: &PgPool, error: &str) -> sqlx::Result<()> {
        sqlx::query(
            "update pixcrawler.export_file
                set failures = failures + 1, error = $4,
                    claimed_until = now() + make_interval(secs => 30 * power(4, failures)), claim = null
              where export_id = $1 and number = $2 and claim = $3",
        )
        .bind(self.file.export)
        .bind(self.file.number)
        .bind(self.id)
        .bind(error)
        .execute(pool)
        .await
        .map(drop)
    }

    /// Lets go of it: somebody may begin at once.
    pub async fn release(&self, pool: &PgPool) -> sqlx::Result<()> {
        sqlx::query(
            "update pixcrawler.export_file set claim = null, claimed_until = null
              where export_id = $1 and number = $2 and claim = $3",
        )
        .bind(self.file.export)
        .bind(self.file.number)
        .bind(self.id)
        .execute(pool)
        .await
        .map(drop)
    }
}

/// Those of these made files of a user, by export, number and revision, that somebody may ask for.
pub async fn wanted(
    pool: &PgPool,
    user: UserId,
    made: &[(ExportKey, i32, i32)],
) -> sqlx::Result<HashSet<(ExportKey, i32, i32)>> {
    let wanted: Vec<(ExportKey, i32, i32)> = sqlx::query_as(
        "select e.key, f.number, f.revision
           from unnest($2::uuid[], $3::integer[], $4::integer[]) as made (key, number, revision)
           join pixcrawler.export e on e.key = made.key and e.user_id = $1
           join pixcrawler.export_file f
             on f.export_id = e.id and f.number = made.number and f.revision = made.revision",
    )
    .bind(user)
    .bind(made.iter().map(|(export, ..)| *export).collect::<Vec<_>>())
    .bind(made.iter().map(|(_, number, _)| *number).collect::<Vec<_>>())
    .bind(made.iter().map(|(.., revision)| *revision).collect::<Vec<_>>())
    .fetch_all(pool)
    .await?;
    Ok(wanted.into_iter().collect())
}

/// What was read cannot be understood by this version.
fn unreadable(column: &str) -> sqlx::Error {
    let source = format!("unknown {column}").into();
    sqlx::Error::ColumnDecode { index: column.to_owned(), source }
}

fn export_of(row: &sqlx::postgres::PgRow) -> sqlx::Result<ExportRow> {
    let format: &str = row.try_get("format")?;
    Ok(ExportRow {
        id: row.try_get("id")?,
        key: row.try_get("key")?,
        user: row.try_get("user_id")?,
        dataset: row.try_get("dataset_id")?,
        format: ExportFormat::named(format).ok_or_else(|| unreadable("format"))?,
        options: row.try_get::<Json<ExportOptions>, _>("options")?.0,
        images: row.try_get("export_images")?,
        removed: row.try_get("export_removed")?,
        revision: row.try_get("export_revision")?,
        facts: row.try_get("facts")?,
        facts_revision: row.try_get("facts_revision")?,
        created_at: row.try_get("created_at")?,
    })
}

fn file_of(row: &sqlx::postgres::PgRow) -> sqlx::Result<ExportFileRow> {
    let kind: &str = row.try_get("kind")?;
    // What was measured by other rules does not count.
    let layout: i16 = row.try_get("layout")?;
    let counts = layout == LAYOUT;
    let length: Option<i64> = row.try_get("length")?;
    let sha256: Option<&[u8]> = row.try_get("sha256")?;
    let sha256 = sha256.and_then(|bytes| bytes.try_into().ok()).map(Sha256);
    Ok(ExportFileRow {
        export: row.try_get("export_id")?,
        number: row.try_get("number")?,
        name: row.try_get("name")?,
        kind: ExportFileKind::named(kind).ok_or_else(|| unreadable("kind"))?,
        first: row.try_get("first_position")?,
        end: row.try_get("end_position")?,
        images: row.try_get("images")?,
        removed: row.try_get("removed")?,
        revision: row.try_get("revision")?,
        length: length.filter(|_| counts).map(i64::cast_unsigned),
        measure: row.try_get::<Option<Value>, _>("measure")?.filter(|_| counts),
        sha256: sha256.filter(|_| counts),
        error: row.try_get("error")?,
        is_newer: layout > LAYOUT,
    })
}

/// None where there is no item.
fn item_of(row: &sqlx::postgres::PgRow) -> Option<sqlx::Result<ExportItem>> {
    let position = match row.try_get::<Option<i32>, _>("position") {
        Ok(position) => position?,
        Err(error) => return Some(Err(error)),
    };
    let read = || {
        let format: &str = row.try_get("format")?;
        let sha256: &[u8] = row.try_get("sha256")?;
        let record: &str = row.try_get("record")?;
        let record: ExportRecord = serde_json::from_str(record).map_err(|_| unreadable("record"))?;
        Ok(ExportItem {
            position,
            image: ImageId(row.try_get("image_id")?),
            sha256: sha256.try_into().map(Sha256).map_err(|_| unreadable("sha256"))?,
            format: Format::named(format).ok_or_else(|| unreadable("format"))?,
            size: row.try_get::<i64, _>("size")?.cast_unsigned(),
            crc32: row.try_get::<Option<i64>, _>("crc32")?.and_then(|crc32| u32::try_from(crc32).ok()),
            record,
        })
    };
    Some(read())
}
