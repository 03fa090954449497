//! Taking pictures out of datasets, keeping them out, and an end of that.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::Example,
};

use super::{
    Tag,
    bearer::{Access, DELETE, READ_DATASETS},
    body::JsonBody,
    cut, datasets,
    error::{BODY, CONFLICT, NOT_FOUND, PARAMETER, Problem, ProblemCode, ProblemSet, SIGNED_IN},
    images,
    nullable::Nullable,
};
use crate::{
    app::App,
    db::{
        self,
        removals::{self, RemovalId, RemovalRow},
    },
    model::DatasetId,
    services::removals::{RemovalError, RemovalRequest, Removed},
};

pub(super) struct RemovalsApi;

/// What is to be taken out: exactly one of `url`, `host`, `creator`, `sha256` and `pdq`.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
pub(super) struct RemoveImages {
    /// Pictures from this address, and those that the page at it shows.
    #[oai(validator(max_length = 8192, pattern = "^[Hh][Tt][Tt][Pp][Ss]?://"))]
    url: Option<String>,
    /// Pictures from this host or one below it, and those that its pages show: `example.org` also means
    /// `img.example.org`.
    #[oai(validator(min_length = 1, max_length = 8192))]
    host: Option<String>,
    /// Pictures by this creator, as their sources say; in any case.
    #[oai(validator(min_length = 1, max_length = 1000))]
    creator: Option<String>,
    /// The file with this SHA-256, 64 hexadecimal digits.
    #[oai(validator(pattern = "^[0-9A-Fa-f]{64}$"))]
    sha256: Option<String>,
    /// What looks like the picture with this perceptual hash (PDQ), 64 hexadecimal digits: what differs from it in
    /// 31 bits at most.
    #[oai(validator(pattern = "^[0-9A-Fa-f]{64}$"))]
    pdq: Option<String>,
    /// Why, for people: it stands in the rows of the pictures.
    #[oai(validator(min_length = 1, max_length = 500))]
    reason: Option<String>,
    /// Only say what would be taken out; false by default.
    dry_run: Option<bool>,
}

/// What was taken out.
#[derive(Object)]
#[oai(example)]
pub(super) struct Removal {
    /// Images that were kept.
    images: u64,
    /// Duplicates of them.
    duplicates: u64,
    /// Those of all of these that were never measured: what has the same bytes is kept out, and what only looks like
    /// them is not. Have the operator measure the dataset before, with `pixcrawler dataset measure`.
    unmeasured: u64,
    /// Datasets that had one.
    datasets: u64,
    /// There are more: the same request goes on.
    more: bool,
}

/// What was asked to be taken out, and is kept out until that is lifted.
#[derive(Object)]
#[oai(example)]
struct StandingRemoval {
    /// Id of the removal.
    id: i64,
    /// Out of which dataset; null where it is all of the user's.
    dataset_id: Nullable<i32>,
    /// By what: `image`, `url`, `host`, `creator`, `sha256` or `pdq`.
    kind: String,
    /// And by which; of an image its id.
    value: String,
    /// Why, as the first who said it.
    reason: Nullable<String>,
    /// When it was asked for first.
    created_at: DateTime<Utc>,
}

/// A page of removals.
#[derive(Object)]
#[oai(example)]
struct RemovalPage {
    /// Newest first.
    items: Vec<StandingRemoval>,
    /// `after` of the next page; null on the last.
    next: Nullable<i64>,
}

#[derive(ApiResponse)]
enum Lifted {
    /// What it kept out may come in.
    #[oai(status = 204)]
    Lifted,
}

#[OpenApi(tag = "Tag::Images")]
impl RemovalsApi {
    /// Take images out of a dataset
    ///
    /// By address, host, creator or hash; each with its duplicates, as `DELETE /images/{id}` does. What has that
    /// address, host or creator, or looks like what was taken out, also mirrored or turned, does not come into the
    /// dataset again; where the source tells, it is not even downloaded. Of what was never measured, see `unmeasured`,
    /// only the same bytes are kept out. Jobs that are under way look for others in their place. Ten thousand images
    /// go at a time: while `more` is true, the same request goes on. With 409 it ends where somebody lifts it, see
    /// `DELETE /removals/{id}`.
    #[oai(path = "/datasets/:id/removals", method = "post", operation_id = "removeFromDataset")]
    async fn of_dataset(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
        body: JsonBody<RemoveImages>,
    ) -> Result<Json<Removal>, ProblemSet<{ SIGNED_IN | BODY | NOT_FOUND | CONFLICT }>> {
        app.is_signed_in(&caller).await?;
        let request = RemovalRequest::from(body.value);
        Ok(Json(app.remove(caller.user, Some(DatasetId(id)), &request).await?.into()))
    }

    /// Take images out of all datasets
    ///
    /// As `POST /datasets/{id}/removals` does, of all of the caller's, those included that are made later.
    #[oai(path = "/removals", method = "post", operation_id = "removeImages")]
    async fn of_all(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        body: JsonBody<RemoveImages>,
    ) -> Result<Json<Removal>, ProblemSet<{ SIGNED_IN | BODY | CONFLICT }>> {
        app.is_signed_in(&caller).await?;
        let request = RemovalRequest::from(body.value);
        Ok(Json(app.remove(caller.user, None, &request).await?.into()))
    }

    /// List what is kept out
    ///
    /// Newest first: what was asked to be taken out of the caller's datasets, each until it is lifted. A picture that
    /// did not come in for it names the removal in `metadata.detail`. What the operator took out of everybody's
    /// datasets is not among them.
    #[oai(path = "/removals", method = "get", operation_id = "listRemovals")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_DATASETS>,
        /// Most removals in the answer.
        #[oai(default = "fifty", validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<u8>,
        /// `next` of the page before.
        Query(after): Query<Option<i64>>,
        /// Only those of this dataset alone. Those of all of the user's keep out of it, too: they are listed
        /// without this.
        Query(dataset_id): Query<Option<i32>>,
    ) -> Result<Json<RemovalPage>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let (dataset, after) = (dataset_id.map(DatasetId), after.map(RemovalId));
        if let Some(dataset) = dataset
            && !db::datasets::exists(&app.db, caller.user, dataset).await?
        {
            return Err(datasets::not_found().into());
        }
        let mut rows = removals::list(&app.db, caller.user, dataset, after, i64::from(limit) + 1).await?;
        let next = cut(&mut rows, limit, |row| row.id.0);
        Ok(Json(RemovalPage { items: rows.into_iter().map(StandingRemoval::from).collect(), next }))
    }

    /// Lift a removal
    ///
    /// What it kept out may come in again, in crawls from now on, unless another removal keeps it out. Rows that it
    /// took out or refused stay refusals, also when their job is retried or updated, and bytes that were deleted stay
    /// deleted.
    #[oai(path = "/removals/:id", method = "delete", operation_id = "liftRemoval")]
    async fn lift(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the removal.
        #[oai(example = "example_id")]
        Path(id): Path<i64>,
    ) -> Result<Lifted, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        app.is_signed_in(&caller).await?;
        if removals::lift(&app.db, Some(caller.user), RemovalId(id)).await? {
            Ok(Lifted::Lifted)
        } else {
            Err(Problem::not_found("removal").into())
        }
    }
}

/// Id in the examples.
const fn example_id() -> i64 {
    1
}

const fn fifty() -> u8 {
    50
}

impl From<RemovalRow> for StandingRemoval {
    fn from(row: RemovalRow) -> Self {
        Self {
            id: row.id.0,
            dataset_id: row.dataset_id.map(|dataset| dataset.0).into(),
            kind: row.kind,
            value: row.value,
            reason: row.reason.into(),
            created_at: row.created_at,
        }
    }
}

impl From<Removed> for Removal {
    fn from(Removed { images, duplicates, unmeasured, datasets, more, .. }: Removed) -> Self {
        Self { images, duplicates, unmeasured, datasets, more }
    }
}

impl From<RemovalError> for Problem {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::NoDataset => datasets::not_found(),
            RemovalError::NoImage => images::not_found(),
            RemovalError::NotKept => {
                let detail =
                    "Only an image that was kept, or is a duplicate, can be taken out; this one was refused.";
                Self::new(ProblemCode::WrongStatus, detail)
            }
            RemovalError::Lifted => {
                let detail =
                    "The removal was lifted meanwhile: what was taken out is gone, and the rest stays.";
                Self::new(ProblemCode::WrongStatus, detail)
            }
            RemovalError::Rules(broken) => Self::rules(broken),
            RemovalError::Database(error) => error.into(),
            RemovalError::Queue(error) => Self::internal(error),
        }
    }
}

impl Example for RemoveImages {
    fn example() -> Self {
        Self {
            url: None,
            host: Some("pictures.example.org".to_owned()),
            creator: None,
            sha256: None,
            pdq: None,
            reason: Some("The site asked for it.".to_owned()),
            dry_run: None,
        }
    }
}

impl Example for Removal {
    fn example() -> Self {
        Self { images: 12, duplicates: 3, unmeasured: 0, datasets: 1, more: false }
    }
}

impl Example for StandingRemoval {
    fn example() -> Self {
        Self {
            id: example_id(),
            dataset_id: None.into(),
            kind: "host".to_owned(),
            value: "pictures.example.org".to_owned(),
            reason: Some("The site asked for it.".to_owned()).into(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for RemovalPage {
    fn example() -> Self {
        Self { items: vec![StandingRemoval::example()], next: None.into() }
    }
}
