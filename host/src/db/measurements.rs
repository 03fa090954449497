//! What the rows of images say of the bytes, where earlier versions did not measure it: which objects are to
//! be read, and what came of that.
//!
//! Its functions fail when the database does.

use std::collections::{BTreeMap, HashMap};

use sqlx::{Connection as _, PgConnection, PgPool};

use crate::{
    db::look_alikes,
    model::{DatasetId, Format, ImageId, PictureHash, Scores, Sha256, UserId},
};

/// Set in a session that lives as long as objects are read.
const SESSION: &str = "set statement_timeout = '10min'; set idle_in_transaction_session_timeout = 0; \
     set client_min_messages = warning";

/// Whose images are measured; none of the fields means all.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeasureScope {
    /// Of this user.
    pub user: Option<UserId>,
    /// In this dataset.
    pub dataset: Option<DatasetId>,
    /// Only those that lack their CRC-32, for who waits for an archive: nothing is decoded.
    pub only_crc32: bool,
}

/// A list of the objects whose rows lack a measurement, as of one moment.
pub struct LackingList {
    connection: PgConnection,
}

/// An object whose rows lack a measurement.
#[derive(Clone, Debug)]
pub struct LackingObject {
    /// Its place in the list.
    pub number: i64,
    /// Whose.
    pub user: UserId,
    /// Of its bytes.
    pub sha256: Sha256,
    /// Of the picture; none where the row says nothing that is known.
    pub format: Option<Format>,
    /// The rows, kept ones and duplicates, in one dataset or several.
    pub images: Vec<ImageId>,
}

/// What the bytes of an object came to.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The rows that lack it.
    pub images: Vec<ImageId>,
    /// CRC-32 of the bytes.
    pub crc32: u32,
    /// What it looks like, and how good; none where it was not decoded.
    pub looks: Option<(PictureHash, Scores)>,
}

impl LackingList {
    /// Makes the list, in a table of a session of its own, whose size is the disk's business: how many
    /// objects are in it, and of how many bytes.
    pub async fn make(pool: &PgPool, scope: MeasureScope) -> sqlx::Result<(Self, i64, i64)> {
        let mut connection = pool.acquire().await?.detach();
        sqlx::raw_sql(SESSION).execute(&mut connection).await?;
        sqlx::query(
            "create temporary table lacking_object as
             select row_number() over (order by user_id, hash) as number, *
               from (select user_id, hash, min(format) as format, max(file_size) as bytes,
                            array_agg(id order by id) as images
                       from public.images
                      where (crc32 is null or not $3 and (pdq is null or sharpness is null))
                        and is_valid and user_id is not null and hash ~ '^[0-9a-f]{64}$'
                        and ($1::uuid is null or user_id = $1) and ($2::integer is null or dataset_id = $2)
                      group by user_id, hash
                     -- A duplicate alone has no object.
                     having bool_or(not is_duplicate)) as lacking",
        )
        .bind(scope.user)
        .bind(scope.dataset)
        .bind(scope.only_crc32)
        .execute(&mut connection)
        .await?;
        sqlx::raw_sql("create index on pg_temp.lacking_object (number)").execute(&mut connection).await?;
        let (objects, bytes) =
            sqlx::query_as("select count(*), coalesce(sum(bytes), 0)::bigint from pg_temp.lacking_object")
                .fetch_one(&mut connection)
                .await?;
        Ok((Self { connection }, objects, bytes))
    }

    /// Those that come after a number, in order.
    pub async fn page(&mut self, after: i64, limit: i64) -> sqlx::Result<Vec<LackingObject>> {
        type LackingRow = (i64, UserId, String, Option<String>, Vec<ImageId>);
        let rows: Vec<LackingRow> = sqlx::query_as(
            "select number, user_id, hash, format, images from pg_temp.lacking_object
              where number > $1 order by number limit $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let objects = rows.into_iter().filter_map(|(number, user, hash, format, images)| {
            let (sha256, format) = (Sha256::parse(&hash)?, format.as_deref().and_then(Format::named));
            Some(LackingObject { number, user, sha256, format, images })
        });
        Ok(objects.collect())
    }

    /// Lets go of the list.
    pub async fn end(self) -> sqlx::Result<()> {
        self.connection.close().await
    }
}

/// Writes measurements into the rows that still lack them; what was measured meanwhile stays. What looks like
/// these pictures is found from now on; among themselves they are not compared.
pub async fn write(pool: &PgPool, measured: &[Measured]) -> sqlx::Result<()> {
    let looks: HashMap<ImageId, (PictureHash, Scores)> = measured
        .iter()
        .filter_map(|object| object.looks.map(|looks| (object, looks)))
        .flat_map(|(object, looks)| object.images.iter().map(move |image| (*image, looks)))
        .collect();
    let (ids, crcs): (Vec<ImageId>, Vec<i64>) = measured
        .iter()
        .flat_map(|object| object.images.iter().map(|image| (*image, i64::from(object.crc32))))
        .unzip();
    let mut tx = pool.begin().await?;
    let datasets: Vec<DatasetId> = sqlx::query_scalar(
        "select distinct dataset_id from public.images where id = any ($1) and dataset_id is not null order by dataset_id",
    )
    .bind(&ids)
    .fetch_all(&mut *tx)
    .await?;
    let users: Vec<UserId> = sqlx::query_scalar(
        "select distinct user_id from public.images where id = any ($1) and user_id is not null order by user_id",
    )
    .bind(&ids)
    .fetch_all(&mut *tx)
    .await?;
    for user in users {
        super::lock_datasets_of(&mut tx, user).await?;
    }
    for dataset in datasets {
        super::lock_dataset(&mut tx, dataset).await?;
    }
    sqlx::query(
        "update public.images i set crc32 = measured.crc32
           from unnest($1::integer[], $2::bigint[]) as measured (id, crc32)
          where i.id = measured.id and i.crc32 is null",
    )
    .bind(&ids)
    .bind(&crcs)
    .execute(&mut *tx)
    .await?;
    let ids: Vec<ImageId> = looks.keys().copied().collect();
    let of_score =
        |score: fn(&Scores) -> Option<i16>| ids.iter().map(|id| score(&looks[id].1)).collect::<Vec<_>>();
    sqlx::query(
        "update public.images i
            set brightness = measured.brightness, contrast = measured.contrast, sharpness = measured.sharpness,
                jpeg_quality = measured.jpeg_quality
           from unnest($1::integer[], $2::smallint[], $3::smallint[], $4::smallint[], $5::smallint[])
                as measured (id, brightness, contrast, sharpness, jpeg_quality)
          where i.id = measured.id and i.sharpness is null",
    )
    .bind(&ids)
    .bind(of_score(|scores| scores.brightness))
    .bind(of_score(|scores| scores.contrast))
    .bind(of_score(|scores| scores.sharpness))
    .bind(of_score(|scores| scores.jpeg_quality))
    .execute(&mut *tx)
    .await?;
    let of = |text: fn(&PictureHash) -> Option<String>| -> Vec<Option<String>> {
        ids.iter().map(|id| text(&looks[id].0)).collect()
    };
    let hashed: Vec<(ImageId, Option<DatasetId>)> = sqlx::query_as(
        "update public.images i
            set pdq = measured.pdq, pdq_quality = measured.quality, pdq_trimmed = measured.trimmed
           from unnest($1::integer[], $2::text[], $3::smallint[], $4::text[]) as measured (id, pdq, quality, trimmed)
          where i.id = measured.id and i.pdq is null
      returning i.id, i.dataset_id",
    )
    .bind(&ids)
    .bind(of(|hash| Some(hash.pdq.to_string())))
    .bind(ids.iter().map(|id| i16::from(looks[id].0.quality)).collect::<Vec<_>>())
    .bind(of(|hash| hash.trimmed.map(|hash| hash.to_string())))
    .fetch_all(&mut *tx)
    .await?;
    let mut of_dataset: BTreeMap<DatasetId, Vec<(ImageId, PictureHash)>> = BTreeMap::new();
    for (image, dataset) in hashed {
        if let Some(dataset) = dataset {
            of_dataset.entry(dataset).or_default().push((image, looks[&image].0));
        }
    }
    for (dataset, pictures) in of_dataset {
        look_alikes::add_measured(&mut tx, dataset, &pictures).await?;
    }
    tx.commit().await
}

/// Whether one of these is there, and kept: its object must be there, too.
pub async fn is_any_kept(pool: &PgPool, images: &[ImageId]) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from public.images where id = any ($1) and is_valid and not is_duplicate)",
    )
    .bind(images)
    .fetch_one(pool)
    .await
}
