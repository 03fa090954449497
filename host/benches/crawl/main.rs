//! What the whole job costs on this machine: the released program, with its private
//! Postgres, crawls a site on loopback. Linux only, because the kernel is asked for CPU
//! time and memory.
//!
//! `cargo bench -p pixcrawler --bench crawl -- --images 2000`, and `-- --soak` for what others
//! see of it while everything happens that may go wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its result")]

mod client;
mod exports;
mod gallery;
mod host;
mod peer;
mod pictures;
mod soak;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use client::{Client, Followed};
use gallery::Gallery;
use host::{Cpu, Host, Watch};
use pixcrawler::{config, db::PgPool, store::Store};
use serde_json::{Map, Value, json};

/// Pictures of the crawl, unless told otherwise.
const IMAGES: usize = 2000;
/// Jobs at a time while the API is asked.
const JOBS: usize = 10;
/// Between two questions to the API.
const PAUSE: Duration = Duration::from_millis(2);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [serve, pictures] = arguments.as_slice()
        && serve == gallery::SERVE
    {
        return gallery::serve(Path::new(pictures));
    }
    if arguments.iter().any(|argument| argument == "--soak") {
        return tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(soak::soak());
    }
    let images = match arguments.iter().position(|argument| argument == "--images") {
        Some(at) => arguments.get(at + 1).map_or(Ok(IMAGES), |images| images.parse())?,
        None => IMAGES,
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(bench(images))
}

async fn bench(images: usize) -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    fs::create_dir_all(&folder)?;
    let files = folder.join("pictures");
    println!("Making pictures, unless they are there …");
    pictures::make(&files)?;
    let kind = pictures::kind(&files)?;
    let hashing = pictures::hash_a_megapixel(&files)?;
    println!(
        "{} pictures of {:.2} megapixels and {:.0} kB on average ({:.2} bytes a pixel): 85 % JPEG of which \
         6 % progressive, 8 % PNG, 5 % WebP (lossless), 2 % GIF",
        pictures::BASES,
        kind.megapixels,
        kind.kilobytes,
        kind.kilobytes / kind.megapixels / 1000.0
    );

    let data = tempfile::tempdir()?;
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o711))?;
    let gallery = Gallery::start(&files)?;
    let host = Host::start(data.path(), 10)?;
    let client = Client::new(host.address, host.token("bench@example.org")?);

    println!("One job, {images} images …");
    let before = host.cpu()?;
    anyhow::ensure!(images <= pictures::BASES, "there are {} different pictures", pictures::BASES);
    let watch = Watch::start({
        let processes = host.processes();
        move || processes.memory()
    });
    let begun = Instant::now();
    let job = client.create(&gallery.list(0, images), images).await?;
    let crawl = client.follow(&job, begun).await?;
    let after = host.cpu()?;
    anyhow::ensure!(crawl.kept == images, "{} of {images} images were kept", crawl.kept);
    let memory = host.peak_memory()?;

    println!("Its export, in at most 256 × 256 pixels …");
    exports::resized(&client, &job).await?;
    let exported = host.cpu()?;
    let export_memory = watch.peak();
    println!("The same by img2dataset, if `make bench` has fetched it …");
    let peer = peer::run(&gallery, images, data.path())?;

    let each = (images / JOBS).max(1);
    println!("{JOBS} jobs at a time, {each} images each …");
    let database = host.database().await?;
    let (mut asked, mut listed, followed) = many(&client, &gallery, &database, images, each).await?;
    let mut delays: Vec<Duration> = followed.into_iter().flat_map(|followed| followed.delays).collect();
    delays.extend(crawl.delays);

    println!("An export of {} pictures …", exports::PICTURES);
    let job = client.create(&gallery.list(0, 1), 1).await?;
    client.follow(&job, Instant::now()).await?;
    let store = Store::open(&config::Objects::default(), data.path())?;
    let archive = exports::archive(&client, (&database, &store), &job, host.processes()).await?;

    asked.sort_unstable();
    listed.sort_unstable();
    delays.sort_unstable();

    let per_image = |time: Duration| round(milliseconds(time) / images as f64);
    let results = [
        ("images kept", json!(images)),
        ("megapixels a picture", json!(round(kind.megapixels))),
        ("kB a picture", json!(round(kind.kilobytes))),
        ("wall time, s", json!(round(crawl.took.as_secs_f64()))),
        ("images a second", json!(round(images as f64 / crawl.took.as_secs_f64()))),
        ("CPU a kept image, ms", json!(per_image(after.host - before.host))),
        ("CPU of Postgres a kept image, ms", json!(per_image(after.postgres - before.postgres))),
        ("peak memory, MiB", json!(memory)),
        ("PDQ and scores, ms a megapixel", json!(round(milliseconds(hashing)))),
        ("crawl and 256 px copies, CPU an image, ms", json!(per_image(exported.host - before.host))),
        ("the same with Postgres, ms", json!(per_image(both(exported) - both(before)))),
        ("by img2dataset, ms", json!(peer.as_ref().map(|peer| per_image(peer.cpu)))),
        ("crawl and 256 px copies, peak memory, MiB", json!(export_memory)),
        ("by img2dataset, MiB", json!(peer.as_ref().map(|peer| peer.memory))),
        ("export of 100 000 pictures created, s", json!(round(archive.created.as_secs_f64()))),
        ("its archives, MB", json!(round(archive.megabytes))),
        ("its archives downloaded, MB/s", json!(round(archive.rate))),
        ("memory more than idle meanwhile, MiB", json!(archive.memory)),
        ("created to first image seen, ms", json!(round(milliseconds(crawl.first)))),
        ("change to event p50, ms", json!(round(milliseconds(percentile(&delays, 50))))),
        ("change to event p95, ms", json!(round(milliseconds(percentile(&delays, 95))))),
        ("changes", json!(delays.len())),
        ("GET crawl-jobs/{id} while 10 jobs run p50, ms", json!(round(milliseconds(percentile(&asked, 50))))),
        ("GET crawl-jobs/{id} while 10 jobs run p99, ms", json!(round(milliseconds(percentile(&asked, 99))))),
        ("a user's jobs from the database, p95, ms", json!(round(milliseconds(percentile(&listed, 95))))),
        ("requests", json!(asked.len())),
    ];
    show(&results);
    fs::write(
        folder.join("results.json"),
        serde_json::to_string_pretty(&Map::from_iter(
            results.map(|(what, figure)| (what.to_owned(), figure)),
        ))?,
    )?;
    Ok(())
}

fn both(cpu: Cpu) -> Duration {
    cpu.host + cpu.postgres
}

/// Several jobs at a time, of pictures from number `first` on, while the API is asked for them in turn, and
/// the database for all of them as the frontend asks it.
async fn many(
    client: &Client,
    gallery: &Gallery,
    database: &PgPool,
    first: usize,
    images: usize,
) -> anyhow::Result<(Vec<Duration>, Vec<Duration>, Vec<Followed>)> {
    let mut jobs = Vec::new();
    let mut following = Vec::new();
    for number in 0..JOBS {
        let begun = Instant::now();
        let job = client.create(&gallery.list(first + number * images, images), images).await?;
        jobs.push(job.id);
        let client = client.clone();
        following.push(tokio::spawn(async move { client.follow(&job, begun).await }));
    }
    let (mut asked, mut listed) = (Vec::new(), Vec::new());
    while !jobs.is_empty() {
        let mut running = Vec::new();
        for id in jobs {
            let (took, job) = client.show(id).await?;
            asked.push(took);
            listed.push(list(database).await?);
            if !job.is_over() {
                running.push(id);
            }
            tokio::time::sleep(PAUSE).await;
        }
        jobs = running;
    }
    let mut followed = Vec::new();
    for following in following {
        followed.push(following.await??);
    }
    Ok((asked, listed, followed))
}

/// How long the database takes for what the frontend shows of its user's jobs, under row-level security.
async fn list(database: &PgPool) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut tx = database.begin().await?;
    sqlx::query(
        "select set_config('request.jwt.claims', jsonb_build_object('sub', id, 'role', 'authenticated')::text, true),
                set_config('role', 'authenticated', true) from profiles limit 1",
    )
    .execute(&mut *tx)
    .await?;
    let rows = sqlx::query("select * from crawl_jobs order by id desc limit 50").fetch_all(&mut *tx).await?;
    anyhow::ensure!(rows.len() > JOBS, "the user sees {} jobs", rows.len());
    tx.rollback().await?;
    Ok(begun.elapsed())
}

fn show(results: &[(&str, Value)]) {
    println!();
    for (what, figure) in results {
        println!("{what:<50}{figure:>12}");
    }
}

/// Of sorted times; zero when there are none.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn round(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}
