//! `dataset remove`: pictures go, and do not come back.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use indicatif::MultiProgress;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::dataset_id;
use crate::{
    app::Database,
    cli::{
        bar::Bar,
        broken_rules, counted,
        database::has_database,
        plugin::consent,
        say, stop, tell,
        user::{Whose, WhoseArgs},
        wrong_usage,
    },
    config::Config,
    db,
    model::{DatasetId, ImageId, RemovalScope},
    services::removals::{RemovalRequest, RemovalSpec, Removed, dataset_to_leave, remove},
};

/// Take pictures out of a dataset, of all of a user, or of everybody's, and keep them out
///
/// Each goes with its duplicates: their rows become refusals with the code `removed`, their bytes are deleted
/// unless another dataset of the same user has them, and exports show the gap. What has the same bytes or looks
/// like them, also mirrored or turned, does not come in again, nor what has the address, host or creator that was
/// named, in datasets that are made later, too. Of pictures of earlier versions that were never measured only the
/// same bytes are kept out: run `dataset measure` first to keep look-alikes out. What is taken out is gone for
/// good; that it is kept out can be lifted, see `dataset removals`. It may be interrupted and given again; `serve` and
/// `worker` may go on. Folders that `crawl` wrote have it still until their crawl goes on.
#[derive(Args, Debug)]
#[command(
    override_usage = "pixcrawler dataset remove [OPTIONS] [ID] <--image <ID>|--url <ADDRESS>|--from-host <NAME>|--creator <NAME>|--sha256 <HASH>|--pdq <HASH>>",
    after_help = "Examples:\n  \
    pixcrawler dataset remove 3 --image 17 --yes\n  \
    pixcrawler dataset remove 3 --url https://example.org/a.jpg --dry-run\n  \
    pixcrawler dataset remove --all-users --from-host example.org --reason \"the site asked for it\"\n  \
    pixcrawler dataset remove --user you@example.org --creator \"Ann Example\" --yes --json\n\n\
    Exit codes: 0 done, 1 there is no such dataset or image, it failed, or nothing was changed, 2 wrong usage,\n\
    130 interrupted (the same command again goes on)."
)]
pub(super) struct RemoveArgs {
    /// Only of this dataset, see `pixcrawler dataset list` [default: of all of the user, or of all users; with
    /// --image, of that which has the picture]
    #[arg(value_name = "ID", value_parser = dataset_id)]
    id: Option<i32>,
    #[command(flatten)]
    what: WhatArgs,
    /// Why, for people: it stands in the rows of the pictures
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Only say what would be taken out
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Which pictures.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct WhatArgs {
    /// This picture, out of its dataset; of one of another user, name the dataset, too
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i32).range(1..))]
    image: Option<i32>,
    /// Pictures from this address, and those that the page at it shows
    #[arg(long, value_name = "ADDRESS")]
    url: Option<String>,
    /// Pictures from this host or one below it, and those that its pages show
    #[arg(long, value_name = "NAME")]
    from_host: Option<String>,
    /// Pictures by this creator, as their sources say, in any case
    #[arg(long, value_name = "NAME")]
    creator: Option<String>,
    /// The file with this SHA-256
    #[arg(long, value_name = "HASH")]
    sha256: Option<String>,
    /// What looks like the picture with this perceptual hash (PDQ), see `pixcrawler hash`
    #[arg(long, value_name = "HASH")]
    pdq: Option<String>,
}

impl RemoveArgs {
    pub(super) async fn run(self, config: &Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(config)?;
        let spec = self.spec()?;
        if !has_database(config) {
            return Err(match self.id {
                Some(id) => whose.has_no_dataset(DatasetId(id)),
                None => anyhow!("there is no dataset here yet, so nothing that could be taken out"),
            });
        }
        let stop = stop::on_signal()?;
        let database = Database::connect(config).await?;
        let bar = Bar::new(terminal, "{spinner} {msg}");
        let done = self.remove(config, &database, &whose, spec, &stop, &bar).await;
        bar.end();
        database.close().await;
        let Some(removed) = done? else {
            tell("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
        };
        self.report(&removed);
        Ok(if removed.more { ExitCode::from(130) } else { ExitCode::SUCCESS })
    }

    fn spec(&self) -> anyhow::Result<RemovalSpec> {
        let WhatArgs { image, url, from_host, creator, sha256, pdq } = &self.what;
        let request = RemovalRequest {
            image: image.map(ImageId),
            url: url.clone(),
            host: from_host.clone(),
            creator: creator.clone(),
            sha256: sha256.clone(),
            pdq: pdq.clone(),
            reason: self.reason.clone(),
            dry_run: Some(self.dry_run),
            ..RemovalRequest::default()
        };
        request.check().map_err(|broken| {
            broken_rules(&broken, |rule| match rule.pointer.trim_start_matches('/') {
                // A setting has the short name.
                "host" => "--from-host".to_owned(),
                other => format!("--{other}"),
            })
        })
    }

    async fn remove(
        &self,
        config: &Config,
        database: &Database,
        whose: &Whose,
        spec: RemovalSpec,
        stop: &CancellationToken,
        bar: &Bar,
    ) -> anyhow::Result<Option<Removed>> {
        database.migrate().await?;
        let store = database.unmarked_store(&config.data_dir()).await?;
        let db = &database.pool;
        let scope = self.scope(db, whose).await?;
        let show = |removed: &Removed| {
            let done = || format!("{} taken out", pictures(removed));
            bar.show(removed.images, removed.images, done(), done);
        };
        let counted = RemovalSpec { dry_run: true, ..spec.clone() };
        if !spec.dry_run && !self.yes {
            let found = remove(db, &store, scope, &counted, None, stop, |_| {}).await?;
            // When they are out, it is too late.
            tell_of_unmeasured(&found);
            let question = format!("Take {} out of {}, for good?", pictures(&found), of(&found));
            if !consent::agreed(&question, false)? {
                return Ok(None);
            }
        }
        Ok(Some(remove(db, &store, scope, &spec, None, stop, show).await?))
    }

    async fn scope(&self, db: &db::PgPool, whose: &Whose) -> anyhow::Result<RemovalScope> {
        let Some(image) = self.what.image else {
            return Ok(match (self.id.map(DatasetId), whose) {
                (Some(dataset), _) => {
                    RemovalScope::Dataset(dataset, whose.owner_of_dataset(db, dataset).await?)
                }
                (None, Whose::User(user, _)) => RemovalScope::User(*user),
                (None, Whose::All) => RemovalScope::All,
            });
        };
        let row = db::images::of_anybody(db, ImageId(image)).await?;
        let Some((dataset, row)) = row.and_then(|row| Some((row.dataset_id?, row))) else {
            bail!("there is no image {image} in a dataset");
        };
        if let Some(id) = self.id.filter(|id| *id != dataset.0) {
            bail!("image {image} is not of dataset {id}, but of dataset {dataset}");
        }
        let owner = whose.owner_of_dataset(db, dataset).await?;
        dataset_to_leave(&row)
            .with_context(|| format!("image {image} was refused, so that it cannot be taken out"))?;
        if self.id.is_none() && self.whose.are_given() {
            let hashes = [("--sha256", row.hash), ("--pdq", row.pdq)].into_iter();
            let hashes = hashes.filter_map(|(name, hash)| Some(format!("{name} {}", hash?)));
            return Err(wrong_usage(format!(
                "--image takes a picture out of its dataset only: name that, {dataset}, too; or, to take out of all \
                 what has the same bytes or looks like it, give in place of --image: {}",
                hashes.collect::<Vec<_>>().join(" or "),
            )));
        }
        Ok(RemovalScope::Dataset(dataset, owner))
    }

    fn report(&self, removed: &Removed) {
        if self.json {
            let mut summary = json!(removed);
            summary["dry_run"] = json!(self.dry_run);
            say(&summary.to_string());
        } else if self.dry_run {
            say(&format!("{} would be taken out, of {}.", pictures(removed), of(removed)));
        } else {
            say(&format!("{} taken out, of {}.", pictures(removed), of(removed)));
        }
        tell_of_unmeasured(removed);
        if removed.objects_left > 0 {
            tell(&format!(
                "{} could not be deleted now: a backup reads them, another database may name them, or the log says \
                 why. `pixcrawler sweep` deletes them a day after they came.",
                counted(removed.objects_left, "object"),
            ));
        }
        if removed.more {
            tell("Interrupted; the same command again goes on.");
        }
    }
}

/// Says it when something is kept out by its bytes only.
fn tell_of_unmeasured(removed: &Removed) {
    if removed.unmeasured > 0 {
        tell(&format!(
            "Never measured: {}, of which only the same bytes are kept out; run `pixcrawler dataset measure` first to \
             keep look-alikes out, too.",
            counted(removed.unmeasured, "picture"),
        ));
    }
}

fn pictures(removed: &Removed) -> String {
    let images = counted(removed.images, "image");
    match removed.duplicates {
        0 => images,
        duplicates => format!("{images} and {}", counted(duplicates, "duplicate")),
    }
}

fn of(removed: &Removed) -> String {
    counted(removed.datasets, "dataset")
}
