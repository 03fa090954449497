//! What the user may set: the filters above the results of the search page.

use pixcrawler_sdk::{Filter, OptionSpec, Query};

/// In the order that the site gives them in.
const FILTERS: [Filter; 6] = [
    Filter {
        name: "time",
        label: "Age",
        help: "Only pictures found in this time.",
        choices: &[
            ("day", "Past day", "time:Day"),
            ("week", "Past week", "time:Week"),
            ("month", "Past month", "time:Month"),
            ("year", "Past year", "time:Year"),
        ],
    },
    Filter {
        name: "size",
        label: "Size",
        help: "Only pictures of this size.",
        choices: &[
            ("small", "Small (below 200 × 200)", "size:Small"),
            ("medium", "Medium (to 500 × 500)", "size:Medium"),
            ("large", "Large (to 2000 × 2000)", "size:Large"),
            ("wallpaper", "Wallpaper (above 1200 × 1200)", "size:Wallpaper"),
        ],
    },
    Filter {
        name: "color",
        label: "Colour",
        help: "Only pictures in which this colour prevails.",
        choices: &[
            ("color", "Any colour", "color:color"),
            ("monochrome", "Black and white", "color:Monochrome"),
            ("red", "Red", "color:Red"),
            ("orange", "Orange", "color:Orange"),
            ("yellow", "Yellow", "color:Yellow"),
            ("green", "Green", "color:Green"),
            ("teal", "Teal", "color:Teal"),
            ("blue", "Blue", "color:Blue"),
            ("pink", "Pink", "color:Pink"),
            ("brown", "Brown", "color:Brown"),
            ("black", "Black", "color:Black"),
            ("gray", "Grey", "color:Gray"),
            ("white", "White", "color:White"),
        ],
    },
    Filter {
        name: "type",
        label: "Kind",
        help: "Only pictures of this kind.",
        choices: &[
            ("photo", "Photograph", "type:photo"),
            ("clipart", "Clip art", "type:clipart"),
            ("line", "Line drawing", "type:line"),
            ("gif", "Animated GIF", "type:gif"),
            ("transparent", "Transparent", "type:transparent"),
        ],
    },
    Filter {
        name: "layout",
        label: "Shape",
        help: "Only pictures of this shape.",
        choices: &[
            ("square", "Square", "layout:Square"),
            ("tall", "Tall", "layout:Tall"),
            ("wide", "Wide", "layout:Wide"),
        ],
    },
    Filter {
        name: "license",
        label: "Licence",
        help: "Only pictures that the search engine believes to be under such a licence; which one is not said.",
        choices: &[
            ("cc", "All Creative Commons", "license:Any"),
            ("public", "Public domain", "license:Public"),
            ("share", "Free to share and use", "license:Share"),
            ("share-commercially", "Free to share and use commercially", "license:ShareCommercially"),
            ("modify", "Free to modify, share and use", "license:Modify"),
            (
                "modify-commercially",
                "Free to modify, share and use commercially",
                "license:ModifyCommercially",
            ),
        ],
    },
];

/// The value of the parameter `f`: a place for each filter, empty where it is not set.
pub(crate) fn filters(query: &Query) -> String {
    FILTERS.map(|filter| filter.of(query).unwrap_or_default()).join(",")
}

/// Every option is a filter.
pub(crate) fn all() -> Vec<OptionSpec> {
    FILTERS.iter().map(Filter::spec).collect()
}
