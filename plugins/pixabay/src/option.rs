//! What the user may choose.

use pixcrawler_sdk::{OptionKind, OptionSpec};

/// Options that the API knows, by the names it has for them.
pub(crate) const FILTERS: [&str; 7] =
    ["image_type", "orientation", "category", "colors", "order", "min_width", "min_height"];

/// Languages of a search, as the API names them.
const LANGUAGES: [&str; 26] = [
    "cs", "da", "de", "en", "es", "fr", "id", "it", "hu", "nl", "no", "pl", "pt", "ro", "sk", "fi", "sv",
    "tr", "vi", "th", "bg", "ru", "el", "ja", "ko", "zh",
];

/// The language of a tag such as `pt-BR`, if the API has it.
pub(crate) fn language(tag: &str) -> Option<&'static str> {
    let primary = tag.split('-').next()?.to_ascii_lowercase();
    let primary = if matches!(primary.as_str(), "nb" | "nn") { "no" } else { &primary };
    LANGUAGES.into_iter().find(|known| *known == primary)
}

pub(crate) fn all() -> Vec<OptionSpec> {
    let choice = OptionSpec::choice;
    let least = |name: &str, label: &str| {
        let help = "In pixels, of the original; files that one gets are 1280 pixels wide or high at most.";
        OptionSpec::new(name, label, help, OptionKind::Integer)
    };
    vec![
        choice(
            "image_type",
            "Kind",
            "Only pictures of this kind; all by default.",
            &[
                ("photo", "Photo"),
                ("illustration", "Illustration"),
                ("vector", "Vector graphics, as a bitmap"),
            ],
        ),
        choice(
            "orientation",
            "Shape",
            "Only pictures of this shape; all by default.",
            &[("horizontal", "Wide"), ("vertical", "Tall")],
        ),
        choice(
            "category",
            "Category",
            "Only pictures of this category; all by default.",
            &[
                ("backgrounds", "Backgrounds"),
                ("fashion", "Fashion"),
                ("nature", "Nature"),
                ("science", "Science"),
                ("education", "Education"),
                ("feelings", "Feelings"),
                ("health", "Health"),
                ("people", "People"),
                ("religion", "Religion"),
                ("places", "Places"),
                ("animals", "Animals"),
                ("industry", "Industry"),
                ("computer", "Computer"),
                ("food", "Food"),
                ("sports", "Sports"),
                ("transportation", "Transportation"),
                ("travel", "Travel"),
                ("buildings", "Buildings"),
                ("business", "Business"),
                ("music", "Music"),
            ],
        ),
        OptionSpec::choices(
            "colors",
            "Colours",
            "Only pictures with these colours.",
            &[
                ("grayscale", "Greyscale"),
                ("transparent", "Transparent"),
                ("red", "Red"),
                ("orange", "Orange"),
                ("yellow", "Yellow"),
                ("green", "Green"),
                ("turquoise", "Turquoise"),
                ("blue", "Blue"),
                ("lilac", "Lilac"),
                ("pink", "Pink"),
                ("white", "White"),
                ("gray", "Grey"),
                ("black", "Black"),
                ("brown", "Brown"),
            ],
        ),
        choice(
            "order",
            "Order",
            "What comes first; the most popular by default.",
            &[("popular", "Most popular"), ("latest", "Newest")],
        ),
        least("min_width", "Width at least"),
        least("min_height", "Height at least"),
        OptionSpec::new(
            "without-generated",
            "Without generated pictures",
            "Leave out what was made by artificial intelligence, as far as Pixabay says.",
            OptionKind::Boolean,
        )
        .default("false"),
    ]
}
