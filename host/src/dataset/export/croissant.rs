//! `croissant.json`: an export described for programs, in the vocabulary Croissant 1.0 of `MLCommons`. It has no
//! date and no address: whoever publishes the dataset adds them.

use serde_json::{Map, Value, json};

use super::{
    card::citation,
    columns::{Besides, Kind, columns},
    facts::ExportFacts,
    manifest::ExportFile,
};
use crate::model::{ExportFormat, ExportOptions};

/// By this a description is known as one that may be written anew.
pub const MARK: &str = "crawled with PixCrawler";
/// File with the records of a folder.
const LISTING: &str = "metadata.jsonl";
/// Such files, one for each part of a split.
const LISTINGS: &str = "*/metadata.jsonl";
/// The files with the pictures, and what they hold.
const PICTURE_FILES: &str = "picture-files";
const PICTURES: &str = "pictures";
/// The archives, where not each is a file whose hash is known.
const ARCHIVES: &str = "archives";
/// Where the records are read from, if that is no single file whose hash is known, and the records.
const RECORD_FILES: &str = "record-files";
const RECORDS: &str = "records";
/// What a picture and its record have in common.
const PATH: &str = "path of the picture: `file_name` of its record";
const NAME: &str = "name in the archives, which a picture shares with its record";

/// The parts of a split, by name.
const SPLITS: &str = "splits";
const SPLIT_NAME: &str = "splits/split_name";

/// How the field of this name is taken out of a record.
type Extract = fn(&str) -> Value;

/// What is described.
#[derive(Clone, Copy, Debug)]
pub struct Croissant<'a> {
    /// What is in it.
    pub facts: &'a ExportFacts,
    /// How it is packed.
    pub format: ExportFormat,
    /// What was asked besides.
    pub options: &'a ExportOptions,
    /// What lies beside the description. Those whose hashes are known are named one by one.
    pub files: &'a [ExportFile],
}

impl Croissant<'_> {
    /// The whole text, JSON-LD.
    #[must_use]
    pub fn text(&self) -> String {
        let facts = self.facts;
        let description = match facts.description.as_deref().map(str::trim) {
            None | Some("") => format!("{} pictures, crawled with PixCrawler.", facts.counts.images),
            Some(description) => description.to_owned(),
        };
        let licenses: Vec<&str> = facts
            .counts
            .licenses
            .iter()
            .filter(|(license, _)| !license.is_empty())
            .map(|(license, count)| count.url.as_deref().unwrap_or(license))
            .collect();
        let (source, extract) = self.records();
        let mut distribution: Vec<Value> = self.files.iter().filter_map(file_object).collect();
        distribution.extend(self.archive().filter(|_| self.options.split.is_none()).map(|archive| {
            json!({ "@type": "cr:FileObject", "@id": LISTING, "name": LISTING, "contentUrl": LISTING,
                "containedIn": { "@id": archive.name }, "encodingFormat": "application/jsonlines" })
        }));
        distribution.extend(self.file_sets(&source));
        let mut text = Map::new();
        let mut put = |name: &str, value: Value| text.insert(name.to_owned(), value);
        put("@context", context());
        put("@type", json!("sc:Dataset"));
        put("conformsTo", json!("http://mlcommons.org/croissant/1.0"));
        put("name", json!(facts.name));
        put("description", json!(description));
        if !licenses.is_empty() {
            put("license", json!(licenses));
        }
        if !facts.keywords.is_empty() {
            put("keywords", json!(facts.keywords));
        }
        put("citeAs", json!(citation(facts)));
        put("distribution", json!(distribution));
        put(
            "recordSet",
            json!(extract.map(|extract| self.record_sets(&source, extract)).unwrap_or_default()),
        );
        // Strings and numbers: nothing that JSON has no words for.
        serde_json::to_string_pretty(&text).unwrap_or_default() + "\n"
    }

    /// Where the records are, and how a field is taken out of there; nothing where no reader can.
    fn records(&self) -> (Value, Option<Extract>) {
        let column: Extract = |name| json!({ "extract": { "column": name } });
        let set = || json!({ "fileSet": { "@id": RECORD_FILES } });
        match self.format {
            ExportFormat::Folder | ExportFormat::Zip
                if self.options.split.is_none() && (self.is_known(LISTING) || self.archive().is_some()) =>
            {
                (json!({ "fileObject": { "@id": LISTING } }), Some(column))
            }
            ExportFormat::Folder
            | ExportFormat::Zip
            | ExportFormat::Parquet
            | ExportFormat::Csv
            | ExportFormat::Jsonl => (set(), Some(column)),
            ExportFormat::Webdataset if self.options.parquet_beside => (set(), Some(column)),
            ExportFormat::Webdataset => {
                (set(), Some(|name| json!({ "extract": { "jsonPath": format!("$.{name}") } })))
            }
            ExportFormat::Json => {
                (set(), Some(|name| json!({ "extract": { "jsonPath": format!("$[*].{name}") } })))
            }
            ExportFormat::Yaml | ExportFormat::Txt => (set(), None),
        }
    }

    /// The one archive that has all records.
    fn archive(&self) -> Option<&ExportFile> {
        let mut archives = self.files.iter().filter(|file| file.name.ends_with(".zip"));
        let first = archives.next().filter(|_| self.format == ExportFormat::Zip);
        first.filter(|file| file.sha256.is_some() && archives.next().is_none())
    }

    fn is_known(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name && file.sha256.is_some())
    }

    /// Files that are described by their names alone.
    fn file_sets(&self, source: &Value) -> Vec<Value> {
        let set = |id: &str, media: &[&str], includes: &[String], within: &Value| {
            let mut set = json!({ "@type": "cr:FileSet", "@id": id, "name": id, "encodingFormat": media, "includes": includes });
            if media.len() == 1 {
                set["encodingFormat"] = json!(media[0]);
            }
            if includes.len() == 1 {
                set["includes"] = json!(includes[0]);
            }
            if !within.is_null() {
                set["containedIn"] = within.clone();
            }
            set
        };
        let archive = match self.format {
            ExportFormat::Zip => "zip",
            ExportFormat::Webdataset => "tar",
            ExportFormat::Folder => "",
            format => {
                let media = media_type(format.name()).unwrap_or("text/plain");
                let stems: Vec<&str> = match self.options.split {
                    Some(_) if format.has_pictures() => {
                        self.facts.counts.splits.keys().map(|part| part.name()).collect()
                    }
                    _ => vec!["data"],
                };
                let includes: Vec<String> =
                    stems.iter().map(|stem| format!("{stem}*.{}", format.name())).collect();
                return vec![set(RECORD_FILES, &[media], &includes, &Value::Null)];
            }
        };
        let mut sets = Vec::new();
        let archives: Vec<&ExportFile> = self
            .files
            .iter()
            .filter(|file| file.name.rsplit_once('.').is_some_and(|(_, extension)| extension == archive))
            .collect();
        let within = if archive.is_empty() {
            Value::Null
        } else if !archives.is_empty() && archives.iter().all(|file| file.sha256.is_some()) {
            Value::Array(archives.iter().map(|file| json!({ "@id": file.name })).collect())
        } else {
            let media = media_type(archive).unwrap_or_default();
            sets.push(set(ARCHIVES, &[media], &[format!("*.{archive}")], &Value::Null));
            json!({ "@id": ARCHIVES })
        };
        let formats = &self.facts.counts.formats;
        let is_split = self.options.split.is_some();
        let folder = match self.format {
            ExportFormat::Webdataset => "",
            _ if is_split => "*/*/",
            _ => "*/",
        };
        let includes: Vec<String> =
            formats.keys().map(|extension| format!("{folder}*.{extension}")).collect();
        let media: Vec<&str> = formats.keys().filter_map(|extension| media_type(extension)).collect();
        if !includes.is_empty() {
            sets.push(set(PICTURE_FILES, &media, &includes, &within));
        }
        if source.get("fileSet").is_some() {
            let (media, includes, within) = match self.format {
                ExportFormat::Webdataset if self.options.parquet_beside => {
                    ("application/x-parquet", "*.parquet", &Value::Null)
                }
                ExportFormat::Webdataset => ("application/json", "*.json", &within),
                _ if is_split => ("application/jsonlines", LISTINGS, &within),
                _ => ("application/jsonlines", LISTING, &within),
            };
            sets.push(set(RECORD_FILES, &[media], &[includes.to_owned()], within));
        }
        sets
    }

    /// What the records hold, and the pictures themselves.
    fn record_sets(&self, source: &Value, extract: Extract) -> Vec<Value> {
        let from = |extract: Value| {
            let source = source.as_object().into_iter().chain(extract.as_object()).flatten();
            Value::Object(source.map(|(name, value)| (name.clone(), value.clone())).collect())
        };
        let mut fields: Vec<Value> = columns(Besides::of(self.format, self.options))
            .map(|column| {
                let kind = match column.kind {
                    Kind::Integer => "sc:Integer",
                    Kind::Text if column.name == "url" || column.name.ends_with("_url") => "sc:URL",
                    Kind::Text | Kind::Texts => "sc:Text",
                };
                let mut field = field(RECORDS, column.name, column.meaning, kind, from(extract(column.name)));
                // A list is one text in a table that has none.
                if column.kind == Kind::Texts && self.format != ExportFormat::Csv {
                    field["repeated"] = json!(true);
                }
                if column.name == "split" {
                    field["references"] = json!({ "field": { "@id": SPLIT_NAME } });
                }
                field
            })
            .collect();
        let property = |name: &str, regex: &str| json!({ "extract": { "fileProperty": name }, "transform": { "regex": regex } });
        let picture = |mut source: Value| {
            source["fileSet"] = json!({ "@id": PICTURE_FILES });
            source
        };
        let content = || picture(json!({ "extract": { "fileProperty": "content" } }));
        // Which `file_name` does not have the part of.
        let path = if self.options.split.is_some() { "^[^/]+/(.+)$" } else { "^(.+)$" };
        let (path, stem) = (property("fullpath", path), property("filename", "^(.+)\\.[^.]+$"));
        let mut pictures = Vec::new();
        match self.format {
            ExportFormat::Folder if self.facts.counts.images > 0 && self.options.split.is_none() => {
                let mut path = field(RECORDS, "path", PATH, "sc:Text", picture(path));
                path["references"] = from(extract("file_name"));
                fields.push(path);
                fields.push(field(RECORDS, "image", "the picture", "sc:ImageObject", content()));
            }
            ExportFormat::Parquet => {
                let source =
                    from(json!({ "extract": { "column": "image" }, "transform": { "jsonPath": "bytes" } }));
                fields.push(field(RECORDS, "image", "the picture", "sc:ImageObject", source));
            }
            // Readers do not join what is in archives, nor files with what several files say of them: the records and
            // the pictures are two sets.
            ExportFormat::Zip | ExportFormat::Folder if self.facts.counts.images > 0 => {
                pictures.push(field(PICTURES, "path", PATH, "sc:Text", picture(path)));
            }
            ExportFormat::Webdataset if self.facts.counts.images > 0 => {
                let name = if self.options.parquet_beside { extract("key") } else { stem.clone() };
                fields.push(field(RECORDS, "name", NAME, "sc:Text", from(name)));
                pictures.push(field(PICTURES, "name", NAME, "sc:Text", picture(stem)));
            }
            _ => {}
        }
        let set = |id: &str, key: &str, fields: Vec<Value>| json!({ "@type": "cr:RecordSet", "@id": id, "name": id, "key": { "@id": format!("{id}/{key}") }, "field": fields });
        let mut sets = vec![set(RECORDS, "file_name", fields)];
        if self.options.split.is_some() {
            sets.push(self.splits());
        }
        if !pictures.is_empty() {
            pictures.push(field(PICTURES, "image", "the picture", "sc:ImageObject", content()));
            let key = if self.format == ExportFormat::Webdataset { "name" } else { "path" };
            sets.push(set(PICTURES, key, pictures));
        }
        sets
    }

    /// The parts of the split.
    fn splits(&self) -> Value {
        let parts = self.facts.counts.splits.keys().map(|part| json!({ SPLIT_NAME: part.name() }));
        json!({ "@type": "cr:RecordSet", "@id": SPLITS, "name": SPLITS, "dataType": "cr:Split",
            "description": "parts of the split", "key": { "@id": SPLIT_NAME },
            "field": [{ "@type": "cr:Field", "@id": SPLIT_NAME, "name": "split_name", "dataType": "sc:Text" }],
            "data": parts.collect::<Vec<_>>() })
    }
}

fn field(set: &str, name: &str, meaning: &str, kind: &str, source: Value) -> Value {
    json!({ "@type": "cr:Field", "@id": format!("{set}/{name}"), "name": name, "description": meaning,
        "dataType": kind, "source": source })
}

/// A file whose hash is known: without one there is no such thing in the vocabulary.
fn file_object(file: &ExportFile) -> Option<Value> {
    let sha256 = file.sha256.as_ref()?;
    let extension = file.name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mut object = json!({ "@type": "cr:FileObject", "@id": file.name, "name": file.name,
        "contentUrl": file.name, "encodingFormat": media_type(extension).unwrap_or("application/octet-stream"),
        "sha256": sha256 });
    if let Some(bytes) = file.bytes {
        object["contentSize"] = json!(format!("{bytes} B"));
    }
    Some(object)
}

/// Media types under the names that readers of Croissant look for.
fn media_type(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "csv" => "text/csv",
        "gif" => "image/gif",
        "jpg" => "image/jpeg",
        "json" => "application/json",
        "jsonl" => "application/jsonlines",
        "md" => "text/markdown",
        "parquet" => "application/x-parquet",
        "png" => "image/png",
        "tar" => "application/x-tar",
        "txt" => "text/plain",
        "webp" => "image/webp",
        "yaml" => "application/yaml",
        "zip" => "application/zip",
        _ => return None,
    })
}

/// The context that the vocabulary prescribes.
fn context() -> Value {
    json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "data": { "@id": "cr:data", "@type": "@json" },
        "dataType": { "@id": "cr:dataType", "@type": "@vocab" },
        "dct": "http://purl.org/dc/terms/",
        "examples": { "@id": "cr:examples", "@type": "@json" },
        "equivalentProperty": "cr:equivalentProperty",
        "extract": "cr:extract",
        "field": "cr:field",
        "fileProperty": "cr:fileProperty",
        "fileObject": "cr:fileObject",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "parentField": "cr:parentField",
        "path": "cr:path",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{ExportRecord, Provenance, Split};

    /// Every `@id` that is referred to.
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                if let (Some(Value::String(id)), 1) = (fields.get("@id"), fields.len()) {
                    found.insert(id);
                }
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn what_is_referred_to_is_there_once() {
        let mut facts = ExportFacts {
            name: "Cats".to_owned(),
            keywords: vec!["cat".to_owned()],
            ..ExportFacts::default()
        };
        facts.counts.add(&ExportRecord {
            file_name: "cat/ab.jpg".to_owned(),
            label: "cat".to_owned(),
            provenance: Provenance { license: Some("mit".to_owned()), ..Provenance::default() },
            ..ExportRecord::default()
        });
        for (format, parquet_beside, split) in ExportFormat::ALL
            .into_iter()
            .flat_map(|format| {
                [None, Some(Split { train: 80, validation: 10, test: 10 })]
                    .map(|split| (format, false, split))
            })
            .chain([(ExportFormat::Webdataset, true, None)])
        {
            let archives = match format {
                ExportFormat::Folder => vec!["metadata.jsonl", "attribution.csv"],
                ExportFormat::Webdataset => vec!["data-00000.tar", "data-00001.tar"],
                ExportFormat::Zip => vec!["data.zip", "attribution.csv"],
                _ => vec!["attribution.csv"],
            };
            for sha256 in [None, Some("ab".to_owned())] {
                let file = |name: &&str| ExportFile {
                    name: (*name).to_owned(),
                    bytes: Some(5),
                    sha256: sha256.clone(),
                    ..ExportFile::default()
                };
                let files: Vec<ExportFile> = archives.iter().map(file).collect();
                let options = ExportOptions { parquet_beside, split, ..ExportOptions::default() };
                let text = Croissant { facts: &facts, format, options: &options, files: &files }.text();
                let json: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(json["license"], json!(["mit"]));
                let distribution = json["distribution"].as_array().unwrap();
                let sets = json["recordSet"].as_array().unwrap();
                let records = sets.iter().find(|set| set["@id"] == RECORDS);
                if let Some(fields) = records.and_then(|set| set["field"].as_array()) {
                    let consent = fields.iter().find(|field| field["name"] == "consent").unwrap();
                    let is_list = consent["repeated"] == true;
                    assert_eq!(is_list, format != ExportFormat::Csv, "{consent}");
                }
                let fields = sets.iter().flat_map(|set| set["field"].as_array().unwrap());
                let all: Vec<&str> = distribution
                    .iter()
                    .chain(sets)
                    .chain(fields)
                    .map(|node| node["@id"].as_str().unwrap())
                    .collect();
                let ids: BTreeSet<&str> = all.iter().copied().collect();
                assert_eq!(ids.len(), all.len(), "{text}");
                let mut used = BTreeSet::new();
                references(&json["distribution"], &mut used);
                references(&json["recordSet"], &mut used);
                assert!(used.is_subset(&ids), "{used:?} {ids:?}");
                let hashes = distribution.iter().filter(|node| node["sha256"] == "ab").count();
                assert_eq!(hashes, if sha256.is_some() { files.len() } else { 0 });
            }
        }
    }
}
