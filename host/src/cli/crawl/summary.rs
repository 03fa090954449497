//! What came of a crawl: the only thing on standard output.

use serde::Serialize;

use super::progress::{FailedPart, Snapshot, refusals};
use crate::model::{JobId, JobState};

/// Parts that failed which are named.
const MOST_PARTS: usize = 20;

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) job: JobId,
    /// The job at last.
    #[serde(flatten)]
    pub(super) last: Snapshot,
    /// Images that were not there when the command began.
    pub(super) new: i32,
    /// No site could be reached.
    #[serde(skip)]
    pub(super) reached_nobody: bool,
    /// The crawl was begun before.
    #[serde(skip)]
    pub(super) is_continued: bool,
    pub(super) out: String,
    /// Files that are listed in the folder.
    pub(super) files: usize,
    /// The file with what was not kept, if there is one.
    pub(super) refused_file: Option<String>,
    /// The command that goes on, when it ended before the job was over.
    pub(super) resume_with: Option<String>,
}

impl FailedPart {
    fn text(&self) -> String {
        let Self { input, label, source, reason } = self;
        let named = if input == label { input.clone() } else { format!("{label} ({input})") };
        format!("Failed: {named} at {source}: {}", reason.as_deref().unwrap_or("for an unknown reason"))
    }
}

impl Summary {
    /// Nothing usable came, or it was cancelled.
    pub(super) const fn failed(&self) -> bool {
        matches!(self.last.status, JobState::Failed | JobState::Cancelled)
    }

    /// Says that no site could be reached, for this reason or for that of the job.
    pub(super) fn say_nobody(&mut self, reason: Option<String>) {
        self.reached_nobody = true;
        let reason = reason.or(self.last.reason.take()).unwrap_or_default();
        self.last.reason = Some(format!("no site could be reached; is this machine online? ({reason})"));
    }

    pub(super) fn text(&self) -> String {
        let Snapshot { status, kept, wanted, found, duplicates, refused, reason, warnings, .. } = &self.last;
        let is_interrupted = self.resume_with.is_some() && !self.reached_nobody;
        let begun = if is_interrupted { "Interrupted with" } else { "Kept" };
        let of = if self.last.wanted_is_default { String::new() } else { format!(" of {wanted}") };
        let kept_here = if is_interrupted { " kept" } else { "" };
        let new = if self.is_continued { format!(" ({} new)", self.new) } else { String::new() };
        let files = match self.files {
            0 => String::new(),
            files => format!(": {files} files in {}", self.out),
        };
        let mut lines = vec![format!("{begun} {kept}{of} images{kept_here}{new}{files}")];
        let refused = refusals(refused);
        let see = self.refused_file.as_ref().map_or_else(String::new, |file| format!(": see {file}"));
        lines.push(format!("{found} found, {duplicates} duplicates, {refused}{see}"));
        if *status == JobState::Cancelled && self.resume_with.is_none() {
            lines
                .push("The job was cancelled from elsewhere; the same command again continues it".to_owned());
        }
        if *status == JobState::Completed && reason.is_none() && self.last.wanted_is_default {
            lines.push(if kept < wanted {
                "That is all there is: the sources have no more".to_owned()
            } else {
                format!("{wanted} are the most without --max: with a larger --max the same command goes on")
            });
        }
        let failed = &self.last.failed_parts;
        lines.extend(failed.iter().take(MOST_PARTS).map(FailedPart::text));
        if failed.len() > MOST_PARTS {
            let (more, job) = (failed.len() - MOST_PARTS, self.job);
            lines.push(format!("and {more} more parts failed: see pixcrawler jobs show {job}"));
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
            wanted_is_default: false,
            kept: 7,
            found: 12,
            duplicates: 1,
            refused: BTreeMap::from([("not-found".to_owned(), 4)]),
            reason: Some("kept 7 of 10: the sources have no more".to_owned()),
            warnings: Vec::new(),
            failed_parts: Vec::new(),
            running: false,
            left: None,
            waits: None,
        };
        let summary = Summary {
            job: JobId(3),
            last,
            new: 7,
            reached_nobody: false,
            is_continued: false,
            out: "red-panda".into(),
            files: 7,
            refused_file: Some("red-panda/refused.jsonl".into()),
            resume_with: None,
        };
        assert_eq!(
            summary.text(),
            "Kept 7 of 10 images: 7 files in red-panda\n\
             12 found, 1 duplicates, 4 refused (4 not-found): see red-panda/refused.jsonl\n\
             Why not all: kept 7 of 10: the sources have no more"
        );
        let interrupted = Summary {
            last: Snapshot { status: JobState::Running, reason: None, ..summary.last.clone() },
            new: 2,
            is_continued: true,
            out: summary.out.clone(),
            refused_file: None,
            resume_with: Some("pixcrawler crawl lion".to_owned()),
            ..summary
        };
        assert_eq!(
            interrupted.text(),
            "Interrupted with 7 of 10 images kept (2 new): 7 files in red-panda\n\
             12 found, 1 duplicates, 4 refused (4 not-found)\nTo continue:\n  pixcrawler crawl lion"
        );
        let all = Snapshot {
            wanted: 1000,
            wanted_is_default: true,
            refused: BTreeMap::new(),
            reason: None,
            warnings: vec!["webpage: slow".to_owned()],
            ..summary.last
        };
        let summary = Summary { last: all, ..summary };
        assert_eq!(
            summary.text(),
            "Kept 7 images: 7 files in red-panda\n\
             12 found, 1 duplicates, 0 refused: see red-panda/refused.jsonl\n\
             That is all there is: the sources have no more\nNote: webpage: slow"
        );
        let summary = Summary { last: Snapshot { kept: 1000, ..summary.last }, ..summary };
        assert!(summary.text().contains("with a larger --max the same command goes on"));
    }
}
