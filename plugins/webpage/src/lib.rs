//! Pictures of a web page that the user names, and of the pages that follow it
//! (`rel=next`).

use pixcrawler_sdk::html::{picture, tokens, xhtml};
use pixcrawler_sdk::{
    Answer, Candidate, Chain, Chained, Content, Error, Failure, Found, Info, OptionKind, OptionSpec, Query,
    Request, Response, Result, url,
};

mod json_ld;
mod page;

pub use page::{Page, read};

/// The source.
#[derive(Debug)]
pub struct Webpage;

pixcrawler_sdk::export_source!(Chain<Webpage>);

/// Pages of one crawl when the user says nothing, and at most.
const DEFAULT_PAGES: usize = 10;
const MOST_PAGES: usize = 1_000;

impl Chained for Webpage {
    /// Hashes of the addresses of the pages read.
    type Memo = Vec<u64>;

    fn info() -> Info {
        let max_pages = OptionSpec::new(
            "max-pages",
            "Pages at most",
            "How many pages to read where one links to the next, from 1 to 1000.",
            OptionKind::Integer,
        );
        Info {
            description: "Pictures of one web page and of the pages that follow it. \
                Pages that are built by scripts in the browser cannot be read."
                .to_owned(),
            options: vec![max_pages.default(&DEFAULT_PAGES.to_string())],
            ..Info::address("webpage", "Web page", env!("CARGO_PKG_VERSION")).web("*")
        }
    }

    fn first(query: &Query) -> Request {
        Request::get(&query.text, &[])
    }

    fn read(query: &Query, seen: &mut Vec<u64>, answer: Answer) -> Result<(Found, Option<Request>)> {
        let first = seen.is_empty();
        let asked = answer.url.clone();
        let page = match open(answer) {
            Ok(response) => look(&response, &asked),
            Err(error) => Err(error),
        };
        let mut page = match page {
            // What can be had of a list stays good when a later page is missing.
            Err(Error::InvalidQuery(why)) if !first => Page { warnings: vec![why], ..Page::default() },
            page => page?,
        };
        seen.extend([url::fingerprint(&asked), url::fingerprint(&page.url)]);
        let next = page.next.take().filter(|next| !seen.contains(&url::fingerprint(next)));
        let most = query.option("max-pages").and_then(|most| most.parse().ok()).unwrap_or(DEFAULT_PAGES);
        let next = match next {
            // Every page left two hashes.
            Some(_) if seen.len() / 2 >= most.clamp(1, MOST_PAGES) => {
                page.warnings.push(format!("stopped after {} pages, there are more", seen.len() / 2));
                None
            }
            next => next,
        };
        let found = Found { candidates: page.candidates, warnings: page.warnings };
        Ok((found, next.map(|next| Request::get(&next, &[]))))
    }
}

/// The response, which may be a picture that is larger than a page.
fn open(answer: Answer) -> Result<Response> {
    match &answer.outcome {
        // The host downloads it by other limits.
        Err(Failure::TooLarge(_)) if picture::is_file(&answer.url) => {
            let headers = vec![("content-type".to_owned(), "image/*".to_owned())];
            Ok(Response { status: 200, url: answer.url, headers, body: Content::Binary(Vec::new()) })
        }
        _ => answer.named_response(),
    }
}

/// What the answer is: a page, or a picture itself.
fn look(response: &Response, asked: &str) -> Result<Page> {
    let kind = response.header("content-type").unwrap_or_default();
    // Two fields that became one are separated by a comma.
    let kind = kind.split([';', ',']).next().unwrap_or_default().trim().to_ascii_lowercase();
    let binary = matches!(response.body, Content::Binary(_));
    if kind.starts_with("image/") || (binary && picture::is_file(&response.url)) {
        let candidates =
            vec![Candidate { page_url: Some(asked.to_owned()), ..Candidate::new(&response.url) }];
        return Ok(Page { url: response.url.clone(), candidates, ..Page::default() });
    }
    let policy = response.header("referrer-policy").unwrap_or_default();
    let is_page = |html: &str| match kind.as_str() {
        "" | "text/html" | "application/xhtml+xml" => true,
        "text/plain" | "application/xml" | "text/xml" => is_html(html),
        _ => false,
    };
    match &response.body {
        Content::Text(html) if is_page(html) => {
            let tokens = if kind.ends_with("xml") { xhtml(html) } else { tokens(html) };
            let mut page = page::read(tokens, &response.url, policy);
            let refresh = response.header("refresh").unwrap_or_default();
            page.next = page.next.or_else(|| page::refreshed(refresh, &response.url));
            Ok(page)
        }
        _ => Err(Error::InvalidQuery(format!("{asked} is neither a page nor a picture ({kind})"))),
    }
}

fn is_html(text: &str) -> bool {
    let start: String = text.chars().take(1_000).collect();
    start.to_ascii_lowercase().contains("<html")
}
