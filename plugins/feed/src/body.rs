//! Pictures in the HTML of an entry.

use pixcrawler_sdk::html::{LeftOut, Pictures, Token, tokens};
use pixcrawler_sdk::{Candidate, url};

use crate::reader::MOST_IN_ENTRY;

/// The pictures of a piece of HTML in their order, where `base` is what addresses are relative to; in
/// XHTML an element may say otherwise (`xml:base`).
pub(crate) fn pictures(html: &str, base: &str) -> (Vec<Candidate>, LeftOut) {
    let mut pictures = Pictures::new(base, MOST_IN_ENTRY);
    // Elements that say so: their name, how many of it are open, and the base around them.
    let mut bases: Vec<(&str, usize, String)> = Vec::new();
    for token in tokens(html) {
        match token {
            Token::Open(tag) => {
                let own = tag.get("xml:base").filter(|_| bases.len() < DEEPEST);
                let own = own.and_then(|base| url::resolve(pictures.base(), &base));
                if let Some(own) = own {
                    bases.push((tag.name, 1, pictures.base().to_owned()));
                    pictures.set_base(own);
                } else if let Some((_, open, _)) = bases.last_mut().filter(|(name, ..)| tag.is(name)) {
                    *open += 1;
                }
            }
            Token::Close(name) => {
                if let Some((_, open, _)) =
                    bases.last_mut().filter(|(known, ..)| known.eq_ignore_ascii_case(name))
                {
                    *open -= 1;
                }
                if let Some((.., around)) = bases.pop_if(|(_, open, _)| *open == 0) {
                    pictures.set_base(around);
                }
            }
            Token::Text(_) => {}
        }
        pictures.read(&token);
    }
    let left_out = pictures.left_out();
    (pictures.finish(), left_out)
}

/// Elements in one another that say what addresses in them are relative to.
const DEEPEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(html: &str) -> Vec<Vec<String>> {
        let short = |url: String| url.trim_start_matches("https://example.org/").to_owned();
        let all = |candidate: Candidate| [vec![candidate.url], candidate.alternates].concat();
        pictures(html, "https://example.org/")
            .0
            .into_iter()
            .map(|found| all(found).into_iter().map(short).collect())
            .collect()
    }

    #[test]
    fn pictures_in_html() {
        for (html, expect) in [
            ("", &[][..]),
            ("<p>a<img src=a.jpg><IMG SRC='b.jpg'/>", &[&["a.jpg"][..], &["b.jpg"]]),
            ("<img src=a.jpg srcset='b.jpg 2x'>", &[&["b.jpg", "a.jpg"]]),
            ("<a href=b.jpg><img src=a.jpg></a><img src=c.jpg>", &[&["b.jpg", "a.jpg"], &["c.jpg"]]),
            ("<a href=c.jpg><img src=a.jpg srcset='b.jpg 2x'></a>", &[&["c.jpg", "b.jpg", "a.jpg"]]),
            ("<a href=page.html><img src=a.jpg></a>", &[&["a.jpg"]]),
            ("<a href=a.jpg>A</a><a href=b.html>B</a><a href=c.jpg>C", &[&["a.jpg"], &["c.jpg"]]),
            ("<picture><source srcset='b.webp 2x'><img src=a.jpg></picture>", &[&["b.webp", "a.jpg"]]),
            ("<img src=count.gif width=1 height=1><img src=a.jpg width=40>", &[&["a.jpg"]]),
            ("<xhtml:img src='a.jpg'/>", &[&["a.jpg"]]),
            (
                "<div xml:base='/b/'><div><img src=a.jpg></div></div><img src=a.jpg>",
                &[&["b/a.jpg"], &["a.jpg"]],
            ),
            (
                "<p xml:base='/b/'>x<p xml:base='c/'><img src=a.jpg></p><img src=a.jpg>",
                &[&["b/c/a.jpg"], &["b/a.jpg"]],
            ),
            ("<img src=a-150x150.jpg><img src=a.jpg>", &[&["a.jpg", "a-150x150.jpg"]]),
            (
                "<picture><source srcset=a.jpg.webp><img src=a.jpg></picture><img src='#{b}'>",
                &[&["a.jpg", "a.jpg.webp"]],
            ),
            ("<div style='background:url(a.jpg)'></div><image src=b.jpg>", &[&["a.jpg"], &["b.jpg"]]),
            ("<img alt=none><img src='data:image/gif;base64,R0'>", &[]),
        ] {
            assert_eq!(urls(html), expect, "{html}");
        }
    }

    #[test]
    fn words_beside_pictures() {
        let html = "<figure><a href=b.jpg><img src=a.jpg alt='A fox'></a><figcaption>At <b>dawn</b>\n</figcaption></figure>\
            <img src=c.jpg title=Hare>";
        let [fox, hare] = &pictures(html, "https://example.org/").0[..] else { panic!() };
        assert_eq!((fox.title.as_deref(), fox.description.as_deref()), (Some("At dawn"), Some("A fox")));
        assert_eq!(fox.thumbnail_url.as_deref(), Some("https://example.org/a.jpg"));
        assert_eq!((hare.title.as_deref(), &hare.thumbnail_url), (Some("Hare"), &None));
    }
}
