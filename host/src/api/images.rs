//! What a crawl brought: rows with provenance and verdict, and the bytes.

use std::time::Duration;

use chrono::Utc;
use poem::{Request, web::Data};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};
use uuid::Uuid;

use super::{
    PREFIX, Tag,
    bearer::{Access, AccessOrLink, EXPORT_DATASETS, Link, READ_FILES, READ_IMAGES},
    cut,
    error::{NOT_FOUND, PARAMETER, Problem, ProblemSet, RANGE, SIGNED_IN},
    jobs,
};
use crate::{
    app::App,
    dataset::Listing,
    db,
    model::{Format, ImageId, JobId, Sha256},
};

mod file;
mod manifest;
mod reason;
mod shape;

use file::{File, Wanted};
pub(super) use manifest::Manifest;
pub(super) use reason::Reason;
use shape::Image;
pub(super) use shape::{ImagePage, ImageVerdict};

pub(super) struct ImagesApi;

#[OpenApi(tag = "Tag::Images")]
impl ImagesApi {
    /// List the images of a crawl job
    ///
    /// In the order in which they came; a client that sees the job's `revision` move asks for
    /// those after its last. Every download is in the list: kept, refused with the reason, or a
    /// duplicate of another.
    #[oai(path = "/crawl-jobs/:id/images", method = "get", operation_id = "listImages")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    pub(super) async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_IMAGES>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        Path(id): Path<i32>,
        /// Most images in the answer.
        #[oai(default = "hundred", validator(minimum(value = "1"), maximum(value = "500")))]
        Query(limit): Query<u16>,
        /// `next` of the page before, or the id of the last image seen.
        Query(after): Query<Option<i32>>,
        /// Only images with this verdict.
        Query(verdict): Query<Option<ImageVerdict>>,
        /// Only images refused for this code, such as `truncated`. What each means and what to do is at
        /// `/refusals`.
        Query(reason): Query<Option<Reason>>,
        /// Only images from exactly this address: why was this one refused?
        Query(url): Query<Option<String>>,
    ) -> Result<Json<ImagePage>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        // Postgres cannot even compare with the first of them.
        if url.as_ref().is_some_and(|url| url.contains(char::is_control)) {
            return Err(Problem::parameter("url", "must not contain control characters").into());
        }
        let job = JobId(id);
        db::jobs::revision(&app.db, caller.user, job).await?.ok_or_else(jobs::not_found)?;
        let filter = db::images::ImageFilter {
            verdict: verdict.map(Into::into),
            reason: reason.map(|Reason(refusal)| refusal),
            url,
        };
        let mut rows =
            db::images::list(&app.db, caller.user, job, &filter, after.map(ImageId), i64::from(limit) + 1)
                .await?;
        let next = cut(&mut rows, limit, |image| image.id.0);
        let items = rows.into_iter().map(|row| Image::new(row, app, caller.holder(), Utc::now())).collect();
        Ok(Json(ImagePage { items, next }))
    }

    /// List all that a crawl job has kept, with links
    ///
    /// The whole dataset in one answer, for programs that download it: a line of JSON for each image
    /// kept so far, with what `metadata.jsonl` of a dataset folder says of it (`file_name` is its path
    /// there), a signed link to its bytes that is good for a day (`download_url`), and its end
    /// (`expires_at`). It comes as it is read, of a hundred thousand images, too; an answer that breaks
    /// off was not whole. A job that runs may have more later. Use `manifest_url` of the job where no
    /// token can be sent.
    #[oai(path = "/crawl-jobs/:id/manifest", method = "get", operation_id = "getCrawlJobManifest")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    pub(super) async fn manifest(
        &self,
        Data(app): Data<&App>,
        request: &Request,
        access: AccessOrLink<EXPORT_DATASETS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        Path(id): Path<i32>,
        /// Of a signed link.
        Query(user): Query<Option<Uuid>>,
        /// Of a signed link that was made for an API key.
        Query(key): Query<Option<Uuid>>,
        /// Of a signed link.
        Query(expires): Query<Option<i64>>,
        /// Of a signed link.
        Query(signature): Query<Option<String>>,
    ) -> Result<Manifest, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let path = format!("{PREFIX}/crawl-jobs/{id}/manifest");
        let reader = access.reader(app, &path, &Link { user, key, expires, signature }).await?;
        let user = reader.holder.user;
        let job = JobId(id);
        db::jobs::revision(&app.db, user, job).await?.ok_or_else(jobs::not_found)?;
        let listing = Listing::of(&app.db, user, job).await?;
        Ok(Manifest::new(app, reader.holder, listing, manifest::origin(request), Utc::now()))
    }

    /// Get the bytes of an image
    ///
    /// The original, byte for byte, with the type that its bytes have. Use `url` of the image
    /// where no token can be sent. Ranges and `If-None-Match` are understood; the `ETag` is the
    /// SHA-256 of the bytes. Where the operator set `PIXCRAWLER_S3_REDIRECT`, the answer is a redirect to
    /// the bucket, which understands ranges by itself.
    #[oai(path = "/images/:id/file", method = "get", operation_id = "getImageFile")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn file(
        &self,
        Data(app): Data<&App>,
        access: AccessOrLink<READ_FILES>,
        /// Id of the image.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
        /// Of a signed link.
        Query(user): Query<Option<Uuid>>,
        /// Of a signed link that was made for an API key.
        Query(key): Query<Option<Uuid>>,
        /// Of a signed link.
        Query(expires): Query<Option<i64>>,
        /// Of a signed link.
        Query(signature): Query<Option<String>>,
        /// ETags that the client has.
        #[oai(name = "If-None-Match")]
        Header(if_none_match): Header<Option<String>>,
        /// Only with this ETag does `Range` count.
        #[oai(name = "If-Range")]
        Header(if_range): Header<Option<String>>,
        /// One range of bytes; several are answered with the whole.
        #[oai(name = "Range")]
        Header(range): Header<Option<String>>,
    ) -> Result<File, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND | RANGE }>> {
        let path = file_path(ImageId(id));
        let reader = access.reader(app, &path, &Link { user, key, expires, signature }).await?;
        let user = reader.holder.user;
        let missing = || Problem::not_found("image file");
        let image = db::images::show(&app.db, user, ImageId(id)).await?.ok_or_else(missing)?;
        let (sha256, format) = object(&image).ok_or_else(missing)?;
        // No longer than the link that led here.
        let left = expires.map_or(i64::MAX, |end| end.saturating_sub(Utc::now().timestamp()).max(1));
        let redirect = app.config.objects.s3_redirect.then(|| Duration::from_secs(left.unsigned_abs()));
        let wanted = Wanted { if_none_match, if_range, range, redirect };
        let file = File::get(&app.store, user, sha256, format, &wanted).await?;
        let traffic = app.user_traffic.clone();
        Ok(file.counted(move |bytes| traffic.sent(user, bytes)))
    }
}

/// The path of an image's bytes, which links are signed for.
fn file_path(image: ImageId) -> String {
    format!("{PREFIX}/images/{image}/file")
}

/// The object of a row that has one.
fn object(image: &db::images::ImageRow) -> Option<(Sha256, Format)> {
    image.storage_url.as_ref()?;
    Sha256::parse(image.hash.as_ref()?).zip(Format::named(image.format.as_ref()?))
}

/// Id of the image in all examples.
const fn example_id() -> i32 {
    1
}

const fn hundred() -> u16 {
    100
}
