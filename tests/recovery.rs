//! Whatever happens to processes, sites, the database or the store: nothing is lost,
//! nothing is there twice, and a job gets exactly what was asked.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::process::System;

mod kill;
mod outage;
mod retry;
mod share;
mod stop;

/// The hashes of what a job kept, after a look at every row and object: no address has two
/// rows, and each kept image has an object of its content.
async fn kept(system: &System, job: i64) -> BTreeSet<String> {
    let rows: Vec<(String, Option<String>, bool)> = sqlx::query_as(
        "select original_url, hash, is_valid and not is_duplicate from images where crawl_job_id = $1",
    )
    .bind(job)
    .fetch_all(&system.pool)
    .await
    .unwrap();
    let addresses: BTreeSet<_> = rows.iter().map(|(address, ..)| address).collect();
    assert_eq!(addresses.len(), rows.len(), "an address has two rows: {rows:?}");

    let hashes: Vec<_> = rows.into_iter().filter_map(|(_, hash, kept)| hash.filter(|_| kept)).collect();
    let objects = files(&system.objects());
    for hash in &hashes {
        // What a kill interrupted has a `#` behind its name.
        let is_whole = |path: &&PathBuf| !path.to_string_lossy().contains('#');
        let object = objects.iter().filter(is_whole);
        let object =
            object.into_iter().find(|path| path.file_stem().unwrap().to_str() == Some(hash.as_str()));
        let bytes = std::fs::read(object.unwrap_or_else(|| panic!("no object of {hash}"))).unwrap();
        assert_eq!(hex::encode(Sha256::digest(bytes)), *hash);
    }
    let unique: BTreeSet<_> = hashes.iter().cloned().collect();
    assert_eq!(unique.len(), hashes.len(), "a picture was kept twice");
    unique
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A field of each chunk of a job, in order.
fn chunks<'a>(job: &'a Value, field: &str) -> Vec<&'a Value> {
    job["chunks"].as_array().unwrap().iter().map(|chunk| &chunk[field]).collect()
}
