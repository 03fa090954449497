//! What a dataset holds, for people to look at: one HTML file with small copies of the pictures inside, which asks
//! nothing of any network and runs no script. The same rows give the same bytes.

mod page;

use std::{path::Path, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{StreamExt as _, stream};

use self::page::{Bar, Fact, Histogram, Tile};
use super::{ExportError, documents::is_ours, draft::Draft, export::facts::ExportFacts};
use crate::{
    app::{App, DerivationError, ThumbnailError},
    db::{
        facts::Scope,
        report::{self, PictureRow, SCORES, Score},
        statistics::{self, Shares, Statistics, StatisticsScope},
    },
    model::{DatasetId, Format, Refusal, Sha256, UserId},
};

/// Side of the square into which small copies are made to fit, in pixels: twice what they take on a screen of
/// usual density.
const SIDE: u32 = 256;
/// Most labels that are shown, those of most pictures first.
const MOST_LABELS: usize = 100;
/// Most kept pictures that are shown with what looks like them, and most of the latter for each.
const MOST_GROUPS: i64 = 60;
const MOST_ALIKE: i64 = 11;
/// Most rows of a table of names.
const MOST_NAMES: usize = 12;

/// What a report shows.
#[derive(Clone, Copy, Debug)]
pub struct ReportSummary {
    /// Kept pictures of the dataset.
    pub images: u64,
    /// Small copies in it.
    pub shown: u64,
    /// Kept pictures that others look like.
    pub groups: u64,
    /// Of the file.
    pub bytes: u64,
}

/// Whoever is told how many small copies there are, of how many.
pub type Tell<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// A report as it is written.
struct Writer<'a> {
    app: &'a App,
    user: UserId,
    draft: Draft,
    tell: Tell<'a>,
    done: u64,
    shown: u64,
    total: u64,
}

/// Tells whether a report may be written there: there is no file, or one that is a report.
#[must_use]
pub fn may_write(path: &Path) -> bool {
    !path.exists() || path.is_file() && is_ours(path, page::MARK.as_bytes())
}

/// Writes the report of a dataset of this user, which is put in place of a file as a whole, with at most so many
/// pictures of each label; none where there is no such dataset.
///
/// It is as large as its pictures: some 10 KiB for each that is shown, of at most 100 labels.
///
/// # Errors
/// When the database, the store or the file fails. A picture that cannot be shown is said to be so.
pub async fn write(
    app: &App,
    user: UserId,
    dataset: DatasetId,
    path: &Path,
    per_label: u32,
    tell: Tell<'_>,
) -> Result<Option<ReportSummary>, ExportError> {
    let mut connection = app.db.acquire().await?;
    let facts = ExportFacts::of(&mut connection, user, Scope::Dataset(dataset)).await?;
    drop(connection);
    let Some(facts) = facts else { return Ok(None) };
    let held = statistics::count(&app.db, user, StatisticsScope::Dataset(dataset), MOST_NAMES).await?;
    let labels = report::labels(&app.db, user, dataset).await?;
    let (groups, group_count) = report::groups(&app.db, user, dataset, MOST_GROUPS).await?;
    let sheets = labels.iter().take(MOST_LABELS).map(|label| label.images.min(per_label.into()));
    let alike = groups.iter().map(|group| 1 + group.others.min(MOST_ALIKE));
    let total = sheets.chain(alike).sum::<i64>().unsigned_abs();
    let draft = Draft::begin(path).await?;
    let mut writer = Writer { app, user, draft, tell, done: 0, shown: 0, total };

    writer.push(&page::head(dataset, &facts, &overview(&held, labels.len()))).await?;
    writer.push(&page::open_labels(labels.len(), MOST_LABELS.min(labels.len()))).await?;
    if labels.len() > 1 {
        let shown = labels.iter().take(MOST_LABELS);
        let index: Vec<(&str, i64)> = shown.map(|label| (&*label.label, label.images)).collect();
        writer.push(&page::index(&index)).await?;
    }
    for (number, label) in labels.iter().take(MOST_LABELS).enumerate() {
        let sample = report::sample(&app.db, user, dataset, &label.label, per_label.into()).await?;
        writer.push(&page::open_label(number, &label.label, label.images, sample.len())).await?;
        writer.tiles(sample, "").await?;
        writer.push(page::CLOSE_LABEL).await?;
    }
    writer.push(&page::open_groups(group_count, groups.len())).await?;
    for group in groups {
        let others = report::alike(&app.db, user, group.id, MOST_ALIKE).await?;
        let hidden = group.others - i64::try_from(others.len()).unwrap_or_default();
        writer.push(&page::open_group(&group.kept.label, group.others)).await?;
        writer.tiles(vec![group.kept], "kept").await?;
        writer.tiles(others, "not kept").await?;
        writer.push(&page::close_group(hidden)).await?;
    }
    let mut histograms = measures(&held);
    for score in SCORES {
        let counts = report::histogram(&app.db, user, dataset, score).await?;
        let Score { title, meaning, bins, .. } = *score;
        histograms.push(Histogram { title, meaning, unit: page::number, bins, counts });
    }
    writer.push(&page::figures(&histograms, &tables(&held))).await?;
    writer.push(&page::refusals(&refusals(&held.refusals), held.refused)).await?;
    writer.push(page::FOOT).await?;
    let Writer { mut draft, shown, .. } = writer;
    let finished = draft.finish().await?;
    draft.replace().await?;
    let (images, groups) = (held.kept.images.unsigned_abs(), group_count.unsigned_abs());
    Ok(Some(ReportSummary { images, shown, groups, bytes: finished.bytes }))
}

impl Writer<'_> {
    async fn push(&mut self, html: &str) -> Result<(), ExportError> {
        self.draft.push(html.as_bytes()).await
    }

    /// Writes pictures in order, however many small copies are made at a time.
    async fn tiles(&mut self, rows: Vec<PictureRow>, state: &'static str) -> Result<(), ExportError> {
        let (app, user) = (self.app, self.user);
        let mut tiles = stream::iter(rows)
            .map(|row| async move { (small_copy(app, user, &row).await, row) })
            .buffered(app.derivations.at_once());
        while let Some((copy, row)) = tiles.next().await {
            let copy = copy?;
            self.done += 1;
            self.shown += u64::from(copy.is_ok());
            let tile = Tile { row: &row, copy: copy.as_deref().map_err(|why| *why), state };
            self.draft.push(tile.html().as_bytes()).await?;
            (self.tell)(self.done, self.total);
        }
        Ok(())
    }
}

/// A small copy of a picture as an address with its bytes, or why there is none.
async fn small_copy(
    app: &App,
    user: UserId,
    row: &PictureRow,
) -> Result<Result<String, &'static str>, ExportError> {
    let sha256 = row.sha256.as_deref().and_then(Sha256::parse);
    let Some(object) = sha256.zip(row.format.as_deref().and_then(Format::named)) else {
        return Ok(Err("not a picture that can be read"));
    };
    let made = app.thumbnails.get(&app.store, user, object, SIDE).await;
    match made.map_err(Arc::try_unwrap) {
        Ok(made) => {
            let bytes = BASE64_STANDARD.encode(&made.bytes);
            Ok(Ok(format!("data:{};base64,{bytes}", made.format.media_type())))
        }
        Err(Ok(ThumbnailError::Missing)) => Ok(Err("not stored any more")),
        Err(Ok(ThumbnailError::Derivation(DerivationError::Derive(_)))) => {
            Ok(Err("no small copy can be made of it"))
        }
        Err(Ok(ThumbnailError::Store(error))) => Err(error.into()),
        Err(Ok(ThumbnailError::Derivation(DerivationError::Stopped)) | Err(_)) => {
            Err(super::export::ExportFileError::Stopped.into())
        }
    }
}

/// What is said first.
fn overview(held: &Statistics, labels: usize) -> [Fact; 6] {
    let sources = held.sources.first.len() + usize::try_from(held.sources.others).unwrap_or_default();
    [
        Fact::count("pictures", held.kept.images),
        Fact { name: "bytes", value: page::bytes(held.kept.bytes as f64) },
        Fact::count("labels", i64::try_from(labels).unwrap_or(i64::MAX)),
        Fact::count("sources", i64::try_from(sources).unwrap_or(i64::MAX)),
        Fact::count("duplicates", held.duplicates),
        Fact::count("refused", held.refused),
    ]
}

/// The histograms of what is measured of every picture.
fn measures(held: &Statistics) -> Vec<Histogram> {
    let plain: fn(f64) -> String = page::number;
    [
        ("Area", "millions of pixels", plain, statistics::MEGAPIXELS, &held.megapixels),
        ("Width", "pixels", plain, statistics::SIDES, &held.widths),
        ("Height", "pixels", plain, statistics::SIDES, &held.heights),
        ("Shape", "width divided by height; below 1 is upright", plain, statistics::ASPECTS, &held.aspects),
        ("Size", "of the files", page::bytes as fn(f64) -> String, statistics::SIZES, &held.sizes),
    ]
    .into_iter()
    .map(|(title, meaning, unit, bins, shares)| {
        let counts = shares.iter().map(|share| share.images).collect();
        Histogram { title, meaning, unit, bins, counts }
    })
    .collect()
}

/// The tables of names.
fn tables(held: &Statistics) -> Vec<(&'static str, Vec<Bar>)> {
    [
        ("Labels", &held.labels, "no label"),
        ("Formats", &held.formats, "not known"),
        ("Licences", &held.licenses, "not known"),
        ("Sources", &held.sources, "not known"),
        ("Hosts", &held.hosts, "not known"),
    ]
    .into_iter()
    .map(|(title, shares, unknown)| (title, bars(shares, unknown)))
    .collect()
}

/// Names with numbers, and the rest of them in one.
fn bars(shares: &Shares, unknown: &str) -> Vec<Bar> {
    let bar = |(name, share): &(Option<String>, statistics::Share)| {
        let name = name.as_deref().filter(|name| !name.is_empty()).unwrap_or(unknown);
        Bar { name: name.to_owned(), meaning: None, images: share.images, is_rest: false }
    };
    let mut bars: Vec<Bar> = shares.first.iter().take(MOST_NAMES).map(bar).collect();
    let hidden = shares.first.get(MOST_NAMES..).unwrap_or_default();
    let names = shares.others + i64::try_from(hidden.len()).unwrap_or_default();
    if names > 0 {
        let images = shares.rest.images + hidden.iter().map(|(_, share)| share.images).sum::<i64>();
        bars.push(Bar { name: format!("{names} more"), meaning: None, images, is_rest: true });
    }
    bars
}

/// What was refused, by code, each with what it means.
fn refusals(shares: &Shares) -> Vec<Bar> {
    let bar = |(code, share): &(Option<String>, statistics::Share)| {
        let code = code.as_deref().unwrap_or("not known");
        let meaning = Refusal::with_code(code).map(|refusal| refusal.help().meaning);
        Bar { name: code.to_owned(), meaning, images: share.images, is_rest: false }
    };
    shares.first.iter().map(bar).collect()
}
