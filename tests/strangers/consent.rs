//! What owners say within a file, as programs of others write it: exiftool, and those who sign with C2PA.

use std::{fs, path::Path, process::Command};

use pixcrawler::{
    consent,
    model::{ConsentMeaning, ConsentVocabulary, Format},
    validate,
};

use crate::support::site::picture;

/// exiftool before 12.67 does not know the field.
const FIELDS: &str =
    "%Image::ExifTool::UserDefined = ('Image::ExifTool::PLUS::XMP' => { DataMining => { } }); 1;";

/// What is read of a file: vocabulary, value and meaning of each signal.
fn read(file: &Path, format: Format) -> Vec<(ConsentVocabulary, String, ConsentMeaning)> {
    let embedded = validate::embedded(&fs::read(file).unwrap(), format);
    let signals = consent::in_file(&embedded.xmp, embedded.has_c2pa);
    signals.into_iter().map(|signal| (signal.signal, signal.value, signal.meaning)).collect()
}

#[test]
fn what_exiftool_writes_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let fields = folder.path().join("fields.config");
    fs::write(&fields, FIELDS).unwrap();
    let small = image::load_from_memory(&picture("exiftool")).unwrap();
    // Longer than a segment of a JPEG, so that the packet is cut into parts there.
    let long = format!("-XMP-dc:Description={}", "a long story ".repeat(8000));
    for format in Format::ALL {
        for (number, extra) in [None, Some(long.as_str())].into_iter().enumerate() {
            let file = folder.path().join(format!("{number}.{}", format.extension()));
            let kind = image::ImageFormat::from_extension(format.extension()).unwrap();
            small.save_with_format(&file, kind).unwrap();
            let written = Command::new("exiftool")
                .args(["-config", fields.to_str().unwrap(), "-overwrite_original", "-n"])
                .arg("-XMP-plus:DataMining=http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING")
                .arg("-XMP-iptcExt:DigitalSourceType=http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia")
                .args(extra)
                .arg(&file)
                .output()
                .expect("exiftool is missing: run `make strangers`");
            assert!(written.status.success(), "{written:?}");
            let mut found = read(&file, format);
            found.sort_by_key(|(_, value, _)| value.clone());
            let mining = "DMI-PROHIBITED-AIMLTRAINING".to_owned();
            let expect = [
                (ConsentVocabulary::DataMining, mining, ConsentMeaning::Reserved),
                (
                    ConsentVocabulary::DigitalSourceType,
                    "trainedAlgorithmicMedia".to_owned(),
                    ConsentMeaning::Generated,
                ),
            ];
            assert_eq!(found, expect, "{format:?}, long: {}", extra.is_some());
            // The file is as sound as before.
            let limits = validate::DecodeLimits::default();
            let checked = validate::validate(&fs::read(&file).unwrap(), &limits, &Default::default());
            assert!(checked.is_ok(), "{checked:?}");
        }
    }
}

/// Pictures that others signed: `PIXCRAWLER_C2PA` names a folder of them, such as `image` of
/// c2pa-org/public-testfiles, and beside each what exiftool finds.
#[test]
#[expect(clippy::disallowed_methods, reason = "where the pictures are, as they are too large to fetch here")]
fn signed_pictures_are_seen() {
    let Some(folder) = std::env::var_os("PIXCRAWLER_C2PA") else {
        eprintln!("skipped: PIXCRAWLER_C2PA names no folder of signed pictures");
        return;
    };
    let mut folders = vec![Path::new(&folder).to_owned()];
    let mut counts = [0, 0];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(format) = Format::understood(extension) {
                let theirs =
                    Command::new("exiftool").args(["-s3", "-JUMDLabel"]).arg(&path).output().unwrap();
                let is_signed = String::from_utf8_lossy(&theirs.stdout).contains("c2pa");
                let found = read(&path, format);
                let seen = found.iter().any(|(vocabulary, ..)| *vocabulary == ConsentVocabulary::C2pa);
                assert_eq!(seen, is_signed, "{}: {found:?}", path.display());
                counts[usize::from(is_signed)] += 1;
            }
        }
    }
    println!("{} signed pictures, {} that are not", counts[1], counts[0]);
    assert!(counts[1] > 0);
}
