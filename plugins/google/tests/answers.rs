//! Answers in the site's shape, with invented values.

use google::{Google, Place};
use pixcrawler_sdk::{Answer, Candidate, Chained, Dimensions, Error, Failure, Found, Query, Request, Result};

const URL: &str = "https://www.google.com/search?q=red%20fox";

fn read(body: &str) -> Result<(Found, Option<Request>)> {
    Google::read(&Query::of("red fox"), &mut Place::default(), Answer::of(URL, 200, body))
}

fn page(pictures: &str) -> String {
    format!(
        r#"<html><body class="srp"><form class="tsf" action="/search" role="search"></form><div id="search"></div>
        <script>(function(){{var m={{"AZ/k":[4,1,null],{pictures}"AZ/8":[1]}};var a=m;}})();</script></body></html>"#
    )
}

fn picture(n: u32) -> String {
    format!(
        r#""AZ7{n}":[1,[0,"doc{n}",["https://encrypted-tbn0.gstatic.com/images?q\u003dtbn:{n}\u0026s",180,240],["https://img.example.org/{n}.jpg?a\u003d1\u0026b\u003d2",600,800],null,0,"rgb(1,2,3)",null,0,{{"2000":[null,"www.example.org","1.1MB"],"2003":[null,"ref{n}","https://www.example.org/fox/{n}","Red fox \u0026 cub {n}",null,0,null,null,null,0,null,null,"Example"]}}],null,"doc{n}"],"#
    )
}

fn candidate(n: u32) -> Candidate {
    Candidate {
        id: Some(format!("doc{n}")),
        page_url: Some(format!("https://www.example.org/fox/{n}")),
        thumbnail_url: Some(format!("https://encrypted-tbn0.gstatic.com/images?q=tbn:{n}&s")),
        title: Some(format!("Red fox & cub {n}")),
        dimensions: Some(Dimensions { width: 800, height: 600 }),
        extra: vec![("google.site".to_owned(), "Example".to_owned())],
        ..Candidate::new(format!("https://img.example.org/{n}.jpg?a=1&b=2"))
    }
}

const NOTHING: &str =
    "<form action=\"/search\"></form><p>Your search - x - did not match any image results.</p>";

#[test]
fn pairs_are_found_in_a_script() {
    let (found, next) = read(&page(&[picture(1), picture(2)].concat())).unwrap();
    assert_eq!((found.candidates, found.warnings), (vec![candidate(1), candidate(2)], vec![]));
    let url = "https://www.google.com/search?q=red%20fox&udm=2&safe=active&hl=en&start=2";
    assert_eq!(next.unwrap().url, url);
    // In another kind of script.
    let data = picture(1);
    let data = data.trim_start_matches("\"AZ71\":").trim_end_matches(',');
    let other = format!("<script>AF_initDataCallback({{key: 'ds:1', data:[null,[[{data}]]]}});</script>");
    assert_eq!(read(&other).unwrap().0.candidates, [candidate(1)]);
}

#[test]
fn thumbnails_by_themselves_are_no_pictures() {
    let related = r#""AZ9":[0,["https://encrypted-tbn0.gstatic.com/images?q\u003dtbn:9",50,50],"foxes"],"#;
    let raw = picture(3).replace("https://img.example.org/3.jpg", "x-raw-image:///0f0f");
    let (found, _) = read(&page(&[related, &raw, &picture(1)].concat())).unwrap();
    assert_eq!((found.candidates, found.warnings), (vec![candidate(1)], vec![]));
}

#[test]
fn pages_follow_until_there_are_no_new_pictures() {
    let query = Query::of("red fox");
    let last = page(&picture(3));
    for end in [last.clone(), page(""), NOTHING.to_owned()] {
        let mut place = Place::default();
        let mut starts = Vec::new();
        let mut request = Some(Google::first(&query));
        let mut pages = [page(&[picture(1), picture(2)].concat()), last.clone(), end].into_iter();
        while let Some(asked) = request {
            let answer = Answer::of(&asked.url, 200, &pages.next().unwrap());
            starts.extend(asked.url.split_once("&start=").map(|(_, start)| start.to_owned()));
            request = Google::read(&query, &mut place, answer).unwrap().1;
        }
        assert_eq!(starts, ["2", "3"]);
    }
}

#[test]
fn pages_in_turn_come_to_an_end() {
    let query = Query::of("red fox");
    for pages in 1..9_u32 {
        let mut place = Place::default();
        let more = (0..100).take_while(|step| {
            let body = page(&picture(step % pages));
            Google::read(&query, &mut place, Answer::of(URL, 200, &body)).unwrap().1.is_some()
        });
        assert_eq!(more.count(), pages as usize);
    }
}

#[test]
fn pages_without_pictures_are_told_apart() {
    assert_eq!(read(NOTHING), Ok((Found::default(), None)));
    for captcha in [
        r#"<form id="captcha-form" action="index"></form>"#,
        r#"<div id="recaptcha" class="g-recaptcha" data-sitekey="x"></div>"#,
    ] {
        assert_eq!(read(captcha), Err(Error::RateLimited(None)), "{captcha}");
    }
    let sorry = Answer::of("https://www.google.com/sorry/index?continue=x", 200, "<html></html>");
    let sorry = Google::read(&Query::of("x"), &mut Place::default(), sorry);
    assert_eq!(sorry, Err(Error::RateLimited(None)));
    let consent = read(r#"<form action="https://consent.google.com/save" method="POST"></form>"#);
    assert!(matches!(&consent, Err(Error::Unavailable(why)) if why.contains("consent")), "{consent:?}");
    let scripts = read(r#"<noscript><iframe src="/httpservice/retry/enablejs?sei=x"></iframe></noscript>"#);
    assert!(matches!(&scripts, Err(Error::LayoutChanged(why)) if why.contains("scripts")), "{scripts:?}");
    for change in [
        String::new(),
        "<html><body>Welcome</body></html>".to_owned(),
        page(""),
        page("").replace("<div id", "<div data-docid=\"doc1\" id"),
        NOTHING.replace("<p>", "<p><img src=\"https://encrypted-tbn0.gstatic.com/images?q=tbn:1\">"),
        page(&picture(1)).replace("\"2003\"", "\"2004\""),
        page(&picture(1)).replace("\"https://www.example.org/fox/1\"", "null"),
        page(&picture(1)).replace("],[\"https://img", "],null,[\"https://img"),
        page(&picture(1)).replace("{\"2000\"", "[{\"2000\""),
    ] {
        assert!(matches!(read(&change), Err(Error::LayoutChanged(_))), "{change}");
    }
    let failed = Answer { outcome: Err(Failure::Status(429)), ..Answer::of(URL, 0, "") };
    let failed = Google::read(&Query::of("x"), &mut Place::default(), failed);
    assert_eq!(failed, Err(Error::RateLimited(None)));
}

#[test]
fn half_a_character_in_a_title_is_marked() {
    let (found, _) = read(&page(&picture(1).replace("cub", r"\ud83d"))).unwrap();
    assert_eq!(found.candidates[0].title.as_deref(), Some("Red fox & \u{fffd} 1"));
}

#[test]
fn an_odd_value_costs_only_itself() {
    let one = |written: &str, odd: &str| {
        let odd = picture(1).replace(written, odd);
        let (found, _) = read(&page(&[odd, picture(2)].concat())).unwrap();
        assert_eq!((found.candidates.len(), &found.candidates[1]), (2, &candidate(2)), "{written}");
        found.candidates[0].clone()
    };
    let bare = Candidate { page_url: None, title: None, extra: Vec::new(), ..candidate(1) };
    assert_eq!(one("\"2003\"", "\"2004\""), bare);
    assert_eq!(one("{\"2000\"", "[7],{\"2000\""), candidate(1));
    for (written, odd) in
        [("600,800]", "null,800]"), ("600,800]", "600,\"wide\"]"), ("600,800]", "600,[800]]")]
    {
        assert_eq!(one(written, odd), Candidate { dimensions: None, ..candidate(1) }, "{odd}");
    }
    // Lists grow at their end.
    assert_eq!(one("600,800]", "600,800,null]"), candidate(1));
    assert_eq!(one("180,240]", "180.0,\"240\",{\"7\":1}]"), candidate(1));
    assert_eq!(one("[0,\"doc1\"", "[0,7"), Candidate { id: None, ..candidate(1) });
}

#[test]
fn options_language_and_safe_search_are_asked_for() {
    let url = |query: &Query| Google::first(query).url;
    let start = "https://www.google.com/search?q=fuchs&udm=2";
    for (tag, expect) in [
        ("de", "&lr=lang_de"),
        ("de-AT", "&lr=lang_de&gl=at"),
        ("zh", "&lr=lang_zh-CN"),
        ("zh-Hant-HK", "&lr=lang_zh-TW&gl=hk"),
    ] {
        let query = Query { safe_search: false, language: Some(tag.to_owned()), ..Query::of(" fuchs ") };
        assert_eq!(url(&query), format!("{start}&safe=off&hl=en{expect}"));
    }
    let with = |name, value| Query::of("fuchs").with(&[(name, value), ("size", "large")]);
    let start = format!("{start}&safe=active&hl=en&tbs=isz%3Al%2C");
    assert_eq!(url(&with("color", "monochrome")), format!("{start}ic%3Agray"));
    assert_eq!(url(&with("color", "red")), format!("{start}ic%3Aspecific%2Cisc%3Ared"));
    for spec in Google::info().options.iter().filter(|spec| spec.name != "size") {
        let (value, _) = &spec.choices[0];
        assert!(url(&with(&spec.name, value)).starts_with(&start), "{}", spec.name);
    }
}

#[test]
fn lists_in_one_another_do_not_cost_time() {
    let body = format!("<script>{}", "[0,[\"https://encrypted-tbn\",".repeat(60_000));
    assert!(matches!(read(&body), Err(Error::LayoutChanged(_) | Error::RateLimited(_))));
}
