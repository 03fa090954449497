//! What one plugin step costs: a fresh instance, the call, and giving everything back.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::{path::Path, time::Duration, time::Instant};

use anyhow::Context as _;
use pixcrawler::{config, model::Query, plugins::Plugins};

const STEPS: usize = 20_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let data = tempfile::TempDir::new()?;
    let settings = config::Plugins {
        cache_dir: None,
        plugins_dir: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests")),
        grant: vec!["steps".to_owned()],
        credential: Vec::new(),
        credentials_file: None,
        credentials_command: None,
        plugin_deadline: Duration::from_secs(2),
        plugin_memory: 64,
        plugin_compile_deadline: Duration::from_secs(60),
        program: Some(env!("CARGO_BIN_EXE_pixcrawler").into()),
        plugins_poll: Duration::from_secs(5),
    };
    let plugins = Plugins::load(&settings, data.path()).await.context("run `make plugins` first")?;
    let steps = plugins.get("steps").context("there is no guest `steps`")?;
    let query = Query {
        text: "red fox".to_owned(),
        limit: 100,
        safe_search: true,
        language: None,
        options: Vec::new(),
        credentials: Vec::new(),
    };
    let mut times = Vec::with_capacity(STEPS);
    for _ in 0..STEPS {
        let began = Instant::now();
        plugins.start(&steps, &query).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    println!("one step: p50 {:?}, p95 {:?}", times[STEPS / 2], times[STEPS * 95 / 100]);
    Ok(())
}
