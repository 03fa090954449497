//! Sitemaps as sites write them, with invented pages.

use pixcrawler_sdk::{Candidate, Error, License};
use proptest::prelude::*;
use sitemap::{Kind, MOST_PICTURES, entries, kind};

const SITEMAP: &str = "https://example.org/maps/sitemap.xml";

fn candidates(document: &str) -> Vec<Candidate> {
    entries(document, 0).flat_map(|entry| entry.candidates(SITEMAP).collect::<Vec<_>>()).collect()
}

/// A document with that in one page.
fn page(inside: &str) -> String {
    format!("<urlset><url><loc>https://example.org/fox</loc>{inside}</url></urlset>")
}

#[test]
fn every_field_is_read() {
    let document = r#"<?xml version="1.0" encoding="UTF-8"?>
        <!DOCTYPE urlset [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>
        <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:i="http://www.google.com/schemas/sitemap-image/1.1">
        <url><loc> https://example.org/fox?a=1&amp;b=2 </loc><lastmod>2026-03-04</lastmod><priority>0.5</priority>
          <video:video xmlns:video="urn:video"><video:title>No</video:title><video:thumbnail_loc>no.jpg</video:thumbnail_loc></video:video>
          <i:image><i:loc><![CDATA[https://img.example.org/fox.jpg?w=1&h=2]]></i:loc><i:title>Fox &amp;
            hare</i:title><i:caption><![CDATA[At <dawn>]]> &b; &#8211; 1</i:caption>
            <i:geo_location>Limerick, Ireland</i:geo_location>
            <i:license>https://creativecommons.org/licenses/by/4.0/</i:license></i:image>
          <i:image><i:loc>/hare.jpg</i:loc><i:license>Ask us</i:license><i:title> </i:title></i:image>
        </url></urlset>"#;
    let fox = Candidate {
        page_url: Some("https://example.org/fox?a=1&b=2".to_owned()),
        title: Some("Fox & hare".to_owned()),
        description: Some("At <dawn> &b; – 1".to_owned()),
        license: Some(License {
            id: "cc-by-4.0".to_owned(),
            url: Some("https://creativecommons.org/licenses/by/4.0/".to_owned()),
            attribution: None,
        }),
        extra: vec![
            ("sitemap.place".to_owned(), "Limerick, Ireland".to_owned()),
            ("sitemap.page-changed".to_owned(), "2026-03-04".to_owned()),
        ],
        ..Candidate::new("https://img.example.org/fox.jpg?w=1&h=2")
    };
    let hare = Candidate {
        page_url: fox.page_url.clone(),
        license: Some(License { attribution: Some("Ask us".to_owned()), ..License::new("unknown") }),
        extra: vec![("sitemap.page-changed".to_owned(), "2026-03-04".to_owned())],
        ..Candidate::new("https://example.org/hare.jpg")
    };
    assert_eq!(kind(document, SITEMAP), Ok(Kind::Pages));
    assert_eq!(candidates(document), [fox, hare]);
}

#[test]
fn what_is_broken_costs_only_itself() {
    for (inside, expect) in [
        ("", &[][..]),
        ("<image:image/>", &[]),
        ("<image><loc>a.jpg</loc></image>", &["https://example.org/a.jpg"]),
        ("<x:image><y:loc>a.jpg</y:loc></x:image>", &["https://example.org/a.jpg"]),
        ("<image><loc>a.jpg</loc><loc>b.jpg</loc></image>", &["https://example.org/a.jpg"]),
        ("<image><loc></loc></image><image><loc>b.jpg</loc></image>", &["https://example.org/b.jpg"]),
        ("<image><loc>data:image/gif;base64,R0</loc></image>", &[]),
        ("<image><loc>//img.example.org/a b.jpg</loc></image>", &["https://img.example.org/a%20b.jpg"]),
        ("<image><loc>https://example.org/?a=1&copy=2</loc></image>", &["https://example.org/?a=1&copy=2"]),
        ("<!-- <image><loc>a.jpg</loc></image> -->", &[]),
        ("<image><loc>a.jpg</loc>", &["https://example.org/a.jpg"]),
        ("<image><loc>a</loc><image><loc>b</loc>", &["https://example.org/a", "https://example.org/b"]),
        ("</b><image><title>1 < 2</title><loc>a.jpg</loc></image>", &["https://example.org/a.jpg"]),
    ] {
        let urls: Vec<_> = candidates(&page(inside)).into_iter().map(|candidate| candidate.url).collect();
        assert_eq!(urls, expect, "{inside}");
    }
    // An entry that is not closed ends where the next one begins.
    let open = "<urlset><url><loc>/a</loc><image><loc>a.jpg</loc></image><url><loc>/b</loc><image><loc>b.jpg</loc></image></url>";
    let pages: Vec<_> = candidates(open).into_iter().filter_map(|candidate| candidate.page_url).collect();
    assert_eq!(pages, ["https://example.org/a", "https://example.org/b"]);
}

#[test]
fn pictures_may_stand_behind_their_page() {
    let image = |name: &str| format!("<image:image><image:loc>/{name}.jpg</image:loc></image:image>");
    let url =
        |name: &str, inside: &str| format!("<url><loc>https://example.org/{name}</loc>{inside}</url>\n");
    let all = |document: &str| -> Vec<_> {
        entries(document, 0)
            .map(|entry| {
                let names: String = entry
                    .candidates(SITEMAP)
                    .map(|found| found.url.replace("https://example.org/", " "))
                    .collect();
                format!(
                    "{}{names}",
                    entry.location.as_deref().unwrap_or_default().replace("https://example.org/", "")
                )
            })
            .collect()
    };
    let (a, b, c) = (image("a"), image("b"), image("c"));
    for (inside, expect) in [
        (format!("{}{a} {b}{}{c}", url("1", ""), url("2", "")), &["1 a.jpg b.jpg", "2 c.jpg"][..]),
        (format!("{}{b}{}", url("1", &a), url("2", "")), &["1 a.jpg b.jpg", "2"]),
        (format!("{}<x><y/></x>{a}{}", url("1", ""), url("2", "")), &["1", "2"]),
        (
            format!("{}<image:image><image:loc>/a.jpg</image:loc>{}", url("1", ""), url("2", "")),
            &["1 a.jpg", "2"],
        ),
    ] {
        assert_eq!(all(&format!("<urlset>{inside}</urlset>")), expect, "{inside}");
        assert_eq!(all(&format!("<urlset>{inside}")), expect, "{inside}");
    }
    // One that is cut off is none, and the page before it stays.
    assert_eq!(all(&format!("<urlset>{}{a}<image:image><image:loc>/b", url("1", ""))), ["1 a.jpg"]);
    assert_eq!(all(&format!("<urlset>{} ", url("1", ""))), ["1"]);
}

#[test]
fn a_page_has_so_many_pictures() {
    let many = page(&"<image><loc>a.jpg</loc></image>".repeat(MOST_PICTURES + 3));
    let entry = entries(&many, 0).next().unwrap();
    assert_eq!((entry.pictures.len(), entry.surplus), (MOST_PICTURES, 3));
}

#[test]
fn addresses_of_something_else_are_not_those_of_pages() {
    for (document, expect) in [
        (
            "<url><image:picture><image:loc>a.jpg</image:loc></image:picture><loc>/1</loc></url>",
            (Some("/1"), 1),
        ),
        ("<s:url><s:loc>/1</s:loc><x:loc>/2</x:loc></s:url>", (Some("/1"), 1)),
        ("<s:url><loc>/1</loc><i:image><i:loc>a.jpg</i:loc></i:image></s:url>", (Some("/1"), 0)),
    ] {
        let entry = entries(document, 0).next().unwrap();
        assert_eq!((entry.location.as_deref(), entry.strays), expect, "{document}");
    }
}

#[test]
fn kinds() {
    let check = |document: &str, expect| assert_eq!(kind(document, SITEMAP), Ok(expect), "{document}");
    check("<urlset/>", Kind::Pages);
    check("\u{feff}\n<!-- by us --><s:urlset xmlns:s='urn:s'>", Kind::Pages);
    check("<?xml version='1.0'?><?xml-stylesheet href='a.xsl'?><sitemapindex>", Kind::Index);
    // What a program wrote before it is passed over.
    check("<br />\n<b>Warning</b>: foo() in x.php<br />\n<?xml version='1.0'?><urlset>", Kind::Pages);
    check("Notice: a < b in x.php\n<sitemapindex>", Kind::Index);
    for (document, expect) in [
        ("<!DOCTYPE html><html><body>", "webpage"),
        ("<rss version='2.0'>", "`feed`"),
        ("<feed>", "`feed`"),
        ("https://example.org/a\nhttps://example.org/b\n", "url-list"),
        ("{\"a\": 1}", "some other file"),
        ("", "some other file"),
    ] {
        let Err(Error::InvalidQuery(message)) = kind(document, SITEMAP) else { panic!("{document}") };
        assert!(message.starts_with(SITEMAP) && message.contains(expect), "{message}");
    }
    let Err(Error::LayoutChanged(message)) = kind("<urls><url>", SITEMAP) else { panic!() };
    assert!(message.contains("`urlset`") && message.contains("`urls`"), "{message}");
}

#[test]
fn entries_are_read_on_from_any_place() {
    let document = "<urlset> <url><loc>/1</loc></url>\n<url><loc>/2</loc></url> <url><loc>/3</loc></urlset>";
    let all: Vec<_> = entries(document, 0).collect();
    assert_eq!(all.len(), 2);
    let mut first = entries(document, 0);
    for read in 0..=all.len() {
        assert_eq!(entries(document, first.offset()).collect::<Vec<_>>(), all[read..]);
        first.next();
    }
    // What is cut off begins where reading stopped.
    assert_eq!(&document[first.offset()..], "<url><loc>/3</loc></urlset>");
}

proptest! {
    #[test]
    fn any_text_is_read(
        any in ".*",
        likely in "(<(/|)(urlset|url|loc|image|i:image|title|sitemap)>|<!\\[CDATA\\[|\\]\\]>|[ a/&;<])*",
        offset in 0_usize..100,
    ) {
        for document in [&any, &likely] {
            let _ = kind(document, SITEMAP);
            let mut all = entries(document, offset);
            let mut before = all.offset();
            while let Some(entry) = all.next() {
                prop_assert!(all.offset() > before);
                before = all.offset();
                for candidate in entry.candidates(SITEMAP) {
                    prop_assert!(candidate.url.starts_with("http"));
                }
            }
            prop_assert!(all.offset() <= document.len().max(offset));
        }
    }
}

#[test]
fn texts_without_end_are_cut() {
    let long = "x".repeat(1 << 20);
    let picture = format!(
        "<image:image><image:loc>/a.jpg</image:loc><image:caption>{long}</image:caption></image:image>"
    );
    let xml = format!("<urlset><url><loc>https://example.org/{long}</loc>{picture}</url></urlset>");
    let entry = entries(&xml, 0).next().unwrap();
    assert!(entry.location.as_ref().unwrap().len() < 64 << 10);
    let [candidate] = &entry.candidates("https://example.org/sitemap.xml").collect::<Vec<_>>()[..] else {
        panic!()
    };
    assert_eq!((candidate.url.as_str(), &candidate.page_url), ("https://example.org/a.jpg", &None));
    assert_eq!(candidate.description.as_ref().map(String::len), Some(5_000));
}
