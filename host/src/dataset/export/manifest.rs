//! `manifest.json`: which files an export has, how long they are and what their hashes are.

use serde::{Deserialize, Serialize};

use crate::model::{ExportFormat, ExportOptions};

/// A file of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportFile {
    /// Under which it is asked for, and lies beside the others.
    pub name: String,
    /// Its length; none until it is made.
    pub bytes: Option<u64>,
    /// SHA-256 in hexadecimal; none until it was read.
    pub sha256: Option<String>,
    /// Pictures or records in it.
    pub images: u64,
    /// Rises when something is taken out of it.
    pub revision: i32,
    /// Pictures that were taken out.
    pub removed: u64,
}

/// What an export has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest<'a> {
    /// Name of the dataset.
    pub name: &'a str,
    /// How it is packed.
    pub format: ExportFormat,
    /// What was asked besides.
    pub options: &'a ExportOptions,
    /// Pictures in all its files.
    pub images: u64,
    /// In order.
    pub files: &'a [ExportFile],
}

/// Which export a manifest is of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ExportIdentity {
    /// Name of the dataset.
    pub name: String,
    /// How it is packed.
    pub format: ExportFormat,
    /// What was asked besides.
    pub options: ExportOptions,
}

/// What is read of a manifest that was written before.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WholeExport {
    /// Of which export it is.
    #[serde(flatten)]
    pub identity: ExportIdentity,
    /// What lies beside it.
    pub files: Vec<NamedFile>,
}

/// The name of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NamedFile {
    /// Perhaps any text.
    pub name: String,
}

impl Manifest<'_> {
    /// The whole text.
    #[must_use]
    pub fn text(&self) -> String {
        // Strings and numbers: nothing that JSON has no words for.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_null() {
        let files = [ExportFile {
            name: "data-00000.tar".to_owned(),
            bytes: Some(5),
            images: 2,
            ..ExportFile::default()
        }];
        let options = ExportOptions::default();
        let manifest = Manifest {
            name: "Cats",
            format: ExportFormat::Webdataset,
            options: &options,
            images: 2,
            files: &files,
        };
        let json: serde_json::Value = serde_json::from_str(&manifest.text()).unwrap();
        assert_eq!(json["format"], "webdataset");
        let file = serde_json::json!({ "name": "data-00000.tar", "bytes": 5, "sha256": null, "images": 2, "revision": 0, "removed": 0 });
        assert_eq!(json["files"], serde_json::json!([file]));
    }
}
