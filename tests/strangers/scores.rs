//! `OpenCV` tells how sharp, bright and even pictures are, and encodes JPEGs of known quality.

#![expect(clippy::print_stdout, reason = "it says what it found")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use pixcrawler::{
    model::{Rules, Scores},
    validate::{DecodeLimits, validate},
};
use serde::Deserialize;

/// What the judge says of a picture.
#[derive(Deserialize)]
struct Judged {
    name: String,
    laplacian: f64,
    /// Of 255.
    mean: f64,
    /// Of 255.
    deviation: f64,
    quality: Option<i16>,
}

/// Places in the order, from the lowest value on; equal ones share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 - 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// Pearson's coefficient.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let product = |one: &[f64], mean_one: f64, other: &[f64], mean_other: f64| {
        one.iter().zip(other).map(|(one, other)| (one - mean_one) * (other - mean_other)).sum::<f64>()
    };
    product(one, mean_one, other, mean_other)
        / (product(one, mean_one, one, mean_one) * product(other, mean_other, other, mean_other)).sqrt()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "where pictures of others are, which are not ours to give away"
)]
fn opencv_sees_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/tools/strangers/python/bin/python");
    assert!(python.exists(), "run `make strangers`, which fetches OpenCV");
    let mut pictures: Vec<PathBuf> = Vec::new();
    if let Some(recordings) = std::env::var_os("PIXCRAWLER_RECORDINGS") {
        let others = fs::read_dir(Path::new(&recordings).join("pdq")).into_iter().flatten();
        let others = others.map(|entry| entry.unwrap().path());
        pictures.extend(others.filter(|path| path.to_string_lossy().contains("labelme-subset__")));
        pictures.sort();
    }
    let folder = tempfile::tempdir().unwrap();
    let script = root.join("tests/strangers/scores.py");
    let said = Command::new(python).arg(script).arg(folder.path()).args(&pictures).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let said: Vec<Judged> = said
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    assert_eq!(said.len(), 13 * (1 + pictures.len()));

    let (mut ours, mut theirs, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for Judged { name, laplacian, mean, deviation, quality } in said {
        let bytes = fs::read(folder.path().join(&name)).unwrap();
        let Scores { brightness, contrast, sharpness, jpeg_quality } =
            validate(&bytes, &DecodeLimits::default(), &Rules::default()).unwrap().scores;
        let [brightness, contrast, sharpness] =
            [brightness, contrast, sharpness].map(|score| f64::from(score.unwrap()));
        // They are of the picture as it is when its longer side has 256 pixels, and in whole numbers.
        let is_near = |one: f64, other: f64| (one - other).abs() <= 10.0;
        let is_same = is_near(brightness, mean / 2.55) && is_near(contrast, deviation / 1.275);
        if !is_same || jpeg_quality != quality {
            wrong.push(format!(
                "{name}: {brightness} {contrast} {jpeg_quality:?}, not {mean} {deviation} {quality:?}"
            ));
        }
        ours.push(sharpness);
        theirs.push(laplacian);
    }
    let agree = correlation(&ranks(&ours), &ranks(&theirs));
    println!("{} pictures; ranks of sharpness agree by {agree:.3}", ours.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(agree > 0.95, "{agree}");
}
