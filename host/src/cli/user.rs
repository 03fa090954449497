//! Whose rows the command line works on: those of the local user, of somebody, or of all.

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use clap::Args;
use uuid::Uuid;

use crate::{
    auth::{
        Caller,
        issuer::{normalised, user_of},
    },
    cli::wrong_usage,
    config::Config,
    db::{self, PgPool},
    model::{DatasetId, JobId, UserId},
};

/// Whose rows those of `crawl` are.
const LOCAL_USER: &str = "local@pixcrawler.invalid";

/// The one who uses the command line.
pub(super) fn local_user() -> Caller {
    Caller {
        user: user_of(LOCAL_USER),
        email: Some(LOCAL_USER.to_owned()),
        name: Some("Local user".to_owned()),
        avatar_url: None,
        issued: Utc::now(),
        expires: DateTime::<Utc>::MAX_UTC,
        role: "authenticated".to_owned(),
        is_anonymous: false,
        session: None,
        is_local: true,
        api_key: None,
    }
}

/// Whose jobs or datasets are meant.
#[derive(Args, Debug)]
pub(super) struct WhoseArgs {
    /// Of this user: the address that `pixcrawler token --email` was given, or the id of a user
    /// [default: those of `pixcrawler crawl`]
    #[arg(long, value_name = "EMAIL|ID")]
    user: Option<String>,
    /// Of all users
    #[arg(long, conflicts_with = "user")]
    pub(super) all_users: bool,
}

/// Whose jobs or datasets are meant, and how to say it.
pub(super) enum Whose {
    User(UserId, String),
    All,
}

impl WhoseArgs {
    /// Whether somebody is named, or all are.
    pub(super) const fn are_given(&self) -> bool {
        self.user.is_some() || self.all_users
    }

    /// # Errors
    /// When the user is given in a form that names nobody.
    pub(super) fn read(&self, config: &Config) -> anyhow::Result<Whose> {
        let Some(user) = &self.user else {
            return Ok(if self.all_users {
                Whose::All
            } else {
                Whose::User(local_user().user, "made by `pixcrawler crawl`".to_owned())
            });
        };
        let whose = format!("of {user}");
        if let Ok(id) = user.parse::<Uuid>() {
            return Ok(Whose::User(UserId(id), whose));
        }
        if config.supabase.supabase_url.is_some() {
            return Err(wrong_usage(
                "--user: users are those of the project in SUPABASE_URL; name one by its id, which --all-users shows",
            ));
        }
        let email = normalised(user).map_err(|error| wrong_usage(format!("--user: {error}")))?;
        Ok(Whose::User(user_of(&email), whose))
    }
}

impl Whose {
    /// The user of a job, if it is one of theirs.
    ///
    /// # Errors
    /// When it is not, or the database fails.
    pub(super) async fn owner(&self, db: &PgPool, job: JobId) -> anyhow::Result<UserId> {
        let owner = match self {
            Self::User(user, _) => db::jobs::revision(db, *user, job).await?.map(|_| *user),
            Self::All => db::jobs::owner(db, job).await?,
        };
        owner.ok_or_else(|| self.has_no(job))
    }

    /// Says that there is no such job among these.
    pub(super) fn has_no(&self, job: JobId) -> anyhow::Error {
        match self {
            Self::User(_, whose) => anyhow!(
                "there is no job {job} {whose}; see `pixcrawler jobs list`, with --user EMAIL or --all-users for jobs of the API"
            ),
            Self::All => anyhow!("there is no job {job}; see `pixcrawler jobs list --all-users`"),
        }
    }
    /// The user of a dataset, if it is one of theirs.
    ///
    /// # Errors
    /// When it is not, or the database fails.
    pub(super) async fn owner_of_dataset(&self, db: &PgPool, dataset: DatasetId) -> anyhow::Result<UserId> {
        let owner = db::datasets::owner(db, dataset).await?;
        let is_meant = |owner: &UserId| match self {
            Self::User(user, _) => user == owner,
            Self::All => true,
        };
        owner.filter(is_meant).ok_or_else(|| self.has_no_dataset(dataset))
    }

    /// Says that there is no such dataset among these.
    pub(super) fn has_no_dataset(&self, dataset: DatasetId) -> anyhow::Error {
        match self {
            Self::User(_, whose) => anyhow!(
                "there is no dataset {dataset} {whose}; see `pixcrawler dataset list`, with --user EMAIL or --all-users for datasets of the API"
            ),
            Self::All => anyhow!("there is no dataset {dataset}; see `pixcrawler dataset list --all-users`"),
        }
    }
}
