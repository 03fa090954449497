//! A source is given the same by all who ask it: a crawl, a preview, `plugin run`, `record` and
//! `test` make of the same answers the same requests, candidates, warnings and errors.

use pixcrawler::{
    model::Candidate,
    runner::{CandidateView, cassette::Cassette},
};

use super::*;
use crate::support::{
    api::Api,
    plugins::{folder, guest},
    site::{Reply, Site},
};

/// What a source is asked for, how its site answers, and what must come of that.
struct Case {
    guest: &'static str,
    query: &'static str,
    answers: fn(&Site),
    /// Requests that the site sees, sorted; of what is refused there is none.
    asked: &'static [&'static str],
    /// Requests that the source has made.
    made: usize,
    candidates: usize,
    /// Part of the only warning.
    warning: Option<&'static str>,
    /// Part of the error, and whether a recording is written all the same.
    error: Option<(&'static str, bool)>,
}

const CASES: [Case; 5] = [
    // A list that is kept, items, and a step that goes on with the same answers.
    Case {
        guest: "museum",
        query: "fox",
        answers: |site| {
            site.on("/list?q=fox", [text(200, "1\n2\n3\n")]);
            let pictures = |numbers: std::ops::Range<u32>| {
                let addresses = numbers.map(|number| format!("{ORIGIN}/{number}.png\n"));
                text(200, &addresses.collect::<String>())
            };
            site.on("/thing/1", [pictures(0..5)]);
            site.on("/thing/2", [pictures(5..6)]);
            site.on("/thing/3", [pictures(6..8)]);
        },
        asked: &["/list?q=fox", "/thing/1", "/thing/2", "/thing/3"],
        made: 4,
        candidates: 8,
        warning: None,
        error: None,
    },
    // All kinds of requests; 404 is an answer, a 503 passes, and a redirect leads where nobody may ask.
    Case {
        guest: "contract",
        query: "everything",
        answers: |site| {
            for path in ["/kept", "/text", "/binary", "/robots", "/skipped", "/timeout"] {
                site.on(path, [text(200, path)]);
            }
            for path in ["/item", "/too-large", "/network", "/other"] {
                site.on(path, [text(404, "not here")]);
            }
            site.on("/denied", [Reply::Redirect("http://10.0.0.1/".to_owned())]);
            site.on("/status", [text(503, ""), text(200, "now")]);
        },
        asked: &[
            "/binary",
            "/denied",
            "/item",
            "/kept",
            "/network",
            "/other",
            "/robots",
            "/skipped",
            "/status",
            "/status",
            "/text",
            "/timeout",
            "/too-large",
        ],
        made: 12,
        candidates: 14,
        warning: Some("as asked"),
        error: None,
    },
    Case {
        guest: "forbidden",
        query: "http://elsewhere.example/",
        answers: |_| (),
        asked: &[],
        made: 1,
        candidates: 0,
        warning: Some("host `elsewhere.example` is not granted to source `forbidden`"),
        error: None,
    },
    // To this source 404 is none of the answers that it knows.
    Case {
        guest: "museum",
        query: "gone",
        answers: |site| site.on("/list?q=gone", [text(404, "not here")]),
        asked: &["/list?q=gone"],
        made: 1,
        candidates: 0,
        warning: None,
        error: Some(("http://site.example/list?q=gone: Ok(Response { status: 404", true)),
    },
    // Last, because the site is left alone from here on.
    Case {
        guest: "museum",
        query: "busy",
        answers: |site| site.on("/list?q=busy", [Reply::Status(429, Some(600))]),
        asked: &["/list?q=busy"],
        made: 1,
        candidates: 0,
        warning: None,
        error: Some(("still status 429 after all retries", false)),
    },
];

/// What came of a case.
#[derive(Debug, PartialEq)]
struct Outcome {
    asked: Vec<String>,
    made: usize,
    candidates: Vec<Candidate>,
    warnings: Vec<String>,
    error: Option<String>,
}

/// An answer of which nothing is left out of a cassette.
fn text(status: u16, body: &str) -> Reply {
    Reply::Raw(format!("HTTP/1.1 {status} -\r\ncontent-type: text/plain\r\n\r\n{body}").into_bytes())
}

/// Where everybody asks: a site of their own, and the guests.
struct Room {
    site: Site,
    components: tempfile::TempDir,
}

impl Room {
    async fn new() -> Self {
        let guests = ["museum", "contract", "forbidden"].map(|name| (format!("{name}.wasm"), guest(name)));
        let guests = guests.each_ref().map(|(name, wasm)| (name.as_str(), wasm.clone()));
        Self { site: Site::start().await, components: folder(&guests) }
    }

    fn settings(&self) -> [String; 3] {
        let plugins = format!("--plugins-dir={}", self.components.path().display());
        let mapping = format!("--map-origin={}", self.site.mapping());
        [plugins, "--grant=museum,contract,forbidden".to_owned(), mapping]
    }

    /// What `way` makes of the case: candidates, warnings, number of requests, error.
    async fn outcome<F>(&self, case: &Case, way: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = (usize, Vec<Candidate>, Vec<String>, Option<String>)>,
    {
        (case.answers)(&self.site);
        let before = self.site.requests("/").len();
        let (made, candidates, warnings, error) = way().await;
        let hosts = self.site.header("/", "host");
        let asked = self.site.requests("/").into_iter().zip(hosts).skip(before);
        let asked = asked.filter(|(path, host)| {
            host.as_deref() == Some("site.example") && !path.ends_with(".png") && path != "/robots.txt"
        });
        let mut asked: Vec<String> = asked.map(|(path, _)| path).collect();
        asked.sort();
        Outcome { asked, made, candidates, warnings, error }
    }
}

fn strings(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Candidates under the names that people see.
fn candidates(value: &Value) -> Vec<Candidate> {
    let views: Vec<CandidateView> = serde_json::from_value(value.clone()).unwrap();
    views.into_iter().map(|view| view.0).collect()
}

#[tokio::test]
async fn whoever_asks_a_source_is_given_the_same() {
    let (desk, room) = (Desk::new(), Room::new().await);
    let settings = room.settings();
    let settings = settings.each_ref().map(String::as_str);
    // Apart, because each remembers what the site asked it for.
    let (crawling, previewing) = (Api::crawling(&settings).await, Api::start_with(&settings).await);
    let (crawler, previewer) = (crawling.user("ann@example.org"), previewing.user("ann@example.org"));
    for case in &CASES {
        let (guest, query) = (case.guest, case.query);
        let by_run = room.outcome(case, async || {
            let code = i32::from(case.error.is_some());
            let told = desk.plugin(&[&["run", guest, query, "--json"], &settings[..]].concat()).await;
            let told = told.expect(code).json();
            let made = told["requests"].as_u64().unwrap() as usize;
            let error = told["error"].as_str().map(str::to_owned);
            (made, candidates(&told["candidates"]), strings(&told["warnings"]), error)
        });
        let by_run = by_run.await;

        let error = |told: Option<&str>| match (told, case.error) {
            (None, None) => None,
            (Some(told), Some((part, _))) if told.contains(part) => by_run.error.clone(),
            (told, _) => panic!("{guest} {query}: {told:?}"),
        };
        let expected = Outcome {
            asked: case.asked.iter().map(|path| (*path).to_owned()).collect(),
            made: case.made,
            candidates: by_run.candidates.clone(),
            warnings: by_run.warnings.clone(),
            error: error(by_run.error.as_deref()),
        };
        assert_eq!(by_run, expected);
        assert_eq!(by_run.candidates.len(), case.candidates, "{by_run:#?}");
        assert_eq!(by_run.warnings.len(), case.warning.iter().len(), "{by_run:#?}");
        let is_told = |part: &str| by_run.warnings.iter().all(|warning| warning.contains(part));
        assert!(case.warning.is_none_or(is_told), "{by_run:#?}");

        let by_recording = room.outcome(case, async || {
            let code = i32::from(case.error.is_some());
            let record = ["record", guest, query, "-o", "c.toml", "--force"];
            let told = desk.plugin(&[&record, &settings[..]].concat()).await.expect(code);
            let told = case.error.map(|_| told.stdout + &told.stderr);
            let error = error(told.as_deref());
            if case.error.is_some_and(|(_, is_written)| !is_written) {
                return (case.made, Vec::new(), Vec::new(), error);
            }
            let cassette = Cassette::read(&desk.path("c.toml")).unwrap();
            let component = room.components.path().join(format!("{guest}.wasm"));
            let test = ["test", component.to_str().unwrap(), "c.toml", "--json"];
            let tested = desk.plugin(&test).await.expect(0).json();
            assert_eq!(tested["cassettes"][0]["candidates"], case.candidates, "{tested}");
            let expect = cassette.expect.unwrap();
            let candidates = expect.candidates.into_iter().map(|view| view.0).collect();
            (cassette.exchanges.len(), candidates, expect.warnings, error)
        });
        assert_eq!(by_recording.await, by_run);

        let by_preview = room.outcome(case, async || {
            let path = format!("/api/v1/sources/{guest}/preview");
            let told = previewer.post(&path, &json!({ "text": query })).await;
            if case.error.is_some() {
                let told = told.expect(503).json();
                assert_eq!(told["code"], "site-unavailable");
                return (case.made, Vec::new(), Vec::new(), error(told["detail"].as_str()));
            }
            let told = told.expect(200).json();
            let shown = told["candidates"].as_array().unwrap();
            assert_eq!(shown.len(), case.candidates, "{told}");
            for (shown, candidate) in shown.iter().zip(&by_run.candidates) {
                let Candidate { url, title, description, page_url, tags, .. } = candidate;
                let own = json!([url, title, description, page_url, tags]);
                let fields = ["url", "title", "description", "page_url", "tags"];
                assert_eq!(json!(fields.map(|field| &shown[field])), own);
            }
            let made = told["requests"].as_array().unwrap().len();
            (made, by_run.candidates.clone(), strings(&told["warnings"]), None)
        });
        assert_eq!(by_preview.await, by_run);

        let by_crawl = room.outcome(case, async || {
            let body = json!({ "name": query, "keywords": [query], "sources": [guest], "max_images": 20 });
            let id = crawler.create(&body).await;
            let job = match case.error {
                None => crawler.over(id).await,
                Some(_) => {
                    let waits = |job: &Value| job["chunks"][0]["state"] == "waiting";
                    let job = crawler.until(id, waits).await;
                    let path = format!("/api/v1/crawl-jobs/{id}/cancel");
                    crawler.post(&path, &json!({})).await.expect(200);
                    job
                }
            };
            let detail = job["chunks"][0]["state_detail"].as_str().filter(|_| case.error.is_some());
            let (pool, id) = (&crawling.database.pool, i32::try_from(id).unwrap());
            let made: i32 = sqlx::query_scalar("select asked from pixcrawler.chunk where job_id = $1")
                .bind(id)
                .fetch_one(pool)
                .await
                .unwrap();
            let rows = "select candidate from pixcrawler.candidate where job_id = $1 order by position";
            let rows: Vec<sqlx::types::Json<Candidate>> =
                sqlx::query_scalar(rows).bind(id).fetch_all(pool).await.unwrap();
            let candidates = rows.into_iter().map(|row| row.0).collect();
            (made as usize, candidates, strings(&job["warnings"]), error(detail))
        });
        assert_eq!(by_crawl.await, by_run);
    }
    crawling.stop().await;
    previewing.stop().await;
}
