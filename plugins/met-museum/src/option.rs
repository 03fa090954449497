//! What the user may set, and the API's parameters for it.

use pixcrawler_sdk::{OptionKind, OptionSpec, Query};

/// Departments with the API's number for them.
const DEPARTMENTS: [(&str, &str, &str); 19] = [
    ("1", "american-decorative-arts", "American Decorative Arts"),
    ("3", "ancient-near-eastern-art", "Ancient Near Eastern Art"),
    ("4", "arms-and-armor", "Arms and Armor"),
    ("5", "arts-of-africa-oceania-and-the-americas", "Arts of Africa, Oceania, and the Americas"),
    ("6", "asian-art", "Asian Art"),
    ("7", "the-cloisters", "The Cloisters"),
    ("8", "the-costume-institute", "The Costume Institute"),
    ("9", "drawings-and-prints", "Drawings and Prints"),
    ("10", "egyptian-art", "Egyptian Art"),
    ("11", "european-paintings", "European Paintings"),
    ("12", "european-sculpture-and-decorative-arts", "European Sculpture and Decorative Arts"),
    ("13", "greek-and-roman-art", "Greek and Roman Art"),
    ("14", "islamic-art", "Islamic Art"),
    ("15", "the-robert-lehman-collection", "The Robert Lehman Collection"),
    ("16", "the-libraries", "The Libraries"),
    ("17", "medieval-art", "Medieval Art"),
    ("18", "musical-instruments", "Musical Instruments"),
    ("19", "photographs", "Photographs"),
    ("21", "modern-art", "Modern Art"),
];

/// Years before and after everything there is: the API takes both ends of a time or none.
const FIRST_YEAR: &str = "-1000000";
const LAST_YEAR: &str = "9999";

pub(crate) fn specs() -> Vec<OptionSpec> {
    let spec = OptionSpec::new;
    let departments = DEPARTMENTS.map(|(_, name, label)| (name, label));
    vec![
        OptionSpec::choice(
            "department",
            "Department",
            "Only works of this department; all of them by default.",
            &departments,
        ),
        OptionSpec::choice(
            "search-in",
            "Search in",
            "Where the words are looked for; everywhere by default.",
            &[
                ("title", "Titles"),
                ("tags", "Subject keywords"),
                ("artist-or-culture", "Artists and cultures"),
            ],
        ),
        spec(
            "highlights",
            "Highlights only",
            "Only works that the museum calls important.",
            OptionKind::Boolean,
        ),
        spec("on-view", "On view only", "Only works on view in the museum now.", OptionKind::Boolean),
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
            "from-year",
            "From year",
            "Only works made in that year or later; years B.C. are negative.",
            OptionKind::Integer,
        ),
        spec("to-year", "To year", "Only works made in that year or before.", OptionKind::Integer),
    ]
}

/// The parameters of a search for what is set.
pub(crate) fn parameters(query: &Query) -> Vec<(&str, &str)> {
    let text = |option: &str| query.option(option);
    let set = |option: &str| text(option).filter(|value| *value == "true");
    let (from, to) = (text("from-year"), text("to-year"));
    let department = text("department").and_then(|name| DEPARTMENTS.iter().find(|known| known.1 == name));
    let search_in =
        text("search-in").map(|field| if field == "artist-or-culture" { "artistOrCulture" } else { field });
    let years = from.is_some() || to.is_some();
    [
        department.map(|(number, ..)| ("departmentId", *number)),
        search_in.map(|field| (field, "true")),
        Some("isHighlight").zip(set("highlights")),
        Some("isOnView").zip(set("on-view")),
        Some("medium").zip(text("medium")),
        Some("geoLocation").zip(text("place")),
        years.then(|| ("dateBegin", from.unwrap_or(FIRST_YEAR))),
        years.then(|| ("dateEnd", to.unwrap_or(LAST_YEAR))),
    ]
    .into_iter()
    .flatten()
    .collect()
}
