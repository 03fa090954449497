//! `hash`: what files look like, as hashes that other commands take.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde_json::json;

use crate::{
    app::decode_limits,
    cli::{say, stop, tell},
    config::Config,
    crawl::decode::FileDecoder,
    model::{Pdq, PictureHash},
};

/// Print the perceptual hashes (PDQ) of picture files
///
/// One a line, with the name of its file behind a `#`: a list for `pixcrawler crawl --unlike`. A picture with
/// uniform borders has a second one, of what is within them. What has little to see (a quality below 50) looks
/// like nothing else by its hash; it is told on standard error and left out.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler hash benchmark/*.jpg > benchmark.txt\n  \
    pixcrawler crawl \"red panda\" --unlike benchmark.txt\n  \
    pixcrawler hash picture.png --json\n\n\
    Exit codes: 0 all were read, 1 some were not, 130 interrupted.")]
pub(super) struct HashArgs {
    /// JPEG, PNG, GIF or WebP
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON object a file, with the quality, also of what has little to see
    #[arg(long)]
    json: bool,
}

impl HashArgs {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        let mut decoder = FileDecoder::new(config.plugins.program.as_deref(), decode_limits(config));
        let mut failed = false;
        for file in &self.files {
            let Some(hash) = stop.run_until_cancelled(hash(&mut decoder, file)).await else {
                return Ok(ExitCode::from(130));
            };
            match hash {
                Ok(hash) => self.report(file, &hash),
                Err(error) => {
                    failed = true;
                    tell(&format!("pixcrawler: {}: {error:#}", file.display()));
                }
            }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn report(&self, file: &Path, hash: &PictureHash) {
        let shown = file.display().to_string();
        if self.json {
            let PictureHash { pdq, quality, trimmed, .. } = hash;
            say(&json!({ "file": shown, "pdq": pdq, "quality": quality, "trimmed": trimmed }).to_string());
            return;
        }
        // What a name has of them would end the comment.
        let shown = shown.replace(['\n', '\r'], " ");
        if hash.quality < Pdq::LEAST_QUALITY {
            tell(&format!("{shown}: little to see (quality {}), left out", hash.quality));
        }
        hash.telling().for_each(|pdq| say(&format!("{pdq}  # {shown}")));
    }
}

async fn hash(decoder: &mut FileDecoder, file: &Path) -> anyhow::Result<PictureHash> {
    let bytes = tokio::fs::read(file).await?;
    Ok(decoder.decode(bytes.into()).await??.hash)
}
