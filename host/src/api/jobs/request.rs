//! What a create request looks like, for the document. The rules are in `app::create`.

use std::collections::BTreeMap;

use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::{Value, json};

use super::shape::Rules;

/// What to crawl. At least one keyword or address is required.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
pub(super) struct CreateCrawlJob {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// What to look for, each 1 to 200 characters; repetitions, in any case, count once.
    #[oai(validator(max_items = 50))]
    keywords: Option<Vec<String>>,
    /// Addresses to crawl, for sources that take addresses; http or https, each at most 2048 characters.
    #[oai(validator(max_items = 1000))]
    urls: Option<Vec<String>>,
    /// Images wanted.
    #[oai(default = "thousand", validator(minimum(value = "1"), maximum(value = "100000")))]
    max_images: i32,
    /// Ids of installed sources, in the order of preference.
    sources: Option<Vec<String>>,
    /// Values for the options that a source declares, by source and option.
    options: Option<BTreeMap<String, BTreeMap<String, Any<Value>>>>,
    /// Leave out what is not safe for work, where the source can tell.
    #[oai(default = "yes")]
    safe_search: bool,
    /// BCP 47, such as `de` or `pt-BR`.
    language: Option<String>,
    /// Class of the images by keyword or address; the keyword itself by default.
    labels: Option<BTreeMap<String, String>>,
    /// What is accepted.
    rules: Option<Rules>,
    /// An existing dataset that the images go to. A new one is made without it.
    dataset_id: Option<i32>,
    /// The project that the new dataset goes to; not together with `dataset_id`.
    project_id: Option<i32>,
}

const fn thousand() -> i32 {
    1_000
}

const fn yes() -> bool {
    true
}

impl Example for CreateCrawlJob {
    fn example() -> Self {
        let license = BTreeMap::from([("license".to_owned(), Any(json!("cc0,by")))]);
        Self {
            name: "Red pandas".to_owned(),
            keywords: Some(vec!["red panda".to_owned(), "raccoon".to_owned()]),
            urls: None,
            max_images: 200,
            sources: Some(vec!["openverse".to_owned()]),
            options: Some(BTreeMap::from([("openverse".to_owned(), license)])),
            safe_search: true,
            language: Some("en".to_owned()),
            labels: Some(BTreeMap::from([("red panda".to_owned(), "panda".to_owned())])),
            rules: Some(Rules::example()),
            dataset_id: None,
            project_id: None,
        }
    }
}
