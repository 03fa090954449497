//! Perceptual hashes that others publish for public pictures, which are not part of this repository.

use pixcrawler::{
    model::{Pdq, Rules},
    validate::{DecodeLimits, validate},
};

#[test]
fn pdq_is_as_published() {
    let Some(files) = pixcrawler_recordings::recordings("pdq") else { return };
    let table = std::fs::read_to_string(&files["reference-pdqhash.csv"]).unwrap();
    let mut compared = 0;
    for row in table.lines().skip(1) {
        let [file, pdq, quality]: [&str; 3] = row.split(',').collect::<Vec<_>>().try_into().unwrap();
        let bytes = std::fs::read(&files[file]).unwrap();
        let found = validate(&bytes, &DecodeLimits::default(), &Rules::default()).unwrap().hash;
        let quality: u8 = quality.parse().unwrap();
        assert!(found.quality.abs_diff(quality) <= 1, "{file}: quality {} and not {quality}", found.quality);
        // Of what has little to see the bits are chance.
        if quality >= 80 {
            compared += 1;
            let expect = Pdq::parse(pdq).unwrap();
            let differ: u32 = found.pdq.0.iter().zip(expect.0).map(|(a, b)| (a ^ b).count_ones()).sum();
            assert!(differ <= 10, "{file}: {differ} bits differ");
        }
    }
    assert!(compared > 30, "{compared} compared");
    // Of the same picture in all eight ways, one hash has seven others.
    let of = |file: &str| {
        let bytes = std::fs::read(&files[file]).unwrap();
        validate(&bytes, &DecodeLimits::default(), &Rules::default()).unwrap().hash
    };
    let turned = of("dih__bridge-1-original.jpg").turned.unwrap().pdq;
    for row in table.lines().filter(|row| row.starts_with("dih__") && !row.contains("-original")) {
        let expect = Pdq::parse(row.split(',').nth(1).unwrap()).unwrap();
        let differ = |hash: &Pdq| hash.0.iter().zip(expect.0).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
        let least = turned.iter().map(differ).min().unwrap();
        assert!(least <= 10, "{row}: {least} bits differ");
    }
    pixcrawler_recordings::say(&format!("{compared} published hashes are as expected"));
}
