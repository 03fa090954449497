//! The perceptual hash of a picture, by which pictures that look alike are found.

use serde::{Deserialize, Serialize};

/// What a picture looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureHash {
    /// Of the whole picture.
    pub pdq: Pdq,
    /// How much there is to see, 0 to 100. What has little, below 50, says little by its hash.
    pub quality: u8,
    /// Of what is within uniform borders, where there are any and enough is to be seen within.
    pub trimmed: Option<Pdq>,
    /// The same, mirrored and turned; none where it was not measured, or little is to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned: Option<TurnedHash>,
}

/// What a picture looks like in each of the seven ways in which it can be mirrored and turned by quarters. It
/// is compared with what is stored, and not stored itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedHash {
    /// Of the whole picture.
    pub pdq: [Pdq; 7],
    /// Of what is within uniform borders.
    pub trimmed: Option<[Pdq; 7]>,
}

/// A hash by PDQ: 256 bits, of which pictures that look alike differ in few, up to 31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pdq(pub [u8; 32]);

impl Pdq {
    /// Bits in which pictures that look alike differ at most, by those who made PDQ.
    pub const ALIKE: u8 = 31;
    /// Least quality with which the hash of a picture says anything.
    pub const LEAST_QUALITY: u8 = 50;

    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl PictureHash {
    /// The hashes by which others may be found to look like this picture: none of one with little to see.
    pub fn telling(&self) -> impl Iterator<Item = Pdq> + use<> {
        let whole = (self.quality >= Pdq::LEAST_QUALITY).then_some(self.pdq);
        whole.into_iter().chain(self.trimmed)
    }

    /// The hashes of the picture mirrored and turned by which others may be found, as far as they are known.
    pub fn telling_turned(&self) -> impl Iterator<Item = Pdq> + use<> {
        let whole = self.turned.filter(|_| self.quality >= Pdq::LEAST_QUALITY).map(|turned| turned.pdq);
        whole.into_iter().chain(self.turned.and_then(|turned| turned.trimmed)).flatten()
    }
}

impl TryFrom<String> for Pdq {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        Self::parse(&hex).ok_or("a PDQ hash has 64 hexadecimal digits")
    }
}

impl From<Pdq> for String {
    fn from(hash: Pdq) -> Self {
        hash.to_string()
    }
}

impl std::fmt::Display for Pdq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Pdq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
