//! What the user may set, and the search for it.

use pixcrawler_sdk::{OptionKind, OptionSpec, Query};

pub(crate) fn specs() -> Vec<OptionSpec> {
    let spec = OptionSpec::new;
    vec![
        OptionSpec::choice(
            "file-type",
            "File type",
            "Only files of this type; all pictures by default.",
            &[("jpeg", "JPEG"), ("png", "PNG"), ("gif", "GIF"), ("webp", "WebP")],
        ),
        spec(
            "category",
            "Category",
            "Only files of this category, for example `Foxes in art`.",
            OptionKind::Text,
        ),
        spec(
            "subcategories",
            "With subcategories",
            "Also files of the category's subcategories, as far as the search can follow them.",
            OptionKind::Boolean,
        ),
        spec("min-width", "Minimum width", "Only pictures of that many pixels or more.", OptionKind::Integer),
        spec(
            "min-height",
            "Minimum height",
            "Only pictures of that many pixels or more.",
            OptionKind::Integer,
        ),
        OptionSpec::choice(
            "sort",
            "Order",
            "What comes first; the best match by default.",
            &[("relevance", "Best match"), ("newest", "Newest upload"), ("oldest", "Oldest upload")],
        ),
    ]
}

/// What is typed into the search of Commons.
pub(crate) fn search(query: &Query) -> String {
    let mut search = format!("{} filetype:bitmap", query.text.trim());
    let mut add = |filter: &str, value: &str| {
        search.push(' ');
        search.push_str(filter);
        search.push_str(value);
    };
    if let Some(category) = query.option("category") {
        let filter =
            if query.option("subcategories") == Some("true") { "deepcategory:" } else { "incategory:" };
        let name = category.trim();
        let name = name.strip_prefix("Category:").unwrap_or(name).replace(['"', '|'], " ");
        add(filter, &format!("\"{}\"", name.trim()));
    }
    for (option, filter) in
        [("file-type", "filemime:image/"), ("min-width", "filew:>"), ("min-height", "fileh:>")]
    {
        if let Some(value) = query.option(option) {
            add(filter, value);
        }
    }
    search
}

/// The API's name for the order that is set.
pub(crate) fn order(query: &Query) -> Option<&str> {
    query.option("sort").map(|order| match order {
        "newest" => "create_timestamp_desc",
        "oldest" => "create_timestamp_asc",
        order => order,
    })
}
