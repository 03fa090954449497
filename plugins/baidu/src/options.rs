//! What the user may set: the filters above the page of pictures.

use pixcrawler_sdk::{Filter, OptionKind, OptionSpec, Query};

/// Each with the parameter whose value it is.
const FILTERS: [(&str, Filter); 2] = [
    (
        "z",
        Filter {
            name: "size",
            label: "Size",
            help: "Only pictures of this size.",
            choices: &[
                ("extra-large", "Extra large", "9"),
                ("large", "Large", "3"),
                ("medium", "Medium", "2"),
                ("small", "Small", "1"),
            ],
        },
    ),
    (
        "ic",
        Filter {
            name: "color",
            label: "Colour",
            help: "Only pictures in which this colour prevails.",
            choices: &[
                ("monochrome", "Black and white", "2048"),
                ("red", "Red", "1"),
                ("orange", "Orange", "256"),
                ("yellow", "Yellow", "2"),
                ("green", "Green", "4"),
                ("teal", "Teal", "8"),
                ("blue", "Blue", "16"),
                ("purple", "Purple", "32"),
                ("pink", "Pink", "64"),
                ("brown", "Brown", "128"),
                ("black", "Black", "512"),
                ("white", "White", "1024"),
            ],
        },
    ),
];

/// Parameters that are there or not: name, which is the option's too, label and help.
const SWITCHES: [(&str, &str, &str); 3] = [
    ("hd", "Sharp", "Only pictures of high definition."),
    ("latest", "Newest", "Only pictures found lately."),
    ("copyright", "Licensed", "Only pictures from agencies that sell licences."),
];

/// Parameters for what is set.
pub(crate) fn filters(query: &Query) -> impl Iterator<Item = (&str, &str)> {
    let filters = FILTERS.iter().filter_map(|(parameter, filter)| Some((*parameter, filter.of(query)?)));
    let is_on = |name: &str| query.option(name) == Some("true");
    filters.chain(SWITCHES.iter().filter(move |(name, _, _)| is_on(name)).map(|&(name, _, _)| (name, "1")))
}

/// All options.
pub(crate) fn all() -> Vec<OptionSpec> {
    let switch =
        |&(name, label, help): &(&str, &str, &str)| OptionSpec::new(name, label, help, OptionKind::Boolean);
    FILTERS.iter().map(|(_, filter)| filter.spec()).chain(SWITCHES.iter().map(switch)).collect()
}
