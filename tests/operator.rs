//! What an operator does while the system runs.

mod health;
mod preview;
mod upgrade;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    postgres::database,
    process::{Process, System},
    site::Site,
};

/// A component that `make guests` built.
fn guest_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../target/guests/{name}.wasm"))
}

/// A system that looks for changes often.
async fn system(site: &Site) -> System {
    let credentials = ("PIXCRAWLER_CREDENTIALS", "keys.header=one");
    System::with(site, database().await, &[("PIXCRAWLER_PLUGINS_POLL", "50ms"), credentials]).await
}

impl System {
    /// Installs a guest, with all that it asks for.
    async fn install(&self, guest: &str) {
        self.plugin(&["install", guest_file(guest).to_str().unwrap(), "--yes"]).await;
    }

    /// A job of the guest `steps`.
    async fn create_steps(&self, keywords: &[&str]) -> i64 {
        let body = json!({ "name": "steps", "keywords": keywords, "sources": ["steps"], "max_images": 100 });
        let created = self.post("/api/v1/crawl-jobs/", &body).await.expect(201).json();
        created["id"].as_i64().unwrap()
    }
}

impl Process {
    /// Waits until it has taken up this version of `steps`, on or off.
    async fn took_up(&self, version: &str, on: bool) -> Value {
        self.logged_with("source taken up", |line| {
            line["source"] == "steps" && line["version"] == version && line["off"].is_null() == on
        })
        .await
    }
}
