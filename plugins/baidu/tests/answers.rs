//! Answers in the site's shape, with invented values.

use baidu::{Baidu, Place};
use pixcrawler_sdk::{Answer, Candidate, Chained, Dimensions, Error, Failure, Found, Query, Request, Result};

const HOME: &str = "https://image.baidu.com/";

/// A search that has the cookie.
fn begun(query: &Query) -> (Place, Request) {
    let mut place = Place::default();
    let answer = Answer::of(&Baidu::first(query).url, 200, "<html></html>");
    let Ok((_, Some(request))) = Baidu::read(query, &mut place, answer) else { panic!("no request") };
    (place, request)
}

fn read(status: u16, body: &str) -> Result<(Found, Option<Request>)> {
    let query = Query::of("red fox");
    let (mut place, request) = begun(&query);
    Baidu::read(&query, &mut place, Answer::of(&request.url, status, body))
}

fn page(results: &str, shown: u32) -> String {
    format!(r#"{{"queryExt": "red fox", "listNum": {shown}, "displayNum": 52000, "data": [{results}{{}}]}}"#)
}

fn result(n: u32) -> String {
    // The cipher leaves x, y and z alone.
    format!(
        r#"{{"objURL": "ippr_z2C$qAzdH3FAzdH3Fxyz_z&e3BxyzAzdH3Fz{written}_z&e3B3r2", "fromURL": "ippr_z2C$qAzdH3FAzdH3Fzz_z&e3BxyAzdH3F",
            "thumbURL": "https://ss0.example.net/it/u={n}&fm=26", "middleURL": "https://ss0.example.net/it/u={n}&fm=26",
            "width": 800, "height": 600, "type": "jpg", "cs": "12,{n}", "bdImgnewsDate": "2019-09-10 00:00",
            "fromPageTitle": "<strong>Fox<\/strong>'s cub {n}", "fromPageTitleEnc": "Fox\'s cub {n}",
            "replaceUrl": [{{"ObjURL": "http:\/\/img1.example.net\/it\/u={n}&fm=214", "FromURL": "http:\/\/a.example.org\/"}},
                {{"ObjURL": "http:\/\/copy.example.org\/{n}.jpg", "FromURL": "http:\/\/b.example.org\/"}}]}},"#,
        written = ["a", "8", "d", "n"][n as usize]
    )
}

fn candidate(n: u32) -> Candidate {
    Candidate {
        alternates: vec![format!("http://copy.example.org/{n}.jpg")],
        id: Some(format!("12,{n}")),
        page_url: Some("http://zz.xy/".to_owned()),
        thumbnail_url: Some(format!("https://ss0.example.net/it/u={n}&fm=26")),
        title: Some(format!("Fox's cub {n}")),
        published: Some("2019-09-10".to_owned()),
        dimensions: Some(Dimensions { width: 800, height: 600 }),
        ..Candidate::new(format!("http://xyz.xyz/z{n}.jpg"))
    }
}

fn address(from: u32) -> String {
    format!(
        "https://image.baidu.com/search/acjson?tn=resultjson_com&ipn=rj&ie=utf-8&oe=utf-8&word=red%20fox&pn={from}&rn=30"
    )
}

#[test]
fn the_home_page_comes_first() {
    let (_, request) = begun(&Query::of(" red fox "));
    assert_eq!(Baidu::first(&Query::of("red fox")).url, HOME);
    assert_eq!(request.url, address(0));
    assert_eq!(request.headers, [("referer".to_owned(), HOME.to_owned())]);
}

#[test]
fn originals_are_deciphered() {
    let (found, next) = read(200, &page(&[result(1), result(2)].concat(), 100)).unwrap();
    assert_eq!((found.candidates, found.warnings), (vec![candidate(1), candidate(2)], vec![]));
    assert_eq!(next.unwrap().url, address(30));
}

#[test]
fn places_elsewhere_stand_in_for_an_original_that_is_unknown() {
    let without = |address: &str| {
        let result = result(1).replace("\"ippr_z2C$qAzdH3FAzdH3Fxyz_z&e3BxyzAzdH3Fz8_z&e3B3r2\"", address);
        read(200, &page(&result, 100)).unwrap().0.candidates
    };
    for address in ["null", "\"\"", "\"ippr\""] {
        let expect = Candidate { alternates: vec![], ..Candidate::new("http://copy.example.org/1.jpg") };
        let found = &without(address)[0];
        assert_eq!((&found.url, &found.alternates), (&expect.url, &expect.alternates));
    }
    let plain = &without("\"https://img.example.org/1.jpg\"")[0];
    assert_eq!(plain.url, "https://img.example.org/1.jpg");
    let result = result(1).replace("ippr_z2C$qAzdH3FAzdH3Fzz_z&e3BxyAzdH3F", "").replace("800", "\"\"");
    let found = &read(200, &page(&result, 100)).unwrap().0.candidates[0];
    assert_eq!((found.page_url.as_deref(), found.dimensions), (Some("http://a.example.org/"), None));
}

#[test]
fn odd_values_cost_nothing_but_themselves() {
    let (before, _) =
        result(1).split_once("\"replaceUrl\"").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or_default();
    let result = format!("{before}\"replaceUrl\": null}},").replace("800", "800.0").replace("600", "\"600\"");
    let (found, _) = read(200, &page(&result, 100)).unwrap();
    assert_eq!(found, [Candidate { alternates: vec![], ..candidate(1) }].into_iter().collect());
    let odd = result.replace("800.0", "true");
    assert_eq!(read(200, &page(&odd, 100)).unwrap().0.candidates[0].dimensions, None);
}

#[test]
fn a_search_ends_where_the_site_says_so_or_repeats_itself() {
    let end = |body: &str| read(200, body).unwrap();
    assert_eq!(end(&page("", 0).replace("52000", "0")), (Found::default(), None));
    assert_eq!(read(200, &page("", 1738)), Err(Error::RateLimited(None)));
    for counts in [r#""displayNum": 1000, "listNum": 0,"#, r#""displayNum": 1000,"#, r#""listNum": 5.0,"#] {
        let body = format!(r#"{{{counts} "data": [{{}}]}}"#);
        assert_eq!(read(200, &body), Err(Error::RateLimited(None)), "{body}");
    }
    assert!(matches!(read(200, r#"{"data": [{}]}"#), Err(Error::LayoutChanged(_))));
    let (found, next) = end(&page(&result(1), 30).replace("30,", "30.0,"));
    assert_eq!((found.warnings, next), (vec!["Baidu shows 30 of about 52000 pictures".to_owned()], None));
    assert!(end(&page(&result(1), 31)).1.is_some());
    let unsaid = page(&result(1), 30).replace("listNum", "other").replace("displayNum", "others");
    assert!(end(&unsaid).1.is_some());
    let query = Query::of("red fox");
    let (mut place, request) = begun(&query);
    let mut request = Some(request);
    for (body, expect) in [(page(&result(1), 100), Some(address(30))), (page(&result(1), 100), None)] {
        let answer = Answer::of(&request.unwrap().url, 200, &body);
        request = Baidu::read(&query, &mut place, answer).unwrap().1;
        assert_eq!(request.as_ref().map(|request| request.url.clone()), expect);
    }
}

#[test]
fn pages_in_turn_come_to_an_end() {
    let query = Query::of("red fox");
    for pages in 1..5_u32 {
        let (mut place, request) = begun(&query);
        let more = (0..100).take_while(|step| {
            let body = page(&result(step % pages), 1_000_000);
            Baidu::read(&query, &mut place, Answer::of(&request.url, 200, &body)).unwrap().1.is_some()
        });
        assert_eq!(more.count(), pages as usize);
    }
}

#[test]
fn places_elsewhere_are_not_without_end() {
    let places: Vec<_> =
        (0..40_000).map(|n| format!(r#"{{"ObjURL": "http://a.example.org/{n}.jpg"}}"#)).collect();
    let many = result(1).replace("\"replaceUrl\": [", &format!("\"replaceUrl\": [{},", places.join(",")));
    let (found, _) = read(200, &page(&many, 100)).unwrap();
    let alternates = &found.candidates[0].alternates;
    assert_eq!((alternates.len(), alternates[99].as_str()), (100, "http://a.example.org/99.jpg"));
}

#[test]
fn refusals_are_told_apart() {
    let check = "<html><head><title>百度安全验证</title></head></html>";
    for body in [r#"{"antiFlag": 1, "message": "Forbid spider access"}"#, r#"{"antiFlag": "1"}"#, check] {
        assert_eq!(read(200, body), Err(Error::RateLimited(None)), "{body}");
    }
    let query = Query::of("red fox");
    let led_away = Answer::of("https://wappass.baidu.com/static/captcha/?u=x", 200, "<html></html>");
    assert_eq!(Baidu::read(&query, &mut Place::default(), led_away), Err(Error::RateLimited(None)));
    let home = Answer::of(HOME, 200, check);
    assert_eq!(Baidu::read(&query, &mut Place::default(), home), Err(Error::RateLimited(None)));
    let failed = Answer { outcome: Err(Failure::Status(429)), ..Answer::of(HOME, 0, "") };
    assert_eq!(Baidu::read(&query, &mut Place::default(), failed), Err(Error::RateLimited(None)));
    let titled = page(&result(1).replace("Fox\\'s cub", "百度安全验证"), 100);
    assert_eq!(read(200, &titled).unwrap().0.candidates.len(), 1);
    assert!(matches!(read(403, ""), Err(Error::Unavailable(_))));
    for body in ["", "<html></html>", "{}", r#"{"antiFlag": 0}"#, r#"{"data": 7}"#, "[]"] {
        assert!(matches!(read(200, body), Err(Error::LayoutChanged(_))), "{body}");
    }
}

#[test]
fn half_a_character_in_a_title_is_marked() {
    let (found, _) = read(200, &page(&result(1).replace("cub", r"\ud83d"), 100)).unwrap();
    assert_eq!(found.candidates[0].title.as_deref(), Some("Fox's \u{fffd} 1"));
}

#[test]
fn a_field_that_no_result_has_is_missed() {
    for field in ["thumbURL", "fromPageTitleEnc", "width", "height"] {
        let renamed = result(1).replace(&format!("\"{field}\""), "\"renamed\"");
        let (found, _) = read(200, &page(&[renamed.clone(), result(2)].concat(), 100)).unwrap();
        assert_eq!((found.candidates.len(), found.warnings), (2, vec![]), "{field}");
        let Err(Error::LayoutChanged(message)) = read(200, &page(&renamed, 100)) else { panic!("{field}") };
        assert!(message.contains(field), "{message}");
    }
    // The places where else it was found stand in for these.
    let bare = result(1).replace("objURL", "other").replace("fromURL", "others");
    let (found, _) = read(200, &page(&bare, 100)).unwrap();
    let copy = Candidate {
        url: "http://copy.example.org/1.jpg".to_owned(),
        page_url: Some("http://a.example.org/".to_owned()),
        alternates: Vec::new(),
        ..candidate(1)
    };
    assert_eq!(found.candidates, [copy]);
    assert_eq!(found.warnings, ["no result has the field `objURL`; the site may have changed"]);
    // In the same cipher, should they be.
    let written = bare
        .replace(r"http:\/\/copy.example.org\/1.jpg", "ippr_z2C$qAzdH3FAzdH3Fxyz_z&e3BxyzAzdH3Fz8_z&e3B3r2");
    assert_eq!(read(200, &page(&written, 100)).unwrap().0.candidates[0].url, "http://xyz.xyz/z1.jpg");
    let nowhere = bare.replace("ObjURL", "objurl");
    let Err(Error::LayoutChanged(message)) = read(200, &page(&nowhere, 100)) else { panic!() };
    assert!(message.contains("neither `objURL` nor `ObjURL`"), "{message}");
}

#[test]
fn options_are_asked_for() {
    let options =
        [("size", "extra-large"), ("color", "blue"), ("hd", "true"), ("latest", "false"), ("copyright", "")];
    let (_, request) = begun(&Query::of("red fox").with(&options));
    assert_eq!(request.url, format!("{}&z=9&ic=16&hd=1", address(0)));
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential = ["data", "data[]", "data[].objURL"];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::Chain<Baidu>>(env!("CARGO_MANIFEST_DIR"), &essential);
}
