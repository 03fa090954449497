//! `refused.jsonl`: what a job found and did not keep, and why.

use std::{collections::BTreeMap, io, path::Path};

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::{ExportError, JsonLines, REFUSALS, cannot_write, listing::PAGE};
use crate::{
    app::App,
    db::{self, export},
    model::{ImageId, JobId, UserId},
};

/// Longest line that is looked at, in bytes, to see whose the file is: addresses and details are shorter.
const LONGEST_LINE: u64 = 1 << 20;

/// What was not kept, counted by code, and whether the file has it.
pub(super) struct Refused {
    pub(super) by_code: BTreeMap<String, usize>,
    pub(super) is_listed: bool,
}

/// Writes the file, or takes it away where it would be empty. Somebody else's is left alone.
pub(super) async fn write(
    app: &App,
    user: UserId,
    job: JobId,
    folder: &Path,
) -> Result<Refused, ExportError> {
    let path = folder.join(REFUSALS);
    let is_there = tokio::fs::try_exists(&path).await.map_err(cannot_write(&path))?;
    let is_ours = !is_there || is_ours(&path).await.map_err(cannot_write(&path))?;
    let mut lines = JsonLines::begin(&path).await?;
    let mut by_code: BTreeMap<String, usize> = BTreeMap::new();
    let mut after = ImageId(0);
    loop {
        let page = export::refused(&app.db, user, job, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for record in page {
            lines.push(&record).await?;
            *by_code.entry(record.code).or_default() += 1;
        }
    }
    // Its rows were going meanwhile, perhaps.
    if db::jobs::revision(&app.db, user, job).await?.is_none() {
        return Err(ExportError::Deleted);
    }
    let is_listed = is_ours && !lines.is_empty();
    if is_listed {
        lines.finish().await?;
        lines.replace().await?;
    } else if is_ours && is_there {
        tokio::fs::remove_file(&path).await.map_err(cannot_write(&path))?;
    }
    Ok(Refused { by_code, is_listed })
}

/// Whether a file begins with a line as they are written here.
async fn is_ours(path: &Path) -> io::Result<bool> {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether they are there")]
    struct Line {
        url: String,
        code: String,
    }
    if !path.is_file() {
        return Ok(false);
    }
    let mut line = Vec::new();
    let file = tokio::fs::File::open(path).await?;
    BufReader::new(file.take(LONGEST_LINE)).read_until(b'\n', &mut line).await?;
    Ok(serde_json::from_slice::<Line>(&line).is_ok())
}
