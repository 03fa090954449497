//! What is counted and timed, for Prometheus. A value that is handed down like every
//! other part; no label holds an address or anything else that has no bounds. Each help text says
//! whether its figure is of this process or of the whole system, which every process tells alike.

mod process;

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::text,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::model::Refusal;

/// Begins the names of all figures but those that every process has.
const PREFIX: &str = "pixcrawler";

/// The figures of this process since it began.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    http_requests: Family<Labels<2>, Counter>,
    http_time: Family<Labels<1>, Histogram, fn() -> Histogram>,
    downloads: Family<Labels<2>, Counter>,
    downloads_in_flight: Gauge,
    download_bytes: Counter,
    download_time: Histogram,
    decode_time: Histogram,
    decoders_killed: Family<Labels<1>, Counter>,
    steps: Family<Labels<2>, Counter>,
    step_cpu: Family<Labels<1>, Counter<f64, AtomicU64>>,
    step_memory: Family<Labels<1>, Gauge>,
    source_requests: Family<Labels<2>, Counter>,
    candidates: Family<Labels<1>, Counter>,
    chunks: Family<Labels<1>, Counter>,
    queue_restarts: Counter,
    queue_wait: Histogram,
    stored: Mutex<Stored>,
}

/// How the figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// The text format of Prometheus, 0.0.4, which every tool reads.
    Prometheus,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

/// What is looked at in this process and on its machine when the figures are asked for.
#[derive(Clone, Debug, Default)]
pub struct HostFigures {
    /// Versions of the sources, by id.
    pub sources: Vec<(String, String)>,
    /// Plugins that were compiled where they run.
    pub plugin_cache_misses: u64,
    /// Connections of the pool, and those of them that nobody uses.
    pub connections: (u32, usize),
    /// Disks of folders of the host, by what is in them.
    pub disks: Vec<(&'static str, DiskSpace)>,
}

/// Space of the file system that a folder is on, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct DiskSpace {
    /// What this user may still write.
    pub free: u64,
    /// All that it holds.
    pub size: u64,
}

/// What the database knows of the whole system at one moment.
#[derive(Clone, Debug, Default)]
pub struct SystemFigures {
    /// Messages in the queue, by whether they are ready, scheduled for later, or running.
    pub messages: [(&'static str, i64); 3],
    /// For how long the first of those that are ready has been so, in seconds.
    pub oldest_message: f64,
    /// Jobs by state.
    pub jobs: Vec<(&'static str, i64)>,
    /// Chunks by state.
    pub chunks: Vec<(&'static str, i64)>,
    /// Users who wait for a slot.
    pub users_waiting: i64,
    /// Seconds of slices between those of them that have used most and least.
    pub users_spread: f64,
    /// Pictures judged since the system began, by source and outcome.
    pub judged: Vec<(String, String, u64)>,
    /// How each source fares: source, each condition, whether it is that.
    pub health: Vec<(String, &'static str, bool)>,
    /// Bytes of the originals that rows name, each once for its user, where that was looked at yet.
    pub stored: Option<i64>,
    /// Version of Postgres, in its own words.
    pub postgres: String,
    /// Number of the last migration that was applied.
    pub migration: i64,
}

/// What is stored, as it was when it was last asked for.
#[derive(Debug, Default)]
struct Stored {
    bytes: Option<i64>,
    asked: Option<Instant>,
}

/// All rows are looked at to know what is stored: not at every scrape.
const STORED_EVERY: Duration = Duration::from_mins(5);

type Labels<const N: usize> = [(&'static str, String); N];

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let r = &mut registry;
        Self {
            http_requests: registered(
                r,
                "http_requests",
                "Requests to the API by operation and class of status, of this process",
            ),
            http_time: timed_by(
                r,
                "http_request",
                "Time to the head of the answer, by operation, in this process",
            ),
            downloads: registered(
                r,
                "downloads",
                "Pictures judged by this process, by source: kept, duplicate, or the code of the refusal",
            ),
            downloads_in_flight: registered(
                r,
                "downloads_in_flight",
                "Pictures being downloaded by this process",
            ),
            download_bytes: registered_with_unit(
                r,
                "downloaded",
                "Bodies of pictures that this process received",
                Unit::Bytes,
            ),
            download_time: timed(
                r,
                "download",
                "Time of a download by this process, waiting for the host's turn included",
            ),
            decode_time: timed(r, "decode", "Processor time to decode and hash a picture, for this process"),
            decoders_killed: registered(
                r,
                "decoders_killed",
                "Children of this process that decode pictures and ended in the middle of one, by why: slow, deadline or itself",
            ),
            steps: registered(r, "plugin_steps", "Steps that this process made, by source and outcome"),
            step_cpu: registered_with_unit(
                r,
                "plugin_cpu",
                "Processor time of steps in this process, by source",
                Unit::Seconds,
            ),
            step_memory: registered_with_unit(
                r,
                "plugin_peak_memory",
                "Most memory of a step in this process, by source",
                Unit::Bytes,
            ),
            source_requests: registered(
                r,
                "source_requests",
                "Requests that this process made for sources, by class of status",
            ),
            candidates: registered(
                r,
                "source_candidates",
                "Pictures found by steps of this process, by source",
            ),
            chunks: registered(
                r,
                "chunk_slices",
                "Slices of chunks that this process worked on, by how they ended",
            ),
            stored: Mutex::default(),
            queue_restarts: registered(
                r,
                "queue_restarts",
                "Times that this process joined the queue anew, because the database failed",
            ),
            queue_wait: timed(r, "queue_wait", "Time that chunks waited until this process took them"),
            registry,
        }
    }
}

impl Metrics {
    /// Writes everything in this format; without what the database knows while that is out of reach.
    #[must_use]
    pub fn text(&self, format: TextFormat, host: &HostFigures, system: Option<&SystemFigures>) -> String {
        let mut text = String::new();
        let mut looked_at = host.registry();
        gauge(
            &mut looked_at,
            "database_up",
            "1 where the database answers this process, else 0, and all that it knows is left out",
            None,
            if system.is_some() { 1.0 } else { 0.0 },
        );
        let parts = [Some(looked_at), system.map(SystemFigures::registry), Some(process::registry())];
        for registry in std::iter::once(&self.registry).chain(parts.iter().flatten()) {
            // Writing to a string does not fail.
            let _ = text::encode_registry(&mut text, registry);
        }
        match format {
            TextFormat::Prometheus => without_open_metrics(&text),
            TextFormat::OpenMetrics => {
                let _ = text::encode_eof(&mut text);
                text
            }
        }
    }

    /// A request to the API was answered.
    pub fn http_request(&self, operation: &str, status: u16, took: Duration) {
        let labels = [("operation", operation.to_owned()), ("status", class(status))];
        self.http_requests.get_or_create(&labels).inc();
        let [operation, _] = labels;
        self.http_time.get_or_create(&[operation]).observe(took.as_secs_f64());
    }

    /// Follows a download to its end; it may be dropped.
    pub async fn download<T>(&self, download: impl Future<Output = T>) -> T {
        let _in_flight = InFlight::new(&self.downloads_in_flight);
        let begun = Instant::now();
        let done = download.await;
        self.download_time.observe(begun.elapsed().as_secs_f64());
        done
    }

    /// A body was received whole.
    pub fn received(&self, bytes: usize) {
        self.download_bytes.inc_by(bytes as u64);
    }

    /// A picture was decoded and hashed, or found broken.
    pub fn decoded(&self, took: Duration) {
        self.decode_time.observe(took.as_secs_f64());
    }

    /// A child that decodes pictures ended in the middle of one.
    pub fn decoder_killed(&self, why: &'static str) {
        self.decoders_killed.get_or_create_owned(&[("why", why.to_owned())]).inc();
    }

    /// A batch of verdicts was written.
    pub fn judged(&self, source: &str, kept: u64, duplicates: u64, refused: &[Refusal]) {
        let counter = |outcome: &str| {
            let labels = [("source", source.to_owned()), ("outcome", outcome.to_owned())];
            self.downloads.get_or_create_owned(&labels)
        };
        counter("kept").inc_by(kept);
        counter("duplicate").inc_by(duplicates);
        for refusal in refused {
            counter(refusal.code()).inc();
        }
    }

    /// A source made a step, or did not.
    pub fn step(&self, source: &str, outcome: &'static str) {
        let labels = [("source", source.to_owned()), ("outcome", outcome.to_owned())];
        self.steps.get_or_create(&labels).inc();
    }

    /// A source found pictures.
    pub fn candidates(&self, source: &str, found: usize) {
        self.candidates.get_or_create(&[("source", source.to_owned())]).inc_by(found as u64);
    }

    /// What a step cost; memory in bytes.
    pub fn step_cost(&self, source: &str, cpu: Duration, peak_memory: u64) {
        let labels = [("source", source.to_owned())];
        self.step_cpu.get_or_create(&labels).inc_by(cpu.as_secs_f64());
        let peak = i64::try_from(peak_memory).unwrap_or(i64::MAX);
        self.step_memory.get_or_create(&labels).inner().fetch_max(peak, Ordering::Relaxed);
    }

    /// A source's request was answered, or not.
    pub fn source_request(&self, source: &str, status: Option<u16>) {
        let status = status.map_or_else(|| "none".to_owned(), class);
        self.source_requests.get_or_create(&[("source", source.to_owned()), ("status", status)]).inc();
    }

    /// A worker gave a chunk back.
    pub fn slice_ended(&self, end: &'static str) {
        self.chunks.get_or_create(&[("end", end.to_owned())]).inc();
    }

    /// Whether it is time to look anew what is stored; then that counts as done.
    pub fn is_stored_due(&self) -> bool {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let due = stored.asked.is_none_or(|asked| asked.elapsed() >= STORED_EVERY);
        if due {
            stored.asked = Some(Instant::now());
        }
        due
    }

    /// Bytes that are stored.
    pub fn stored(&self, bytes: i64) {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).bytes = Some(bytes);
    }

    /// Bytes that were stored when it was last looked.
    pub fn last_stored(&self) -> Option<i64> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// The queue engine failed and is built anew.
    pub fn queue_restarted(&self) {
        self.queue_restarts.inc();
    }

    /// A chunk was claimed that had waited for so many seconds, where that is known.
    pub fn queue_wait(&self, seconds: Option<f64>) {
        if let Some(seconds) = seconds {
            self.queue_wait.observe(seconds.max(0.0));
        }
    }
}

impl TextFormat {
    /// Chooses what these headers `Accept` most: `OpenMetrics` where it is named and nothing is said for
    /// plain text or it is wanted no less.
    #[must_use]
    pub fn accepted<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open, mut plain) = (0.0, 0.0);
        for range in accept.into_iter().flat_map(|header| header.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let wanted = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => &mut open,
                "text/plain" => &mut plain,
                _ => continue,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            *wanted = quality.unwrap_or(1.0_f32).max(*wanted);
        }
        if open > 0.0 && open >= plain { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Names it, as in a header.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes what is in `OpenMetrics` in the format before it: a counter is described by the name that its
/// samples have, and units are told by names alone.
fn without_open_metrics(open: &str) -> String {
    let counters: BTreeSet<&str> =
        open.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open.len());
    for line in open.lines().filter(|line| !line.starts_with("# UNIT ")) {
        let about = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
        match about.and_then(|about| about.split_once(' ')) {
            Some((family, said)) if counters.contains(family) => {
                let kind = &line[..line.len() - family.len() - said.len() - 1];
                text.extend([kind, family, "_total ", said]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

impl HostFigures {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let r = &mut registry;
        let version = [("version", env!("CARGO_PKG_VERSION").to_owned())];
        gauges(r, "build_info", "Version of the program, of this process", None, [(version, 1.0)]);
        let sources = self
            .sources
            .iter()
            .map(|(source, version)| ([("source", source.clone()), ("version", version.clone())], 1.0));
        gauges(r, "source_info", "Versions of the sources that this process has loaded", None, sources);
        gauge(
            r,
            "plugin_cache_misses",
            "Plugins that this process compiled itself, because the cache was spoilt",
            None,
            self.plugin_cache_misses as f64,
        );
        let (all, idle) = (f64::from(self.connections.0), self.connections.1 as f64);
        let connections = [("idle", idle), ("used", all - idle)];
        let connections = connections.map(|(state, count)| ([("state", state.to_owned())], count));
        gauges(
            r,
            "database_connections",
            "Connections of this process to the database by state",
            None,
            connections,
        );
        let disks = |bytes: fn(&DiskSpace) -> u64| {
            let folder =
                |(folder, disk): &(&str, _)| ([("folder", (*folder).to_owned())], bytes(disk) as f64);
            self.disks.iter().map(folder).collect::<Vec<_>>()
        };
        let help = "Space that is left to this process on the disk that a folder of it is on";
        gauges(r, "disk_free", help, Some(Unit::Bytes), disks(|disk| disk.free));
        let help = "Space of the disk that a folder of this process is on";
        gauges(r, "disk_size", help, Some(Unit::Bytes), disks(|disk| disk.size));
        registry
    }
}

impl SystemFigures {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let r = &mut registry;
        let by_state = |counts: &[(&str, i64)]| {
            let counts =
                counts.iter().map(|(state, count)| ([("state", (*state).to_owned())], *count as f64));
            counts.collect::<Vec<_>>()
        };
        gauges(
            r,
            "queue_messages",
            "Messages in the queue of the whole system: ready to be taken, scheduled for later, or running",
            None,
            by_state(&self.messages),
        );
        gauge(
            r,
            "queue_oldest_message_age",
            "Since when the message has been ready that has been so for longest, in the whole system",
            Some(Unit::Seconds),
            self.oldest_message,
        );
        gauges(r, "jobs", "Jobs of the whole system by state", None, by_state(&self.jobs));
        gauges(r, "chunks", "Chunks of the whole system by state", None, by_state(&self.chunks));
        gauge(
            r,
            "users_waiting",
            "Users who wait for a slot, in the whole system",
            None,
            self.users_waiting as f64,
        );
        gauge(
            r,
            "users_waiting_spread",
            "Slices used by the one of them that has used most beyond those of the one that has used least, in \
             the whole system",
            Some(Unit::Seconds),
            self.users_spread,
        );
        if let Some(stored) = self.stored {
            let help = "Originals that rows name, each once for its user, in the whole system, as of the last five \
                        minutes";
            gauge(r, "stored", help, Some(Unit::Bytes), stored as f64);
        }
        let judged: Family<Labels<2>, Counter> = registered(
            r,
            "pictures_judged",
            "Pictures judged by the whole system since it began, by source: kept, duplicate, or the code of the \
             refusal; counted when a slice ends",
        );
        for (source, outcome, count) in &self.judged {
            let labels = [("source", source.clone()), ("outcome", outcome.clone())];
            judged.get_or_create(&labels).inc_by(*count);
        }
        let health = self.health.iter().map(|(source, condition, is)| {
            let labels = [("source", source.clone()), ("condition", (*condition).to_owned())];
            (labels, if *is { 1.0 } else { 0.0 })
        });
        gauges(
            r,
            "source_health",
            "1 for the condition that a source is in, in the whole system: ok, degraded or paused",
            None,
            health,
        );
        let version = [("version", self.postgres.clone())];
        gauges(r, "database_info", "Version of Postgres, of the whole system", None, [(version, 1.0)]);
        gauge(
            r,
            "database_migration",
            "Number of the last migration of the tables, of the whole system",
            None,
            self.migration as f64,
        );
        registry
    }
}

/// One of what is under way, until it is dropped.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Writes the class of a status: `2xx` for 204.
fn class(status: u16) -> String {
    format!("{}xx", status / 100)
}

/// Registers one value.
fn gauge(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>, value: f64) {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    register(registry, name, help, unit, gauge);
}

/// Registers a value for each set of labels.
fn gauges<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    values: impl IntoIterator<Item = (Labels<N>, f64)>,
) {
    let family = Family::<Labels<N>, Gauge<f64, AtomicU64>>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    register(registry, name, help, unit, family);
}

fn register(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    metric: impl prometheus_client::registry::Metric,
) {
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, metric),
        None => registry.register(name, help, metric),
    }
}

fn registered<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn registered_with_unit<M>(registry: &mut Registry, name: &str, help: &str, unit: Unit) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    let metric = M::default();
    registry.register_with_unit(name, help, unit, metric.clone());
    metric
}

fn timed(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = buckets();
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

fn timed_by(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> Family<Labels<1>, Histogram, fn() -> Histogram> {
    let histograms = Family::new_with_constructor(buckets as fn() -> Histogram);
    registry.register_with_unit(name, help, Unit::Seconds, histograms.clone());
    histograms
}

/// Makes buckets from 1 ms to 33 s, doubling.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}
