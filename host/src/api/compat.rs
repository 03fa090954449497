//! What is there for the original's frontend only, beside our own: how it asks and what it reads.

use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::Value;

use super::nullable::Nullable;

pub(super) mod batch;
pub(super) mod credits;
pub(super) mod dashboard;
pub(super) mod datasets;
pub(super) mod formerly_open;
pub(super) mod health;
pub(super) mod jobs;
pub(super) mod paging;
pub(super) mod simple_flow;
pub(super) mod tokens;

/// Every part of it.
pub(super) type CompatApi = (
    batch::BatchApi,
    credits::CreditsApi,
    dashboard::DashboardApi,
    datasets::OtherDatasetsApi,
    health::DetailedHealthApi,
    jobs::OtherJobsApi,
    simple_flow::SimpleFlowApi,
    tokens::TokensApi,
);

pub(super) const fn api() -> CompatApi {
    (
        batch::BatchApi,
        credits::CreditsApi,
        dashboard::DashboardApi,
        datasets::OtherDatasetsApi,
        health::DetailedHealthApi,
        jobs::OtherJobsApi,
        simple_flow::SimpleFlowApi,
        tokens::TokensApi,
    )
}

/// What is answered where something was deleted, because the original's client reads JSON of every answer.
#[derive(Object)]
#[oai(example)]
pub(super) struct Gone {
    /// Always null.
    data: Nullable<Any<Value>>,
}

impl Default for Gone {
    fn default() -> Self {
        Self { data: None.into() }
    }
}

impl Example for Gone {
    fn example() -> Self {
        Self::default()
    }
}
