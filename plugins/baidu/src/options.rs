//! What the user may set: the filters above the page of pictures.

use pixcrawler_sdk::{OptionKind, OptionSpec, Query};

/// Options, with the site's own names for them.
const FILTERS: [(&str, &str); 5] =
    [("size", "z"), ("color", "ic"), ("hd", "hd"), ("latest", "latest"), ("copyright", "copyright")];

/// Parameters for the filters that are set.
pub(crate) fn filters(query: &Query) -> impl Iterator<Item = (&'static str, &str)> {
    FILTERS.into_iter().filter_map(|(name, parameter)| match query.option(name)? {
        "false" => None,
        "true" => Some((parameter, "1")),
        value => Some((parameter, value)),
    })
}

/// Every option is a filter; its values are the site's own.
pub(crate) fn all() -> Vec<OptionSpec> {
    let choice = |name: &str, label: &str, help: &str, choices: &[(&str, &str)]| {
        OptionSpec::new(name, label, help, OptionKind::Choice).choices(choices)
    };
    let switch =
        |name: &str, label: &str, help: &str| OptionSpec::new(name, label, help, OptionKind::Boolean);
    vec![
        choice(
            "size",
            "Size",
            "Only pictures of this size.",
            &[("9", "Extra large"), ("3", "Large"), ("2", "Medium"), ("1", "Small")],
        ),
        choice(
            "color",
            "Colour",
            "Only pictures in which this colour prevails.",
            &[
                ("1", "Red"),
                ("2", "Yellow"),
                ("4", "Green"),
                ("8", "Teal"),
                ("16", "Blue"),
                ("32", "Purple"),
                ("64", "Pink"),
                ("128", "Brown"),
                ("256", "Orange"),
                ("512", "Black"),
                ("1024", "White"),
                ("2048", "Black and white"),
            ],
        ),
        switch("hd", "Sharp", "Only pictures of high definition."),
        switch("latest", "Newest", "Only pictures found lately."),
        switch("copyright", "Licensed", "Only pictures from agencies that sell licences."),
    ]
}
