//! `jobs refused`: what a job did not take, and why.

use std::process::ExitCode;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use serde::Serialize;
use serde_json::json;

use super::JobArgs;
use crate::{
    cli::{counted, say, table::table, tell},
    config::Config,
    db::{
        self,
        images::{ImageFilter, ImageRow, ImageScope},
    },
    model::{Refusal, RefusalHelp, Verdict},
};

/// Rows read at a time.
const PAGE: i64 = 500;

/// List what a crawl job refused, by code: address, detail and page
///
/// Below each code stands what it means and what can be done. `pixcrawler jobs retry` tries again what
/// may pass, and with `--update` also what the site may have mended.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler jobs refused 12\n  \
    pixcrawler jobs refused 12 --reason too-small --limit 10\n  \
    pixcrawler jobs refused 12 --json | jq -r '.refused[] | [.code, .url] | @tsv'")]
pub(super) struct Refused {
    #[command(flatten)]
    job: JobArgs,
    /// Only what was refused for this code
    #[arg(long, alias = "code", value_name = "CODE", hide_possible_values = true, value_parser = PossibleValuesParser::new(Refusal::ALL.map(Refusal::code)).try_map(|code| Refusal::with_code(&code).ok_or("unknown")))]
    reason: Option<Refusal>,
    /// Most pictures to list
    #[arg(long, short = 'L', value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// A picture that was refused, under the keys of `refused.jsonl`.
#[derive(Serialize)]
struct RefusedPicture {
    /// The address that was asked first.
    url: String,
    code: String,
    /// In words.
    detail: Option<String>,
    page_url: Option<String>,
    source: Option<String>,
    /// Class that it would have had.
    label: Option<String>,
}

impl Refused {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let job = self.job.job();
        let limit = self.limit as usize;
        let refused = self.job.with(config, async |db, user| {
            let filter = ImageFilter {
                verdict: Some(Verdict::Refused),
                reason: self.reason,
                ..ImageFilter::default()
            };
            let (mut refused, mut after) = (Vec::new(), None);
            while refused.len() <= limit {
                let page = db::images::list(db, user, ImageScope::Job(job), &filter, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                refused.extend(page.into_iter().map(RefusedPicture::from));
            }
            Ok(refused)
        });
        let mut refused = refused.await?;
        let more = refused.len() > limit;
        refused.truncate(limit);
        if self.job.json {
            say(&json!({"refused": refused}).to_string());
        } else if refused.is_empty() {
            tell(&match self.reason {
                Some(reason) => format!("Job {job} refused nothing as {}.", reason.code()),
                None => format!("Job {job} refused nothing."),
            });
        } else {
            say(&text(&refused));
        }
        if more {
            tell(&format!("There are more than {limit}; --limit shows more of them."));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A block for each code, the most frequent first.
fn text(refused: &[RefusedPicture]) -> String {
    let mut codes: Vec<(&str, Vec<&RefusedPicture>)> = Vec::new();
    for picture in refused {
        match codes.iter_mut().find(|(code, _)| *code == picture.code) {
            Some((_, pictures)) => pictures.push(picture),
            None => codes.push((&picture.code, vec![picture])),
        }
    }
    codes.sort_by_key(|(_, pictures)| std::cmp::Reverse(pictures.len()));
    let blocks = codes.into_iter().map(|(code, pictures)| {
        let mut lines = vec![format!("{code} ({})", counted(pictures.len(), "picture"))];
        if let Some(refusal) = Refusal::with_code(code) {
            let RefusalHelp { meaning, advice } = refusal.help();
            lines.push(format!("  {meaning}\n  To do: {advice}"));
        }
        let rows: Vec<_> = pictures.into_iter().map(RefusedPicture::cells).collect();
        lines.push(table(&rows));
        lines.join("\n")
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}

impl RefusedPicture {
    fn cells(&self) -> Vec<String> {
        let page = self.page_url.as_ref().map(|page| format!("on {page}")).unwrap_or_default();
        vec![format!("    {}", self.url), self.detail.clone().unwrap_or_default(), page]
    }
}

impl From<ImageRow> for RefusedPicture {
    fn from(row: ImageRow) -> Self {
        let detail = row.metadata.as_ref().and_then(|metadata| metadata["detail"].as_str());
        let label = row.labels.as_ref().and_then(|labels| labels.0.0.first()).map(String::as_str);
        Self {
            detail: detail.map(str::to_owned),
            label: label.map(str::to_owned),
            url: row.original_url,
            // A row that the frontend wrote itself has none.
            code: row.reason.unwrap_or_default(),
            page_url: row.provenance.page_url,
            source: row.source,
        }
    }
}
