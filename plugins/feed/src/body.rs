//! Pictures in the HTML of an entry.

use pixcrawler_sdk::html::picture::{self, Copy};
use pixcrawler_sdk::html::{Tag, Token, tokens};
use pixcrawler_sdk::{Candidate, text, url};

use crate::reader::MOST_IN_ENTRY;

/// Other copies of a picture.
const ALTERNATES: usize = 8;
/// Characters of a text beside a picture.
const LINE: usize = 500;

/// The pictures of a piece of HTML in their order, where `base` is what addresses are relative to.
pub(crate) fn pictures(html: &str, base: &str) -> Vec<Candidate> {
    let mut body = Body { base, found: Vec::new(), link: None, sources: None, figure: None, caption: None };
    // A tag may carry the prefix of its vocabulary where HTML stands in XML.
    for token in tokens(html) {
        if body.found.len() >= MOST_IN_ENTRY {
            break;
        }
        match token {
            Token::Open(tag) => body.open(&tag),
            Token::Close(name) => body.close(name),
            Token::Text(piece) => {
                if let Some(caption) = body.caption.as_mut().filter(|caption| caption.len() < 4 * LINE) {
                    caption.push_str(&piece.decode());
                }
            }
        }
    }
    body.end_link();
    body.found
}

struct Body<'a> {
    base: &'a str,
    found: Vec<Candidate>,
    /// The picture file that the open `a` links to.
    link: Option<String>,
    /// Copies from the sources of the open `picture`.
    sources: Option<Vec<Copy>>,
    /// Number of pictures when the open `figure` began.
    figure: Option<usize>,
    caption: Option<String>,
}

impl Body<'_> {
    fn open(&mut self, tag: &Tag<'_>) {
        match local(tag.name).to_ascii_lowercase().as_str() {
            "a" => {
                self.end_link();
                let target = tag.get("href").and_then(|href| url::resolve(self.base, &href));
                self.link = target.filter(|target| picture::is_file(target));
            }
            "picture" => self.sources = Some(Vec::new()),
            "source" => {
                if let Some(sources) =
                    self.sources.as_mut().filter(|known| known.len() < picture::MOST_COPIES)
                {
                    sources.extend(picture::copies(tag, self.base));
                }
            }
            "img" => self.img(tag),
            "figure" => self.figure = Some(self.found.len()),
            "figcaption" => self.caption = Some(String::new()),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match local(name).to_ascii_lowercase().as_str() {
            "a" => self.end_link(),
            "picture" => self.sources = None,
            "figcaption" => {
                let caption = self.caption.take().and_then(|caption| text::line(&caption, LINE));
                let from = self.figure.unwrap_or(self.found.len());
                for candidate in self.found.iter_mut().skip(from) {
                    candidate.title = candidate.title.take().or_else(|| caption.clone());
                }
            }
            "figure" => self.figure = None,
            _ => {}
        }
    }

    /// A link to a picture file that shows no picture.
    fn end_link(&mut self) {
        self.found.extend(self.link.take().map(Candidate::new));
    }

    fn img(&mut self, tag: &Tag<'_>) {
        if picture::is_invisible(tag) {
            return;
        }
        let mut copies = picture::copies(tag, self.base);
        copies.extend(self.sources.take().unwrap_or_default());
        let mut urls = picture::best_first(copies);
        let mut thumbnail_url = None;
        // What is linked to is larger than what is shown, of which the smallest is the preview.
        if let Some(link) = self.link.take() {
            urls.retain(|url| *url != link);
            thumbnail_url = urls.pop();
            urls.insert(0, link);
        }
        let mut urls = urls.into_iter();
        let Some(best) = urls.next() else { return };
        let line = |name| tag.get(name).and_then(|said| text::line(&said, LINE));
        self.found.push(Candidate {
            thumbnail_url,
            alternates: urls.take(ALTERNATES).collect(),
            title: line("title"),
            description: line("alt"),
            ..Candidate::new(best)
        });
    }
}

fn local(name: &str) -> &str {
    pixcrawler_sdk::xml::local(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(html: &str) -> Vec<Vec<String>> {
        let short = |url: String| url.trim_start_matches("https://example.org/").to_owned();
        let all = |candidate: Candidate| [vec![candidate.url], candidate.alternates].concat();
        pictures(html, "https://example.org/")
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
            ("<a href=b.jpg><img src=a.jpg></a><img src=c.jpg>", &[&["b.jpg"], &["c.jpg"]]),
            ("<a href=c.jpg><img src=a.jpg srcset='b.jpg 2x'></a>", &[&["c.jpg", "b.jpg"]]),
            ("<a href=page.html><img src=a.jpg></a>", &[&["a.jpg"]]),
            ("<a href=a.jpg>A</a><a href=b.html>B</a><a href=c.jpg>C", &[&["a.jpg"], &["c.jpg"]]),
            ("<picture><source srcset='b.webp 2x'><img src=a.jpg></picture>", &[&["b.webp", "a.jpg"]]),
            ("<img src=count.gif width=1 height=1><img src=a.jpg width=40>", &[&["a.jpg"]]),
            ("<xhtml:img src='a.jpg'/>", &[&["a.jpg"]]),
            ("<img alt=none><img src='data:image/gif;base64,R0'>", &[]),
        ] {
            assert_eq!(urls(html), expect, "{html}");
        }
    }

    #[test]
    fn words_beside_pictures() {
        let html = "<figure><a href=b.jpg><img src=a.jpg alt='A fox'></a><figcaption>At <b>dawn</b>\n</figcaption></figure>\
            <img src=c.jpg title=Hare>";
        let [fox, hare] = &pictures(html, "https://example.org/")[..] else { panic!() };
        assert_eq!((fox.title.as_deref(), fox.description.as_deref()), (Some("At dawn"), Some("A fox")));
        assert_eq!(fox.thumbnail_url.as_deref(), Some("https://example.org/a.jpg"));
        assert_eq!((hare.title.as_deref(), &hare.thumbnail_url), (Some("Hare"), &None));
    }
}
