//! Rows of earlier versions get what this one measures of every picture: each object is read once, whatever
//! its rows lack.

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::{
    db::{
        self, PgPool,
        measurements::{self, LackingList, LackingObject, MeasureScope, Measured},
    },
    model::{Decoded, PictureHash, Rejection, Scores},
    services::backup::{Faults, sound},
    store::{Store, StoreError},
    validate::{self, DecodeLimits},
};

/// Objects whose measurements are written at a time, and that are lost when it is interrupted.
const PAGE: i64 = 16;
/// Objects in memory at a time.
const READS: usize = 8;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MeasureProgress {
    /// Objects that lacked a measurement at the beginning.
    pub lacking: u64,
    /// Objects whose rows have it now.
    pub measured: u64,
    /// Rows of these.
    pub images: u64,
    /// Bytes that were read for it.
    pub bytes: u64,
    /// Objects that are not there, or are not what their name says.
    pub faulty: u64,
}

/// Why not all was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The store failed.
    #[error("the store failed; the same command again goes on")]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("the database failed; the same command again goes on")]
    Database(#[from] db::Error),
}

/// What became of an object.
enum Outcome {
    Measured(Box<Measured>, u64),
    /// Its rows went meanwhile.
    Gone,
    Faulty(&'static str),
}

/// Measures the objects of these images, as far as rows of them lack it. Rows that are made meanwhile have
/// it from the beginning. The tables must be up to date.
///
/// # Errors
/// When not all was looked at; what was written stays.
pub async fn measure(
    db: &PgPool,
    store: &Store,
    scope: MeasureScope,
    tell: impl Fn(&MeasureProgress),
) -> Result<(MeasureProgress, Faults), MeasureError> {
    let (mut list, lacking, _) = LackingList::make(db, scope).await?;
    let lacking = u64::try_from(lacking).unwrap_or_default();
    let mut progress = MeasureProgress { lacking, ..MeasureProgress::default() };
    let mut faults = Faults::default();
    let mut after = 0;
    tell(&progress);
    loop {
        let page = list.page(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        let mut reads = futures_util::stream::iter(page)
            .map(|object| async move {
                measure_object(db, store, &object, scope.only_crc32).await.map(|done| (object, done))
            })
            .buffer_unordered(READS);
        let mut measured = Vec::new();
        while let Some((object, outcome)) = reads.try_next().await? {
            match outcome {
                Outcome::Measured(done, bytes) => {
                    if done.looks.is_some() || scope.only_crc32 {
                        progress.measured += 1;
                        progress.images += done.images.len() as u64;
                    } else {
                        faults.add(&name_of(&object), "cannot be decoded");
                        progress.faulty += 1;
                    }
                    progress.bytes += bytes;
                    measured.push(*done);
                }
                Outcome::Gone => progress.lacking -= 1,
                Outcome::Faulty(what) => {
                    faults.add(&name_of(&object), what);
                    progress.faulty += 1;
                }
            }
            tell(&progress);
        }
        measurements::write(db, &measured).await?;
    }
    list.end().await?;
    Ok((progress, faults))
}

/// How people are told of it.
fn name_of(object: &LackingObject) -> String {
    let LackingObject { user, sha256, format, .. } = object;
    let name = format.map(|format| Store::path(*user, sha256, format));
    name.unwrap_or_else(|| format!("{user}: {sha256}"))
}

/// Reads an object and measures all that its rows may lack.
async fn measure_object(
    db: &PgPool,
    store: &Store,
    object: &LackingObject,
    only_crc32: bool,
) -> Result<Outcome, MeasureError> {
    let LackingObject { user, sha256, format, ref images, .. } = *object;
    let Some(format) = format else { return Ok(Outcome::Faulty("has no format that is known")) };
    let bytes = match sound(store, user, sha256, format).await? {
        Ok(bytes) => bytes,
        Err(fault) => {
            let is_needed = measurements::is_any_kept(db, images).await?;
            return Ok(if is_needed { Outcome::Faulty(fault) } else { Outcome::Gone });
        }
    };
    let (images, size) = (images.clone(), bytes.len() as u64);
    let measured = tokio::task::spawn_blocking(move || {
        let crc32 = crc32fast::hash(&bytes);
        (crc32, (!only_crc32).then(|| decoded(&bytes)).and_then(Result::ok))
    });
    Ok(match measured.await {
        Ok((crc32, looks)) => Outcome::Measured(Box::new(Measured { images, crc32, looks }), size),
        Err(_) => Outcome::Faulty("cannot be decoded"),
    })
}

fn decoded(bytes: &[u8]) -> Result<(PictureHash, Scores), Rejection> {
    // What it may be was decided when it was kept.
    let limits = DecodeLimits { max_bytes: u64::MAX, max_pixels: u64::MAX, max_frames: u32::MAX };
    let header = validate::inspect(bytes, &limits)?;
    let Decoded { hash, scores, .. } = validate::decode(bytes, &header)?;
    Ok((hash, scores))
}
