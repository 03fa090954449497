//! What is broken, cut off, hostile, or no feed at all.

use pixcrawler_sdk::Error;
use proptest::prelude::*;

use super::*;

#[test]
fn what_is_cut_off_is_read_as_far_as_it_goes() {
    let whole = item("<title>A</title><enclosure url='a.jpg'/></item><item><enclosure url='b.jpg'/><title>B");
    let cut = whole.split("</item></channel>").next().unwrap();
    let page = page(cut);
    assert_eq!(page.candidates.len(), 2);
    assert_eq!(page.candidates[1].title.as_deref(), Some("B"));
    assert_eq!(
        page.warnings,
        ["https://example.org/blog/feed.xml is cut off; what was missing cannot be read"]
    );
    for end in (0..whole.len()).filter(|end| *end > 10) {
        // Never a panic, and never nothing at all without a word.
        match read(&whole[..end], FEED, Wishes::default()) {
            // The name of the last end tag is enough.
            Ok(page) => assert!(!page.warnings.is_empty() || end + 1 >= whole.len(), "{}", &whole[..end]),
            Err(error) => assert!(matches!(error, Error::LayoutChanged(_) | Error::InvalidQuery(_))),
        }
    }
}

#[test]
fn what_programs_write_before_a_feed_is_passed_over() {
    for before in [
        "<br />\n<b>Warning</b>: foo() in <b>/x.php</b> on line <b>3</b><br />\n",
        "Notice: foo < bar & baz in x.php\n<?xml version='1.0'?>",
        "\n\n <br><p>x: <a href='y'>z",
        "<!-- <rss> -->",
    ] {
        for (start, end) in
            [("<rss><channel><item>", "</item></channel></rss>"), ("<feed><entry>", "</entry></feed>")]
        {
            let xml = format!("{before}{start}<enclosure url='/a.jpg'/>{end}");
            assert_eq!(urls(&xml), ["a.jpg"], "{xml}");
        }
    }
}

#[test]
fn what_is_no_feed_is_said() {
    for (xml, expect) in [
        ("<!DOCTYPE html><html><body>", "`webpage`"),
        ("<urlset>", "`sitemap`"),
        ("{\"version\": \"https://jsonfeed.org/version/1\"}", "no whole JSON Feed"),
        ("", "is no feed"),
    ] {
        let Err(Error::InvalidQuery(message)) = read(xml, FEED, Wishes::default()) else { panic!("{xml}") };
        assert!(message.contains(FEED) && message.contains(expect), "{message}");
    }
    let good = item("<enclosure url='a.jpg' type='image/jpeg'/>");
    for (xml, expect) in [
        (good.replace("rss>", "opml>"), "found `opml`"),
        (good.replace("item>", "post>"), "`item`"),
        (good.replace("url=", "address="), "`url`"),
        ("<feed><title>A</title><post/></feed>".to_owned(), "`entry`"),
        ("<rss><channel><title>cut".to_owned(), "`item`"),
    ] {
        let Err(Error::LayoutChanged(message)) = read(&xml, FEED, Wishes::default()) else { panic!("{xml}") };
        assert!(message.contains(expect), "{message}");
    }
    let empty = page(
        "<rss><channel><title>A</title><link>/</link><atom:link href='x' rel='self'/><x:y/></channel></rss>",
    );
    assert_eq!(empty.warnings, ["https://example.org/blog/feed.xml has no entries"]);
    assert!(page(&item("<title>A</title>")).warnings[0].starts_with("no picture stands in the 1 entries"));
}

proptest! {
    #[test]
    fn any_text_is_read(
        any in ".*",
        likely in "(</?(rss|channel|item|title|link|description|media:content|media:group|author)( url='a.jpg'| href='/'|)/?>|<!\\[CDATA\\[|\\]\\]>|<img src=b>|[ a&;<])*",
    ) {
        for xml in [&any, &likely, &format!("<rss>{likely}")] {
            for previews in [false, true] {
                if let Ok(page) = read(xml, FEED, Wishes { previews, only_safe: previews }) {
                    for candidate in page.candidates {
                        prop_assert!(candidate.url.starts_with("http"));
                        prop_assert!(!candidate.alternates.contains(&candidate.url));
                    }
                }
            }
        }
    }
}

#[test]
fn addresses_and_tags_without_end_are_dropped() {
    let long = "x".repeat(1 << 20);
    let pictures = "<enclosure url='a.jpg' type='image/jpeg'/>".repeat(400);
    let words = "<m:keywords>a, b, c</m:keywords>".repeat(10_000);
    let link = format!("<link>https://example.org/{long}</link>");
    let xml = item(&format!("{link}<guid>7</guid>{pictures}{words}"));
    assert!(page(&xml).candidates.iter().all(|candidate| candidate.page_url.is_none()));
    let xml = format!("<rss xml:base='https://example.org/{long}'>{}", item(&pictures));
    assert_eq!(page(&xml).candidates[0].url, "https://example.org/a.jpg");
}
