//! Pictures as HTML names them: which copies an element has and which is best, and
//! which addresses are those of picture files.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::Tag;
use crate::url;

/// One copy of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Absolute, http or https.
    pub url: String,
    rank: Rank,
}

/// What makes one copy better than another; later fields decide where earlier ones are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// In a format that the host keeps, as far as is said.
    kept: bool,
    place: Place,
    /// In a set: the width in pixels, or 1000 times the density.
    size: u32,
}

/// Where an address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// `src`: often a small copy where there is a set.
    Src,
    /// What a script puts in the place of `src`.
    Lazy,
    Set,
    /// What a gallery opens when the picture is clicked.
    Original,
}

/// Copies of one picture that are looked at; a page that names more wants to cost time.
pub const MOST_COPIES: usize = 100;

/// Where an element names copies; `src` is last because what comes before it may rule it out.
const ATTRIBUTES: [(&str, Place); 16] = [
    ("data-orig-file", Place::Original),
    ("data-full-url", Place::Original),
    ("data-large-file", Place::Original),
    ("data-zoom-image", Place::Original),
    ("srcset", Place::Set),
    ("data-srcset", Place::Set),
    ("data-lazy-srcset", Place::Set),
    ("data-original-set", Place::Set),
    ("data-src", Place::Lazy),
    ("data-lazy-src", Place::Lazy),
    ("data-original", Place::Lazy),
    ("data-lazy", Place::Lazy),
    ("data-echo", Place::Lazy),
    ("data-actualsrc", Place::Lazy),
    ("data-url", Place::Lazy),
    ("src", Place::Src),
];

/// The copies named by the attributes of an `img`, or of a `source` in a `picture`,
/// where `base` is what addresses are relative to. Drawings (SVG) and icons are left out.
#[must_use]
pub fn copies(tag: &Tag<'_>, base: &str) -> Vec<Copy> {
    let declared = tag.get("type").is_none_or(|kind| KEPT_TYPES.contains(&kind.trim()));
    let mut values = [const { None }; ATTRIBUTES.len()];
    for (name, value) in tag.attributes() {
        if let Some(index) = ATTRIBUTES.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)) {
            values[index].get_or_insert(value);
        }
    }
    let mut copies = Vec::new();
    let mut lazy = false;
    for ((name, place), value) in ATTRIBUTES.into_iter().zip(values) {
        let Some(value) = value else { continue };
        // Where a script loads the picture, `src` is what is shown until then.
        if place == Place::Src && lazy {
            continue;
        }
        for (reference, place, size) in references(&value, place) {
            let Some(url) = url::resolve(base, reference) else { continue };
            let extension = extension(&url).to_ascii_lowercase();
            if DRAWINGS.contains(&extension.as_str()) {
                continue;
            }
            lazy |= name.starts_with("data-") && place != Place::Original;
            let kept = declared && !UNKEPT.contains(&extension.as_str());
            copies.push(Copy { url, rank: Rank { kept, place, size } });
        }
    }
    copies
}

/// The addresses, best first, each once.
#[must_use]
pub fn best_first(mut copies: Vec<Copy>) -> Vec<String> {
    copies.sort_by_key(|copy| Reverse(copy.rank));
    let mut known = HashSet::new();
    let firsts: Vec<bool> = copies.iter().map(|copy| known.insert(copy.url.as_str())).collect();
    copies.into_iter().zip(firsts).filter_map(|(copy, first)| first.then_some(copy.url)).collect()
}

/// Whether the address looks like that of a picture file. A wiki's page about
/// one (`/wiki/File:Fox.jpg`) does not.
#[must_use]
pub fn is_file(address: &str) -> bool {
    let name = file_name(address);
    let page = name.contains(':') || name.contains("%3A") || name.contains("%3a");
    !page && KEPT.contains(&extension(address).to_ascii_lowercase().as_str())
}

/// Whether the element says that it shows nothing: one pixel, to count visitors.
#[must_use]
pub fn is_invisible(tag: &Tag<'_>) -> bool {
    let tiny =
        |name| tag.get(name).is_some_and(|size| matches!(size.trim().trim_end_matches("px"), "0" | "1"));
    tiny("width") && tiny("height")
}

const KEPT: [&str; 7] = ["jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp"];
const KEPT_TYPES: [&str; 5] = ["image/jpeg", "image/jpg", "image/png", "image/gif", "image/webp"];
/// Pictures that the host does not keep: taken only where there is no other copy.
const UNKEPT: [&str; 7] = ["avif", "jxl", "heic", "heif", "tif", "tiff", "bmp"];
/// Not pictures in the sense of a dataset, and pages are full of them.
const DRAWINGS: [&str; 3] = ["svg", "svgz", "ico"];

/// The parts of an attribute's value. Some scripts take a whole set from an
/// attribute that is meant for one address.
fn references(value: &str, place: Place) -> Vec<(&str, Place, u32)> {
    let value = value.trim();
    let set = srcset(value);
    match place {
        _ if value.is_empty() => Vec::new(),
        Place::Set => set.into_iter().map(|(url, size)| (url, place, size.unwrap_or(1_000))).collect(),
        Place::Lazy if set.len() > 1 && set.iter().all(|(_, size)| size.is_some()) => {
            set.into_iter().map(|(url, size)| (url, Place::Set, size.unwrap_or(1_000))).collect()
        }
        _ => vec![(value, place, 0)],
    }
}

/// The addresses in a `srcset` with their width, or 1000 times their density;
/// none where the descriptor is missing or unknown. Addresses may hold commas.
fn srcset(value: &str) -> Vec<(&str, Option<u32>)> {
    let mut set = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        if rest.is_empty() || set.len() >= MOST_COPIES {
            return set;
        }
        let (url, after) = rest.split_at(rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len()));
        let bare = url.trim_end_matches(',');
        if bare.len() < url.len() {
            set.push((bare, None));
            rest = after;
            continue;
        }
        let (descriptors, after) = after.split_at(after.find(',').unwrap_or(after.len()));
        set.push((url, descriptors.split_ascii_whitespace().find_map(size)));
        rest = after;
    }
}

fn size(descriptor: &str) -> Option<u32> {
    match descriptor.strip_suffix('w') {
        Some(width) => width.parse().ok(),
        None => {
            let density: f32 = descriptor.strip_suffix('x')?.parse().ok()?;
            // Saturates where the number makes no sense.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "saturating is meant"
            )]
            let size = (density * 1_000.0) as u32;
            Some(size)
        }
    }
}

fn file_name(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    path.rsplit('/').next().unwrap_or(path)
}

fn extension(address: &str) -> &str {
    file_name(address).rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::{Token, tokens};

    fn check(html: &str, expect: &[&str]) {
        let Some(Token::Open(tag)) = tokens(html).next() else { panic!("{html}") };
        let urls = best_first(copies(&tag, "https://example.org/"));
        let expect: Vec<_> = expect.iter().map(|path| format!("https://example.org/{path}")).collect();
        assert_eq!(urls, expect, "{html}");
    }

    #[test]
    fn the_largest_copy_comes_first() {
        check("<img src=a.jpg>", &["a.jpg"]);
        check("<img src=''>", &[]);
        check("<img alt=nothing>", &[]);
        check("<img src=a.jpg srcset='b.jpg 2x, a.jpg 1x, c.jpg 1.5x'>", &["b.jpg", "c.jpg", "a.jpg"]);
        check("<img src=a.jpg srcset='b.jpg 320w,c.jpg 1024w'>", &["c.jpg", "b.jpg", "a.jpg"]);
        check("<img srcset='a.jpg, b.jpg 2x'>", &["b.jpg", "a.jpg"]);
        check("<img src=a.jpg data-large-file=b.jpg data-orig-file=c.jpg>", &["c.jpg", "b.jpg", "a.jpg"]);
    }

    #[test]
    fn addresses_in_sets_may_hold_commas() {
        check("<img srcset='w_9,h_9/a.jpg 1x, w_18,h_18/a.jpg 2x,'>", &["w_18,h_18/a.jpg", "w_9,h_9/a.jpg"]);
        check("<img srcset='  a.jpg   1x   ,   b.jpg  2x '>", &["b.jpg", "a.jpg"]);
        check("<img srcset='a.jpg 99999999999w, b.jpg x, c.jpg -1x, ,'>", &["a.jpg", "b.jpg", "c.jpg"]);
    }

    #[test]
    fn a_set_without_end_is_cut() {
        let set: String = (0..200_000).map(|copy| format!("{copy}.jpg {}w, ", copy + 1)).collect();
        let tag = format!("<img srcset='{set}'>");
        let Some(Token::Open(tag)) = tokens(&tag).next() else { panic!() };
        let copies = copies(&tag, "https://example.org/");
        assert_eq!(copies.len(), MOST_COPIES);
        let many = copies.iter().cycle().take(200_000).cloned().collect();
        assert_eq!(best_first(many).len(), MOST_COPIES);
    }

    #[test]
    fn what_is_shown_until_a_script_runs_is_left_out() {
        check("<img src=blank.gif data-src=a.jpg>", &["a.jpg"]);
        check("<img src=blank.gif data-srcset='a.jpg 1x, b.jpg 2x'>", &["b.jpg", "a.jpg"]);
        check("<img src=blank.gif data-src='a.jpg 1x, b.jpg 2x'>", &["b.jpg", "a.jpg"]);
        check("<img src=a.jpg data-src='data:image/gif;base64,R0'>", &["a.jpg"]);
        check("<img src=blank.gif data-src='my photo.jpg'>", &["my%20photo.jpg"]);
        check("<img src='data:image/gif;base64,R0' data-original=a.jpg>", &["a.jpg"]);
    }

    #[test]
    fn formats_that_are_not_kept_come_last() {
        check("<source type=image/avif srcset='a.jpg 2x'>", &["a.jpg"]);
        check("<img src=a.jpg srcset='b.avif 2000w'>", &["a.jpg", "b.avif"]);
        check("<img src=logo.svg>", &[]);
        check("<img src=logo.SVG?v=2>", &[]);
    }

    #[test]
    fn picture_files() {
        for (url, expect) in [
            ("https://example.org/a.jpg", true),
            ("https://example.org/a.JPEG?w=1.5", true),
            ("https://example.org/a.b.webp#c", true),
            ("https://example.org/wiki/File:Fox.jpg", false),
            ("https://example.org/wiki/Datei%3AFox.jpg", false),
            ("https://example.org/a.html?file=b.jpg", false),
            ("https://example.jpg/", false),
            ("https://example.org/jpg", false),
            ("https://example.org/a.svg", false),
        ] {
            assert_eq!(is_file(url), expect, "{url}");
        }
    }
}
