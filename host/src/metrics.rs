//! What is counted and timed, for Prometheus. A value that is handed down like every
//! other part; no label holds an address or anything else that has no bounds.

use std::{
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

/// The figures of this process since it began, and some of the whole system when asked.
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
    source_health: Family<Labels<2>, Gauge>,
    chunks: Family<Labels<1>, Counter>,
    queue_restarts: Counter,
    plugin_cache_misses: Gauge,
    connections: Family<Labels<1>, Gauge>,
    jobs_running: GaugeValue,
    leases_held: GaugeValue,
    queue_wait: Histogram,
    users_waiting: GaugeValue,
    users_spread: GaugeValue,
    stored: GaugeValue,
    /// When `stored` was last asked for.
    stored_asked: Mutex<Option<Instant>>,
}

/// All rows are looked at to know what is stored: not at every scrape.
const STORED_EVERY: Duration = Duration::from_mins(5);

type Labels<const N: usize> = [(&'static str, String); N];

/// Not a number while it is not known.
type GaugeValue = Gauge<f64, AtomicU64>;

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("pixcrawler");
        let r = &mut registry;
        Self {
            http_requests: registered(
                r,
                "http_requests",
                "Requests to the API by operation and class of status",
            ),
            http_time: timed_by(r, "http_request", "Time to the head of the answer, by operation"),
            downloads: registered(
                r,
                "downloads",
                "Pictures judged, by source: kept, duplicate, or the code of the refusal",
            ),
            downloads_in_flight: registered(r, "downloads_in_flight", "Pictures being downloaded"),
            download_bytes: registered_with_unit(r, "downloaded", "Bodies of pictures", Unit::Bytes),
            download_time: timed(r, "download", "Time of a download, waiting for the host's turn included"),
            decode_time: timed(r, "decode", "Processor time to decode and hash a picture"),
            decoders_killed: registered(
                r,
                "decoders_killed",
                "Children that decode pictures and ended in the middle of one, by why: slow, deadline or itself",
            ),
            steps: registered(r, "plugin_steps", "Steps by source and outcome"),
            step_cpu: registered_with_unit(r, "plugin_cpu", "CPU time of steps by source", Unit::Seconds),
            step_memory: registered_with_unit(
                r,
                "plugin_peak_memory",
                "Most memory of a step by source",
                Unit::Bytes,
            ),
            source_requests: registered(r, "source_requests", "Requests of sources by class of status"),
            candidates: registered(r, "source_candidates", "Pictures found by source"),
            source_health: registered(
                r,
                "source_health",
                "1 for the condition that a source is in: ok, degraded or paused",
            ),
            chunks: registered(r, "chunk_slices", "Slices of chunks by how they ended"),
            queue_restarts: registered(r, "queue_restarts", "Times that the queue engine was built anew"),
            plugin_cache_misses: registered(
                r,
                "plugin_cache_misses",
                "Plugins that this process compiled itself, because the cache was spoilt",
            ),
            connections: registered(r, "database_connections", "Connections of this process's pool by state"),
            jobs_running: registered(r, "jobs_running", "Jobs that are running, in the whole system"),
            leases_held: registered(r, "leases_held", "Chunks that a worker holds, in the whole system"),
            queue_wait: timed(r, "queue_wait", "Time that a chunk waited for its turn"),
            users_waiting: registered(r, "users_waiting", "Users who wait for a slot, in the whole system"),
            users_spread: registered_with_unit(
                r,
                "users_waiting_spread",
                "Slices used by the one of them that has used most beyond those of the one that has used least",
                Unit::Seconds,
            ),
            stored: registered_with_unit(
                r,
                "stored",
                "Originals that rows name, each once for its user, in the whole system, as of the last five minutes",
                Unit::Bytes,
            ),
            stored_asked: Mutex::default(),
            registry,
        }
    }
}

impl Metrics {
    /// Writes everything in the text format of `OpenMetrics` 1.0.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
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

    /// How each source fares, when the database says: source, each condition, whether it is that.
    pub fn health<'a>(&self, states: impl Iterator<Item = (&'a str, &'static str, bool)>) {
        self.source_health.clear();
        for (source, condition, is) in states {
            let labels = [("source", source.to_owned()), ("condition", condition.to_owned())];
            self.source_health.get_or_create(&labels).set(i64::from(is));
        }
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

    /// Users who wait and the spread of what they have used, when the database says.
    pub fn fairness(&self, users: Option<(i64, f64)>) {
        let (waiting, spread) =
            users.map_or((f64::NAN, f64::NAN), |(waiting, spread)| (waiting as f64, spread));
        self.users_waiting.set(waiting);
        self.users_spread.set(spread);
    }

    /// Plugins that were compiled where they run.
    pub fn cache_misses(&self, count: u64) {
        self.plugin_cache_misses.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Connections in the pool, and those of them that nobody uses.
    pub fn connections(&self, all: u32, idle: usize) {
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        self.connections.get_or_create(&[("state", "idle".to_owned())]).set(idle);
        self.connections.get_or_create(&[("state", "used".to_owned())]).set(i64::from(all) - idle);
    }

    /// Whether it is time to ask anew what is stored; then it counts as asked.
    pub fn is_stored_due(&self) -> bool {
        let mut asked = self.stored_asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_none() {
            self.stored.set(f64::NAN);
        }
        let due = asked.is_none_or(|asked| asked.elapsed() >= STORED_EVERY);
        if due {
            *asked = Some(Instant::now());
        }
        due
    }

    /// Bytes that are stored.
    pub fn stored(&self, bytes: i64) {
        self.stored.set(bytes as f64);
    }

    /// Jobs that run and chunks that are held, when the database says.
    pub fn under_way(&self, counts: Option<(i64, i64)>) {
        let (jobs, leases) =
            counts.map_or((f64::NAN, f64::NAN), |(jobs, leases)| (jobs as f64, leases as f64));
        self.jobs_running.set(jobs);
        self.leases_held.set(leases);
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
