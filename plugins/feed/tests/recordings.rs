//! Recorded feeds, where there are some.

use std::collections::BTreeSet;
use std::fs;

use feed::{Wishes, read};
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::Error;

/// How many pictures each feed has, and how many with previews, counted by hand.
const COUNTED: [(&str, usize, usize); 20] = [
    // The picture, its preview beside it.
    ("feed-rs__atom_mediarss_newscred_1.xml", 1, 1),
    // One in a text, one linked in a text and shown as a preview.
    ("feed-rs__atom_mediarss_reddit_1.xml", 2, 2),
    // Films with previews, in one or four sizes.
    ("feed-rs__atom_mediarss_youtube_1.xml", 0, 1),
    ("feed-rs__rss_2.0_ch9.xml", 0, 1),
    ("feed-rs__rss_2.0_vimeo_media.xml", 0, 1),
    // Nine in a text, one of them also by name.
    ("feed-rs__rss_2.0_cloudflare.xml", 9, 9),
    ("feed-rs__rss_2.0_ilgiornale.xml", 1, 1),
    ("feed-rs__rss_2.0_relurl_1.xml", 0, 0),
    // The same in summary and text.
    ("feed-rs__rss_2.0_wirecutter.xml", 1, 1),
    ("feedparser__media_thumbnail.xml", 0, 1),
    ("pyinaturalist__v0__get_observations.atom", 2, 2),
    // 25 entries, 24 enclosures.
    ("rss-parser__craigslist.rss", 24, 24),
    // 40 and 25 of one pixel, to count readers.
    ("rss-parser__encoding.rss", 0, 0),
    ("rss-parser__feedburner.atom", 18, 18),
    // Each in two sizes.
    ("rss-parser__guardian.rss", 55, 55),
    ("rss-parser__instant-article.rss", 0, 0),
    ("rss-parser__pagination-links.rss", 1, 1),
    // What the texts show is previews; five of them link to a picture file.
    ("rss-parser__reddit.rss", 5, 16),
    ("rss-parser__uolNoticias.rss", 4, 4),
    // Cut off before its first entry.
    ("feed-rs__rss_2.0_invalid_1.xml", 0, 0),
];

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("rss-atom") else { return };
    let names: BTreeSet<_> = COUNTED.map(|(name, ..)| name).into();
    assert_eq!(recordings.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    let mut pictures = 0;
    for (name, without, with) in COUNTED {
        let xml = text(fs::read(&recordings[name]).unwrap());
        for (previews, expect) in [(false, without), (true, with)] {
            match read(&xml, "https://example.org/feed", Wishes { previews, only_safe: true }) {
                Ok(page) => {
                    assert_eq!(page.candidates.len(), expect, "{name}");
                    // Nothing is made up: every address and name stands in the document.
                    let plain = xml.replace("&#39;", "'").replace("&quot;", "\"").replace("&#34;", "\"");
                    let plain = plain.replace("&amp;", "&").replace("&amp;", "&");
                    for candidate in &page.candidates {
                        assert!(plain.contains(&candidate.url), "{name}: {}", candidate.url);
                        let said =
                            [&candidate.creator, &candidate.page_url, &candidate.id].into_iter().flatten();
                        for said in said {
                            assert!(plain.contains(said.as_str()), "{name}: {said}");
                        }
                        assert!(
                            candidate.title.is_some()
                                && candidate.published.as_ref().is_none_or(|date| date.len() >= 10)
                        );
                        assert_ne!(candidate.thumbnail_url.as_ref(), Some(&candidate.url), "{name}");
                    }
                    pictures += page.candidates.len();
                }
                Err(error) => assert!(
                    matches!(error, Error::LayoutChanged(_)) && name.contains("invalid"),
                    "{name}: {error:?}"
                ),
            }
        }
    }
    assert!(pictures > 0);
    say(&format!("read {} recorded feeds with {pictures} pictures, skipped none", COUNTED.len()));
}

/// As the host decodes it: these declare UTF-8 or Latin 1, and one says nothing.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect())
}
