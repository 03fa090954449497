//! How well pictures that look alike are found, beside a library that many use, on the same files: pictures that were
//! changed in the ways of the web, and others that only look alike.

#![expect(clippy::print_stdout, reason = "it says what it found")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use pixcrawler::{
    model::{Pdq, Rules},
    validate::{self, DecodeLimits},
};
use serde::Deserialize;

/// A picture that was made.
#[derive(Deserialize)]
struct Made {
    file: String,
    /// Pictures of one scene are the same.
    scene: String,
    kind: String,
    /// By the name of what made them, in hexadecimal.
    hashes: BTreeMap<String, String>,
}

/// A way to tell, and the hashes that it has of each picture: it may have none, or several.
struct Method {
    name: String,
    /// Bits in which the hashes of pictures that look alike differ at most.
    distance: u32,
    hashes: Vec<Vec<Vec<u8>>>,
}

/// Bits in which hashes of 64 bits of others differ at most, as `imagededup` has it.
const THEIRS: u32 = 10;
/// Changes that are found in nearly all pictures.
const FOUND: [&str; 19] = [
    "JPEG 95",
    "JPEG 75",
    "JPEG 50",
    "JPEG 20",
    "JPEG 10",
    "WebP 40",
    "size × 2",
    "size × 1/2",
    "size × 1/4",
    "size × 1/8",
    "noise 30",
    "noise 80",
    "blur 2",
    "gamma 0.5",
    "gamma 2.0",
    "grey",
    "crop 2 %",
    "white border",
    "black border",
];
/// Those that make another picture, unless a job asks for more.
const OTHER: [&str; 2] = ["mirrored", "turned"];

impl Method {
    fn are_alike(&self, one: usize, other: usize) -> bool {
        let differ = |one: &[u8], other: &[u8]| -> u32 {
            one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones()).sum()
        };
        let near = |one: &Vec<u8>| self.hashes[other].iter().any(|other| differ(one, other) <= self.distance);
        self.hashes[one].iter().any(near)
    }
}

#[test]
fn copies_are_found_and_others_are_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/tools/strangers/python/bin/python");
    assert!(python.exists(), "run `make strangers`, which fetches the library");
    let folder = tempfile::tempdir().unwrap();
    let script = root.join("tests/strangers/look_alikes.py");
    let said = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let lines = said.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let made: Vec<Made> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();

    let telling = |made: &Made| -> Vec<Vec<u8>> {
        let bytes = fs::read(folder.path().join(&made.file)).unwrap();
        let picture = validate::validate(&bytes, &DecodeLimits::default(), &Rules::default()).unwrap();
        picture.hash.telling().map(|hash| hash.0.to_vec()).collect()
    };
    let ours = made.iter().map(telling).collect();
    let mut methods =
        vec![Method { name: "PixCrawler".to_owned(), distance: Pdq::ALIKE.into(), hashes: ours }];
    for name in made[0].hashes.keys() {
        let hashes = made.iter().map(|made| vec![hex::decode(&made.hashes[name]).unwrap()]).collect();
        methods.push(Method { name: name.clone(), distance: THEIRS, hashes });
    }

    let originals: BTreeMap<&str, usize> = (0..)
        .zip(&made)
        .filter(|(_, made)| made.kind == "original")
        .map(|(at, made)| (&*made.scene, at))
        .collect();
    let mut kinds: Vec<&str> = Vec::new();
    for made in made.iter().filter(|made| made.kind != "original") {
        if !kinds.contains(&&*made.kind) {
            kinds.push(&made.kind);
        }
    }
    let names: Vec<&str> = methods.iter().map(|method| &*method.name).collect();
    println!("| Change | {} |\n| --- |{}", names.join(" | "), " ---: |".repeat(names.len()));
    let row = |name: &str, shares: &[f64]| {
        let cells: Vec<String> = shares.iter().map(|share| format!("{:.1} %", 100.0 * share)).collect();
        println!("| {name} | {} |", cells.join(" | "));
    };
    let mut recall: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for kind in &kinds {
        let copies: Vec<usize> = (0..made.len()).filter(|at| made[*at].kind == *kind).collect();
        let share = |method: &Method| {
            let found = copies.iter().filter(|at| method.are_alike(**at, originals[&*made[**at].scene]));
            found.count() as f64 / copies.len() as f64
        };
        let shares: Vec<f64> = methods.iter().map(share).collect();
        row(kind, &shares);
        recall.insert(kind, shares);
    }
    // Of all pairs that are said to look alike those that do. Whether a picture in a mirror is the same is a matter
    // of taste.
    let compared: Vec<usize> = (0..made.len()).filter(|at| !OTHER.contains(&&*made[*at].kind)).collect();
    let precision: Vec<f64> = methods
        .iter()
        .map(|method| {
            let (mut right, mut wrong) = (0u32, 0u32);
            for (place, one) in compared.iter().enumerate() {
                for other in compared[..place].iter().filter(|other| method.are_alike(*one, **other)) {
                    if made[*one].scene == made[*other].scene { right += 1 } else { wrong += 1 }
                }
            }
            f64::from(right) / f64::from(right + wrong)
        })
        .collect();
    let all: Vec<f64> = (0..methods.len())
        .map(|method| {
            let asked = kinds.iter().filter(|kind| !OTHER.contains(kind));
            asked.clone().map(|kind| recall[kind][method]).sum::<f64>() / asked.count() as f64
        })
        .collect();
    row("**recall, but for the last two**", &all);
    row("**precision**", &precision);

    for kind in FOUND {
        assert!(recall[kind][0] >= 0.85, "{kind}: {}", recall[kind][0]);
    }
    assert!(precision[0] >= 0.999, "{}", precision[0]);
    assert!(all[0] >= 0.85, "{}", all[0]);
}
