//! What the document says of the operations, for answers to requests that fit none of them:
//! which methods a path has, and what a parameter must be.

use std::collections::BTreeMap;

use serde_json::Value;

/// Read out of the document, so that answers and document cannot differ.
pub(super) struct Operations {
    /// Segments of the path, and its methods.
    methods: Vec<(Vec<String>, String)>,
    /// What is said of a parameter, by operation and name.
    parameters: BTreeMap<(String, String), String>,
}

impl Operations {
    pub(super) fn of(document: &Value) -> Self {
        let mut methods = Vec::new();
        let mut parameters = BTreeMap::new();
        for (path, operations) in document["paths"].as_object().into_iter().flatten() {
            let mut allowed: Vec<String> = Vec::new();
            for (method, operation) in operations.as_object().into_iter().flatten() {
                allowed.push(method.to_uppercase());
                if method == "get" {
                    allowed.push("HEAD".to_owned());
                }
                let id = operation["operationId"].as_str().unwrap_or_default();
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let name = parameter["name"].as_str().unwrap_or_default();
                    let must = must_be(document, &parameter["schema"]);
                    parameters.insert((id.to_owned(), name.to_owned()), must);
                }
            }
            methods.push((segments(path).map(str::to_owned).collect(), allowed.join(", ")));
        }
        Self { methods, parameters }
    }

    /// The methods that a path has, as in the header `Allow`.
    pub(super) fn allowed(&self, path: &str) -> Option<&str> {
        let fits = |known: &[String]| {
            let mut known = known.iter();
            segments(path)
                .all(|part| known.next().is_some_and(|known| known == part || known.starts_with('{')))
                && known.next().is_none()
        };
        self.methods.iter().find(|(known, _)| fits(known)).map(|(_, methods)| methods.as_str())
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
        _ => "is not accepted".to_owned(),
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

    fn sorted(methods: &str) -> Vec<&str> {
        let mut methods: Vec<_> = methods.split(", ").collect();
        methods.sort_unstable();
        methods
    }
}
