//! A host of our own, with its API on a port of loopback, and a client for it.

use std::{net::SocketAddr, time::Duration};

use clap::Parser as _;
use pixcrawler::{
    api::{self, ApiServer},
    app::App,
    config::Config,
    crawl::Worker,
    services::host::RunningHost,
};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    document::Asked,
    postgres::{DataDir, TestDatabase, data_dir, database},
    site::PATIENCE,
};

/// An API; without a worker what is created waits.
pub(crate) struct Api {
    pub(crate) app: App,
    pub(crate) database: TestDatabase,
    pub(crate) address: SocketAddr,
    client: reqwest::Client,
    running: RunningHost,
    stop: CancellationToken,
    served: JoinHandle<Result<(), api::ServeError>>,
    worker: Option<JoinHandle<()>>,
    data: DataDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

/// A caller with a token.
pub(crate) struct User<'a> {
    api: &'a Api,
    pub(crate) token: String,
}

impl Api {
    /// Without a worker: what is created waits.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With a worker, and settings as on the command line.
    pub(crate) async fn crawling(settings: &[&str]) -> Self {
        let mut api = Self::start_with(settings).await;
        api.work();
        api
    }

    /// With settings as on the command line.
    pub(crate) async fn start_with(settings: &[&str]) -> Self {
        // Shown with a test that fails.
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer();
        // Another test of this run may have done it.
        let _ = log.try_init();
        let (database, data) = (database().await, data_dir());
        let url = database.url.expose_secret().to_owned();
        let dir = data.of_host();
        let ours =
            ["--database-url", &url, "--data-dir", dir.to_str().unwrap(), "--host=127.0.0.1", "--port=0"];
        let config = config(&[&ours, settings].concat());
        let stop = CancellationToken::new();
        let running = RunningHost::start(config, &stop, &|_| ()).await.unwrap();
        let server = ApiServer::bind(running.app.clone()).await.unwrap();
        let address = server.address();
        let served = tokio::spawn(server.run(stop.clone()));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            app: running.app.clone(),
            database,
            address,
            client,
            running,
            stop,
            served,
            worker: None,
            data,
        }
    }

    /// Works on what is created, from now on.
    pub(crate) fn work(&mut self) {
        self.worker = Some(tokio::spawn(Worker::run(self.app.clone(), self.stop.clone())));
    }

    /// Whoever has this address.
    pub(crate) fn user(&self, email: &str) -> User<'_> {
        let issuer = self.app.auth.issuer().unwrap();
        User { api: self, token: issuer.issue(email, PATIENCE).unwrap() }
    }

    /// A request of nobody.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request("GET", path)).await
    }

    /// Ends it, and sees that it ends well.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
        if let Some(worker) = self.worker {
            worker.await.unwrap();
        }
        self.running.stop().await.unwrap();
        drop(self.data);
    }
}

impl User<'_> {
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.api.request(method, path).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(json(self.request("POST", path), body)).await
    }
}

impl User<'_> {
    /// Creates a job.
    pub(crate) async fn create(&self, body: &Value) -> i64 {
        self.post("/api/v1/crawl-jobs/", body).await.expect(201).json()["id"].as_i64().unwrap()
    }

    /// Waits for the end of a job, and gives it. The API is ready all the time.
    pub(crate) async fn over(&self, job: i64) -> Value {
        self.until(job, |job| !matches!(job["status"].as_str(), Some("pending" | "running"))).await
    }

    /// Waits until the job is as `met` wants it, and gives it.
    pub(crate) async fn until(&self, job: i64, met: impl Fn(&Value) -> bool) -> Value {
        let mut signals = self.api.app.signals.subscribe();
        let mut last = Value::Null;
        let wait = async {
            loop {
                self.api.get("/api/v1/health/ready").await.expect(200);
                last = self.get(&format!("/api/v1/crawl-jobs/{job}")).await.expect(200).json();
                if met(&last) {
                    return;
                }
                // A signal may have come before the subscription.
                let _ = tokio::time::timeout(Duration::from_millis(200), signals.recv()).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "job {job} does not get there: {last:#}");
        last
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The answer, if it has this status.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

/// The request with a JSON body.
pub(crate) fn json(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

/// Sends it, and holds the answer against the document.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let asked = Asked::of(&request);
    let answer = client.execute(request).await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let answer = Answer { status, headers, text: answer.text().await.unwrap() };
    asked.judge(&answer);
    answer
}

/// Settings as the command line reads them.
fn config(arguments: &[&str]) -> Config {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        config: Config,
    }
    let program = ["pixcrawler", "--program", env!("CARGO_BIN_EXE_pixcrawler")];
    Line::parse_from(program.iter().chain(arguments)).config
}

/// What in a request is told to break a rule, sorted.
pub(crate) fn pointers(problem: &Value) -> Vec<&str> {
    let rules = problem["errors"].as_array().unwrap().iter();
    let mut pointers: Vec<_> = rules.map(|rule| rule["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    pointers
}
