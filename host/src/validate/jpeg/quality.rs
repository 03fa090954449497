//! At which quality a JPEG was encoded, by its quantization tables.

/// The table for brightness of Annex K of the standard, in the order of a file.
const USUAL: [u32; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40,
    58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103,
    104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
];
/// Sums of that table as it is scaled for each quality from 1 on, as the library of the Independent JPEG
/// Group does it and most others do.
const SUMS: [u32; 100] = {
    let mut sums = [0; 100];
    let mut quality = 1;
    while quality <= 100 {
        let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
        let mut at = 0;
        while at < USUAL.len() {
            let step = (USUAL[at] * scale + 50) / 100;
            sums[quality as usize - 1] += if step < 1 {
                1
            } else if step > 255 {
                255
            } else {
                step
            };
            at += 1;
        }
        quality += 1;
    }
    sums
};

/// Sums of the tables of a file, as they were first defined.
#[derive(Default)]
pub(super) struct Tables([Option<u32>; 4]);

impl Tables {
    /// Takes the tables of a segment, as far as they are whole.
    pub(super) fn read(&mut self, mut content: &[u8]) {
        while let Some((kind, rest)) = content.split_first() {
            let is_wide = kind >> 4 != 0;
            let Some((table, rest)) = rest.split_at_checked(if is_wide { 128 } else { 64 }) else { return };
            let (pairs, _) = table.as_chunks::<2>();
            let sum = if is_wide {
                pairs.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum()
            } else {
                table.iter().copied().map(u32::from).sum()
            };
            if let Some(known) = self.0.get_mut(usize::from(kind & 0xf)) {
                known.get_or_insert(sum);
            }
            content = rest;
        }
    }

    /// The quality whose table is as coarse as this one, 1 to 100; none where there is no such table.
    pub(super) fn quality(&self, table: u8) -> Option<i16> {
        let sum = (*self.0.get(usize::from(table))?)?;
        let nearest = (1..).zip(SUMS).min_by_key(|(_, usual)| usual.abs_diff(sum));
        nearest.map(|(quality, _)| quality)
    }
}
