//! `refused.jsonl`: what a job found and did not keep, and why.

use std::{io, path::Path};

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::{Draft, ExportError, REFUSALS, cannot_write, listing::PAGE};
use crate::{
    app::App,
    db::{self, export},
    model::{ImageId, JobId, UserId},
};

/// Longest line that is looked at, in bytes, to see whose the file is: addresses and details are shorter.
const LONGEST_LINE: u64 = 1 << 20;

/// Writes the file, or takes it away where it would be empty. Somebody else's is left alone. Whether there is
/// one of ours.
pub(super) async fn write(app: &App, user: UserId, job: JobId, folder: &Path) -> Result<bool, ExportError> {
    let path = folder.join(REFUSALS);
    let is_there = tokio::fs::try_exists(&path).await.map_err(cannot_write(&path))?;
    let is_ours = !is_there || is_ours(&path).await.map_err(cannot_write(&path))?;
    let mut lines = Draft::begin(&path).await?;
    let mut after = ImageId(0);
    loop {
        let page = export::refused(&app.db, user, job, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for record in page {
            lines.push_json(&record).await?;
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
    Ok(is_listed)
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
