//! `dataset`: what was gathered, and what older versions did not measure.

use super::*;

#[tokio::test]
async fn datasets_are_looked_at_and_measured() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/a", 3, None);
    pictures.push("/a/lost.png".to_owned());
    site.on("/a", [page(&pictures, None)]);
    let shell = Shell::on(&site).await;
    shell.run(&["dataset", "list"]).await.expect(0).says(&["There is no dataset made by `pixcrawler crawl`"]);
    let start = format!("{ORIGIN}/a");
    let label = format!("{start}=fox");
    shell.run(&["crawl", "--url", &start, "--label", &label, "--out", "out"]).await.expect(0);

    let listed = shell.run(&["datasets", "ls", "--json"]).await.expect(0).json();
    let dataset = &listed["datasets"][0];
    let bytes: usize = pictures[..3].iter().map(|path| picture(path).len()).sum();
    assert_eq!((&dataset["images"], &dataset["bytes"]), (&json!(3), &json!(bytes)), "{listed}");
    let id = dataset["id"].to_string();
    let text = shell.run(&["dataset", "list", "--all-users"]).await.expect(0).stdout;
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("ID  USER "), "{text}");
    assert_eq!(lines[0].find("IMAGES"), lines[1].find("3 "), "columns: {text}");

    let shown = shell.run(&["dataset", "show", &id, "--json"]).await.expect(0).json();
    assert_eq!((&shown["images"], &shown["refused"], &shown["jobs"]), (&json!(3), &json!(1), &json!(1)));
    assert_eq!(shown["labels"]["items"], json!([{ "name": "fox", "images": 3, "bytes": bytes }]));
    assert_eq!(shown["refusals"]["items"][0]["name"], "not-found");
    assert_eq!(shown["widths"][0], json!({ "from": 0.0, "below": 128.0, "images": 3, "bytes": bytes }));
    let text = shell.run(&["dataset", "view", &id]).await.expect(0).stdout;
    for part in
        ["3 (", "1 refused", "LABEL  IMAGES\nfox    3", "LICENCE    IMAGES\n(unknown)  3", "not-found   1"]
    {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    for (arguments, code, said) in [
        (&["show", "99999"][..], 1, "there is no dataset 99999 made by `pixcrawler crawl`"),
        (&["show", "99999", "--all-users"], 1, "there is no dataset 99999; see"),
        (&["show", &id, "--user", "ann@example.org"], 1, "there is no dataset"),
        (&["measure", &id, "--user", "ann@example.org"], 1, "there is no dataset"),
        (&["show", "pets"], 2, "the id of a dataset is a number from 1 on"),
    ] {
        shell.run(&[&["dataset"], arguments].concat()).await.expect(code).says(&[said]);
    }

    // As an older version left them: one object is gone, another damaged.
    let nothing = shell.run(&["dataset", "measure", "--json"]).await.expect(0).json();
    assert_eq!((&nothing["lacking"], &nothing["faults"]), (&json!(0), &json!([])));
    let pool = &shell.database.pool;
    sqlx::query("update images set crc32 = null").execute(pool).await.unwrap();
    let files: Vec<PathBuf> = objects(&shell.folder.of_host().join("objects"));
    assert_eq!(files.len(), 3);
    let bytes = fs::read(&files[0]).unwrap();
    fs::remove_file(&files[0]).unwrap();
    let half = fs::read(&files[1]).unwrap();
    fs::write(&files[1], &half[..half.len() / 2]).unwrap();
    let part = shell.run(&["dataset", "measure", &id, "--json"]).await.expect(1);
    part.says(&["2 objects could not be measured", "is missing", "is damaged", "from a backup"]);
    let part = part.json();
    assert_eq!((&part["measured"], &part["faulty"], &part["lacking"]), (&json!(1), &json!(2), &json!(3)));
    fs::write(&files[0], &bytes).unwrap();
    fs::write(&files[1], &half).unwrap();
    let rest = shell.run(&["dataset", "measure", "--all-users", "--json"]).await.expect(0).json();
    assert_eq!((&rest["measured"], &rest["images"], &rest["lacking"]), (&json!(2), &json!(2), &json!(2)));
    let text = shell.run(&["dataset", "measure"]).await.expect(0).stdout;
    assert_eq!(text, "Nothing lacks a measurement.\n");
    let measured: Vec<(String, i64)> =
        sqlx::query_as("select original_url, crc32 from images where is_valid")
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(measured.len(), 3);
    for (url, crc32) in measured {
        let path = url.strip_prefix(ORIGIN).unwrap();
        assert_eq!(crc32, i64::from(crc32fast::hash(&picture(path))), "{url}");
    }
}

/// The files of a store.
fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(objects(&path));
        } else if path.extension().is_some_and(|extension| extension == "png") {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn labels_that_a_person_gave_are_in_the_folder() {
    let site = Site::start().await;
    site.gallery("/a", 2, None);
    let shell = Shell::on(&site).await;
    let start = format!("{ORIGIN}/a");
    let crawl = ["crawl", "--url", &start, "--out", "out"];
    shell.run(&crawl).await.expect(0);
    let set = "update images set labels = '[\"tiger\"]', labels_set_at = now()
                where id = (select min(id) from images where is_valid)";
    sqlx::query(set).execute(&shell.database.pool).await.unwrap();
    shell.run(&crawl).await.expect(0);
    let tigers: Vec<_> = fs::read_dir(shell.path("out/tiger")).unwrap().collect();
    assert_eq!(tigers.len(), 1);
    let listed = fs::read_to_string(shell.path("out/metadata.jsonl")).unwrap();
    assert_eq!(listed.lines().filter(|line| line.contains("\"file_name\":\"tiger/")).count(), 1, "{listed}");
}
