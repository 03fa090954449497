//! What the user may set: the filters above the page of pictures.

use pixcrawler_sdk::{Filter, OptionSpec, Query};

/// What follows `+filterui:` is the site's own.
const FILTERS: [Filter; 7] = [
    Filter {
        name: "size",
        label: "Size",
        help: "Only pictures of this size.",
        choices: &[
            ("small", "Small (below 200 × 200)", "imagesize-small"),
            ("medium", "Medium (200 × 200 to 500 × 500)", "imagesize-medium"),
            ("large", "Large (above 500 × 500)", "imagesize-large"),
            ("wallpaper", "Extra large", "imagesize-wallpaper"),
        ],
    },
    Filter {
        name: "color",
        label: "Colour",
        help: "Only pictures in which this colour prevails.",
        choices: &[
            ("color", "Any colour", "color2-color"),
            ("monochrome", "Black and white", "color2-bw"),
            ("red", "Red", "color2-FGcls_RED"),
            ("orange", "Orange", "color2-FGcls_ORANGE"),
            ("yellow", "Yellow", "color2-FGcls_YELLOW"),
            ("green", "Green", "color2-FGcls_GREEN"),
            ("teal", "Teal", "color2-FGcls_TEAL"),
            ("blue", "Blue", "color2-FGcls_BLUE"),
            ("purple", "Purple", "color2-FGcls_PURPLE"),
            ("pink", "Pink", "color2-FGcls_PINK"),
            ("brown", "Brown", "color2-FGcls_BROWN"),
            ("black", "Black", "color2-FGcls_BLACK"),
            ("gray", "Grey", "color2-FGcls_GRAY"),
            ("white", "White", "color2-FGcls_WHITE"),
        ],
    },
    Filter {
        name: "type",
        label: "Kind",
        help: "Only pictures of this kind.",
        choices: &[
            ("photo", "Photograph", "photo-photo"),
            ("clipart", "Clip art", "photo-clipart"),
            ("line", "Line drawing", "photo-linedrawing"),
            ("gif", "Animated GIF", "photo-animatedgif"),
            ("transparent", "Transparent", "photo-transparent"),
        ],
    },
    Filter {
        name: "layout",
        label: "Shape",
        help: "Only pictures of this shape.",
        choices: &[
            ("square", "Square", "aspect-square"),
            ("tall", "Tall", "aspect-tall"),
            ("wide", "Wide", "aspect-wide"),
        ],
    },
    Filter {
        name: "people",
        label: "People",
        help: "Only pictures of people, from this near.",
        choices: &[("face", "Faces", "face-face"), ("portrait", "Head and shoulders", "face-portrait")],
    },
    Filter {
        name: "time",
        label: "Age",
        help: "Only pictures found in this time.",
        choices: &[
            ("day", "Past day", "age-lt1440"),
            ("week", "Past week", "age-lt10080"),
            ("month", "Past month", "age-lt44640"),
            ("year", "Past year", "age-lt525600"),
        ],
    },
    Filter {
        name: "license",
        label: "Licence",
        help: "Only pictures that the search engine believes to be under such a licence; which one is not said.",
        choices: &[
            ("cc", "All Creative Commons", "licenseType-Any"),
            ("public", "Public domain", "license-L1"),
            ("share", "Free to share and use", "license-L2_L3_L4_L5_L6_L7"),
            ("share-commercially", "Free to share and use commercially", "license-L2_L3_L4"),
            ("modify", "Free to modify, share and use", "license-L2_L3_L5_L6"),
            ("modify-commercially", "Free to modify, share and use commercially", "license-L2_L3"),
        ],
    },
];

/// The value of the parameter `qft`; empty without filters.
pub(crate) fn filters(query: &Query) -> String {
    FILTERS.iter().filter_map(|filter| filter.of(query)).map(|value| format!("+filterui:{value}")).collect()
}

/// Every option is a filter.
pub(crate) fn all() -> Vec<OptionSpec> {
    FILTERS.iter().map(Filter::spec).collect()
}
