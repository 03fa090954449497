//! What the user may set, and the API's parameters for it.

use pixcrawler_sdk::{OptionKind, OptionSpec, Query};

/// Departments by the API's number.
const DEPARTMENTS: [(&str, &str); 19] = [
    ("1", "American Decorative Arts"),
    ("3", "Ancient Near Eastern Art"),
    ("4", "Arms and Armor"),
    ("5", "Arts of Africa, Oceania, and the Americas"),
    ("6", "Asian Art"),
    ("7", "The Cloisters"),
    ("8", "The Costume Institute"),
    ("9", "Drawings and Prints"),
    ("10", "Egyptian Art"),
    ("11", "European Paintings"),
    ("12", "European Sculpture and Decorative Arts"),
    ("13", "Greek and Roman Art"),
    ("14", "Islamic Art"),
    ("15", "The Robert Lehman Collection"),
    ("16", "The Libraries"),
    ("17", "Medieval Art"),
    ("18", "Musical Instruments"),
    ("19", "Photographs"),
    ("21", "Modern Art"),
];

/// Years before and after everything there is: the API takes both ends of a time or none.
const FIRST_YEAR: &str = "-1000000";
const LAST_YEAR: &str = "9999";

pub(crate) fn specs() -> Vec<OptionSpec> {
    let spec = OptionSpec::new;
    vec![
        spec(
            "department",
            "Department",
            "Only works of this department; all of them by default.",
            OptionKind::Choice,
        )
        .choices(&DEPARTMENTS),
        spec(
            "search_in",
            "Search in",
            "Where the words are looked for; everywhere by default.",
            OptionKind::Choice,
        )
        .choices(&[
            ("title", "Titles"),
            ("tags", "Subject keywords"),
            ("artistOrCulture", "Artists and cultures"),
        ]),
        spec(
            "highlights",
            "Highlights only",
            "Only works that the museum calls important.",
            OptionKind::Boolean,
        ),
        spec("on_view", "On view only", "Only works on view in the museum now.", OptionKind::Boolean),
        spec(
            "medium",
            "Medium",
            "Only works of these kinds or materials, separated by `|`, for example `Paintings|Silk`.",
            OptionKind::Text,
        ),
        spec(
            "place",
            "Place",
            "Only works from these places, separated by `|`, for example `Paris|China`.",
            OptionKind::Text,
        ),
        spec(
            "from_year",
            "From year",
            "Only works made in that year or later; years B.C. are negative.",
            OptionKind::Integer,
        ),
        spec("to_year", "To year", "Only works made in that year or before.", OptionKind::Integer),
    ]
}

/// The parameters of a search for what is set; what `search_in` can be is named as by the API.
pub(crate) fn parameters(query: &Query) -> Vec<(&str, &str)> {
    let text = |option: &str| query.option(option);
    let set = |option: &str| text(option).filter(|value| *value == "true");
    let (from, to) = (text("from_year"), text("to_year"));
    let years = from.is_some() || to.is_some();
    [
        Some("departmentId").zip(text("department")),
        text("search_in").map(|place| (place, "true")),
        Some("isHighlight").zip(set("highlights")),
        Some("isOnView").zip(set("on_view")),
        Some("medium").zip(text("medium")),
        Some("geoLocation").zip(text("place")),
        years.then(|| ("dateBegin", from.unwrap_or(FIRST_YEAR))),
        years.then(|| ("dateEnd", to.unwrap_or(LAST_YEAR))),
    ]
    .into_iter()
    .flatten()
    .collect()
}
