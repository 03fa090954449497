//! What a user does to projects, and what is asked for there.

use serde_json::Value;

use crate::{
    app::App,
    auth::Caller,
    db::{self, End, PgPool, projects},
    model::{ProjectId, UserId},
    services::{
        datasets,
        form::Form,
        profiles::ProfileError,
        violation::{Violation, Violations},
    },
};

pub use projects::ProjectFields;

/// States that a project may be given.
const STATUSES: [&str; 2] = ["active", "archived"];
/// Longest name, in characters.
const LONGEST_NAME: usize = 100;
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 1_000;
/// Most projects that are deleted at once.
const MOST_DELETED: usize = 1_000;

/// A new project, or a change of one, as it is asked for.
///
/// From JSON it is read like a [`JobRequest`](crate::services::create::JobRequest), but a null takes the
/// description away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectRequest {
    name: Option<String>,
    description: Option<Option<String>>,
    status: Option<String>,
    misread: Violations,
}

/// Several projects that are to be deleted, read in the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteProjectsRequest {
    ids: Vec<i64>,
    misread: Violations,
}

impl From<Value> for ProjectRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            name: form.text("name"),
            description: form.clearable_text("description"),
            status: form.text("status"),
            misread: Violations::default(),
        };
        form.end();
        request.misread = misread;
        request
    }
}

impl From<Value> for DeleteProjectsRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self { ids: form.numbers("ids", MOST_DELETED), misread: Violations::default() };
        form.end();
        request.misread = misread;
        request
    }
}

impl ProjectRequest {
    /// Checks what is asked of a project that is there.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(&self) -> Result<ProjectFields, Vec<Violation>> {
        self.check_with(self.misread.clone())
    }

    /// Checks what is asked of a new project, which needs a name.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check_new(&self) -> Result<ProjectFields, Vec<Violation>> {
        let mut report = self.misread.clone();
        if self.name.is_none() {
            report.broken("/name", "is required");
        }
        self.check_with(report)
    }

    fn check_with(&self, mut report: Violations) -> Result<ProjectFields, Vec<Violation>> {
        let name = self.name.as_ref().and_then(|name| report.text("/name", name, LONGEST_NAME));
        let description = self.description.as_ref().map(|text| {
            text.as_ref().and_then(|text| report.prose("/description", text, LONGEST_DESCRIPTION))
        });
        let status = self.status.as_ref().and_then(|status| {
            let known = STATUSES.into_iter().find(|known| known == status);
            if known.is_none() {
                report.broken("/status", format!("must be one of: {}", STATUSES.join(", ")));
            }
            known
        });
        report.into_result()?;
        Ok(ProjectFields { name, description, status })
    }
}

impl DeleteProjectsRequest {
    /// Checks which projects are meant: each once, in the order in which they are named. Ids that no
    /// project can have are none of the user's.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(&self) -> Result<Vec<i64>, Vec<Violation>> {
        let mut report = self.misread.clone();
        if !(1..=MOST_DELETED).contains(&self.ids.len()) {
            report.broken("/ids", format!("must be a list of 1 to {MOST_DELETED} ids"));
        }
        report.into_result()?;
        let mut ids: Vec<i64> = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
        Ok(ids)
    }
}

impl App {
    /// Makes a project.
    ///
    /// # Errors
    /// When the user is gone, or the database fails.
    pub async fn create_project(
        &self,
        caller: &Caller,
        fields: &ProjectFields,
    ) -> Result<ProjectId, ProfileError> {
        let mut tx = self.db.begin().await?;
        self.profile_in(&mut tx, caller).await?;
        let project = projects::insert(&mut tx, caller.user, fields).await?;
        tx.commit().await?;
        Ok(project)
    }

    /// Changes a project; whether there is such a project of this user.
    ///
    /// # Errors
    /// When the database fails; then it stays as it is.
    pub async fn update_project(
        &self,
        user: UserId,
        project: ProjectId,
        fields: &ProjectFields,
    ) -> Result<bool, db::Error> {
        if *fields == ProjectFields::default() {
            return Ok(projects::show(&self.db, user, project).await?.is_some());
        }
        let mut tx = self.db.begin().await?;
        let found = projects::update(&mut tx, user, project, fields).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Deletes a project with everything below it; whether it was there and is gone. Jobs that run are
    /// cancelled first. The objects are left to the sweep.
    ///
    /// # Errors
    /// When the database fails; then what was below is gone in part, and the same again goes on.
    pub async fn delete_project(&self, user: UserId, project: ProjectId) -> Result<bool, db::Error> {
        delete(&self.db, user, project).await
    }
}

/// Nothing is locked from one dataset to the next, so that nobody waits for long; what comes meanwhile is
/// deleted, too.
async fn delete(db: &PgPool, user: UserId, project: ProjectId) -> Result<bool, db::Error> {
    loop {
        for dataset in projects::datasets(db, user, project).await? {
            datasets::delete(db, user, dataset).await?;
        }
        let mut tx = db.begin().await?;
        match projects::delete(&mut tx, user, project).await? {
            End::NotFound => return Ok(false),
            End::HasMore => {}
            End::Now => {
                tx.commit().await?;
                return Ok(true);
            }
        }
    }
}
