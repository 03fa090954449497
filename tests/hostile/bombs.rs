//! Components that cost the compiler more than anyone has.

use serde_json::Value;

use crate::support::{
    bomb::{bomb, record},
    plugins::guest,
    postgres::database,
    process::System,
    site::Site,
};

#[tokio::test]
async fn a_bomb_is_refused_by_the_limit_that_it_passes_and_holds_up_nobody() {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &[]).await;
    let misses = system.get("/metrics").await.expect(200).text;
    assert!(misses.contains("pixcrawler_plugin_cache_misses 0"), "{misses}");

    // Seen before it is compiled.
    let file = system.data().join("bomb.wasm");
    std::fs::write(&file, bomb(4000, 1900)).unwrap();
    let path = file.to_str().unwrap();
    for command in [&["check", path][..], &["install", path, "--yes"]] {
        let said = system.fails(&[&["plugin"], command].concat(), &[]).await;
        assert!(said.contains("locals times blocks") && said.contains("at most"), "{said}");
    }
    // Seen when it is compiled: the child is ended.
    std::fs::write(&file, bomb(990, 1990)).unwrap();
    let said =
        system.fails(&["plugin", "check", path], &[("PIXCRAWLER_PLUGIN_COMPILE_DEADLINE", "100ms")]).await;
    assert!(said.contains("longer than 100ms to compile"), "{said}");
    // The compiler breaks.
    std::fs::write(&file, guest("steps")).unwrap();
    let nowhere = [("PIXCRAWLER_PROGRAM", "/bin/false")];
    let said = system.fails(&["plugin", "check", path], &nowhere).await;
    assert!(said.contains("MiB of memory to compile, or breaks the compiler"), "{said}");
    // What it makes cannot be kept.
    let cache = system.data().join("full");
    std::fs::create_dir_all(cache.join("plugins")).unwrap();
    std::fs::write(cache.join("plugins/modules"), "a file where the folder was").unwrap();
    let full = [("PIXCRAWLER_CACHE_DIR", cache.to_str().unwrap())];
    let said = system.fails(&["plugin", "check", path], &full).await;
    assert!(said.contains("not compiled: its code cannot be kept in"), "{said}");
    std::fs::remove_file(&file).unwrap();

    // A server that starts: beside the bombs it is ready, and so is what is sound.
    for (id, wasm) in [("bomb", bomb(4000, 1900)), ("slow", bomb(990, 1990)), ("steps", guest("steps"))] {
        record(&system.data(), id, &wasm).unwrap();
    }
    std::fs::write(system.data().join("plugins/mere.wasm"), bomb(990, 1990)).unwrap();
    let server = system.server(&[("PIXCRAWLER_PLUGIN_COMPILE_DEADLINE", "3s")]).await;
    for (name, part) in
        [("bomb.wasm", "locals times blocks"), ("slow.wasm", "to compile"), ("mere.wasm", "not recorded")]
    {
        let is_it = |line: &serde_json::Value| line["plugin"].to_string().contains(name);
        let told = server.logged_with("plugin-left-out", is_it).await["reason"].to_string();
        assert!(told.contains(part), "{name}: {told}");
    }
    let url = format!("http://{}/metrics", server.address());
    let misses = reqwest::Client::new().get(url).send().await.unwrap().text().await.unwrap();
    assert!(misses.contains("pixcrawler_plugin_cache_misses 0"), "{misses}");
    let sources = reqwest::Client::new().get(format!("http://{}/api/v1/sources/steps", server.address()));
    let steps = sources.bearer_auth(system.token()).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(steps["available"], true, "{steps}");
}
