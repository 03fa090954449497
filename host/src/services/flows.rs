//! A crawl by keywords alone, as the original's introduction asks for it.

use serde_json::Value;

use crate::{
    app::App,
    auth::Caller,
    model::JobId,
    services::{
        create::{CreateOutcome, JobRequest, LONGEST_KEYWORD, LONGEST_NAME, MOST_SOURCES},
        form::Form,
        jobs::JobError,
        search_engines,
        violation::Violations,
    },
};

/// Most keywords.
const MOST_KEYWORDS: usize = 10;
/// Images that may be asked for.
const IMAGES: std::ops::RangeInclusive<i64> = 1..=1_000;
/// Images that are asked for when nobody says how many.
const DEFAULT_IMAGES: i64 = 10;
/// Where they are looked for when nobody says.
const DEFAULT_ENGINE: &str = "duckduckgo";

/// What is asked for, read like a [`JobRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowRequest {
    keywords: Vec<String>,
    max_images: Option<i64>,
    /// Names of search engines or ids of sources.
    engines: Vec<String>,
    /// For people: a name, and no path.
    output_name: Option<String>,
    misread: Violations,
}

/// A crawl that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its job.
    pub job: JobId,
    /// Which engines were replaced, and by what, for the user.
    pub replaced: Option<String>,
}

impl From<Value> for FlowRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            keywords: form.texts("keywords", MOST_KEYWORDS),
            max_images: form.number("max_images"),
            engines: form.texts("engines", MOST_SOURCES),
            output_name: form.text("output_name"),
            misread: Violations::default(),
        };
        form.end();
        request.misread = misread;
        request
    }
}

impl App {
    /// Creates and starts the job that is asked for, at the sources that are there for its engines.
    ///
    /// # Errors
    /// When the request is refused or cannot be written; then nothing was written.
    pub async fn start_flow(&self, caller: &Caller, request: &FlowRequest) -> Result<Flow, JobError> {
        let offered = self.offered().await?;
        let mut report = request.misread.clone();
        let name = report.required("/output_name", request.output_name.as_deref(), LONGEST_NAME);
        if request.keywords.is_empty() {
            report.broken("/keywords", "at least one is required");
        }
        report.texts("/keywords", &request.keywords, MOST_KEYWORDS, LONGEST_KEYWORD);
        report.number::<i64>("/max_images", request.max_images, IMAGES);
        let engines = search_engines::check("/engines", &request.engines, &offered, &mut report);
        report.into_result().map_err(JobError::Rules)?;
        let engines = if engines.is_empty() { vec![DEFAULT_ENGINE.to_owned()] } else { engines };
        let chosen = search_engines::choose(&engines, &offered);
        let job = JobRequest {
            name,
            keywords: request.keywords.clone(),
            max_images: Some(request.max_images.unwrap_or(DEFAULT_IMAGES)),
            sources: chosen.sources,
            ..JobRequest::default()
        };
        let (CreateOutcome::New(job) | CreateOutcome::Before(job)) =
            self.create_job(caller, &job, None).await?;
        Ok(Flow { job, replaced: chosen.message })
    }
}
