//! How good a picture looks, in numbers.

use serde::{Deserialize, Serialize};

/// Scores of a picture, 0 to 100: columns of `images`, properties of the API's images and keys of
/// `metadata.jsonl`, under these names and in this order. Rows of earlier versions, and of what was refused
/// before it was decoded, have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Scores {
    /// Mean luma: 0 is black, 100 is white.
    pub brightness: Option<i16>,
    /// Standard deviation of luma: 0 is one shade, 100 is half black and half white.
    pub contrast: Option<i16>,
    /// By the energy of the Laplacian in the sharpest quarter of the picture, as if its longer side had 256
    /// pixels; tenfold energy is 20 more.
    pub sharpness: Option<i16>,
    /// Quality at which a JPEG was encoded, by its quantization table; none in other formats.
    pub jpeg_quality: Option<i16>,
}

impl Scores {
    /// The columns, as statements list them.
    pub const COLUMNS: &str = "brightness, contrast, sharpness, jpeg_quality";

    /// Whether they were measured.
    #[must_use]
    pub const fn are_measured(&self) -> bool {
        self.sharpness.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_a_column() {
        let fields = serde_json::to_value(Scores::default()).unwrap();
        let mut columns: Vec<&str> = Scores::COLUMNS.split(", ").collect();
        columns.sort_unstable();
        assert!(fields.as_object().unwrap().keys().eq(columns));
    }
}
