//! The rules of what one source alone is asked: those of a job, for a query without one.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::{
    LONGEST_KEYWORD, LONGEST_URL, SourceOffer, Violation,
    field::{Fields, Violations},
    language, option,
};
use crate::model::{Input, Query, normalise};

const FIELDS: [&str; 5] = ["text", "options", "safe_search", "language", "limit"];

/// Candidates that are asked for when nothing is said.
const DEFAULT_LIMIT: u32 = 20;

/// Checks what a source is asked: `text` (keywords or an address, whichever it takes),
/// `options`, `safe_search` (true), `language` and `limit` (20, at most `most`).
///
/// # Errors
/// Every broken rule.
pub fn check_alone(
    body: &Value,
    offered: &SourceOffer,
    most: i64,
    parse_url: &dyn Fn(&str) -> Result<Url, String>,
) -> Result<Query, Vec<Violation>> {
    let mut report = Violations::default();
    let Some(body) = body.as_object() else {
        report.broken("", "must be an object");
        return Err(report.into_inner());
    };
    let fields = Fields::new(body, "");
    fields.only(&FIELDS, &mut report);
    if fields.get("text").is_none() {
        report.broken("/text", "is required");
    }
    let text = match offered.info.input {
        Input::Keywords => fields.text("text", LONGEST_KEYWORD, &mut report),
        Input::Address => fields.text("text", LONGEST_URL, &mut report).and_then(|text| {
            let address = parse_url(&text).map(|url| normalise(&url));
            address.map_err(|reason| report.broken("/text", reason)).ok()
        }),
    };
    let given = fields.object("options", option::MOST_OPTIONS, &mut report);
    let options: BTreeMap<_, _> = option::of_source(offered, given.as_ref(), "/options", &mut report);
    let safe_search = fields.boolean("safe_search", &mut report).unwrap_or(true);
    let language = language(&fields, &mut report);
    let limit = fields.integer("limit", 1..=most, &mut report).and_then(|limit| u32::try_from(limit).ok());
    match (text, report.into_inner()) {
        (Some(text), broken) if broken.is_empty() => Ok(Query {
            text,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            safe_search,
            language,
            options: options.into_iter().collect(),
            credentials: offered.credentials.clone(),
        }),
        (_, broken) => Err(broken),
    }
}
