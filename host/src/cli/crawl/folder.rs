//! The folder of a dataset, and the small file in it that says which job it belongs to.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    atomic_write,
    cli::{lock::lock_folder, wrong_usage},
    model::JobId,
    private,
    services::create::JobRequest,
};

/// Name of the file with the record.
const RECORD: &str = ".pixcrawler.json";

/// A dataset folder in the hands of this process.
pub(super) struct Folder {
    path: PathBuf,
    /// It was not there before.
    made: bool,
    record: Option<FolderRecord>,
    /// The kernel lets go of the lock with the process.
    _lock: File,
}

/// Which job a folder belongs to.
#[derive(Debug, Serialize, Deserialize)]
struct FolderRecord {
    /// What was asked for.
    request: JobRequest,
    /// Idempotency key of the request.
    key: Uuid,
    /// None when the process ended before the job was made.
    job: Option<FolderJob>,
}

/// The job of a folder. Ids repeat from database to database, moments do not.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct FolderJob {
    pub(super) id: JobId,
    pub(super) created_at: DateTime<Utc>,
}

impl Folder {
    /// Makes the folder if it is absent and keeps other crawls out of it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let made = !path.exists();
        private::shared_folder(path).with_context(|| format!("cannot make {}", path.display()))?;
        let lock = lock_folder(path, "another crawl")?;
        let file = path.join(RECORD);
        let record = match fs::read(&file) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|error| {
                wrong_usage(format!(
                    "{} cannot be read ({error}); remove it, or choose another folder with --out",
                    file.display()
                ))
            })?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        if record.is_none() && path.join("metadata.jsonl").exists() {
            return Err(wrong_usage(format!(
                "{} holds a dataset that is not of a crawl; choose another folder with --out",
                path.display()
            )));
        }
        Ok(Self { path: path.to_owned(), made, record, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The job that the folder belongs to.
    pub(super) fn job(&self) -> Option<FolderJob> {
        self.record.as_ref()?.job
    }

    /// What was asked for in it.
    pub(super) fn request(&self) -> Option<JobRequest> {
        Some(self.record.as_ref()?.request.clone())
    }

    /// The arguments in which a request differs from that of the folder's job, but for the number of
    /// images, with which a job goes on.
    pub(super) fn differences(&self, request: &JobRequest) -> Vec<String> {
        self.record.as_ref().map_or_else(Vec::new, |record| differences(&record.request, request))
    }

    /// Notes what is about to be asked, and gives the key to ask with: the same one for the same request.
    pub(super) fn remember(&mut self, request: &JobRequest) -> anyhow::Result<String> {
        let before = self.record.as_ref().filter(|record| record.request == *request);
        let key = before.map_or_else(Uuid::new_v4, |record| record.key);
        self.write(FolderRecord { request: request.clone(), key, job: None })?;
        Ok(key.to_string())
    }

    /// Notes the job.
    pub(super) fn belongs_to(&mut self, job: FolderJob) -> anyhow::Result<()> {
        match self.record.take() {
            Some(record) => self.write(FolderRecord { job: Some(job), ..record }),
            None => Ok(()),
        }
    }

    /// Forgets job and request. The files of the dataset go with the next export.
    pub(super) fn forget(&mut self) -> anyhow::Result<()> {
        self.record = None;
        match fs::remove_file(self.path.join(RECORD)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {RECORD}"))
            }
            _ => Ok(()),
        }
    }

    /// Leaves the folder as it was found, when nothing came of the request.
    pub(super) fn leave(&mut self) -> anyhow::Result<()> {
        self.forget()?;
        if self.made {
            // What else was put there meanwhile keeps it.
            let _ = fs::remove_dir(&self.path);
        }
        Ok(())
    }

    fn write(&mut self, record: FolderRecord) -> anyhow::Result<()> {
        let file = self.path.join(RECORD);
        atomic_write::write(&file, &serde_json::to_vec_pretty(&record)?)
            .and_then(|()| private::share(&file))
            .with_context(|| format!("cannot write {}", file.display()))?;
        self.record = Some(record);
        Ok(())
    }
}

/// The arguments in which two requests differ.
fn differences(before: &JobRequest, now: &JobRequest) -> Vec<String> {
    let fields = |request| match serde_json::to_value(request) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (before, now) = (fields(before), fields(now));
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let counts = |name: &String| !matches!(name.as_str(), "name" | "max_images");
    let differs = names.into_iter().filter(|name| counts(name) && before.get(*name) != now.get(*name));
    differs.map(|name| super::request::argument(&format!("/{name}"))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_folder_keeps_its_request_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder");
        let request = JobRequest::from(json!({ "keywords": ["lion"], "max_images": 5 }));
        let key = {
            let mut folder = Folder::open(&path).unwrap();
            folder.remember(&request).unwrap()
        };
        let mut folder = Folder::open(&path).unwrap();
        assert_eq!(folder.remember(&request).unwrap(), key, "the job is made once, whatever happens");
        assert!(folder.job().is_none());
        let job = FolderJob { id: JobId(7), created_at: Utc::now() };
        folder.belongs_to(job).unwrap();
        drop(folder);

        let mut folder = Folder::open(&path).unwrap();
        assert_eq!(folder.job().unwrap().created_at, job.created_at);
        let more = JobRequest { name: Some("more".to_owned()), max_images: Some(6), ..request };
        assert!(folder.differences(&more).is_empty());
        let other =
            JobRequest { keywords: vec!["tiger".to_owned()], language: Some("en".to_owned()), ..more };
        assert_eq!(folder.differences(&other), ["keywords", "--language"]);
        folder.forget().unwrap();
        assert!(folder.differences(&other).is_empty() && folder.job().is_none());
    }

    /// Byte for byte as it was recorded when requests were JSON: the digest under the key is of that.
    #[test]
    fn a_request_is_recorded_as_ever() {
        let recorded = r#"{"keywords":["lion"],"language":null,"max_images":5,"name":"lion","options":{"openverse":{"license":"cc0"}},"rules":{"formats":[],"licenses":["cc-by-*"],"min_height":480,"min_width":640},"safe_search":true,"urls":[]}"#;
        let request: JobRequest = serde_json::from_str(recorded).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap().to_string(), recorded);
        assert_eq!(request.rules.min_width, 640);

        let dir = tempfile::tempdir().unwrap();
        let record = format!(
            r#"{{"request":{recorded},"key":"{}","job":{{"id":7,"created_at":"2026-01-01T00:00:00Z"}}}}"#,
            Uuid::nil()
        );
        fs::write(dir.path().join(RECORD), record).unwrap();
        let mut folder = Folder::open(dir.path()).unwrap();
        assert!(folder.differences(&request).is_empty());
        assert_eq!(folder.job().unwrap().id, JobId(7));
        assert_eq!(folder.remember(&request).unwrap(), Uuid::nil().to_string());
    }

    #[test]
    fn one_crawl_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Folder::open(dir.path()).unwrap();
        let Err(error) = Folder::open(dir.path()) else { panic!("opened twice") };
        assert!(error.to_string().contains("another crawl is at work"), "{error}");
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let check = |file: &str, text: &str, expect: &str| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(file), text).unwrap();
            let Err(error) = Folder::open(dir.path()) else { panic!("{file} was accepted") };
            assert!(error.to_string().contains(expect), "{error}");
            assert_eq!(fs::read_to_string(dir.path().join(file)).unwrap(), text);
        };
        check("metadata.jsonl", "{}", "not of a crawl");
        check(RECORD, "{", "cannot be read");
    }
}
