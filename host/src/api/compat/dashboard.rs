//! What the original's dashboard shows at a glance.

use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json, types::Example};

use crate::{
    api::{
        Tag,
        bearer::{Access, READ},
        error::{ProblemSet, SIGNED_IN},
    },
    app::App,
    db::{self, dashboard::Dashboard},
};

pub(in crate::api) struct DashboardApi;

/// In bytes.
const GIGABYTE: f64 = 1e9;

/// What a user has, at a glance.
#[derive(Object)]
#[oai(example)]
struct DashboardStats {
    /// Projects that are not deleted.
    total_projects: i64,
    /// Jobs that are pending or running.
    active_jobs: i64,
    /// Datasets.
    total_datasets: i64,
    /// Images kept.
    total_images: i64,
    /// Size of the images kept, in units of 1 000 000 000 bytes, such as `12.50 GB`, as `/storage/usage` has it.
    storage_used: String,
    /// Images kept within the last minute, such as `150/min`.
    processing_speed: String,
    /// Balance of the user's credit.
    credits_remaining: i32,
}

#[OpenApi(prefix_path = "/dashboard", tag = "Tag::Compatibility")]
impl DashboardApi {
    /// Show what the caller has, at a glance
    #[oai(path = "/stats", method = "get", operation_id = "getDashboardStats", deprecated)]
    async fn stats(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
    ) -> Result<Json<DashboardStats>, ProblemSet<SIGNED_IN>> {
        // The credit comes with the profile, which is made now if this is their first call.
        app.profile(&caller).await?;
        let (bytes, _) = app.stored_for(caller.user).await?;
        Ok(Json(DashboardStats::new(db::dashboard::of_user(&app.db, caller.user).await?, bytes)))
    }
}

impl DashboardStats {
    #[expect(clippy::cast_precision_loss, reason = "rounded anyway")]
    fn new(row: Dashboard, bytes: i64) -> Self {
        Self {
            total_projects: row.projects,
            active_jobs: row.active_jobs,
            total_datasets: row.datasets,
            total_images: row.images,
            storage_used: format!("{:.2} GB", bytes as f64 / GIGABYTE),
            processing_speed: format!("{}/min", row.images_in_last_minute),
            credits_remaining: row.credits,
        }
    }
}

impl Example for DashboardStats {
    fn example() -> Self {
        Self {
            total_projects: 12,
            active_jobs: 3,
            total_datasets: 45,
            total_images: 125_000,
            storage_used: "12.50 GB".to_owned(),
            processing_speed: "150/min".to_owned(),
            credits_remaining: 5_000,
        }
    }
}
