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
    assert!(!text.contains("several labels"), "{text}");
    let labelled = "update images set labels = labels || to_jsonb(string_to_array('a b c d e f g h i', ' '))";
    sqlx::raw_sql(labelled).execute(&shell.database.pool).await.unwrap();
    let text = shell.run(&["dataset", "show", &id]).await.expect(0).stdout;
    let once = "(2 more)  3\nA picture with several labels counts for each of them.";
    assert!(text.contains(once) && text.contains(" 3 ("), "{text}");
    for (arguments, code, said) in [
        (&["show", "99999"][..], 1, "there is no dataset 99999 made by `pixcrawler crawl`"),
        (&["show", "99999", "--all-users"], 1, "there is no dataset 99999; see"),
        (&["show", &id, "--user", "ann@example.org"], 1, "there is no dataset"),
        (&["measure", &id, "--user", "ann@example.org"], 1, "there is no dataset"),
        (&["show", "pets"], 2, "the id of a dataset is a number from 1 on"),
    ] {
        shell.run(&[&["dataset"], arguments].concat()).await.expect(code).says(&[said]);
    }

    // As an older version left them, without perceptual hashes, too: one object is gone, another damaged.
    let nothing = shell.run(&["dataset", "measure", "--json"]).await.expect(0).json();
    assert_eq!((&nothing["lacking"], &nothing["faults"]), (&json!(0), &json!([])));
    let pool = &shell.database.pool;
    sqlx::raw_sql(
        "create table before as select id, pdq, pdq_quality, brightness, contrast, sharpness from images;
         update images set crc32 = null, pdq = null, pdq_quality = null, brightness = null, contrast = null,
                           sharpness = null;
         delete from pixcrawler.picture_batch",
    )
    .execute(pool)
    .await
    .unwrap();
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
    let other: i64 = sqlx::query_scalar(
        "select count(*) from images join before using (id)
          where (images.pdq, images.pdq_quality, images.brightness, images.contrast, images.sharpness)
                is distinct from (before.pdq, before.pdq_quality, before.brightness, before.contrast, before.sharpness)
             or images.is_valid and before.sharpness is null",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(other, 0, "hashes or scores are others than before");
    let known = sqlx::query_scalar::<_, i64>("select count(*) from pixcrawler.picture_batch, unnest(images)");
    assert_eq!(known.fetch_one(pool).await.unwrap(), 3, "what looks like them is not found");
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

#[tokio::test]
async fn a_dataset_is_shown_as_a_page() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/a", 3, None);
    // Two more look like one of them, one is twice there, and one is lost.
    let copies = [enlarged("/a/0.png", 2), enlarged("/a/0.png", 3), picture("/a/0.png")];
    for (at, bytes) in copies.into_iter().enumerate() {
        let path = format!("/a/copy-{at}.png");
        site.on(&path, [Reply::Bytes(bytes.into())]);
        pictures.push(path);
    }
    pictures.push("/a/lost.png".to_owned());
    site.on("/a", [page(&pictures, None)]);
    let shell = Shell::on(&site).await;
    let start = format!("{ORIGIN}/a");
    let label = format!("{start}=fox & <hound>");
    shell.run(&["crawl", "--url", &start, "--label", &label, "--out", "out"]).await.expect(0);
    let id = shell.run(&["dataset", "ls", "--json"]).await.expect(0).json()["datasets"][0]["id"].to_string();
    let pool = &shell.database.pool;
    for sql in [
        "update datasets set name = 'A <b>\"dataset\"</b>', description = 'Of <i>foxes</i>'",
        "update images set title = '<script>alert(1)</script>', page_url = 'javascript:alert(1)',
                license = 'cc-by-4.0' where is_valid and not is_duplicate",
    ] {
        sqlx::query(sql).execute(pool).await.unwrap();
    }
    let said = shell.run(&["dataset", "report", &id]).await.expect(0).stdout;
    assert!(said.starts_with(&format!("Dataset {id} of 3 images is shown in dataset-{id}.html (")), "{said}");
    let html = fs::read_to_string(shell.path(&format!("dataset-{id}.html"))).unwrap();
    for part in [
        "<title>A &lt;b&gt;&quot;dataset&quot;&lt;/b&gt; – dataset report</title>",
        "<bdi>Of &lt;i&gt;foxes&lt;/i&gt;</bdi>",
        "<h3><bdi>fox &amp; &lt;hound&gt;</bdi><small>3 pictures</small></h3>",
        "<h3><bdi>fox &amp; &lt;hound&gt;</bdi><small>2 pictures like it</small></h3>",
        "48 × 48</span> <span class=\"meta\"><bdi>cc-by-4.0</bdi>",
        "<dt>duplicates</dt><dd>3</dd>",
        "<h3>Detail</h3>",
        "<bdi>cc-by-4.0</bdi>",
        "<code>not-found</code>",
        "content=\"default-src &#39;none&#39;".replace("&#39;", "'").as_str(),
    ] {
        assert!(html.contains(part), "`{part}` is missing: {html}");
    }
    // Three that were kept and the one of the group; of what was not kept the objects may be gone.
    let (shown, gone) =
        (html.matches("<img src=\"data:image/").count(), html.matches("not stored any more").count());
    assert!(shown >= 4 && shown + gone == 6, "{shown} {gone}");
    for never in ["<script", "javascript:", "style=", "src=\"http", "<iframe", " onerror"] {
        assert!(!html.contains(never), "`{never}` is there: {html}");
    }
    // The same again, and fewer.
    shell.run(&["dataset", "report", &id, "--out", "again.html"]).await.expect(0);
    assert!(fs::read_to_string(shell.path("again.html")).unwrap() == html);
    let few = ["dataset", "report", &id, "-o", "again.html", "--per-label", "1", "--json"];
    let few = shell.run(&few).await.expect(0).json();
    assert_eq!((&few["images"], &few["look_alikes"]), (&json!(3), &json!(1)), "{few}");
    assert_eq!(few["shown"], json!(shown - 2), "{few}");
    assert!(fs::read_to_string(shell.path("again.html")).unwrap().contains("<small>1 of 3 pictures</small>"));
    // Nothing of others is written over, and nothing half is left.
    fs::write(shell.path("thesis.html"), "important").unwrap();
    for (arguments, code, said) in [
        (&[&*id, "--out", "thesis.html"][..], 2, "thesis.html is no report"),
        (&[&*id, "--out", "gone/report.html"], 1, "cannot write gone/report.html"),
        (&["99999"], 1, "there is no dataset 99999"),
        (&[&*id, "--per-label", "0"], 2, "0 is not in 1..=500"),
    ] {
        shell.run(&[&["dataset", "report"], arguments].concat()).await.expect(code).says(&[said]);
    }
    assert_eq!(fs::read_to_string(shell.path("thesis.html")).unwrap(), "important");
    // Of nothing there is one, too.
    sqlx::query("delete from images").execute(pool).await.unwrap();
    shell.run(&["dataset", "report", &id]).await.expect(0);
    let html = fs::read_to_string(shell.path(&format!("dataset-{id}.html"))).unwrap();
    assert!(html.contains("The dataset has kept no picture.") && !html.contains("<img"), "{html}");
    let left: Vec<_> =
        tree(&shell.path(".")).into_keys().filter(|path| path.extension() == Some("part".as_ref())).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// What lies in a folder, hidden files included: paths and bytes.
fn tree(folder: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = PathBuf::from(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files.extend(tree(&entry.path()).into_iter().map(|(path, bytes)| (name.join(path), bytes)));
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

#[tokio::test]
async fn datasets_are_exported_and_what_was_interrupted_goes_on() {
    let site = Site::start().await;
    site.gallery("/a", 3, None);
    let shell = Shell::on(&site).await;
    let start = format!("{ORIGIN}/a");
    shell
        .run(&["crawl", "--url", &start, "--label", &format!("{start}=fox"), "--out", "out"])
        .await
        .expect(0);
    let id = shell.run(&["dataset", "ls", "--json"]).await.expect(0).json()["datasets"][0]["id"].to_string();
    let export =
        async |arguments: &[&str]| shell.run(&[&["dataset", "export", &id], arguments].concat()).await;
    let names = |out: &str| -> Vec<String> {
        tree(&shell.path(out)).into_keys().map(|path| path.display().to_string()).collect()
    };

    // A folder has the same pictures as that of the crawl, and says what is in it.
    let done = export(&["--json"]).await.expect(0).json();
    let folder = format!("dataset-{id}-folder");
    assert_eq!((&done["images"], &done["folder"]), (&json!(3), &json!(folder)), "{done:#}");
    let (ours, crawled) = (tree(&shell.path(&folder)), tree(&shell.path("out")));
    let pictures: Vec<_> = ours.keys().filter(|path| path.starts_with("fox")).collect();
    assert_eq!(pictures.len(), 3);
    assert!(pictures.iter().all(|path| ours[*path] == crawled[*path]));
    let documents: Vec<_> = ours.keys().filter(|path| !path.starts_with("fox")).collect();
    assert_eq!(
        documents.iter().map(|path| path.to_str().unwrap()).collect::<Vec<_>>(),
        ["README.md", "attribution.csv", "croissant.json", "manifest.json", "metadata.jsonl"]
    );
    // What is damaged there is put right, and nothing else changes.
    let (lost, damaged) = (shell.path(&folder).join(pictures[0]), shell.path(&folder).join(pictures[1]));
    fs::remove_file(lost).unwrap();
    fs::write(damaged, "x").unwrap();
    let said = export(&[]).await.expect(0).stdout;
    assert!(said.starts_with("3 images in dataset-"), "{said}");
    assert!(tree(&shell.path(&folder)) == ours);

    // Pictures that are made of others.
    export(&["--out", "small", "--size", "8", "--quality", "80"]).await.expect(0);
    let small = tree(&shell.path("small"));
    let made: Vec<_> = small.iter().filter(|(path, _)| path.starts_with("fox")).collect();
    assert_eq!(made.len(), 3);
    for (path, bytes) in made {
        assert_eq!(path.extension().unwrap(), "jpg");
        let picture = image::load_from_memory_with_format(bytes, image::ImageFormat::Jpeg).unwrap();
        assert_eq!((picture.width(), picture.height()), (8, 8));
    }
    let lines = String::from_utf8(small[Path::new("metadata.jsonl")].clone()).unwrap();
    assert!(lines.lines().count() == 3 && lines.contains(r#""original_width":16"#), "{lines}");

    // In parts for training and testing, and together again.
    export(&["--out", "small", "--size", "8", "--split", "34/33/33", "--restart"]).await.expect(0);
    let apart = tree(&shell.path("small"));
    let folders: Vec<String> =
        apart.keys().map(|path| path.display().to_string()).filter(|path| !path.ends_with(".jpg")).collect();
    assert_eq!(
        folders,
        [
            "README.md",
            "attribution.csv",
            "croissant.json",
            "manifest.json",
            "test/metadata.jsonl",
            "train/metadata.jsonl",
            "validation/metadata.jsonl"
        ]
    );
    for part in ["test", "train", "validation"] {
        let listed = &apart[&Path::new(part).join("metadata.jsonl")];
        let record: Value = serde_json::from_slice(listed).unwrap();
        assert_eq!(record["split"], part);
        assert!(apart.contains_key(&Path::new(part).join(record["file_name"].as_str().unwrap())), "{record}");
    }
    export(&["--out", "small", "--size", "8", "--quality", "80", "--restart"]).await.expect(0);
    assert!(tree(&shell.path("small")) == small && !shell.path("small/train").exists());

    // Files, the same each time, and none beside them is left.
    for (arguments, expected) in [
        (&["--format", "zip"][..], &["data.zip"][..]),
        (&["--format", "webdataset", "--shard-images", "2"], &["data-00000.tar", "data-00001.tar"]),
        (&["--format", "parquet"], &["data-00000.parquet"]),
        (&["--format", "parquet", "--split", "70/0/30"], &["test-00000.parquet", "train-00000.parquet"]),
        (&["--format", "webdataset", "--size", "8", "--fit", "border"], &["data-00000.tar"]),
        (&["--format", "csv", "--order", "shuffled", "--seed", "-3"], &["data.csv"]),
    ] {
        let mut expected: Vec<_> = expected.iter().map(|name| (*name).to_owned()).collect();
        expected
            .extend(["README.md", "attribution.csv", "croissant.json", "manifest.json"].map(str::to_owned));
        expected.sort();
        for out in ["first", "second"] {
            export(&[arguments, &["--out", out]].concat()).await.expect(0);
            assert_eq!(names(out), expected, "{arguments:?}");
        }
        assert!(tree(&shell.path("first")) == tree(&shell.path("second")), "{arguments:?}");
        let manifest: Value =
            serde_json::from_slice(&tree(&shell.path("first"))[Path::new("manifest.json")]).unwrap();
        for file in manifest["files"].as_array().unwrap() {
            let bytes = fs::read(shell.path("first").join(file["name"].as_str().unwrap())).unwrap();
            assert_eq!(file["sha256"], pixcrawler::model::Sha256::of(&bytes).to_string(), "{file}");
        }
        for out in ["first", "second"] {
            fs::remove_dir_all(shell.path(out)).unwrap();
        }
    }

    // What cannot be put in its place is tried again, with what is there of it.
    let zip = ["--format", "zip", "--out", "cut"];
    fs::create_dir_all(shell.path("cut/data.zip/full")).unwrap();
    let failed = export(&zip).await.expect(1);
    failed
        .says(&["cut is not finished; the same command again goes on with it", "cannot write cut/data.zip"]);
    fs::remove_dir_all(shell.path("cut/data.zip")).unwrap();
    let part = names("cut").into_iter().find(|name| name.ends_with(".part")).unwrap();
    let whole = fs::read(shell.path("cut").join(&part)).unwrap();
    fs::write(shell.path("cut").join(&part), &whole[..whole.len() / 2]).unwrap();
    let exports =
        async |arguments: &[&str]| shell.run(&[&["dataset", "exports", &id], arguments].concat()).await;
    let unfinished = exports(&["--json"]).await.expect(0).json();
    assert_eq!(unfinished["exports"].as_array().map(Vec::len), Some(1), "{unfinished}");
    assert_eq!(unfinished["exports"][0]["format"], "zip");
    let refused = export(&["--format", "txt", "--out", "cut"]).await.expect(1);
    refused.says(&["cut has an unfinished export with other options"]);
    // It is of the moment in which it was begun.
    site.gallery("/b", 2, None);
    let asked = fs::read(shell.path("cut/.pixcrawler-export.json")).unwrap();
    export(&zip).await.expect(0);
    assert!(fs::read(shell.path("cut/data.zip")).unwrap() == whole);
    assert!(!names("cut").iter().any(|name| name.starts_with('.')), "{:?}", names("cut"));
    // One that is not there any more is begun anew.
    fs::write(shell.path("cut/.pixcrawler-export.json"), asked).unwrap();
    let other = ["--format", "txt", "--out", "cut"];
    export(&other).await.expect(1).says(&["cut has an export of another dataset or with other options"]);
    assert!(names("cut").contains(&"data.zip".to_owned()));
    export(&[&other[..], &["--restart"]].concat()).await.expect(0);
    let txt = ["README.md", "attribution.csv", "croissant.json", "data.txt", "manifest.json"];
    assert_eq!(names("cut"), txt);
    let whole_folder = ["--out", "folder"];
    export(&whole_folder).await.expect(0);
    // What another one left there that was killed before it could list it goes; what is of others stays.
    let [stray, other] = ["0", "1"].map(|digit| format!("fox/{}.jpg", digit.repeat(64)));
    let in_folder = |name: &str| shell.path("folder").join(name);
    for picture in [&stray, &other] {
        fs::write(in_folder(picture), "x").unwrap();
    }
    fs::write(in_folder(".pixcrawler-export.pictures"), format!("{stray}\n../{other}\n")).unwrap();
    export(&whole_folder).await.expect(0);
    assert!(!in_folder(&stray).exists() && in_folder(&other).exists());
    fs::remove_file(in_folder(&other)).unwrap();
    // A dataset in a folder that is called like a part.
    shell.run(&["crawl", "--url", &format!("{ORIGIN}/b"), "--out", "beside/train"]).await.expect(0);
    let before = tree(&shell.path("beside/train"));
    export(&["--out", "beside"]).await.expect(2).says(&["beside holds files that are of no export"]);
    assert!(tree(&shell.path("beside/train")) == before);
    export(&["--out", "folder", "--size", "8"]).await.expect(1).says(&["with other options"]);
    export(&["--out", "folder", "--format", "txt", "--restart"]).await.expect(0);
    assert_eq!(names("folder"), txt);
    let left: i64 = sqlx::query_scalar("select count(*) from pixcrawler.export")
        .fetch_one(&shell.database.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);

    fs::create_dir_all(shell.path("other/data.zip/full")).unwrap();
    export(&["--format", "zip", "--out", "other"]).await.expect(1);
    let left = exports(&["--json"]).await.expect(0).json()["exports"][0]["id"].to_string();
    exports(&["--delete", &left, "--delete", "1"]).await.expect(1).says(&["has no export 1"]);
    let none = exports(&[]).await.expect(0);
    none.says(&["has no export in the database. What `dataset export` wrote into a folder is not listed."]);

    for (arguments, code, said) in [
        (&["--size", "0"][..], 2, "--size must be"),
        (&["--fit", "border"], 2, "--size is required"),
        (&["--split", "80/20"], 2, "three whole numbers that add up to 100"),
        (&["--split", "80/20/20"], 2, "three whole numbers that add up to 100"),
        (&["--quality", "80", "--pictures", "png"], 2, "--quality is for JPEG"),
        (
            &["--format", "csv", "--size", "8"],
            2,
            "a size, fit, format or quality of pictures must not be given for csv",
        ),
        (&["--shard-images", "5"], 2, "a folder is in one piece"),
        (&["--user", "ann@example.org"], 1, "there is no dataset"),
    ] {
        export(arguments).await.expect(code).says(&[said]);
    }
}

#[tokio::test]
async fn a_list_of_hashes_keeps_pictures_out() {
    let site = Site::start().await;
    let pictures = site.gallery("/a", 3, None);
    let shell = Shell::on(&site).await;
    fs::write(shell.path("one.png"), picture(&pictures[0])).unwrap();
    fs::write(shell.path("broken.png"), &picture(&pictures[1])[..100]).unwrap();
    let mut flat = std::io::Cursor::new(Vec::new());
    let grey = image::RgbImage::from_pixel(40, 40, image::Rgb([90, 120, 60]));
    grey.write_to(&mut flat, image::ImageFormat::Png).unwrap();
    fs::write(shell.path("flat.png"), flat.into_inner()).unwrap();

    let list = shell.run(&["hash", "one.png", "flat.png"]).await.expect(0);
    list.says(&["flat.png: little to see (quality ", "), left out"]);
    let (hash, name) = list.stdout.trim_end().split_once("  # ").unwrap();
    assert_eq!((hash.len(), name), (64, "one.png"));
    let told =
        shell.run(&["hash", "flat.png", "broken.png", "none.png", "one.png", "--json"]).await.expect(1);
    told.says(&["broken.png: truncated: ", "none.png: "]);
    let told: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told[0]["quality"].as_u64().unwrap() < 50 && told[1]["pdq"] == hash, "{told:?}");

    let start = format!("{ORIGIN}/a");
    let crawl = ["crawl", "--url", &start, "--out", "out", "--unlike", "unwanted.txt", "--json"];
    shell.run(&crawl).await.expect(1).says(&["cannot read unwanted.txt"]);
    fs::write(shell.path("unwanted.txt"), format!("{}# more\n{}\n", list.stdout, &hash[1..])).unwrap();
    shell.run(&crawl).await.expect(2).says(&["--unlike: unwanted.txt: line 3 is not a PDQ hash"]);
    fs::write(shell.path("unwanted.txt"), &list.stdout).unwrap();
    let done = shell.run(&crawl).await.expect(0).json();
    assert_eq!((&done["kept"], &done["refused"]), (&json!(2), &json!({ "unwanted": 1 })), "{done}");
    let card = fs::read_to_string(shell.path("out/README.md")).unwrap();
    assert!(card.contains("\nPictures like those of a list of 1 hash (`--unlike`), "), "{card}");
    // What goes on is the same request, also where the list is not given again.
    let more = shell.run(&["crawl", "--out", "out", "--update", "--json"]).await.expect(0).json();
    assert_eq!((&more["kept"], &more["refused"]), (&json!(2), &json!({ "unwanted": 1 })), "{more}");

    let id =
        shell.run(&["dataset", "list", "--json"]).await.expect(0).json()["datasets"][0]["id"].to_string();
    let remove = ["dataset", "remove", &id, "--sha256", &hashes(&pictures[1..2]).pop_first().unwrap()];
    let dry = shell.run(&[&remove[..], &["--dry-run"]].concat()).await.expect(0).stdout;
    assert_eq!(dry, "1 image would be taken out, of 1 dataset.\n");
    shell.run(&[&remove[..], &["--yes"]].concat()).await.expect(0);
    let more = shell.run(&["crawl", "--out", "out", "--update", "--json"]).await.expect(0).json();
    assert_eq!(
        (&more["kept"], &more["refused"]),
        (&json!(1), &json!({ "removed": 1, "unwanted": 1 })),
        "{more}"
    );
    for (arguments, said) in [
        (&["--from-host", "org"][..], "--from-host must be the name of a host"),
        (&["--pdq", "00"], "--pdq must be a PDQ hash"),
        (&["--from-host", "example.org", "--creator", "Ann"], "cannot be used with"),
        (&[], "required arguments were not provided"),
    ] {
        shell.run(&[&["dataset", "remove", &id], arguments].concat()).await.expect(2).says(&[said]);
    }

    // A new dataset knows nothing of what was taken out of the old one, which is said once.
    let restart = ["crawl", "--out", "out", "--restart", "--json"];
    let anew = shell.run(&restart).await.expect(0);
    anew.says(&[&format!("Note: what was taken out of dataset {id} alone may come in again")]);
    let anew = anew.json();
    assert_eq!((&anew["kept"], &anew["refused"]), (&json!(2), &json!({ "unwanted": 1 })), "{anew}");
    let again = shell.run(&restart).await.expect(0);
    assert!(!again.stderr.contains("taken out"), "{again:?}");
}
