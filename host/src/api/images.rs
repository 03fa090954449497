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
    bearer::{Access, AccessOrLink, DELETE, EXPORT_DATASETS, Link, READ_FILES, READ_IMAGES, WRITE},
    body::JsonBody,
    cut, datasets,
    error::{BODY, CONFLICT, NOT_FOUND, PARAMETER, Problem, ProblemCode, ProblemSet, RANGE, SIGNED_IN},
    jobs,
    ranges::Conditions,
    removals::Removal,
};
use crate::{
    app::{App, DerivationError, ThumbnailError, Thumbnails},
    auth::Caller,
    dataset::Listing,
    db::{
        self,
        images::{ImageFilter, ImageScope},
    },
    model::{DatasetId, Format, ImageId, JobId, Sha256},
    services::images::{ImageError, ImageRequest},
};

mod file;
mod manifest;
mod reason;
mod shape;
mod thumbnail;

use file::{File, Wanted};
pub(super) use manifest::{Manifest, ManifestArray, origin};
pub(super) use reason::Reason;
use shape::{Image, UpdateImage};
pub(super) use shape::{ImagePage, ImageVerdict};
use thumbnail::Thumbnail;

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
        /// Only images with this among their labels.
        Query(label): Query<Option<String>>,
        /// Only images from this source, by its id.
        Query(source): Query<Option<String>>,
        /// Only images under this licence, such as `cc-by-4.0`; empty for those of which none is known.
        Query(license): Query<Option<String>>,
    ) -> Result<Json<ImagePage>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let job = JobId(id);
        let filter = Filter { verdict, reason, url, label, source, license }.checked()?;
        db::jobs::revision(&app.db, caller.user, job).await?.ok_or_else(jobs::not_found)?;
        Ok(Json(page(app, &caller, ImageScope::Job(job), &filter, after, limit).await?))
    }

    /// List the images of a dataset
    ///
    /// As `GET /crawl-jobs/{id}/images`, of all jobs of the dataset: in the order in which they came, kept,
    /// refused and duplicate alike.
    #[oai(path = "/datasets/:id/images", method = "get", operation_id = "listDatasetImages")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list_of_dataset(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_IMAGES>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
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
        /// Only images from exactly this address.
        Query(url): Query<Option<String>>,
        /// Only images with this among their labels.
        Query(label): Query<Option<String>>,
        /// Only images from this source, by its id.
        Query(source): Query<Option<String>>,
        /// Only images under this licence, such as `cc-by-4.0`; empty for those of which none is known.
        Query(license): Query<Option<String>>,
    ) -> Result<Json<ImagePage>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let dataset = DatasetId(id);
        let filter = Filter { verdict, reason, url, label, source, license }.checked()?;
        if !db::datasets::exists(&app.db, caller.user, dataset).await? {
            return Err(datasets::not_found().into());
        }
        Ok(Json(page(app, &caller, ImageScope::Dataset(dataset), &filter, after, limit).await?))
    }

    /// Change the labels of an image
    ///
    /// Of one that was kept. Crawls then add none to it, also where they find the picture again under
    /// another label. Exports that were made before have it as it was.
    #[oai(path = "/images/:id", method = "patch", operation_id = "updateImage")]
    async fn update(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        /// Id of the image.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
        body: JsonBody<UpdateImage>,
    ) -> Result<Json<Image>, ProblemSet<{ SIGNED_IN | BODY | NOT_FOUND | CONFLICT }>> {
        let image = ImageId(id);
        app.update_image(caller.user, image, &ImageRequest::from(body.value)).await?;
        let row = db::images::show(&app.db, caller.user, image).await?.ok_or_else(not_found)?;
        Ok(Json(Image::new(row, app, caller.holder(), Utc::now())))
    }

    /// Take an image out of its dataset
    ///
    /// With its duplicates. Their rows stay, as refusals with the code `removed`; the bytes are deleted, unless
    /// another image of yours has them, and exports that were made before show the gap. What has these bytes or
    /// looks like them does not come into the dataset again, until that is lifted with `DELETE /removals/{id}`; the
    /// rest cannot be undone. An image that was taken out before is answered with none, and kept out again if that
    /// was lifted.
    #[oai(path = "/images/:id", method = "delete", operation_id = "deleteImage")]
    async fn delete(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the image.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<Removal>, ProblemSet<{ SIGNED_IN | NOT_FOUND | CONFLICT }>> {
        app.is_signed_in(&caller).await?;
        Ok(Json(app.remove_image(caller.user, ImageId(id), None).await?.into()))
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
        let listing = Listing::of(&app.db, user, ImageScope::Job(job)).await?;
        Ok(Manifest::new(app, reader.holder, listing, origin(request), Utc::now()))
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
        let conditions = Conditions { if_none_match, if_range, range };
        let wanted = Wanted { conditions, redirect };
        let file = File::get(&app.store, user, sha256, format, &wanted).await?;
        let traffic = app.user_traffic.clone();
        Ok(file.counted(move |bytes| traffic.sent(user, bytes)))
    }

    /// Get a small copy of an image
    ///
    /// Upright, in sRGB, without metadata and never larger than the original: JPEG, or PNG where something of
    /// the picture is transparent. Of an animation it is the first frame. Use `thumbnail_url` of the image
    /// where no token can be sent; `&size=` may be put behind it. It is made when it is asked for, and
    /// never changes: the `ETag` is of the original and the size.
    #[oai(path = "/images/:id/thumbnail", method = "get", operation_id = "getImageThumbnail")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn thumbnail(
        &self,
        Data(app): Data<&App>,
        access: AccessOrLink<READ_FILES>,
        /// Id of the image.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
        /// Side of the square into which it goes, in pixels; the next of 64, 128, 256, 512 and 1024 counts.
        #[oai(default = "usual_size", validator(minimum(value = "16"), maximum(value = "1024")))]
        Query(size): Query<u16>,
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
    ) -> Result<Thumbnail, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let path = thumbnail_path(ImageId(id));
        let reader = access.reader(app, &path, &Link { user, key, expires, signature }).await?;
        let user = reader.holder.user;
        let missing = || Problem::not_found("image file");
        let image = db::images::show(&app.db, user, ImageId(id)).await?.ok_or_else(missing)?;
        let (sha256, format) = object(&image).ok_or_else(missing)?;
        let side = Thumbnails::side(u32::from(size));
        let tag = Thumbnail::tag(&sha256, side);
        if let Some(known) = Thumbnail::known(&tag, if_none_match.as_deref()) {
            return Ok(known);
        }
        match app.thumbnails.get(&app.store, user, (sha256, format), side).await {
            Ok(made) => {
                app.user_traffic.sent(user, made.bytes.len());
                Ok(Thumbnail::new(&tag, &made))
            }
            Err(error) => match &*error {
                ThumbnailError::Missing => Err(missing().into()),
                ThumbnailError::Derivation(DerivationError::Derive(_)) => {
                    Err(Problem::not_found("small copy: it cannot be made").into())
                }
                ThumbnailError::Store(_) | ThumbnailError::Derivation(DerivationError::Stopped) => {
                    Err(Problem::internal(error).into())
                }
            },
        }
    }
}

/// Which images of a list are wanted, as it is asked.
struct Filter {
    verdict: Option<ImageVerdict>,
    reason: Option<Reason>,
    url: Option<String>,
    label: Option<String>,
    source: Option<String>,
    license: Option<String>,
}

impl Filter {
    /// Refuses texts that Postgres could not even compare with.
    fn checked(self) -> Result<ImageFilter, Problem> {
        let Self { verdict, reason, url, label, source, license } = self;
        let texts = [("url", &url), ("label", &label), ("source", &source), ("license", &license)];
        let broken = texts
            .into_iter()
            .find(|(_, text)| text.as_ref().is_some_and(|text| text.contains(char::is_control)));
        if let Some((name, _)) = broken {
            return Err(Problem::parameter(name, "must not contain control characters"));
        }
        let verdict = verdict.map(Into::into);
        Ok(ImageFilter {
            verdict,
            reason: reason.map(|Reason(refusal)| refusal),
            url,
            label,
            source,
            license,
        })
    }
}

/// A page of the images of a job or dataset that there is.
async fn page(
    app: &App,
    caller: &Caller,
    scope: ImageScope,
    filter: &ImageFilter,
    after: Option<i32>,
    limit: u16,
) -> Result<ImagePage, Problem> {
    let after = after.map(ImageId);
    let mut rows = db::images::list(&app.db, caller.user, scope, filter, after, i64::from(limit) + 1).await?;
    let next = cut(&mut rows, limit, |image| image.id.0);
    let items = rows.into_iter().map(|row| Image::new(row, app, caller.holder(), Utc::now())).collect();
    Ok(ImagePage { items, next })
}

pub(super) fn not_found() -> Problem {
    Problem::not_found("image")
}

impl From<ImageError> for Problem {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::NotFound => not_found(),
            ImageError::NotKept => {
                let detail = "Only an image that was kept has labels that can be changed; this one is a duplicate or was refused.";
                Self::new(ProblemCode::WrongStatus, detail)
            }
            ImageError::Rules(broken) => Self::rules(broken),
            ImageError::Database(error) => error.into(),
        }
    }
}

/// The path of an image's bytes, which links are signed for.
fn file_path(image: ImageId) -> String {
    format!("{PREFIX}/images/{image}/file")
}

/// The path of a small copy of an image, which links are signed for.
fn thumbnail_path(image: ImageId) -> String {
    format!("{PREFIX}/images/{image}/thumbnail")
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

/// As galleries show them on screens of any kind.
const fn usual_size() -> u16 {
    256
}

const fn hundred() -> u16 {
    100
}
