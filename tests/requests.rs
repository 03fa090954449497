//! A source's own requests: which are made, which are not made again, and what goes along.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    database,
    plugins::{folder, guest},
    process::System,
    site::{ORIGIN, Reply, Site},
};

mod agent;
mod cookies;
mod items;
mod kept;
mod lasting;

/// A system with the guest `museum`, and the folder it was found in.
async fn museum(site: &Site, settings: &[(&'static str, &str)]) -> (System, TempDir) {
    let plugins = folder(&[("museum.wasm", guest("museum"))]);
    let ours = [("PIXCRAWLER_PLUGINS", plugins.path().to_str().unwrap()), ("PIXCRAWLER_GRANT", "museum")];
    let system = System::with(site, database().await, &[&ours, settings].concat()).await;
    (system, plugins)
}

/// Lets the museum have these things for a query, each with a picture.
fn things(site: &Site, query: &str, ids: impl Iterator<Item = u32>) -> String {
    let mut list = String::new();
    for id in ids {
        writeln!(list, "{id}").unwrap();
        site.on(&thing(id), [Reply::Page(format!("{ORIGIN}/{id}.png"))]);
        site.on(&format!("/{id}.png"), [Reply::Picture]);
    }
    site.on(&format!("/list?q={query}"), [Reply::Page(list.clone())]);
    list
}

fn thing(id: u32) -> String {
    format!("/thing/{id}")
}

fn job(keywords: &[&str]) -> Value {
    json!({ "name": "museum", "keywords": keywords, "sources": ["museum"], "max_images": 100 })
}

async fn create(system: &System, body: &Value) -> i64 {
    system.create_job(body).await["id"].as_i64().unwrap()
}
