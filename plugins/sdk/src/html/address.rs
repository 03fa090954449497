//! What the address of a picture says by itself: whether it is one, of which picture, and in which size.

/// Whether a text that stands where an address belongs is meant as one: not `#`, not the words of a
/// template that nobody has filled in (`{{ url }}`, `${photo}`, `#{img}`, `<%= src %>`), not JSON, not
/// `undefined` or `null`, and not a sentence.
#[must_use]
pub(super) fn is_meant(text: &str) -> bool {
    let text = text.trim();
    let last = text.trim_end_matches('/');
    let last = &last[last.bytes().rposition(|byte| matches!(byte, b'/' | b'=')).map_or(0, |at| at + 1)..];
    let is_sentence = || {
        text.bytes().any(|byte| byte.is_ascii_whitespace()) && !has_start(text) && !is_kept(extension(text))
    };
    let marks = ["{{", "}}", "${", "#{", "{%", "<%", "[[", "[object", "%7B%7B", "%7b%7b"];
    let is_template =
        || text.bytes().any(|byte| b"{}<[%".contains(&byte)) && marks.iter().any(|mark| text.contains(mark));
    !(text.is_empty()
        || text.starts_with(['#', '{', '[', '<', '$', '%', '"'])
        || NOTHING.iter().any(|nothing| last.eq_ignore_ascii_case(nothing))
        || is_template()
        || is_sentence())
}

/// What scripts write where there is no address.
const NOTHING: [&str; 8] = ["undefined", "null", "nan", "none", "false", "true", "nil", "about:blank"];

/// Whether it begins as an address does, and not with the name of a file.
pub(super) fn has_start(text: &str) -> bool {
    ["http:", "https:", "/", "./", "../", "\\"]
        .iter()
        .any(|start| text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)))
}

/// Whether the address is that of the page itself or of a folder around it, which no picture has.
pub(super) fn is_page(address: &str, base: &str) -> bool {
    let base = base.split('#').next().unwrap_or(base);
    address == base || (address.ends_with('/') && base.starts_with(address))
}

/// Whether the address looks like that of a picture file. A wiki's page about
/// one (`/wiki/File:Fox.jpg`) does not.
#[must_use]
pub fn is_file(address: &str) -> bool {
    let name = file_name(address);
    let page = name.contains(':') || name.contains("%3A") || name.contains("%3a");
    !page && is_kept(extension(address))
}

/// Whether that is the extension of a picture file.
fn is_kept(extension: &str) -> bool {
    KEPT.iter().any(|kept| extension.eq_ignore_ascii_case(kept))
}

const KEPT: [&str; 7] = ["jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp"];

/// Whether it ends as what a program made of the picture at the same address without that ending:
/// `fox.jpg.webp`.
pub(super) fn derived_from(address: &str) -> Option<&str> {
    let original = ["webp", "avif"].iter().find_map(|kind| address.strip_suffix(kind)?.strip_suffix('.'))?;
    is_file(original).then_some(original)
}

/// The last part of the path.
pub(super) fn file_name(address: &str) -> &str {
    // Bytes are looked through much faster than characters.
    let end = address.bytes().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(address.len());
    let start = address.as_bytes()[..end].iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    &address[start..end]
}

pub(super) fn extension(address: &str) -> &str {
    file_name(address).rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Whether the name of the file says that it only holds the place of a picture.
pub(super) fn is_stand_in(address: &str) -> bool {
    let name = file_name(address).to_ascii_lowercase();
    let stem = name.split('.').next().unwrap_or(&name);
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'x');
    let mut all = !stem.is_empty();
    for word in words_of(stem) {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        if STAND_INS.contains(&word) {
            return true;
        }
        all &= BESIDE_STAND_INS.contains(&word) || is_number(word);
    }
    all && (stem.contains("1x1") || BESIDE_STAND_INS.iter().any(|word| stem.contains(word)))
}

const STAND_INS: [&str; 12] = [
    "ajaxloader",
    "blank",
    "lazyload",
    "loader",
    "loading",
    "placehold",
    "placeholder",
    "preload",
    "preloader",
    "spacer",
    "spinner",
    "transparent",
];
/// What says so only where nothing else stands in the name.
const BESIDE_STAND_INS: [&str; 10] =
    ["clear", "dot", "dummy", "empty", "gray", "grey", "lazy", "load", "pixel", "white"];

/// The width in pixels that the address names: `fox-480x320.jpg`, `fox~480w.jpg`, `/w_480,h_320/fox.jpg`,
/// `fox.jpg?w=480`, `?resize=480,320`, Flickr's `_b` and Google's `=s1600`.
#[must_use]
pub fn named_width(address: &str) -> Option<u32> {
    let Parts { host, path, query } = Parts::of(address);
    let in_query = query.split('&').filter_map(|pair| pair.split_once('='));
    let asked = |names: &'static [&'static str]| {
        in_query.clone().filter(move |(name, _)| names.contains(&name.to_ascii_lowercase().as_str()))
    };
    let asked_for = asked(&WIDTHS).chain(asked(&SIZES)).find_map(|(_, value)| side(value));
    let of_words = || {
        let (_, word) = in_query.clone().find(|(name, _)| *name == "name" && host.ends_with("twimg.com"))?;
        TWITTER.iter().find(|(known, _)| *known == word).map(|(_, width)| *width).or_else(|| side(word))
    };
    asked_for.or_else(of_words).or_else(|| in_path(host, path)).filter(|width| (1..=30_000).contains(width))
}

fn in_path(host: &str, path: &str) -> Option<u32> {
    if host.ends_with("staticflickr.com") {
        let (_, width) = flickr(path)?;
        return Some(width);
    }
    let mut width = None;
    let mut before = "";
    for word in words_of(path) {
        let of_pair = || word.parse().ok().filter(|_| matches!(before, "w" | "width"));
        let of_google = || word.strip_prefix('s').filter(|_| is_google(host))?.parse().ok();
        width = size(word).or_else(|| bare(word, 'w')).or_else(of_pair).or_else(of_google).or(width);
        before = word;
    }
    width
}

/// The same for all sizes of one picture, and for the WebP that a program made of it: the address without
/// its scheme and without what plainly names a size. What may be something else tells pictures apart: to
/// have a small copy beside a picture is better than to lose one.
#[must_use]
pub fn identity(address: &str) -> String {
    let Parts { host, path, query } = Parts::of(address);
    let path = derived_from(path).unwrap_or(path);
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let mut identity = host.to_owned();
    for folder in folders.split('/').skip(1).filter(|folder| !is_size(host, folder)) {
        identity.push('/');
        identity.push_str(folder);
    }
    identity.push('/');
    identity.push_str(&without_size(host, file));
    let mut mark = '?';
    let asks = asks_for_size(path, query);
    let is_left_out = |pair: &&str| {
        let of_size = || is_side(pair) || is_named(pair, &BESIDE_SIDES) || is_signature(pair);
        pair.is_empty() || asks && of_size() || host.ends_with("twimg.com") && is_named(pair, &["name"])
    };
    for pair in query.split('&').filter(|pair| !is_left_out(pair)) {
        identity.push(mark);
        identity.push_str(pair);
        mark = '&';
    }
    identity
}

/// As [`identity`], for crops of one picture too: without what names a ratio (`16x9`, `4:3`, `square`).
#[must_use]
pub fn identity_of_crops(address: &str) -> String {
    let identity = identity(address);
    let is_crop = |word: &&str| !RATIOS.contains(&word.to_ascii_lowercase().as_str());
    let parts = identity.split('/').map(|part| {
        let joined = part.replace(':', "x");
        words_of(&joined).filter(is_crop).collect::<Vec<_>>().join("-")
    });
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

const RATIOS: [&str; 16] = [
    "1x1",
    "2x1",
    "2x3",
    "3x1",
    "3x2",
    "3x4",
    "4x3",
    "4x5",
    "5x4",
    "9x16",
    "16x9",
    "16x10",
    "21x9",
    "square",
    "landscape",
    "portrait",
];

/// Parameters that ask for a width, for a height, and for a size.
const WIDTHS: [&str; 9] =
    ["w", "width", "wid", "imwidth", "maxwidth", "max-width", "max_width", "max-w", "mw"];
const HEIGHTS: [&str; 8] = ["h", "height", "hei", "imheight", "maxheight", "max-height", "max_height", "mh"];
const SIZES: [&str; 6] = ["resize", "fit", "size", "sz", "dimensions", "imgsize"];
/// Those that leave a picture the same beside one of these, and mean something else elsewhere.
const BESIDE_SIDES: [&str; 12] =
    ["q", "quality", "qlt", "dpr", "zoom", "scale", "fit", "crop", "auto", "strip", "mode", "ssl"];
/// Those of them that only services for pictures know.
const OF_SERVICES: [&str; 3] = ["fit", "crop", "auto"];
/// How the paths of services end that are told the picture in a parameter.
const SERVICES: [&str; 3] = ["/_next/image", "/_vercel/image", "/_image"];
/// Twitter's names of sizes.
const TWITTER: [(&str, u32); 5] =
    [("orig", 4_096), ("large", 2_048), ("medium", 1_200), ("small", 680), ("thumb", 150)];
/// What stands in a folder that is nothing but sizes, beside the numbers.
const BESIDE: [&str; 18] = [
    "w", "h", "c", "q", "f", "g", "t", "fit", "fill", "crop", "limit", "scale", "auto", "best", "good",
    "center", "width", "height",
];

/// Whether the query asks for a size of a picture: with a width and a height, or with one of them where
/// the rest says that it is about a picture.
fn asks_for_size(path: &str, query: &str) -> bool {
    let sides =
        |names: &'static [&'static str]| query.split('&').any(|pair| is_side(pair) && is_named(pair, names));
    let is_pair = |pair: &str| {
        let (_, value) = pair.split_once('=').unwrap_or_default();
        let both = value.replace("%2C", ",").replace("%2c", ",");
        is_side(pair)
            && both.split_once([',', 'x', '*']).is_some_and(|(_, height)| side(height) >= Some(LEAST))
    };
    let is_whole = || sides(&WIDTHS) && sides(&HEIGHTS) || query.split('&').any(is_pair);
    let is_of_picture = || {
        let is_file_name =
            |pair: &str| pair.split_once('=').is_some_and(|(_, value)| is_kept(extension(value)));
        let of_service = |pair: &str| is_named(pair, &OF_SERVICES) || is_file_name(pair);
        is_file(path) || SERVICES.iter().any(|end| path.ends_with(end)) || query.split('&').any(of_service)
    };
    query.split('&').any(is_side) && (is_whole() || is_of_picture())
}

/// Whether the parameter may be a width, a height or a size.
fn is_side(pair: &str) -> bool {
    let (_, value) = pair.split_once('=').unwrap_or_default();
    let is_word = || ["small", "medium", "large", "thumb", "full", "original"].contains(&value);
    is_named(pair, &SIZES) && is_word()
        || [&WIDTHS[..], &HEIGHTS, &SIZES].iter().any(|names| is_named(pair, names))
            && side(value) >= Some(LEAST)
}

fn is_named(pair: &str, names: &[&str]) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What a server that makes sizes signs the others with.
fn is_signature(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    matches!(name, "s" | "sig" | "sign" | "signature" | "hash" | "hmac" | "h")
        && value.len() >= 16
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_%".contains(&byte))
}

/// Whether a folder is nothing but a size: `w_480,h_320,c_fill`, `480x320`, `w480,h320`, `480w`. A height
/// alone is none, nor is `w480`: that may be the name of a car.
fn is_size(host: &str, folder: &str) -> bool {
    let mut before = "";
    let (mut is_plain, mut has_width, mut has_height) = (false, false, false);
    for part in folder.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let number = word.parse::<u32>().ok();
        match before {
            "w_" | "w=" | "width_" | "width=" if number.is_some() => is_plain |= number >= Some(LEAST_ALONE),
            "h_" | "h=" | "height_" | "height=" | "q_" | "q=" if number.is_some() => {}
            _ if size(word).is_some() || of_google(host, word) => is_plain = true,
            _ if bare(word, 'w').is_some() => has_width = true,
            _ if bare(word, 'h').is_some() => has_height = true,
            _ if word.is_empty() || BESIDE.contains(&word) => {}
            _ => return false,
        }
        before = part;
    }
    is_plain || has_width && has_height
}

/// The name of a file without the size behind it: `fox.jpg` of `fox-480x320.jpg`.
fn without_size(host: &str, file: &str) -> String {
    if host.ends_with("staticflickr.com")
        && let Some((stem, _)) = flickr(file)
    {
        return stem.to_owned();
    }
    if let Some((stem, sizes)) = file.rsplit_once('=')
        && words_of(sizes).next().is_some_and(|word| of_google(host, word))
    {
        return stem.to_owned();
    }
    let last_word = |stem| str::rsplit_once(stem, ['-', '_', '~', '.', '@', ',', '=']);
    let (whole, extension) = file.rsplit_once('.').unwrap_or((file, ""));
    let mut stem = whole;
    while let Some((rest, last)) = last_word(stem) {
        // A height counts behind a width.
        let of_pair = || {
            let (rest, width) = last_word(rest).filter(|_| bare(last, 'h').is_some())?;
            (size(width).is_some() || bare(width, 'w').is_some()).then_some(rest)
        };
        let is_size = size(last).is_some() || last == "scaled" || last.is_empty() && stem.len() < whole.len();
        let shorter = if is_size { Some(rest) } else { of_pair() };
        let Some(shorter) = shorter.filter(|shorter| !shorter.is_empty()) else { break };
        stem = shorter;
    }
    format!("{stem}.{extension}")
}

/// What stands in front of Flickr's letter for a size, and the width that it means.
fn flickr(path: &str) -> Option<(&str, u32)> {
    let (stem, _) = path.rsplit_once('.')?;
    let (rest, letter) = stem.rsplit_once('_')?;
    match FLICKR.iter().find(|(known, _)| *known == letter) {
        Some((_, width)) => Some((rest, *width)),
        // A secret; without a letter it is 500.
        None => Some((stem, 500)),
    }
}

const FLICKR: [(&str, u32); 16] = [
    ("s", 75),
    ("q", 150),
    ("t", 100),
    ("m", 240),
    ("n", 320),
    ("w", 400),
    ("z", 640),
    ("c", 800),
    ("b", 1_024),
    ("h", 1_600),
    ("k", 2_048),
    ("3k", 3_072),
    ("4k", 4_096),
    ("5k", 5_120),
    ("6k", 6_144),
    ("o", 10_000),
];

fn is_google(host: &str) -> bool {
    ["googleusercontent.com", "bp.blogspot.com", "ggpht.com"].iter().any(|known| host.ends_with(known))
}

/// Whether it is a size as Google writes it: `s1600`, `w480`, `h320`.
fn of_google(host: &str, word: &str) -> bool {
    let number = || word.strip_prefix(['s', 'w', 'h'])?.parse::<u32>().ok();
    is_google(host) && number() >= Some(LEAST)
}

/// Pixels of the shortest side of a copy, and of one that is named without the other side: smaller numbers
/// are something else, such as a week or a chapter.
const LEAST: u32 = 16;
const LEAST_ALONE: u32 = 100;

/// The width in `480x320`, `480w`, `480px`.
fn size(word: &str) -> Option<u32> {
    if let Some(number) = word.strip_suffix("px") {
        return side(number).filter(|width| *width >= LEAST);
    }
    if let Some((width, height)) = word.split_once('x') {
        return (side(width)? >= LEAST && side(height)? >= LEAST).then(|| side(width))?;
    }
    word.strip_suffix('w')?.parse().ok().filter(|width| *width >= LEAST_ALONE)
}

/// The number in `w480` or, of a height, in `h320` and `320h`, which count only together.
fn bare(word: &str, letter: char) -> Option<u32> {
    let number = word.strip_prefix(letter).or_else(|| word.strip_suffix(letter))?;
    number.parse().ok().filter(|side| *side >= LEAST_ALONE)
}

/// The first number of `480`, `480px`, `480x320`, `480,320`, `w480`.
fn side(text: &str) -> Option<u32> {
    let text = text.strip_prefix('w').unwrap_or(text);
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let is_end = rest.is_empty()
        || ["px", "w", "x", "X", ",", "%2C", "%2c", "*"].iter().any(|end| rest.starts_with(end));
    number.parse().ok().filter(|_| is_end)
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

/// An address without its scheme.
struct Parts<'a> {
    host: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(address: &'a str) -> Self {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self { host, path, query }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_as_an_address() {
        for text in [
            "a.jpg",
            "/a",
            "//example.org/a",
            "my photo.jpg",
            "?id=3",
            "https://example.org/a b",
            "a.php?x={y}",
            "photo",
            "/null.jpg",
            "a/none-2.png",
            "/a%20b",
        ] {
            assert!(is_meant(text), "{text}");
        }
        for text in [
            "",
            " ",
            "#",
            "#top",
            "#{img}",
            "{{ url }}",
            "/a/{{url}}.jpg",
            "${photo}",
            "https://example.org/${a}",
            "{\"default\":\"/a.jpg\"}",
            "[1]",
            "<%= a %>",
            "%%src%%",
            "undefined",
            "/pass/undefined",
            "null",
            "/a?b=null",
            "Due to rain the fleet stays",
            "[object Object]",
            "%7B%7Burl%7D%7D",
        ] {
            assert!(!is_meant(text), "{text}");
        }
    }

    #[test]
    fn the_page_is_no_picture() {
        let base = "https://example.org/a/b?c#d";
        for (address, expect) in [
            ("https://example.org/a/b?c", true),
            ("https://example.org/a/", true),
            ("https://example.org/", true),
            ("https://example.org/a/b?d", false),
            ("https://example.org/a/b/", false),
            ("https://example.org/a/1.jpg", false),
        ] {
            assert_eq!(is_page(address, base), expect, "{address}");
        }
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

    #[test]
    fn stand_ins() {
        for (name, expect) in [
            ("/blank.gif", true),
            ("/img/loading2.gif", true),
            ("/1x1.png", true),
            ("/lazy-load.gif", true),
            ("/fox.jpg", false),
            ("/clearing.jpg", false),
            ("/grey-heron.jpg", false),
            ("/grey.gif", true),
            ("/17.jpg", false),
            ("/loading/fox.jpg", false),
        ] {
            assert_eq!(is_stand_in(name), expect, "{name}");
        }
    }

    #[test]
    fn widths_in_addresses() {
        for (end, expect) in [
            ("a.jpg", None),
            ("a-480x320.jpg", Some(480)),
            ("a_480w.jpg", Some(480)),
            ("a~-~480w.png", Some(480)),
            ("w_480,h_320,c_fill/a.jpg", Some(480)),
            ("480px-a.jpg", Some(480)),
            ("a.jpg?w=480", Some(480)),
            ("a.jpg?b&resize=480%2C320", Some(480)),
            ("a.jpg?fit=crop", None),
            ("0x0:2040x1360/1200x675/a.jpg", Some(1_200)),
            ("w12/a.jpg", None),
            ("2x2/a.jpg", None),
            ("img_2024.jpg", None),
            ("a.jpg?w=99999999999", None),
        ] {
            assert_eq!(named_width(&format!("https://example.org/{end}")), expect, "{end}");
        }
        assert_eq!(named_width("https://live.staticflickr.com/1/2_abc_b.jpg"), Some(1_024));
        assert_eq!(named_width("https://live.staticflickr.com/1/2_abc.jpg"), Some(500));
        assert_eq!(named_width("https://pbs.twimg.com/media/a?format=jpg&name=large"), Some(2_048));
        assert_eq!(named_width("https://lh3.googleusercontent.com/a=s1600"), Some(1_600));
    }

    #[test]
    fn sizes_of_one_picture() {
        for (one, other) in [
            ("a-150x150.jpg", "a.jpg"),
            ("a-scaled.jpg", "a-1024x683.jpg"),
            ("a.jpg?w=320", "a.jpg?w=1280&quality=80"),
            ("a.jpg?id=1&resize=480,320", "a.jpg?id=1"),
            ("w_480,c_fill/a.jpg", "w_992,c_fill/a.jpg"),
            ("a.jpg?width=140&s=0123456789abcdef0", "a.jpg?width=460&s=fedcba98765432100"),
            ("a.jpg.webp", "a.jpg"),
            ("_next/image?url=%2Fa.jpg&w=640&q=75", "_next/image?url=%2Fa.jpg&w=1920&q=75"),
        ] {
            let [one, other] = [one, other].map(|end| identity(&format!("https://example.org/{end}")));
            assert_eq!(one, other);
        }
        assert_eq!(identity("http://example.org/a"), identity("https://example.org/a"));
        let flickr =
            ["m", "b"].map(|size| identity(&format!("https://live.staticflickr.com/1/2_abc_{size}.jpg")));
        assert_eq!(flickr[0], flickr[1]);
    }

    #[test]
    fn different_pictures() {
        for (one, other) in [
            ("image.php?id=1", "image.php?id=2"),
            ("search?q=fox", "search?q=hare"),
            ("a-1.jpg", "a-2.jpg"),
            ("640x480.png", "320x240.png"),
            ("w12/a.jpg", "w13/a.jpg"),
            ("s17/a.jpg", "s18/a.jpg"),
            ("200/300", "300/300"),
            ("a-2x2.jpg", "a-3x3.jpg"),
            ("a.jpg", "a.png"),
            ("a_m.jpg", "a_b.jpg"),
            ("a?size=red", "a?size=blue"),
            ("a?s=0123456789abcdef0", "a?s=fedcba98765432100"),
        ] {
            let [one, other] = [one, other].map(|end| identity(&format!("https://example.org/{end}")));
            assert_ne!(one, other);
        }
    }

    #[test]
    fn crops_of_one_picture() {
        for (one, other) in [
            ("1x1/a.jpg", "16x9/a.jpg"),
            ("16:9/w_1200,h_675,c_limit/a.jpg", "4:3/w_1200,h_900,c_limit/a.jpg"),
            ("a_square.jpg", "a_16x9.jpg"),
        ] {
            let [one, other] =
                [one, other].map(|end| identity_of_crops(&format!("https://example.org/{end}")));
            assert_eq!(one, other);
        }
        assert_ne!(
            identity_of_crops("https://example.org/a.jpg"),
            identity_of_crops("https://example.org/b.jpg")
        );
    }
}
