//! What the user may set: the tools above the page of pictures.

use pixcrawler_sdk::{OptionKind, OptionSpec, Query};

/// Options, with the site's own names for them.
const FILTERS: [(&str, &str); 6] =
    [("size", "isz"), ("color", "ic"), ("type", "itp"), ("layout", "iar"), ("age", "qdr"), ("license", "il")];
/// What the filter `ic` takes by itself; single colours are a filter of their own.
const COLORING: [&str; 3] = ["color", "gray", "trans"];

/// The value of the parameter `tbs`; empty without filters.
pub(crate) fn filters(query: &Query) -> String {
    let filter = |(name, filter): (&str, &str)| {
        let value = query.option(name)?;
        Some(if name == "color" && !COLORING.contains(&value) {
            format!("ic:specific,isc:{value}")
        } else {
            format!("{filter}:{value}")
        })
    };
    FILTERS.into_iter().filter_map(filter).collect::<Vec<_>>().join(",")
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
            &[("l", "Large"), ("m", "Medium"), ("i", "Icon")],
        ),
        choice(
            "color",
            "Colour",
            "Only pictures in which this colour prevails.",
            &[
                ("color", "Any colour"),
                ("gray", "Black and white"),
                ("trans", "Transparent"),
                ("red", "Red"),
                ("orange", "Orange"),
                ("yellow", "Yellow"),
                ("green", "Green"),
                ("teal", "Teal"),
                ("blue", "Blue"),
                ("purple", "Purple"),
                ("pink", "Pink"),
                ("white", "White"),
                ("black", "Black"),
                ("brown", "Brown"),
            ],
        ),
        choice(
            "type",
            "Kind",
            "Only pictures of this kind.",
            &[
                ("photo", "Photograph"),
                ("face", "Face"),
                ("clipart", "Clip art"),
                ("lineart", "Line drawing"),
                ("animated", "Animated GIF"),
            ],
        ),
        choice(
            "layout",
            "Shape",
            "Only pictures of this shape.",
            &[("s", "Square"), ("t", "Tall"), ("w", "Wide"), ("xw", "Panoramic")],
        ),
        choice(
            "age",
            "Age",
            "Only pictures found in this time.",
            &[("d", "Past day"), ("w", "Past week"), ("m", "Past month"), ("y", "Past year")],
        ),
        choice(
            "license",
            "Licence",
            "Only pictures whose pages declare such a licence; which one is not said.",
            &[("cl", "Creative Commons"), ("ol", "Commercial and others")],
        ),
    ]
}
