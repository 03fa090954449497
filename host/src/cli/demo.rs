//! `demo`: the whole job on this machine, without the internet. A gallery on loopback
//! stands in for a web site; everything else is the real thing: the API is called with
//! a token, a worker runs the `webpage` plugin, and what it keeps is checked against
//! what was planted.

mod contact_sheet;
mod gallery;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    auth::Caller,
    cli::{client::Client, say, stop},
    config::{self, Config},
    crawl::Worker,
    dataset, db,
    model::{DatasetId, JobId},
    private,
    services::host::RunningHost,
};

use gallery::{Expected, Gallery};

/// Pictures in the report.
const PER_LABEL: u32 = 60;

/// See it work: a crawl of a gallery on this machine, from job to dataset
///
/// A gallery of painted pictures, with everything that goes wrong on real sites, is served
/// on loopback and crawled through the real API by the real worker; what comes of it is
/// compared with what was planted. Needs no internet; its data are kept apart.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  pixcrawler demo\n  pixcrawler demo --out /tmp/gallery\n\n\
    Exit codes: 0 the result is what was planted, 1 it is not or something failed.")]
pub(super) struct Demo {
    /// Folder for the dataset, the contact sheet and the report
    #[arg(long, default_value = "pixcrawler-demo", value_name = "DIR")]
    out: PathBuf,
}

/// What a job looks like to the demo: a few fields of the API's answer.
#[derive(Debug, Deserialize)]
struct DemoJob {
    id: JobId,
    dataset_id: DatasetId,
    status: String,
    total_images: u64,
    kept: u32,
    duplicates: u32,
    refused: BTreeMap<String, u32>,
    error: Option<String>,
}

impl Demo {
    pub(super) async fn run(self, mut config: Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        say("Making a gallery …");
        let gallery =
            tokio::task::spawn_blocking(Gallery::generate).await?.context("cannot paint the gallery")?;
        let served = gallery.serve().await.context("cannot serve the gallery")?;
        say(&format!("It is served on http://{} as {}", served.address(), gallery::ORIGIN));

        config.data_dir = Some(config.data_dir().join("demo"));
        config.crawl.lift_limits();
        config.http.host = Some(Ipv4Addr::LOCALHOST.into());
        config.http.port = 0;
        config.database.database_url = None;
        config.objects = config::Objects::default();
        config.supabase.supabase_url = None;
        config.supabase.supabase_jwt_secret = None;
        config.supabase.supabase_jwt_secret_until = None;
        let mapping = format!("{}=http://{}", gallery::ORIGIN, served.address());
        config.fetch.map_origin.push(mapping.parse().map_err(anyhow::Error::msg)?);
        let running = RunningHost::start(config, &stop, &|_| ()).await?;
        let server = api::ApiServer::bind(running.app.clone()).await?;
        say(&format!("The API listens on http://{}, see /docs", server.address()));

        let address = server.address();
        let done = CancellationToken::new();
        let services = tokio::spawn({
            let (app, done) = (running.app.clone(), done.clone());
            async move { tokio::join!(server.run(done.clone()), Worker::run(app, done)).0 }
        });
        let result = tokio::select! {
            result = self.crawl(&running, address, &gallery, terminal) => result,
            () = stop.cancelled() => Err(anyhow::anyhow!("ended by a signal")),
        };
        done.cancel();
        let served = services.await;
        running.stop().await?;
        served??;
        Ok(if result? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Creates the job, watches it and shows what came of it; whether that is what was planted.
    async fn crawl(
        &self,
        running: &RunningHost,
        api: std::net::SocketAddr,
        gallery: &Gallery,
        terminal: &MultiProgress,
    ) -> anyhow::Result<bool> {
        let (app, expected) = (&running.app, &gallery.expected);
        let issuer = app.auth.issuer().context("the demo needs the local issuer")?;
        let token = issuer.issue("demo@example.org", Duration::from_secs(3600))?;
        let caller: Caller = app.auth.verify(&token).await?;
        let client = Client::new(api, &token, &app.config.fetch)?;

        let request = serde_json::json!({
            "name": "demo",
            "urls": [gallery.start],
            "sources": ["webpage"],
            "max_images": 1000,
        });
        let created: DemoJob = client.call("/api/v1/crawl-jobs/", Some(&request)).await?;
        let job = watch(&client, created.id, expected, terminal).await?;
        if let Some(error) = &job.error {
            say(&format!("The job says: {error}"));
        }
        let (groups, _) = db::report::groups(&app.db, caller.user, job.dataset_id, i64::MAX).await?;
        let look_alikes = groups.iter().map(|group| group.others).sum::<i64>();
        let matches = compare(&job, u32::try_from(look_alikes)?, expected);

        let files = dataset::export(app, caller.user, job.id, &self.out).await?.files;
        let sheet = self.out.join("contact-sheet.png");
        draw(files, &sheet).await?;
        let page = self.out.join("report.html");
        ensure!(dataset::report::may_write(&page), "{} is no report; choose another --out", page.display());
        dataset::report::write(app, caller.user, job.dataset_id, &page, PER_LABEL, &|_, _| ()).await?;
        say(&format!(
            "\nDataset folder: {}\nContact sheet:  {}\nReport:         {}",
            self.out.display(),
            sheet.display(),
            page.display()
        ));
        Ok(matches)
    }
}

/// Follows the job to its end, with a bar.
async fn watch(
    client: &Client,
    id: JobId,
    expected: &Expected,
    terminal: &MultiProgress,
) -> anyhow::Result<DemoJob> {
    let planted = expected.kept + expected.duplicates + expected.refused.values().sum::<u32>();
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} judged  {msg}  {elapsed}")?;
    let bar = terminal.add(ProgressBar::new(planted.into()).with_style(style));
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        let job: DemoJob = client.call(&format!("/api/v1/crawl-jobs/{id}"), None).await?;
        let refused: u32 = job.refused.values().sum();
        bar.set_position(job.total_images);
        bar.set_message(format!("{} kept, {} duplicates, {refused} refused", job.kept, job.duplicates));
        match job.status.as_str() {
            "pending" | "running" => {}
            "completed" => {
                bar.finish();
                return Ok(job);
            }
            status => bail!("the job ended as {status}: {}", job.error.unwrap_or_default()),
        }
    }
}

/// Shows the table; whether every number is as planted.
fn compare(job: &DemoJob, look_alikes: u32, expected: &Expected) -> bool {
    let mut codes: BTreeMap<&str, [u32; 2]> = BTreeMap::new();
    for (code, count) in &job.refused {
        codes.entry(code).or_default()[0] = *count;
    }
    for (refusal, count) in &expected.refused {
        codes.entry(refusal.code()).or_default()[1] = *count;
    }
    let mut rows = vec![
        ("kept".to_owned(), [job.kept, expected.kept]),
        ("duplicate".to_owned(), [job.duplicates, expected.duplicates]),
        ("that only looks alike".to_owned(), [look_alikes, expected.look_alikes]),
    ];
    rows.extend(codes.into_iter().map(|(code, counts)| (format!("refused: {code}"), counts)));
    say(&format!("\n{:<28}{:>8}{:>9}", "", "found", "planted"));
    for (what, [found, planted]) in &rows {
        let mark = if found == planted { "" } else { "  ← differs" };
        say(&format!("{what:<28}{found:>8}{planted:>9}{mark}"));
    }
    rows.iter().all(|(_, [found, planted])| found == planted)
}

async fn draw(files: Vec<PathBuf>, sheet: &Path) -> anyhow::Result<()> {
    let sheet = sheet.to_owned();
    tokio::task::spawn_blocking(move || {
        let pictures = files.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
        contact_sheet::contact_sheet(&pictures, 8, 160)
            .save(&sheet)
            .map_err(anyhow::Error::from)
            .and_then(|()| Ok(private::share(&sheet)?))
            .context("cannot write the contact sheet")
    })
    .await?
}
