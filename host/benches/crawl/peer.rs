//! The same by another tool: img2dataset, which `make bench` fetches.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;

use crate::{
    gallery::Gallery,
    host::{Watch, memory_of_all, reaped},
};

/// What it took.
pub(crate) struct Peer {
    /// In all.
    pub(crate) cpu: Duration,
    /// At most, in MiB.
    pub(crate) memory: u64,
}

/// Has it crawl so many pictures of the gallery, and make them fit in 256 × 256 pixels; none where it is not there.
///
/// # Errors
/// When it fails, or does not get them all.
pub(crate) fn run(gallery: &Gallery, images: usize, folder: &Path) -> anyhow::Result<Option<Peer>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bench/python/bin/img2dataset");
    if !program.exists() {
        return Ok(None);
    }
    let (list, out) = (folder.join("addresses.txt"), folder.join("img2dataset"));
    fs::write(&list, (0..images).map(|number| gallery.picture(number) + "\n").collect::<String>())?;
    let before = reaped();
    let mut tool = Command::new(program)
        .args(["--input_format", "txt", "--output_format", "webdataset", "--processes_count", "2"])
        .args(["--thread_count", "32", "--image_size", "256", "--resize_mode", "keep_ratio_largest"])
        .args(["--resize_only_if_bigger", "True", "--encode_quality", "90", "--compute_hash", "sha256"])
        .arg("--url_list")
        .arg(&list)
        .arg("--output_folder")
        .arg(&out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let watch = Watch::start({
        let root = tool.id();
        move || memory_of_all(root)
    });
    let status = tool.wait()?;
    let memory = watch.peak();
    anyhow::ensure!(status.success(), "img2dataset ended with {status}");
    let cpu = reaped() - before;
    let mut kept = 0;
    for entry in fs::read_dir(&out)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_stats.json") {
            let stats: serde_json::Value = serde_json::from_slice(&fs::read(path)?)?;
            kept += stats["successes"].as_u64().context("no number of successes")?;
        }
    }
    anyhow::ensure!(kept == images as u64, "img2dataset got {kept} of {images} images");
    Ok(Some(Peer { cpu, memory }))
}
