//! `serve` and `worker`: the long-running commands.

use std::process::ExitCode;

use clap::Args;

use crate::{api, app::Running, cli::stop, config::Config, crawl::Worker};

/// Run the API and a worker in this process.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler serve\n  \
    pixcrawler serve --port 9000 --slots 0        API only\n  \
    SUPABASE_URL=https://REF.supabase.co DATABASE_URL=postgres://… pixcrawler serve")]
pub(super) struct Serve {}

/// Run a worker only.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  DATABASE_URL=postgres://… pixcrawler worker --slots 16")]
pub(super) struct Work {}

impl Serve {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        let running = Running::start(config).await?;
        let server = api::Server::bind(running.app.clone()).await?;
        tracing::info!(address = %server.address(), docs = %format!("http://{}/docs", server.address()), "ready");
        let worker = async {
            if running.app.config.crawl.slots > 0 {
                Worker::run(running.app.clone(), stop.clone()).await;
            }
        };
        let server = async {
            let served = server.run(stop.clone()).await;
            stop.cancel();
            served
        };
        let (served, ()) = tokio::join!(server, worker);
        running.stop().await;
        served?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Work {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        let running = Running::start(config).await?;
        tracing::info!(slots = running.app.config.crawl.slots, "ready");
        Worker::run(running.app.clone(), stop).await;
        running.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}
