//! What became of a picture, and what was measured of one that was accepted.

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::{PictureHash, Scores};

/// A picture that passed every check: what was measured, never what was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedImage {
    /// From the bytes, not from a name or header.
    pub format: Format,
    /// In pixels, as stored (before any EXIF rotation).
    pub width: u32,
    /// In pixels, as stored.
    pub height: u32,
    /// 1 for a still picture.
    pub frames: u32,
    /// Of the original bytes.
    pub sha256: Sha256,
    /// Of the original bytes, as in zip archives.
    pub crc32: u32,
    /// What it looks like, upright (EXIF orientation applied).
    pub hash: PictureHash,
    /// How good it looks.
    pub scores: Scores,
}

/// What decoding tells of a picture that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// What the first frame looks like.
    pub hash: PictureHash,
    /// How good it looks.
    pub scores: Scores,
    /// Frames that can be shown: all of the container's, or the first alone where a later one is
    /// broken, as viewers then show the first.
    pub frames: u32,
}

/// What became of a picture of which there is a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// In the dataset.
    Kept,
    /// Not a sound picture, or against the job's rules.
    Refused,
    /// Like another picture of the dataset.
    Duplicate,
}

impl Verdict {
    /// As stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Refused => "refused",
            Self::Duplicate => "duplicate",
        }
    }
}

/// SHA-256 of the original bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        Self::parse(&hex).ok_or("a SHA-256 has 64 hexadecimal digits")
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Formats that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG, APNG included.
    Png,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Gif, Self::Webp];

    /// As in `images.format` and in job rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }

    /// The format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The format that people mean: by its name, an extension or a media type, in any case.
    ///
    /// # Errors
    /// What it must be, in words that follow the name.
    pub fn understood(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        let name = text.strip_prefix("image/").unwrap_or(&text).trim_start_matches('.');
        let format = match name {
            "jpg" | "jpe" | "jfif" | "pjpeg" => Some(Self::Jpeg),
            "apng" => Some(Self::Png),
            name => Self::named(name),
        };
        format.ok_or_else(|| {
            format!("must be one of: {}; no other is kept", Self::ALL.map(Self::name).join(", "))
        })
    }

    /// File extension without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            _ => self.name(),
        }
    }

    /// What the name of a file says that is called by the hash of a picture, and the hash.
    #[must_use]
    pub fn of_name(name: &str) -> Option<(Sha256, Self)> {
        let (sha256, extension) = name.split_once('.')?;
        let format = Self::ALL.into_iter().find(|format| format.extension() == extension)?;
        Some((Sha256::parse(sha256)?, format))
    }

    /// Media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_people_write_them() {
        for (text, expect) in [
            ("jpeg", Format::Jpeg),
            ("JPG", Format::Jpeg),
            (".jpg", Format::Jpeg),
            (" image/jpeg", Format::Jpeg),
            ("PNG", Format::Png),
            ("image/webp", Format::Webp),
            (".gif", Format::Gif),
        ] {
            assert_eq!(Format::understood(text), Ok(expect), "{text}");
        }
        for text in ["", "tiff", "image/", "jpeg png", "image/svg+xml"] {
            let must = Format::understood(text).unwrap_err();
            assert_eq!(must, "must be one of: jpeg, png, gif, webp; no other is kept", "{text}");
        }
    }
}
