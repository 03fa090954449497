//! What the user may set: the filters above the page of pictures.

use pixcrawler_sdk::{OptionKind, OptionSpec, Query};

/// Options, with what stands before their values in the site's own words.
const FILTERS: [(&str, &str); 7] = [
    ("size", "imagesize-"),
    ("color", "color2-"),
    ("type", "photo-"),
    ("layout", "aspect-"),
    ("people", "face-"),
    ("age", "age-lt"),
    ("license", ""),
];

/// The value of the parameter `qft`; empty without filters.
pub(crate) fn filters(query: &Query) -> String {
    let filter = |(name, prefix): (&str, &str)| {
        let value = query.option(name)?;
        Some(format!("+filterui:{prefix}{value}"))
    };
    FILTERS.into_iter().filter_map(filter).collect()
}

/// Every option is a filter; its values are the site's own.
pub(crate) fn all() -> Vec<OptionSpec> {
    let choice = |name: &str, label: &str, help: &str, choices: &[(&str, &str)]| {
        OptionSpec::new(name, label, help, OptionKind::Choice).choices(choices)
    };
    vec![
        choice(
            "size",
            "Size",
            "Only pictures of this size.",
            &[
                ("small", "Small (below 200 × 200)"),
                ("medium", "Medium (200 × 200 to 500 × 500)"),
                ("large", "Large (above 500 × 500)"),
                ("wallpaper", "Extra large"),
            ],
        ),
        choice(
            "color",
            "Colour",
            "Only pictures in which this colour prevails.",
            &[
                ("color", "Any colour"),
                ("bw", "Black and white"),
                ("FGcls_RED", "Red"),
                ("FGcls_ORANGE", "Orange"),
                ("FGcls_YELLOW", "Yellow"),
                ("FGcls_GREEN", "Green"),
                ("FGcls_TEAL", "Teal"),
                ("FGcls_BLUE", "Blue"),
                ("FGcls_PURPLE", "Purple"),
                ("FGcls_PINK", "Pink"),
                ("FGcls_BROWN", "Brown"),
                ("FGcls_BLACK", "Black"),
                ("FGcls_GRAY", "Grey"),
                ("FGcls_WHITE", "White"),
            ],
        ),
        choice(
            "type",
            "Kind",
            "Only pictures of this kind.",
            &[
                ("photo", "Photograph"),
                ("clipart", "Clip art"),
                ("linedrawing", "Line drawing"),
                ("animatedgif", "Animated GIF"),
                ("transparent", "Transparent"),
            ],
        ),
        choice(
            "layout",
            "Shape",
            "Only pictures of this shape.",
            &[("square", "Square"), ("wide", "Wide"), ("tall", "Tall")],
        ),
        choice(
            "people",
            "People",
            "Only pictures of people, from this near.",
            &[("face", "Faces"), ("portrait", "Head and shoulders")],
        ),
        choice(
            "age",
            "Age",
            "Only pictures found in this time.",
            &[("1440", "Past day"), ("10080", "Past week"), ("44640", "Past month"), ("525600", "Past year")],
        ),
        choice(
            "license",
            "Licence",
            "Only pictures that the search engine believes to be under such a licence; which one is not said.",
            &[
                ("licenseType-Any", "All Creative Commons"),
                ("license-L1", "Public domain"),
                ("license-L2_L3_L4_L5_L6_L7", "Free to share and use"),
                ("license-L2_L3_L4", "Free to share and use commercially"),
                ("license-L2_L3_L5_L6", "Free to modify, share and use"),
                ("license-L2_L3", "Free to modify, share and use commercially"),
            ],
        ),
    ]
}
