//! Openverse without the internet: its API and the hosts of its pictures are mapped to
//! a server on loopback, and everything else is the real thing, from job to dataset.

use std::{collections::BTreeMap, fs, io::Cursor, path::Path, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use image::{ImageFormat, ImageReader, Rgb, RgbImage};
use pixcrawler::{dataset, model::JobId};
use pixcrawler_recordings::recordings;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{
    api::{Api, User},
    events::Events,
    origin::{Asked, Origin, Reply, refusal, reply},
};

const SEARCH: &str = "api.openverse.org/v1/images/";
const TOKEN: &str = "api.openverse.org/v1/auth_tokens/token/";
const PAGES: [&str; 2] = [include_str!("openverse/page-1.json"), include_str!("openverse/page-2.json")];

/// A picture, and what is known of it without the host.
struct Photo {
    bytes: Bytes,
    size: (u32, u32),
}

/// The pictures that the results of some pages point to, by `host/path`.
type Photos = Arc<BTreeMap<String, Photo>>;

/// By hash, because the same one may be installed twice.
type Installed = BTreeMap<[u8; 32], Photo>;

#[tokio::test]
async fn pages_become_a_dataset_with_all_that_they_say() {
    crawl_to_the_end(PAGES.map(page)).await;
}

#[tokio::test]
async fn recorded_pages_become_a_dataset_with_all_that_they_say() {
    let Some(recordings) = recordings("openverse") else { return };
    for name in ["tape__q=cat.json", "tape__q=galah.json"] {
        let recorded = fs::read_to_string(&recordings[name]).unwrap();
        crawl_to_the_end([page(&recorded), page(PAGES[1])]).await;
    }
}

/// Every result of both pages is in the rows and in the dataset, as the pages have it.
async fn crawl_to_the_end(pages: [Value; 2]) {
    let results = distinct(&pages);
    let photos = photos(&results, installed());
    let site =
        openverse(&photos, move |number| reply("application/json", pages[number - 1].to_string())).await;
    let api = host(&site, &[]).await;
    let ann = api.user("ann@example.org");
    let created = create(&ann).await;
    let job = follow(&api, &created).await.until(|job| job["status"] == "completed").await;
    assert_eq!(job["kept"], results.len());
    assert_eq!((&job["refused"], &job["duplicates"], &job["warnings"]), (&json!({}), &json!(0), &json!([])));
    let error = format!("kept {} of 400: the sources have no more", results.len());
    assert_eq!(job["error"], error);
    let searches: Vec<String> =
        site.asked().into_iter().map(|asked| asked.url).filter(|url| url.starts_with(SEARCH)).collect();
    let search = |number: u32| format!("{SEARCH}?q=grey%20heron&page={number}&page_size=20");
    assert_eq!(searches, [search(1), search(2)]);

    let rows = kept(&ann, &job).await;
    let folder = tempfile::tempdir().unwrap();
    let user = api.app.auth.verify(&ann.token).await.unwrap().user;
    let id = JobId(i32::try_from(job["id"].as_i64().unwrap()).unwrap());
    dataset::export(&api.app, user, id, folder.path()).await.unwrap();
    let lines = lines(folder.path());
    assert_eq!((rows.len(), lines.len()), (results.len(), results.len()));
    for (url, result) in &results {
        let photo = &photos[bare(url)];
        check(result, photo, &rows[url], "id");
        check(result, photo, &lines[url], "file_name");
        let row = &rows[url];
        assert_eq!(row["source_id"], result["id"]);
        assert_eq!((&row["declared_width"], &row["declared_height"]), (&result["width"], &result["height"]));
        assert_eq!(row["declared_size"], result["filesize"]);
        let file = folder.path().join(lines[url]["file_name"].as_str().unwrap());
        assert_eq!(fs::read(file).unwrap(), photo.bytes, "{url}");
    }
    api.stop().await;
}

/// What a result says and what its picture is, in a row or a line that has a `name`.
fn check(result: &Value, photo: &Photo, found: &Value, name: &str) {
    assert!(!found[name].is_null(), "{found}");
    for (field, said) in [
        ("title", "title"),
        ("creator", "creator"),
        ("creator_url", "creator_url"),
        ("page_url", "foreign_landing_url"),
        ("license_url", "license_url"),
    ] {
        assert_eq!(found[field], result[said], "{field} of {result}");
    }
    let (code, version) = (result["license"].as_str().unwrap(), result["license_version"].as_str().unwrap());
    let prefix = if code.starts_with("by") { "cc-" } else { "" };
    assert_eq!(found["license"], format!("{prefix}{code}-{version}"));
    match result["attribution"].as_str() {
        Some(attribution) => assert_eq!(found["attribution"], attribution),
        None => assert!(found["attribution"].as_str().unwrap().contains(result["title"].as_str().unwrap())),
    }
    assert_eq!((&found["width"], &found["height"]), (&json!(photo.size.0), &json!(photo.size.1)), "{result}");
    let hash = found.get("sha256").unwrap_or(&found["hash"]);
    assert_eq!(*hash, hex::encode(Sha256::digest(&photo.bytes)));
    let size = found.get("file_size").unwrap_or(&found["size"]);
    assert_eq!(*size, photo.bytes.len());
    assert_eq!(found["source"], "openverse");
}

#[tokio::test]
async fn a_long_wait_is_shown_and_keeps_what_is_there() {
    let results = distinct(&[page(PAGES[0])]);
    let photos = photos(&results, BTreeMap::new());
    let site = openverse(&photos, |number| match number {
        1 => reply("application/json", PAGES[0]),
        _ => {
            let mut answer = refusal(429, &json!({ "detail": "Request was throttled." }));
            answer.headers_mut().insert("retry-after", 3600.into());
            answer
        }
    })
    .await;
    let api = host(&site, &[]).await;
    let ann = api.user("ann@example.org");
    let before = Utc::now();
    let job = create(&ann).await;
    let job = follow(&api, &job).await.until(|job| job["chunks"][0]["state"] == "waiting").await;
    let chunk = &job["chunks"][0];
    let until: DateTime<Utc> = chunk["waiting_until"].as_str().unwrap().parse().unwrap();
    let hour = TimeDelta::hours(1);
    assert!(before + hour <= until && until <= Utc::now() + hour, "{chunk}");
    assert_eq!(
        chunk["state_detail"],
        "openverse asks to come back later: still status 429 after all retries"
    );
    assert_eq!((&job["status"], &chunk["status"]), (&json!("running"), &json!("pending")));
    assert_eq!((&job["kept"], &chunk["kept"]), (&json!(results.len()), &json!(results.len())));
    assert_eq!(kept(&ann, &job).await.len(), results.len());
    let searches = site.asked().iter().filter(|asked| asked.url.starts_with(SEARCH)).count();
    assert_eq!(searches, 2, "a site that says when is asked once");
    api.stop().await;
}

#[tokio::test]
async fn the_end_of_what_anyone_may_see_is_told() {
    let results = distinct(&[page(PAGES[0])]);
    let photos = photos(&results, BTreeMap::new());
    let site = openverse(&photos, |number| match number {
        1 => reply("application/json", PAGES[0]),
        _ => refusal(401, &json!({ "detail": "Anonymous requests may not go deeper than this." })),
    })
    .await;
    let api = host(&site, &[]).await;
    let ann = api.user("ann@example.org");
    let job = create(&ann).await;
    let job = follow(&api, &job).await.until(|job| job["status"] == "completed").await;
    let said = "Openverse gives no more results for this search (Anonymous requests may not go deeper than \
                this.); without a credential it gives 240";
    assert_eq!(job["warnings"], json!([said]));
    let kept = results.len();
    assert_eq!(job["error"], format!("kept {kept} of 400: the sources have no more (openverse: {said})"));
    assert_eq!((&job["kept"], &job["progress"]), (&json!(kept), &json!(100)));
    api.stop().await;
}

#[tokio::test]
async fn a_credential_goes_to_the_api_only() {
    let mut pages = PAGES.map(page);
    for page in &mut pages {
        page["page_size"] = json!(50);
    }
    let results = distinct(&pages);
    let photos = photos(&results, BTreeMap::new());
    let site = Origin::start(move |asked| match (picture(&photos, asked), page_number(asked)) {
        (Some(photo), _) => photo,
        (None, Some(number)) if asked.authorization.as_deref() == Some("Bearer canary-token") => {
            reply("application/json", pages[number - 1].to_string())
        }
        _ if asked.url == TOKEN => {
            let token =
                json!({ "access_token": "canary-token", "expires_in": 36000, "token_type": "Bearer" });
            reply("application/json", token.to_string())
        }
        _ => refusal(404, &Value::Null),
    })
    .await;
    let api = host(&site, &["--credential=openverse.api=canary-id:canary-secret"]).await;
    let ann = api.user("ann@example.org");
    let job = create(&ann).await;
    let job = follow(&api, &job).await.until(|job| job["status"] == "completed").await;
    assert_eq!(job["kept"], results.len());

    let (to_api, others): (Vec<_>, Vec<_>) =
        site.asked().into_iter().partition(|asked| asked.url.starts_with("api.openverse.org/"));
    // canary-id:canary-secret
    let basic = "Basic Y2FuYXJ5LWlkOmNhbmFyeS1zZWNyZXQ=";
    let asked: Vec<_> =
        to_api.iter().map(|asked| (&*asked.method, &*asked.url, asked.authorization.as_deref())).collect();
    let search = |number: u32| format!("{SEARCH}?q=grey%20heron&page={number}&page_size=50");
    assert_eq!(
        asked,
        [
            ("POST", TOKEN, Some(basic)),
            ("GET", &*search(1), Some("Bearer canary-token")),
            ("GET", &*search(2), Some("Bearer canary-token")),
        ]
    );
    assert_eq!(to_api[0].body, "grant_type=client_credentials");
    assert!(others.len() >= results.len());
    assert!(others.iter().all(|asked| asked.authorization.is_none()), "{others:?}");
    let images = ann.get(&format!("/api/v1/crawl-jobs/{}/images", job["id"])).await.expect(200).text;
    for shown in [job.to_string(), images] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    api.stop().await;
}

/// The hosts of these pictures, and the API with its answer for the page of a number.
async fn openverse(photos: &Photos, page: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Origin {
    let photos = photos.clone();
    Origin::start(move |asked| match (picture(&photos, asked), page_number(asked)) {
        (Some(photo), _) => photo,
        (None, Some(number)) => page(number),
        _ => refusal(404, &Value::Null),
    })
    .await
}

/// A host with a worker, for which `site` is the internet.
async fn host(site: &Origin, settings: &[&str]) -> Api {
    let internet = [site.mapping("*"), site.mapping("https://api.openverse.org")];
    let settings: Vec<&str> = internet.iter().map(String::as_str).chain(settings.iter().copied()).collect();
    let mut api = Api::start_with(&settings).await;
    api.work();
    api
}

async fn create(user: &User<'_>) -> Value {
    let body = json!({
        "name": "Herons", "keywords": ["grey heron"], "sources": ["openverse"], "max_images": 400,
    });
    user.post("/api/v1/crawl-jobs/", &body).await.expect(201).json()
}

async fn follow(api: &Api, job: &Value) -> Events {
    Events::open(api.request("GET", job["events_url"].as_str().unwrap())).await
}

/// The kept images of a job by address.
async fn kept(user: &User<'_>, job: &Value) -> BTreeMap<String, Value> {
    let path = format!("/api/v1/crawl-jobs/{}/images?limit=500&verdict=kept", job["id"]);
    let images = user.get(&path).await.expect(200).json();
    let by_address = |image: &Value| (image["original_url"].as_str().unwrap().to_owned(), image.clone());
    images["items"].as_array().unwrap().iter().map(by_address).collect()
}

/// The lines of `metadata.jsonl` by address.
fn lines(folder: &Path) -> BTreeMap<String, Value> {
    let listing = fs::read_to_string(folder.join("metadata.jsonl")).unwrap();
    let lines = listing.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["url"].as_str().unwrap().to_owned(), line)).collect()
}

fn page(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The results of `pages` by address; of those with the same, the first.
fn distinct(pages: &[Value]) -> BTreeMap<String, Value> {
    let mut results = BTreeMap::new();
    for result in pages.iter().flat_map(|page| page["results"].as_array().unwrap()) {
        results.entry(result["url"].as_str().unwrap().to_owned()).or_insert_with(|| result.clone());
    }
    results
}

fn bare(url: &str) -> &str {
    url.trim_start_matches("https://").trim_start_matches("http://")
}

/// Which page of the search is asked for.
fn page_number(asked: &Asked) -> Option<usize> {
    let query = asked.url.strip_prefix(SEARCH)?;
    query.split(['?', '&']).find_map(|pair| pair.strip_prefix("page="))?.parse().ok()
}

fn picture(photos: &Photos, asked: &Asked) -> Option<Reply> {
    Some(reply("image/jpeg", photos.get(&asked.url)?.bytes.clone()))
}

/// A different picture for every result: one of `installed` or, when there are no more, a painted one.
fn photos(results: &BTreeMap<String, Value>, installed: Installed) -> Photos {
    let mut installed = installed.into_values();
    let photos = (0..).zip(results.keys()).map(|(number, url)| {
        (bare(url).to_owned(), installed.next().unwrap_or_else(|| Photo::paint(number)))
    });
    Arc::new(photos.collect())
}

/// The photographs that come with this system's wallpapers, if any.
#[expect(clippy::print_stderr, reason = "says what the run was made with")]
fn installed() -> Installed {
    let mut found = BTreeMap::new();
    for folder in ["/usr/share/backgrounds", "/usr/share/wallpapers"] {
        find(Path::new(folder), &mut found);
    }
    eprintln!("{} photographs are installed", found.len());
    found
}

fn find(folder: &Path, found: &mut Installed) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            find(&entry.path(), found);
        } else if kind.is_file()
            && entry.path().extension().is_some_and(|kind| kind == "jpg" || kind == "png")
        {
            let Some(photo) = Photo::read(&entry.path()) else { continue };
            found.insert(Sha256::digest(&photo.bytes).into(), photo);
        }
    }
}

impl Photo {
    /// A file, if it is no larger than what cameras make.
    fn read(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).unwrap();
        let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().unwrap();
        let size = reader.into_dimensions().ok().filter(|(width, height)| width * height < 24_000_000)?;
        Some(Self { bytes: bytes.into(), size })
    }

    /// Clouds with grain, 0.2 to 0.4 bytes a pixel, of a size of its own; no two look alike.
    fn paint(number: u32) -> Self {
        let (width, height) = (640 + 16 * number, 480 + 8 * number);
        let mut seed = number;
        let clouds: Vec<u8> = (0..3u8)
            .flat_map(|part| Sha256::new().chain_update(number.to_be_bytes()).chain_update([part]).finalize())
            .collect();
        let picture = RgbImage::from_fn(width, height, |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = f64::from(seed >> 28) - 8.0;
            let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
            let (left, above) = ((u * 8.0) as usize, (v * 8.0) as usize);
            let (u, v) = (u * 8.0 - left as f64, v * 8.0 - above as f64);
            let at = |x: usize, y: usize| f64::from(clouds[(left + x + 9 * (above + y)) % clouds.len()]);
            let cloud =
                (at(0, 0) * (1.0 - u) + at(1, 0) * u) * (1.0 - v) + (at(0, 1) * (1.0 - u) + at(1, 1) * u) * v;
            Rgb([0.1, 0.0, -0.1].map(|tint| (30.0 + cloud * (0.7 + tint) + grain).clamp(0.0, 255.0) as u8))
        });
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg).unwrap();
        Self { bytes: bytes.into(), size: (width, height) }
    }
}
