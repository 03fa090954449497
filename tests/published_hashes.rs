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
    pixcrawler_recordings::say(&format!("{compared} published hashes are as expected"));
}
