//! What the document says of the operations, for answers to requests that fit none of them:
//! which methods a path has, what a parameter must be, and which ones a list has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::form_urlencoded;

/// Read out of the document, so that answers and document cannot differ.
pub(super) struct Operations {
    paths: Vec<PathItem>,
    /// What is said of a parameter, by operation and name.
    parameters: BTreeMap<(String, String), String>,
}

/// A path of the document.
struct PathItem {
    /// Between its slashes; those of parameters begin with `{`.
    segments: Vec<String>,
    /// Its methods, as in the header `Allow`.
    methods: String,
    /// The parameters of its query, where it is a list: what is misspelt there would be taken for a
    /// filter that lets everything through. Elsewhere a further one does no harm, and pictures in
    /// pages and events of proxies have some.
    list: Option<Vec<String>>,
}

impl Operations {
    pub(super) fn of(document: &Value) -> Self {
        let mut paths = Vec::new();
        let mut parameters = BTreeMap::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            let mut allowed: Vec<String> = Vec::new();
            let mut list = None;
            for (method, operation) in operations.as_object().into_iter().flatten() {
                allowed.push(method.to_uppercase());
                if method == "get" {
                    allowed.push("HEAD".to_owned());
                }
                let id = operation["operationId"].as_str().unwrap_or_default();
                let all = operation["parameters"].as_array().into_iter().flatten();
                if method == "get" && id.starts_with("list") {
                    let of_query = all.clone().filter(|parameter| parameter["in"] == "query");
                    let names = of_query.filter_map(|parameter| parameter["name"].as_str());
                    list = Some(names.map(str::to_owned).collect());
                }
                for parameter in all {
                    let name = parameter["name"].as_str().unwrap_or_default();
                    let must = must_be(document, &parameter["schema"]);
                    parameters.insert((id.to_owned(), name.to_owned()), must);
                }
            }
            let segments = segments(path).map(str::to_owned).collect();
            paths.push(PathItem { segments, methods: allowed.join(", "), list });
        }
        Self { paths, parameters }
    }

    /// The methods that a path has, as in the header `Allow`.
    pub(super) fn allowed(&self, path: &str) -> Option<&str> {
        Some(self.find(path)?.methods.as_str())
    }

    /// A parameter of the query that the list at this path does not have, and those that it has.
    pub(super) fn unknown_in_list(&self, path: &str, query: &str) -> Option<(String, &[String])> {
        let known = self.find(path)?.list.as_deref()?;
        let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
        Some((names.find(|name| !known.contains(name))?, known))
    }

    /// A parameter of the query that the list at this path is given twice: each says one thing.
    pub(super) fn repeated_in_list(&self, path: &str, query: &str) -> Option<String> {
        self.find(path)?.list.as_deref()?;
        let mut seen = BTreeSet::new();
        let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
        names.find(|name| !seen.insert(name.clone()))
    }

    fn find(&self, path: &str) -> Option<&PathItem> {
        let fits = |item: &&PathItem| {
            let mut known = item.segments.iter();
            segments(path)
                .all(|part| known.next().is_some_and(|known| known == part || known.starts_with('{')))
                && known.next().is_none()
        };
        self.paths.iter().find(fits)
    }

    /// What a parameter must be.
    pub(super) fn must_be(&self, operation: &str, parameter: &str) -> Option<&str> {
        self.parameters.get(&(operation.to_owned(), parameter.to_owned())).map(String::as_str)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn must_be(document: &Value, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
        return must_be(document, target);
    }
    if let Some(known) = schema["enum"].as_array() {
        let known: Vec<_> = known.iter().filter_map(Value::as_str).collect();
        return format!("must be one of: {}", known.join(", "));
    }
    let bounds = (schema["minimum"].as_f64(), schema["maximum"].as_f64());
    match (schema["type"].as_str(), schema["format"].as_str(), bounds) {
        (Some("integer"), _, (Some(least), Some(most))) => {
            format!("must be a whole number from {least} to {most}")
        }
        (Some("integer"), ..) => "must be a whole number".to_owned(),
        (_, Some("uuid"), _) => "must be a UUID".to_owned(),
        (Some("boolean"), ..) => "must be true or false".to_owned(),
        _ => "must be given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_real_document() {
        let operations = Operations::of(&serde_json::from_str(&crate::api::document()).unwrap());
        for (path, allowed) in [
            ("/api/v1/crawl-jobs", Some("GET, HEAD, POST")),
            ("/api/v1/crawl-jobs/7", Some("DELETE, GET, HEAD")),
            ("/api/v1/crawl-jobs/7/cancel", Some("POST")),
            ("/api/v1/crawl-jobs/7/cancel/more", None),
            ("/api/v1", None),
            ("/", None),
        ] {
            assert_eq!(operations.allowed(path).map(sorted), allowed.map(sorted), "{path}");
        }
        for (operation, parameter, must) in [
            ("listCrawlJobs", "limit", Some("must be a whole number from 1 to 100")),
            ("listImages", "limit", Some("must be a whole number from 1 to 500")),
            ("listImages", "after", Some("must be a whole number")),
            (
                "listCrawlJobs",
                "status",
                Some("must be one of: pending, running, completed, failed, cancelled"),
            ),
            ("getImageFile", "user", Some("must be a UUID")),
            ("listImages", "colour", None),
        ] {
            assert_eq!(operations.must_be(operation, parameter), must, "{operation} {parameter}");
        }
    }

    #[test]
    fn lists_know_their_parameters() {
        let operations = Operations::of(&serde_json::from_str(&crate::api::document()).unwrap());
        let unknown = |path: &str, query: &str| operations.unknown_in_list(path, query);
        let images = ["limit", "after", "verdict", "reason", "url", "label", "source", "license"];
        let images = images.map(str::to_owned);
        for path in ["/api/v1/crawl-jobs/7/images", "/api/v1/crawl-jobs/7/images/"] {
            assert_eq!(unknown(path, "limit=5&verdict=kept&url=a%3Fb%3Dc"), None);
            assert_eq!(
                unknown(path, "limit=5&r%65ason=x&Reason=x"),
                Some(("Reason".to_owned(), &images[..]))
            );
        }
        assert_eq!(unknown("/api/v1/sources", "input=keywords"), Some(("input".to_owned(), &[][..])));
        for path in ["/api/v1/images/7/file", "/api/v1/crawl-jobs/7/events", "/api/v1/health", "/metrics"] {
            assert_eq!(unknown(path, "cache=1"), None, "{path}");
        }
    }

    fn sorted(methods: &str) -> Vec<&str> {
        let mut methods: Vec<_> = methods.split(", ").collect();
        methods.sort_unstable();
        methods
    }
}
