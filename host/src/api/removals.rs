//! Taking pictures out of datasets, and keeping them out.

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json, types::Example};

use super::{
    Tag,
    bearer::{Access, DELETE},
    body::JsonBody,
    datasets,
    error::{BODY, NOT_FOUND, Problem, ProblemCode, ProblemSet, SIGNED_IN},
    images,
};
use crate::{
    app::App,
    model::DatasetId,
    services::removals::{RemovalError, RemovalRequest, Removed},
};

pub(super) struct RemovalsApi;

/// What is to be taken out: exactly one of `url`, `host`, `creator`, `sha256` and `pdq`.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
pub(super) struct RemoveImages {
    /// Pictures from this address, and those that the page at it shows.
    #[oai(validator(min_length = 1, max_length = 8192))]
    url: Option<String>,
    /// Pictures from this host or one below it, and those that its pages show: `example.org` also means
    /// `img.example.org`.
    #[oai(validator(min_length = 1, max_length = 8192))]
    host: Option<String>,
    /// Pictures by this creator, as their sources say; in any case.
    #[oai(validator(min_length = 1, max_length = 1000))]
    creator: Option<String>,
    /// The file with this SHA-256, 64 hexadecimal digits.
    #[oai(validator(min_length = 64, max_length = 64))]
    sha256: Option<String>,
    /// What looks like the picture with this perceptual hash (PDQ), 64 hexadecimal digits: what differs from it in
    /// 31 bits at most.
    #[oai(validator(min_length = 64, max_length = 64))]
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

#[OpenApi(tag = "Tag::Images")]
impl RemovalsApi {
    /// Take images out of a dataset
    ///
    /// By address, host, creator or hash; each with its duplicates, as `DELETE /images/{id}` does. What has that
    /// address, host or creator, or looks like what was taken out, also mirrored or turned, does not come into the
    /// dataset again; where the source tells, it is not even downloaded. Of what was never measured, see `unmeasured`,
    /// only the same bytes are kept out. Jobs that are under way look for others in their place. Ten thousand images go at a time: while `more` is true, the
    /// same request goes on.
    #[oai(path = "/datasets/:id/removals", method = "post", operation_id = "removeFromDataset")]
    async fn of_dataset(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
        body: JsonBody<RemoveImages>,
    ) -> Result<Json<Removal>, ProblemSet<{ SIGNED_IN | BODY | NOT_FOUND }>> {
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
    ) -> Result<Json<Removal>, ProblemSet<{ SIGNED_IN | BODY }>> {
        app.is_signed_in(&caller).await?;
        let request = RemovalRequest::from(body.value);
        Ok(Json(app.remove(caller.user, None, &request).await?.into()))
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
