//! Keys that are changed while the system runs.

use serde_json::Value;

use super::system;
use crate::support::{
    process::{Process, System},
    site::{PATIENCE, Site},
};

/// Status of what a process answers.
async fn status(process: &Process, path: &str, token: Option<&str>) -> u16 {
    let request = reqwest::Client::new().get(format!("http://{}{path}", process.address()));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

/// Waits until a link is answered so.
async fn until(process: &Process, link: &str, wanted: u16) {
    let answered = async { while status(process, link, None).await != wanted {} };
    tokio::time::timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("never {wanted}: {link}"));
}

async fn token(system: &System) -> String {
    system.tool(&["token", "--email", "ann@example.org"], &[]).await.trim().to_owned()
}

/// How many keys are published.
async fn published(process: &Process) -> usize {
    let keys: Value = process.get("/auth/v1/.well-known/jwks.json").await.expect(200).json();
    keys["keys"].as_array().unwrap().len()
}

/// Two front doors, which know of each other only through the database and the data folder.
#[tokio::test]
async fn keys_of_tokens_are_changed_with_and_without_an_end() {
    const ME: &str = "/api/v1/auth/me";
    let site = Site::start().await;
    let system = system(&site).await;
    let other = system.server(&[("PIXCRAWLER_SLOTS", "0")]).await;
    let doors = [system.door(), &other];
    let first = system.token().to_owned();

    system.tool(&["keys", "rotate", "tokens"], &[]).await;
    let second = token(&system).await;
    assert_ne!(first, second);
    for door in doors {
        for token in [&second, &first] {
            assert_eq!(status(door, ME, Some(token)).await, 200, "both are good");
        }
        assert_eq!(published(door).await, 2);
    }

    let told = system.tool(&["keys", "rotate", "tokens", "--end-old"], &[]).await;
    assert_eq!(told.trim(), "There is a new key for tokens; those of before end within seconds.");
    let third = token(&system).await;
    for door in doors {
        assert_eq!(status(door, ME, Some(&third)).await, 200, "at once");
        for token in [&first, &second] {
            assert_eq!(status(door, ME, Some(token)).await, 401);
        }
        assert_eq!(published(door).await, 1);
    }
    let project = [("SUPABASE_URL", "https://project.supabase.example")];
    let told = system.fails(&["keys", "rotate", "tokens"], &project).await;
    assert!(told.contains("change its signing keys there"), "{told}");
    // In the wrong folder nothing ends, which must not look as if it did.
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("typo");
    let told = system.fails(&["keys", "rotate", "tokens", "--data-dir", folder.to_str().unwrap()], &[]).await;
    assert!(told.contains("there is no key of tokens in"), "{told}");
    assert!(!folder.exists());
    system.is_closed();
}

#[tokio::test]
async fn keys_of_links_are_changed_with_and_without_an_end() {
    let site = Site::start().await;
    let system = system(&site).await;
    let other = system.server(&[("PIXCRAWLER_SLOTS", "0")]).await;
    let doors = [system.door(), &other];
    site.gallery("/gallery", 1, None);
    let job = system.create(&["/gallery"], 1).await;
    // Asked again and again: streams that nobody reads would take all the places that an address has.
    let link = async || system.job(job).await["manifest_url"].as_str().unwrap().to_owned();

    let first = link().await;
    system.tool(&["keys", "rotate", "links"], &[]).await;
    let second = link().await;
    for door in doors {
        for link in [&first, &second] {
            assert_eq!(status(door, link, None).await, 200, "nobody need know of the new key yet");
        }
    }
    let told = system.tool(&["keys", "rotate", "links", "--end-old", "--json"], &[]).await;
    assert_eq!(told.trim(), r#"{"old_ended":true,"rotated":"links"}"#);
    for door in doors {
        for link in [&first, &second] {
            until(door, link, 401).await;
        }
    }
    let third = link().await;
    for door in doors {
        until(door, &third, 200).await;
    }
}
