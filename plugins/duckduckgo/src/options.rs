//! What the user may set: the filters above the results of the search page.

use pixcrawler_sdk::{OptionKind, OptionSpec, Query};

/// In the order that the site gives them in.
const FILTERS: [&str; 6] = ["time", "size", "color", "type", "layout", "license"];

/// The value of the parameter `f`: a place for each filter, empty where it is not set.
pub(crate) fn filters(query: &Query) -> String {
    FILTERS
        .map(|name| query.option(name).map_or_else(String::new, |value| format!("{name}:{value}")))
        .join(",")
}

/// Every option is a filter of its name, and its values are the site's own.
pub(crate) fn all() -> Vec<OptionSpec> {
    let choice = |name: &str, label: &str, help: &str, choices: &[(&str, &str)]| {
        OptionSpec::new(name, label, help, OptionKind::Choice).choices(choices)
    };
    vec![
        choice(
            "time",
            "Age",
            "Only pictures found in this time.",
            &[("Day", "Past day"), ("Week", "Past week"), ("Month", "Past month"), ("Year", "Past year")],
        ),
        choice(
            "size",
            "Size",
            "Only pictures of this size.",
            &[
                ("Small", "Small (below 200 × 200)"),
                ("Medium", "Medium (to 500 × 500)"),
                ("Large", "Large (to 2000 × 2000)"),
                ("Wallpaper", "Wallpaper (above 1200 × 1200)"),
            ],
        ),
        choice(
            "color",
            "Colour",
            "Only pictures in which this colour prevails.",
            &[
                ("color", "Any colour"),
                ("Monochrome", "Black and white"),
                ("Red", "Red"),
                ("Orange", "Orange"),
                ("Yellow", "Yellow"),
                ("Green", "Green"),
                ("Blue", "Blue"),
                ("Pink", "Pink"),
                ("Brown", "Brown"),
                ("Black", "Black"),
                ("Gray", "Grey"),
                ("Teal", "Teal"),
                ("White", "White"),
            ],
        ),
        choice(
            "type",
            "Kind",
            "Only pictures of this kind.",
            &[
                ("photo", "Photograph"),
                ("clipart", "Clip art"),
                ("line", "Line drawing"),
                ("gif", "Animated GIF"),
                ("transparent", "Transparent"),
            ],
        ),
        choice(
            "layout",
            "Shape",
            "Only pictures of this shape.",
            &[("Square", "Square"), ("Tall", "Tall"), ("Wide", "Wide")],
        ),
        choice(
            "license",
            "Licence",
            "Only pictures that the search engine believes to be under such a licence; which one is not said.",
            &[
                ("Any", "All Creative Commons"),
                ("Public", "Public domain"),
                ("Share", "Free to share and use"),
                ("ShareCommercially", "Free to share and use commercially"),
                ("Modify", "Free to modify, share and use"),
                ("ModifyCommercially", "Free to modify, share and use commercially"),
            ],
        ),
    ]
}
