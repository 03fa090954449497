//! What a request for a job looks like, for the document. It is read as a
//! [`JobRequest`](crate::services::create::JobRequest), where the rules are, and the defaults: a
//! default in the document is a required field to some generators of clients.

use std::collections::BTreeMap;

use poem_openapi::{
    Enum, Object,
    types::{Any, Example},
};
use serde_json::{Value, json};

use super::shape::DuplicateScope;
use crate::model;

/// What to crawl. At least one keyword or address is required.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
pub(super) struct CreateCrawlJob {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// What to look for, each 1 to 200 characters; repetitions, in any case, count once.
    #[oai(validator(max_items = 50, min_length = 1, max_length = 200))]
    keywords: Option<Vec<String>>,
    /// Addresses to crawl, for sources that take addresses; http or https, each at most 8192 characters.
    #[oai(validator(max_items = 1000, min_length = 1, max_length = 8192))]
    urls: Option<Vec<String>>,
    /// Images wanted; 1000 by default, or as many as the user's tier allows where these are fewer.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    max_images: Option<i32>,
    /// Ids of installed sources, in the order of preference.
    #[oai(validator(max_items = 100, min_length = 1, max_length = 100))]
    sources: Option<Vec<String>>,
    /// Values for the options that a source declares, by source and option.
    #[oai(validator(max_properties = 100))]
    options: Option<BTreeMap<String, BTreeMap<String, Any<Value>>>>,
    /// Leave out what is not safe for work, where the source can tell; true by default.
    safe_search: Option<bool>,
    /// BCP 47, such as `de` or `pt-BR`.
    #[oai(validator(max_length = 35, pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"))]
    language: Option<String>,
    /// Class of the images by keyword or address; several may have the same. By default it is what the
    /// source says, or the keyword or address itself.
    #[oai(validator(max_properties = 1050, min_length = 1, max_length = 100))]
    labels: Option<BTreeMap<String, String>>,
    /// What is accepted.
    rules: Option<Rules>,
    /// Perceptual hashes (PDQ) of pictures that are not wanted, such as those of a benchmark: what differs from
    /// one in 31 bits at most is refused as `unwanted`. Each has 64 hexadecimal digits; at most 100 000, of which
    /// a body has room for some 15 000.
    #[oai(validator(max_items = 100000, pattern = "^[0-9A-Fa-f]{64}$"))]
    unlike: Option<Vec<String>>,
    /// An existing dataset that the images go to. A new one is made without it.
    #[oai(validator(minimum(value = "1")))]
    dataset_id: Option<i32>,
    /// The project that the new dataset goes to; not together with `dataset_id`.
    #[oai(validator(minimum(value = "1")))]
    project_id: Option<i32>,
    /// Where to look, as the original says it: the id of an installed source, or `google`, `bing`, `baidu`,
    /// `duckduckgo`, `unsplash` or `pixabay`, in place of which another source is asked where it is not
    /// available. Not together with `sources`.
    #[oai(deprecated, validator(min_length = 1, max_length = 100))]
    search_engine: Option<String>,
    /// Settings of the original. None has a meaning here.
    #[oai(deprecated, validator(max_properties = 100))]
    config: Option<BTreeMap<String, Any<Value>>>,
}

/// How a retry goes beyond what the job was asked for.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
pub(in crate::api) struct RetryCrawlJob {
    /// Images wanted from now on. Where more are kept already, nothing is deleted and it is these.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    max_images: Option<i32>,
    /// Ask the sources of a job that is over anew, and fetch what is new; false by default.
    update: Option<bool>,
}

/// What is accepted beyond being a sound picture.
#[derive(Object)]
#[oai(rename = "CreateCrawlJobRules", deny_unknown_fields)]
struct Rules {
    /// Licences by id or as people name them: `cc0-1.0`, `cc0`, `public domain`, `CC BY-SA 4.0`; without a
    /// version, or with `*` for it, of any: `cc-by` and `cc-by-*` have `cc-by-4.0`, but not `cc-by-nc-4.0`.
    /// The job shows the ids that were understood; what no source can mean is refused. All by default.
    #[oai(validator(max_items = 100, min_length = 1, max_length = 100))]
    licenses: Option<Vec<String>>,
    /// In pixels; 0, as by default, is what the level says, and 1 is any.
    #[oai(validator(minimum(value = "0"), maximum(value = "100000")))]
    min_width: Option<u32>,
    /// In pixels; 0, as by default, is what the level says, and 1 is any.
    #[oai(validator(minimum(value = "0"), maximum(value = "100000")))]
    min_height: Option<u32>,
    /// `jpeg`, `png`, `gif` or `webp`, also as `jpg`, `.png` or `image/webp`; all by default.
    #[oai(validator(max_items = 4, min_length = 1))]
    formats: Option<Vec<String>>,
    /// Bits, of 256, in which the perceptual hashes of two pictures may differ that look alike: of such ones
    /// the best is kept, which has most pixels, and of these the more open licence. 31 by default.
    #[oai(validator(minimum(value = "0"), maximum(value = "31")))]
    near_duplicates: Option<u8>,
    /// What is made of what owners say of AI training and data mining, which is recorded with every image:
    /// `record` refuses nothing for it, `respect` refuses what is reserved (`opt-out`), `strict` also what is said
    /// to be made by a generative model (`ai-generated`). `respect` by default.
    #[oai(validator(min_length = 1))]
    consent: Option<String>,
    /// Among which pictures a picture must be the only one of its look, and of its bytes: those of the `dataset`,
    /// which is the default, or of all datasets of the `user`.
    duplicates_within: Option<DuplicateScope>,
    /// Whether a picture that is mirrored, or turned by quarters, looks like the one that it was made of. False by
    /// default: letters and signs are not the same in a mirror.
    turned_duplicates: Option<bool>,
    /// What holds where one of the rules below, or a smallest size, is not given. `basic`, the default, accepts
    /// every sound picture. `standard` asks for 100 × 100 pixels, an aspect ratio of at most 5, a contrast of 3,
    /// a brightness of 4, a sharpness of 20 and a JPEG quality of 25. `strict` asks for 256 × 256 pixels, an
    /// aspect ratio of at most 3, still pictures, a contrast of 8, a brightness of 8 to 97, a sharpness of 35 and
    /// a JPEG quality of 50.
    level: Option<RuleLevel>,
    /// In pixels.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    max_width: Option<u32>,
    /// In pixels.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    max_height: Option<u32>,
    /// How many times as long as the shorter side the longer one may be, to a hundredth.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    max_aspect_ratio: Option<f64>,
    /// Of the file.
    #[oai(validator(minimum(value = "0"), maximum(value = "1000000000")))]
    min_bytes: Option<u64>,
    /// Of the file.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000000000")))]
    max_bytes: Option<u64>,
    /// Pictures of several frames.
    animation: Option<RuleAnimation>,
    /// Lowest `contrast`: what has less is blank, or nearly.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    min_contrast: Option<u8>,
    /// Lowest `brightness`.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    min_brightness: Option<u8>,
    /// Highest `brightness`.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    max_brightness: Option<u8>,
    /// Lowest `sharpness`.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    min_sharpness: Option<u8>,
    /// Lowest `jpeg_quality`; pictures in other formats have none and pass.
    #[oai(validator(minimum(value = "0"), maximum(value = "100")))]
    min_jpeg_quality: Option<u8>,
}

/// What a job accepts, in a word.
#[derive(Clone, Copy, Enum)]
#[oai(remote = "model::Level", rename_all = "lowercase")]
pub(super) enum RuleLevel {
    /// Every sound picture.
    Basic,
    /// Not what nobody would miss.
    Standard,
    /// What shows something well.
    Strict,
}

/// Whether pictures of several frames are accepted.
#[derive(Clone, Copy, Enum)]
#[oai(remote = "model::Animation", rename_all = "lowercase")]
pub(super) enum RuleAnimation {
    /// Like others.
    Allowed,
    /// Still pictures only.
    Refused,
}

impl Example for CreateCrawlJob {
    fn example() -> Self {
        let license = BTreeMap::from([("license".to_owned(), Any(json!("cc0,by")))]);
        let rules = Rules {
            licenses: Some(vec!["cc0-1.0".to_owned(), "cc-by-*".to_owned()]),
            min_width: Some(256),
            min_height: Some(256),
            formats: Some(vec!["jpeg".to_owned(), "png".to_owned()]),
            near_duplicates: Some(24),
            consent: Some("strict".to_owned()),
            duplicates_within: Some(DuplicateScope::User),
            turned_duplicates: Some(true),
            level: Some(RuleLevel::Standard),
            max_width: Some(8000),
            max_height: Some(8000),
            max_aspect_ratio: Some(2.5),
            min_bytes: Some(1000),
            max_bytes: Some(10_000_000),
            animation: Some(RuleAnimation::Refused),
            min_contrast: Some(5),
            min_brightness: Some(5),
            max_brightness: Some(95),
            min_sharpness: Some(30),
            min_jpeg_quality: Some(40),
        };
        Self {
            name: "Red pandas".to_owned(),
            keywords: Some(vec!["red panda".to_owned()]),
            urls: None,
            max_images: Some(200),
            sources: Some(vec!["openverse".to_owned()]),
            options: Some(BTreeMap::from([("openverse".to_owned(), license)])),
            safe_search: Some(true),
            language: Some("en".to_owned()),
            labels: Some(BTreeMap::from([("red panda".to_owned(), "panda".to_owned())])),
            rules: Some(rules),
            unlike: None,
            dataset_id: None,
            project_id: None,
            search_engine: None,
            config: None,
        }
    }
}

impl Example for RetryCrawlJob {
    fn example() -> Self {
        Self { max_images: Some(500), update: Some(true) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use poem_openapi::{
        registry::Registry,
        types::{ToJSON as _, Type},
    };
    use serde::Serialize;

    use super::*;
    use crate::services::{
        Violations,
        create::{JobRequest, RetryRequest},
        jobs::RetryOptions,
    };

    /// The fields that the document has of a type.
    fn documented<T: Type>() -> BTreeSet<String> {
        let mut registry = Registry::new();
        T::register(&mut registry);
        let fields = &registry.schemas[&*T::name()].properties;
        fields.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn fields(request: impl Serialize) -> BTreeSet<String> {
        let Value::Object(fields) = serde_json::to_value(request).unwrap() else { panic!("no object") };
        fields.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_documented_is_what_is_read() {
        let mut example = CreateCrawlJob::example().to_json().unwrap();
        example["dataset_id"] = json!(1);
        example["project_id"] = json!(1);
        example["search_engine"] = json!("bing");
        example["config"] = json!({ "safe": true });
        example["unlike"] = json!(["0f".repeat(32)]);
        let request = JobRequest::from(example);
        assert_eq!(request.misread, Violations::default());
        assert_eq!(documented::<Rules>(), fields(&request.rules));
        assert_eq!(documented::<CreateCrawlJob>(), fields(&request));

        let example = RetryCrawlJob::example().to_json().unwrap();
        assert_eq!(documented::<RetryCrawlJob>(), fields(&example));
        let options = RetryRequest::from(example).check().unwrap();
        assert_eq!(options, RetryOptions { max_images: Some(500), update: true });
    }
}
