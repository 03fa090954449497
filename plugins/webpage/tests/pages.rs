//! Pages as sites write them, with invented pictures.

use pixcrawler_sdk::html::tokens;
use pixcrawler_sdk::{Candidate, Dimensions, License};
use proptest::prelude::*;
use webpage::Page;

const PAGE: &str = "https://example.org/gallery/index.html";

fn read(html: &str, address: &str) -> Page {
    webpage::read(tokens(html), address, "")
}

/// The addresses found, without `https://example.org/gallery/`.
fn urls(html: &str) -> Vec<String> {
    let short =
        |url: String| url.strip_prefix("https://example.org/gallery/").map(str::to_owned).unwrap_or(url);
    read(html, PAGE).candidates.into_iter().map(|candidate| short(candidate.url)).collect()
}

fn first(html: &str) -> Option<Candidate> {
    read(html, PAGE).candidates.into_iter().next()
}

fn at(file: &str) -> Candidate {
    Candidate { page_url: Some(PAGE.to_owned()), ..Candidate::new(address(file)) }
}

fn address(file: &str) -> String {
    format!("https://example.org/gallery/{file}")
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn where_pictures_stand() {
    for (html, expect) in [
        ("", &[][..]),
        ("<p>none", &[]),
        ("<img src=a.jpg><IMG SRC='b.png'>", &["a.jpg", "b.png"]),
        ("<img src=//cdn.example.org/a.jpg>", &["https://cdn.example.org/a.jpg"]),
        ("<img src='../a.jpg?x=1&amp;y=2'>", &["https://example.org/a.jpg?x=1&y=2"]),
        ("<img src='data:image/gif;base64,R0lGOD'>", &[]),
        ("<img src=a.jpg><img src=a.jpg#2><img src=./a.jpg>", &["a.jpg"]),
        (
            "<img src=a.jpg width=1 height=1><img src=b.jpg width='1px' height=0><img src=c.jpg width=1>",
            &["c.jpg"],
        ),
        ("<picture><source srcset='b.webp 2x'><source srcset=c.avif><img src=a.jpg></picture>", &["b.webp"]),
        ("<video><source src=a.mp4></video><img src=b.jpg>", &["b.jpg"]),
        ("<img data-src=a.jpg><noscript><img src=a.jpg></noscript>", &["a.jpg"]),
        ("<noscript><img src=a.jpg></noscript>", &["a.jpg"]),
        (
            "<meta property=og:image content=/a.jpg><meta name=twitter:image content=/a.jpg>",
            &["https://example.org/a.jpg"],
        ),
        ("<link rel=image_src href=a.jpg>", &["a.jpg"]),
        (
            "<a href=a.jpg>A</a><a href=b.html>B</a><a href=/wiki/File:C.jpg><img src=c.jpg></a>",
            &["a.jpg", "c.jpg"],
        ),
        ("<a href=a.jpg>never closed", &["a.jpg"]),
        ("<base href=/other/><base href=/third/><img src=a.jpg>", &["https://example.org/other/a.jpg"]),
        ("<!-- <img src=a.jpg> --><script>'<img src=b.jpg>'</script><title><img src=c.jpg></title>", &[]),
        ("<img src=logo.svg><img src=a.jpg", &[]),
        ("<!-- a --!><img src=a.jpg><!-- b -->", &["a.jpg"]),
        (
            "<image src=a.jpg><svg><image href=b.jpg /><image xlink:href=c.jpg></image></svg>",
            &["a.jpg", "b.jpg", "c.jpg"],
        ),
        ("<amp-img src=a.jpg></amp-img><amp-anim src=b.gif></amp-anim>", &["a.jpg", "b.gif"]),
        (
            "<video src=a.mp4 poster=b.jpg data-src=c.mp4></video><input type=image src=d.png><input src=e.png>",
            &["b.jpg", "d.png"],
        ),
        (
            "<object type=image/jpeg data=/photo/1></object><embed src=b.jpg><object data=c.swf>",
            &["https://example.org/photo/1", "b.jpg"],
        ),
        ("<picture><source srcset='b.jpg 300w, c.jpg 940w'></picture><img src=a.jpg>", &["c.jpg", "a.jpg"]),
        ("<picture><source srcset=b.jpg>", &["b.jpg"]),
        ("<template><img src=a.jpg><template></template></template><img src=b.jpg>", &["b.jpg"]),
        ("<div><template shadowrootmode=open><img src=a.jpg></template></div>", &["a.jpg"]),
        (
            "<link rel=preload as=image imagesrcset='a.jpg 1x, b.jpg 2x'><link rel=icon href=c.png>",
            &["b.jpg"],
        ),
        ("<meta itemprop=image content=a.jpg><link itemprop=image href=b.jpg>", &["a.jpg", "b.jpg"]),
        (
            "<li data-original=a.jpg><div data-bg=b.jpg><section data-x='c.jpg' data-title=d.jpg>",
            &["a.jpg", "b.jpg", "c.jpg"],
        ),
        (
            "<div style=\"background-image:url('a.jpg')\"><a style='background: url(&quot;b.jpg&quot;)'>x</a>",
            &["a.jpg", "b.jpg"],
        ),
        ("<style>.a{background:url(a.jpg)} .b{background:url(arrow.png)}</style>", &["a.jpg"]),
        ("<img src=a-150x150.jpg><img src=a.jpg><img src=a-300x200.jpg>", &["a.jpg"]),
        (
            "<body background=a.jpg><table background=b.jpg><tr background=c.jpg><th background=d.jpg><td BACKGROUND=' e.jpg '>\
                <p background=f.jpg><div data-background=/photo/1>",
            &["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "https://example.org/photo/1"],
        ),
        // The first `base` with an address counts, even if it is none of the web.
        ("<base target=_top><base href=/b/><img src=a.jpg>", &["https://example.org/b/a.jpg"]),
        ("<base href='data:,x'><base href=/b/><img src=a.jpg>", &["a.jpg"]),
        ("<base href='http://[x/'><base href=/b/><img src=a.jpg>", &["a.jpg"]),
        ("<template><base href=/b/></template><img src=a.jpg>", &["a.jpg"]),
        (
            "<template><base href=/b/></template><base href=/c/><img src=a.jpg>",
            &["https://example.org/c/a.jpg"],
        ),
        (
            "<template><meta property=og:image content=a.jpg><script type=application/ld+json>{\"image\": \"b.jpg\"}</script>\
                </template><img src=c.jpg>",
            &["c.jpg"],
        ),
        (
            "<base href=/b/><iframe srcdoc=\"&lt;a href=x.jpg>x&lt;/a><img src='a.jpg'><template>\"></iframe><img src=c.jpg>",
            &["https://example.org/b/x.jpg", "https://example.org/b/a.jpg", "https://example.org/b/c.jpg"],
        ),
        (
            "<iframe srcdoc='<base href=/b/><img src=a.jpg>'></iframe><img src=c.jpg>",
            &["https://example.org/b/a.jpg", "c.jpg"],
        ),
        (
            "<a href=# data-src=a.jpg><img src=a_s.jpg></a><svg><style/></svg><img src=b.jpg>",
            &["a.jpg", "b.jpg"],
        ),
        (
            "<a href=# data-src=a.jpg><img src=a_s.jpg></a><a data-fancybox data-src='#b'><img src=b.jpg></a>",
            &["a.jpg", "b.jpg"],
        ),
    ] {
        assert_eq!(urls(html), expect, "{html}");
    }
}

#[test]
fn a_linked_file_is_the_picture_and_what_is_shown_its_preview() {
    let expect = Candidate {
        thumbnail_url: Some(address("c.jpg")),
        alternates: vec![address("b.jpg"), address("c.jpg")],
        description: text("Fox & hare"),
        title: text("Dusk"),
        ..at("a.jpg")
    };
    let html = "<a href=a.jpg><img src=c.jpg srcset='b.jpg 2x' alt='Fox &amp; hare' title=' Dusk '></a>";
    assert_eq!(read(html, PAGE).candidates, [expect]);
    assert_eq!(
        first("<a href=a.jpg> Large\n version </a>"),
        Some(Candidate { title: text("Large version"), ..at("a.jpg") })
    );
    assert_eq!(first("<a href=a.jpg><img src=a.jpg></a>"), Some(at("a.jpg")));
    // The link may lead to a page, or nowhere; what is shown is there.
    let expect = [Candidate {
        thumbnail_url: Some(address("a_100.jpg")),
        alternates: vec![address("a_100.jpg")],
        ..at("a.jpg")
    }];
    let link = "<a href=a.jpg><img src=a_100.jpg></a>";
    assert_eq!(read(link, PAGE).candidates, expect);
    let data = r#"<script type=application/ld+json>{"image": {"url": "a.jpg", "thumbnailUrl": "a_100.jpg"}}</script>"#;
    for html in [
        format!("{link}<img src=a_100.jpg srcset='a.jpg 2x'>"),
        format!("{data}<img src=a_100.jpg srcset='a.jpg 2x'>"),
        format!("<img src=a_100.jpg srcset='a.jpg 2x'>{data}"),
    ] {
        assert_eq!(read(&html, PAGE).candidates, expect, "{html}");
    }
}

#[test]
fn a_link_belongs_to_the_picture_and_not_to_an_icon_beside_it() {
    let photo = Candidate {
        thumbnail_url: Some(address("s.jpg")),
        alternates: vec![address("s.jpg")],
        description: text("Fox"),
        ..at("a.jpg")
    };
    let thumbnail = "<img src=s.jpg alt=Fox>";
    for icon in [
        "<img src=b.png width=24 height=24>",
        "<img src=b.png style='width: 1.5em' width=24px height=16>",
        "<img src=b.png class='zoom-icon'>",
        "<img src=/icons/b.png>",
        "<img src=zoom-in.png>",
    ] {
        for inside in [format!("{icon}{thumbnail}"), format!("{thumbnail}{icon}")] {
            let found = read(&format!("<a href=a.jpg>{inside}</a>"), PAGE).candidates;
            assert_eq!((found.len(), &found[0]), (2, &photo), "{inside}");
        }
        // Alone it is the preview.
        let alone = read(&format!("<a href=a.jpg>{icon}</a>"), PAGE).candidates;
        assert_eq!((alone.len(), alone[0].url.as_str()), (1, address("a.jpg").as_str()), "{icon}");
    }
    // A background is what a link shows as well.
    for html in [
        "<a href=a.jpg style='background: url(s.jpg)'></a>",
        "<a href=a.jpg><span style='background: url(s.jpg)'></span></a>",
        "<a href=a.jpg><span data-bg=s.jpg></span></a>",
    ] {
        let expect = Candidate { description: None, ..photo.clone() };
        assert_eq!(read(html, PAGE).candidates, [expect], "{html}");
    }
}

#[test]
fn the_largest_of_a_picture_comes_first() {
    let all = |html: &str| {
        let one = first(html).unwrap();
        let short = |url: String| url.rsplit_once("/gallery/").map(|(_, end)| end.to_owned()).unwrap();
        std::iter::once(one.url).chain(one.alternates).map(short).collect::<Vec<_>>()
    };
    for (html, expect) in [
        // What is for narrow windows comes last, what is for wide ones by their width.
        (
            "<picture><source media='(max-width: 480px)' srcset=s.jpg><source media='(max-width: 1024px)' srcset=m.jpg>\
                <img src=l.jpg></picture>",
            &["l.jpg", "s.jpg", "m.jpg"][..],
        ),
        (
            "<picture><source media='(max-width: 600px)' srcset='s.jpg 600w, t.jpg 1200w'><img src=l.jpg width=900></picture>",
            &["l.jpg", "t.jpg", "s.jpg"],
        ),
        (
            "<picture><source media='(min-width: 64em)' srcset=l.jpg><source media='(min-width: 640px)' srcset=m.jpg>\
                <img src=s.jpg></picture>",
            &["l.jpg", "m.jpg", "s.jpg"],
        ),
        // What says no size comes after what is shown.
        ("<picture><source type=image/webp srcset=b.webp><img src=a.jpg></picture>", &["a.jpg", "b.webp"]),
        (
            "<picture><source type=image/webp srcset='a.jpg.webp 1024w'><img src=a.jpg></picture>",
            &["a.jpg", "a.jpg.webp"],
        ),
        (
            "<picture><source type=image/webp srcset='b.webp 1024w'><img src=c.jpg srcset='a.jpg 1024w'></picture>",
            &["a.jpg", "b.webp", "c.jpg"],
        ),
        (
            "<picture><source type=' Image/PJPEG ; q=1' srcset='b 900w'><source type='' srcset='c 800w'><img src=a.jpg></picture>",
            &["b", "c", "a.jpg"],
        ),
        // Sizes in addresses.
        (
            "<picture><source srcset=/gallery/w_480/a.jpg><img src=w_992/a.jpg></picture>",
            &["w_992/a.jpg", "w_480/a.jpg"],
        ),
        ("<img src=a.jpg data-hi-res-src=b.jpg data-thumb=c.jpg>", &["b.jpg", "a.jpg", "c.jpg"]),
    ] {
        assert_eq!(all(html), expect, "{html}");
    }
}

#[test]
fn different_pictures_are_never_sizes_of_one() {
    // Each is in an element of its own: what may be another picture is one.
    for addresses in [
        &["c-w204.jpg", "c-w205.jpg", "c-w206.jpg"][..],
        &["mercedes.w111.jpg", "mercedes.w112.jpg"],
        &["mercedes-w210.jpg", "mercedes-w220.jpg"],
        &["kit-h264.jpg", "kit-h265.jpg"],
        &["kit-264h.jpg", "kit-265h.jpg"],
        &["size/w201/x.jpg", "size/w202/x.jpg"],
        &["w-204/x.jpg", "w-205/x.jpg"],
        &["w_17/x.jpg", "w_18/x.jpg"],
        &["h_264/x.jpg", "h_265/x.jpg"],
        &["q-1/x.jpg", "q-2/x.jpg"],
        &["a_.jpg", "a.jpg"],
        &["i.php?q=1", "i.php?q=2"],
        &["map.png?zoom=1", "map.png?zoom=2"],
        &["?zoom=1", "?zoom=2"],
        &["?mode=cat", "?mode=dog"],
        &["item?h=1001", "item?h=1002"],
        &["item?size=38", "item?size=39"],
        &["item?size=small", "item?size=large"],
        &["obj?w=5", "obj?w=6"],
        &["obj?w=5&h=5", "obj?w=6&h=6"],
        &["obj.jpg?w=5", "obj.jpg?w=6"],
        &["obj?w=500&q=1", "obj?w=500&q=2"],
        &["?name=a&crop=left", "?name=a&crop=right"],
        &["https://fox.blogspot.com/2012/05/a.jpg", "https://fox.blogspot.com/2012/06/a.jpg"],
    ] {
        let html: String = addresses.iter().map(|address| format!("<img src='{address}'>")).collect();
        let expect: Vec<_> = addresses
            .iter()
            .map(|address| {
                if address.starts_with('?') { format!("index.html{address}") } else { (*address).to_owned() }
            })
            .collect();
        assert_eq!(urls(&html), expect);
        // In one element they are one, whatever their addresses are.
        let set: Vec<_> =
            addresses.iter().zip(1..).map(|(address, density)| format!("{address} {density}x")).collect();
        assert_eq!(urls(&format!("<img srcset='{}'>", set.join(", "))).len(), 1, "{set:?}");
    }
    // What plainly is a size does not tell them apart.
    for (small, large) in [
        ("b-200x300.jpg", "b-400x600.jpg"),
        ("fox.jpg?w=480", "fox.jpg?w=1200"),
        ("fox.jpg?w=480&q=70&fit=crop", "fox.jpg?w=1200"),
        ("fox.jpg?h=480", "fox.jpg"),
        ("fox.jpg?size=small", "fox.jpg"),
        ("fox?w=480&h=320", "fox?w=960&h=640"),
        ("fox?w=480&auto=format", "fox?w=960&auto=format"),
        ("fox?resize=480,320", "fox?resize=960,640"),
        ("_next/image?url=%2Fa&w=640&q=75", "_next/image?url=%2Fa&w=1920&q=75"),
        ("thumb.php?src=a.jpg&w=200", "thumb.php?src=a.jpg&w=400"),
        ("w_480/a.jpg", "w_992/a.jpg"),
        ("w_480,h_320,c_fill,q_80/a.jpg", "w_992,h_640,c_fill,q_auto/a.jpg"),
        ("w=480/a.jpg", "w=992/a.jpg"),
        ("w480,h320/a.jpg", "w960,h640/a.jpg"),
        ("a-w480-h320.jpg", "a-w960-h640.jpg"),
        ("a-480w.jpg", "a-992w.jpg"),
        ("480x320/a.jpg", "960x640/a.jpg"),
        ("https://lh3.googleusercontent.com/a=w480", "https://lh3.googleusercontent.com/a=w960-h640-p"),
        ("https://1.bp.blogspot.com/a/s72-c/a.jpg", "https://1.bp.blogspot.com/a/s1600/a.jpg"),
    ] {
        let found = urls(&format!("<img src='{small}'><img src='{large}'>"));
        assert_eq!(found.len(), 1, "{found:?}");
    }
}

#[test]
fn what_is_no_address_is_left_out_and_said() {
    let long = "x".repeat(9_000);
    for (html, found, warnings) in [
        (
            "<img src=#><img src='#{img_src}'><img src=a.jpg>".to_owned(),
            1,
            &["left out 2 pictures without an address"][..],
        ),
        (
            "<meta property=og:image content='{{ image }}'><img src=./>".to_owned(),
            0,
            &["no pictures found", "left out 2 pictures without"],
        ),
        (
            "<img src='/undefined'><img src=index.html>".to_owned(),
            0,
            &["no pictures found", "left out 2 pictures without"],
        ),
        (format!("<img src='{long}'><img src=a.jpg>"), 1, &["left out 1 addresses longer than 8192 bytes"]),
        (format!("<a href='{long}.jpg'><img src=a.jpg></a>"), 1, &["left out 1 addresses longer"]),
        (
            "<template><img src='{{a}}'></template><img src=a.jpg>".to_owned(),
            1,
            &["left out 1 pictures in `template`"],
        ),
        ("<img src=# data-src=a.jpg><img src='data:image/gif;base64,R0'>".to_owned(), 1, &[]),
        ("<img src=a.jpg data-src='{&quot;default&quot;:&quot;b&quot;}'>".to_owned(), 1, &[]),
        ("<div id=app></div><script></script>".to_owned(), 0, &["a script in the browser may load them"]),
        ("<script type=module></script>".to_owned(), 0, &["a script in the browser may load them"]),
        (
            "<script type='text/javascript; charset=utf-8'></script>".to_owned(),
            0,
            &["a script in the browser may"],
        ),
    ] {
        let page = read(&html, PAGE);
        assert_eq!(
            (page.candidates.len(), page.warnings.len()),
            (found, warnings.len()),
            "{html} {:?}",
            page.warnings
        );
        for (warning, expect) in page.warnings.iter().zip(warnings) {
            assert!(warning.contains(expect), "{warning}");
        }
    }
    // Up to the limit they are taken.
    let longest =
        format!("<img src='a.jpg?{}'>", "x".repeat(8_192 - PAGE.len() + "index.html".len() - "a.jpg?".len()));
    assert_eq!(first(&longest).map(|candidate| candidate.url.len()), Some(8_192));
    for html in [
        "<p>none",
        "<script type=text/template></script>",
        "<script type='application/ld+json;charset=utf-8'></script>",
    ] {
        assert_eq!(read(html, PAGE).warnings, [format!("no pictures found on {PAGE}")], "{html}");
    }
}

#[test]
fn a_page_says_where_its_pictures_are_asked_from() {
    let headers =
        |html: &str, policy: &str| webpage::read(tokens(html), PAGE, policy).candidates.remove(0).headers;
    let referer = |value: &str| vec![("referer".to_owned(), value.to_owned())];
    assert_eq!(headers("<img src=a.jpg>", ""), []);
    assert_eq!(headers("<img src=a.jpg>", "no-referrer"), referer(""));
    assert_eq!(
        headers("<meta name=referrer content=origin><img src=a.jpg>", "no-referrer"),
        referer("https://example.org/")
    );
    assert_eq!(
        headers(
            "<meta name=referrer content=never><img src=//cdn.example.org/a.jpg referrerpolicy=unsafe-url>",
            ""
        ),
        referer(PAGE)
    );
    assert_eq!(
        headers(
            "<meta name=referrer content=never><img src=a.jpg referrerpolicy=strict-origin-when-cross-origin>",
            ""
        ),
        []
    );
}

#[test]
fn no_copy_is_asked_for_with_more_than_the_page_allows() {
    let own = "https://example.org/a.jpg";
    let far =
        ["https://cdn.example.org/b.jpg", "https://cdn.example.org/c.jpg", "http://cdn.example.org/d.jpg"];
    let check = |policy: &str, set: &[&str], alternates: &[&str], referer: Option<&str>| {
        let set: Vec<_> =
            set.iter().zip((1..9).rev()).map(|(copy, density)| format!("{copy} {density}x")).collect();
        let html = format!("<img srcset='{}' referrerpolicy={policy}>", set.join(", "));
        let candidate = first(&html).unwrap();
        let headers: Vec<_> =
            referer.map(|referer| ("referer".to_owned(), referer.to_owned())).into_iter().collect();
        assert_eq!(candidate.alternates, alternates, "{html}");
        assert_eq!(candidate.headers, headers, "{html}");
    };
    let [b, c, d] = far;
    // The host says elsewhere what browsers say by themselves: the origin, to the page's own site the address.
    check("no-referrer", &[b, c, own, d], &[c, d], Some(""));
    check("no-referrer", &[own, "a2.jpg", b], &[&address("a2.jpg")], Some(""));
    check("same-origin", &[own, b, d], &[d], None);
    check("same-origin", &[b, c, own], &[c, own], Some(""));
    check("origin", &[b, c, own], &[c], None);
    check("strict-origin", &[own, b, c], &[b, c], Some("https://example.org/"));
    check("unsafe-url", &[b, own, c], &[own, c], Some(PAGE));
    check("default", &[b, own, d], &[own, d], None);
    // Where several elements show a picture, the one that says least counts.
    let one = format!("<img src={own}>");
    let other = format!("<img src={own} data-thumb={b} referrerpolicy=no-referrer>");
    for html in [
        format!("{one}{other}"),
        format!("{other}{one}"),
        format!("<iframe srcdoc=\"{other}\"></iframe>{one}"),
    ] {
        let candidate = first(&html).unwrap();
        assert_eq!(candidate.headers, [("referer".to_owned(), String::new())], "{html}");
        assert_eq!((candidate.url.as_str(), candidate.alternates), (own, Vec::new()), "{html}");
    }
    let other = other.replace("no-referrer", "same-origin");
    for html in [format!("{one}{other}"), format!("{other}{one}")] {
        assert_eq!(first(&html).unwrap().alternates, [""; 0], "{html}");
    }
    // What takes the place of a blurred copy is asked for as it says itself.
    let blurred = "<img class=lazy src=t.jpg><noscript><img src=a.jpg referrerpolicy=no-referrer></noscript>";
    assert_eq!(first(blurred).unwrap().headers, [("referer".to_owned(), String::new())]);
}

#[test]
fn captions_are_titles() {
    let html = "<img src=z.jpg><figure><img src=a.jpg><img src=b.jpg title=B>\
        <figcaption>Red <b>fox</b></figcaption></figure><img src=c.jpg>";
    let titles: Vec<_> = read(html, PAGE).candidates.into_iter().map(|candidate| candidate.title).collect();
    assert_eq!(titles, [None, text("Red fox"), text("B"), None]);
}

#[test]
fn a_figure_may_have_many_captions() {
    let caption = |words: &str| format!("<figcaption>{words}</figcaption>");
    let captions =
        |start: usize| (start..start + 40_000).map(|n| caption(&n.to_string())).collect::<String>();
    let pictures =
        |start: usize| (start..start + 4_900).map(|n| format!("<img src={n}.jpg>")).collect::<String>();
    let html =
        ["<figure>", &pictures(0), &caption(" "), &captions(1), &pictures(9_000), &captions(50_000)].concat();
    let titles: Vec<_> = read(&html, PAGE).candidates.into_iter().map(|candidate| candidate.title).collect();
    assert_eq!(titles, [vec![text("1"); 4_900], vec![text("50000"); 4_900]].concat());
}

#[test]
fn a_blurred_copy_gives_way_to_the_picture_in_noscript() {
    let html =
        "<figure><img src=tiny.jpg alt=Fox><noscript><img src=a.jpg srcset='b.jpg 2x'></noscript></figure>";
    let expect = Candidate {
        thumbnail_url: Some(address("tiny.jpg")),
        alternates: vec![address("a.jpg")],
        description: text("Fox"),
        ..at("b.jpg")
    };
    assert_eq!(read(html, PAGE).candidates, [expect]);
    // Elsewhere a `noscript` may hold anything, unless the copy before it is known for one.
    for (html, expect) in [
        ("<img src=a.jpg><noscript><img src=count.gif></noscript>", &["a.jpg", "count.gif"][..]),
        ("<div><img src=tiny/a.jpg></div> <noscript><img src=full/a.jpg></noscript>", &["full/a.jpg"]),
        ("<img src=x/60/a.jpeg?q=20><noscript><img src=x/a.jpeg></noscript>", &["x/a.jpeg"]),
        ("<img class='photo blur-up' src=t.jpg><noscript><img src=a.jpg></noscript>", &["a.jpg"]),
        ("<img class=lazy src=grey.gif><noscript><img src=a.jpg></noscript>", &["a.jpg"]),
        ("<img class=lazy src=t.jpg>A<noscript><img src=a.jpg></noscript>", &["t.jpg", "a.jpg"]),
        (
            "<img src=t/a.jpg><img src=b.jpg><noscript><img src=a.jpg></noscript>",
            &["t/a.jpg", "b.jpg", "a.jpg"],
        ),
        ("<img class=lazy src=t.jpg><noscript><img src=c.gif width=1 height=1></noscript>", &["t.jpg"]),
        (
            "<noscript><img class=lazy src=t.jpg></noscript><noscript><img src=a.jpg></noscript>",
            &["t.jpg", "a.jpg"],
        ),
    ] {
        assert_eq!(urls(html), expect, "{html}");
    }
}

#[test]
fn the_head_describes_a_picture() {
    let html = "<meta property=og:image content=a.jpg><meta property=og:image:width content=640>\
        <meta property=og:image:height content=480><meta property=og:image:type content=image/jpeg>\
        <meta property=og:image:alt content=Fox><img src=b.jpg>";
    let expect = Candidate {
        dimensions: Some(Dimensions { width: 640, height: 480 }),
        mime: text("image/jpeg"),
        description: text("Fox"),
        ..at("a.jpg")
    };
    assert_eq!(read(html, PAGE).candidates, [expect, at("b.jpg")]);
}

#[test]
fn linked_data_describes_pictures() {
    let html = r#"<img src="a.jpg" alt="Seen">
        <script type="application/ld+json">{"@context": "https://schema.org", "@type": "ImageObject",
            "contentUrl": "a.jpg", "license": "https://creativecommons.org/licenses/by-sa/4.0/", "name": "Fox",
            "creator": {"@type": "Person", "name": "Ada Fuchs", "url": "/ada"}, "creditText": "Photo: Ada Fuchs",
            "width": "640px", "height": {"@type": "QuantitativeValue", "value": 480}, "datePublished": "2024-05-06",
            "thumbnailUrl": "s.jpg", "encodingFormat": "image/jpeg", "caption": "A fox"}</script>"#;
    let expect = Candidate {
        thumbnail_url: Some(address("s.jpg")),
        title: text("Fox"),
        description: text("Seen"),
        creator: text("Ada Fuchs"),
        creator_url: text("https://example.org/ada"),
        license: Some(License {
            id: "cc-by-sa-4.0".to_owned(),
            url: text("https://creativecommons.org/licenses/by-sa/4.0/"),
            attribution: text("Photo: Ada Fuchs"),
        }),
        published: text("2024-05-06"),
        dimensions: Some(Dimensions { width: 640, height: 480 }),
        mime: text("image/jpeg"),
        ..at("a.jpg")
    };
    assert_eq!(read(html, PAGE).candidates, [expect]);
}

#[test]
fn odd_values_in_linked_data() {
    let of = |field: &str| {
        let data = format!(r#"{{"@type": "ImageObject", "url": "a.jpg", "height": 480, {field}}}"#);
        let candidate = first(&format!("<script type=application/ld+json>{data}</script>")).unwrap();
        (candidate.dimensions.map(|size| size.width), candidate.published)
    };
    for width in ["640.0", "\"640.0\"", "\" 640 px \"", r#"{"value": 640.0}"#] {
        assert_eq!(of(&format!("\"width\": {width}")), (Some(640), None), "{width}");
    }
    for width in ["640.5", "-1", "true", "\"wide\"", "4294967296"] {
        assert_eq!(of(&format!("\"width\": {width}")), (None, None), "{width}");
    }
    for (date, expect) in [
        ("2026-01-31T10:11:12Z", Some("2026-01-31T10:11:12Z")),
        ("2026-01-31T10:11", Some("2026-01-31")),
        ("2026-01-31garbage", None),
        ("2026-13-31", None),
        ("yesterday", None),
    ] {
        assert_eq!(of(&format!("\"datePublished\": \"{date}\"")).1.as_deref(), expect, "{date}");
    }
}

#[test]
fn licences_in_linked_data() {
    let check = |license: &str, id: &str, url: Option<&str>, attribution: Option<&str>| {
        let data = format!(r#"{{"@type": "ImageObject", "url": "a.jpg", "license": {license}}}"#);
        let candidate = first(&format!("<script type=application/ld+json>{data}</script>"));
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let expect = License { id: id.to_owned(), url: owned(url), attribution: owned(attribution) };
        assert_eq!(candidate.and_then(|candidate| candidate.license), Some(expect), "{license}");
    };
    let zero = "https://creativecommons.org/publicdomain/zero/1.0/";
    check(&format!("\"{zero}\""), "cc0-1.0", Some(zero), None);
    check(&format!(r#"{{"@type": "CreativeWork", "url": "{zero}"}}"#), "cc0-1.0", Some(zero), None);
    check("\"/terms\"", "unknown", Some("https://example.org/terms"), None);
    check("\"All rights reserved\"", "unknown", None, Some("All rights reserved"));
}

#[test]
fn where_linked_data_names_pictures() {
    let data = |json: &str| urls(&format!("<script type='application/ld+json'>{json}</script>"));
    assert_eq!(data(r#"{"@type": "Article", "image": "a.jpg"}"#), ["a.jpg"]);
    assert_eq!(data(r#"[{"image": ["a.jpg", {"url": "b.jpg"}]}]"#), ["a.jpg", "b.jpg"]);
    assert_eq!(data(r#"{"@graph": [{"@type": ["Photograph", "ImageObject"], "url": "a.jpg"}]}"#), ["a.jpg"]);
    assert_eq!(data(r#"{"@type": "https://schema.org/ImageObject", "contentUrl": "a.jpg"}"#), ["a.jpg"]);
    assert_eq!(
        data(r#"{"publisher": {"logo": {"@type": "ImageObject", "url": "a.jpg"}}, "url": "b"}"#),
        [""; 0]
    );
    assert_eq!(data(r#"{"image": {"@id": "data:,"}, "@type": 7}"#), [""; 0]);
    assert_eq!(data(r#"{"image": "a.jpg", "name": "Fox \ud83d"}"#), ["a.jpg"]);
    assert_eq!(data(r#"{"image": ["", {"url": " "}, {"url": "a.jpg", "contentUrl": ""}]}"#), ["a.jpg"]);
    assert_eq!(
        data(
            r#"{"image": "a.jpg", "author": {"@type": "Person", "image": "b.jpg"}, "publisher": {"image": "c.jpg"}}"#
        ),
        ["a.jpg"]
    );
    assert_eq!(
        data(
            r#"[{"@type": "NewsMediaOrganization", "image": "a.jpg"}, {"@type": "Person", "image": "b.jpg"}]"#
        ),
        [""; 0]
    );
    assert_eq!(data(r#"{"image": "Because of rain the fleet stays", "@type": "Article"}"#), [""; 0]);
    assert_eq!(data(r#"{"image": ["{{ image }}", "logo.svg"]}"#), [""; 0]);
    assert_eq!(
        data(r#"{"image": ["1x1/a.jpg", "4x3/a.jpg", "16x9/a.jpg", "b.jpg"]}"#),
        ["1x1/a.jpg", "b.jpg"]
    );
    let crop = |file: &str, width: u32, height: u32| {
        format!(r#"{{"@type": "ImageObject", "url": "{file}", "width": {width}, "height": {height}}}"#)
    };
    let crops =
        [crop("a.jpg", 1_200, 1_200), crop("b.jpg", 1_600, 1_200), crop("c.jpg", 1_920, 1_080)].join(",");
    assert_eq!(data(&format!(r#"{{"image": [{crops}]}}"#)), ["c.jpg"]);
    let others = [crop("a.jpg", 1_200, 800), crop("b.jpg", 1_200, 800)].join(",");
    assert_eq!(data(&format!(r#"{{"image": [{others}]}}"#)), ["a.jpg", "b.jpg"]);
    assert_eq!(data("{broken"), [""; 0]);
    // As sites write it.
    for written in [
        "//<![CDATA[\n{}\n//]]>",
        "/*<![CDATA[*/{}/*]]>*/",
        "<![CDATA[{}]]>",
        "<!--\n{}\n-->",
        "<!-- {} -->",
        "<!-- By a program -->\n{}<!-- end -->",
        "// By a program\n{}",
        "/* By a program */ {};",
        "\u{feff}\u{a0}{};\n",
        "[{},]",
        "{}\n{}",
        "[{},/* , */\n]",
    ] {
        let json = r#"{"@type": "Article", "image": "//example.org/gallery/a.jpg", }"#;
        let plain = json.replace(", }", "}");
        let broken = plain.replace("Article", "a\nb\t \u{1} // ; /* <!-- \\\" ,}");
        for json in [json, &plain, &broken] {
            assert_eq!(data(&written.replace("{}", json)), ["a.jpg"], "{written} {json}");
        }
    }
    assert_eq!(
        urls("<script type=' Application/LD+JSON ; charset=utf-8'>{\"image\": \"a.jpg\"}</script>"),
        ["a.jpg"]
    );
    assert_eq!(data(&"[".repeat(100_000)), [""; 0]);
}

#[test]
fn xhtml_is_xml() {
    let page = |body: &str| {
        let xhtml = format!("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>{body}</html>");
        let page = webpage::read(pixcrawler_sdk::html::xhtml(&xhtml), PAGE, "");
        page.candidates.into_iter().map(|candidate| candidate.url).collect::<Vec<_>>()
    };
    for empty in [
        "script",
        "style",
        "title",
        "textarea",
        "iframe",
        "template",
        "noscript",
        "figure",
        "picture",
        "a href='b'",
    ] {
        assert_eq!(page(&format!("<{empty} /><img src='a.jpg'/>")), [address("a.jpg")], "{empty}");
    }
    assert_eq!(page("<p><![CDATA[<img src='b.jpg'/>]]><img src='a.jpg'/></p>"), [address("a.jpg")]);
    for data in [
        "//<![CDATA[\n{\"image\": \"a.jpg?b&amp=c\"}\n//]]>",
        "{&quot;image&quot;: &quot;a.jpg?b&amp;amp=c&quot;}",
    ] {
        let script = format!("<script type='application/ld+json'>{data}</script>");
        assert_eq!(page(&script), [address("a.jpg?b&amp=c")], "{data}");
    }
    assert_eq!(page("<script>'<img src=\"b.jpg\"/>'</script><img src='a.jpg'/>"), [address("a.jpg")]);
}

#[test]
fn the_page_that_follows() {
    for (html, expect) in [
        ("<a rel=next href='?page=2'>", Some("https://example.org/gallery/index.html?page=2")),
        ("<link rel='nofollow NEXT' href=/2>", Some("https://example.org/2")),
        ("<a rel=next href=/2><a rel=next href=/3>", Some("https://example.org/2")),
        ("<a rel=prev href=/2><a href=/3>next</a>", None),
        ("<a rel=next href='javascript:more()'>", None),
    ] {
        assert_eq!(read(html, PAGE).next.as_deref(), expect, "{html}");
    }
}

#[test]
fn what_a_page_reserves_is_for_the_host_to_read() {
    let page = read("<meta name=robots content='noai'><img src=a.jpg>", PAGE);
    assert_eq!((page.candidates.len(), page.warnings.len()), (1, 0));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let html = format!("<img src=a.jpg alt='{}'>", "ü".repeat(2_000));
    let description = first(&html).and_then(|candidate| candidate.description);
    assert_eq!(description, Some("ü".repeat(500)));
}

proptest! {
    #[test]
    fn any_text_is_a_page(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                "<img src=", "<a href=", "a.jpg", ">", "</a>", "<picture>", "</picture>", "<source srcset='", " 2x, ", "'",
                "<figure>", "</figure>", "<figcaption>", "</figcaption>", "<noscript>", "</noscript>", "<base href=",
                "<script type=application/ld+json>", "{\"image\":", "}", "</script>", "<a href=", "<iframe srcdoc='",
                "<meta http-equiv=refresh content=0;", "<div style='background:url(", "\\", "/*", ")", "<meta property=og:image content=",
                "<meta property=og:image:alt content=x>", "&#x1F98A;", "日本", " data-src=b.png",
            ]).prop_map(str::to_owned),
            "\\PC{0,5}",
        ], 0..40)
    ) {
        let page = read(&parts.concat(), PAGE);
        let mut seen = std::collections::BTreeSet::new();
        for candidate in page.candidates {
            prop_assert!(candidate.url.starts_with("http"));
            prop_assert!(!candidate.alternates.contains(&candidate.url));
            prop_assert!(candidate.thumbnail_url.is_none_or(|small| small != candidate.url));
            prop_assert!(seen.insert(candidate.url));
        }
    }
}

#[test]
fn a_page_may_have_ten_thousand_pictures() {
    let many: String = (0..30_000).map(|picture| format!("<img src=/{picture}.jpg>")).collect();
    let page = read(&format!("{many}<a rel=next href=/2>"), "https://example.org/");
    assert_eq!((page.candidates.len(), page.next.as_deref()), (10_000, Some("https://example.org/2")));
    assert_eq!(page.warnings, ["https://example.org/: read the first 10000 pictures only"]);
    // Fewer where their addresses are long.
    let base = format!("<base href='https://example.org/{}/'>", "x".repeat(2_000));
    let page = read(&format!("{base}{}", many.replace('/', "")), "https://example.org/");
    assert!(page.candidates.len() < 5_000 && page.warnings.len() == 1);
    // A base that is too long is none.
    let base = format!("<base href='https://example.org/{}'><img src=a.jpg>", "x".repeat(1 << 20));
    assert_eq!(read(&base, "https://example.org/").candidates[0].url, "https://example.org/a.jpg");
    let data: String = (0..30_000).map(|picture| format!("\"/{picture}.jpg\",")).collect();
    let data = format!("<script type='application/ld+json'>{{\"image\": [{data} \"/a.jpg\"]}}</script>");
    let page = read(&data, "https://example.org/");
    assert_eq!((page.candidates.len(), page.warnings.len()), (10_000, 1));
}
