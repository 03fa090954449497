//! Pillow and `LittleCMS` make pictures of pictures, too: of every kind of colour and every way to lie.

#![expect(clippy::print_stdout, reason = "it says what it found")]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use pixcrawler::{
    derive::derive,
    model::{Derivative, DerivedFormat, Fit},
    validate::DecodeLimits,
};
use serde::Deserialize;
use serde_json::json;

/// What the judge says of a picture.
#[derive(Deserialize)]
struct Judged {
    ours: (u32, u32, String),
    theirs: (u32, u32, String),
    /// Metadata that is still there.
    left: Vec<String>,
    /// Of the differences of all channels, of 255; none of pictures of other sizes or channels.
    mean: Option<f64>,
}

/// By how much pictures may differ in the mean, of 255.
const EXACT: f64 = 0.5;
/// Black and white without grey rings, and what rings out of range is cut between the two directions, of which
/// one or the other is the first.
const DITHERED: f64 = 1.5;
/// Decoders smooth colour that was stored in less than full size in ways of their own.
const DECODED: f64 = 1.0;
/// And JPEG loses something again.
const ENCODED: f64 = 4.5;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "where pictures of others are, which are not ours to give away"
)]
fn pillow_makes_the_same_pictures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/tools/strangers/python/bin/python");
    assert!(python.exists(), "run `make strangers`, which fetches Pillow");
    let script = root.join("tests/strangers/derive.py");
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(&python).arg(&script).arg("make").arg(folder.path()).status().unwrap();
    assert!(made.success());
    let files = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    };
    let mut pictures = files(folder.path());
    assert!(pictures.len() > 50, "{}", pictures.len());
    if let Some(recordings) = std::env::var_os("PIXCRAWLER_RECORDINGS") {
        let others = files(&Path::new(&recordings).join("pdq"));
        let of_modes = |path: &PathBuf| path.to_string_lossy().contains("__modes__");
        pictures.extend(others.into_iter().filter(of_modes));
    }
    pictures.sort();

    let made = tempfile::tempdir().unwrap();
    let (mut tasks, mut input) = (Vec::new(), Vec::new());
    for picture in &pictures {
        let bytes = fs::read(picture).unwrap();
        let name = picture.file_name().unwrap().to_string_lossy().into_owned();
        for (fit, format) in [
            (Fit::None, DerivedFormat::Png),
            (Fit::KeepRatio, DerivedFormat::Webp),
            (Fit::KeepRatio, DerivedFormat::Jpeg),
            (Fit::CenterCrop, DerivedFormat::Png),
            (Fit::Border, DerivedFormat::Png),
        ] {
            // Colours are converted before or after resizing, which is not the same.
            if name.starts_with("icc-") && fit != Fit::None {
                continue;
            }
            let wish = Derivative { width: 100, height: 75, fit, enlarge: false, format, quality: 95 };
            let derived = derive(&bytes, &wish, &DecodeLimits::default()).unwrap();
            let to = made.path().join(tasks.len().to_string());
            fs::write(&to, &derived.bytes).unwrap();
            serde_json::to_writer(&mut input, &json!({ "from": picture, "to": to, "wish": wish })).unwrap();
            input.push(b'\n');
            tasks.push((name.clone(), wish));
        }
    }
    let mut judge = Command::new(python)
        .arg(script)
        .arg("judge")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = judge.stdin.take().unwrap();
    let writer = std::thread::spawn(move || asked.write_all(&input));
    let said = judge.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(said.status.success());
    let said: Vec<Judged> = said
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    assert_eq!(said.len(), tasks.len());

    let (mut wrong, mut most) = (Vec::new(), [0.0_f64; 3]);
    for ((name, wish), Judged { ours, theirs, left, mean }) in tasks.iter().zip(said) {
        let is_lossless = !name.ends_with(".jpg") && !name.starts_with("lossy");
        let (kind, allowed) = match wish.format {
            DerivedFormat::Jpeg => (2, ENCODED),
            _ if name.ends_with("1.png") => (1, DITHERED),
            _ if is_lossless => (0, EXACT),
            _ => (1, DECODED),
        };
        match mean {
            Some(mean) if mean <= allowed && left.is_empty() => most[kind] = most[kind].max(mean),
            _ => wrong.push(format!(
                "{name} {:?} {:?}: {ours:?} {theirs:?} {mean:?} {left:?}",
                wish.fit, wish.format
            )),
        }
    }
    println!("{} pictures; mean differences up to {most:.2?} of 255: exact, smoothed, encoded", tasks.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
