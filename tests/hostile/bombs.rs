//! Components that cost the compiler more than anyone has.

use serde_json::Value;

use crate::support::{plugins::guest, postgres::database, process::System, site::Site};

/// A component with a function of so many locals, all of which change in each of so many
/// loops within loops.
fn bomb(locals: usize, loops: usize) -> Vec<u8> {
    fn number(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }
    let sized = |bytes: Vec<u8>| [number(bytes.len()), bytes].concat();
    let change =
        |local: usize| [vec![0x20], number(local), vec![0x41, 1, 0x6a, 0x21], number(local)].concat();
    let mut body = [vec![1], number(locals), vec![0x7f]].concat();
    for depth in 0..loops {
        body.extend([0x03, 0x40]);
        body.extend(change(depth % locals));
    }
    for depth in 0..loops {
        // Back to the beginning of the loop, if the local is not 0.
        body.extend([vec![0x20], number(depth % locals), vec![0x0d, 0, 0x0b]].concat());
    }
    body.push(0x0b);
    let code = sized([vec![1], sized(body)].concat());
    let module = [b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a".to_vec(), code].concat();
    [b"\0asm\x0d\0\x01\0\x01".to_vec(), sized(module)].concat()
}

impl System {
    /// Puts a component into the folder, recorded as if somebody had agreed to it.
    fn record(&self, id: &str, wasm: &[u8]) {
        use sha2::{Digest as _, Sha256};
        let folder = self.data().join("plugins");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{id}.wasm")), wasm).unwrap();
        let record = folder.join("plugins.toml");
        let before = std::fs::read_to_string(&record).unwrap_or_else(|_| "version = 1\n".to_owned());
        let entry = format!(
            "\n[plugin.{id}]\nenabled = true\n[plugin.{id}.build]\nversion = '1.0.0'\nfile = '{id}.wasm'\n\
             sha256 = '{}'\nsize = {}\ninstalled_at = '2026-01-01T00:00:00Z'\n\
             [plugin.{id}.build.granted]\nignores_robots = false\nhosts = [{{ pattern = 'site.example', kind = 'api' }}]\n",
            hex::encode(Sha256::digest(wasm)),
            wasm.len(),
        );
        std::fs::write(record, before + &entry).unwrap();
    }
}

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
    system.record("bomb", &bomb(4000, 1900));
    system.record("slow", &bomb(990, 1990));
    system.record("steps", &guest("steps"));
    std::fs::write(system.data().join("plugins/mere.wasm"), bomb(990, 1990)).unwrap();
    let server = system.server(&[("PIXCRAWLER_PLUGIN_COMPILE_DEADLINE", "3s")]).await;
    let told = |name: &str| {
        let lines = server.lines("plugin left out");
        lines.iter().find(|line| line["plugin"].to_string().contains(name)).unwrap()["reason"].to_string()
    };
    assert!(told("bomb.wasm").contains("locals times blocks"), "{}", told("bomb.wasm"));
    assert!(told("slow.wasm").contains("to compile"), "{}", told("slow.wasm"));
    assert!(told("mere.wasm").contains("not recorded"), "{}", told("mere.wasm"));
    let url = format!("http://{}/metrics", server.address());
    let misses = reqwest::Client::new().get(url).send().await.unwrap().text().await.unwrap();
    assert!(misses.contains("pixcrawler_plugin_cache_misses 0"), "{misses}");
    let sources = reqwest::Client::new().get(format!("http://{}/api/v1/sources/steps", server.address()));
    let steps = sources.bearer_auth(system.token()).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(steps["available"], true, "{steps}");
}
