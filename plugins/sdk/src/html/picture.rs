//! Pictures as HTML names them: which copies an element has and which is best.

use std::borrow::Cow;

use super::Tag;
use super::address::{derived_from, extension, has_start, is_meant, is_page, is_stand_in};
use super::style;
use crate::url::{self, Fault};

pub use super::address::{identity, identity_of_crops, is_file, named_width};

/// The copies of a picture that something names, and how many are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    all: Vec<Copy>,
    /// Those whose address is longer than one may be.
    pub too_long: usize,
    /// What stands where an address belongs and is none: `#`, a template, JSON.
    pub rubbish: usize,
    /// Names of attributes say that they are sizes of one picture.
    pub(super) is_one: bool,
}

/// One copy of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Copy {
    /// Absolute, http or https.
    url: String,
    rank: Rank,
}

/// What makes one copy better than another; later fields decide where earlier ones are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// In a format that the host keeps, as far as is said.
    is_kept: bool,
    size: Size,
    /// Not what a program made of another copy.
    is_original: bool,
    /// Named by the element that shows it, not by a `source` beside it.
    is_shown: bool,
}

/// How large a copy is said to be, the smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Size {
    /// What is shown until the picture comes.
    StandIn,
    /// Made for small windows or previews.
    Small(u32),
    /// Nobody says, and it is not what is shown.
    Aside,
    Unknown,
    /// The width in pixels; 1000 times the density where only that is said.
    Width(u32),
    /// What a gallery opens when the picture is clicked.
    Original,
}

/// What an attribute holds, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// What is shown at once.
    Src,
    Set,
    /// What a script puts in their place.
    Lazy,
    Original,
    Small,
    /// Something of a picture.
    Named,
    /// A picture if it is the address of a picture file.
    Any,
}

/// Copies of one picture that are looked at; a page that names more wants to cost time.
pub const MOST_COPIES: usize = 100;

/// The copies named by the attributes of an element that shows a picture, or of a `source` in a `picture`,
/// where `base` is what addresses are relative to. Drawings (SVG) and icons are left out.
#[must_use]
pub fn copies(tag: &Tag<'_>, base: &str) -> Copies {
    read(tag, base, true)
}

/// As [`copies`], for any other element: of its attributes those count that are the address of a picture
/// file, and what is meant for a background.
#[must_use]
pub fn copies_beside(tag: &Tag<'_>, base: &str) -> Copies {
    read(tag, base, false)
}

/// The address of a picture that a text means which stands where one belongs; none where it is no address,
/// the page's own, or that of a drawing.
#[must_use]
pub fn address(base: &str, text: &str) -> Option<String> {
    Copies::default().look(text, Role::Src, base, true)
}

fn read(tag: &Tag<'_>, base: &str, shows_picture: bool) -> Copies {
    let mut copies = Copies::default();
    let is_source = tag.is("source");
    // Most elements are no pictures, and most of what they say is looked at once.
    let said = |name, counts: bool| if counts { tag.get(name) } else { None };
    let kind = said("type", is_source).unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let window = said("media", is_source).map(|media| Window::of(&media)).unwrap_or_default();
    let width = said("width", shows_picture);
    let width = width.and_then(|side| side.trim().trim_end_matches("px").trim_end().parse().ok());
    let width = width.filter(|width| *width > 1).or(window.from);
    let is_lazy =
        said("class", shows_picture).is_some_and(|class| class.to_ascii_lowercase().contains("lazy"));
    let mut replaced = false;
    let mut found = Vec::new();
    'all: for (name, value) in tag.attributes() {
        let is_background = || name.contains("bg") || name.contains("background");
        if !shows_picture && !has_picture_file(&value) && !is_background() {
            continue;
        }
        let name = name.to_ascii_lowercase();
        let Some(role) = role(tag, &name, shows_picture) else { continue };
        let role = if role == Role::Any && is_lazy { Role::Lazy } else { role };
        for reference in references(&value, role, &name) {
            let Some(url) = copies.look(&reference.text, role, base, shows_picture) else { continue };
            copies.is_one |= matches!(role, Role::Original | Role::Small);
            replaced |= shows_picture && (role == Role::Lazy || name == "data-original");
            found.push((url, role, reference.width, reference.density));
            if found.len() >= MOST_COPIES {
                break 'all;
            }
        }
    }
    for (url, role, said, density) in found {
        // Where a script loads the picture, `src` is what is shown until then.
        if role == Role::Src && replaced {
            continue;
        }
        let of_density = |density: f32| scaled(width.unwrap_or(1_000), density);
        let of_element = || width.filter(|_| role == Role::Src || is_source);
        let width =
            said.or_else(|| named_width(&url)).or_else(|| density.map(of_density)).or_else(of_element);
        let size = match (role, width) {
            (Role::Src, _) if is_stand_in(&url) => Size::StandIn,
            (Role::Small, _) => Size::Small(width.unwrap_or(0)),
            _ if window.is_small => Size::Small(width.unwrap_or(0)),
            (_, Some(width)) => Size::Width(width),
            (Role::Original, None) => Size::Original,
            (Role::Src | Role::Lazy | Role::Set, None) if !is_source => Size::Unknown,
            _ => Size::Aside,
        };
        let kept_kind = kind.is_empty() || KEPT_KINDS.contains(&kind);
        let rank = Rank {
            is_kept: kept_kind && !is_of(&UNKEPT, &url),
            size,
            is_original: derived_from(&url).is_none(),
            is_shown: !is_source,
        };
        copies.all.push(Copy { url, rank });
    }
    copies
}

impl Copies {
    /// What is only known to be there: the target of a link around a picture, a background.
    pub(super) fn push(&mut self, reference: &str, base: &str) {
        if let Some(url) = self.look(reference, Role::Src, base, true) {
            let size = named_width(&url).map_or(Size::Unknown, Size::Width);
            let rank = Rank { is_kept: true, size, is_original: true, is_shown: true };
            self.all.push(Copy { url, rank });
        }
    }

    /// Adds those of a `source`, as far as there is room.
    pub(super) fn extend(&mut self, more: Self) {
        self.too_long += more.too_long;
        self.rubbish += more.rubbish;
        let room = MOST_COPIES.saturating_sub(self.all.len());
        self.all.extend(more.all.into_iter().take(room));
    }

    /// Whether it names none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The addresses, best first, each once.
    #[must_use]
    pub fn best_first(mut self) -> Vec<String> {
        // The picture that a program made another copy of is as large as that.
        let made: Vec<_> = self
            .all
            .iter()
            .filter_map(|copy| Some((derived_from(&copy.url)?.to_owned(), copy.rank.size)))
            .collect();
        for copy in &mut self.all {
            let sizes = made.iter().filter(|(url, _)| *url == copy.url).map(|(_, size)| *size);
            copy.rank.size = sizes.chain([copy.rank.size]).max().unwrap_or(copy.rank.size);
        }
        // There are few, and a sort from the library is as large as all of this.
        let mut sorted: Vec<Copy> = Vec::with_capacity(self.all.len());
        for copy in self.all {
            if sorted.iter().all(|known| known.url != copy.url || known.rank < copy.rank) {
                sorted.retain(|known| known.url != copy.url);
                let place = sorted.partition_point(|known| known.rank >= copy.rank);
                sorted.insert(place, copy);
            }
        }
        sorted.into_iter().map(|copy| copy.url).collect()
    }

    /// The address that a text means, unless it is left out.
    fn look(&mut self, text: &str, role: Role, base: &str, shows_picture: bool) -> Option<String> {
        let is_certain = matches!(role, Role::Src | Role::Set | Role::Lazy) && shows_picture;
        let meant = url::parse(base, text);
        if meant == Err(Fault::Foreign) {
            return None;
        }
        if !is_meant(text) {
            self.rubbish += usize::from(is_certain && !text.trim().is_empty());
            return None;
        }
        let has_room = !text.bytes().any(|byte| byte.is_ascii_whitespace());
        match meant {
            Ok(url) if is_of(&DRAWINGS, &url) => None,
            Ok(url) if is_certain && !is_file(&url) && is_page(&url, base) => {
                self.rubbish += 1;
                None
            }
            Ok(url) if is_certain || (is_file(&url) && has_room) => Some(url),
            Ok(url) if role == Role::Named && has_start(text) && !is_page(&url, base) => Some(url),
            Ok(url) if shows_picture && matches!(role, Role::Original | Role::Small) && has_start(text) => {
                Some(url).filter(|url| !is_page(url, base))
            }
            Err(Fault::TooLong) => {
                self.too_long += usize::from(is_certain || is_file(text));
                None
            }
            Err(Fault::Broken) => {
                self.rubbish += usize::from(is_certain);
                None
            }
            _ => None,
        }
    }
}

/// Whether a value may hold the address of a picture file.
fn has_picture_file(value: &str) -> bool {
    let ends = |at: usize| {
        ["jp", "png", "gif", "webp", "jfif"].iter().any(|kind| {
            value.get(at + 1..at + 1 + kind.len()).is_some_and(|found| found.eq_ignore_ascii_case(kind))
        })
    };
    value.match_indices('.').any(|(at, _)| ends(at))
}

/// What the attribute of that name holds; none where it is no address.
fn role(tag: &Tag<'_>, name: &str, shows_picture: bool) -> Option<Role> {
    let is_own = match name {
        "src" => shows_picture,
        "href" | "xlink:href" => tag.is("image") || tag.is("link"),
        "poster" => tag.is("video"),
        "data" => tag.is("object"),
        "background" if BACKED.iter().any(|known| tag.is(known)) => true,
        // Elsewhere it means nothing.
        "background" => return None,
        _ => false,
    };
    if is_own {
        return Some(Role::Src);
    }
    if matches!(name, "srcset" | "imagesrcset") {
        return Some(Role::Set);
    }
    if matches!(name, "alt" | "class" | "id" | "width" | "height" | "style" | "title" | "sizes" | "loading") {
        return None;
    }
    let words = || name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| *word != "data");
    let has = |known: &[&str]| words().any(|word| known.contains(&word));
    let begins = |known: &[&str]| words().any(|word| known.iter().any(|start| word.starts_with(start)));
    if name.starts_with("on") || name == "href" && tag.is("a") || has(&TEXTS) || has(&OTHERS) {
        return None;
    }
    if has(&SMALL) {
        return Some(Role::Small);
    }
    if has(&LARGE) || begins(&LARGE_STARTS) {
        return Some(Role::Original);
    }
    let is_lazy = name.contains("src") || begins(&["lazy", "echo"]);
    match has(&BACKGROUNDS) {
        true => Some(Role::Named),
        _ if is_lazy => Some(Role::Lazy),
        _ if shows_picture && has(&NAMED) => Some(Role::Named),
        _ => Some(Role::Any),
    }
}

/// What has a background by an attribute.
const BACKED: [&str; 8] = ["body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"];

/// Words in the name of an attribute. Its value is a text, which may be the name of a file:
const TEXTS: [&str; 28] = [
    "action",
    "alt",
    "author",
    "caption",
    "class",
    "content",
    "credit",
    "desc",
    "description",
    "download",
    "filename",
    "hash",
    "id",
    "key",
    "label",
    "longdesc",
    "name",
    "page",
    "path",
    "permalink",
    "share",
    "slug",
    "style",
    "text",
    "title",
    "type",
    "usemap",
    "value",
];
/// another picture than the one that is shown:
const OTHERS: [&str; 17] = [
    "avatar",
    "blur",
    "blurred",
    "default",
    "error",
    "fallback",
    "hover",
    "icon",
    "loader",
    "loading",
    "logo",
    "low",
    "lowsrc",
    "lqip",
    "placeholder",
    "rollover",
    "spinner",
];
/// a small copy:
const SMALL: [&str; 12] = [
    "medium",
    "mobile",
    "phone",
    "preview",
    "sm",
    "small",
    "tablet",
    "thumb",
    "thumbnail",
    "thumbs",
    "tiny",
    "xs",
];
/// a large one:
const LARGE: [&str; 9] = ["2x", "desktop", "hd", "hi", "high", "lg", "pswp", "retina", "xl"];
const LARGE_STARTS: [&str; 12] = [
    "big",
    "full",
    "hires",
    "highres",
    "large",
    "lightbox",
    "master",
    "max",
    "mediaviewer",
    "orig",
    "super",
    "zoom",
];
/// a background, and what else it may be called.
const BACKGROUNDS: [&str; 3] = ["background", "bg", "bgset"];
const NAMED: [&str; 5] = ["image", "img", "photo", "picture", "swap"];

const KEPT_KINDS: [&str; 7] =
    ["image/jpeg", "image/jpg", "image/pjpeg", "image/png", "image/x-png", "image/gif", "image/webp"];
/// Pictures that the host does not keep: taken only where there is no other copy.
const UNKEPT: [&str; 7] = ["avif", "jxl", "heic", "heif", "tif", "tiff", "bmp"];
/// Not pictures in the sense of a dataset, and pages are full of them.
const DRAWINGS: [&str; 3] = ["svg", "svgz", "ico"];

fn is_of(kinds: &[&str], url: &str) -> bool {
    let extension = extension(url);
    kinds.iter().any(|kind| extension.eq_ignore_ascii_case(kind))
}

/// The windows that a `source` is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    /// Pixels of the narrowest, where that is said.
    from: Option<u32>,
    /// For narrow ones, for paper, or for people who asked for something else than usual.
    is_small: bool,
}

impl Window {
    fn of(media: &str) -> Self {
        let media = media.to_ascii_lowercase();
        let is_small = ["max-width", "max-device-width", "prefers-", "print", "portrait"];
        let mut window = Self { from: None, is_small: is_small.iter().any(|words| media.contains(words)) };
        for part in media.split(['(', ')']) {
            let Some((feature, value)) = part.split_once([':', '<', '>']) else { continue };
            let value = value.trim_start_matches('=').trim();
            match (feature.trim(), part.contains('<')) {
                ("min-width" | "min-device-width", _) => window.from = pixels(value),
                ("width", false) if part.contains('>') => window.from = pixels(value),
                ("width", true) => window.is_small = true,
                _ => {}
            }
        }
        window
    }
}

/// A length in style sheets, in pixels.
fn pixels(length: &str) -> Option<u32> {
    let unit = length.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(length.len());
    let number = decimal(&length[..unit])?;
    Some(scaled(if length[unit..].ends_with("em") { 16 } else { 1 }, number))
}

/// A number such as `2`, `1.5`, `.5` or `15e-1`; about right, for what the library needs to be right to the
/// last bit is as large as all that reads pictures.
pub(super) fn decimal(text: &str) -> Option<f32> {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let mut all = whole.bytes().chain(part.bytes());
    if digits.is_empty() || digits.ends_with('.') || !all.all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number =
        whole.bytes().chain(part.bytes()).fold(0.0, |sum, digit| sum * 10.0 + f32::from(digit - b'0'));
    let exponent = exponent.parse::<i32>().ok()?;
    Some(number * 10_f32.powi(exponent.saturating_sub_unsigned(u32::try_from(part.len()).ok()?)))
}

/// Saturates where the number makes no sense.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "saturating is meant"
)]
fn scaled(width: u32, density: f32) -> u32 {
    (width as f32 * density) as u32
}

/// One address in an attribute.
#[derive(Clone, Debug, PartialEq)]
struct Reference<'a> {
    text: Cow<'a, str>,
    width: Option<u32>,
    density: Option<f32>,
}

/// The addresses in an attribute's value. Some scripts take a whole set from an attribute that is meant for
/// one, or what a style sheet would have.
fn references<'a>(value: &'a str, role: Role, name: &str) -> Vec<Reference<'a>> {
    let value = value.trim();
    let one = |text| Reference { text, width: None, density: None };
    let whole = || vec![one(Cow::Borrowed(value))];
    if value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("url(")) {
        return style::addresses(value).into_iter().map(|address| one(Cow::Owned(address))).collect();
    }
    if role == Role::Src {
        return whole();
    }
    let mut set = srcset(value);
    let is_said = |one: &Reference<'_>| one.width.or(one.density.map(|_| 1)).is_some();
    let is_set = role == Role::Set || name.ends_with("set");
    let is_described = value.bytes().any(|byte| byte.is_ascii_whitespace()) && set.iter().all(is_said);
    if !(is_set || is_described && !set.is_empty()) {
        return whole();
    }
    if set.iter().any(|one| one.density.is_some()) {
        for one in &mut set {
            one.density = one.density.or(Some(1.0));
        }
    }
    set
}

/// The addresses in a `srcset` with their width or density, without those whose descriptor is none (HTML
/// standard, 4.8.4.3.10). Addresses may hold commas.
fn srcset(value: &str) -> Vec<Reference<'_>> {
    let mut set = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        if rest.is_empty() || set.len() >= MOST_COPIES {
            return set;
        }
        let (text, after) =
            rest.split_at(rest.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(rest.len()));
        let bare = text.trim_end_matches(',');
        let (descriptors, after) = if bare.len() < text.len() {
            ("", after)
        } else {
            let mut in_brackets = false;
            let end = after.bytes().position(|byte| {
                in_brackets = byte == b'(' || in_brackets && byte != b')';
                byte == b',' && !in_brackets
            });
            after.split_at(end.unwrap_or(after.len()))
        };
        if let Some((width, density)) = described(descriptors) {
            set.push(Reference { text: Cow::Borrowed(bare), width, density });
        }
        rest = after;
    }
}

/// The width and the density that descriptors say; none where they are none.
fn described(descriptors: &str) -> Option<(Option<u32>, Option<f32>)> {
    let side = |number: &str| {
        let is_whole = number.bytes().all(|byte| byte.is_ascii_digit());
        Some(number.parse().unwrap_or(u32::MAX)).filter(|side| is_whole && *side > 0 && !number.is_empty())
    };
    let (mut width, mut density, mut has_height) = (None, None, false);
    for descriptor in descriptors.split_ascii_whitespace() {
        let (number, unit) = descriptor.split_at_checked(descriptor.len() - 1)?;
        match unit {
            "w" if width.is_none() && density.is_none() => width = Some(side(number)?),
            "h" if !has_height && density.is_none() => has_height = side(number)? > 0,
            "x" if width.is_none() && density.is_none() && !has_height => {
                density = Some(decimal(number)?);
            }
            _ => return None,
        }
    }
    (width.is_some() || !has_height).then_some((width, density))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::{Token, tokens};

    fn check(html: &str, expect: &[&str]) {
        let Some(Token::Open(tag)) = tokens(html).next() else { panic!("{html}") };
        let urls = copies(&tag, "https://example.org/").best_first();
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
        check("<img src=a.jpg data-large-file=b.jpg data-orig-file=c.jpg>", &["b.jpg", "c.jpg", "a.jpg"]);
        check("<img src=a-480x320.jpg data-hi-res-src=b.jpg>", &["b.jpg", "a-480x320.jpg"]);
        check("<img src=a.jpg width=300 srcset='b.jpg 2x, c.jpg 400w'>", &["b.jpg", "c.jpg", "a.jpg"]);
        check("<img srcset='w_480/a.jpg 1x, w_992/a.jpg 1x'>", &["w_992/a.jpg", "w_480/a.jpg"]);
        check("<img src=a.jpg?w=1600 srcset='a.jpg?w=480 480w'>", &["a.jpg?w=1600", "a.jpg?w=480"]);
        check("<img src=a.jpg data-thumb=b.jpg data-src-mobile=c.jpg>", &["a.jpg", "b.jpg", "c.jpg"]);
    }

    #[test]
    fn addresses_in_sets_may_hold_commas() {
        check("<img srcset='w_9,h_9/a.jpg 1x, w_18,h_18/a.jpg 2x,'>", &["w_18,h_18/a.jpg", "w_9,h_9/a.jpg"]);
        check("<img srcset='  a.jpg   1x   ,   b.jpg  2x '>", &["b.jpg", "a.jpg"]);
        check("<img srcset='\na.jpg\n1x,\n\nb.jpg\n 2.0x'>", &["b.jpg", "a.jpg"]);
    }

    #[test]
    fn a_copy_with_a_descriptor_that_is_none_is_no_copy() {
        for good in ["", "900w", "2x", "0x", ".5x", "1e3x", "900w 600h", "600h 900w", "99999999999w"] {
            check(&format!("<img srcset='a.jpg {good}'>"), &["a.jpg"]);
        }
        for bad in [
            "900",
            "900q",
            "x",
            "w",
            "0w",
            "-900w",
            "+900w",
            "900.0w",
            "-1x",
            "+1x",
            "1.x",
            "infx",
            "nanx",
            "1x 2x",
            "900w 2x",
            "2x 900w",
            "900w 900w",
            "900w 0h",
            "600h",
            "2x 600h",
            "600h 600h 900w",
            "900W",
            "2X",
            "2x (a)",
            "2x (a, b)",
            "900px",
        ] {
            check(&format!("<img src=s.jpg srcset='a.jpg {bad}, b.jpg 2x'>"), &["b.jpg", "s.jpg"]);
        }
        check("<img srcset='a.jpg 1x (b.jpg 2x'>", &[]);
    }

    #[test]
    fn a_set_without_end_is_cut() {
        let set: String = (0..200_000).map(|copy| format!("{copy}.jpg {}w, ", copy + 1)).collect();
        let tag = format!("<img srcset='{set}' data-srcset='{set}'>");
        let Some(Token::Open(tag)) = tokens(&tag).next() else { panic!() };
        let mut copies = copies(&tag, "https://example.org/");
        assert!(copies.all.len() <= MOST_COPIES + 1);
        copies.extend(copies.clone());
        assert!(copies.best_first().len() <= MOST_COPIES + 1);
    }

    #[test]
    fn attributes_without_end_are_cut() {
        let many: String = (0..100_000).map(|copy| format!(" data-x{copy}='/y{copy}.jpg'")).collect();
        for html in [format!("<img{many}>"), format!("<div{many}>")] {
            let Some(Token::Open(tag)) = tokens(&html).next() else { panic!() };
            let copies = read(&tag, "https://example.org/", tag.is("img"));
            assert_eq!(copies.all.len(), MOST_COPIES);
            assert_eq!(copies.best_first().len(), MOST_COPIES);
        }
    }

    #[test]
    fn what_is_shown_until_a_script_runs_is_left_out() {
        check("<img src=blank.gif data-src=a.jpg>", &["a.jpg"]);
        check("<img src=blank.gif data-srcset='a.jpg 1x, b.jpg 2x'>", &["b.jpg", "a.jpg"]);
        check("<img src=blank.gif data-src='a.jpg 1x, b.jpg 2x'>", &["b.jpg", "a.jpg"]);
        check("<img src=a.jpg data-src='data:image/gif;base64,R0'>", &["a.jpg"]);
        check("<img src=blank.gif data-src='my photo.jpg'>", &["my%20photo.jpg"]);
        check("<img src='data:image/gif;base64,R0' data-original=a.jpg>", &["a.jpg"]);
        for name in [
            "data-cfsrc",
            "data-ezsrc",
            "data-pagespeed-lazy-src",
            "nitro-lazy-src",
            "data-lazyload",
            "data-img-src",
            "data-flickity-lazyload",
            "data-ll-src",
            "lazysrc",
            "datasrc",
            "data-zeen-src",
        ] {
            check(&format!("<img src=real.jpg {name}=/photo/17>"), &["photo/17"]);
        }
        // Other names are believed where they name a file.
        check("<img src='data:,' data-srv=a.jpg>", &["a.jpg"]);
        check("<img src=loading.gif data-srv=a.jpg>", &["a.jpg", "loading.gif"]);
        check("<img src=a.jpg data-srv=b.jpg data-url=/page>", &["a.jpg", "b.jpg"]);
        check("<img class='x lazyloading' src=a.jpg data-srv=b.jpg>", &["b.jpg"]);
        check("<img data-swap=/photo/17>", &["photo/17"]);
        check(
            "<img src=a.jpg alt=b.jpg title=c.jpg data-filename=d.jpg data-hover=e.jpg data-error-src=f.jpg>",
            &["a.jpg"],
        );
    }

    #[test]
    fn what_is_no_address_is_none() {
        check("<img src=a.jpg data-src='{\"default\":\"/b.jpg\"}'>", &["a.jpg"]);
        check("<img src=a.jpg data-src='{{ image }}' data-lazy-src=undefined>", &["a.jpg"]);
        check("<img src=# data-src=a.jpg>", &["a.jpg"]);
        check("<img src='data:image/svg+xml;utf8,<svg a=b>' srcset='data:,x 1x, a.jpg 2x'>", &["a.jpg"]);
        for rubbish in ["#", "#{img_src}", "{a:b}", "${photo}", "./", "/", "pass/undefined", "http://"] {
            let html = format!("<img src='{rubbish}'>");
            let Some(Token::Open(tag)) = tokens(&html).next() else { panic!("{html}") };
            let Copies { all, too_long, rubbish, .. } = copies(&tag, "https://example.org/a/b");
            assert_eq!((all.len(), too_long, rubbish), (0, 0, 1), "{html}");
        }
        let long = format!("<img src='/{}' data-srv='/{0}.jpg'>", "a".repeat(url::LONGEST));
        let Some(Token::Open(tag)) = tokens(&long).next() else { panic!() };
        let copies = copies(&tag, "https://example.org/");
        assert_eq!((copies.is_empty(), copies.too_long, copies.rubbish), (true, 2, 0));
    }

    #[test]
    fn formats_that_are_not_kept_come_last() {
        check("<source type=image/avif srcset='a.jpg 2x'>", &["a.jpg"]);
        check("<source type='IMAGE/JPEG; q=1' srcset='a.jpg 2x'>", &["a.jpg"]);
        check("<img src=a.jpg srcset='b.avif 2000w'>", &["a.jpg", "b.avif"]);
        check("<img src=logo.svg>", &[]);
        check("<img src=logo.SVG?v=2>", &[]);
    }

    #[test]
    fn other_elements() {
        let check = |html: &str, expect: &[&str]| {
            let Some(Token::Open(tag)) = tokens(html).next() else { panic!("{html}") };
            let urls = copies_beside(&tag, "https://example.org/").best_first();
            let expect: Vec<_> = expect.iter().map(|path| format!("https://example.org/{path}")).collect();
            assert_eq!(urls, expect, "{html}");
        };
        check("<div data-src=a.jpg>", &["a.jpg"]);
        check("<div data-src=/page title=a.jpg value=b.jpg>", &[]);
        check("<li data-original=a.jpg data-thumb=b.jpg>", &["a.jpg", "b.jpg"]);
        check("<div data-bg='url(a.jpg)'>", &["a.jpg"]);
        check("<div data-bg=/photo/17>", &["photo/17"]);
        check("<td background=a.gif>", &["a.gif"]);
        check("<p background=a.gif>", &[]);
        check(r"<div data-bg='url(a\2d b.jpg)'>", &["a-b.jpg"]);
    }

    #[test]
    fn decimals() {
        for (text, expect) in
            [("2", 2.0), ("1.5", 1.5), (".5", 0.5), ("15e-1", 1.5), ("0", 0.0), ("1E+2", 100.0)]
        {
            assert!(decimal(text).is_some_and(|number| (number - expect).abs() < 0.001), "{text}");
        }
        for text in ["", ".", "1.", "-1", "+1", "e1", "1e", "1e1.5", "inf", "nan", "1.5.1", "1,5", "1 ", "१"]
        {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(scaled(1_000, decimal(&"9".repeat(100)).unwrap_or(0.0)), u32::MAX);
    }

    #[test]
    fn windows() {
        let of = |media| {
            let Window { from, is_small } = Window::of(media);
            (from, is_small)
        };
        assert_eq!(of("(min-width: 1024px)"), (Some(1_024), false));
        assert_eq!(of("screen and (MIN-WIDTH:40em)"), (Some(640), false));
        assert_eq!(of("(max-width: 600px)"), (None, true));
        assert_eq!(of("(min-width: 600px) and (max-width: 900px)"), (Some(600), true));
        assert_eq!(of("(width <= 600px)"), (None, true));
        assert_eq!(of("(width >= 600px)"), (Some(600), false));
        assert_eq!(of("(prefers-color-scheme: dark)"), (None, true));
        assert_eq!(of(""), (None, false));
    }
}
