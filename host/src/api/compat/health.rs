//! Whether each part works, as the original says it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json, types::Example};

use crate::{
    api::{Tag, error::ProblemSet},
    app::App,
};

pub(in crate::api) struct DetailedHealthApi;

/// Whether each part works.
#[derive(Object)]
#[oai(example)]
struct DetailedHealth {
    /// `healthy`; `unhealthy` without the database; `degraded` where another part does not work.
    status: String,
    /// When this was said.
    timestamp: DateTime<Utc>,
    /// Version of the program.
    version: String,
    /// What the operator calls this system.
    environment: String,
    /// `database`, `queue`, `store` and `plugins`.
    components: BTreeMap<String, ComponentHealth>,
}

/// Whether a part works.
#[derive(Object)]
struct ComponentHealth {
    /// `healthy` or `unhealthy`.
    status: String,
    /// For people; the reason is in the log.
    message: String,
}

#[OpenApi(prefix_path = "/health", tag = "Tag::Compatibility")]
impl DetailedHealthApi {
    /// Show whether each part works
    ///
    /// 200 whatever is the case; `GET /health/ready` answers 503 where a part does not work.
    #[oai(path = "/detailed", method = "get", operation_id = "getDetailedHealth", deprecated)]
    async fn detailed(&self, Data(app): Data<&App>) -> Result<Json<DetailedHealth>, ProblemSet<0>> {
        Ok(Json(DetailedHealth::of(app.check_readiness().await, app.config.log.environment.clone())))
    }
}

impl DetailedHealth {
    fn of(parts: Vec<(&'static str, bool)>, environment: String) -> Self {
        let broken: Vec<&str> = parts.iter().filter(|(_, works)| !works).map(|(part, _)| *part).collect();
        let status = match &broken[..] {
            [] => "healthy",
            broken if broken.contains(&"database") => "unhealthy",
            _ => "degraded",
        };
        let components = parts.into_iter().map(|(part, works)| {
            let (status, message) =
                if works { ("healthy", "works") } else { ("unhealthy", "does not work; the log says why") };
            (part.to_owned(), ComponentHealth { status: status.to_owned(), message: message.to_owned() })
        });
        Self {
            status: status.to_owned(),
            timestamp: Utc::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            environment,
            components: components.collect(),
        }
    }
}

impl Example for DetailedHealth {
    fn example() -> Self {
        let parts = ["database", "queue", "store", "plugins"].map(|part| (part, true));
        let version = "0.1.0".to_owned();
        let of_parts = Self::of(parts.into(), "development".to_owned());
        Self { timestamp: DateTime::UNIX_EPOCH, version, ..of_parts }
    }
}
