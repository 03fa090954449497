//! `jobs`: what became of crawls, beside a server and without one.

use pixcrawler::model::Refusal;

use super::*;
use crate::support::process::System;

/// What a command says, once it has ended with this code.
async fn said(system: &System, arguments: &[&str], code: i32) -> Ended {
    let output = system.run(arguments, &[]).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Ended { code: output.status.code().unwrap(), stdout, stderr }.expect(code)
}

#[tokio::test]
async fn jobs_are_looked_at_and_changed_beside_a_server() {
    let site = Site::start().await;
    let system = System::private(&site).await;
    let mut pictures = site.gallery("/a", 2, None);
    pictures.push("/a/lost.png".to_owned());
    site.on("/a", [page(&pictures, None)]);
    let (start, gone) = (format!("{ORIGIN}/a"), format!("{ORIGIN}/gone"));
    let out = system.data().join("out");
    let mapping = site.mapping();
    let crawl = ["crawl", "--url", &start, "--url", &gone, "--out", out.to_str().unwrap(), "--json"];
    let crawl = [&crawl[..], &["--map-origin", &mapping]].concat();
    let crawled = said(&system, &crawl, 1).await.json();
    let of_crawl = crawled["job"].to_string();
    // Nobody works on it: the server has no worker.
    let of_api = system.create(&["/a"], 5).await.to_string();
    let jobs =
        async |arguments: &[&str], code: i32| said(&system, &[&["jobs"], arguments].concat(), code).await;
    let ids = |listed: &Value| -> Vec<String> {
        listed["jobs"].as_array().unwrap().iter().map(|job| job["id"].to_string()).collect()
    };

    let listed = jobs(&["list", "--json"], 0).await.json();
    assert_eq!(ids(&listed), [&*of_crawl]);
    let job = &listed["jobs"][0];
    assert_eq!((&job["status"], &job["kept"]), (&json!("completed"), &json!(2)), "{job}");
    assert_eq!(job["wanted"], crawled["wanted"]);
    let all = jobs(&["ls", "--all-users", "--json"], 0).await.json();
    assert_eq!(ids(&all), [&*of_api, &*of_crawl]);
    let ann = ["--user", "Ann@Example.org "];
    assert_eq!(ids(&jobs(&[&["list", "--json"], &ann[..]].concat(), 0).await.json()), [&*of_api]);
    let by_id = ["list", "--json", "--user", all["jobs"][0]["user"].as_str().unwrap()];
    assert_eq!(ids(&jobs(&by_id, 0).await.json()), [&*of_api]);
    assert_eq!(
        ids(&jobs(&["list", "--all-users", "--status", "pending", "--json"], 0).await.json()),
        [&*of_api]
    );
    let first = jobs(&["list", "--all-users", "--limit", "1"], 0).await;
    first.says(&["There are more than 1"]);
    let lines: Vec<_> = first.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("ID  USER "), "{first:#?}");
    assert_eq!(lines[0].find("STATUS"), lines[1].find("pending"), "columns: {first:#?}");
    let none = jobs(&["list", "--status", "failed"], 0).await;
    none.says(&["There is no such job made by `pixcrawler crawl`", "--all-users"]);
    assert_eq!(none.stdout, "");

    let shown = jobs(&["show", &of_crawl, "--json"], 0).await.json();
    for field in ["kept", "found", "duplicates", "refused", "reason", "warnings"] {
        assert_eq!(shown[field], crawled[field], "{field}: {shown}");
    }
    assert_eq!(shown["urls"], json!([start, gone]));
    assert_eq!(
        (&shown["parts"][1]["state"], &shown["parts"][1]["source"]),
        (&json!("failed"), &json!("webpage"))
    );
    let text = jobs(&["view", &of_crawl], 0).await.stdout;
    for part in ["kept     2 of ", "1 refused (1 not-found)", "webpage  failed ", &gone] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }

    let refused = jobs(&["refused", &of_crawl, "--json"], 0).await.json();
    let lost = format!("{ORIGIN}/a/lost.png");
    assert_eq!(refused["refused"].as_array().unwrap().len(), 1, "{refused}");
    let refused = &refused["refused"][0];
    assert_eq!(
        (&refused["url"], &refused["code"], &refused["page_url"]),
        (&json!(lost), &json!("not-found"), &json!(start))
    );
    assert!(refused["detail"].as_str().unwrap().contains("404"), "{refused}");
    assert_eq!((&refused["source"], &refused["label"]), (&json!("webpage"), &json!(start)));
    let text = jobs(&["refused", &of_crawl, "--reason", "not-found"], 0).await.stdout;
    for part in ["not-found (1 picture)\n", Refusal::NotFound.help().advice, &lost, &format!("on {start}")] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    jobs(&["refused", &of_crawl, "--code", "corrupt"], 0).await.says(&["refused nothing as corrupt"]);
    jobs(&["refused", &of_crawl, "--reason", "banana"], 2).await.says(&["banana"]);

    // What is somebody else's, or not there at all, is not found.
    for job in [&*of_api, "99999"] {
        for command in ["show", "refused", "cancel", "retry", "delete"] {
            let failed = jobs(&[command, job], 1).await;
            failed.says(&[&format!("there is no job {job} made by `pixcrawler crawl`"), "--user EMAIL"]);
            assert_eq!(failed.stdout, "");
        }
    }
    jobs(&["show", "99999", "--all-users"], 1).await.says(&["there is no job 99999; see"]);
    for id in ["0", "pets"] {
        jobs(&["show", id], 2).await.says(&["the id of a job is a number from 1 on"]);
    }
    jobs(&["list", "--user", "ann"], 2).await.says(&["--user", "`ann`"]);

    // The server sees what was done.
    let status = async || system.job(of_api.parse().unwrap()).await["status"].clone();
    for _ in 0..2 {
        jobs(&[&["cancel", &of_api], &ann[..]].concat(), 0).await;
        assert_eq!(status().await, "cancelled");
    }
    jobs(&["retry", &of_api, "--all-users"], 0).await;
    assert_eq!(status().await, "pending");
    jobs(&["retry", &of_api, "--all-users"], 1).await.says(&["it is pending; cancel it first"]);
    jobs(&["cancel", &of_crawl], 1).await.says(&["cannot be cancelled: it is completed"]);

    // The folder of a crawl goes on by either.
    site.on("/gone", [page(&site.gallery("/more", 1, None), None)]);
    assert_eq!(jobs(&["retry", &of_crawl, "--json"], 0).await.json()["done"], "retried");
    let worker = system.worker(&[]).await;
    let over = async |id: &str| loop {
        let shown = jobs(&["show", id, "--all-users", "--json"], 0).await.json();
        if shown["status"] == "completed" {
            return shown;
        }
    };
    let shown = tokio::time::timeout(PATIENCE, over(&of_crawl)).await.unwrap();
    assert_eq!(shown["kept"], 3, "{shown}");
    assert_eq!(shown["failed_parts"], json!([]), "{shown}");
    drop(worker);
    jobs(&["retry", &of_crawl], 1).await.says(&["it is completed, and no part of it failed"]);

    jobs(&["delete", &of_crawl], 2).await.says(&["nothing was changed", "--yes"]);
    jobs(&["show", &of_crawl], 0).await;
    jobs(&["delete", &of_crawl, "--yes"], 0).await;
    jobs(&["show", &of_crawl], 1).await;
    assert!(out.join("metadata.jsonl").exists(), "the folder is its user's");
}

#[tokio::test]
async fn tables_of_others_are_not_changed_for_a_look() {
    let shell = Shell { database: empty_database().await, ..Shell::new().await };
    pixcrawler::db::bootstrap(&shell.database.pool).await.unwrap();
    shell.run(&["jobs", "list"]).await.expect(1).says(&["not up to date", "pixcrawler migrate"]);
    shell.run(&["migrate"]).await.expect(0);
    shell.run(&["jobs", "list", "--json"]).await.expect(0);
}
