//! Crawls of invented sites, from the first request to the last.

use std::collections::HashMap;

use pixcrawler_sdk::{Answer, Content, Error, Failure, Machine, Next, Query, Request, Response, Result};
use sitemap::Sitemap;

/// What stands at which address.
#[derive(Default)]
struct Site(HashMap<String, std::result::Result<Response, Failure>>);

/// What a crawl came to.
#[derive(Debug, Default)]
struct Crawl {
    /// Without scheme and host, with the range; what is kept is asked for once.
    asked: Vec<String>,
    /// Without scheme and host.
    pictures: Vec<String>,
    /// Of each turn that had some.
    sizes: Vec<usize>,
    warnings: Vec<String>,
    longest_state: usize,
}

impl Site {
    fn with(mut self, path: &str, body: &str) -> Self {
        let url = format!("https://example.org{path}");
        self.0.insert(url.clone(), Answer::of(&url, 200, body).outcome);
        self
    }

    fn failing(mut self, path: &str, failure: Failure) -> Self {
        self.0.insert(format!("https://example.org{path}"), Err(failure));
        self
    }

    fn status(mut self, path: &str, status: u16) -> Self {
        let url = format!("https://example.org{path}");
        self.0.insert(url.clone(), Answer::of(&url, status, "").outcome);
        self
    }

    fn answer(&self, request: &Request) -> Answer {
        let range = request.headers.iter().find(|(name, _)| name == "range").map(|(_, value)| value);
        let mut answer = Answer::of(&request.url, 404, "");
        answer.key.clone_from(&request.key);
        answer.outcome = match (self.0.get(&request.url), range) {
            (Some(Ok(response)), Some(range)) => Ok(part(response, range)),
            // What is read in parts is too large for one answer.
            (Some(Ok(response)), None) if response.status == 200 && body(response).len() > 16 << 20 => {
                Err(Failure::TooLarge(16 << 20))
            }
            (Some(outcome), _) => outcome.clone(),
            (None, _) => answer.outcome,
        };
        answer
    }

    fn crawl(&self, query: &Query) -> Result<Crawl> {
        let short = |url: &str| url.strip_prefix("https://example.org").unwrap_or(url).to_owned();
        let mut crawl = Crawl::default();
        let mut turn = Sitemap::start(query)?;
        let (mut kept, mut last) = (HashMap::new(), None);
        loop {
            let found = turn.found;
            if !found.candidates.is_empty() {
                crawl.sizes.push(found.candidates.len());
            }
            crawl.pictures.extend(found.candidates.iter().map(|candidate| short(&candidate.url)));
            crawl.warnings.extend(found.warnings);
            let state = serde_json::to_string(&turn.state).expect("plain data");
            crawl.longest_state = crawl.longest_state.max(state.len());
            let state = serde_json::from_str(&state).expect("its own");
            match turn.next {
                Next::Done => return Ok(crawl),
                Next::Again => {}
                Next::Fetch(requests) => {
                    let [request] = &requests[..] else { panic!("{requests:?}") };
                    let mut asked = short(&request.url);
                    asked.extend(request.headers.iter().map(|(_, value)| format!(" {value}")));
                    assert!(crawl.asked.len() < 1_000, "{:?}", &crawl.asked[..20]);
                    assert_eq!(request.keep, request.headers.is_empty());
                    let answer = kept.entry(asked.clone()).or_insert_with(|| {
                        crawl.asked.push(asked);
                        self.answer(request)
                    });
                    last = Some(Answer { key: request.key.clone(), ..answer.clone() });
                }
            }
            turn = Sitemap::resume(query, state, Vec::from_iter(last.clone()))?;
        }
    }
}

fn body(response: &Response) -> &[u8] {
    match &response.body {
        Content::Text(text) => text.as_bytes(),
        Content::Binary(bytes) => bytes,
    }
}

fn part(response: &Response, range: &str) -> Response {
    let whole = body(response);
    let (first, last) = range.trim_start_matches("bytes=").split_once('-').expect("a range");
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let (first, last) = (number(first), number(last));
    let Some(bytes) = whole.get(first..(last + 1).min(whole.len())).filter(|part| !part.is_empty()) else {
        return Response { status: 416, ..response.clone() };
    };
    let range = format!("bytes {first}-{}/{}", first + bytes.len() - 1, whole.len());
    let headers = vec![("content-range".to_owned(), range)];
    Response { status: 206, headers, body: Content::Binary(bytes.to_vec()), ..response.clone() }
}

fn query(path: &str) -> Query {
    Query::of(&format!("https://example.org{path}"))
}

fn with(path: &str, name: &str, value: &str) -> Query {
    query(path).with(&[(name, value)])
}

fn index(paths: &[&str]) -> String {
    let entries: String =
        paths.iter().map(|path| format!("<sitemap><loc>https://example.org{path}</loc></sitemap>")).collect();
    format!("<sitemapindex>{entries}</sitemapindex>")
}

/// Pages with these numbers of pictures.
fn pages(name: &str, counts: &[usize]) -> String {
    let mut text = "<urlset>".to_owned();
    for (page, count) in counts.iter().enumerate() {
        text.push_str(&format!("<url><loc>/{name}/{page}</loc>"));
        for picture in 0..*count {
            text.push_str(&format!(
                "<image:image><image:loc>/{name}/{page}-{picture}.jpg</image:loc></image:image>"
            ));
        }
        text.push_str("</url>\n");
    }
    text + "</urlset>"
}

#[test]
fn a_site_says_where_its_sitemaps_are() {
    let robots = "User-agent: *\nDisallow: /x\n\nsitemap : https://example.org/a.xml # ours\r\nSITEMAP:/b.xml\nSitemap:\nfoo";
    let site = Site::default()
        .with("/robots.txt", robots)
        .with("/a.xml", &pages("a", &[1]))
        .with("/b.xml", &index(&["/c.xml"]))
        .with("/c.xml", &pages("c", &[1]));
    let crawl = site.crawl(&query("")).unwrap();
    assert_eq!(crawl.asked, ["/robots.txt", "/a.xml", "/b.xml", "/c.xml"]);
    assert_eq!(crawl.pictures, ["/a/0-0.jpg", "/c/0-0.jpg"]);
    assert_eq!(crawl.warnings, [""; 0]);
    assert_eq!(site.crawl(&query("/robots.txt")).unwrap().asked, crawl.asked);
}

#[test]
fn robots_txt_as_it_is_written() {
    for robots in [
        "User-agent: *\rDisallow: /x\rSitemap: /a.xml\rSitemap: https://example.org/b.xml",
        "Site-map: /a.xml#x\n\rSITE-MAP:/b.xml#main\r\n",
        "\u{feff}sitemap /a.xml\nUser-agent: *\n  Sitemap  :\t/b.xml\t# ours\nSitemaps: /c.xml\n#Sitemap: /c.xml\nsitemap\n",
    ] {
        let site = Site::default()
            .with("/robots.txt", robots)
            .with("/a.xml", &pages("a", &[1]))
            .with("/b.xml", &pages("b", &[1]));
        assert_eq!(site.crawl(&query("/")).unwrap().asked, ["/robots.txt", "/a.xml", "/b.xml"], "{robots}");
    }
}

#[test]
fn where_robots_txt_names_none_there_is_mostly_one() {
    let site = Site::default().with("/sitemap.xml", &pages("a", &[2]));
    for robots in [site.crawl(&query("/")), site.with("/robots.txt", "User-agent: *").crawl(&query("/"))] {
        let crawl = robots.unwrap();
        assert_eq!(
            (crawl.asked, crawl.pictures.len()),
            (vec!["/robots.txt".to_owned(), "/sitemap.xml".to_owned()], 2)
        );
    }
    let Err(Error::InvalidQuery(message)) = Site::default().crawl(&query("/")) else { panic!() };
    assert!(message.starts_with("https://example.org names no sitemap"), "{message}");
}

#[test]
fn an_index_of_50_000_is_walked_in_windows() {
    let paths: Vec<_> = (0..50_000).map(|n| format!("/sitemaps/products/page-{n}.xml.gz")).collect();
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let mut site = Site::default().with("/sitemap.xml", &index(&paths));
    for path in &paths[..900] {
        site = site.with(path, &pages(path, &[1]));
    }
    let crawl = site.crawl(&with("/sitemap.xml", "max-files", "900")).unwrap();
    assert_eq!(crawl.pictures.len(), 899);
    assert!(crawl.longest_state < 16 << 10, "{}", crawl.longest_state);
    assert_eq!(crawl.asked.len(), 900);
    assert_eq!(crawl.warnings, ["stopped after 900 sitemaps, there are more (option `max-files`)"]);
}

#[test]
fn indexes_in_indexes_have_an_end() {
    let site = Site::default()
        .with("/1.xml", &index(&["/1.xml", "/2.xml", "/a.xml"]))
        .with("/2.xml", &index(&["/1.xml", "/3.xml"]))
        .with("/3.xml", &index(&["/2.xml", "/4.xml", "/b.xml"]))
        .with("/4.xml", &index(&["/c.xml"]))
        .with("/a.xml", &pages("a", &[1]))
        .with("/b.xml", &pages("b", &[1]));
    let crawl = site.crawl(&query("/1.xml")).unwrap();
    assert_eq!(crawl.asked, ["/1.xml", "/2.xml", "/3.xml", "/4.xml", "/b.xml", "/a.xml"]);
    assert_eq!(crawl.pictures, ["/b/0-0.jpg", "/a/0-0.jpg"]);
    assert_eq!(
        crawl.warnings,
        ["left out: https://example.org/4.xml is an index in an index, more than 3 deep"]
    );
}

#[test]
fn the_longest_state_fits() {
    let long = |name: &str| {
        let paths: Vec<_> = (0..9).map(|n| format!("/{name}{n}?{}", "\\".repeat(2_000))).collect();
        index(&paths.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut site = Site::default().with("/0.xml", &long("a"));
    for (path, name) in [("a0", "b"), ("b0", "c")] {
        site = site.with(&format!("/{path}?{}", "\\".repeat(2_000)), &long(name));
    }
    let crawl = site.crawl(&query("/0.xml"));
    assert!(matches!(crawl, Err(Error::InvalidQuery(_))), "{crawl:?}");
    let site = site.with(&format!("/c0?{}", "\\".repeat(2_000)), &pages("c", &[1]));
    let crawl = site.crawl(&query("/0.xml")).unwrap();
    assert!(crawl.longest_state < 60 << 10, "{}", crawl.longest_state);
}

#[test]
fn a_long_file_is_read_in_steps() {
    let mut counts = [900; 5].to_vec();
    counts.push(1_000);
    let site = Site::default().with("/a.xml", &pages("a", &counts));
    let crawl = site.crawl(&query("/a.xml")).unwrap();
    assert_eq!(crawl.sizes, [1_800, 1_800, 1_900]);
    assert_eq!(crawl.asked, ["/a.xml"]);
    assert_eq!(crawl.warnings, [""; 0]);
    let distinct: std::collections::HashSet<_> = crawl.pictures.iter().collect();
    assert_eq!(distinct.len(), 5_500);
}

#[test]
fn a_file_larger_than_an_answer_is_read_in_parts() {
    let filler = format!("<!--{}-->", "é".repeat(200));
    let text = pages("a", &[1; 45_000]).replace("</url>", &format!("</url>{filler}"));
    assert!(text.len() > 20 << 20);
    let crawl = Site::default().with("/a.xml", &text).crawl(&query("/a.xml")).unwrap();
    assert_eq!(crawl.pictures.len(), 45_000);
    assert_eq!(crawl.asked[..2], ["/a.xml", "/a.xml bytes=0-1048575"]);
    assert!(
        crawl.asked.len() < 50 && crawl.warnings.is_empty(),
        "{} {:?}",
        crawl.asked.len(),
        crawl.warnings
    );
    // Where the server gives no parts, or the file is packed, it cannot be read.
    for (path, expect) in [
        ("/a.xml", "is larger than 16 MiB, and its server does not give it in parts"),
        ("/a.xml.gz", "is larger than 16 MiB unpacked, and a compressed file cannot be read in parts"),
    ] {
        let site = Site::default().failing(path, Failure::TooLarge(16 << 20));
        let Err(Error::InvalidQuery(message)) = site.crawl(&query(path)) else { panic!() };
        assert_eq!(message, format!("https://example.org{path} {expect}"));
    }
}

#[test]
fn bytes_and_cut_ends() {
    let mut bytes =
        b"<urlset><url><loc>/a</loc><image><loc>/a.jpg</loc><title>\xe9</title></image></url><url><loc>"
            .to_vec();
    let mut site = Site::default().with("/a.xml", "");
    let url = "https://example.org/a.xml".to_owned();
    let response = |body| Ok(Response { status: 200, url: url.clone(), headers: Vec::new(), body });
    site.0.insert(url.clone(), response(Content::Binary(bytes.clone())));
    let crawl = site.crawl(&query("/a.xml")).unwrap();
    assert_eq!(crawl.pictures, ["/a.jpg"]);
    assert_eq!(crawl.warnings, ["https://example.org/a.xml ends in the middle of an entry"]);
    bytes = vec![0x1f, 0x8b, 8, 0];
    site.0.insert(url.clone(), response(Content::Binary(bytes)));
    let Err(Error::InvalidQuery(message)) = site.crawl(&query("/a.xml")) else { panic!() };
    assert!(message.contains("cannot be unpacked"), "{message}");
}

#[test]
fn options_choose_pages() {
    let page = |path: &str, changed: &str| {
        format!(
            "<url><loc>https://example.org/{path}</loc>{changed}<image><loc>/{path}.jpg</loc></image></url>"
        )
    };
    let text = [
        page("shop/a", "<lastmod>2026-03-01T10:00:00+01:00</lastmod>"),
        page("shop/b", "<lastmod>2025</lastmod>"),
        page("blog/c", "<lastmod>2026</lastmod>"),
        page("blog/d", "<lastmod>2026-02</lastmod>"),
        page("blog/e", ""),
    ];
    let lists =
        index(&["/a.xml", "/old.xml"]).replace("old.xml</loc>", "old.xml</loc><lastmod>2020-01-01</lastmod>");
    let site = Site::default()
        .with("/a.xml", &format!("<urlset>{}</urlset>", text.concat()))
        .with("/index.xml", &lists);
    for (name, value, expect) in [
        ("page-contains", "/shop/", &["/shop/a.jpg", "/shop/b.jpg"][..]),
        ("page-contains", "/none/", &[]),
        ("changed-since", "2026-03-01", &["/shop/a.jpg", "/blog/c.jpg", "/blog/e.jpg"]),
        ("changed-since", "2026-03-02", &["/blog/c.jpg", "/blog/e.jpg"]),
    ] {
        assert_eq!(site.crawl(&with("/a.xml", name, value)).unwrap().pictures, expect, "{name} {value}");
    }
    let crawl = site.crawl(&with("/index.xml", "changed-since", "2026-01-01")).unwrap();
    assert_eq!(crawl.asked, ["/index.xml", "/a.xml"]);
    for date in ["2026", "yesterday", "2026-1-01", "01.01.2026"] {
        let refused = Sitemap::start(&with("/a.xml", "changed-since", date));
        assert!(matches!(refused, Err(Error::InvalidQuery(_))), "{date}");
    }
}

#[test]
fn what_was_left_out_is_said_at_the_end() {
    let mut text = pages("a", &[0, 2, 1_001, 0]);
    text = text.replace("/a/1-0.jpg", "").replace("/a/1-1.jpg", &"x".repeat(9_000));
    let crawl = Site::default().with("/a.xml", &text).crawl(&query("/a.xml")).unwrap();
    assert_eq!(crawl.pictures.len(), 1_000);
    assert_eq!(
        crawl.warnings,
        [
            "pages named without pictures: 2 of 4; the source `webpage` reads a page itself",
            "left out because they have no address, pictures: 1",
            "left out because their addresses are longer than 8192 bytes, pictures: 1",
            "left out because a page may have 1000, pictures: 1",
        ]
    );
    let empty = Site::default().with("/a.xml", "<urlset></urlset>").crawl(&query("/a.xml")).unwrap();
    assert_eq!(empty.warnings, ["the sitemaps name no pages"]);
}

#[test]
fn the_longest_addresses_fit_the_state() {
    let long = |name: &str, number: usize| format!("/{}{name}{number}.xml", "x".repeat(8_100));
    let level = |name: &str| (0..5).map(|number| long(name, number)).collect::<Vec<_>>();
    let listed = |paths: &[String]| index(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    let mut site = Site::default().with(&long("a", 0), &listed(&level("b")));
    site = site.with(&long("b", 4), &listed(&level("c"))).with(&long("c", 4), &listed(&level("d")));
    for name in ["b", "c", "d"] {
        for path in &level(name)[..4 + usize::from(name == "d")] {
            site = site.with(path, &pages("a", &[1]));
        }
    }
    let crawl = site.crawl(&query(&long("a", 0))).unwrap();
    assert_eq!((crawl.asked.len(), crawl.pictures.len()), (16, 13), "{:?}", crawl.warnings);
    assert!(crawl.longest_state <= 64 << 10, "{}", crawl.longest_state);
}

#[test]
fn a_missing_file_costs_only_itself() {
    let paths = ["/1.xml", "/2.xml", "/3.xml", "/4.xml", "/5.xml", "/6.xml", "/a.xml", "/7.xml"];
    let site = Site::default()
        .with("/i.xml", &index(&paths))
        .with("/1.xml", "<html>")
        .status("/2.xml", 403)
        .status("/3.xml", 418)
        .failing("/4.xml", Failure::Robots("no".to_owned()))
        .failing("/5.xml", Failure::Timeout)
        .with("/6.xml", "<other/>")
        .with("/a.xml", &pages("a", &[1]))
        .failing("/7.xml", Failure::Status(502));
    let crawl = site.crawl(&query("/i.xml")).unwrap();
    assert_eq!((crawl.pictures.len(), crawl.warnings.len()), (1, 6));
    assert!(
        crawl.warnings[1].starts_with("left out: https://example.org/2.xml may not be read"),
        "{:?}",
        crawl.warnings
    );
    assert_eq!(crawl.warnings[5], "left out because they could not be read, sitemaps: 2");
}

#[test]
fn a_site_that_is_down_is_no_empty_site() {
    let down = |count: usize| {
        let paths = ["/1.xml", "/2.xml", "/3.xml", "/a.xml"];
        let mut site = Site::default().with("/i.xml", &index(&paths)).with("/a.xml", &pages("a", &[1]));
        for path in &paths[..count] {
            site = site.failing(path, Failure::Timeout);
        }
        site.crawl(&query("/i.xml"))
    };
    assert_eq!(down(2).unwrap().pictures.len(), 1);
    assert!(matches!(down(3), Err(Error::Unavailable(_))));
    let one = |failure| Site::default().failing("/a.xml", failure).crawl(&query("/a.xml")).unwrap_err();
    assert!(matches!(one(Failure::Timeout), Error::Unavailable(_)));
    assert!(matches!(one(Failure::Status(429)), Error::RateLimited(_)));
    assert!(matches!(one(Failure::Robots("no".to_owned())), Error::InvalidQuery(_)));
    assert!(matches!(Site::default().crawl(&query("/a.xml")), Err(Error::InvalidQuery(_))));
    let gone = Site::default().with("/i.xml", &index(&["/a.xml", "/b.xml"])).crawl(&query("/i.xml"));
    assert!(matches!(gone, Err(Error::InvalidQuery(_))), "{gone:?}");
}

#[test]
fn a_changed_layout_is_no_empty_site() {
    for (document, expect) in [
        (pages("a", &[1]).replace("urlset", "pages"), "`urlset`"),
        (pages("a", &[1]).replace("url>", "page>"), "`url`"),
        (pages("a", &[1]).replace("loc>", "href>"), "`loc` in `url`"),
        (pages("a", &[1, 2]).replace("image:loc", "image:href"), "`image`"),
        (pages("a", &[1]).replace("image:image", "image:picture"), "`image` around"),
        (index(&["/b.xml"]).replace("sitemap>", "map>"), "`sitemap`"),
        (index(&["/b.xml"]).replace("loc>", "href>"), "`loc` in `sitemap`"),
    ] {
        let crawl = Site::default().with("/a.xml", &document).crawl(&query("/a.xml"));
        let Err(Error::LayoutChanged(message)) = crawl else { panic!("{document}: {crawl:?}") };
        assert!(message.contains(expect), "{message}");
    }
}
