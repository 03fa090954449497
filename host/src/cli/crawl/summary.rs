//! What came of a crawl: the only thing on standard output.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use super::progress::{Snapshot, refusals};
use crate::job::{JobId, JobState};

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    job: JobId,
    status: JobState,
    out: String,
    /// Files in the folder; 0 when it was not written.
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
    /// The command that goes on, when it was interrupted.
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

    /// Nothing usable came, or somebody else cancelled it.
    pub(super) fn failed(&self) -> bool {
        self.status != JobState::Completed
    }

    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    pub(super) fn text(&self) -> String {
        let Self { kept, wanted, files, out, .. } = self;
        let mut lines = Vec::new();
        lines.push(match &self.resume_with {
            Some(command) => {
                format!("Interrupted with {kept} of {wanted} images kept. To continue:\n  {command}")
            }
            None if *files > 0 => format!("Kept {kept} of {wanted} images: {files} files in {out}"),
            None => format!("Kept {kept} of {wanted} images"),
        });
        let mut others = vec![format!("{} found", self.found), format!("{} duplicates", self.duplicates)];
        others.push(match self.refused.is_empty() {
            true => "0 refused".to_owned(),
            false => refusals(&self.refused),
        });
        lines.push(others.join(", "));
        if self.status == JobState::Cancelled {
            lines
                .push("The job was cancelled from elsewhere; the same command again continues it".to_owned());
        }
        match &self.reason {
            Some(reason) => lines.push(format!("Why not all: {reason}")),
            // A reason repeats the warnings.
            None => lines.extend(self.warnings.iter().map(|warning| format!("Note: {warning}"))),
        }
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
            files: 0,
            reason: None,
            resume_with: Some("pixcrawler crawl lion".to_owned()),
            ..summary()
        };
        assert_eq!(
            interrupted.text(),
            "Interrupted with 7 of 10 images kept. To continue:\n  pixcrawler crawl lion\n\
             12 found, 1 duplicates, 4 refused (4 not-found)"
        );
    }
}
