//! `dataset show`: what a dataset is, and what is in it.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Args;
use indicatif::HumanBytes;
use serde::Serialize;

use super::dataset_id;
use crate::{
    cli::{database::with_database, say, table::table, user::WhoseArgs},
    config::Config,
    db::{
        self,
        datasets::DatasetDetail,
        statistics::{self, Bins, Shares, Statistics, StatisticsScope},
    },
    model::{DatasetId, JobId, ProjectId, UserId},
};

/// Names of a facet that people are shown.
const SHOWN: usize = 8;

/// Show a dataset: what was asked for, what is in it by label, source, licence and size, and what was refused
///
/// A picture with several labels counts for each of them, and once wherever pictures are counted together.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset show 3\n  \
    pixcrawler dataset show 3 --json | jq '.labels.items[] | [.name, .images]'")]
pub(super) struct Show {
    /// Id of the dataset, see `pixcrawler dataset list`
    #[arg(value_name = "ID", value_parser = dataset_id)]
    id: i32,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A dataset as `--json` prints it; what the API says, too, has the same name there.
#[derive(Serialize)]
struct ShownDataset {
    id: DatasetId,
    user: UserId,
    project: Option<ProjectId>,
    name: String,
    description: Option<String>,
    keywords: Vec<String>,
    status: String,
    wanted: i32,
    jobs: i64,
    latest_job: Option<JobId>,
    created_at: DateTime<Utc>,
    images: i64,
    bytes: i64,
    duplicates: i64,
    refused: i64,
    labels: ShownShares,
    sources: ShownShares,
    hosts: ShownShares,
    licenses: ShownShares,
    formats: ShownShares,
    widths: Vec<ShownBin>,
    heights: Vec<ShownBin>,
    megapixels: Vec<ShownBin>,
    aspect_ratios: Vec<ShownBin>,
    sizes: Vec<ShownBin>,
    refusals: ShownShares,
}

#[derive(Serialize)]
struct ShownShares {
    items: Vec<ShownShare>,
    /// More names.
    others: i64,
    other_images: i64,
    other_bytes: i64,
}

#[derive(Serialize)]
struct ShownShare {
    name: Option<String>,
    images: i64,
    bytes: i64,
}

#[derive(Serialize)]
struct ShownBin {
    from: f64,
    below: Option<f64>,
    images: i64,
    bytes: i64,
}

impl Show {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(config)?;
        let id = DatasetId(self.id);
        let shown = with_database(config, async |db| {
            let db = db.ok_or_else(|| whose.has_no_dataset(id))?;
            let user = whose.owner_of_dataset(db, id).await?;
            let gone = "the dataset was deleted";
            let detail = db::datasets::detail(db, user, id).await?.context(gone)?;
            let most_names = if self.json { statistics::MOST_NAMES } else { SHOWN };
            let held = statistics::count(db, user, StatisticsScope::Dataset(id), most_names).await?;
            Ok(ShownDataset::new(detail, held))
        });
        let shown = shown.await?;
        say(&if self.json { serde_json::to_string(&shown)? } else { shown.text() });
        Ok(ExitCode::SUCCESS)
    }
}

impl ShownDataset {
    fn new(detail: DatasetDetail, held: Statistics) -> Self {
        let DatasetDetail { dataset: row, job_count, latest_job, .. } = detail;
        Self {
            id: row.id,
            user: row.user_id,
            project: row.project_id,
            name: row.name,
            description: row.description,
            keywords: row.keywords.0.0,
            status: row.status,
            wanted: row.max_images,
            jobs: job_count,
            latest_job,
            created_at: row.created_at.into(),
            images: held.kept.images,
            bytes: held.kept.bytes,
            duplicates: held.duplicates,
            refused: held.refused,
            labels: held.labels.into(),
            sources: held.sources.into(),
            hosts: held.hosts.into(),
            licenses: held.licenses.into(),
            formats: held.formats.into(),
            widths: bins(statistics::SIDES, &held.widths),
            heights: bins(statistics::SIDES, &held.heights),
            megapixels: bins(statistics::MEGAPIXELS, &held.megapixels),
            aspect_ratios: bins(statistics::ASPECTS, &held.aspects),
            sizes: bins(statistics::SIZES, &held.sizes),
            refusals: held.refusals.into(),
        }
    }

    fn text(&self) -> String {
        let held = format!(
            "{} ({}), {} duplicates, {} refused",
            self.images,
            HumanBytes(self.bytes.unsigned_abs()),
            self.duplicates,
            self.refused
        );
        let optional = |id: Option<String>| id.unwrap_or_default();
        let facts = [
            ("status", self.status.clone()),
            ("images", held),
            ("keywords", self.keywords.join(", ")),
            ("jobs", self.jobs.to_string()),
            ("latest job", optional(self.latest_job.map(|job| job.to_string()))),
            ("project", optional(self.project.map(|project| project.to_string()))),
            ("user", self.user.to_string()),
            ("created", self.created_at.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
        ];
        let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
        let facts: Vec<_> = facts.map(|(name, value)| vec![format!("  {name}"), value]).collect();
        let mut text = format!("Dataset {}: {}\n{}", self.id, self.name, table(&facts));
        for (name, shares) in [
            ("LABEL", &self.labels),
            ("SOURCE", &self.sources),
            ("LICENCE", &self.licenses),
            ("FORMAT", &self.formats),
            ("REFUSED AS", &self.refusals),
        ] {
            if !shares.items.is_empty() {
                text += &format!("\n\n{}", table(&shares.rows(name)));
            }
            if name == "LABEL" && shares.sum() > self.images {
                text += "\nA picture with several labels counts for each of them.";
            }
        }
        let megapixels: Vec<_> =
            self.megapixels.iter().filter(|bin| bin.images > 0).map(ShownBin::cells).collect();
        if !megapixels.is_empty() {
            let head = vec!["MEGAPIXELS".to_owned(), "IMAGES".to_owned()];
            let rows: Vec<_> = std::iter::once(head).chain(megapixels).collect();
            text += &format!("\n\n{}", table(&rows));
        }
        text
    }
}

impl ShownShares {
    /// What is said of all names, added up.
    fn sum(&self) -> i64 {
        self.items.iter().map(|share| share.images).sum::<i64>() + self.other_images
    }

    fn rows(&self, head: &str) -> Vec<Vec<String>> {
        let mut rows = vec![vec![head.to_owned(), "IMAGES".to_owned()]];
        let unknown = || "(unknown)".to_owned();
        rows.extend(
            self.items
                .iter()
                .take(SHOWN)
                .map(|share| vec![share.name.clone().unwrap_or_else(unknown), share.images.to_string()]),
        );
        let hidden = self.items.get(SHOWN..).unwrap_or_default();
        let others = self.others + i64::try_from(hidden.len()).unwrap_or_default();
        if others > 0 {
            let images = self.other_images + hidden.iter().map(|share| share.images).sum::<i64>();
            rows.push(vec![format!("({others} more)"), images.to_string()]);
        }
        rows
    }
}

impl ShownBin {
    fn cells(&self) -> Vec<String> {
        let range = match self.below {
            Some(below) => format!("{} to {below}", self.from),
            None => format!("from {}", self.from),
        };
        vec![range, self.images.to_string()]
    }
}

impl From<Shares> for ShownShares {
    fn from(shares: Shares) -> Self {
        let item = |(name, share): (Option<String>, statistics::Share)| ShownShare {
            name,
            images: share.images,
            bytes: share.bytes,
        };
        Self {
            items: shares.first.into_iter().map(item).collect(),
            others: shares.others,
            other_images: shares.rest.images,
            other_bytes: shares.rest.bytes,
        }
    }
}

/// A histogram; each bin ends where the next begins.
fn bins(bounds: Bins, shares: &[statistics::Share]) -> Vec<ShownBin> {
    let bin = |((from, below), share): ((f64, Option<f64>), &statistics::Share)| ShownBin {
        from,
        below,
        images: share.images,
        bytes: share.bytes,
    };
    statistics::ranges(bounds).zip(shares).map(bin).collect()
}
