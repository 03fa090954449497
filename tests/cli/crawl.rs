//! `crawl`: keywords or addresses in, a folder out.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, SystemTime},
};

use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::*;

/// File names and labels that `metadata.jsonl` lists, and the hashes of the files themselves.
struct Dataset {
    lines: Vec<Value>,
    hashes: BTreeSet<String>,
}

fn dataset(folder: &Path) -> Dataset {
    use sha2::{Digest as _, Sha256};
    let text = fs::read_to_string(folder.join("metadata.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hash = |line: &Value| {
        let file = folder.join(line["file_name"].as_str().unwrap());
        let hash = hex::encode(Sha256::digest(fs::read(file).unwrap()));
        assert_eq!(line["sha256"], hash.as_str());
        hash
    };
    let hashes = lines.iter().map(hash).collect();
    Dataset { lines, hashes }
}

/// Picture files below a folder, listed or not.
fn files(folder: &Path) -> usize {
    let classes = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    classes.filter(|path| path.is_dir()).map(|class| fs::read_dir(class).unwrap().count()).sum()
}

fn url(path: &str) -> String {
    format!("{ORIGIN}{path}")
}

/// Somebody waits for the end: what must wait for longer than minutes is left to the next time.
#[tokio::test]
async fn what_must_wait_is_left_to_the_next_time() {
    let site = Site::start().await;
    let quick = site.gallery("/a", 2, None);
    let later = "http://later.example/later.png".to_owned();
    site.on("/a", [page(&[&quick[..], std::slice::from_ref(&later)].concat(), None)]);
    site.on("/later.png", [Reply::Status(429, Some(900)), Reply::Picture]);
    let shell = Shell::on(&site).await;
    let start = url("/a");
    let crawl = async || shell.run(&["crawl", "--url", &start, "--out", "out", "--json"]).await;
    // A part of it is not done.
    let first = crawl().await.expect(1).json();
    assert_eq!((&first["status"], &first["kept"]), (&json!("completed"), &json!(2)), "{first}");
    assert!(first["reason"].as_str().unwrap().contains("1 picture is left; "), "{first}");
    let second = crawl().await.expect(0);
    second.says(&["Continuing job"]);
    assert_eq!(second.json()["kept"], 3);
    assert_eq!(dataset(&shell.path("out")).lines.len(), 3);
}

#[tokio::test]
async fn a_listing_says_where_a_picture_came_from_and_what_was_asked() {
    let site = Site::start().await;
    site.on("/small.png", [Reply::Picture]);
    site.on("/best.png", [Reply::Status(403, None)]);
    site.on("/plain.png", [Reply::Picture]);
    let html = "<img src=/small.png srcset='/small.png 160w, /best.png 320w'><img src=/plain.png>";
    site.on("/a", [Reply::Page(html.to_owned())]);
    let shell = Shell::on(&site).await;
    shell.run(&["crawl", "--url", &url("/a"), "--out", "out", "--json"]).await.expect(0);
    let lines = dataset(&shell.path("out")).lines;
    let said: BTreeSet<_> =
        lines.iter().map(|line| (line["url"].as_str(), line["asked_url"].as_str())).collect();
    let [small, best, plain] = ["/small.png", "/best.png", "/plain.png"].map(url);
    let expect = [(Some(&*plain), None), (Some(&*small), Some(&*best))];
    assert_eq!(said, BTreeSet::from(expect));
}

#[tokio::test]
async fn a_folder_is_filled_once() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/a", 5, None);
    let gone = "/a/gone.png".to_owned();
    site.on("/a", [page(&[&pictures[..], &[gone, pictures[0].clone()]].concat(), None)]);
    let shell = Shell::on(&site).await;
    let start = url("/a");
    let crawl = async |more: &[&str]| {
        let command = ["crawl", "--url", &start, "--out", "out", "--json"];
        shell.run(&[&command, more].concat()).await
    };

    let first = crawl(&[]).await.expect(0).json();
    assert_eq!(
        (&first["status"], &first["kept"], &first["files"]),
        (&json!("completed"), &json!(5), &json!(5))
    );
    assert_eq!(first["refused"], json!({"not-found": 1}));
    // Nobody said how many.
    assert_eq!((&first["wanted_is_default"], &first["reason"]), (&json!(true), &Value::Null), "{first}");
    let written = dataset(&shell.path("out"));
    assert_eq!(written.hashes, hashes(&pictures));
    assert_eq!(written.lines[0]["page_url"], start.as_str());
    assert_eq!((&written.lines[0]["width"], &written.lines[0]["source"]), (&json!(16), &json!("webpage")));
    let (class, _) = written.lines[0]["file_name"].as_str().unwrap().split_once('/').unwrap();
    assert!(class.starts_with("site.example_a-"), "{first}");

    // The folder is the user's own, and as open as what they make by themselves.
    let usual = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::create_dir(shell.path("own")).unwrap();
    fs::write(shell.path("own/file"), "").unwrap();
    let picture = shell.path("out").join(written.lines[0]["file_name"].as_str().unwrap());
    for folder in [&shell.path("out"), picture.parent().unwrap()] {
        assert_eq!(usual(folder), usual(&shell.path("own")));
    }
    let beside = [
        "metadata.jsonl",
        "refused.jsonl",
        "README.md",
        "attribution.csv",
        "croissant.json",
        ".pixcrawler.json",
    ];
    for file in beside.map(|name| shell.path("out").join(name)).iter().chain([&picture]) {
        assert_eq!(usual(file), usual(&shell.path("own/file")), "{}", file.display());
    }

    // The same again: a file that was lost comes back, and nothing is fetched.
    let asked = site.requests("/").len();
    fs::remove_file(shell.path("out").join(written.lines[2]["file_name"].as_str().unwrap())).unwrap();
    let second = crawl(&[]).await.expect(0);
    second.says(&["is complete already"]);
    assert_eq!(second.json()["job"], first["job"]);
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));
    assert_eq!(site.requests("/").len(), asked);

    // With a smaller number nothing is lost.
    let fewer = crawl(&["--max", "2"]).await.expect(0);
    fewer.says(&["5 images are there already, which is more than --max 2: nothing is deleted."]);
    assert_eq!((&fewer.json()["kept"], &fewer.json()["new"]), (&json!(5), &json!(0)));
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));

    // Another request is refused until it is told to begin anew; then the folder is its own.
    let other = crawl(&["--language", "de", "--max", "2"]).await.expect(2);
    other.says(&["differs in --language;", "--restart", "--out"]);
    assert_eq!(site.requests("/").len(), asked);
    let third = crawl(&["--max", "2", "--restart"]).await.expect(0).json();
    assert_eq!((&third["kept"], &third["reason"]), (&json!(2), &Value::Null));
    assert_ne!(third["job"], first["job"]);
    pictures.retain(|picture| dataset(&shell.path("out")).hashes.is_superset(&hashes([picture])));
    assert_eq!((pictures.len(), files(&shell.path("out"))), (2, 2));
}

/// Addresses have the classes that they are given, however they are given, and several may share one.
#[tokio::test]
async fn addresses_have_classes_by_name() {
    let site = Site::start().await;
    let pages = ["/a", "/b", "/c", "/d", "/e"];
    let pictures: Vec<String> = pages.iter().flat_map(|page| site.gallery(page, 1, None)).collect();
    let shell = Shell::on(&site).await;
    let [a, b, c, d, e] = pages.map(url);
    let table = format!("Class,Page URL\ncats,{c}\n\"dogs, big\",{d}\n");
    fs::write(shell.path("pages.csv"), table).unwrap();
    let (cats, dogs) = (format!("cats={a}"), format!("{b}=dogs"));
    let crawl = async |more: &[&str]| {
        let command = [&cats, "--url", &b, "--label", &dogs, "--urls", "pages.csv", &e, "--out", "out"];
        shell.run(&[&["crawl"], &command[..], more].concat()).await
    };
    crawl(&[]).await.expect(0);
    let written = dataset(&shell.path("out"));
    assert_eq!(written.hashes, hashes(&pictures));
    let classes: BTreeSet<_> = written
        .lines
        .iter()
        .map(|line| {
            let (folder, _) = line["file_name"].as_str().unwrap().split_once('/').unwrap();
            let (page, label) = (line["page_url"].as_str().unwrap(), line["label"].as_str().unwrap());
            assert_eq!((&line["labels"], &line["tags"]), (&json!([label]), &json!([])));
            (page.to_owned(), label.to_owned(), folder.to_owned())
        })
        .collect();
    let of = |page: &str, label: &str, folder: &str| (page.to_owned(), label.to_owned(), folder.to_owned());
    let unnamed = pixcrawler::dataset::folder_name(&e);
    assert_eq!(
        classes,
        BTreeSet::from([
            of(&a, "cats", "cats"),
            of(&b, "dogs", "dogs"),
            of(&c, "cats", "cats"),
            of(&d, "dogs, big", "dogs, big"),
            of(&e, &e, &unnamed),
        ])
    );
    // The same again is the same; another class is another crawl.
    crawl(&[]).await.expect(0).says(&["is complete already"]);
    // The command of the card makes the same elsewhere.
    let card = fs::read_to_string(shell.path("out/README.md")).unwrap();
    let command = card.lines().find_map(|line| line.strip_prefix("    pixcrawler ")).unwrap();
    let words = shlex::split(command).unwrap();
    fs::create_dir(shell.path("again")).unwrap();
    let mut again = shell.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    again.current_dir(shell.path("again"));
    ended(again).await.expect(0);
    let names = |folder: &str| -> BTreeSet<String> {
        let lines = dataset(&shell.path(folder)).lines.into_iter();
        lines.map(|line| line["file_name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("again/out"), names("out"), "{command}");
    crawl(&["--label", &format!("{e}=mice")]).await.expect(2).says(&["differs in --label"]);

    // What is wrong is said in a sentence.
    let refused = async |more: &[&str], says: &[&str]| {
        shell.run(&[&["crawl", "--out", "none"], more].concat()).await.expect(2).says(says);
    };
    refused(&[&cats, "--label", &format!("{a}=lions")], &["is given two classes, `cats` and `lions`"]).await;
    refused(&["lion", "--label", "tiger=cat"], &["`--label tiger=cat` is neither a keyword nor an address"])
        .await;
    fs::write(shell.path("bare.csv"), format!("cats,{a}\ndogs,{b}\n")).unwrap();
    refused(
        &["--urls", "bare.csv"],
        &["bare.csv: line 1 looks like a row of a table", "--source url-list --url ADDRESS-OF-THE-TABLE"],
    )
    .await;
    // What else a table has is not read, and a file is no keyword.
    fs::write(shell.path("pics.csv"), "url,tags,Label,licence,title\nno address,a,b,c,d\n").unwrap();
    let unread = "Note: pics.csv: not read of this table: `tags`, `licence`, `title`; a table of pictures, with their \
        licences, titles and tags, is read by --source url-list --url ADDRESS from a server";
    refused(&["--urls", "pics.csv"], &[unread, "`python3 -m http.server`"]).await;
    refused(&["--urls", "pics.csv", "--source", "url-list"], &[unread]).await;
    for (input, more) in [
        ("pics.csv", &["pics.csv"][..]),
        ("cats=./pics.csv", &["cats=./pics.csv"]),
        ("FILE:///pics.csv", &["--url", "FILE:///pics.csv"]),
    ] {
        refused(more, &[&format!("`{input}` is a file of this machine"), "--urls FILE", "--source url-list"])
            .await;
    }
    fs::write(shell.path("empty.txt"), "# none yet\n").unwrap();
    refused(&["--urls", "empty.txt"], &["empty.txt has no address"]).await;
}

/// A list of pictures knows their classes: they are those of the folder, and what else it says is listed.
#[tokio::test]
async fn pictures_of_a_list_have_its_classes() {
    let site = Site::start().await;
    for picture in ["/1.png", "/2.png", "/3.png", "/4.png"] {
        site.on(picture, [Reply::Picture]);
    }
    let long = "x".repeat(120);
    let list = format!(
        "url\tkind\tlabels\ttags\n{0}/1.png\tfox\tanimal; wild\tsnow, dawn\n{0}/2.png\tFox\t\t\n{0}/3.png\t\t\t\n\
         {0}/4.png\t{long}\t\t\n",
        ORIGIN
    );
    site.on("/list.tsv", [Reply::Bytes(list.into_bytes().into())]);
    let shell = Shell::on(&site).await;
    let address = url("/list.tsv");
    let crawl = async |input: &str, out: &str| {
        let kind = "url-list.label-column=kind";
        let command = ["crawl", input, "--source", "url-list", "--option", kind, "--out", out, "--json"];
        assert_eq!(shell.run(&command).await.expect(0).json()["kept"], 4);
        let lines = dataset(&shell.path(out)).lines.into_iter();
        lines
            .map(|line| {
                let (folder, _) = line["file_name"].as_str().unwrap().split_once('/').unwrap();
                let picture = line["url"].as_str().unwrap().trim_start_matches(ORIGIN).to_owned();
                (
                    picture,
                    (folder.to_owned(), line["label"].clone(), line["labels"].clone(), line["tags"].clone()),
                )
            })
            .collect::<BTreeMap<_, _>>()
    };
    let own = crawl(&address, "own").await;
    let folders: BTreeSet<String> = own.values().map(|(folder, ..)| folder.to_lowercase()).collect();
    assert_eq!(folders.len(), 4, "also where a file system does not look at case: {own:#?}");
    let (_, label, labels, tags) = &own["/1.png"];
    assert_eq!((label, labels), (&json!("fox"), &json!(["fox", "animal", "wild"])));
    assert_eq!(tags, &json!(["snow", "dawn"]));
    assert_eq!(own["/2.png"].1, "Fox");
    assert_eq!((&own["/3.png"].1, &own["/3.png"].2), (&json!(address), &json!([address])));
    assert_eq!(own["/4.png"].1, long[..100]);

    // The user's own word for the whole list is the folder, and nothing is lost.
    let named = crawl(&format!("animals={address}"), "named").await;
    assert!(
        named.values().all(|(folder, label, ..)| folder == "animals" && label == "animals"),
        "{named:#?}"
    );
    assert_eq!(named["/1.png"].2, json!(["animals", "fox", "animal", "wild"]));
}

/// What is shown under several classes has them all, that of its folder first, each once; however it is found
/// to be the same, and whenever.
#[tokio::test]
async fn a_picture_has_the_classes_of_all_that_show_it() {
    let site = Site::start().await;
    let of = |original: &str| [Reply::Bytes(picture(original).into())];
    let (mut a, mut b) = (site.gallery("/a", 3, None), site.gallery("/b", 1, None));
    for copy in ["/a/copy.png", "/a/twin.png", "/b/copy.png"] {
        site.on(copy, of("copy"));
    }
    site.hold(&["/shared.png"]);
    a.extend(["/shared.png", "/a/copy.png", "/a/twin.png"].map(str::to_owned));
    b.extend(["/shared.png", "/b/copy.png"].map(str::to_owned));
    site.on("/a", [page(&a, None)]);
    site.on("/b", [page(&b, None)]);
    let shell = Shell::on(&site).await;
    let (cats, dogs) = (format!("cats={ORIGIN}/a"), format!("dogs={ORIGIN}/b"));
    let crawl = async |more: &[&str]| {
        let command = ["crawl", &cats, &dogs, "--source", "webpage", "--out", "out", "--json"];
        shell.run(&[&command, more].concat()).await.expect(0).json()
    };
    // Classes by the hash of the picture.
    let classes = |out: &str| -> BTreeMap<String, Vec<String>> {
        let lines = dataset(&shell.path(out)).lines.into_iter();
        lines
            .map(|line| {
                let labels: Vec<String> = serde_json::from_value(line["labels"].clone()).unwrap();
                let (folder, _) = line["file_name"].as_str().unwrap().split_once('/').unwrap();
                assert_eq!((line["label"].as_str(), folder), (Some(&*labels[0]), &*labels[0]), "{line:#}");
                (line["sha256"].as_str().unwrap().to_owned(), labels)
            })
            .collect()
    };
    let hash = |path: &str| hashes([&path.to_owned()]).pop_first().unwrap();
    let either = |labels: &[String], one: &[&str], other: &[&str]| {
        assert!(labels == one || labels == other, "{labels:?} is neither {one:?} nor {other:?}");
    };

    // One address is on both pages, and found on the second while it is under way for the first.
    let both_pages = async {
        site.seen("/a/0.png", 1).await;
        site.seen("/b/0.png", 1).await;
        site.release(&["/shared.png"]);
    };
    let (first, ()) = tokio::join!(crawl(&[]), both_pages);
    assert_eq!((&first["kept"], &first["duplicates"]), (&json!(6), &json!(2)), "{first:#}");
    assert_eq!(site.requests("/shared.png").len(), 1);
    let written = classes("out");
    for path in ["/shared.png", "copy"] {
        either(&written[&hash(path)], &["cats", "dogs"], &["dogs", "cats"]);
    }
    assert_eq!(
        (&written[&hash("/a/1.png")][..], &written[&hash("/b/0.png")][..]),
        (&["cats".to_owned()][..], &["dogs".to_owned()][..],)
    );

    // What is kept already is shown under another class, at its address and as a copy.
    site.on("/b/late.png", of("/a/1.png"));
    b.extend(["/a/0.png", "/b/late.png"].map(str::to_owned));
    site.on("/b", [page(&b, None)]);
    for again in [false, true] {
        let updated = crawl(&["--update"]).await;
        assert_eq!((&updated["kept"], &updated["duplicates"]), (&json!(6), &json!(3)), "{again} {updated:#}");
        let mut expect = written.clone();
        for path in ["/a/0.png", "/a/1.png"] {
            expect.get_mut(&hash(path)).unwrap().push("dogs".to_owned());
        }
        assert_eq!(classes("out"), expect);
    }
    assert_eq!(site.requests("/a/0.png").len(), 1);

    // The lines of a list.
    site.on("/1.png", [Reply::Picture]);
    site.on("/2.png", [Reply::Picture]);
    site.on("/3.png", of("/2.png"));
    let list = ["1.png,fox", "2.png,fox", "1.png,vixen", "1.png,fox", "3.png,animal"]
        .map(|line| format!("{ORIGIN}/{line}\n"))
        .concat();
    site.on("/list.csv", [Reply::Bytes(format!("url,label\n{list}").into_bytes().into())]);
    shell.run(&["crawl", &url("/list.csv"), "--source", "url-list", "--out", "list"]).await.expect(0);
    let listed = classes("list");
    assert_eq!(listed[&hash("/1.png")], ["fox", "vixen"]);
    either(&listed[&hash("/2.png")], &["fox", "animal"], &["animal", "fox"]);
    assert_eq!(listed.len(), 2);
}

/// The same folder grows: up to another number, and by what is new on its pages.
#[tokio::test]
async fn a_folder_grows() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/a", 6, None);
    let shell = Shell::on(&site).await;
    let start = url("/a");
    let crawl = async |more: &[&str]| {
        let command = ["crawl", "--url", &start, "--out", "out", "--json"];
        shell.run(&[&command, more].concat()).await.expect(0)
    };
    let counts = |ended: &Ended| {
        let said = ended.json();
        [&said["kept"], &said["new"], &said["files"]].map(|count| count.as_u64().unwrap())
    };
    let first = crawl(&["--max", "3"]).await;
    assert_eq!(counts(&first), [3, 3, 3]);
    let more = crawl(&["--max", "5"]).await;
    more.says(&["Continuing job"]);
    assert_eq!((counts(&more), &more.json()["job"]), ([5, 2, 5], &first.json()["job"]));

    // What has its number has no room for more, and keeps it where nothing is said.
    let asked = site.requests("/").len();
    let full = crawl(&["--update"]).await;
    full.says(&["has all 5 images that it was asked for: with a larger --max it looks for more."]);
    assert_eq!((counts(&full), site.requests("/").len()), ([5, 0, 5], asked));
    let all = crawl(&["--max", "9"]).await;
    assert_eq!(counts(&all), [6, 1, 6]);
    assert_eq!(all.json()["reason"], "kept 6 of 9: the sources have no more");

    // Of a page that is unchanged comes nothing, of one that is not what is new.
    let unchanged = crawl(&["--update"]).await;
    unchanged.says(&["Looking again for what is new"]);
    assert_eq!(counts(&unchanged), [6, 0, 6]);
    let more = ["/a/new.png", "/a/newer.png"].map(str::to_owned);
    more.iter().for_each(|picture| site.on(picture, [Reply::Picture]));
    site.on("/a", [page(&[&more[..], &pictures[..]].concat(), None)]);
    crawl(&[]).await.says(&["is complete already", "With --update it looks for what is new"]);
    assert_eq!(counts(&crawl(&["--update"]).await), [8, 2, 8]);
    pictures.extend(more);
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));
    for picture in &pictures {
        assert_eq!(site.requests(picture).len(), 1, "{picture} was fetched again");
    }
    let pages: Vec<_> = site.requests("/a").into_iter().filter(|path| path == "/a").collect();
    assert_eq!(pages.len(), 3, "the page was read at first and for each update that had room");

    // A smaller number is not what the folder is for from then on.
    for (more, says) in [
        (&["--max", "3"][..], "8 images are there already, which is more than --max 3: nothing is deleted."),
        (&["--max", "3", "--update"], "has 8 images, so that --max 3 has room for none: with a larger --max"),
        (&["--max", "8"], "is complete already"),
    ] {
        let fewer = crawl(more).await;
        fewer.says(&[says]);
        assert_eq!((counts(&fewer), &fewer.json()["wanted"]), ([8, 0, 8], &json!(9)), "{more:?}");
    }

    // The folder knows what it was asked for, and what differs from that is refused as ever.
    let known = async |more: &[&str]| shell.run(&[&["crawl", "--out", "out", "--json"], more].concat()).await;
    let again = known(&["--language", "de"]).await.expect(2);
    again.says(&["differs in --language;"]);
    let last = "/a/last.png".to_owned();
    site.on(&last, [Reply::Picture]);
    site.on("/a", [page(std::slice::from_ref(&last), None)]);
    assert_eq!(counts(&known(&["--update"]).await.expect(0)), [9, 1, 9]);
    known(&["--max", "12"]).await.expect(0).says(&["Continuing job"]);
    known(&[]).await.expect(0).says(&["is complete already"]);
    let none = shell.run(&["crawl", "--out", "none", "--update"]).await.expect(2);
    none.says(&["none has no crawl that could go on; give keywords or addresses"]);
    assert!(!shell.path("none").exists());

    // A page that is gone takes nothing along, and is said.
    site.on("/a", [Reply::Status(404, None)]);
    let gone = known(&["--update"]).await.expect(1);
    assert_eq!(counts(&gone), [9, 0, 9]);
    assert!(gone.json()["reason"].as_str().unwrap().starts_with("kept 9 of 12: then it failed"), "{gone:?}");
    let gone = known(&["--restart", "--max", "2"]).await.expect(1).json();
    assert_eq!((&gone["kept"], &gone["wanted"]), (&json!(0), &json!(2)));
}

/// What failed is named, whatever was kept; and what the site mended comes with an update.
#[tokio::test]
async fn what_failed_is_said_and_what_is_mended_is_kept() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/live", 3, None);
    let mended = ["lost", "secret", "text", "cut"].map(|name| format!("/live/{name}.png"));
    site.on("/live", [page(&[&pictures[..], &mended].concat(), None)]);
    let gone = "/live/gone.png".to_owned();
    site.on(&mended[1], [Reply::Status(403, None)]);
    site.on(&mended[2], [Reply::Page("<p>soon</p>".to_owned())]);
    let whole = picture(&mended[3]);
    site.on(&mended[3], [Reply::Bytes(whole[..whole.len() - 20].to_vec().into())]);
    let shell = Shell::on(&site).await;
    let (live, down) = (format!("a={}", url("/live")), format!("b={}", url("/down")));
    let crawl =
        async |more: &[&str]| shell.run(&[&["crawl", &live, &down, "--out", "out"], more].concat()).await;
    let reasons = |said: &Value| -> Vec<String> {
        let parts = said["failed_parts"].as_array().unwrap().iter();
        parts.map(|part| format!("{}: {}", part["label"].as_str().unwrap(), part["reason"])).collect()
    };
    let first = crawl(&["--max", "3"]).await.expect(1);
    assert!(first.stdout.starts_with("Kept 3 of 3 images: 3 files in out\n"), "{first:?}");
    let failed = format!("\nFailed: b ({}) at webpage: ", url("/down"));
    assert!(first.stdout.contains(&failed), "{first:?}");
    let said = crawl(&["--max", "9", "--json"]).await.expect(1).json();
    assert_eq!((&said["kept"], reasons(&said).len()), (&json!(3), 1), "{said}");
    assert!(reasons(&said)[0].starts_with("b: ") && reasons(&said)[0].contains("does not exist"), "{said}");
    let refused = json!({"not-found": 1, "http-status": 1, "not-an-image": 1, "truncated": 1});
    assert_eq!(said["refused"], refused, "{said}");

    // Another retry leaves them, an update does not; what is as it was is counted once.
    for picture in &mended {
        site.on(picture, [Reply::Picture]);
    }
    pictures.extend(site.gallery("/down", 1, None));
    let retried = crawl(&["--json"]).await.expect(0).json();
    assert_eq!((&retried["kept"], &retried["refused"]), (&json!(4), &refused), "{retried}");
    site.on(&mended[0], [Reply::Status(404, None)]);
    site.on("/live", [page(&[&mended[..], std::slice::from_ref(&gone)].concat(), None)]);
    let updated = crawl(&["--update", "--json"]).await.expect(0).json();
    assert_eq!((&updated["kept"], &updated["refused"]), (&json!(7), &json!({"not-found": 2})), "{updated}");
    assert_eq!((&updated["found"], &updated["failed_parts"]), (&json!(9), &json!([])), "{updated}");
    pictures.extend_from_slice(&mended[1..]);
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));
}

/// What was found and not kept is listed with the reason, and a card says what the folder is.
#[tokio::test]
async fn a_folder_says_what_was_refused_and_what_it_is() {
    let site = Site::start().await;
    let lions = site.gallery("/lions", 2, None);
    site.on("/lions/copy.png", [Reply::Bytes(picture(&lions[0]).into())]);
    site.on("/lions/text.png", [Reply::Page("<p>gone</p>".to_owned())]);
    let others = ["copy", "text", "gone"].map(|name| format!("/lions/{name}.png"));
    site.on("/lions", [page(&[&lions[..], &others].concat(), None)]);
    site.gallery("/tigers", 1, None);
    let shell = Shell::on(&site).await;
    let (start, second) = (url("/lions"), url("/tigers"));
    let crawl = ["crawl", "--url", &start, "--url", &second, "--min-size", "9x8", "--out", "out"];
    let done = shell.run(&crawl).await.expect(0);
    let see = "6 found, 1 duplicates, 2 refused (1 not-an-image, 1 not-found): see out/refused.jsonl\n";
    assert!(done.stdout.contains(see), "{}", done.stdout);

    let read = |name: &str| fs::read_to_string(shell.path("out").join(name)).unwrap();
    let refused = read("refused.jsonl");
    let mut lines: Vec<Value> = refused.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["code"].to_string());
    let copied = hashes([&lions[0]]).pop_first();
    let expect = [("duplicate", &others[0]), ("not-an-image", &others[1]), ("not-found", &others[2])];
    assert_eq!(lines.len(), expect.len(), "{lines:#?}");
    for (line, (code, path)) in lines.iter().zip(expect) {
        // Whichever of the two copies came first is kept.
        let is_duplicate = code == "duplicate";
        let addresses = if is_duplicate { vec![url(path), url(&lions[0])] } else { vec![url(path)] };
        assert!(addresses.contains(&line["url"].as_str().unwrap().to_owned()), "{line:#}");
        assert_eq!((&line["code"], &line["source"]), (&json!(code), &json!("webpage")));
        assert_eq!((&line["page_url"], &line["label"]), (&json!(start), &json!(start)));
        assert_eq!(line["detail"].is_null(), is_duplicate, "{line:#}");
        assert_eq!(line["duplicate_of"], json!(copied.clone().filter(|_| is_duplicate)));
    }

    let card = read("README.md");
    for part in [
        "---\npretty_name: \"http://site.example/lions, http://site.example/tigers\"\nlicense: unknown\ntask_categories:\n",
        "\nsize_categories:\n- n<1K\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n",
        "\n# http://site.example/lions, http://site.example/tigers\n\nPictures: 3, classes: 2, bytes: ",
        "load_dataset(\"imagefolder\", data_dir=",
        "\n| http://site.example/lions | site.example\\_lions-",
        " | 2 |\n| http://site.example/tigers | site.example\\_tigers-",
        "\n| not known |  | 3 |\n",
        "\n| webpage | 3 |\n",
        "\n| duplicate | 1 |\n| not-an-image | 1 |\n| not-found | 1 |\n",
        "\n    pixcrawler crawl --url http://site.example/lions --url http://site.example/tigers --source webpage ",
        " --min-size 9x8 --out out\n",
    ] {
        assert!(card.contains(part), "`{part}` is missing: {card}");
    }
    let attribution = read("attribution.csv");
    assert_eq!(attribution.lines().count(), 4, "{attribution}");
    for line in read("metadata.jsonl").lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let start = format!("\n{},", record["file_name"].as_str().unwrap());
        assert!(attribution.contains(&start), "{attribution}");
    }
    let described: Value = serde_json::from_str(&read("croissant.json")).unwrap();
    let listed = fs::read(shell.path("out/metadata.jsonl")).unwrap();
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&listed));
    let expect = json!(["metadata.jsonl", format!("{} B", listed.len()), sha256]);
    let file = &described["distribution"][0];
    assert_eq!(json!([file["contentUrl"], file["contentSize"], file["sha256"]]), expect);

    let begun_again = shell.run(&crawl).await.expect(0);
    begun_again.says(&["is complete already"]);
    assert_eq!((read("README.md"), read("refused.jsonl")), (card.clone(), refused), "the same rows");
    let beside = [attribution, described.to_string()];
    let is_json = |text: String| serde_json::from_str::<Value>(&text).unwrap().to_string();
    assert_eq!([read("attribution.csv"), is_json(read("croissant.json"))], beside);

    // What others wrote stays, and so does a card without its mark.
    let own = [
        ("README.md", card.replace("<!-- Written by PixCrawler", "<!-- Mine")),
        ("refused.jsonl", "[]".to_owned()),
        ("attribution.csv", "mine\n".to_owned()),
        ("croissant.json", "{}".to_owned()),
    ];
    for (name, text) in &own {
        fs::write(shell.path("out").join(name), text).unwrap();
    }
    let left = shell.run(&[&crawl[..], &["--json"]].concat()).await.expect(0);
    assert_eq!(left.json()["refused_file"], Value::Null);
    assert_eq!(own.clone().map(|(name, _)| read(name)), own.map(|(_, text)| text));
}

/// Loaders of datasets take the class from the folder.
#[tokio::test]
async fn each_class_has_a_folder() {
    let site = Site::start().await;
    let start = "/a-gallery-of-many-words/with-another-one-in-it/";
    let pages = ["lions/", "tigers/", "Tigers/", "tigers", "tigers/?con"];
    for page in pages {
        site.gallery(&format!("{start}{page}"), 1, None);
    }
    let shell = Shell::on(&site).await;
    let addresses: Vec<String> = pages.iter().map(|page| url(&format!("{start}{page}"))).collect();
    fs::write(shell.path("pages.txt"), addresses.join("\n")).unwrap();
    let crawl = async || shell.run(&["crawl", "--urls", "pages.txt", "--out", "out"]).await.expect(0);
    crawl().await;
    let written = dataset(&shell.path("out"));
    let folders = |lines: &[Value]| -> BTreeSet<String> {
        let folder =
            |line: &Value| line["file_name"].as_str().unwrap().split_once('/').unwrap().0.to_lowercase();
        lines.iter().map(folder).collect()
    };
    assert_eq!(folders(&written.lines).len(), pages.len(), "{:#?}", written.lines);

    // What an earlier version wrote under other names is listed under these names, and gone.
    let text = fs::read_to_string(shell.path("out/metadata.jsonl")).unwrap();
    let file = written.lines[0]["file_name"].as_str().unwrap();
    let old = format!("site.example/{}", file.split_once('/').unwrap().1);
    fs::create_dir(shell.path("out/site.example")).unwrap();
    fs::rename(shell.path("out").join(file), shell.path("out").join(&old)).unwrap();
    fs::write(shell.path("out/metadata.jsonl"), text.replace(file, &old)).unwrap();
    crawl().await;
    assert_eq!(fs::read_to_string(shell.path("out/metadata.jsonl")).unwrap(), text);
    assert_eq!(dataset(&shell.path("out")).hashes, written.hashes);
    assert!(!shell.path("out/site.example").exists());
}

#[tokio::test]
async fn an_interrupted_crawl_goes_on() {
    let site = Site::start().await;
    let pictures = site.gallery("/a", 6, None);
    site.hold(&pictures[3..]);
    let others = site.gallery("/b", 2, None);
    let shell = Shell::on(&site).await;
    let (start, other) = (url("/a"), url("/b"));
    let arguments = ["crawl", "--url", &start, "--out", "out"];

    let crawl = shell.command(&arguments).spawn().unwrap();
    site.busy("/a/", 3).await;
    kept(&shell, 3).await;
    let pid = Pid::from_raw(crawl.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = tokio::time::timeout(PATIENCE, crawl.wait_with_output()).await.unwrap().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(130), "{stdout}{stderr}");
    assert!(stdout.contains("Interrupted with 3 images kept: 3 files in out\n"), "{stdout}");
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures[..3]));
    assert!(stdout.contains(&format!(" crawl --url {start} --out out\n")), "{stdout}");
    assert!(stderr.contains("Ctrl-C again ends at once"), "{stderr}");
    let held: Option<uuid::Uuid> = sqlx::query_scalar("select lease from pixcrawler.chunk")
        .fetch_one(&shell.database.pool)
        .await
        .unwrap();
    assert_eq!(held, None, "the lease was given back");

    // Another crawl does its own work only.
    let asked = site.requests("/a").len();
    let done = shell.run(&["crawl", "--url", &other, "--json"]).await.expect(0).json();
    assert_eq!((&done["kept"], &done["out"]), (&json!(others.len()), &json!("site.example")));
    assert_eq!(site.requests("/a").len(), asked);

    site.release(&pictures);
    let done = shell.run(&arguments).await.expect(0);
    done.says(&["Continuing job"]);
    assert!(done.stdout.starts_with("Kept 6 images (3 new): 6 files in out\n"), "{}", done.stdout);
    assert!(done.stdout.ends_with("\nThat is all there is: the sources have no more\n"), "{}", done.stdout);
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));
    for picture in &pictures[..3] {
        assert_eq!(site.requests(picture).len(), 1, "{picture}");
    }
}

/// A crawl that is killed leaves what was kept, and whoever reads its listing meanwhile sees whole lines
/// and files that are there.
#[tokio::test]
async fn a_folder_is_whole_at_every_moment() {
    let site = Site::start().await;
    let pictures = site.gallery("/a", 12, None);
    let shell = Shell::on(&site).await;
    let start = url("/a");
    let arguments = ["crawl", "--url", &start, "--out", "out", "--json", "--heartbeat", "500ms"];
    site.hold(&pictures[5..]);
    let mut crawl = shell.command(&arguments).spawn().unwrap();
    listed(&shell.path("out"), 5).await;
    crawl.kill().await.unwrap();
    let written = dataset(&shell.path("out"));
    assert_eq!((&written.hashes, files(&shell.path("out"))), (&hashes(&pictures[..5]), 5));
    let before = written_at(&shell.path("out"));

    site.release(&pictures[..9]);
    let crawl = shell.command(&arguments).spawn().unwrap();
    listed(&shell.path("out"), 9).await;
    site.release(&pictures);
    listed(&shell.path("out"), 12).await;
    let output = tokio::time::timeout(PATIENCE, crawl.wait_with_output()).await.unwrap().unwrap();
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&done["kept"], &done["files"]), (&json!(12), &json!(12)));
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));
    let after = written_at(&shell.path("out"));
    assert!(before.iter().all(|(file, at)| after[file] == *at), "nothing is written twice");
}

/// Reads a listing again and again until it has so many lines.
async fn listed(folder: &Path, count: usize) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let listed = async {
        while !folder.join("metadata.jsonl").exists() || dataset(folder).lines.len() < count {
            tick.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, listed).await.unwrap();
}

/// When each picture was written.
fn written_at(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let lines = dataset(folder).lines.into_iter();
    let files = lines.map(|line| folder.join(line["file_name"].as_str().unwrap()));
    files.map(|file| (file.clone(), fs::metadata(file).unwrap().modified().unwrap())).collect()
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_ends_the_crawl_and_loses_nothing() {
    let site = Site::start().await;
    let pictures = site.gallery("/a", 4, None);
    site.hold(&pictures[2..]);
    let shell = Shell::on(&site).await;
    let start = url("/a");
    let crawl = async || shell.run(&["crawl", "--url", &start, "--out", "out"]).await;
    // Where drafts are to be, there are folders: of the listing, then of one picture.
    let listing = shell.path("out/.metadata.jsonl.part");
    fs::create_dir_all(&listing).unwrap();
    let says = "the same command again goes on";
    crawl().await.expect(1).says(&["out/.metadata.jsonl.part: Is a directory", says]);
    assert!(!shell.path("out/metadata.jsonl").exists());

    let class = shell.path("out").join(pixcrawler::dataset::folder_name(&start));
    let draft = class.join(hashes([&pictures[2]]).first().unwrap()).with_extension("part");
    fs::create_dir_all(&draft).unwrap();
    fs::remove_dir(&listing).unwrap();
    site.release(&pictures);
    crawl().await.expect(1).says(&[".part: Is a directory", says]);
    assert!(
        dataset(&shell.path("out")).hashes.is_superset(&hashes(&pictures[..2])),
        "what is there is listed"
    );

    fs::remove_dir(&draft).unwrap();
    crawl().await.expect(0);
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));
    for picture in &pictures[..2] {
        assert_eq!(site.requests(picture).len(), 1);
    }
}

/// Who waits for a crawl of which no site can be reached is told within seconds.
#[tokio::test]
async fn a_crawl_without_network_ends_and_can_be_begun_again() {
    let site = Site::start().await;
    let pictures = site.gallery("/a", 2, None);
    let shell = Shell::on(&site).await;
    let (start, other) = (url("/a"), "http://other.example/b".to_owned());
    let addresses = ["crawl", "--url", &start, "--url", &other, "--out", "out", "--json"];
    // Of which nobody asks for a robots.txt.
    let keyword = ["crawl", "lion", "--source", "openverse", "--out", "lion", "--json"];
    let nowhere = Shell { mapping: Some("*=http://127.0.0.1:1".to_owned()), ..shell };
    let fail = async |arguments: &[&str], source: &str| {
        let failed = nowhere.run(arguments).await.expect(1).json();
        let reason = failed["reason"].as_str().unwrap();
        assert!(reason.starts_with("no site could be reached; is this machine online? ("), "{reason}");
        assert!(reason.contains(&format!("{source}: ")), "{reason}");
        let command = failed["resume_with"].as_str().unwrap();
        assert!(command.ends_with(&arguments.join(" ")), "{command}");
        assert_eq!((&failed["kept"], &failed["found"]), (&json!(0), &json!(0)));
        failed["job"].clone()
    };
    let jobs = [fail(&addresses, "webpage").await, fail(&keyword, "openverse").await];
    // Nobody interrupted it.
    let text = nowhere.run(&keyword[..keyword.len() - 1]).await.expect(1).stdout;
    assert!(text.starts_with("Kept 0 images"), "{text}");

    let online = Shell { mapping: Some(site.mapping()), ..nowhere };
    // The page of the other is not there.
    let done = online.run(&addresses).await.expect(1);
    done.says(&["Continuing job"]);
    assert_eq!((&done.json()["kept"], &done.json()["job"]), (&json!(2), &jobs[0]));
    assert_eq!(dataset(&online.path("out")).hashes, hashes(&pictures));
    let done = online.run(&keyword).await.expect(1);
    done.says(&["Continuing job"]);
    assert_eq!(done.json()["job"], jobs[1]);
    assert!(done.json()["reason"].as_str().unwrap().contains("404"), "{done:?}");
}

/// Rules and faults are those of a scheme, host and port.
#[tokio::test]
async fn a_port_that_nobody_listens_at_holds_up_nothing_else() {
    let site = Site::start().await;
    let pictures = site.gallery("/a", 2, None);
    let mended = site.gallery("/dead", 3, None);
    let shell = Shell::on(&site).await;
    let dead = "http://site.example:8081/dead".to_owned();
    let origin = dead.trim_end_matches("/dead");
    let mapping = format!("{origin}=http://127.0.0.1:1,{}", site.mapping());
    let shell = Shell { mapping: Some(mapping), ..shell };
    let start = url("/a");
    let addresses = ["crawl", "--url", &dead, "--url", &start, "--out", "out", "--json"];
    let done = shell.run(&addresses).await.expect(1).json();
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));
    let reason = done["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("{dead} cannot be read for now: network: ")), "{reason}");

    // Nor is it held against it once somebody listens there.
    let shell = Shell { mapping: Some(site.mapping()), ..shell };
    let done = shell.run(&["crawl", "--url", &dead, "--out", "mended", "--json"]).await.expect(0).json();
    assert_eq!(done["kept"], mended.len(), "{done}");
}

/// A site that says it is busy is there.
#[tokio::test]
async fn a_site_that_is_busy_is_waited_for() {
    let site = Site::start().await;
    site.on("/a", [Reply::Status(503, None)]);
    let shell = Shell::on(&site).await;
    let start = url("/a");
    let mut crawl = shell.command(&["crawl", "--url", &start, "--out", "out"]).spawn().unwrap();
    let mut lines = BufReader::new(crawl.stderr.take().unwrap()).lines();
    let told = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("waiting") {
                return line;
            }
        }
        panic!("it ended");
    };
    let told = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(told.contains("503"), "{told}");
    crawl.kill().await.unwrap();
}

#[tokio::test]
async fn keywords_that_are_one_are_said() {
    let site = Site::start().await;
    let shell = Shell::on(&site).await;
    let done =
        shell.run(&["crawl", "Turkey", "turkey", "lion", "lion", "--source", "openverse", "--out", "out"]);
    done.await.expect(1).says(&["the keyword `Turkey` was given as `turkey` too", "one class"]);
}

/// Waits until this many pictures are kept in all.
async fn kept(shell: &Shell, count: i32) {
    let mut listener = sqlx::postgres::PgListener::connect_with(&shell.database.pool).await.unwrap();
    listener.listen(pixcrawler::db::progress::CHANNEL).await.unwrap();
    let wait = async {
        loop {
            let query = "select coalesce(sum(kept), 0)::integer from pixcrawler.job";
            let kept: i32 = sqlx::query_scalar(query).fetch_one(&shell.database.pool).await.unwrap();
            if kept >= count {
                return;
            }
            listener.recv().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn addresses_come_from_a_file_or_standard_input() {
    let site = Site::start().await;
    let (one, two) = (site.gallery("/one", 2, None), site.gallery("/two", 2, None));
    let shell = Shell::on(&site).await;
    let text = format!("# two pages\n\n{}\r\n  {}#top\n", url("/one"), url("/two"));
    fs::write(shell.path("pages.txt"), &text).unwrap();
    let done = shell.run(&["crawl", "--urls", "pages.txt", "--out", "out", "--json"]).await.expect(0).json();
    assert_eq!(done["kept"], 4);
    let classes: BTreeSet<_> =
        dataset(&shell.path("out")).lines.iter().map(|line| line["label"].to_string()).collect();
    assert_eq!(classes.len(), 2);
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(one.iter().chain(&two)));

    // The same request, wherever it comes from.
    let asked = site.requests("/").len();
    let mut command = shell.command(&["crawl", "--urls", "-", "--out", "out", "--json"]);
    let mut crawl = command.stdin(Stdio::piped()).spawn().unwrap();
    crawl.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = tokio::time::timeout(PATIENCE, crawl.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(site.requests("/").len(), asked);

    // Also as PowerShell and Notepad write it.
    let utf16 = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let bytes: Vec<u8> = utf16.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(shell.path("pages.txt"), bytes).unwrap();
    let again = shell.run(&["crawl", "--urls", "pages.txt", "--out", "out", "--json"]).await.expect(0);
    again.says(&["is complete already"]);

    shell.run(&["crawl", "--urls", "none.txt"]).await.expect(1).says(&["cannot read none.txt"]);
    fs::write(shell.path("old.txt"), b"https://site.example/\xfc").unwrap();
    let refused = shell.run(&["crawl", "--urls", "old.txt"]).await.expect(1);
    refused.says(&["cannot read old.txt", "neither UTF-8 nor UTF-16", "save it as UTF-8"]);
}

#[tokio::test]
async fn rules_are_said_in_the_words_of_the_command_line() {
    let shell = Shell::new().await;
    let refused = async |arguments: &str, says: &[&str]| {
        let arguments: Vec<&str> =
            ["crawl", "--out", "out"].into_iter().chain(arguments.split(' ')).collect();
        shell.run(&arguments).await.expect(2).says(says);
    };
    refused(
        "lion --source webpage",
        &["addresses (--url) must be given: the source `webpage` takes addresses"],
    )
    .await;
    refused("lion --source openvrse", &["--source `openvrse` is not installed (did you mean `openverse`?)"])
        .await;
    refused(
        "lion --option openverse.licence=cc0 --license banana,cc-bye",
        &[
            "--option openverse.licence `cc0` is not an option (did you mean `license`?); those of `openverse` are: ",
            "`license` (some of: ",
            "--license `banana` is not a licence that is known; accepted are cc0, ",
            "--license `cc-bye` is not a licence that is known (did you mean `cc-by`?)",
        ],
    )
    .await;
    // Before anything is asked.
    refused(
        "cats=example.org/x localhost:18877/cats/ cats:http://a.example --source nope",
        &[
            "Note: `cats=example.org/x` is taken as a keyword; an address begins with https://, or is NAME=https://…",
            "Note: `localhost:18877/cats/` is taken",
            "Note: `cats:http://a.example` is taken",
        ],
    )
    .await;
    refused(
        "www.example.org/cats --source nope",
        &["Note: `www.example.org/cats` is taken as a keyword; an address begins with https://"],
    )
    .await;
    shell.run(&["plugin", "enable", "openvrse"]).await.expect(1).says(&["(did you mean `openverse`?)"]);
    let run = shell.run(&["plugin", "run", "openverse", "lion", "--option", "licence=cc0"]).await.expect(2);
    run.says(&["--option licence is not an option (did you mean `license`?)"]);
    let refused = shell.run(&[
        "crawl",
        "lion",
        "--source",
        "nope",
        "--language",
        "x y",
        "--option",
        "nope.size=1",
        "--out",
        "out",
    ]);
    refused.await.expect(2).says(&[
        "--source `nope` is not installed; installed are: ",
        "--language `x y` must be a BCP 47 tag",
        "--option nope.",
    ]);
    // Nothing came of it: there is no folder, or it is as it was.
    assert!(!shell.path("out").exists());
    fs::create_dir(shell.path("out")).unwrap();
    let long = url(&format!("/{}", "x".repeat(8_200)));
    let refused = shell.run(&["crawl", "--url", &long, "--out", "out"]).await.expect(2);
    refused.says(&["address 1 `http://site.example/xxx", "…` must be text of 1 to 8192 characters"]);
    assert!(refused.stderr.len() < 400, "{refused:?}");
    let refused = shell.run(&["crawl", "birds=http://127.0.0.1/", "--out", "out"]).await.expect(2);
    refused.says(&["address 1 `http://127.0.0.1/` cannot be crawled"]);
    assert!(!refused.stderr.contains("--label"), "only what is the case: {refused:?}");
    assert_eq!(fs::read_dir(shell.path("out")).unwrap().count(), 0);
}

/// Browsers escape a query in the encoding of the page, and all else as UTF-8; a site that is as old as its
/// encoding understands nothing else.
#[tokio::test]
async fn queries_are_in_the_encoding_of_their_page() {
    let site = Site::start().await;
    let page = |html: &str| {
        let html: Vec<u8> = html.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n", html.len());
        Reply::Raw([head.into_bytes(), html].concat())
    };
    let head = "<meta charset=windows-1252>";
    let (first, second) = ("/alt", "/alt?seite=zw%F6lf");
    site.on(
        first,
        [page(&format!(
            "{head}<img src='/bild.png?name=grün'><img src='/bild.png?name=gr%FCn'><img src='/grün/j%F8rgen.png'>
             <img src='//bücher.example:80/a.png'><a rel=next href='?seite=zwölf'>"
        ))],
    );
    // It names itself as the one that follows.
    site.on(
        second,
        [page(&format!("{head}<img src='/bild.png?name=&#29392;'><a rel=next href='?seite=zwölf'>"))],
    );
    let pictures = [
        (ORIGIN, "/bild.png?name=gr%FCn"),
        (ORIGIN, "/gr%C3%BCn/j%F8rgen.png"),
        ("http://xn--bcher-kva.example", "/a.png"),
        (ORIGIN, "/bild.png?name=%26%2329392%3B"),
    ];
    for (_, path) in pictures {
        site.on(path, [Reply::Picture]);
    }
    let shell = Shell::on(&site).await;
    let start = url(first);
    let said = shell.run(&["crawl", "--url", &start, "--out", "out", "--json"]).await.expect(0).json();
    assert_eq!(
        (&said["kept"], &said["refused"]),
        (&json!(4), &json!({})),
        "{said}: {:?}",
        site.requests("/")
    );
    let kept = dataset(&shell.path("out")).lines;
    let kept: BTreeSet<_> = kept.iter().map(|line| line["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kept, pictures.map(|(origin, path)| format!("{origin}{path}")).into());
    let asked: Vec<_> = site.requests("/").into_iter().filter(|path| path != "/robots.txt").collect();
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert_eq!(site.requests("/alt"), [first, second]);
}

#[tokio::test]
async fn a_crawl_that_brings_nothing_fails() {
    let site = Site::start().await;
    let shell = Shell::on(&site).await;
    let failed = shell.run(&["crawl", "--url", &url("/none"), "--out", "out", "--json"]).await.expect(1);
    let said = failed.json();
    assert_eq!((&said["status"], &said["kept"]), (&json!("failed"), &json!(0)));
    assert!(said["reason"].as_str().unwrap().contains("nothing usable came"), "{said}");

    // A page without a sound picture, too; what was refused is listed, and nothing else is there.
    let gone = ["/empty/gone.png".to_owned()];
    site.on("/empty", [page(&gone, None)]);
    let crawl =
        async |path: &str| shell.run(&["crawl", "--url", &url(path), "--out", "empty", "--json"]).await;
    let empty = crawl("/empty").await.expect(1).json();
    assert_eq!((&empty["status"], &empty["kept"]), (&json!("completed"), &json!(0)));
    assert_eq!(empty["reason"], "kept 0: the sources have no more");
    assert_eq!(empty["refused_file"], "empty/refused.jsonl");
    let mut there: Vec<_> =
        fs::read_dir(shell.path("empty")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, [".pixcrawler.json", "refused.jsonl"]);
    // The same command looks again, and another one may have the folder.
    let again = crawl("/empty").await.expect(1);
    assert_eq!((&again.json()["job"], site.requests("/empty").len()), (&empty["job"], 4));
    let new = site.gallery("/new", 1, None);
    assert_ne!(crawl("/new").await.expect(0).json()["job"], empty["job"]);
    assert_eq!(dataset(&shell.path("empty")).hashes, hashes(&new));
    assert!(!shell.path("empty/refused.jsonl").exists());

    // Once the page is there, the same command brings it.
    let pictures = site.gallery("/none", 2, None);
    let done = shell.run(&["crawl", "--url", &url("/none"), "--out", "out", "--json"]).await.expect(0).json();
    assert_eq!((&done["kept"], &done["job"]), (&json!(2), &said["job"]));
    assert_eq!(dataset(&shell.path("out")).hashes, hashes(&pictures));
}

#[tokio::test]
async fn a_folder_knows_its_database() {
    let site = Site::start().await;
    site.gallery("/a", 1, None);
    let shell = Shell::on(&site).await;
    let start = url("/a");
    let arguments = ["crawl", "--url", &start, "--out", "out"];
    shell.run(&arguments).await.expect(0);
    let elsewhere = Shell { database: database().await, ..shell };
    elsewhere.run(&arguments).await.expect(2).says(&["another database", "--restart"]);
    elsewhere.run(&[&arguments[..], &["--restart"]].concat()).await.expect(0);
}
