//! What is exported, in every format, as the libraries that people train with read it.

use std::path::Path;

use pixcrawler::{
    dataset::export::{
        attribution,
        card::Card,
        croissant::Croissant,
        facts::ExportFacts,
        labels::{self, LabelFormat},
        manifest::ExportFile,
        parquet::{ParquetLayout, ParquetRow, ParquetWriter, key},
    },
    model::{ExportFormat, ExportOptions, ExportRecord, Provenance, Sha256},
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    command_line,
    support::{
        postgres,
        site::{ORIGIN, Site},
    },
    text,
};

/// Texts that some format takes for something else.
const ODD: [&str; 8] = [
    "=HYPERLINK(\"x\")",
    "two\r\nlines, \"quoted\"",
    " no \u{85}\u{2028}\u{feff} end ",
    "- a: b # c",
    "貓 \u{1f408}",
    "null",
    "1e3",
    "'@ann",
];

/// Pictures of two formats and what is known of each, in the order of an export.
fn pictures() -> Vec<(ExportRecord, Vec<u8>)> {
    let mut pictures: Vec<(ExportRecord, Vec<u8>)> = (0..24u8)
        .map(|number| {
            let mut image = image::RgbImage::new(16 + u32::from(number), 12);
            image.enumerate_pixels_mut().for_each(|(x, y, pixel)| {
                pixel.0 = [number * 10, (x * 9).to_le_bytes()[0], (y * 20).to_le_bytes()[0]];
            });
            let (format, extension) = match number % 4 {
                3 => (image::ImageFormat::Png, "png"),
                _ => (image::ImageFormat::Jpeg, "jpg"),
            };
            let mut bytes = std::io::Cursor::new(Vec::new());
            image.write_to(&mut bytes, format).unwrap();
            let bytes = bytes.into_inner();
            let (label, folder) =
                [("cat", "cat"), ("a dog:\t\"x\"", "a dog-1"), ("貓", "貓")][usize::from(number % 3)];
            let odd = ODD[usize::from(number) % ODD.len()].to_owned();
            let sha256 = Sha256::of(&bytes).to_string();
            let is_known = number > 10;
            let record = ExportRecord {
                file_name: format!("{folder}/{sha256}.{extension}"),
                label: label.to_owned(),
                labels: if number % 2 == 0 {
                    vec![label.to_owned()]
                } else {
                    vec![label.to_owned(), odd.clone()]
                },
                tags: if is_known { vec![odd.clone(), String::new()] } else { Vec::new() },
                url: format!("https://site.example/{number}.{extension}?a=1&b=2"),
                // The first ones lack what others have: nobody may guess types from them.
                source: is_known.then(|| "openverse".to_owned()),
                provenance: Provenance {
                    title: is_known.then(|| odd.clone()),
                    creator: is_known.then(|| odd.clone()),
                    license: is_known.then(|| "cc-by-4.0".to_owned()),
                    license_url: is_known.then(|| "https://creativecommons.org/licenses/by/4.0/".to_owned()),
                    ..Provenance::default()
                },
                consent: if is_known {
                    vec![
                        "noted c2pa file manifest".to_owned(),
                        format!("unreadable tdm-reservation header {odd}"),
                    ]
                } else {
                    Vec::new()
                },
                width: image.width(),
                height: image.height(),
                size: bytes.len() as u64,
                sha256,
                pdq: Some(format!("{number:064x}")),
                ..ExportRecord::default()
            };
            (record, bytes)
        })
        .collect();
    pictures.sort_by_key(|(record, _)| (record.label.clone(), record.sha256.clone()));
    pictures
}

/// Writes a file, and says so.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> ExportFile {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    let sha256 = Some(Sha256::of(bytes).to_string());
    ExportFile { name: name.to_owned(), bytes: Some(bytes.len() as u64), sha256, ..ExportFile::default() }
}

fn lines(format: LabelFormat, pictures: &[(ExportRecord, Vec<u8>)]) -> Vec<u8> {
    let records: Vec<_> = pictures.iter().map(|(record, _)| format.record(record)).collect();
    let (head, foot) = (format.head(pictures.len(), false), format.foot(pictures.len()));
    [&head[..], &records.join(format.separator()), foot].concat()
}

/// A table in row groups of seven, whose first picture has this position.
fn table(layout: ParquetLayout, first: usize, pictures: &[(ExportRecord, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ParquetWriter::new(Vec::new(), layout).unwrap();
    for (number, group) in pictures.chunks(7).enumerate() {
        let rows: Vec<_> = (i32::try_from(first + number * 7).unwrap()..)
            .zip(group)
            .map(|(position, (record, _))| ParquetRow { position, record })
            .collect();
        writer.group(&rows, |index| Ok(group[index].1.clone().into())).unwrap();
    }
    writer.finish().unwrap()
}

/// Packs a folder away with a tool of others.
async fn pack(folder: &Path, archive: &str, command: &[&str]) -> ExportFile {
    let members = folder.join("members");
    let mut names: Vec<_> =
        std::fs::read_dir(&members).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let mut packer = Command::new(command[0]);
    packer.args(&command[1..]).arg(folder.join(archive)).args(names).current_dir(&members);
    let packed = packer.output().await.unwrap();
    assert!(packed.status.success(), "{}", text(&packed));
    std::fs::remove_dir_all(members).unwrap();
    put(folder, archive, &std::fs::read(folder.join(archive)).unwrap())
}

/// Writes an export in this format.
async fn export(root: &Path, format: ExportFormat, pictures: &[(ExportRecord, Vec<u8>)]) {
    let folder = root.join(format.name());
    let mut files = Vec::new();
    match format {
        ExportFormat::Folder | ExportFormat::Zip => {
            let place = if format == ExportFormat::Zip { folder.join("members") } else { folder.clone() };
            for (record, bytes) in pictures {
                put(&place, &record.file_name, bytes);
            }
            files.push(put(&place, "metadata.jsonl", &lines(LabelFormat::Jsonl, pictures)));
            if format == ExportFormat::Zip {
                files = vec![pack(&folder, "data-00000.zip", &["python3", "-m", "zipfile", "-c"]).await];
            }
        }
        ExportFormat::Webdataset => {
            for (shard, pictures) in pictures.chunks(13).enumerate() {
                for (position, (record, bytes)) in (i32::try_from(shard * 13).unwrap()..).zip(pictures) {
                    let name = format!("members/{}", key(position));
                    let extension = record.file_name.rsplit('.').next().unwrap();
                    put(&folder, &format!("{name}.{extension}"), bytes);
                    put(&folder, &format!("{name}.json"), labels::keyed(&key(position), record).as_bytes());
                }
                files.push(pack(&folder, &format!("data-0000{shard}.tar"), &["tar", "cf"]).await);
                let layout = ParquetLayout { keys: true, ..ParquetLayout::default() };
                let beside = table(layout, shard * 13, pictures);
                files.push(put(&folder, &format!("data-0000{shard}.parquet"), &beside));
            }
        }
        ExportFormat::Parquet => {
            let layout = ParquetLayout { pictures: true, ..ParquetLayout::default() };
            for (shard, pictures) in pictures.chunks(13).enumerate() {
                files.push(put(
                    &folder,
                    &format!("data-0000{shard}.parquet"),
                    &table(layout, shard * 13, pictures),
                ));
            }
        }
        _ => {
            let labels = lines(LabelFormat::of(format).unwrap(), pictures);
            files.push(put(&folder, &format!("data.{}", format.name()), &labels));
        }
    }
    let rows: Vec<u8> = pictures.iter().flat_map(|(record, _)| attribution::row(record)).collect();
    files.push(put(&folder, "attribution.csv", &[attribution::head(), rows].concat()));

    let mut facts = ExportFacts { name: "Cats: \"and\"\n<dogs>".to_owned(), ..ExportFacts::default() };
    pictures.iter().for_each(|(record, _)| facts.counts.add(record));
    let options = &ExportOptions { parquet_beside: true, ..ExportOptions::default() };
    let card = Card { facts: &facts, format, options, folder: None, refusals: None }.text();
    put(&folder, "README.md", card.as_bytes());
    let described = Croissant { facts: &facts, format, options, files: &files }.text();
    put(&folder, "croissant.json", described.as_bytes());
    files.iter_mut().for_each(|file| file.sha256 = None);
    let described = Croissant { facts: &facts, format, options, files: &files }.text();
    put(&folder, "croissant-without-hashes.json", described.as_bytes());
}

/// What a script of ours says when it is asked in Python, about what was exported.
pub(crate) async fn asked(script: &str, exported: &Path) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/tools/strangers/python/bin/python");
    assert!(python.exists(), "run `make strangers`, which fetches the libraries");
    let mut python = Command::new(python);
    python.arg(root.join("tests/strangers").join(script)).arg(exported);
    python.env("HF_HUB_OFFLINE", "1").env("HF_HOME", exported.join("cache"));
    python.env("CROISSANT_CACHE", exported.join("croissants")).env("PYTHONDONTWRITEBYTECODE", "1");
    let said = python.output().await.unwrap();
    assert!(said.status.success(), "{}", text(&said));
    let last = said.stdout.trim_ascii().rsplit(|byte| *byte == b'\n').next().unwrap();
    serde_json::from_slice(last).unwrap()
}

/// Every format, by the libraries that people load it with: rows, labels and pixels are the same.
#[tokio::test]
async fn libraries_read_what_is_exported() {
    let folder = postgres::data_dir();
    let (root, pictures) = (folder.path(), pictures());
    put(root, "rows.jsonl", &lines(LabelFormat::Jsonl, &pictures));
    for (record, bytes) in &pictures {
        put(root, &format!("pictures/{}", record.file_name.rsplit('/').next().unwrap()), bytes);
    }
    for format in ExportFormat::ALL {
        export(root, format, &pictures).await;
    }

    let found = asked("load.py", root).await;
    println!("{found:#}");
    let readers = found.as_object().unwrap();
    let all = |(name, rows): (&String, &Value)| if name == "cards" { *rows == 9 } else { *rows == 24 };
    assert!(readers.len() >= 20 && readers.iter().all(all), "{found:#}");

    let found = asked("croissant.py", root).await;
    println!("{found:#}");
    for format in ExportFormat::ALL {
        let [known, unknown] = ["croissant", "croissant-without-hashes"]
            .map(|name| &found[format!("{}/{name}.json", format.name())]);
        let both = json!({ "records": 24, "pictures": 24 });
        let (expect, without) = match format {
            ExportFormat::Zip => (both, json!({ "records": null, "pictures": null })),
            ExportFormat::Webdataset => (both, json!({ "records": 24, "pictures": null })),
            ExportFormat::Yaml | ExportFormat::Txt => (json!({}), json!({})),
            _ => (json!({ "records": 24 }), json!({ "records": 24 })),
        };
        assert_eq!((known, unknown), (&expect, &without), "{}", format.name());
    }
}

/// A dataset that was crawled, written by `dataset export` in parts: each loader has the parts that there are.
#[tokio::test]
async fn loaders_know_the_parts_of_a_split() {
    let site = Site::start().await;
    for (page, count) in [("/cats", 30), ("/dogs", 20)] {
        site.gallery(page, count, None);
    }
    let (database, data) = (postgres::database().await, postgres::data_dir());
    let run = async |arguments: &[&str]| command_line(&site, &database, &data, arguments).await;
    let [cats, dogs] = ["cat=", "dog="].map(|label| format!("{label}{ORIGIN}/{}s", &label[..3]));
    run(&["crawl", &cats, &dogs, "--out", "out"]).await;
    let listed: Value = serde_json::from_str(&run(&["dataset", "list", "--json"]).await).unwrap();
    let id = listed["datasets"][0]["id"].to_string();
    for format in ["folder", "parquet", "webdataset", "jsonl"] {
        let asked = ["--format", format, "--split", "60/20/20", "--seed", "3", "--out"];
        run(&[&["dataset", "export", &id], &asked[..], &[&format!("exports/{format}")]].concat()).await;
    }
    let found = asked("split.py", &data.path().join("exports")).await;
    println!("{found:#}");
    let expected = json!({
        "train": { "cat": 18, "dog": 12 }, "validation": { "cat": 6, "dog": 4 }, "test": { "cat": 6, "dog": 4 },
    });
    let readers = found.as_object().unwrap();
    assert!(readers.len() == 8 && readers.values().all(|parts| *parts == expected), "{found:#}");
}
