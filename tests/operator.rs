//! What an operator does while the system runs.

mod credentials;
mod health;
mod keys;
mod logs;
mod preview;
mod upgrade;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{
    postgres::database,
    process::{Process, System},
    site::{ORIGIN, Reply, Site},
};

/// A component that `make guests` built.
fn guest_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../target/guests/{name}.wasm"))
}

/// A page of the guest `steps` with these pictures of the site.
fn page(pictures: &[&str], more: bool) -> Reply {
    let mut page: String = pictures.iter().map(|name| format!("{ORIGIN}/{name}.png\n")).collect();
    page += if more { "more" } else { "" };
    Reply::Page(page)
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

    /// The same, and waits until it is on at the front door and in this process.
    async fn install_for(&self, process: &Process, guest: &str) {
        self.install(guest).await;
        for process in [self.door(), process] {
            let met = |line: &Value| line["source"] == guest && line["off"].is_null();
            process.logged_with("source-loaded", met).await;
        }
    }

    /// A job of this source.
    async fn create_of(&self, source: &str, keywords: &[&str]) -> i64 {
        let body = json!({ "name": source, "keywords": keywords, "sources": [source], "max_images": 100 });
        self.create_job(&body).await["id"].as_i64().unwrap()
    }

    /// Why a job of this source is refused.
    async fn refused(&self, source: &str) -> String {
        let body = json!({ "name": "x", "keywords": ["fox"], "sources": [source] });
        let told = self.post("/api/v1/crawl-jobs/", &body).await.expect(422).json();
        told["errors"][0]["detail"].as_str().unwrap().to_owned()
    }

    /// What the API says of a source.
    async fn source(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/sources/{id}")).await.expect(200).json()
    }

    /// What `plugin list` says of a source.
    async fn listed(&self, id: &str) -> Value {
        self.listed_with(id, &[]).await
    }

    async fn listed_with(&self, id: &str, settings: &[(&str, &str)]) -> Value {
        let listed = self.plugin_with(&["list", "--json"], settings).await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let sources = listed["sources"].as_array().unwrap();
        sources.iter().find(|source| source["id"] == id).unwrap().clone()
    }
}

impl Process {
    /// Waits until it has taken up this version of `steps`, on or off.
    async fn took_up(&self, version: &str, on: bool) -> Value {
        self.logged_with("source-loaded", |line| {
            line["source"] == "steps" && line["version"] == version && line["off"].is_null() == on
        })
        .await
    }
}
