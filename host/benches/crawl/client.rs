//! What a user's programs do: create a job, follow its events, ask how it is.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

/// A caller with a token.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    api: SocketAddr,
    base: String,
    token: String,
}

/// A job as the API shows it.
#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: i32,
    dataset_id: i32,
    pub(crate) status: String,
    pub(crate) kept: usize,
    updated_at: DateTime<Utc>,
}

/// What was seen of a job from its creation to its end.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) kept: usize,
    /// From sending the request that creates it to the event that shows its end.
    pub(crate) took: Duration,
    /// The same to the first event that shows an image.
    pub(crate) first: Duration,
    /// From each change in the database to its event.
    pub(crate) delays: Vec<Duration>,
}

impl Client {
    pub(crate) fn new(api: SocketAddr, token: String) -> Self {
        Self { http: reqwest::Client::new(), api, base: format!("http://{api}/api/v1/crawl-jobs/"), token }
    }

    /// Creates a job that crawls `list` to its end, and follows it.
    ///
    /// # Errors
    /// When the API refuses, or the job does not complete.
    pub(crate) async fn crawl(&self, list: &str, images: usize) -> anyhow::Result<Followed> {
        let begun = Instant::now();
        let job = self.create(list, images).await?;
        self.follow(&job, begun).await
    }

    /// Creates a job that crawls `list` to its end.
    ///
    /// # Errors
    /// When the API refuses.
    pub(crate) async fn create(&self, list: &str, images: usize) -> anyhow::Result<Job> {
        let body = json!({
            "name": "bench",
            "urls": [list],
            "sources": ["webpage"],
            "options": { "webpage": { "max-pages": "1000" } },
            "max_images": images,
        });
        let answer = self.http.post(&self.base).bearer_auth(&self.token).json(&body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        serde_json::from_str(&text).with_context(|| format!("{status} {text}"))
    }

    /// How long the API takes to show a job, and whether that is over.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn show(&self, id: i32) -> anyhow::Result<(Duration, Job)> {
        let begun = Instant::now();
        let request = self.http.get(format!("{}{id}", self.base)).bearer_auth(&self.token);
        let text = request.send().await?.error_for_status()?.text().await?;
        Ok((begun.elapsed(), serde_json::from_str(&text)?))
    }

    /// Asks for an export of the dataset of a job, and gives it.
    ///
    /// # Errors
    /// When the API refuses.
    pub(crate) async fn export(&self, job: &Job, body: &Value) -> anyhow::Result<Value> {
        let url = format!("http://{}/api/v1/datasets/{}/exports", self.api, job.dataset_id);
        let answer = self.http.post(url).bearer_auth(&self.token).json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        anyhow::ensure!(status.is_success(), "{status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Waits until all files of an export are there and their hashes known, and gives it.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub(crate) async fn finished(&self, export: &Value) -> anyhow::Result<Value> {
        let path = format!("datasets/{}/exports/{}", export["dataset_id"], export["id"]);
        let url = format!("http://{}/api/v1/{path}", self.api);
        loop {
            let answer = self.http.get(&url).bearer_auth(&self.token).send().await?.error_for_status()?;
            let shown: Value = serde_json::from_str(&answer.text().await?)?;
            let mut errors = shown["files"].as_array().into_iter().flatten().map(|file| &file["error"]);
            if let Some(error) = errors.find(|error| !error.is_null()) {
                anyhow::bail!("{path}: {error}");
            }
            if shown["state"] == "complete" {
                return Ok(shown);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Reads what a signed link leads to, and gives its length in bytes.
    ///
    /// # Errors
    /// When it breaks off.
    pub(crate) async fn download(&self, path: &str) -> anyhow::Result<u64> {
        let request = self.http.get(format!("http://{}{path}", self.api));
        let (mut answer, mut bytes) = (request.send().await?.error_for_status()?, 0);
        while let Some(chunk) = answer.chunk().await? {
            bytes += chunk.len() as u64;
        }
        Ok(bytes)
    }

    /// Waits until one of these jobs has an image, and says how long after `begun` that was.
    ///
    /// # Errors
    /// When the API does not answer.
    pub(crate) async fn first_image(&self, jobs: &[Job], begun: Instant) -> anyhow::Result<Duration> {
        loop {
            for job in jobs {
                if self.show(job.id).await?.1.kept > 0 {
                    return Ok(begun.elapsed());
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The addresses of all rows of a job.
    ///
    /// # Errors
    /// When the API does not answer.
    pub(crate) async fn addresses(&self, id: i32) -> anyhow::Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Images {
            items: Vec<Image>,
        }
        #[derive(Deserialize)]
        struct Image {
            original_url: String,
        }
        let request = self.http.get(format!("{}{id}/images?limit=100", self.base)).bearer_auth(&self.token);
        let text = request.send().await?.error_for_status()?.text().await?;
        let images: Images = serde_json::from_str(&text)?;
        Ok(images.items.into_iter().map(|image| image.original_url).collect())
    }

    /// Follows a job that was `begun` to its end.
    ///
    /// # Errors
    /// When it does not complete.
    pub(crate) async fn follow(&self, job: &Job, begun: Instant) -> anyhow::Result<Followed> {
        let request = self.http.get(format!("{}{}/events", self.base, job.id)).bearer_auth(&self.token);
        let mut events = request.send().await?.error_for_status()?;
        let (mut text, mut first, mut delays) = (String::new(), None, Vec::new());
        let mut snapshot = true;
        while let Some(bytes) = events.chunk().await? {
            text += std::str::from_utf8(&bytes)?;
            while let Some((event, rest)) = text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data:").map(str::to_owned));
                text = rest.to_owned();
                let Some(data) = data else { continue };
                let job: Job = serde_json::from_str(&data)?;
                if job.kept > 0 {
                    first.get_or_insert_with(|| begun.elapsed());
                }
                // The first event shows what was there before.
                if !snapshot {
                    delays.push((Utc::now() - job.updated_at).to_std().unwrap_or_default());
                }
                snapshot = false;
                if job.is_over() {
                    anyhow::ensure!(job.status == "completed", "the job ended as {job:?}");
                    let first = first.context("nothing was kept")?;
                    return Ok(Followed { kept: job.kept, took: begun.elapsed(), first, delays });
                }
            }
        }
        anyhow::bail!("the events ended before the job")
    }
}

impl Job {
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.status.as_str(), "pending" | "running")
    }
}
