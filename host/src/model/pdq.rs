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

    /// Bits in which two hashes differ.
    #[must_use]
    pub fn distance(&self, other: &Self) -> u32 {
        let ((one, _), (other, _)) = (self.0.as_chunks::<8>(), other.0.as_chunks::<8>());
        let differ = |(one, other): (&[u8; 8], &[u8; 8])| {
            (u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other)).count_ones()
        };
        one.iter().zip(other).map(differ).sum()
    }
}

impl PictureHash {
    /// In how many bits the picture differs from the nearest of these hashes, 32 bytes each, where it looks like
    /// one, as it is or mirrored and turned: in [`Pdq::ALIKE`] at most. One with little to see looks like none.
    #[must_use]
    pub fn nearest(&self, hashes: &[u8]) -> Option<u32> {
        let (hashes, _) = hashes.as_chunks::<32>();
        let bits = |own: Pdq| hashes.iter().map(|hash| own.distance(&Pdq(*hash))).min();
        self.telling()
            .chain(self.telling_turned())
            .filter_map(bits)
            .min()
            .filter(|bits| *bits <= Pdq::ALIKE.into())
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash with so many bits set.
    fn hash(bits: u32) -> Pdq {
        Pdq(std::array::from_fn(|byte| {
            let set = bits.saturating_sub(8 * u32::try_from(byte).unwrap()).min(8);
            u8::try_from((1u32 << set) - 1).unwrap()
        }))
    }

    #[test]
    fn what_looks_like_one_of_a_list() {
        let list: Vec<u8> = [hash(200), hash(256)].iter().flat_map(|hash| hash.0).collect();
        let picture =
            |bits, quality, trimmed| PictureHash { pdq: hash(bits), quality, trimmed, turned: None };
        assert_eq!(picture(200, 100, None).nearest(&list), Some(0));
        assert_eq!(picture(225, 50, None).nearest(&list), Some(25));
        assert_eq!(picture(226, 100, None).nearest(&list[32..]), Some(30));
        assert_eq!(picture(224, 100, None).nearest(&list[32..]), None);
        assert_eq!(picture(169, 100, None).nearest(&list), Some(31));
        assert_eq!(picture(168, 100, None).nearest(&list), None);
        // With little to see, what is within the borders may tell.
        assert_eq!(picture(200, 49, None).nearest(&list), None);
        assert_eq!(picture(0, 49, Some(hash(198))).nearest(&list), Some(2));
        assert_eq!(picture(200, 100, None).nearest(&[]), None);
        // Mirrored or turned it may look like one, too.
        let mut ways = [hash(0); 7];
        ways[6] = hash(203);
        let turned = Some(TurnedHash { pdq: ways, trimmed: None });
        assert_eq!(PictureHash { turned, ..picture(100, 100, None) }.nearest(&list), Some(3));
        assert_eq!(PictureHash { turned, ..picture(100, 49, None) }.nearest(&list), None);
        let turned = Some(TurnedHash { pdq: [hash(0); 7], trimmed: Some(ways) });
        assert_eq!(PictureHash { turned, ..picture(100, 49, None) }.nearest(&list), Some(3));
    }
}
