//! Files in the folder of plugins that are no sound components.

use super::{assert_sound, folder, guest, sound_job};
use crate::support::{api::Api, site::Site};

/// `\0asm`, then version and layer of what follows.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// The component with another id of the same length.
fn renamed(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut renamed = component.to_vec();
    let places: Vec<usize> =
        (0..component.len()).filter(|at| component[*at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "no `{from}` in the component");
    for at in places {
        renamed[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    renamed
}

#[tokio::test]
async fn what_is_no_source_is_named_and_left_out() {
    let steps = guest("steps");
    let half = steps[..steps.len() / 2].to_vec();
    let files = [
        ("steps.wasm", steps.clone()),
        ("core.wasm", CORE_MODULE.to_vec()),
        ("empty.wasm", Vec::new()),
        ("half.wasm", half),
        ("slash.wasm", renamed(&steps, "steps", "st/ps")),
        ("text.wasm", b"a text that somebody renamed".to_vec()),
        ("twin.wasm", steps.clone()),
        ("upper.wasm", renamed(&steps, "steps", "Steps")),
        ("world.wasm", EMPTY_COMPONENT.to_vec()),
    ];
    let plugins = folder(&files);
    let site = Site::start().await;
    let mapping = site.mapping();
    let api = Api::crawling(&[
        "--plugins-dir",
        plugins.path().to_str().unwrap(),
        "--grant",
        "steps,core,empty,half,slash,text,twin,upper,world",
        "--map-origin",
        &mapping,
    ])
    .await;

    let mut refused = api.app.plugins.refused();
    refused.sort_by(|one, other| one.name.cmp(&other.name));
    let expected = [
        ("core.wasm", "module"),
        ("empty.wasm", "empty"),
        ("half.wasm", "unexpected end"),
        ("slash.wasm", "`st/ps`"),
        ("text.wasm", "WebAssembly"),
        ("twin.wasm", "the id `steps` is taken by"),
        ("upper.wasm", "`Steps`"),
        ("world.wasm", "pixcrawler:source"),
    ];
    let told: Vec<_> = refused.iter().map(|plugin| format!("{}: {}", plugin.name, plugin.reason)).collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, (name, reason)) in told.iter().zip(expected) {
        assert!(told.contains(name) && told.contains(reason), "{told} does not say {name}: {reason}");
    }

    let ann = api.user("ann@example.org");
    let job = sound_job(&site, &ann, "rest").await;
    assert_sound(&ann, job).await;
    api.stop().await;
}
