//! `serve` and `worker`: the long-running commands.

use std::{net::SocketAddr, process::ExitCode};

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    app::{App, Background, StartError},
    cli::stop,
    config::Config,
    crawl::Worker,
    fetch,
    services::{
        host::RunningHost,
        presence::{Presence, Role},
    },
};

/// Run the API and a worker in this process
///
/// Without settings: a private Postgres and all objects in the data folder, tokens by
/// `pixcrawler token`, listening on 127.0.0.1 only. With `SUPABASE_URL` and `DATABASE_URL`: on
/// that project, with its tokens. SIGTERM or Ctrl-C ends it within ten seconds and loses nothing.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler serve                              then see http://127.0.0.1:8000/docs\n  \
    pixcrawler serve --port 9000 --slots 0        API only, for workers elsewhere\n  \
    SUPABASE_URL=https://REF.supabase.co DATABASE_URL=postgres://… pixcrawler serve\n  \
    PIXCRAWLER_LOG_FORMAT=json PIXCRAWLER_CONTACT=you@example.org pixcrawler serve")]
pub(super) struct Serve {}

/// Run a worker only, beside the API or on another machine
///
/// Takes work from the queue in `DATABASE_URL`; every worker of that database must have the
/// same store and the same sources. Without `DATABASE_URL` it joins the private Postgres of a
/// `serve` with the same data folder on this machine, and starts it where none runs.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    DATABASE_URL=postgres://… pixcrawler worker --slots 16\n  \
    pixcrawler worker                             joins a `serve` on this machine\n  \
    pixcrawler worker --metrics-listen 9100       then see http://127.0.0.1:9100/metrics")]
pub(super) struct WorkerArgs {
    /// Show `/metrics` for Prometheus, and `/health` and `/health/ready` for probes, on this port of
    /// 127.0.0.1, or of another address: they need no token
    #[arg(
        long,
        env = "PIXCRAWLER_METRICS_LISTEN",
        hide_env_values = true,
        value_name = "[IP:]PORT",
        value_parser = listen_address
    )]
    metrics_listen: Option<SocketAddr>,
}

impl Serve {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        run(config, serve).await
    }
}

impl WorkerArgs {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        run(config, async |app, stop| self.work(app, stop).await).await
    }

    /// A worker until `stop`; when what it shows can no longer be shown, it stops.
    async fn work(self, app: App, stop: CancellationToken) -> anyhow::Result<()> {
        let server = match self.metrics_listen {
            Some(address) => Some(api::ApiServer::bind_probes(app.clone(), address).await?),
            None => None,
        };
        let begun = stop.run_until_cancelled(Presence::begin(&app, Role::Worker)).await;
        let Some(presence) = begun else { return Ok(()) };
        let address = server.as_ref().map(|server| tracing::field::display(server.address()));
        tracing::info!(event = "ready", slots = app.config.crawl.slots, address, "ready");
        let server = async {
            let Some(server) = server else { return Ok(()) };
            let served = server.run(stop.clone()).await;
            stop.cancel();
            served
        };
        let worker = async { tokio::join!(Worker::run(app.clone(), stop.clone()), app.keep_exports(&stop)) };
        let inbox = app.clone().watch_inbox(stop.clone());
        let upkeep = app.keep_objects(&stop);
        let (served, _, (), (), ()) =
            tokio::join!(server, worker, presence.keep(stop.clone()), inbox, upkeep);
        Ok(served?)
    }
}

/// Reads `9100` or `127.0.0.1:9100`.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
    port.or_else(|_| text.parse()).map_err(|_| "give a port, or IP:PORT such as 0.0.0.0:9100".to_owned())
}

/// Starts a host and does what it is for, until the first signal.
async fn run(
    config: Config,
    purpose: impl AsyncFnOnce(App, CancellationToken) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    if config.lacks_database() {
        return Err(StartError::ProjectWithoutDatabase.into());
    }
    fetch::warn_of_openings(&config.fetch);
    let stop = stop::on_signal()?;
    let announce = |what: &str| tracing::info!(event = "preparing", what, "preparing");
    let running = match RunningHost::start(config, &stop, &announce).await {
        // Told to end before it had anything to lose.
        Err(StartError::Stopped) => return Ok(ExitCode::SUCCESS),
        started => started?,
    };
    let done = purpose(running.app.clone(), stop).await;
    running.stop().await?;
    done.map(|()| ExitCode::SUCCESS)
}

/// API and worker until `stop`; when the API fails or the database is not safe, both stop.
async fn serve(app: App, stop: CancellationToken) -> anyhow::Result<()> {
    let server = api::ApiServer::bind(app.clone()).await?;
    let begun = stop.run_until_cancelled(Presence::begin(&app, Role::Server)).await;
    let Some(presence) = begun else { return Ok(()) };
    tracing::info!(event = "ready", address = %server.address(), docs = %format!("http://{}/docs", server.address()), "ready");
    let background = Background::new(&app)?;
    let work = |app: App| {
        let stop = stop.clone();
        async move {
            tokio::join!(Worker::run(app.clone(), stop.clone()), app.keep_exports(&stop));
        }
    };
    let worker = async {
        if app.config.crawl.slots > 0 {
            background.run(work).await;
        }
    };
    let server = async {
        let served = server.run(stop.clone()).await;
        stop.cancel();
        served
    };
    let guard = async {
        let guarded = app.keep_guarded(stop.clone()).await;
        stop.cancel();
        guarded
    };
    let inbox = app.clone().watch_inbox(stop.clone());
    let upkeep = app.keep_objects(&stop);
    let (served, (), guarded, (), (), ()) =
        tokio::join!(server, worker, guard, inbox, presence.keep(stop.clone()), upkeep);
    served?;
    Ok(guarded?)
}
