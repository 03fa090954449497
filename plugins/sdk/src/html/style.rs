//! Pictures in style sheets.

/// What stands in `url(…)`, as it is written there, with escapes that are left as they are.
pub(super) fn addresses(style: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = style;
    while let Some(at) = find(rest) {
        rest = rest[at + 4..].trim_start();
        let (address, after) = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inside = &rest[1..];
                inside.split_at(inside.find(quote).unwrap_or(inside.len()))
            }
            _ => rest.split_at(rest.find(')').unwrap_or(rest.len())),
        };
        found.push(address.trim());
        rest = after;
    }
    found
}

/// Where `url(` begins.
fn find(text: &str) -> Option<usize> {
    text.as_bytes().windows(4).position(|four| four.eq_ignore_ascii_case(b"url("))
}

/// The addresses of the backgrounds that a style declares. Of an `image-set` only the last, which is
/// for the finest screens by custom.
pub(super) fn backgrounds(style: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for declaration in declarations(style) {
        let Some((property, value)) = declaration.split_once(':') else { continue };
        let property = property.trim().to_ascii_lowercase();
        if property != "background" && property != "background-image" && !property.starts_with("--") {
            continue;
        }
        let mut addresses = addresses(value);
        if value.contains("image-set(") {
            addresses.drain(..addresses.len().saturating_sub(1));
        }
        found.extend(addresses);
    }
    found
}

/// Those of a whole style sheet that are photographs by their name (JPEG, WebP): the others are
/// arrows, spinners and textures.
pub(super) fn photographs(sheet: &str) -> Vec<&str> {
    let bodies = sheet.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest));
    let is_photograph = |address: &&str| {
        let kind = super::address::extension(address).to_ascii_lowercase();
        matches!(kind.as_str(), "jpg" | "jpeg" | "webp")
    };
    bodies.flat_map(backgrounds).filter(is_photograph).collect()
}

/// Split at `;`, but for those in brackets: `url(data:image/gif;base64,…)`.
fn declarations(style: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    style.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ';' && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backgrounds_are_found() {
        for (style, expect) in [
            ("", &[][..]),
            ("background-image:url('/a.jpg');height:300px", &["/a.jpg"]),
            ("background: #eee URL( \"/b.jpg\" ) center/cover", &["/b.jpg"]),
            ("background-image: linear-gradient(#0008,#0008), url(/c.jpg?w=1)", &["/c.jpg?w=1"]),
            (
                "background:url(data:image/gif;base64,R0) , url(/d.jpg)",
                &["data:image/gif;base64,R0", "/d.jpg"],
            ),
            ("--image: url(/e.jpg)", &["/e.jpg"]),
            ("cursor: url(/f.png); list-style: url(/g.png)", &[]),
            ("background-image: image-set(url(/h.jpg) 1x, url(/i.jpg) 2x)", &["/i.jpg"]),
            ("background: url(/never", &["/never"]),
            ("background: url('/never", &["/never"]),
        ] {
            assert_eq!(backgrounds(style), expect, "{style}");
        }
    }

    #[test]
    fn sheets_have_photographs_too() {
        let sheet = ".a{background:url(/a.jpg)} @media print { .b { background-image: url(b.webp) } } \
            .c{background:url(spinner.gif)} @font-face{src:url(d.jpg)}";
        assert_eq!(photographs(sheet), ["/a.jpg", "b.webp"]);
    }
}
