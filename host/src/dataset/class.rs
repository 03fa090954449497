//! Classes as folders: each has one of its own on Linux, macOS and Windows alike.

use std::collections::BTreeMap;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::{
    CodePointMapData,
    props::{GeneralCategory, GeneralCategoryGroup},
};
use sha2::{Digest as _, Sha256};

/// Longest name, in bytes: whole paths have 260 characters on Windows, and a file in the folder takes 70.
const LONGEST: usize = 80;
/// Bytes of the hash behind a name that is not the class itself.
const HASH: usize = 6;
/// What Windows keeps for itself in names; `~` is in those that it makes up.
const NOT_ON_WINDOWS: &str = "<>:\"/\\|?*~";
/// Names that no folder may have, however they are written and whatever follows behind a dot: devices
/// of Windows.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// Devices that have a number behind them.
const NUMBERED: [&str; 2] = ["com", "lpt"];
/// Join letters and emoji. Some file systems do not see them.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// The folders of the classes of one dataset.
///
/// A class that can be a folder is one, by its own name. Any other gets the name that is nearest, and
/// behind it a hash of the class. So do classes of this dataset that are the same to a file system which
/// does not look at case, the one way in which a class counts for the folder of another.
#[derive(Debug, Default)]
pub(super) struct Folders {
    /// How many classes that can be folders look like this to such a file system.
    alike: BTreeMap<String, usize>,
}

impl Folders {
    /// For a dataset with these classes, each named once.
    pub(super) fn new<'a>(classes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut alike = BTreeMap::new();
        for class in classes.into_iter().filter(|class| is_folder(class)) {
            *alike.entry(seen(class)).or_default() += 1;
        }
        Self { alike }
    }

    /// The folder of a class.
    pub(super) fn of(&self, class: &str) -> String {
        let alone = self.alike.get(&seen(class)).is_none_or(|classes| *classes == 1);
        if alone && is_folder(class) { class.to_owned() } else { hashed(class) }
    }
}

/// A name for a folder that stands alone: `text` itself, or what is nearest with a hash behind it.
#[must_use]
pub fn folder_name(text: &str) -> String {
    Folders::default().of(text)
}

/// Whether a class can be a folder as it is, and could not be the folder of another.
fn is_folder(class: &str) -> bool {
    let hash = class.len().checked_sub(2 * HASH + 1).and_then(|at| class.get(at..)?.strip_prefix('-'));
    let is_hashed = hash.is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    !class.is_empty()
        && class.len() <= LONGEST
        && !is_hashed
        && !is_reserved(class)
        && nearest(class) == class
}

/// What is nearest to a class and could be a folder, but for its length and what is reserved. An address
/// is as good without its scheme.
fn nearest(class: &str) -> String {
    let address = class.strip_prefix("https://").or_else(|| class.strip_prefix("http://"));
    let name = address.map_or(class, |address| address.trim_end_matches('/'));
    let name = ComposingNormalizerBorrowed::new_nfc().normalize(name);
    let replaced = |c: char| match category(c) {
        _ if NOT_ON_WINDOWS.contains(c) => '_',
        _ if JOINERS.contains(&c) => c,
        GeneralCategory::SpaceSeparator => ' ',
        // Control characters, those that turn the direction of text, and what has no meaning (yet).
        category if GeneralCategoryGroup::Other.contains(category) => '_',
        GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => '_',
        _ => c,
    };
    let name: String = name.chars().map(replaced).collect();
    // It neither hides nor looks like an option, and Windows takes away what it ends with.
    name.trim_start_matches(['.', '-', ' ']).trim_end_matches(['.', ' ']).to_owned()
}

/// The nearest name, cut between letters, and a hash of the class.
fn hashed(class: &str) -> String {
    let mut name = nearest(class);
    if is_reserved(&name) {
        name.insert(0, '_');
    }
    let mut end = name.floor_char_boundary(LONGEST - 2 * HASH - 1);
    let belongs = |c: char| JOINERS.contains(&c) || GeneralCategoryGroup::Mark.contains(category(c));
    while end > 0 && name[end..].starts_with(belongs) {
        end = name.floor_char_boundary(end - 1);
    }
    let name = Some(&name[..end]).filter(|name| !name.is_empty()).unwrap_or("class");
    format!("{name}-{}", hex::encode(&Sha256::digest(class)[..HASH]))
}

/// Whether it is a device of Windows, or a file of the dataset.
fn is_reserved(name: &str) -> bool {
    let name = name.to_lowercase();
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let number = NUMBERED.iter().find_map(|device| stem.strip_prefix(device));
    let numbered = number.is_some_and(|number| {
        let mut chars = number.chars();
        matches!((chars.next(), chars.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    });
    let files =
        [super::LISTING, super::REFUSALS, super::CARD, super::ATTRIBUTION, super::CROISSANT, super::MANIFEST];
    DEVICES.contains(&stem) || numbered || files.iter().any(|file| name == file.to_lowercase())
}

/// What a file system sees of a name that looks neither at case nor at the form of letters.
fn seen(name: &str) -> String {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd();
    let name: String = name.chars().filter(|c| !JOINERS.contains(c)).collect();
    // Some fold what has one upper case, others what Unicode says; both is more than any does.
    let upper = decomposed.normalize(&name).to_uppercase();
    decomposed.normalize(&CaseMapper::new().fold_string(&upper)).into_owned()
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    #[test]
    fn what_can_be_a_folder_is_one() {
        for class in [
            "red panda",
            "Eiffel Tower",
            "C#",
            "C+",
            "C++",
            "貓",
            "แมวไทย",
            "बिल्ली",
            "Černý kůň",
            "🦊",
            "👩\u{200d}🔬",
            "❤\u{fe0f}",
            "a.b",
            "it's 5 % (or so)",
            "com10",
            "console",
            "auxiliary.x",
            "v1-0123456789a",
            "_aux",
        ] {
            assert_eq!(folder_name(class), class);
        }
    }

    #[test]
    fn what_cannot_gets_the_nearest_name_and_a_hash() {
        for (class, name) in [
            ("https://example.org/a/b/", "example.org_a_b"),
            ("http://example.org/a/b/", "example.org_a_b"),
            ("https://example.org/a_b", "example.org_a_b"),
            ("../../etc", "_.._etc"),
            ("a/b\\c:d", "a_b_c_d"),
            ("..", "class"),
            ("", "class"),
            (".hidden", "hidden"),
            ("-rf", "rf"),
            ("what?", "what_"),
            ("end.", "end"),
            ("end ", "end"),
            ("aux", "_aux"),
            ("CON", "_CON"),
            ("nul.photo", "_nul.photo"),
            ("Com1 .a", "_Com1 .a"),
            ("lpt²", "_lpt²"),
            ("Metadata.JSONL", "_Metadata.JSONL"),
            ("readme.md", "_readme.md"),
            ("refused.jsonl", "_refused.jsonl"),
            ("cafe\u{301}", "café"),
            ("赤\u{3000}い", "赤 い"),
            ("a\u{202e}b\u{7}c\nd", "a_b_c_d"),
            ("PROGRA~1", "PROGRA_1"),
            ("red-0123456789ab", "red-0123456789ab"),
            ("red-0123456789AB", "red-0123456789AB"),
        ] {
            let folder = folder_name(class);
            let (found, hash) = folder.rsplit_once('-').unwrap();
            assert_eq!((found, hash.len()), (name, 12), "{class:?}");
        }
        // Cut, but not between a letter and its marks.
        let long = folder_name(&"नि".repeat(60));
        assert_eq!(long.rsplit_once('-').unwrap().0, "नि".repeat(11));
        // The same in whatever dataset, and in whatever year.
        assert_eq!(folder_name("what?"), "what_-2cc9a59ae14e");
    }

    #[test]
    fn classes_that_are_one_to_a_file_system_are_told_apart() {
        let folders =
            Folders::new(["Turkey", "turkey", "Straße", "STRASSE", "نیم\u{200c}روز", "نیمروز", "lion"]);
        for class in ["Turkey", "turkey", "Straße", "STRASSE", "نیم\u{200c}روز", "نیمروز"] {
            assert_eq!(folders.of(class), hashed(class));
        }
        assert_eq!(folders.of("lion"), "lion");
        assert_eq!(Folders::new(["Turkey", "lion"]).of("Turkey"), "Turkey");
    }

    /// Classes that are easily taken for one another.
    fn likely() -> impl Strategy<Value = String> {
        prop_oneof![
            "(https?://)?[aAb./_?]{0,6}",
            "[aAåÅ\u{30a}\u{301}eEéßsS ﬁfi\u{200d}\u{200c}\u{345}ͅΑΙᾳ]{0,4}",
            "(con|AUX|nul|COM[0-9¹²³]|lpt1|CONIN\\$)[ .]{0,2}[a-z]?",
            "[ .\\-~_]{0,3}[abAB]{0,2}[ .\\-~_]{0,3}",
            "a(-[0-9a-fA-F]{12}){0,2}",
            "[क-हिा्]{20,40}",
            "\\PC{0,6}",
            any::<String>(),
        ]
    }

    proptest! {
        #[test]
        fn every_class_has_a_folder_of_its_own(classes in btree_set(likely(), 1..12)) {
            let given: Vec<&str> = classes.iter().map(String::as_str).collect();
            let mut all: Vec<String> = given.iter().map(|class| Folders::new(given.clone()).of(class)).collect();
            // Two names are one if any of these makes them so.
            let composed = |name: &str| ComposingNormalizerBorrowed::new_nfc().normalize(name).into_owned();
            let forms: [&dyn Fn(&str) -> String; 4] = [
                &seen,
                &str::to_uppercase,
                &str::to_lowercase,
                &|name| composed(&CaseMapper::new().fold_string(&composed(name))),
            ];
            for form in forms {
                let different: BTreeSet<String> = all.iter().map(|name| form(name)).collect();
                prop_assert_eq!(different.len(), classes.len(), "{:?}", all);
            }
            // Those that were made are classes, too, and nobody takes the folder of another.
            let again = classes.iter().cloned().chain(all.clone()).collect::<BTreeSet<_>>();
            let folders = Folders::new(again.iter().map(String::as_str));
            all = again.iter().map(|class| folders.of(class)).collect();
            prop_assert_eq!(all.iter().map(|name| seen(name)).collect::<BTreeSet<_>>().len(), again.len());
            for name in &all {
                prop_assert!(!name.is_empty() && name.len() <= LONGEST, "{name:?}");
                prop_assert!(!name.starts_with(['.', '-', ' ']) && !name.ends_with(['.', ' ']), "{name:?}");
                prop_assert!(!name.contains(|c: char| c.is_control() || NOT_ON_WINDOWS.contains(c)), "{name:?}");
                prop_assert!(!is_reserved(name), "{name:?}");
            }
        }
    }
}
