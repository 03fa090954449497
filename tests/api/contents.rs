//! What datasets hold: listed, counted, and labelled by hand.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{problem, projects::make};
use crate::support::{
    api::{Api, User, json as with_body, pointers, send},
    site::{ORIGIN, Reply, Site, page, picture},
};

/// A search of three foxes, the first of which a page of two owls shows, too, with one that is lost.
async fn foxes_and_owls(site: &Site) {
    let results: Vec<_> = (0..3)
        .map(|number| {
            let path = format!("/fox/{number}.png");
            site.on(&path, [Reply::Picture]);
            json!({
                "id": path, "title": path, "url": format!("{ORIGIN}{path}"), "license": "cc0",
                "license_version": "1.0", "foreign_landing_url": ORIGIN, "mature": false,
            })
        })
        .collect();
    let found = json!({ "result_count": 3, "page_count": 1, "page": 1, "results": results });
    site.on("/v1/images/?q=fox&page=1&page_size=20", [Reply::Json(found.to_string())]);
    let mut owls = site.gallery("/owls", 2, None);
    owls.extend(["/owls/fox.png", "/owls/lost.png"].map(str::to_owned));
    site.on("/owls/fox.png", [Reply::Bytes(picture("/fox/0.png").into())]);
    site.on("/owls", [page(&owls, None)]);
}

/// Addresses of the images of a list.
fn addresses(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|image| image["original_url"].as_str().unwrap().strip_prefix(ORIGIN).unwrap()).collect()
}

/// What a facet says of each name: its images.
fn counts(shares: &Value) -> Vec<(Value, i64)> {
    assert_eq!((&shares["others"], &shares["other_images"]), (&json!(0), &json!(0)), "{shares}");
    let items = shares["items"].as_array().unwrap().iter();
    items.map(|share| (share["name"].clone(), share["images"].as_i64().unwrap())).collect()
}

/// The bins of a histogram that are not empty.
fn filled(bins: &Value) -> Vec<(f64, Option<f64>, i64)> {
    let bins = bins.as_array().unwrap().iter();
    let bins = bins.map(|bin| (bin["from"].as_f64().unwrap(), bin["below"].as_f64(), bin["images"].as_i64()));
    bins.filter(|bin| bin.2 != Some(0)).map(|bin| (bin.0, bin.1, bin.2.unwrap())).collect()
}

#[tokio::test]
async fn what_a_dataset_holds_is_listed_and_counted() {
    let site = Site::start().await;
    foxes_and_owls(&site).await;
    let api = Api::crawling(&["--map-origin", &site.mapping()]).await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let project = make(&ann, "Animals").await;
    let made = json!({ "name": "Animals", "project_id": project });
    let dataset = ann.post("/api/v1/datasets", &made).await.expect(201).json()["id"].clone();
    let path = format!("/api/v1/datasets/{dataset}");
    let crawl = async |more: Value| {
        let mut body = json!({ "name": "a", "max_images": 10, "dataset_id": dataset });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let job = ann.create(&body).await;
        ann.over(job).await;
        job
    };
    let foxes = crawl(json!({ "keywords": ["fox"], "sources": ["openverse"] })).await;
    let owls = format!("{ORIGIN}/owls");
    let owls = crawl(json!({ "urls": [owls], "sources": ["webpage"], "labels": { &owls: "owl" } })).await;

    let list = async |query: &str| {
        let page = ann.get(&format!("{path}/images{query}")).await.expect(200).json();
        addresses(&page).into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let set = |addresses: &[&str]| addresses.iter().map(|&path| path.to_owned()).collect::<BTreeSet<_>>();
    let of_foxes = ["/fox/0.png", "/fox/1.png", "/fox/2.png"];
    let of_owls = ["/owls/0.png", "/owls/1.png", "/owls/fox.png", "/owls/lost.png"];
    let all = set(&[&of_foxes[..], &of_owls].concat());
    let lost = format!("{ORIGIN}/owls/lost.png");
    for (query, expect) in [
        ("", all.clone()),
        ("?verdict=kept", set(&[&of_foxes[..], &of_owls[..2]].concat())),
        ("?verdict=duplicate", set(&["/owls/fox.png"])),
        ("?verdict=refused&reason=not-found", set(&["/owls/lost.png"])),
        ("?reason=corrupt", set(&[])),
        (&format!("?url={lost}"), set(&["/owls/lost.png"])),
        ("?source=openverse", set(&of_foxes)),
        ("?source=openvers", set(&[])),
        ("?license=cc0-1.0", set(&of_foxes)),
        ("?license=", set(&of_owls)),
        ("?license=cc0-1.0&source=webpage", set(&[])),
        // Another page showed it as an owl.
        ("?label=owl&verdict=kept", set(&["/fox/0.png", "/owls/0.png", "/owls/1.png"])),
        ("?label=ow", set(&[])),
    ] {
        assert_eq!(list(query).await, expect, "{query}");
    }
    let (mut walked, mut after) = (Vec::new(), String::new());
    loop {
        let page = ann.get(&format!("{path}/images?limit=3{after}")).await.expect(200).json();
        walked.extend(addresses(&page).into_iter().map(str::to_owned));
        if page["next"].is_null() {
            break;
        }
        after = format!("&after={}", page["next"]);
    }
    assert_eq!((walked.len(), walked.into_iter().collect::<BTreeSet<_>>()), (7, all));
    let of_job = format!("/api/v1/crawl-jobs/{foxes}/images?label=owl&source=openverse&license=cc0-1.0");
    assert_eq!(addresses(&ann.get(&of_job).await.expect(200).json()), ["/fox/0.png"]);
    for (query, name) in [("?label=%00", "label"), ("?source=a%1Bb", "source"), ("?license=%7F", "license")] {
        let told = problem(&ann.get(&format!("{path}/images{query}")).await, 422, "bad-parameter");
        assert!(told["detail"].as_str().unwrap().contains(name), "{told}");
    }

    // Bytes are measured, of what was there before, too.
    let measured: Vec<(String, Option<i64>)> =
        sqlx::query_as("select original_url, crc32 from images").fetch_all(&api.database.pool).await.unwrap();
    for (url, crc32) in measured {
        let expect = match url.strip_prefix(ORIGIN).unwrap() {
            "/owls/lost.png" => None,
            "/owls/fox.png" => Some("/fox/0.png"),
            path => Some(path),
        };
        assert_eq!(crc32, expect.map(|path| i64::from(crc32fast::hash(&picture(path)))), "{url}");
    }

    let of_project = format!("/api/v1/projects/{project}/statistics");
    for path in [&format!("{path}/statistics"), &of_project] {
        let held = ann.get(path).await.expect(200).json();
        let kept = [&of_foxes[..], &of_owls[..2]].concat();
        let bytes: usize = kept.iter().map(|path| picture(path).len()).sum();
        for (name, expect) in [("images", 5), ("bytes", bytes), ("duplicates", 1), ("refused", 1)] {
            assert_eq!(held[name], expect, "{name}: {held:#}");
        }
        for (name, expect) in [
            ("labels", vec![(json!("fox"), 3), (json!("owl"), 3)]),
            ("sources", vec![(json!("openverse"), 3), (json!("webpage"), 2)]),
            ("licenses", vec![(json!("cc0-1.0"), 3), (Value::Null, 2)]),
            ("formats", vec![(json!("png"), 5)]),
            ("hosts", vec![(json!("site.example"), 5)]),
            ("refusals", vec![(json!("not-found"), 1)]),
        ] {
            assert_eq!(counts(&held[name]), expect, "{name}: {held:#}");
        }
        for (name, expect) in [
            ("widths", (0.0, Some(128.0), 5)),
            ("heights", (0.0, Some(128.0), 5)),
            ("megapixels", (0.0, Some(0.1), 5)),
            ("aspect_ratios", (0.95, Some(1.05), 5)),
            ("sizes", (0.0, Some(16_384.0), 5)),
        ] {
            assert_eq!(filled(&held[name]), [expect], "{name}: {held:#}");
        }
    }

    // Of very many names the most frequent are told, and of anything that a row may hold something.
    let many = format!(
        "insert into images (crawl_job_id, original_url, filename, hash, labels, width, height)
         select {owls}, 'https://h' || n || '.example/', 'a', 'h' || n,
                case n when 1 then '\"odd\"'::jsonb when 2 then '{{}}'
                       else jsonb_build_array('l' || n, 'm' || n, null) end,
                case n when 3 then 0 else 100000 end, case n when 4 then 0 else 1 end
           from generate_series(1, 60) as n"
    );
    sqlx::query(sqlx::AssertSqlSafe(many)).execute(&api.database.pool).await.unwrap();
    let held = ann.get(&format!("{path}/statistics")).await.expect(200).json();
    let hosts = &held["hosts"];
    assert_eq!(hosts["items"].as_array().unwrap().len(), 50, "{hosts}");
    assert_eq!(
        (&hosts["items"][0]["name"], &hosts["items"][0]["images"]),
        (&json!("site.example"), &json!(5))
    );
    assert_eq!((&hosts["others"], &hosts["other_images"]), (&json!(11), &json!(11)));
    // Some of these images have two of the names that are not told.
    let labels = &held["labels"];
    assert_eq!((&held["images"], &labels["items"][0]["images"]), (&json!(65), &json!(58)));
    assert_eq!((&labels["others"], &labels["other_images"]), (&json!(69), &json!(58)), "{labels}");
    let last = |bins: &Value| bins.as_array().unwrap().last().unwrap()["images"].as_i64().unwrap();
    assert_eq!((last(&held["widths"]), last(&held["aspect_ratios"])), (59, 58));

    let empty = ann.post("/api/v1/datasets", &json!({ "name": "Empty" })).await.expect(201).json();
    let empty = ann.get(&format!("/api/v1/datasets/{}/statistics", empty["id"])).await.expect(200).json();
    assert_eq!((&empty["images"], &empty["bytes"], filled(&empty["sizes"])), (&json!(0), &json!(0), vec![]));
    for path in [format!("{path}/images"), format!("{path}/statistics"), of_project] {
        problem(&bob.get(&path).await, 404, "not-found");
    }
    api.stop().await;
}

async fn relabel(user: &User<'_>, image: &Value, body: &Value) -> crate::support::api::Answer {
    send(with_body(user.request("PATCH", &format!("/api/v1/images/{image}")), body)).await
}

#[tokio::test]
async fn labels_that_a_person_gave_stay() {
    let site = Site::start().await;
    let pictures = site.gallery("/cats", 2, None);
    let dogs = [&pictures[..], &["/dogs/lost.png".to_owned()]].concat();
    site.on("/dogs", [Reply::Held(Box::new(page(&dogs, None)))]);
    let api = Api::crawling(&["--map-origin", &site.mapping()]).await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let (cats, dogs) = (format!("{ORIGIN}/cats"), format!("{ORIGIN}/dogs"));
    let body = json!({
        "name": "a", "urls": [cats, dogs], "sources": ["webpage"], "max_images": 10,
        "labels": { &cats: "cat", &dogs: "dog" },
    });
    let job = ann.create(&body).await;
    let running = ann.until(job, |job| job["kept"] == 2).await;
    let images = format!("/api/v1/datasets/{}/images?limit=500", running["dataset_id"]);
    let kept = ann.get(&images).await.expect(200).json()["items"].clone();
    let (image, other) = (&kept[0]["id"], &kept[1]["id"]);

    let set = relabel(&ann, image, &json!({ "labels": [" tiger", "big cat", "tiger"] })).await;
    assert_eq!(set.expect(200).json()["labels"], json!(["tiger", "big cat"]));
    let same = relabel(&ann, image, &json!({})).await.expect(200).json();
    assert_eq!(same["labels"], json!(["tiger", "big cat"]));
    assert!(
        ann.get(&format!("/api/v1/crawl-jobs/{job}")).await.json()["revision"].as_i64()
            > running["revision"].as_i64()
    );
    let many: Vec<String> = (0..21).map(|number| number.to_string()).collect();
    for (body, expect) in [
        (json!({ "labels": [] }), "/labels"),
        (json!({ "labels": many }), "/labels"),
        (json!({ "labels": ["a", " "] }), "/labels/1"),
        (json!({ "labels": ["a\u{7}"] }), "/labels/0"),
        (json!({ "labels": ["é".repeat(101)] }), "/labels/0"),
        (json!({ "labels": "cat" }), "/labels"),
        (json!({ "verdict": "kept" }), "/verdict"),
    ] {
        let told = problem(&relabel(&ann, image, &body).await, 422, "broken-rules");
        assert_eq!(pointers(&told), [expect], "{told}");
    }
    problem(&relabel(&bob, image, &json!({ "labels": ["a"] })).await, 404, "not-found");

    // The other page shows both, which makes dogs of the one that nobody labelled.
    site.release(&["/dogs"]);
    assert_eq!(ann.over(job).await["status"], "completed");
    let labels = async |image: &Value| {
        let listed = ann.get(&images).await.expect(200).json();
        let listed = listed["items"].as_array().unwrap().clone();
        listed.into_iter().find(|found| found["id"] == *image).unwrap()["labels"].clone()
    };
    assert_eq!(labels(image).await, json!(["tiger", "big cat"]));
    assert_eq!(labels(other).await, json!(["cat", "dog"]));
    let lost = ann.get(&format!("{images}&verdict=refused")).await.json()["items"][0]["id"].clone();
    problem(&relabel(&ann, &lost, &json!({ "labels": ["a"] })).await, 409, "wrong-status");

    // What is downloaded has them.
    let manifest = ann.get(&format!("/api/v1/crawl-jobs/{job}/manifest")).await.expect(200).text;
    let line = manifest.lines().find(|line| line.contains("tiger")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert!(line["file_name"].as_str().unwrap().starts_with("tiger/"), "{line}");
    let did = ann.get("/api/v1/activity?resource_type=dataset").await.expect(200).json();
    assert_eq!(
        (&did["items"][0]["action"], &did["items"][0]["metadata"]),
        (&json!("UPDATE_DATASET"), &json!({ "image": image, "labels": ["tiger", "big cat"] }))
    );
    api.stop().await;
}
