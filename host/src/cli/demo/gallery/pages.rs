//! The pages: every way in which real pages name their pictures.

use std::fmt::Write as _;

use super::Exhibit;

/// Pictures on one page.
const PER_PAGE: usize = 14;

/// Path and HTML of each page; the first is `/`.
pub(super) fn write(exhibits: &[Exhibit]) -> Vec<(String, String)> {
    let pages: Vec<_> = exhibits.chunks(PER_PAGE).collect();
    let path = |page: usize| if page == 0 { "/".to_owned() } else { format!("/rooms/{}.html", page + 1) };
    let mut written = Vec::new();
    for (number, exhibits) in pages.iter().enumerate() {
        let next = (number + 1 < pages.len()).then(|| path(number + 1));
        written.push((path(number), page(number + 1, exhibits, next)));
    }
    written
}

fn page(number: usize, exhibits: &[Exhibit], next: Option<String>) -> String {
    let mut html = format!("<!DOCTYPE html>\n<html lang=en>\n<title>Gallery, room {number}</title>\n");
    if let Some(first) = exhibits.first() {
        let _ = writeln!(html, "<meta property=\"og:image\" content=\"{}{}\">", super::ORIGIN, first.path);
    }
    for (index, exhibit) in exhibits.iter().enumerate() {
        html.push_str(&element(index, exhibit));
        html.push('\n');
    }
    if let Some(next) = next {
        let _ = writeln!(html, "<a rel=next href=\"{next}\">Next room</a>");
    }
    html.push_str("</html>\n");
    html
}

/// One picture, in a way that depends on its place on the page.
fn element(index: usize, exhibit: &Exhibit) -> String {
    let Exhibit { path, small, title, width, height } = exhibit;
    let host = super::ORIGIN.trim_start_matches("http:");
    match (index % 4, small) {
        (0, Some((small, small_width))) => {
            format!(
                "<img src=\"{small}\" srcset=\"{small} {small_width}w, {path} {width}w\" alt=\"{title}\">"
            )
        }
        (1 | 2, Some((small, small_width))) => format!(
            "<picture><source type=\"image/jpeg\" srcset=\"{small} {small_width}w, {path} {width}w\">\
             <img src=\"{small}\" alt=\"{title}\"></picture>"
        ),
        (_, Some((small, _))) => format!("<a href=\"{path}\"><img src=\"{small}\" alt=\"{title}\"></a>"),
        (0, None) => format!("<img src=\"{path}\" width={width} height={height} alt=\"{title}\">"),
        (1, None) => format!(
            "<img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAAC\" data-src=\"{path}\" alt=\"{title}\">"
        ),
        (2, None) => format!("<figure><img src=\"{host}{path}\"><figcaption>{title}</figcaption></figure>"),
        (_, None) => format!("<img src=\"..{path}\" loading=lazy alt=\"{title}\">"),
    }
}
