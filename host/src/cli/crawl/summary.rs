//! What came of a crawl: the only thing on standard output.

use serde::Serialize;

use super::progress::{Snapshot, refusals};
use crate::model::{JobId, JobState};

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) job: JobId,
    /// The job at last.
    #[serde(flatten)]
    pub(super) last: Snapshot,
    pub(super) out: String,
    /// Files that are listed in the folder.
    pub(super) files: usize,
    /// The command that goes on, when it ended before the job was over.
    pub(super) resume_with: Option<String>,
}

impl Summary {
    /// Nothing usable came, or it was cancelled.
    pub(super) const fn failed(&self) -> bool {
        matches!(self.last.status, JobState::Failed | JobState::Cancelled)
    }

    /// No site could be reached, for this reason or for that of the job.
    pub(super) fn reached_nobody(&mut self, reason: Option<String>) {
        let reason = reason.or(self.last.reason.take()).unwrap_or_default();
        self.last.reason = Some(format!("no site could be reached; is this machine online? ({reason})"));
    }

    pub(super) fn text(&self) -> String {
        let Snapshot { status, kept, wanted, found, duplicates, refused, reason, warnings, .. } = &self.last;
        let files = match self.files {
            0 => String::new(),
            files => format!(": {files} files in {}", self.out),
        };
        let mut lines = vec![match &self.resume_with {
            Some(_) => format!("Interrupted with {kept} of {wanted} images kept{files}"),
            None => format!("Kept {kept} of {wanted} images{files}"),
        }];
        let refused = if refused.is_empty() { "0 refused".to_owned() } else { refusals(refused) };
        lines.push(format!("{found} found, {duplicates} duplicates, {refused}"));
        if *status == JobState::Cancelled && self.resume_with.is_none() {
            lines
                .push("The job was cancelled from elsewhere; the same command again continues it".to_owned());
        }
        match reason {
            Some(reason) => lines.push(format!("Why not all: {reason}")),
            // A reason repeats the warnings.
            None => lines.extend(warnings.iter().map(|warning| format!("Note: {warning}"))),
        }
        lines.extend(self.resume_with.iter().map(|command| format!("To continue:\n  {command}")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn said_in_text() {
        let last = Snapshot {
            status: JobState::Completed,
            wanted: 10,
            kept: 7,
            found: 12,
            duplicates: 1,
            refused: BTreeMap::from([("not-found".to_owned(), 4)]),
            reason: Some("kept 7 of 10: the sources have no more".to_owned()),
            warnings: Vec::new(),
            running: false,
            waits: None,
        };
        let summary = Summary { job: JobId(3), last, out: "red-panda".into(), files: 7, resume_with: None };
        assert_eq!(
            summary.text(),
            "Kept 7 of 10 images: 7 files in red-panda\n12 found, 1 duplicates, 4 refused (4 not-found)\n\
             Why not all: kept 7 of 10: the sources have no more"
        );
        let interrupted = Summary {
            last: Snapshot { status: JobState::Running, reason: None, ..summary.last },
            resume_with: Some("pixcrawler crawl lion".to_owned()),
            ..summary
        };
        assert_eq!(
            interrupted.text(),
            "Interrupted with 7 of 10 images kept: 7 files in red-panda\n\
             12 found, 1 duplicates, 4 refused (4 not-found)\nTo continue:\n  pixcrawler crawl lion"
        );
    }
}
