//! What datasets hold, counted.

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json, types::Example};

use super::{
    Tag,
    bearer::{Access, READ_IMAGES},
    datasets,
    error::{NOT_FOUND, ProblemSet, SIGNED_IN},
    nullable::Nullable,
    projects,
};
use crate::{
    app::App,
    db::{
        self,
        statistics::{self, Bins, StatisticsScope},
    },
    model::{DatasetId, ProjectId, UserId},
};

pub(super) struct StatisticsApi;

/// What datasets hold, as of one moment. All but `refusals` is about what was kept.
#[derive(Object)]
#[oai(example)]
struct Statistics {
    /// Images that were kept.
    images: i64,
    /// What these take.
    bytes: i64,
    /// Images that were not kept, because another is like them.
    duplicates: i64,
    /// Images that were refused for another reason.
    refused: i64,
    /// By label; an image with several counts for each of them, so that together they may be more than `images`.
    labels: Shares,
    /// By source.
    sources: Shares,
    /// By the host of the address that an image came from.
    hosts: Shares,
    /// By licence; no name where none is known.
    licenses: Shares,
    /// By format.
    formats: Shares,
    /// By width, in pixels.
    widths: Vec<Bin>,
    /// By height, in pixels.
    heights: Vec<Bin>,
    /// By the number of pixels, in millions.
    megapixels: Vec<Bin>,
    /// By width divided by height: below 1 is upright.
    aspect_ratios: Vec<Bin>,
    /// By size, in bytes.
    sizes: Vec<Bin>,
    /// What was refused, by the code of the refusal; `bytes` is what was received of it.
    refusals: Shares,
}

/// How images are shared among names.
#[derive(Object)]
#[oai(example)]
struct Shares {
    /// At most 50 names, that of most images first.
    items: Vec<Share>,
    /// How many more names there are.
    others: i64,
    /// Images of these together, each once.
    other_images: i64,
    /// What these take.
    other_bytes: i64,
}

/// The images of a name.
#[derive(Object)]
#[oai(example, rename = "NamedShare")]
struct Share {
    /// The name; null where nothing is known.
    name: Nullable<String>,
    /// How many.
    images: i64,
    /// What they take.
    bytes: i64,
}

/// A bin of a histogram.
#[derive(Object)]
#[oai(example)]
struct Bin {
    /// The least that is in it.
    from: f64,
    /// What is no longer in it; null for the last, which has no end.
    below: Nullable<f64>,
    /// How many.
    images: i64,
    /// What they take.
    bytes: i64,
}

#[OpenApi]
impl StatisticsApi {
    /// Count what a dataset holds
    ///
    /// Sizes, formats, licences, labels, sources and refusals, as of one moment. Of very many names the first
    /// 50 are counted one by one, and the rest together.
    #[oai(
        path = "/datasets/:id/statistics",
        method = "get",
        operation_id = "getDatasetStatistics",
        tag = "Tag::Datasets"
    )]
    async fn of_dataset(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_IMAGES>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<Statistics>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let dataset = DatasetId(id);
        if !db::datasets::exists(&app.db, caller.user, dataset).await? {
            return Err(datasets::not_found().into());
        }
        let scope = StatisticsScope::Dataset(dataset);
        Ok(Json(count(app, caller.user, scope).await?))
    }

    /// Count what the datasets of a project hold
    ///
    /// As `GET /datasets/{id}/statistics`, of all of them together: a picture that two of them have counts
    /// twice.
    #[oai(
        path = "/projects/:id/statistics",
        method = "get",
        operation_id = "getProjectStatistics",
        tag = "Tag::Projects"
    )]
    async fn of_project(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_IMAGES>,
        /// Id of the project.
        #[oai(example = "projects::example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<Statistics>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let project = ProjectId(id);
        db::projects::show(&app.db, caller.user, project).await?.ok_or_else(projects::not_found)?;
        let scope = StatisticsScope::Project(project);
        Ok(Json(count(app, caller.user, scope).await?))
    }
}

async fn count(app: &App, user: UserId, scope: StatisticsScope) -> Result<Statistics, db::Error> {
    Ok(statistics::count(&app.db, user, scope, statistics::MOST_NAMES).await?.into())
}

impl From<statistics::Statistics> for Statistics {
    fn from(counted: statistics::Statistics) -> Self {
        Self {
            images: counted.kept.images,
            bytes: counted.kept.bytes,
            duplicates: counted.duplicates,
            refused: counted.refused,
            labels: counted.labels.into(),
            sources: counted.sources.into(),
            hosts: counted.hosts.into(),
            licenses: counted.licenses.into(),
            formats: counted.formats.into(),
            widths: bins(statistics::SIDES, &counted.widths),
            heights: bins(statistics::SIDES, &counted.heights),
            megapixels: bins(statistics::MEGAPIXELS, &counted.megapixels),
            aspect_ratios: bins(statistics::ASPECTS, &counted.aspects),
            sizes: bins(statistics::SIZES, &counted.sizes),
            refusals: counted.refusals.into(),
        }
    }
}

impl From<statistics::Shares> for Shares {
    fn from(shares: statistics::Shares) -> Self {
        let items = shares.first.into_iter().map(|(name, statistics::Share { images, bytes })| Share {
            name: name.into(),
            images,
            bytes,
        });
        Self {
            items: items.collect(),
            others: shares.others,
            other_images: shares.rest.images,
            other_bytes: shares.rest.bytes,
        }
    }
}

/// A histogram; each bin ends where the next begins.
fn bins(bounds: Bins, shares: &[statistics::Share]) -> Vec<Bin> {
    let bin = |((from, below), share): ((f64, Option<f64>), &statistics::Share)| Bin {
        from,
        below: below.into(),
        images: share.images,
        bytes: share.bytes,
    };
    statistics::ranges(bounds).zip(shares).map(bin).collect()
}

impl Example for Statistics {
    fn example() -> Self {
        let shares = |name: &str| Shares {
            items: vec![Share { name: Some(name.to_owned()).into(), images: 50, bytes: 52_428_800 }],
            others: 0,
            other_images: 0,
            other_bytes: 0,
        };
        let bins =
            |from, below: f64| vec![Bin { from, below: Some(below).into(), images: 50, bytes: 52_428_800 }];
        Self {
            images: 50,
            bytes: 52_428_800,
            duplicates: 7,
            refused: 4,
            labels: shares("red panda"),
            sources: shares("openverse"),
            hosts: shares("images.example.org"),
            licenses: shares("cc-by-4.0"),
            formats: shares("jpeg"),
            widths: bins(1024.0, 1536.0),
            heights: bins(768.0, 1024.0),
            megapixels: bins(0.5, 1.0),
            aspect_ratios: bins(1.25, 1.55),
            sizes: bins(1_048_576.0, 4_194_304.0),
            refusals: Shares {
                items: vec![Share { name: Some("truncated".to_owned()).into(), images: 4, bytes: 81_920 }],
                others: 0,
                other_images: 0,
                other_bytes: 0,
            },
        }
    }
}

impl Example for Shares {
    fn example() -> Self {
        Self { items: vec![Share::example()], others: 12, other_images: 30, other_bytes: 31_457_280 }
    }
}

impl Example for Share {
    fn example() -> Self {
        Self { name: Some("cc-by-4.0".to_owned()).into(), images: 50, bytes: 52_428_800 }
    }
}

impl Example for Bin {
    fn example() -> Self {
        Self { from: 1024.0, below: Some(1536.0).into(), images: 50, bytes: 52_428_800 }
    }
}
