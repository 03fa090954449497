//! From the folder to a bucket and back.

use std::fs;

use hyper::Method;
use serde_json::{Value, json};

use super::{files, kept};
use crate::support::{
    bucket::{BucketServer, Fault},
    postgres::data_dir,
    process::System,
    site::{Site, hashes},
};

#[tokio::test]
async fn an_installation_moves_to_a_bucket_and_back() {
    let (site, bucket) = (Site::start().await, BucketServer::start().await);
    let system = System::start(&site).await;
    let worker = system.worker(&[]).await;
    let all = site.gallery("/gallery", 6, None);
    let job = system.create(&["/gallery"], 6).await;
    system.until_status(job, "completed").await;
    let settings = bucket.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let run = async |arguments: &[&str], settings: &[(&str, &str)], code: i32| -> (Value, String) {
        let output = system.run(&[&["objects", "copy", "--json"], arguments].concat(), settings).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (said, String::from_utf8(output.stderr).unwrap())
    };

    let (_, told) = run(&["--to", "bucket"], &[], 2).await;
    assert!(told.contains("set PIXCRAWLER_S3_BUCKET"), "{told}");
    let (said, _) = run(&["--to=bucket", "--dry-run"], &settings, 0).await;
    assert_eq!((&said["named"], &said["new"]), (&json!(6), &json!(6)), "{said}");
    assert!(files(&bucket.folder()).is_empty(), "nothing is written");

    // It ends in the middle, and goes on with what is left.
    let hard = hashes(&all[..1]).pop_first().unwrap();
    bucket.fault(Some(Method::PUT), &hard, Fault::Answer(403, "AccessDenied"));
    let (_, told) = run(&["--to=bucket"], &settings, 1).await;
    assert!(told.contains("the same command again goes on") && told.contains("403 AccessDenied"), "{told}");
    bucket.mend();
    let (said, told) = run(&["--to=bucket"], &settings, 0).await;
    assert_eq!((&said["objects"], &said["faulty"]), (&json!(6), &json!(0)), "{said}");
    assert_eq!(said["hosts_run_elsewhere"], true);
    assert!(told.contains("stop all of them, give this command again, and start them with"), "{told}");
    assert_eq!(kept(&bucket), hashes(&all));
    let (said, _) = run(&["--to=bucket"], &settings, 0).await;
    assert_eq!(said["new"], 0);

    // What is damaged there has the size that it had.
    let damaged =
        files(&bucket.folder()).into_iter().find(|path| path.to_str().unwrap().contains(&hard)).unwrap();
    let size = fs::metadata(&damaged).unwrap().len();
    fs::write(&damaged, vec![0; size.try_into().unwrap()]).unwrap();
    assert_eq!(run(&["--to=bucket"], &settings, 0).await.0["new"], 0);
    assert_eq!(run(&["--to=bucket", "--verify"], &settings, 0).await.0["new"], 1);
    assert_eq!(kept(&bucket), hashes(&all));

    // While the copy goes on, hosts do; what came last is copied when they are stopped.
    let more = site.gallery("/more", 2, None);
    let job = system.create(&["/more"], 2).await;
    system.until_status(job, "completed").await;
    worker.kill().await;
    assert_eq!(run(&["--to=bucket"], &settings, 0).await.0["new"], 2);
    let server = system.server(&settings).await;
    server.logged("store-not-shared").await;
    fs::remove_dir_all(system.objects()).unwrap();
    let shown = system.get(&format!("/api/v1/crawl-jobs/{job}/images")).await.expect(200).json();
    for image in shown["items"].as_array().unwrap() {
        server.get(image["url"].as_str().unwrap()).await.expect(200);
    }

    // Back, into a folder that is new; one picture is lost, and said.
    let all = [all, more].concat();
    let lost =
        files(&bucket.folder()).into_iter().find(|path| path.to_str().unwrap().contains(&hard)).unwrap();
    let bytes = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    let folder = data_dir();
    let place = folder.of_host();
    let back = [&settings[..], &[("PIXCRAWLER_DATA_DIR", place.to_str().unwrap())]].concat();
    let (said, told) = run(&["--to=folder"], &back, 1).await;
    assert_eq!((&said["new"], &said["faulty"]), (&json!(7), &json!(1)), "{said}");
    assert!(told.contains(&format!("{hard}.png is missing")), "{told}");
    fs::write(&lost, bytes).unwrap();
    let (said, told) = run(&["--to=folder"], &back, 0).await;
    assert_eq!(said["new"], 1, "{said}");
    assert!(told.contains("without the settings PIXCRAWLER_S3_"), "{told}");
    let copied = files(&place.join("objects"));
    assert_eq!(
        copied.iter().filter(|path| path.extension().is_some_and(|ext| ext == "png")).count(),
        all.len()
    );
}
