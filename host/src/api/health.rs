//! Whether the process lives and whether it can work.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, payload::Json, types::Example};

use super::{Tag, error::ProblemSet};
use crate::{app::App, postgres::Liveness};

pub(super) struct HealthApi;

/// What answers.
const SERVICE: &str = "pixcrawler";

/// The process lives.
#[derive(Object)]
#[oai(example)]
struct Health {
    /// Always `pixcrawler`.
    service: String,
    /// `healthy`, or `degraded` while the private Postgres is gone and started again: the process
    /// lives, and mends it by itself.
    status: String,
    /// When this was said.
    timestamp: DateTime<Utc>,
    /// Version of the program.
    version: String,
    /// What the operator calls this system.
    environment: String,
}

/// Whether jobs can be taken and worked on.
#[derive(Object)]
#[oai(example)]
struct Readiness {
    /// `ready`, or `unavailable` as long as one part is.
    status: String,
    /// `database`, `queue`, `store` and `plugins`, each `ready` or `unavailable`.
    parts: BTreeMap<String, String>,
}

#[derive(ApiResponse)]
enum Ready {
    /// Every part is ready.
    #[oai(status = 200)]
    Ready(Json<Readiness>),
    /// At least one part is not.
    #[oai(status = 503)]
    Unavailable(Json<Readiness>),
}

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// Live
    ///
    /// Answers as long as the process does, and says what it knows; touches nothing else.
    #[oai(path = "/health", method = "get", operation_id = "getHealth")]
    async fn health(&self, Data(app): Data<&App>) -> Result<Json<Health>, ProblemSet<0>> {
        let alive = app.postgres.as_ref().is_none_or(Liveness::get);
        Ok(Json(Health {
            service: SERVICE.to_owned(),
            status: if alive { "healthy" } else { "degraded" }.to_owned(),
            timestamp: Utc::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: app.config.log.environment.clone(),
        }))
    }

    /// Ready
    ///
    /// Tries the database, the queue, the store and the plugins. For load balancers.
    #[oai(path = "/health/ready", method = "get", operation_id = "getReadiness")]
    async fn ready(&self, Data(app): Data<&App>) -> Result<Ready, ProblemSet<0>> {
        let tried = app.check_readiness().await;
        let word = |ready| if ready { "ready" } else { "unavailable" }.to_owned();
        let all = tried.iter().all(|(_, ready)| *ready);
        let parts = tried.into_iter().map(|(part, ready)| (part.to_owned(), word(ready))).collect();
        let readiness = Json(Readiness { status: word(all), parts });
        Ok(if all { Ready::Ready(readiness) } else { Ready::Unavailable(readiness) })
    }
}

impl Example for Health {
    fn example() -> Self {
        Self {
            service: SERVICE.to_owned(),
            status: "healthy".to_owned(),
            timestamp: DateTime::UNIX_EPOCH,
            version: "0.1.0".to_owned(),
            environment: "development".to_owned(),
        }
    }
}

impl Example for Readiness {
    fn example() -> Self {
        let parts = ["database", "plugins", "queue", "store"];
        Self {
            status: "ready".to_owned(),
            parts: parts.into_iter().map(|part| (part.to_owned(), "ready".to_owned())).collect(),
        }
    }
}
