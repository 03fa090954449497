//! What came of a crawl: the only thing on standard output.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use super::progress::{Snapshot, refusals};
use crate::model::{JobId, JobState};

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    job: JobId,
    status: JobState,
    out: String,
    /// Files that are listed in the folder.
    pub(super) files: usize,
    wanted: i32,
    kept: i32,
    found: i64,
    duplicates: i64,
    refused: BTreeMap<String, i64>,
    /// Why there are fewer than wanted.
    reason: Option<String>,
    /// What the sources said.
    warnings: Vec<String>,
    /// The command that goes on, when it ended before the job was over.
    pub(super) resume_with: Option<String>,
}

impl Summary {
    pub(super) fn new(job: JobId, out: &Path, last: Snapshot) -> Self {
        let Snapshot { status, wanted, kept, found, duplicates, refused, reason, warnings, .. } = last;
        let out = out.display().to_string();
        Self {
            job,
            status,
            out,
            files: 0,
            wanted,
            kept,
            found,
            duplicates,
            refused,
            reason,
            warnings,
            resume_with: None,
        }
    }

    pub(super) const fn kept(&self) -> i32 {
        self.kept
    }

    pub(super) const fn is_over(&self) -> bool {
        self.status.is_over()
    }

    /// Nothing usable came, or it was cancelled.
    pub(super) const fn failed(&self) -> bool {
        matches!(self.status, JobState::Failed | JobState::Cancelled)
    }

    /// No site could be reached, for this reason or for that of the job.
    pub(super) fn reached_nobody(&mut self, reason: Option<String>) {
        let reason = reason.or(self.reason.take()).unwrap_or_default();
        self.reason = Some(format!("no site could be reached; is this machine online? ({reason})"));
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    pub(super) fn text(&self) -> String {
        let Self { kept, wanted, files, out, .. } = self;
        let files = if *files > 0 { format!(": {files} files in {out}") } else { String::new() };
        let mut lines = vec![match &self.resume_with {
            Some(_) => format!("Interrupted with {kept} of {wanted} images kept{files}"),
            None => format!("Kept {kept} of {wanted} images{files}"),
        }];
        let mut others = vec![format!("{} found", self.found), format!("{} duplicates", self.duplicates)];
        others.push(match self.refused.is_empty() {
            true => "0 refused".to_owned(),
            false => refusals(&self.refused),
        });
        lines.push(others.join(", "));
        if self.status == JobState::Cancelled && self.resume_with.is_none() {
            lines
                .push("The job was cancelled from elsewhere; the same command again continues it".to_owned());
        }
        match &self.reason {
            Some(reason) => lines.push(format!("Why not all: {reason}")),
            // A reason repeats the warnings.
            None => lines.extend(self.warnings.iter().map(|warning| format!("Note: {warning}"))),
        }
        lines.extend(self.resume_with.iter().map(|command| format!("To continue:\n  {command}")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        Summary {
            job: JobId(3),
            status: JobState::Completed,
            out: "red-panda".to_owned(),
            files: 7,
            wanted: 10,
            kept: 7,
            found: 12,
            duplicates: 1,
            refused: BTreeMap::from([("not-found".to_owned(), 4)]),
            reason: Some("kept 7 of 10: the sources have no more".to_owned()),
            warnings: Vec::new(),
            resume_with: None,
        }
    }

    #[test]
    fn said_in_text() {
        assert_eq!(
            summary().text(),
            "Kept 7 of 10 images: 7 files in red-panda\n12 found, 1 duplicates, 4 refused (4 not-found)\n\
             Why not all: kept 7 of 10: the sources have no more"
        );
        let interrupted = Summary {
            status: JobState::Running,
            reason: None,
            resume_with: Some("pixcrawler crawl lion".to_owned()),
            ..summary()
        };
        assert_eq!(
            interrupted.text(),
            "Interrupted with 7 of 10 images kept: 7 files in red-panda\n\
             12 found, 1 duplicates, 4 refused (4 not-found)\nTo continue:\n  pixcrawler crawl lion"
        );
    }
}
