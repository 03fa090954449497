//! What the user may set: the tools above the page of pictures.

use pixcrawler_sdk::{Filter, OptionSpec, Query};

/// In the words of the parameter `tbs`.
const FILTERS: [Filter; 6] = [
    Filter {
        name: "size",
        label: "Size",
        help: "Only pictures of this size.",
        choices: &[("large", "Large", "isz:l"), ("medium", "Medium", "isz:m"), ("icon", "Icon", "isz:i")],
    },
    Filter {
        name: "color",
        label: "Colour",
        help: "Only pictures in which this colour prevails.",
        choices: &[
            ("color", "Any colour", "ic:color"),
            ("monochrome", "Black and white", "ic:gray"),
            ("transparent", "Transparent", "ic:trans"),
            ("red", "Red", "ic:specific,isc:red"),
            ("orange", "Orange", "ic:specific,isc:orange"),
            ("yellow", "Yellow", "ic:specific,isc:yellow"),
            ("green", "Green", "ic:specific,isc:green"),
            ("teal", "Teal", "ic:specific,isc:teal"),
            ("blue", "Blue", "ic:specific,isc:blue"),
            ("purple", "Purple", "ic:specific,isc:purple"),
            ("pink", "Pink", "ic:specific,isc:pink"),
            ("brown", "Brown", "ic:specific,isc:brown"),
            ("black", "Black", "ic:specific,isc:black"),
            ("gray", "Grey", "ic:specific,isc:gray"),
            ("white", "White", "ic:specific,isc:white"),
        ],
    },
    Filter {
        name: "type",
        label: "Kind",
        help: "Only pictures of this kind.",
        choices: &[
            ("photo", "Photograph", "itp:photo"),
            ("face", "Face", "itp:face"),
            ("clipart", "Clip art", "itp:clipart"),
            ("line", "Line drawing", "itp:lineart"),
            ("gif", "Animated GIF", "itp:animated"),
        ],
    },
    Filter {
        name: "layout",
        label: "Shape",
        help: "Only pictures of this shape.",
        choices: &[
            ("square", "Square", "iar:s"),
            ("tall", "Tall", "iar:t"),
            ("wide", "Wide", "iar:w"),
            ("panoramic", "Panoramic", "iar:xw"),
        ],
    },
    Filter {
        name: "time",
        label: "Age",
        help: "Only pictures found in this time.",
        choices: &[
            ("day", "Past day", "qdr:d"),
            ("week", "Past week", "qdr:w"),
            ("month", "Past month", "qdr:m"),
            ("year", "Past year", "qdr:y"),
        ],
    },
    Filter {
        name: "license",
        label: "Licence",
        help: "Only pictures whose pages declare such a licence; which one is not said.",
        choices: &[("cc", "Creative Commons", "il:cl"), ("other", "Commercial and others", "il:ol")],
    },
];

/// The value of the parameter `tbs`; empty without filters.
pub(crate) fn filters(query: &Query) -> String {
    FILTERS.iter().filter_map(|filter| filter.of(query)).collect::<Vec<_>>().join(",")
}

/// Every option is a filter.
pub(crate) fn all() -> Vec<OptionSpec> {
    FILTERS.iter().map(Filter::spec).collect()
}
