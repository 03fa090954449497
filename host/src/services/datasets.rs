//! What a user does to datasets, and what is asked for there.

use serde_json::{Value, json};

use crate::{
    app::App,
    auth::Caller,
    db::{
        self, End, PgPool,
        datasets::{self, DatasetRow},
    },
    model::{DatasetId, JobId, ProjectId, UserId},
    services::{
        create::{
            CreateOutcome, IDS, JobRequest, LONGEST_NAME, MAX_IMAGES, MOST_KEYWORDS, MOST_PUBLISHED,
            MOST_SOURCES, SourceOffer,
        },
        form::Form,
        jobs::{self, Cancelled, JobError},
        search_engines,
        violation::{Violation, Violations},
    },
};

pub use datasets::DatasetFields;

/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 1_000;
/// Images that a dataset is to have when nobody says.
const DEFAULT_IMAGES: i32 = 100;

/// A new dataset, or a change of one, as it is asked for.
///
/// From JSON it is read like a [`JobRequest`], but a null takes description or project away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetRequest {
    name: Option<String>,
    description: Option<Option<String>>,
    keywords: Option<Vec<String>>,
    max_images: Option<i64>,
    search_engines: Option<Vec<String>>,
    project_id: Option<Option<i64>>,
    misread: Violations,
}

/// A job of a dataset as the original asks for it, read like a [`JobRequest`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DatasetJobRequest {
    job: JobRequest,
    /// Names of search engines or ids of sources.
    engines: Vec<String>,
}

/// Which dataset is to be crawled for, as the original asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartRequest {
    dataset: Option<i64>,
    misread: Violations,
}

/// Why a dataset was not written or crawled for; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The user has no such dataset.
    #[error("there is no such dataset")]
    NotFound,
    /// The user has no such project.
    #[error("there is no project {0}")]
    NoProject(ProjectId),
    /// This job puts images into it now.
    #[error("job {0} of the dataset is under way")]
    UnderWay(JobId),
    /// It has as many images as it asks for.
    #[error("the dataset has the {0} images that it asks for")]
    Full(i64),
    /// What goes for jobs, too.
    #[error(transparent)]
    Job(#[from] JobError),
}

/// A crawl of what a dataset asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetBuild {
    /// The job.
    pub job: JobId,
    /// What was made of the dataset's search engines, for the user.
    pub message: Option<String>,
}

impl From<Value> for DatasetRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            name: form.text("name"),
            description: form.clearable_text("description"),
            keywords: form.optional_texts("keywords", MOST_KEYWORDS),
            max_images: form.number("max_images"),
            search_engines: form.optional_texts("search_engines", MOST_SOURCES),
            project_id: form.clearable_number("project_id"),
            misread: Violations::default(),
        };
        form.end();
        request.misread = misread;
        request
    }
}

impl From<Value> for DatasetJobRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut job = JobRequest {
            name: form.text("name"),
            keywords: form.texts("keywords", MOST_KEYWORDS),
            max_images: form.number("max_images"),
            ..JobRequest::default()
        };
        let engines = form.texts("sources", MOST_SOURCES);
        form.end();
        job.misread = misread;
        Self { job, engines }
    }
}

impl From<Value> for StartRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self { dataset: form.number("datasetId"), misread: Violations::default() };
        form.end();
        request.misread = misread;
        request
    }
}

impl StartRequest {
    /// Checks which dataset is meant.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(&self) -> Result<DatasetId, Vec<Violation>> {
        let mut report = self.misread.clone();
        if self.dataset.is_none() {
            report.broken("/datasetId", "is required");
        }
        let dataset = report.number("/datasetId", self.dataset, IDS);
        report.into_result()?;
        Ok(DatasetId(dataset.unwrap_or_default()))
    }
}

impl DatasetRequest {
    /// The same in this project, which it must not contradict.
    #[must_use]
    pub fn within(mut self, project: ProjectId) -> Self {
        let here = Some(Some(i64::from(project.0)));
        if self.project_id.is_some() && self.project_id != here {
            let must = format!("must not be another one than in the path, {project}");
            self.misread.misread("/project_id", must);
        }
        Self { project_id: here, ..self }
    }

    /// Checks what is asked of a dataset that is there.
    fn check(&self, offered: &[SourceOffer]) -> Result<DatasetFields, Vec<Violation>> {
        self.check_with(self.misread.clone(), offered)
    }

    /// Checks what is asked of a new dataset, which needs a name.
    fn check_new(&self, offered: &[SourceOffer]) -> Result<DatasetFields, Vec<Violation>> {
        let mut report = self.misread.clone();
        if self.name.is_none() {
            report.broken("/name", "is required");
        }
        let fields = self.check_with(report, offered)?;
        small_enough(&fields, None)?;
        Ok(DatasetFields { max_images: fields.max_images.or(Some(DEFAULT_IMAGES)), ..fields })
    }

    fn check_with(
        &self,
        mut report: Violations,
        offered: &[SourceOffer],
    ) -> Result<DatasetFields, Vec<Violation>> {
        let name = self.name.as_ref().and_then(|name| report.text("/name", name, LONGEST_NAME));
        let description = self.description.as_ref().map(|text| {
            text.as_ref().and_then(|text| report.prose("/description", text, LONGEST_DESCRIPTION))
        });
        let keywords = self.keywords.as_ref().map(|keywords| {
            let request = JobRequest { keywords: keywords.clone(), ..JobRequest::default() };
            request.keywords(&mut report).0
        });
        let max_images = report.number("/max_images", self.max_images, MAX_IMAGES);
        let search_engines = self
            .search_engines
            .as_ref()
            .map(|names| search_engines::check("/search_engines", names, offered, &mut report));
        let project = self.project_id.map(|project| {
            let project = report.number("/project_id", project, IDS);
            project.map(ProjectId)
        });
        report.into_result()?;
        Ok(DatasetFields { name, description, keywords, max_images, search_engines, project })
    }
}

/// Every change of a dataset is sent to whoever watches it. What a change leaves as it is, is as `before`.
fn small_enough(fields: &DatasetFields, before: Option<&DatasetRow>) -> Result<(), Vec<Violation>> {
    let keywords = fields.keywords.as_ref().or_else(|| Some(&before?.keywords.0.0));
    let engines = fields.search_engines.as_ref().or_else(|| Some(&before?.search_engines.0.0));
    let description = match &fields.description {
        Some(description) => description.as_ref(),
        None => before.and_then(|before| before.description.as_ref()),
    };
    let size = json!([keywords, engines, description]).to_string().len();
    if size <= MOST_PUBLISHED {
        return Ok(());
    }
    let detail = format!(
        "takes too much room: keywords, search_engines and description together take {size} bytes, of at most \
         {MOST_PUBLISHED}"
    );
    Err(vec![Violation { pointer: "/keywords".to_owned(), detail }])
}

/// What is wrong with the job of a dataset, in words about the dataset.
fn of_dataset(dataset: &DatasetRow, mut broken: Vec<Violation>) -> Vec<Violation> {
    let none = dataset.keywords.0.0.is_empty();
    if let Some(rule) = broken.iter_mut().find(|rule| none && rule.pointer == "/keywords") {
        rule.detail = "must be given to the dataset first: it has none to look for".to_owned();
    }
    broken
}

impl App {
    /// Makes a dataset, of which nothing is crawled yet.
    ///
    /// # Errors
    /// When the request is refused or cannot be written; then nothing was written.
    pub async fn create_dataset(
        &self,
        caller: &Caller,
        request: &DatasetRequest,
    ) -> Result<DatasetId, DatasetError> {
        let fields = request.check_new(&self.offered().await?).map_err(JobError::Rules)?;
        let mut tx = self.db.begin().await?;
        self.profile_in(&mut tx, caller).await.map_err(JobError::Caller)?;
        let dataset = datasets::insert(&mut tx, caller.user, &fields).await?;
        let dataset = dataset.map_err(DatasetError::NoProject)?;
        tx.commit().await?;
        Ok(dataset)
    }

    /// Changes a dataset, which must be in this project, if one is named. What it asks for counts from the
    /// next crawl of it on.
    ///
    /// # Errors
    /// When there is none, or the request is refused or cannot be written; then it stays as it is.
    pub async fn update_dataset(
        &self,
        user: UserId,
        dataset: DatasetId,
        within: Option<ProjectId>,
        request: &DatasetRequest,
    ) -> Result<(), DatasetError> {
        let fields = request.check(&self.offered().await?).map_err(JobError::Rules)?;
        let mut tx = self.db.begin().await?;
        let before = datasets::lock(&mut tx, user, dataset).await?.ok_or(DatasetError::NotFound)?;
        if within.is_some_and(|project| before.project_id != Some(project)) {
            return Err(DatasetError::NotFound);
        }
        if fields == DatasetFields::default() {
            return Ok(());
        }
        small_enough(&fields, Some(&before)).map_err(JobError::Rules)?;
        datasets::update(&mut tx, user, dataset, &fields).await?.map_err(DatasetError::NoProject)?;
        Ok(tx.commit().await?)
    }

    /// Begins a job that looks for the images that a dataset asks for and lacks.
    ///
    /// # Errors
    /// When there is no such dataset, or nothing may be begun of it now; then nothing was written.
    pub async fn build_dataset(
        &self,
        caller: &Caller,
        dataset: DatasetId,
    ) -> Result<DatasetBuild, DatasetError> {
        self.may_crawl(caller).await.map_err(JobError::Caller)?;
        let user = caller.user;
        let offered = self.offered().await?;
        let mut tx = self.db.begin().await?;
        self.profile_in(&mut tx, caller).await.map_err(JobError::Caller)?;
        let open = self.too_many_open(&mut tx, user).await?;
        let found = datasets::lock(&mut tx, user, dataset).await?.ok_or(DatasetError::NotFound)?;
        let (under_way, kept) = datasets::standing(&mut tx, dataset).await?;
        if let Some(job) = under_way {
            return Err(DatasetError::UnderWay(job));
        }
        let missing = i64::from(found.max_images) - kept;
        // Where it asks for none, the rules say what it must ask for.
        if missing <= 0 && found.max_images > 0 {
            return Err(DatasetError::Full(kept));
        }
        if let Some(most) = open {
            return Err(JobError::TooMany(most).into());
        }
        let chosen = search_engines::choose(&found.search_engines.0.0, &offered);
        let request = JobRequest {
            name: Some(found.name.clone()),
            keywords: found.keywords.0.0.clone(),
            max_images: Some(missing),
            sources: chosen.sources,
            dataset_id: Some(dataset.0.into()),
            ..JobRequest::default()
        };
        let spec =
            self.check(&request, &offered).map_err(|broken| JobError::Rules(of_dataset(&found, broken)))?;
        let job = self.begin(&mut tx, user, &spec).await?;
        tx.commit().await?;
        tracing::info!(%job, %dataset, chunks = spec.chunks.len(), "job of a dataset created");
        Ok(DatasetBuild { job, message: chosen.message })
    }

    /// Creates and starts a job of a dataset, at the sources that are there for its search engines.
    ///
    /// # Errors
    /// When there is no such dataset, or the request is refused; then nothing was written.
    pub async fn create_dataset_job(
        &self,
        caller: &Caller,
        dataset: DatasetId,
        request: &DatasetJobRequest,
    ) -> Result<DatasetBuild, DatasetError> {
        let offered = self.offered().await.map_err(JobError::Database)?;
        let mut misread = request.job.misread.clone();
        let engines = search_engines::check("/sources", &request.engines, &offered, &mut misread);
        let chosen = search_engines::choose(&engines, &offered);
        let request = JobRequest {
            sources: chosen.sources,
            dataset_id: Some(dataset.0.into()),
            misread,
            ..request.job.clone()
        };
        match self.create_job(caller, &request, None).await {
            Ok(CreateOutcome::New(job) | CreateOutcome::Before(job)) => {
                Ok(DatasetBuild { job, message: chosen.message })
            }
            // There is nothing else that it goes to.
            Err(JobError::NoDestination(_)) => Err(DatasetError::NotFound),
            Err(error) => Err(error.into()),
        }
    }

    /// Cancels all jobs of a dataset that are under way; how many that were.
    ///
    /// # Errors
    /// When the database fails; then some of them go on.
    pub async fn cancel_dataset(&self, user: UserId, dataset: DatasetId) -> Result<usize, db::Error> {
        let mut cancelled = 0;
        for job in datasets::jobs(&self.db, user, dataset, true).await? {
            let outcome = jobs::cancel(&self.db, user, job).await?;
            cancelled += usize::from(matches!(outcome, Cancelled::Now(_)));
        }
        Ok(cancelled)
    }

    /// Deletes a dataset with its jobs and the rows of its images; whether it was there and is gone. Jobs
    /// that run are cancelled first. The objects are left to the sweep.
    ///
    /// # Errors
    /// When the database fails; then its jobs are gone in part, and the same again goes on.
    pub async fn delete_dataset(&self, user: UserId, dataset: DatasetId) -> Result<bool, db::Error> {
        delete(&self.db, user, dataset).await
    }
}

/// [`App::delete_dataset`], where only the database is there. A job that is begun meanwhile is deleted, too.
pub(super) async fn delete(db: &PgPool, user: UserId, dataset: DatasetId) -> Result<bool, db::Error> {
    loop {
        for job in datasets::jobs(db, user, dataset, false).await? {
            jobs::delete(db, user, job).await?;
        }
        let mut tx = db.begin().await?;
        match datasets::delete(&mut tx, user, dataset).await? {
            End::NotFound => return Ok(false),
            End::HasMore => {}
            End::Now => {
                tx.commit().await?;
                return Ok(true);
            }
        }
    }
}

impl From<db::Error> for DatasetError {
    fn from(error: db::Error) -> Self {
        Self::Job(error.into())
    }
}
