//! Answers in the site's shape, with invented values.

use bing::{Bing, Place};
use pixcrawler_sdk::{Answer, Candidate, Chained, Dimensions, Error, Failure, Found, Query, Request, Result};

const URL: &str = "https://www.bing.com/images/async?q=red%20fox";

fn read_at(url: &str, body: &str) -> Result<(Found, Option<Request>)> {
    Bing::read(&Query::of("red fox"), &mut Place::default(), Answer::of(url, 200, body))
}

fn read(body: &str) -> Result<(Found, Option<Request>)> {
    read_at(URL, body)
}

fn page(pictures: &str) -> String {
    format!(
        r#"<div class="dg_b"><div class="dgControl dtl" data-nextUrl="/images/async?q=red+fox&amp;first=36&amp;count=35">
        <ul class="dgControl_list">{pictures}</ul></div></div>"#
    )
}

fn link(n: u32, more: &str) -> String {
    format!(
        r#"<li data-idx={n}><a role="link" class="iusc" m="{{&quot;purl&quot;:&quot;https://www.example.org/fox/{n}&quot;,&quot;murl&quot;:&quot;https://img.example.org/{n}.jpg?a=1&amp;b=2&quot;,&quot;turl&quot;:&quot;https://ts1.example.net/th?id={n}&amp;pid=15.1&quot;{more}}}"
        href="/images/search?view=detailV2&amp;mediaurl=https%3a%2f%2fimg.example.org%2f{n}.jpg%3fa%3d1%26b%3d2&amp;cdnurl=https%3a%2f%2fth.example.net%2fR.{n}%3fpid%3dImgRaw&amp;exph=600&amp;expw=800&amp;q=red+fox"></a></li>"#
    )
}

fn full(n: u32) -> String {
    let title = format!("\u{e000}Red fox\u{e001} {n}");
    link(
        n,
        &format!(
            ",&quot;t&quot;:&quot;{title}&quot;,&quot;mid&quot;:&quot;ABC{n}&quot;,&quot;desc&quot;:&quot;A fox&quot;"
        ),
    )
}

fn candidate(n: u32) -> Candidate {
    Candidate {
        alternates: vec![format!("https://th.example.net/R.{n}?pid=ImgRaw")],
        id: Some(format!("ABC{n}")),
        page_url: Some(format!("https://www.example.org/fox/{n}")),
        thumbnail_url: Some(format!("https://ts1.example.net/th?id={n}&pid=15.1")),
        title: Some(format!("Red fox {n}")),
        description: Some("A fox".to_owned()),
        dimensions: Some(Dimensions { width: 800, height: 600 }),
        ..Candidate::new(format!("https://img.example.org/{n}.jpg?a=1&b=2"))
    }
}

#[test]
fn everything_known_of_a_picture_is_read() {
    let (found, next) = read(&page(&[full(1), full(2)].concat())).unwrap();
    assert_eq!((found.candidates, found.warnings), (vec![candidate(1), candidate(2)], vec![]));
    assert_eq!(
        next.unwrap().url,
        "https://www.bing.com/images/async?q=red%20fox&first=36&count=35&mmasync=1&adlt=strict"
    );
    let other = full(1).replace("mediaurl=https%3a%2f%2fimg", "mediaurl=https%3a%2f%2fcopy");
    let (found, _) = read(&page(&other)).unwrap();
    let copies = ["https://copy.example.org/1.jpg?a=1&b=2", "https://th.example.net/R.1?pid=ImgRaw"];
    assert_eq!(found.candidates[0].alternates, copies);
}

#[test]
fn a_picture_that_is_there_twice_is_given_once() {
    let (found, _) = read(&page(&[link(1, ""), link(2, ""), full(1)].concat())).unwrap();
    let bare = Candidate { id: None, title: None, description: None, ..candidate(2) };
    assert_eq!(found.candidates, [candidate(1), bare]);
}

#[test]
fn many_pictures_are_given_once_each_in_order() {
    let links: Vec<_> =
        (0..3_000).chain(0..3_000).map(|n| if n % 2 == 0 { full(n) } else { link(n, "") }).collect();
    let (found, _) = read(&page(&links.concat())).unwrap();
    let pages = found.candidates.into_iter().filter_map(|candidate| candidate.page_url);
    assert!(pages.eq((0..3_000).map(|n| format!("https://www.example.org/fox/{n}"))));
}

#[test]
fn pieces_follow_until_one_repeats() {
    let query = Query::of("red fox");
    let mut place = Place::default();
    let mut from = Vec::new();
    let mut request = Some(Bing::first(&query));
    let last = page(&full(3)).replace("data-nextUrl", "data-other");
    let mut pages = [page(&full(1)), page(&full(2)), last.clone(), last].into_iter();
    while let Some(asked) = request {
        let answer = Answer::of(&asked.url, 200, &pages.next().unwrap());
        from.extend(asked.url.split('&').nth(1).map(str::to_owned));
        request = Bing::read(&query, &mut place, answer).unwrap().1;
    }
    // The page said twice that the next piece begins at 36, so the second time it is counted.
    assert_eq!(from, ["first=1", "first=36", "first=71", "first=106"]);
}

#[test]
fn pieces_in_turn_come_to_an_end() {
    let query = Query::of("red fox");
    for pieces in 1..9_u32 {
        let mut place = Place::default();
        let more = (0..100).take_while(|step| {
            let body = page(&full(step % pieces));
            Bing::read(&query, &mut place, Answer::of(URL, 200, &body)).unwrap().1.is_some()
        });
        assert_eq!(more.count(), pieces as usize);
    }
}

#[test]
fn the_end_is_told_from_a_challenge_and_from_a_change() {
    for end in ["", " \n", r#"<div class="dg_b"><div id="x"></div></div>"#, &page("")] {
        assert_eq!(read(end), Ok((Found::default(), None)), "{end}");
    }
    for challenge in [
        r#"<div id="b_captcha"></div>"#,
        r#"<iframe src="/turing/captcha/challenge"></iframe>"#,
        r#"<script src="https://challenges.cloudflare.com/turnstile/v0/api.js"></script><p>captcha</p>"#,
    ] {
        assert_eq!(read(challenge), Err(Error::RateLimited(None)), "{challenge}");
    }
    let challenged = read_at("https://www.bing.com/turing/captcha/challenge?q=x", "<html></html>");
    assert_eq!(challenged, Err(Error::RateLimited(None)));
    for change in [
        "<html><body>Welcome</body></html>".to_owned(),
        page("<li data-idx=1><a class=\"tile\" m=\"{}\"></a></li>"),
        page(&full(1)).replace("iusc", "renamed"),
        page(&full(1)).replace(" m=", " n="),
        page(&full(1)).replace("murl", "renamed"),
        page(&full(1)).replace("purl", "renamed"),
        page(&full(1)).replace("turl", "renamed"),
        page(&full(1)).replace("&quot;t&quot;", "&quot;renamed&quot;"),
        page(&full(1)).replace(" href=", " renamed="),
        page(&full(1)).replace("expw", "renamed"),
        page(&full(1)).replace("https://img.", "local."),
    ] {
        assert!(matches!(read(&change), Err(Error::LayoutChanged(_))), "{change}");
    }
    let failed = Answer { outcome: Err(Failure::Status(429)), ..Answer::of(URL, 0, "") };
    let failed = Bing::read(&Query::of("x"), &mut Place::default(), failed);
    assert_eq!(failed, Err(Error::RateLimited(None)));
}

#[test]
fn half_a_character_in_a_title_is_marked() {
    let (found, _) = read(&page(&full(1).replace("fox\u{e001}", r"\ud83d fox"))).unwrap();
    assert_eq!(found.candidates[0].title.as_deref(), Some("Red \u{fffd} fox 1"));
}

#[test]
fn a_bad_picture_costs_only_itself() {
    let bad = full(1).replace("murl", "renamed");
    let (found, _) = read(&page(&[bad, full(2)].concat())).unwrap();
    assert_eq!((found.candidates, found.warnings.len()), (vec![candidate(2)], 1));
}

#[test]
fn options_language_and_safe_search_are_asked_for() {
    let url = |query: &Query| Bing::first(query).url;
    let start = "https://www.bing.com/images/async?q=fuchs&first=1&count=35&mmasync=1";
    let query = Query { safe_search: false, language: Some("de".to_owned()), ..Query::of(" fuchs ") };
    assert_eq!(url(&query), format!("{start}&adlt=off&setlang=de"));
    let query = Query { language: Some("de-AT".to_owned()), ..Query::of("fuchs") };
    assert_eq!(url(&query), format!("{start}&adlt=strict&setlang=de-AT&mkt=de-AT"));
    let query = Query::of("fuchs").with(&[("license", "public"), ("size", "large"), ("type", "")]);
    let filters = "%2Bfilterui%3Aimagesize-large%2Bfilterui%3Alicense-L1";
    assert_eq!(url(&query), format!("{start}&adlt=strict&qft={filters}"));
    for spec in Bing::info().options {
        let (value, _) = &spec.choices[0];
        let query = Query::of("fuchs").with(&[(&spec.name, value)]);
        assert!(url(&query).contains("&qft=%2Bfilterui%3A"), "{}", spec.name);
    }
}
