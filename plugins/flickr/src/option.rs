//! What the user may set, and the API's parameters for it.

use pixcrawler_sdk::{OptionKind, OptionSpec, Query};

use crate::{BY_UPLOAD, license::LICENSES};

pub(crate) fn specs() -> Vec<OptionSpec> {
    let spec = OptionSpec::new;
    let licenses: Vec<_> = LICENSES.iter().map(|license| (license.name, license.label)).collect();
    // All but the first, which reserves all rights.
    let open: Vec<_> = LICENSES[1..].iter().map(|license| license.name).collect();
    vec![
        OptionSpec::choices(
            "license",
            "Licences",
            "Only photos under one of these; all but those with all rights reserved by default.",
            &licenses,
        )
        .default(&open.join(",")),
        OptionSpec::choice(
            "sort",
            "Order",
            "What comes first, as far as a search reaches.",
            &[("relevance", "Best match"), ("interesting", "Most interesting"), ("newest", "Newest upload")],
        )
        .default("relevance"),
        OptionSpec::choice(
            "content",
            "Kind",
            "Only pictures of this kind; all by default.",
            &[
                ("photographs", "Photographs"),
                ("screenshots", "Screenshots"),
                ("others", "Drawings and others"),
            ],
        ),
        spec(
            "tags",
            "Tags only",
            "Look for the words in tags, and not in titles and descriptions.",
            OptionKind::Boolean,
        ),
        spec(
            "commons",
            "The Commons only",
            "Only photos of the museums and archives in The Commons.",
            OptionKind::Boolean,
        ),
        spec("user", "User", "Only photos of this user, for example `12345678@N00`.", OptionKind::Text),
    ]
}

/// The words and the parameters for what is set.
pub(crate) fn parameters(query: &Query) -> Vec<(&'static str, String)> {
    let words = query.text.trim();
    let mut parameters = if query.option("tags") == Some("true") {
        let tags: Vec<_> = words.split_whitespace().collect();
        vec![("tags", tags.join(",")), ("tag_mode", "all".to_owned())]
    } else {
        vec![("text", words.to_owned())]
    };
    if let Some(names) = query.option("license") {
        let number = |name: &str| LICENSES.iter().position(|license| license.name == name);
        let numbers: Vec<_> = names.split(',').filter_map(number).map(|number| number.to_string()).collect();
        parameters.push(("license", numbers.join(",")));
    }
    let content = query.option("content").map(|kind| match kind {
        "photographs" => "1",
        "screenshots" => "2",
        _ => "3",
    });
    let commons = query.option("commons").filter(|value| *value == "true");
    let others = [("content_type", content), ("is_commons", commons), ("user_id", query.option("user"))];
    parameters.extend(others.into_iter().filter_map(|(name, value)| Some((name, value?.trim().to_owned()))));
    parameters
}

/// The API's name for the order that is set.
pub(crate) fn order(query: &Query) -> &'static str {
    match query.option("sort") {
        Some("interesting") => "interestingness-desc",
        Some("newest") => BY_UPLOAD,
        _ => "relevance",
    }
}
