//! Feeds as they are written, well and badly, with invented pictures.

mod broken;

use feed::{Page, Wishes, read};
use pixcrawler_sdk::{Candidate, Checksum, Digest, Dimensions, Error, License};

const FEED: &str = "https://example.org/blog/feed.xml";

fn page(xml: &str) -> Page {
    read(xml, FEED, Wishes::default()).unwrap_or_else(|error| panic!("{error:?}: {xml}"))
}

/// A feed with that in its one item.
fn item(inside: &str) -> String {
    format!("<rss><channel><link>https://example.org/</link><item>{inside}</item></channel></rss>")
}

/// Addresses of pictures with their other copies, without `https://example.org/`.
fn urls(xml: &str) -> Vec<String> {
    let short = |url: &str| url.trim_start_matches("https://example.org/").to_owned();
    let all = |candidate: &Candidate| {
        let all: Vec<_> =
            std::iter::once(&candidate.url).chain(&candidate.alternates).map(|url| short(url)).collect();
        all.join(" ")
    };
    page(xml).candidates.iter().map(all).collect()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn all_of_media_rss() {
    let xml = r#"<?xml version="1.0"?><rss version="2.0" xmlns:m="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/"
        xmlns:cc="http://backend.userland.com/creativeCommonsRssModule" xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"><channel>
        <title>Foxes</title><link>https://example.org/</link><image><url>logo.png</url></image><copyright>Ours</copyright>
        <item><title>Dawn &amp;amp; dusk</title><link>https://count.example.net/7</link><feedburner:origLink>https://example.org/dawn</feedburner:origLink>
          <guid isPermaLink="false">tag:example.org,7</guid><pubDate>Tue, 20 Sep 2022 11:00:17 +0000</pubDate>
          <dc:creator><![CDATA[Ada Fuchs]]></dc:creator><category>fox</category><category><![CDATA[snow]]></category>
          <m:group>
            <m:content url="s.jpg" width="320" height="200" type="image/jpeg"/>
            <m:content url="https://img.example.org/l.jpg?a=1&amp;b=2" width="1920" height="1200" fileSize="123456" type="image/jpeg" isDefault="true">
              <m:hash algo="md5">d41d8cd98f00b204e9800998ecf8427e</m:hash>
            </m:content>
            <m:credit role="photographer">Eve Hase</m:credit><m:keywords>dawn, fox</m:keywords>
            <m:description type="html">A &lt;b&gt;red&lt;/b&gt; fox</m:description>
            <m:license type="text/html" href="https://creativecommons.org/licenses/by/4.0/">CC BY 4.0</m:license>
            <m:thumbnail url="t.jpg" width="75" height="50"/>
          </m:group>
          <m:content url="film.mp4" medium="video" type="video/mp4"/>
        </item></channel></rss>"#;
    let expect = Candidate {
        alternates: vec!["https://example.org/s.jpg".to_owned()],
        id: text("tag:example.org,7"),
        page_url: text("https://example.org/dawn"),
        thumbnail_url: text("https://example.org/t.jpg"),
        title: text("Dawn & dusk"),
        description: text("A red fox"),
        creator: text("Eve Hase"),
        license: Some(License {
            id: "cc-by-4.0".to_owned(),
            url: text("https://creativecommons.org/licenses/by/4.0/"),
            attribution: text("CC BY 4.0"),
        }),
        published: text("2022-09-20T11:00:17+00:00"),
        dimensions: Some(Dimensions { width: 1920, height: 1200 }),
        mime: text("image/jpeg"),
        byte_size: Some(123_456),
        checksum: Some(Checksum { digest: Digest::Md5, hex: "d41d8cd98f00b204e9800998ecf8427e".to_owned() }),
        tags: ["dawn", "fox", "snow"].map(str::to_owned).to_vec(),
        ..Candidate::new("https://img.example.org/l.jpg?a=1&b=2")
    };
    let page = page(xml);
    assert_eq!((page.candidates, page.warnings), (vec![expect], vec![]));
}

#[test]
fn addresses_are_relative_to_what_is_nearest() {
    // As many programs write it: the document's own address at the root, the entry's page at its text.
    let entry = |text: &str| {
        format!(
            "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://example.org/wp-atom.php'><entry>\
                <link href='/2024/fox/'/>{text}</entry></feed>"
        )
    };
    let own = "xml:base='https://example.org/2024/fox/'";
    let img = "&lt;img src=\"a.jpg\"&gt;";
    for (text, expect) in [
        (format!("<content type='html' {own}>{img}</content>"), &["2024/fox/a.jpg"][..]),
        (format!("<summary type='html' {own}>{img}</summary>"), &["2024/fox/a.jpg"]),
        (format!("<content type='html' xml:base='2024/hare/'>{img}</content>"), &["2024/hare/a.jpg"]),
        (
            format!(
                "<content type='xhtml' {own}><div xmlns='http://www.w3.org/1999/xhtml'><img src='a.jpg'/></div></content>"
            ),
            &["2024/fox/a.jpg"],
        ),
        (
            format!(
                "<content type='xhtml'><div {own}><p xml:base='b/'><img src='a.jpg'/></p><img src='c.jpg'/></div></content>"
            ),
            &["2024/fox/b/a.jpg", "2024/fox/c.jpg"],
        ),
        (format!("<content type='html'>{img}</content>"), &["a.jpg"]),
        (format!("<summary {own}>{img}</summary><content>{img}</content>"), &["2024/fox/a.jpg", "a.jpg"]),
    ] {
        assert_eq!(urls(&entry(&text)), expect, "{text}");
    }
}

#[test]
fn one_picture_is_one() {
    let media = |attributes: &str| format!("<media:content medium='image' {attributes}/>");
    for (inside, expect) in [
        // The query tells pictures apart, unless it is a size.
        (
            [1, 2, 3].map(|id| media(&format!("url='image.php?id={id}' width='{id}00' height='100'"))).concat(),
            &["image.php?id=1", "image.php?id=2", "image.php?id=3"][..],
        ),
        (
            [media("url='a.jpg?w=320' width='320'"), media("url='a.jpg?w=1280&amp;q=80' width='1280'")].concat(),
            &["a.jpg?w=1280&q=80 a.jpg?w=320"],
        ),
        (format!("{}<itunes:image href='a.jpg'/><enclosure url='a.jpg' type='image/jpeg' length='9'/>", media("url='a.jpg'")), &["a.jpg"]),
        (
            "<enclosure url='https://live.staticflickr.com/1/2_c_b.jpg' type='image/jpeg'/>\
                <description>&lt;img src='https://live.staticflickr.com/1/2_c_m.jpg'&gt;</description>"
                .to_owned(),
            &["https://live.staticflickr.com/1/2_c_b.jpg https://live.staticflickr.com/1/2_c_m.jpg"],
        ),
        (
            "<description>&lt;img src='a-150x150.jpg'&gt;</description><media:content url='a.jpg' type='image/jpeg'/>".to_owned(),
            &["a.jpg a-150x150.jpg"],
        ),
        (
            "<media:content url='a-150x150.jpg' type='image/jpeg'/><description>&lt;img src='a.jpg'&gt;</description>".to_owned(),
            &["a.jpg a-150x150.jpg"],
        ),
        ("<description>&lt;img src='a.jpg.webp'&gt;&lt;img src='a.jpg'&gt;</description>".to_owned(), &["a.jpg a.jpg.webp"]),
    ] {
        assert_eq!(urls(&item(&inside)), expect, "{inside}");
    }
}

#[test]
fn files_that_are_pictures() {
    let of = |inside: &str| urls(&item(inside));
    for (inside, expect) in [
        ("<enclosure url='/a.php' width='64' height='48'/>", &["a.php"][..]),
        ("<media:content url='/a' width='64' height='48'/>", &["a"]),
        ("<media:content url='/a' width='64'/>", &[]),
        ("<media:content url='/a' width='64' height='48' duration='7'/>", &[]),
        ("<media:content url='/a.mp4' width='64' height='48'/>", &[]),
        ("<media:content url='/a' type='video/mp4' width='64' height='48'/>", &[]),
        ("<media:content url='/a' medium='video' width='64' height='48'/>", &[]),
        (
            "<atom:link rel='http://www.iana.org/assignments/relation/enclosure' type='image/jpeg' href='/a'/>",
            &["a"],
        ),
        (
            "<atom:link rel='Enclosure' href='/a.JPG'/><atom:link rel='http://example.org/enclosure' href='/b.jpg'/>",
            &["a.JPG"],
        ),
    ] {
        assert_eq!(of(inside), expect, "{inside}");
    }
}

#[test]
fn atom_tells_text_from_html() {
    let entry = |inside: &str| {
        page(&format!(
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry>{inside}<link rel='enclosure' href='/z.jpg'/></entry></feed>"
        ))
    };
    for (title, expect) in [
        ("<title>The &lt;img&gt; tag</title>", "The <img> tag"),
        ("<title type='text'>a &amp;amp; b &lt;i></title>", "a &amp; b <i>"),
        ("<title type='TEXT'><![CDATA[a &amp; b]]></title>", "a &amp; b"),
        ("<title type='html'>a &lt;b&gt;bold&lt;/b&gt; fox &amp;amp; hare</title>", "a bold fox & hare"),
        ("<title type='xhtml'><div>Less: <em> &lt; </em></div></title>", "Less: <"),
        ("<title type='text/html' mode='escaped'>a &amp;amp; b</title>", "a & b"),
        ("<media:title type='html'>a &lt;b&gt;bold&lt;/b&gt; fox</media:title>", "a bold fox"),
    ] {
        assert_eq!(entry(title).candidates[0].title.as_deref(), Some(expect), "{title}");
    }
    // Titles of RSS have no type, and are mostly HTML.
    let rss = page(&item("<title>a &amp;amp; b</title><enclosure url='/z.jpg'/>"));
    assert_eq!(rss.candidates[0].title.as_deref(), Some("a & b"));
    for (kind, expect) in
        [("type='text'", 1), ("type='text/plain'", 1), ("type='html'", 2), ("type='text/html'", 2), ("", 2)]
    {
        for name in ["content", "summary"] {
            let found = entry(&format!("<{name} {kind}>see &lt;img src='/a.jpg'&gt;</{name}>"));
            assert_eq!(found.candidates.len(), expect, "{name} {kind}");
        }
    }
}

#[test]
fn json_feed() {
    let feed = |items: &str| {
        format!(r#"{{"version": "https://jsonfeed.org/version/1.1", "title": "t", "items": [{items}]}}"#)
    };
    let fox = r#"{"id": "7", "url": "/fox/", "title": "Fox\n& hare", "image": "a.jpg", "banner_image": "/b.jpg", "content_html": "<p><img src='c.jpg' alt='C'> <img src='/fox/a.jpg'>",
        "date_published": "2026-03-04T05:06:07Z", "authors": [{"name": "Ada", "url": "https://example.org/ada", "avatar": "no.jpg"}], "tags": ["red", 7, "snow"],
        "attachments": [{"url": "d", "mime_type": "image/jpeg", "title": "D", "size_in_bytes": 999}, {"url": "e.mp3", "mime_type": "audio/mpeg"}, {"url": "f.png"}, 7]}"#;
    let odd = r#"{"id": 8, "title": null, "image": 7, "attachments": {}, "tags": "x", "external_url": "https://example.net/8", "author": {"name": "Eve"}, "content_html": "<img src=g.jpg>", "content_text": "<img src='no.jpg'>"}"#;
    let found = page(&format!("\u{feff} {}", feed(&format!("{fox}, 7, {odd}"))));
    let names: Vec<_> = found.candidates.iter().map(|found| found.url.as_str()).collect();
    assert_eq!(
        names,
        [
            "https://example.org/fox/a.jpg",
            "https://example.org/b.jpg",
            "https://example.org/fox/d",
            "https://example.org/fox/f.png",
            "https://example.org/fox/c.jpg",
            "https://example.net/g.jpg"
        ]
    );
    assert_eq!(
        found.candidates[2],
        Candidate {
            id: text("7"),
            page_url: text("https://example.org/fox/"),
            title: text("D"),
            creator: text("Ada"),
            creator_url: text("https://example.org/ada"),
            published: text("2026-03-04T05:06:07Z"),
            mime: text("image/jpeg"),
            byte_size: Some(999),
            tags: ["red", "snow"].map(str::to_owned).to_vec(),
            ..Candidate::new("https://example.org/fox/d")
        }
    );
    assert_eq!(
        (found.candidates[0].title.as_deref(), found.candidates[5].creator.as_deref()),
        (Some("Fox & hare"), Some("Eve"))
    );
    assert_eq!(found.warnings, [""; 0]);
    let next = r#"{"version": "https://jsonfeed.org/version/1", "next_url": "2.json", "items": []}"#;
    let next = page(next);
    assert_eq!((next.next.as_deref(), next.warnings.len()), (Some("https://example.org/blog/2.json"), 1));
    for none in ["{", "{}", r#"{"items": []}"#, &feed("")[..60]] {
        let Err(Error::InvalidQuery(message)) = read(none, FEED, Wishes::default()) else { panic!("{none}") };
        assert!(message.contains("JSON Feed"), "{message}");
    }
}

#[test]
fn content_of_atom_may_be_a_picture_elsewhere() {
    let entry = |content: &str| format!("<feed><entry><title>Fox</title>{content}</entry></feed>");
    assert_eq!(urls(&entry("<content type='image/jpeg' src='https://example.org/photo/1'/>")), ["photo/1"]);
    assert_eq!(urls(&entry("<content type='text/html' src='https://example.org/page'/>")), [""; 0]);
}

#[test]
fn what_is_left_out_of_a_feed_is_said() {
    let long = "x".repeat(9_000);
    let page = page(&item(&format!(
        "<media:content url='{long}.jpg' medium='image'/><description>&lt;img src='{long}.jpg'&gt;&lt;img src='#'&gt;\
            &lt;img src='a.jpg'&gt;</description>"
    )));
    assert_eq!(page.candidates.len(), 1);
    assert_eq!(
        page.warnings,
        [
            format!("{FEED}: left out 2 addresses longer than 8192 bytes"),
            format!("{FEED}: left out 1 pictures without an address that is one"),
        ]
    );
}

#[test]
fn atom() {
    let xml = r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://example.net/a/"><title>Foxes</title>
        <link rel="self" href="feed.atom"/><link rel="next" href="?page=2"/><link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/"/>
        <icon>icon.png</icon><logo>logo.png</logo>
        <entry xml:base="b/"><id>urn:7</id><title type="html">&lt;b&gt;Fox&lt;/b&gt;</title><updated>2026-02-01T00:00:00Z</updated>
          <published>2026-01-31T00:00:00Z</published><author><name>Ada</name><uri>../ada</uri><email>ada@example.org</email></author>
          <link href="7.html"/><link rel="enclosure" type="image/png" length="99" href="7.png"/><category term="fox" label="Red fox"/>
          <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>A <img src="i.jpg" alt="A &amp; B"/></p></div></content></entry></feed>"#;
    let page = page(xml);
    assert_eq!(page.next.as_deref(), Some("https://example.net/a/?page=2"));
    let [enclosure, inside] = &page.candidates[..] else { panic!("{page:?}") };
    assert_eq!(enclosure.url, "https://example.net/a/b/7.png");
    assert_eq!((enclosure.byte_size, enclosure.mime.as_deref()), (Some(99), Some("image/png")));
    assert_eq!(inside.url, "https://example.net/a/b/i.jpg");
    assert_eq!(inside.description.as_deref(), Some("A & B"));
    for candidate in [enclosure, inside] {
        assert_eq!((candidate.id.as_deref(), candidate.title.as_deref()), (Some("urn:7"), Some("Fox")));
        assert_eq!(candidate.page_url.as_deref(), Some("https://example.net/a/b/7.html"));
        assert_eq!(candidate.published.as_deref(), Some("2026-01-31T00:00:00Z"));
        assert_eq!(
            (candidate.creator.as_deref(), candidate.creator_url.as_deref()),
            (Some("Ada"), Some("https://example.net/a/ada"))
        );
        assert_eq!(candidate.license.as_ref().map(|license| license.id.as_str()), Some("cc0-1.0"));
        assert_eq!(candidate.tags, ["Red fox"]);
    }
}

#[test]
fn rss_1_0() {
    let xml = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:e="http://purl.oclc.org/net/rss_2.0/enc#" xmlns:dc="http://purl.org/dc/elements/1.1/">
        <channel rdf:about="x"><title>T</title><link>https://example.org/</link><items><rdf:Seq><rdf:li rdf:resource="y"/></rdf:Seq></items></channel>
        <image rdf:about="logo.png"><url>logo.png</url></image>
        <item rdf:about="y"><title>Fox</title><link>https://example.org/fox</link><dc:date>2017-06-21T11:33:12-07:00</dc:date>
        <e:enclosure rdf:resource="https://example.org/a.jpg" e:type="image/jpeg"/></item></rdf:RDF>"#;
    let page = page(xml);
    assert_eq!(page.candidates.len(), 1);
    assert_eq!(page.candidates[0].url, "https://example.org/a.jpg");
    assert_eq!(page.candidates[0].published.as_deref(), Some("2017-06-21T11:33:12-07:00"));
    assert_eq!(page.warnings, [""; 0]);
}

#[test]
fn where_pictures_stand() {
    for (inside, expect) in [
        ("", &[][..]),
        ("<enclosure url='a.jpg' type='image/jpeg' length='1'/>", &["a.jpg"]),
        ("<enclosure url='a.mp3' type='audio/mpeg'/><enclosure url='b.jpg'/>", &["b.jpg"]),
        ("<enclosure url='a.jpg' type='application/octet-stream'/>", &["a.jpg"]),
        (
            "<media:content url='a' medium='image'/><media:content url='b.jpg'/><media:content url='c'/>",
            &["a", "b.jpg"],
        ),
        (
            "<media:content url='a.jpg?w=140' width='140'/><media:content url='a.jpg?w=460' width='460'/>",
            &["a.jpg?w=460 a.jpg?w=140"],
        ),
        ("<media:content url='a.jpg?n=1'/><media:content url='a.jpg?n=2'/>", &["a.jpg?n=1", "a.jpg?n=2"]),
        ("<itunes:image href='cover.jpg'/><image><url>a.jpg</url></image>", &["cover.jpg", "a.jpg"]),
        ("<image>a.jpg</image>", &["a.jpg"]),
        ("<description>&lt;img src=\"a.jpg\"&gt;</description>", &["a.jpg"]),
        ("<description><![CDATA[<img src='a.jpg'><br>]]></description>", &["a.jpg"]),
        ("<description>A <em>b</em> <img src='a.jpg'/></description>", &["a.jpg"]),
        ("<content:encoded><![CDATA[<a href='b.jpg'><img src='a.jpg'></a>]]></content:encoded>", &["b.jpg"]),
        (
            "<media:content url='a.jpg' medium='image'/><description><![CDATA[<img src='a.jpg'><img src='b.jpg'>]]></description>",
            &["a.jpg", "b.jpg"],
        ),
        ("<description><![CDATA[<img src='/count.gif' height='1' width='1'/>]]></description>", &[]),
        (
            "<media:content medium='image'><media:thumbnail url='t.jpg'/></media:content><enclosure url='a.jpg'/>",
            &["a.jpg"],
        ),
        // Broken in all kinds of ways.
        ("<title>A <b>c</title><enclosure url='a.jpg'/>", &["a.jpg"]),
        ("<title>never closed<enclosure url='a.jpg'/>", &[]),
        ("</b><enclosure url='a.jpg'></item><item><enclosure url='b.jpg'>", &["a.jpg", "b.jpg"]),
        ("<description>1 < 2 & 3 &nope; &lt;img src='a.jpg'&gt;</description>", &["a.jpg"]),
        (
            "<enclosure url='' type='image/jpeg'/><enclosure url='data:image/gif;base64,R0' type='image/gif'/><enclosure url='b.jpg'/>",
            &["b.jpg"],
        ),
    ] {
        assert_eq!(urls(&item(inside)), expect, "{inside}");
    }
    // What is never closed ends where the next item begins.
    let open = item("<title>never closed</item><item><enclosure url='a.jpg'/>");
    assert_eq!(urls(&open), ["a.jpg"]);
}

#[test]
fn addresses_are_relative_to_the_page() {
    let link = "<link>https://example.org/posts/fox/</link>";
    let html = "<description><![CDATA[<img src='a.jpg'>]]></description>";
    assert_eq!(urls(&item(&format!("{html}{link}"))), ["posts/fox/a.jpg"]);
    assert_eq!(urls(&item(html)), ["a.jpg"]);
    let based = item(&format!("{html}{link}")).replace("<item>", "<item xml:base='/other/'>");
    assert_eq!(urls(&based), ["other/a.jpg"]);
    let bare = format!("<rss><channel><item>{html}</item></channel></rss>");
    assert_eq!(urls(&bare), ["blog/a.jpg"]);
}

#[test]
fn who_made_it_and_under_which_terms() {
    let candidate = |around: &str, inside: &str| {
        let xml =
            item(&format!("{inside}<enclosure url='a.jpg'/>")).replace("<item>", &format!("{around}<item>"));
        page(&xml).candidates.swap_remove(0)
    };
    for (inside, expect) in [
        ("<author>ada@example.org (Ada Fuchs)</author>", Some("Ada Fuchs")),
        ("<author>ada@example.org</author>", None),
        ("<author>Ada Fuchs</author>", Some("Ada Fuchs")),
        ("<itunes:author>Ada</itunes:author><dc:creator>Eve</dc:creator>", Some("Ada")),
        (
            "<author>Eve</author><media:credit>Ada</media:credit><media:credit>Agency</media:credit>",
            Some("Ada"),
        ),
    ] {
        assert_eq!(candidate("", inside).creator.as_deref(), expect, "{inside}");
    }
    let by = "https://creativecommons.org/licenses/by/2.0/";
    for (around, inside, id, attribution) in [
        ("", "", None, None),
        ("<copyright>© Ours</copyright>", "", Some("unknown"), Some("© Ours")),
        (
            "<copyright>Ours. All rights reserved.</copyright>",
            "",
            Some("all-rights-reserved"),
            Some("Ours. All rights reserved."),
        ),
        ("<copyright>Ours</copyright>", "<dc:rights>Theirs</dc:rights>", Some("unknown"), Some("Theirs")),
        (
            "<copyright>Ours</copyright>",
            &format!("<creativeCommons:license>{by}</creativeCommons:license>"),
            Some("cc-by-2.0"),
            None,
        ),
        (
            &format!("<cc:license rdf:resource='{by}'/>"),
            "<dc:rights>Theirs</dc:rights>",
            Some("cc-by-2.0"),
            None,
        ),
        ("", &format!("<media:copyright url='{by}'>By us</media:copyright>"), Some("unknown"), Some("By us")),
        (
            &format!("<cc:license rdf:resource='{by}'/>"),
            "<dc:rights>© Ada. All rights reserved.</dc:rights>",
            Some("all-rights-reserved"),
            Some("© Ada. All rights reserved."),
        ),
        (
            "",
            "<dc:rights>Not all rights reserved</dc:rights>",
            Some("unknown"),
            Some("Not all rights reserved"),
        ),
        ("", "<media:license>Ask us</media:license>", Some("unknown"), Some("Ask us")),
    ] {
        let license = candidate(around, inside).license;
        let found = license.as_ref().map(|license| (license.id.as_str(), license.attribution.as_deref()));
        assert_eq!(found, id.map(|id| (id, attribution)), "{around} {inside}");
    }
}

#[test]
fn previews_are_taken_only_where_that_is_wanted() {
    let xml = item(
        "<media:group><media:content url='film.mp4' type='video/mp4'/><media:thumbnail url='s.jpg' width='100' height='50'/>\
        <media:thumbnail url='l.jpg' width='960' height='540'/></media:group>",
    );
    let without = page(&xml);
    assert_eq!(
        (without.candidates.len(), without.warnings),
        (0, vec!["entries with nothing but a preview: 1 (option `previews` takes those)".to_owned()])
    );
    let player = item(
        "<media:content medium='video'><media:player url='p'/><media:thumbnail url='t.jpg'/></media:content>",
    );
    let player = read(&player, FEED, Wishes { previews: true, ..Wishes::default() }).unwrap();
    assert_eq!(player.candidates[0].url, "https://example.org/t.jpg");
    let with = read(&xml, FEED, Wishes { previews: true, ..Wishes::default() }).unwrap();
    assert_eq!(with.candidates[0].url, "https://example.org/l.jpg");
    assert_eq!(with.candidates[0].alternates, ["https://example.org/s.jpg"]);
    assert_eq!(with.warnings, [""; 0]);
}

#[test]
fn what_a_text_shows_may_be_a_preview() {
    let xml = item(
        "<description><![CDATA[<a href='/7'><img src='t.jpg'></a> by Ada <a href='l.jpg'>[link]</a>]]></description>\
        <media:thumbnail url='t.jpg'/>",
    );
    let page = page(&xml);
    let [large] = &page.candidates[..] else { panic!("{page:?}") };
    assert_eq!(large.url, "https://example.org/l.jpg");
    assert_eq!(large.thumbnail_url.as_deref(), Some("https://example.org/t.jpg"));
}

#[test]
fn a_preview_is_no_copy() {
    for inside in [
        "<description><![CDATA[<a href='l.jpg'><img src='t.jpg'></a>]]></description>",
        "<description><![CDATA[<img src='t.jpg' srcset='l.jpg 2x'>]]></description><media:thumbnail url='t.jpg'/>",
        "<media:group><media:content url='l.jpg' width='640.0' height='480px'/><media:content url='t.jpg' width='64'/>\
            <media:thumbnail url='t.jpg'/></media:group>",
    ] {
        let page = page(&item(inside));
        let [large] = &page.candidates[..] else { panic!("{page:?}") };
        assert_eq!(
            (large.url.as_str(), large.alternates.len()),
            ("https://example.org/l.jpg", 0),
            "{inside}"
        );
        assert_eq!(large.thumbnail_url.as_deref(), Some("https://example.org/t.jpg"), "{inside}");
        if inside.contains("640.0") {
            assert_eq!(large.dimensions, Some(Dimensions { width: 640, height: 480 }));
        }
    }
}

#[test]
fn what_only_adults_should_see_is_left_out_where_that_is_wanted() {
    let safe = |xml: &str| read(xml, FEED, Wishes { only_safe: true, ..Wishes::default() }).unwrap();
    for inside in [
        "<media:rating>adult</media:rating>",
        "<media:content url='b'><media:adult>true</media:adult></media:content>",
    ] {
        let xml = item(&format!("<enclosure url='a.jpg'/>{inside}"));
        let page = safe(&xml);
        assert_eq!(
            (page.candidates.len(), page.warnings),
            (0, vec!["entries left out as not safe: 1".to_owned()]),
            "{inside}"
        );
        assert_eq!(urls(&xml).len(), 1);
    }
    assert_eq!(
        safe(&item("<media:rating>nonadult</media:rating><enclosure url='a.jpg'/>")).candidates.len(),
        1
    );
}
