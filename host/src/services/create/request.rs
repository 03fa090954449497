//! Requests as they come: what is asked for, typed, before any rule is checked. The rules are in
//! [`check`](super::check).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    model::{Animation, AspectRatio, ConsentPolicy, DuplicateScope, Format, Level, Pdq, Rules},
    services::{
        form::Form,
        violation::{Violations, list_of_at_most},
    },
};

/// Most keywords of a job.
pub(in crate::services) const MOST_KEYWORDS: usize = 50;
/// Most addresses of a job.
pub(super) const MOST_URLS: usize = 1_000;
/// Most hashes of pictures that a job does not want.
pub(crate) const MOST_UNLIKE: usize = 100_000;
/// Most sources of a job.
pub(in crate::services) const MOST_SOURCES: usize = 100;
/// Most licences that a job accepts by name.
pub(super) const MOST_LICENSES: usize = 100;
/// Most options of one source.
const MOST_OPTIONS: usize = 100;
/// Most fields of the original's settings, of which none has a meaning here.
const MOST_CONFIG: usize = 100;
/// Most fields of the rules, known or not.
const MOST_RULES: usize = 32;

/// A job that is asked for. What is not given is none or empty, and has its default in
/// [`check`](Self::check).
///
/// From JSON it is read whatever that holds: null is as if absent; what is no text, or no whole
/// number, becomes one that no rule accepts; and every other form that does not fit is `misread`.
/// So one answer tells everything that is wrong, in the words of the rules. What it is in JSON is
/// in the folders of `crawl`, and may not change but for what is left out here when absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Value")]
#[expect(missing_docs, reason = "meanings are in the API's document")]
pub struct JobRequest {
    pub name: Option<String>,
    pub keywords: Vec<String>,
    pub urls: Vec<String>,
    pub max_images: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    pub options: BTreeMap<String, BTreeMap<String, Value>>,
    pub safe_search: Option<bool>,
    pub language: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    pub rules: Rules,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unlike: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_engine: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, Value>,
    #[serde(skip)]
    pub misread: Violations,
}

/// What one source alone is asked, read like a [`JobRequest`].
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "meanings are in the API's document")]
pub struct QueryRequest {
    pub text: Option<String>,
    pub options: BTreeMap<String, Value>,
    pub safe_search: Option<bool>,
    pub language: Option<String>,
    pub limit: Option<i64>,
    pub misread: Violations,
}

/// How a retry goes beyond what the job was asked for, read like a [`JobRequest`].
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "meanings are in the API's document")]
pub struct RetryRequest {
    pub max_images: Option<i64>,
    pub update: Option<bool>,
    pub misread: Violations,
}

impl From<Value> for JobRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            name: form.text("name"),
            keywords: form.texts("keywords", MOST_KEYWORDS),
            urls: form.texts("urls", MOST_URLS),
            max_images: form.number("max_images"),
            sources: form.texts("sources", MOST_SOURCES),
            options: form.object("options", MOST_SOURCES).into_objects(MOST_OPTIONS),
            safe_search: form.boolean("safe_search"),
            language: form.text("language"),
            labels: form.object("labels", MOST_KEYWORDS + MOST_URLS).into_texts(),
            rules: form.object("rules", MOST_RULES).into_rules(),
            unlike: form.texts("unlike", MOST_UNLIKE),
            dataset_id: form.number("dataset_id"),
            project_id: form.number("project_id"),
            search_engine: form.text("search_engine"),
            config: form.object("config", MOST_CONFIG).into_values(),
            misread: Violations::default(),
        };
        form.end();
        request.misread = misread;
        request
    }
}

impl From<Value> for RetryRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            max_images: form.number("max_images"),
            update: form.boolean("update"),
            misread: Violations::default(),
        };
        form.end();
        request.misread = misread;
        request
    }
}

impl From<Value> for QueryRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            text: form.text("text"),
            options: form.object("options", MOST_OPTIONS).into_values(),
            safe_search: form.boolean("safe_search"),
            language: form.text("language"),
            limit: form.number("limit"),
            misread: Violations::default(),
        };
        form.end();
        request.misread = misread;
        request
    }
}

impl Form<'_> {
    fn into_rules(mut self) -> Rules {
        let pixels =
            |number: Option<i64>| number.map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX));
        let level = self.named("level", Level::named, &Level::ALL.map(Level::name));
        let animation = self.named("animation", Animation::named, &Animation::ALL.map(Animation::name));
        let rules = Rules {
            licenses: self.texts("licenses", MOST_LICENSES),
            min_width: pixels(self.number("min_width")),
            min_height: pixels(self.number("min_height")),
            formats: self.formats(),
            near_duplicates: self
                .number("near_duplicates")
                .map_or(Pdq::ALIKE, |bits| u8::try_from(bits).unwrap_or(u8::MAX)),
            consent: self.consent(),
            duplicates_within: self.duplicate_scope(),
            turned_duplicates: self.boolean("turned_duplicates").unwrap_or_default(),
            level: level.unwrap_or_default(),
            animation,
            // What does not fit becomes what no rule accepts.
            max_width: self.number("max_width").map(|side| side.try_into().unwrap_or(0)),
            max_height: self.number("max_height").map(|side| side.try_into().unwrap_or(0)),
            max_aspect_ratio: self.aspect_ratio(),
            min_bytes: self.number("min_bytes").map(|bytes| bytes.try_into().unwrap_or(u64::MAX)),
            max_bytes: self.number("max_bytes").map(|bytes| bytes.try_into().unwrap_or(0)),
            min_contrast: self.score("min_contrast"),
            min_brightness: self.score("min_brightness"),
            max_brightness: self.score("max_brightness"),
            min_sharpness: self.score("min_sharpness"),
            min_jpeg_quality: self.score("min_jpeg_quality"),
        };
        self.end();
        rules
    }

    fn duplicate_scope(&mut self) -> DuplicateScope {
        match self.text("duplicates_within").as_deref() {
            None | Some("dataset") => DuplicateScope::Dataset,
            Some("user") => DuplicateScope::User,
            Some(_) => {
                self.broken("/duplicates_within", "must be `dataset` or `user`");
                DuplicateScope::Dataset
            }
        }
    }

    fn score(&mut self, name: &str) -> Option<u8> {
        self.number(name).map(|score| u8::try_from(score).unwrap_or(u8::MAX))
    }

    fn aspect_ratio(&mut self) -> Option<AspectRatio> {
        let ratio = self.decimal("max_aspect_ratio")?;
        let sound = AspectRatio::new(ratio);
        if sound.is_none() {
            let (least, most) = AspectRatio::RANGE.into_inner();
            self.broken("/max_aspect_ratio", format!("must be a number from {least} to {most}"));
        }
        sound
    }

    /// One of several by its name.
    fn named<T>(&mut self, name: &str, find: impl Fn(&str) -> Option<T>, names: &[&str]) -> Option<T> {
        let text = self.text(name)?;
        let found = find(&text);
        if found.is_none() {
            self.broken(&format!("/{name}"), format!("must be one of: {}", names.join(", ")));
        }
        found
    }

    fn consent(&mut self) -> ConsentPolicy {
        let policy = self
            .text("consent")
            .map_or(Ok(ConsentPolicy::default()), |name| ConsentPolicy::understood(&name));
        policy.unwrap_or_else(|must| {
            self.broken("/consent", must);
            ConsentPolicy::default()
        })
    }

    fn formats(&mut self) -> Vec<Format> {
        let most = Format::ALL.len();
        let names = self.texts("formats", most);
        if names.len() > most {
            self.misread("formats", list_of_at_most(most));
        }
        let mut formats = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match Format::understood(name) {
                Ok(format) => formats.push(format),
                Err(must) => self.broken(&format!("/formats/{index}"), must),
            }
        }
        formats
    }
}
