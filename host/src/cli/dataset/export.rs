//! `dataset export`: what a dataset has kept, packed into files of this machine.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, MultiProgress};
use serde_json::{Value, json};

use super::dataset_id;
use crate::{
    app::{App, StartError},
    cli::{
        bar::Bar,
        counted,
        database::has_database,
        lock::lock_folder,
        say, stop,
        user::{Whose, WhoseArgs},
        wrong_usage,
    },
    config::Config,
    dataset::export::{
        CreateExportError, delete_export,
        local::{LocalExport, LocalProgress},
        manifest::{ExportFile, ExportIdentity},
    },
    db::{
        exports::{self, ExportRow},
        measurements::MeasureScope,
    },
    model::{DatasetId, ExportFormat, ExportOptions, UserId},
    private,
    services::{exports::ExportRequest, host::RunningHost, measure::measure},
};

/// Export a dataset: its pictures or what is known of them, in the format that a training program reads
///
/// What is kept by now is fixed when the command begins, and the same pictures and options give the same files.
/// An export that was interrupted goes on when the command is given again.
///
/// Pictures are the originals, byte for byte, unless a size, fit, format or quality is given: then they are
/// upright, in sRGB, without metadata, and never made larger unless --enlarge is given.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset export 3\n  \
    pixcrawler dataset export 3 --format webdataset --size 256 --fit center-crop --out shards\n  \
    pixcrawler dataset export 3 --format parquet --order shuffled --seed 7\n  \
    pixcrawler dataset export 3 --split 80/10/10\n  \
    pixcrawler dataset export 3 --format csv --json | jq .files\n\n\
    Exit codes: 0 done, 1 there is no such dataset or it cannot be done, 2 wrong usage, 130 interrupted.")]
pub(super) struct ExportArgs {
    /// Id of the dataset, see `pixcrawler dataset list`
    #[arg(value_name = "ID", value_parser = dataset_id)]
    id: i32,
    /// Folder to write into, which is made [default: dataset-ID-FORMAT]
    #[arg(long, short, value_name = "PATH")]
    out: Option<PathBuf>,
    /// How it is packed
    #[arg(long, value_enum, default_value = "folder")]
    format: Packing,
    /// Side of the square into which pictures are made to fit, in pixels
    #[arg(long, value_name = "PIXELS", conflicts_with_all = ["width", "height"])]
    size: Option<i64>,
    /// Width of the box into which pictures are made to fit, in pixels
    #[arg(long, value_name = "PIXELS", requires = "height")]
    width: Option<i64>,
    /// Height of that box, in pixels
    #[arg(long, value_name = "PIXELS", requires = "width")]
    height: Option<i64>,
    /// How they fit: all of a picture, its middle, all of it with a white border, or its size as it is
    #[arg(long, value_name = "FIT", value_parser = ["keep-ratio", "center-crop", "border", "none"])]
    fit: Option<String>,
    /// Make smaller pictures larger, too
    #[arg(long)]
    enlarge: bool,
    /// Format of the pictures that are made; PNG and WebP lose nothing
    #[arg(long, value_name = "FORMAT", value_parser = ["jpeg", "png", "webp"])]
    pictures: Option<String>,
    /// Quality of JPEG, 1 to 100 [default: 90]
    #[arg(long, value_name = "QUALITY")]
    quality: Option<i64>,
    /// How the pictures follow one another
    #[arg(long, value_name = "ORDER", default_value = "label", value_parser = ["label", "shuffled"])]
    order: String,
    /// Divide the pictures for training, validation and testing, in percent, such as 80/10/10; what looks alike is
    /// on one side
    #[arg(long, value_name = "TRAIN/VALIDATION/TEST", value_parser = shares)]
    split: Option<[u8; 3]>,
    /// Of the shuffled order and of the split
    #[arg(long, value_name = "NUMBER", default_value_t = 0, allow_negative_numbers = true)]
    seed: i64,
    /// Most pictures of a file
    #[arg(long, value_name = "COUNT")]
    shard_images: Option<i64>,
    /// Most bytes of pictures of a file
    #[arg(long, value_name = "BYTES")]
    shard_bytes: Option<i64>,
    /// Webdataset only: a Parquet table of the records beside each archive
    #[arg(long)]
    parquet_beside: bool,
    /// Replace what that folder has of another export, finished or not
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Reads the shares of a split.
fn shares(text: &str) -> Result<[u8; 3], String> {
    let shares: Option<Vec<u8>> = text.split('/').map(|share| share.trim().parse().ok()).collect();
    let shares = shares.and_then(|shares| <[u8; 3]>::try_from(shares).ok());
    shares
        .filter(|shares| shares.iter().map(|share| u16::from(*share)).sum::<u16>() == 100)
        .ok_or_else(|| "must be three whole numbers that add up to 100, such as 80/10/10".to_owned())
}

/// How an export is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Packing {
    /// Class folders with `metadata.jsonl`
    Folder,
    /// The same in one archive
    Zip,
    /// Tar archives of pictures with a JSON file each
    Webdataset,
    /// Tables with the bytes of the pictures inside
    Parquet,
    /// A table of labels and provenance
    Csv,
    /// One array of records
    Json,
    /// A record a line
    Jsonl,
    /// A list of records
    Yaml,
    /// Address and label of each, a tab between
    Txt,
}

impl From<Packing> for ExportFormat {
    fn from(packing: Packing) -> Self {
        match packing {
            Packing::Folder => Self::Folder,
            Packing::Zip => Self::Zip,
            Packing::Webdataset => Self::Webdataset,
            Packing::Parquet => Self::Parquet,
            Packing::Csv => Self::Csv,
            Packing::Json => Self::Json,
            Packing::Jsonl => Self::Jsonl,
            Packing::Yaml => Self::Yaml,
            Packing::Txt => Self::Txt,
        }
    }
}

impl ExportArgs {
    pub(super) async fn run(self, config: Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let (format, options) = self.asked()?;
        let whose = self.whose.read(&config)?;
        let dataset = DatasetId(self.id);
        if !has_database(&config) {
            return Err(whose.has_no_dataset(dataset));
        }
        let out = self.out.clone();
        let folder = out.unwrap_or_else(|| format!("dataset-{dataset}-{}", format.name()).into());
        let stop = stop::on_signal()?;
        let bar = Bar::new(terminal, "{bar:30} {msg}, {eta} left");
        let running = RunningHost::start(config, &stop, &|what| bar.say(what)).await?;
        let done = stop
            .run_until_cancelled(self.export(&running.app, &whose, dataset, format, &options, &folder, &bar))
            .await;
        bar.end();
        running.stop().await?;
        let (export, files) = done.ok_or(StartError::Stopped)??;
        self.report(&export, &files, &folder);
        Ok(ExitCode::SUCCESS)
    }

    /// What is asked for, by the same rules as over HTTP.
    fn asked(&self) -> anyhow::Result<(ExportFormat, ExportOptions)> {
        let format = ExportFormat::from(self.format);
        if self.parquet_beside && format != ExportFormat::Webdataset {
            return Err(wrong_usage("--parquet-beside is for --format webdataset"));
        }
        if format == ExportFormat::Folder && (self.shard_images.is_some() || self.shard_bytes.is_some()) {
            return Err(wrong_usage(
                "a folder is in one piece; --shard-images and --shard-bytes are for files",
            ));
        }
        let is_made = self.size.or(self.width).or(self.quality).is_some()
            || self.fit.is_some()
            || self.pictures.is_some()
            || self.enlarge;
        let only_encoded = self.fit.is_none() && self.size.or(self.width).is_none();
        let pictures = is_made.then(|| {
            json!({
                "width": self.size.or(self.width), "height": self.size.or(self.height), "enlarge": self.enlarge,
                "fit": if only_encoded { Some("none") } else { self.fit.as_deref() },
                "format": self.pictures, "quality": self.quality,
            })
        });
        // Over HTTP a folder comes as an archive.
        let name = if format == ExportFormat::Folder { ExportFormat::Zip } else { format }.name();
        let mut body = json!({
            "format": name, "pictures": pictures, "order": self.order, "seed": self.seed,
            "split": self.split.map(|[train, validation, test]| {
                json!({ "train": train, "validation": validation, "test": test })
            }),
            "shard_images": self.shard_images, "shard_bytes": self.shard_bytes,
            "parquet_beside": self.parquet_beside,
        });
        without_null(&mut body);
        let checked = ExportRequest::from(body).check();
        let (_, options) = checked.map_err(|broken| {
            let said = broken
                .iter()
                .map(|violation| format!("{} {}", self.named(&violation.pointer), violation.detail));
            let mut said: Vec<String> = said.collect();
            // Both sides of a square are one option.
            said.dedup();
            wrong_usage(said.join("; "))
        })?;
        Ok((format, options))
    }

    /// What a field of a request is called here.
    fn named(&self, pointer: &str) -> String {
        match pointer {
            "/pictures" => "a size, fit, format or quality of pictures".to_owned(),
            "/pictures/format" => "--pictures".to_owned(),
            "/pictures/width" | "/pictures/height" if self.width.is_none() => "--size".to_owned(),
            _ => format!("--{}", pointer.rsplit('/').next().unwrap_or_default().replace('_', "-")),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that was asked for, and where it goes")]
    async fn export(
        &self,
        app: &App,
        whose: &Whose,
        dataset: DatasetId,
        format: ExportFormat,
        options: &ExportOptions,
        folder: &Path,
        bar: &Bar,
    ) -> anyhow::Result<(ExportRow, Vec<ExportFile>)> {
        let user = whose.owner_of_dataset(&app.db, dataset).await?;
        private::shared_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let _lock = guard(folder)?;
        let (mut local, export) = self.begin(app, user, dataset, format, options, folder, bar).await?;
        let files = local.write(app, &export, folder, &|progress| show(bar, progress)).await;
        let files = files.with_context(|| {
            format!("{} is not finished; the same command again goes on with it", folder.display())
        })?;
        delete_export(&app.db, &app.store, user, dataset, export.id).await?;
        LocalExport::forget(folder)?;
        Ok((export, files))
    }

    /// The export that goes on, or a new one.
    #[expect(clippy::too_many_arguments, reason = "all that was asked for, and where it goes")]
    async fn begin(
        &self,
        app: &App,
        user: UserId,
        dataset: DatasetId,
        format: ExportFormat,
        options: &ExportOptions,
        folder: &Path,
        bar: &Bar,
    ) -> anyhow::Result<(LocalExport, ExportRow)> {
        if let Some(before) = LocalExport::read(folder)? {
            let row = exports::show(&app.db, user, before.dataset, before.export).await?;
            match row {
                Some(row) if before.is(dataset, format, options) && !self.restart => {
                    return Ok((before, row));
                }
                Some(_) if !self.restart => {
                    return Err(anyhow!(
                        "{} has an unfinished export with other options: give those, another --out, or --restart",
                        folder.display()
                    ));
                }
                _ => {
                    delete_export(&app.db, &app.store, user, before.dataset, before.export).await?;
                    before.remove(folder).await?;
                }
            }
        }
        if format == ExportFormat::Zip && options.pictures.is_none() {
            bar.say("measuring pictures of an earlier version");
            let scope = MeasureScope { user: Some(user), dataset: Some(dataset), only_crc32: true };
            measure(&app.db, &app.store, scope, |_| ()).await?;
        }
        bar.say("listing pictures");
        let fixed = app.fix_export(user, dataset, (format, options)).await;
        let export = match fixed {
            Err(error @ CreateExportError::TooMany(..)) => {
                return Err(anyhow!("{error}, see `pixcrawler dataset exports {dataset}`"));
            }
            fixed => fixed?,
        };
        let row = exports::show(&app.db, user, dataset, export).await?.context("the dataset was deleted")?;
        match self.make_room(&row, folder).await {
            Ok(local) => Ok((local, row)),
            Err(error) => {
                delete_export(&app.db, &app.store, user, dataset, export).await?;
                Err(error)
            }
        }
    }

    /// Makes a folder ready for a new export.
    async fn make_room(&self, export: &ExportRow, folder: &Path) -> anyhow::Result<LocalExport> {
        let ExportRow { id, dataset, format, ref options, .. } = *export;
        if export.images == 0 {
            // What an earlier export left there stays: it may be all that there is of it.
            return Err(anyhow!("dataset {dataset} has no images; nothing was written"));
        }
        let name = export.facts["name"].as_str().unwrap_or_default().to_owned();
        let asked = ExportIdentity { name, format, options: options.clone() };
        if let Some(whole) = LocalExport::whole(folder).filter(|whole| whole.identity != asked) {
            if !self.restart {
                return Err(anyhow!(
                    "{} has an export of another dataset or with other options: give another --out, or --restart to replace it",
                    folder.display()
                ));
            }
            LocalExport::remove_whole(folder, &whole).await?;
        }
        let local = LocalExport::new(id, dataset, format, options.clone());
        local.note(folder)?;
        Ok(local)
    }

    fn report(&self, export: &ExportRow, files: &[ExportFile], folder: &Path) {
        let images = export.left();
        if self.json {
            let summary = json!({
                "dataset": export.dataset, "folder": folder, "format": export.format, "options": export.options,
                "images": images, "files": files,
            });
            say(&summary.to_string());
            return;
        }
        let bytes: u64 = files.iter().filter_map(|file| file.bytes).sum();
        let what = match export.format {
            ExportFormat::Folder => String::new(),
            _ => format!(" in {} ({})", counted(files.len() as u64, "file"), HumanBytes(bytes)),
        };
        say(&format!("{}{what} in {}", counted(images, "image"), folder.display()));
    }
}

/// Keeps other commands out of a folder. One that holds what is not of an export is refused: files would be
/// replaced and removed there.
fn guard(folder: &Path) -> anyhow::Result<File> {
    let lock = lock_folder(folder, "another command")?;
    if !LocalExport::may_write(folder) {
        return Err(wrong_usage(format!(
            "{} holds files that are of no export; choose another folder with --out",
            folder.display()
        )));
    }
    Ok(lock)
}

/// Leaves out what was not given.
fn without_null(body: &mut Value) {
    if let Value::Object(fields) = body {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(without_null);
    }
}

fn show(bar: &Bar, LocalProgress { what, done, total }: LocalProgress<'_>) {
    let message = match (total, what) {
        (0, _) => what.to_owned(),
        (_, "pictures") => format!("{done} of {total} pictures"),
        _ => format!("{what}: {} of {}", HumanBytes(done), HumanBytes(total)),
    };
    bar.show(done, total, message.clone(), || message);
}
