//! The real binary, as the processes of one system: they share a database and a data
//! folder, crawl one [`Site`], and may be killed.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use pixcrawler::{auth::issuer::Issuer, db::PgPool, postgres};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sqlx::postgres::PgListener;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
    sync::watch,
};

use super::{
    api::{Answer, send},
    postgres::{DataDir, TestDatabase, data_dir, database},
    site::{PATIENCE, Site},
};

/// A front door (`serve` without a worker) and what its workers share.
pub(crate) struct System {
    pub(crate) pool: PgPool,
    /// None for the private one of the data folder.
    database: Option<SecretString>,
    mapping: String,
    settings: Settings,
    data: DataDir,
    door: Process,
    client: reqwest::Client,
    token: String,
    started: AtomicU32,
}

/// Variables of the environment beside those that every process gets.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// Nothing ends by itself as long as a test lasts: no slice, no request, no worker that is taken for dead.
pub(crate) const ENDLESS: [(&str, &str); 3] =
    [("PIXCRAWLER_HEARTBEAT", "1h"), ("PIXCRAWLER_SLICE", "1h"), ("PIXCRAWLER_REQUEST_TIMEOUT", "1h")];

/// A process of the binary; killed when dropped. What it logged is shown when the test fails.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<Value>>,
    more: watch::Sender<bool>,
}

impl System {
    pub(crate) async fn start(site: &Site) -> Self {
        Self::with(site, database().await, &[]).await
    }

    /// With its own settings, on this database.
    pub(crate) async fn with(site: &Site, database: TestDatabase, settings: &[(&'static str, &str)]) -> Self {
        let TestDatabase { url, pool } = database;
        Self::on(site, Some(url), |_| async move { pool }, settings).await
    }

    /// On a private Postgres, which all processes share.
    pub(crate) async fn private(site: &Site) -> Self {
        let pool = |data: PathBuf| async move {
            let url = postgres::running(&data).await.unwrap();
            pixcrawler::db::connect(&url, 5).await.unwrap()
        };
        Self::on(site, None, pool, &[]).await
    }

    async fn on<P: Future<Output = PgPool>>(
        site: &Site,
        database: Option<SecretString>,
        pool: impl FnOnce(PathBuf) -> P,
        settings: &[(&'static str, &str)],
    ) -> Self {
        let data = data_dir();
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let launch = Launch {
            data: &data.of_host(),
            database: database.as_ref(),
            mapping: &site.mapping(),
            settings: &settings,
        };
        let door = launch.begin("serve", "front door", &[("PIXCRAWLER_SLOTS", "0")]);
        door.logged("ready").await;
        let pool = pool(data.of_host()).await;
        let issuer = Issuer::open(&data.of_host()).unwrap();
        let token = issuer.issue("ann@example.org", Duration::from_secs(3600)).unwrap();
        Self {
            pool,
            database,
            mapping: site.mapping(),
            settings,
            data,
            door,
            client: reqwest::Client::new(),
            token,
            started: AtomicU32::new(0),
        }
    }

    /// A worker that is ready.
    pub(crate) async fn worker(&self, settings: &[(&str, &str)]) -> Process {
        self.launch("worker", settings).await
    }

    /// A server with a worker in it that is ready.
    pub(crate) async fn server(&self, settings: &[(&str, &str)]) -> Process {
        self.launch("serve", settings).await
    }

    async fn launch(&self, command: &str, settings: &[(&str, &str)]) -> Process {
        let process = self.begin(command, settings);
        process.logged("ready").await;
        process
    }

    /// A process that is not ready yet.
    pub(crate) fn begin(&self, command: &str, settings: &[(&str, &str)]) -> Process {
        let name = format!("{command} {}", self.started.fetch_add(1, Ordering::Relaxed));
        let launch = Launch {
            data: &self.data.of_host(),
            database: self.database.as_ref(),
            mapping: &self.mapping,
            settings: &self.settings,
        };
        launch.begin(command, &name, settings)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    /// A job of these addresses of the site.
    pub(crate) async fn create(&self, paths: &[&str], max_images: usize) -> i64 {
        self.create_with(paths, max_images, serde_json::json!({})).await
    }

    /// A job of these addresses of the site, with more fields.
    pub(crate) async fn create_with(&self, paths: &[&str], max_images: usize, more: Value) -> i64 {
        let mut body = body(paths, max_images);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.create_job(&body).await["id"].as_i64().unwrap()
    }

    /// A job of these addresses of the site that is completed.
    pub(crate) async fn crawl(&self, paths: &[&str], max_images: usize) -> Value {
        self.crawl_with(paths, max_images, serde_json::json!({})).await
    }

    /// A job of these addresses of the site, with more fields, that is completed.
    pub(crate) async fn crawl_with(&self, paths: &[&str], max_images: usize, more: Value) -> Value {
        let job = self.create_with(paths, max_images, more).await;
        self.until_status(job, "completed").await
    }

    /// A job as the body says.
    pub(crate) async fn create_job(&self, body: &Value) -> Value {
        self.call("POST", "/api/v1/crawl-jobs/", Some(body)).await.expect(201).json()
    }

    pub(crate) async fn job(&self, id: i64) -> Value {
        self.get(&format!("/api/v1/crawl-jobs/{id}")).await.expect(200).json()
    }

    /// The answer to one who asks for a job of these addresses of the site.
    pub(crate) async fn ask_as(&self, email: &str, paths: &[&str], max_images: usize) -> Answer {
        let body = body(paths, max_images);
        let request = self.client.post(format!("http://{}/api/v1/crawl-jobs/", self.door.address()));
        send(request.bearer_auth(self.token_of(email)).json(&body)).await
    }

    /// `cancel` or `retry`.
    pub(crate) async fn tell(&self, id: i64, what: &str) -> Value {
        self.call("POST", &format!("/api/v1/crawl-jobs/{id}/{what}"), None).await.expect(200).json()
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("http://{}{path}", self.door.address());
        let request = self.client.request(method.parse().unwrap(), url).bearer_auth(&self.token);
        send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// The rows of what a job found, the first hundred.
    pub(crate) async fn images(&self, id: impl std::fmt::Display) -> Vec<Value> {
        let shown = self.get(&format!("/api/v1/crawl-jobs/{id}/images?limit=100")).await.expect(200).json();
        shown["items"].as_array().unwrap().clone()
    }

    /// Waits until the job is as `met` wants it, and gives it.
    pub(crate) async fn until(&self, id: i64, what: &str, met: impl Fn(&Value) -> bool) -> Value {
        self.watch(id, what, met, false).await
    }

    /// The same, and meanwhile everything that waits for a time begins at once.
    pub(crate) async fn until_hurried(&self, id: i64, what: &str, met: impl Fn(&Value) -> bool) -> Value {
        self.watch(id, what, met, true).await
    }

    async fn watch(&self, id: i64, what: &str, met: impl Fn(&Value) -> bool, hurry: bool) -> Value {
        let mut listener = PgListener::connect_with(&self.pool).await.unwrap();
        listener.listen(pixcrawler::db::progress::CHANNEL).await.unwrap();
        let mut last = Value::Null;
        let wait = async {
            loop {
                if hurry {
                    self.hurry().await;
                }
                last = self.job(id).await;
                if met(&last) {
                    return;
                }
                // Not every change of a chunk is told.
                let _ = tokio::time::timeout(Duration::from_millis(200), listener.recv()).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("not within {PATIENCE:?}: {what}; the job is {last:#}");
        }
        last
    }

    /// Waits until the job has this status, and gives it.
    pub(crate) async fn until_status(&self, id: i64, status: &str) -> Value {
        self.until(id, status, |job| job["status"] == status).await
    }

    /// Lets everything that waits for a time begin now.
    pub(crate) async fn hurry(&self) {
        for statement in [
            "update pixcrawler.candidate set not_before = now() where not_before > now()",
            "update pixcrawler.chunk set step_not_before = now() where step_not_before > now()",
            "update pixcrawler.pace set next_at = now() where next_at > now()",
            "select graphile_worker.reschedule_jobs(array_agg(id), run_at => now()) from graphile_worker.jobs
              where run_at > now() and locked_at is null",
        ] {
            sqlx::query(statement).execute(&self.pool).await.unwrap();
        }
    }

    /// Runs `plugin` with these arguments on the folder of plugins that all processes share.
    pub(crate) async fn plugin(&self, arguments: &[&str]) -> String {
        self.plugin_with(arguments, &[]).await
    }

    /// The same with settings of its own.
    pub(crate) async fn plugin_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> String {
        self.tool(&[&["plugin"], arguments].concat(), settings).await
    }

    /// What a command of the operator says, which must go well.
    pub(crate) async fn tool(&self, arguments: &[&str], settings: &[(&str, &str)]) -> String {
        let output = self.run(arguments, settings).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Why a command of the operator fails.
    pub(crate) async fn fails(&self, arguments: &[&str], settings: &[(&str, &str)]) -> String {
        let output = self.run(arguments, settings).await;
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) async fn run(&self, arguments: &[&str], settings: &[(&str, &str)]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
        command.args(arguments).env("PIXCRAWLER_DATA_DIR", self.data.of_host());
        command.envs(address(self.database.as_ref())).envs(self.settings.iter().cloned());
        command.envs(settings.iter().copied());
        command.stdin(Stdio::null()).output().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    /// Sees that nobody but this user gets at anything that is kept.
    pub(crate) fn is_closed(&self) {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let root = rustix::process::geteuid().is_root();
        assert_eq!(mode(&self.data()), if root { 0o711 } else { 0o700 });
        let mut folders = vec![self.data()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let closed = if path.is_dir() { 0o700 } else { 0o600 };
                assert_eq!(mode(&path), closed, "{}", path.display());
                // What is in there is made by Postgres.
                if path.is_dir() && path != self.data().join("postgres") {
                    folders.push(path);
                }
            }
        }
    }

    /// What all processes share.
    pub(crate) fn data(&self) -> PathBuf {
        self.data.of_host()
    }

    /// Of the user.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Of whoever has this address.
    pub(crate) fn token_of(&self, email: &str) -> String {
        let issuer = Issuer::open(&self.data.of_host()).unwrap();
        issuer.issue(email, Duration::from_secs(3600)).unwrap()
    }

    /// The front door.
    pub(crate) fn door(&self) -> &Process {
        &self.door
    }

    /// Folder of the objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.data.of_host().join("objects")
    }
}

/// What is asked for to crawl these addresses of the site.
fn body(paths: &[&str], max_images: usize) -> Value {
    let urls: Vec<_> = paths.iter().map(|path| format!("{}{path}", super::site::ORIGIN)).collect();
    serde_json::json!({ "name": "test", "urls": urls, "sources": ["webpage"], "max_images": max_images })
}

struct Launch<'a> {
    data: &'a Path,
    database: Option<&'a SecretString>,
    mapping: &'a str,
    settings: &'a Settings,
}

impl Launch<'_> {
    fn begin(&self, command: &str, name: &str, settings: &[(&str, &str)]) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
            .arg(command)
            .envs(address(self.database))
            .env("PIXCRAWLER_DATA_DIR", self.data)
            .env("PIXCRAWLER_MAP_ORIGIN", self.mapping)
            .env("PORT", "0")
            .env("PIXCRAWLER_LOG_FORMAT", "json")
            .env("PIXCRAWLER_LOG", "info,graphile_worker=warn,pixcrawler::crawl=debug")
            .env("PIXCRAWLER_CONTACT", "tests@example.org")
            .env("PIXCRAWLER_HEARTBEAT", "500ms")
            .env("PIXCRAWLER_PER_HOST", "64")
            .env("PIXCRAWLER_PER_HOST_RATE", "10000")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Arc::<Log>::default();
        tokio::spawn(read(child.stderr.take().unwrap(), log.clone()));
        Process { name: name.to_owned(), child, log }
    }
}

impl Process {
    /// Waits for this event in the log, and gives its line.
    pub(crate) async fn logged(&self, event: &str) -> Value {
        self.logged_with(event, |_| true).await
    }

    /// Waits until the log has this event so many times.
    pub(crate) async fn logged_nth(&self, event: &str, count: usize) {
        self.logged_with(event, |_| self.lines(event).len() >= count).await;
    }

    /// Waits for this event as `met` wants it, and gives its line.
    pub(crate) async fn logged_with(&self, event: &str, met: impl Fn(&Value) -> bool) -> Value {
        self.found(event, || self.lines(event).into_iter().find(&met)).await
    }

    /// Waits for these words, whatever the format of the log.
    pub(crate) async fn said(&self, words: &str) {
        self.found(words, || self.log().contains(words).then_some(Value::Null)).await;
    }

    /// Waits for one of these events, and gives its line.
    pub(crate) async fn logged_any(&self, events: &[&str]) -> Value {
        let found = || events.iter().find_map(|event| self.lines(event).into_iter().next());
        self.found(&events.join("` or `"), found).await
    }

    async fn found(&self, event: &str, found: impl Fn() -> Option<Value>) -> Value {
        let mut more = self.log.more.subscribe();
        let wait = async {
            loop {
                let ended = *more.borrow_and_update();
                if let Some(line) = found() {
                    return line;
                }
                assert!(!ended, "{} ended before it logged `{event}`", self.name);
                more.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("{} did not log `{event}` in time", self.name))
    }

    /// The lines logged so far with this event.
    pub(crate) fn lines(&self, event: &str) -> Vec<Value> {
        let lines = self.log.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| line["event"] == event).cloned().collect()
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        let lines = self.log.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Where `serve` listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.lines("ready")[0]["address"].as_str().unwrap().parse().unwrap()
    }

    /// What `serve` answers to somebody without a token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(reqwest::Client::new().get(format!("http://{}{path}", self.address()))).await
    }

    /// The children that do this subcommand.
    pub(crate) fn children(&self, subcommand: &str) -> Vec<Pid> {
        let own = self.child.id().unwrap().to_string();
        let mut children = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap() {
            let entry = entry.unwrap();
            // Whatever ends meanwhile is none of them.
            let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
            let stat = read("stat");
            let parent = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(1));
            if parent == Some(&*own) && read("cmdline").split('\0').any(|argument| argument == subcommand) {
                children.extend(Pid::from_raw(pid));
            }
        }
        children
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::KILL);
        self.exited().await;
    }

    /// Asks it to end (SIGTERM).
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Stops it where it is, as a machine that sleeps would.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on as if nothing had been.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.try_into().unwrap()));
        kill_process(pid.unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let waited = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        waited.unwrap_or_else(|_| panic!("{} did not end in time", self.name)).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = write!(std::io::stderr(), "log of {}:\n{}", self.name, self.log());
        }
    }
}

fn address(database: Option<&SecretString>) -> Option<(&'static str, &str)> {
    database.map(|url| ("DATABASE_URL", url.expose_secret()))
}

/// Keeps every line until the process closes its end.
async fn read(stderr: ChildStderr, log: Arc<Log>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
        log.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        log.more.send_replace(false);
    }
    log.more.send_replace(true);
}

/// The row of the picture whose address ends so.
pub(crate) fn named<'a>(images: &'a [Value], end: &str) -> &'a Value {
    images.iter().find(|image| image["original_url"].as_str().unwrap().ends_with(end)).unwrap()
}
