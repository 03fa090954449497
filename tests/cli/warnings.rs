//! What commands for people warn of.

use std::fs;

use super::{Shell, ended};
use crate::support::site::{ORIGIN, Site};

/// Lines of a command that are no progress.
fn warnings(stderr: &str) -> Vec<&str> {
    stderr
        .lines()
        .filter(|line| line.contains("arning") || line.contains("WARN") || line.contains("Note"))
        .collect()
}

#[tokio::test]
async fn warnings_are_plain_sentences_each_once() {
    let site = Site::start().await;
    site.gallery("/a", 2, None);
    let shell = Shell::on(&site).await;
    let address = format!("{ORIGIN}/a");
    let crawl = |more: &[&str]| {
        let mut command =
            shell.command(&[&["crawl", "--url", &address, "--out", "out", "--json"], more].concat());
        command.env("PIXCRAWLER_ALLOW_PRIVATE", "127.0.0.0/8").env_remove("PIXCRAWLER_CONTACT");
        command
    };
    // What the user has set is no news to them; whom sites are told, once.
    let first = ended(crawl(&[])).await.expect(0);
    let told = warnings(&first.stderr);
    assert!(
        told.len() == 1 && told[0].starts_with("Note: ") && told[0].contains("PIXCRAWLER_CONTACT"),
        "{first:#?}"
    );
    let second = ended(crawl(&[])).await.expect(0);
    assert_eq!(warnings(&second.stderr), Vec::<&str>::new(), "{second:#?}");
    let doctor =
        ended(shell.command(&["doctor", "--port", "0", "--allow-private", "10.0.0.0/8"])).await.expect(0);
    assert_eq!(doctor.stderr, "");
    assert!(
        doctor.stdout.contains("note   opened             the private range 10.0.0.0/8 may be reached"),
        "{doctor:#?}"
    );

    // What is looked at several times is warned of once.
    let data = shell.folder.of_host();
    fs::write(data.join("thesis.txt"), "").unwrap();
    fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let third = ended(crawl(&["--grant", "nobody"])).await.expect(0);
    assert_eq!(
        warnings(&third.stderr),
        [
            &*format!(
                "Warning: the data folder holds other things too, and stays as open as it is (folder {})",
                data.display()
            ),
            "Warning: granted, but there is no such source (source nobody)",
        ],
        "{third:#?}"
    );

    // What became of a crawl is said by its summary, once.
    let missing = format!("{ORIGIN}/missing");
    let failed = ended(shell.command(&["crawl", "--url", &missing, "--out", "missing"])).await;
    assert!(failed.stdout.contains("/missing does not exist"), "{failed:#?}");
    assert!(!failed.stderr.contains("does not exist"), "{failed:#?}");

    // Who asks for a log gets one.
    let mut logged = crawl(&["--grant", "nobody"]);
    logged.env("PIXCRAWLER_LOG", "warn");
    let logged = ended(logged).await.expect(0);
    let line = logged.stderr.lines().find(|line| line.contains("no such source")).unwrap();
    assert!(line.contains("Z  WARN granted, but there is no such source source=\"nobody\""), "{line}");
}
