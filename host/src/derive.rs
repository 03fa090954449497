//! A picture made of another: smaller, upright, in sRGB, with nothing in it but pixels. Pure, like
//! [`validate`](crate::validate), whose limits it keeps to.
//!
//! The order is: the first frame is decoded → cut and resized as it is stored (Lanczos, three lobes, on the
//! stored values, as Pillow does) → its colours are turned into sRGB → it is put upright → a border is put
//! around it, or white behind it → it is encoded. What comes first is done to many pixels, what comes later
//! to few.
//!
//! The same bytes and the same wish give the same bytes on every machine: what is computed with vector
//! instructions here is computed in integers, whatever instructions there are, and colours are in integers or
//! in plain multiplications and additions of 64 bits.
//!
//! What is made has three channels, and a fourth where something of the picture is transparent and the format
//! can say so; on JPEG it lies on white. All of it is sRGB: PNG says so in a chunk, JPEG and WebP without a
//! profile mean it. JPEG is encoded with halved colour (4:2:0). PNG and WebP lose nothing, so
//! [`quality`](Derivative::quality) counts for JPEG alone: there is no lossy encoder of WebP without C code
//! that is known to be good.

mod colour;
mod curve;
mod decode;
mod encode;
mod pixels;
mod profile;
mod resize;

use self::pixels::Pixels;
use crate::{
    model::{Derivative, DerivedFormat, Fit, Rejection},
    validate::{self, DecodeLimits, Header},
};

/// A picture that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// Its file.
    pub bytes: Vec<u8>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Of the file.
    pub format: DerivedFormat,
}

/// Why nothing could be made of a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// It cannot be read.
    #[error("the picture cannot be read: {}", .0.detail)]
    Unreadable(Rejection),
    /// What is asked for cannot be.
    #[error("{0} {1}")]
    Impossible(&'static str, String),
    /// What was made has no place in a file of the format.
    #[error("the picture cannot be written as {format:?}: {why}")]
    Unwritable {
        /// The format that was asked for.
        format: DerivedFormat,
        /// What its encoder says.
        why: String,
    },
}

impl From<Rejection> for DeriveError {
    fn from(rejection: Rejection) -> Self {
        Self::Unreadable(rejection)
    }
}

/// Makes a picture of the first frame of another. Takes about [`memory`] bytes while it runs, beside `bytes`.
///
/// # Errors
/// See [`DeriveError`]. Pictures that passed [`validate`] can be read, but for a few JPEGs with scans of
/// several components.
pub fn derive(bytes: &[u8], wish: &Derivative, limits: &DecodeLimits) -> Result<Derived, DeriveError> {
    wish.check().map_err(|(field, why)| DeriveError::Impossible(field, why))?;
    let picture = make(bytes, wish, limits)?;
    encode(picture, wish.format, wish.quality)
}

/// Makes a small copy for people to look at: JPEG, or PNG where something of the picture is transparent.
///
/// # Errors
/// As [`derive`].
pub fn thumbnail(bytes: &[u8], size: u32, limits: &DecodeLimits) -> Result<Derived, DeriveError> {
    let picture = make(bytes, &box_of(size), limits)?;
    let format = if picture.has_alpha() { DerivedFormat::Png } else { DerivedFormat::Jpeg };
    encode(picture, format, THUMBNAIL_QUALITY)
}

/// Quality of small copies: artefacts do not show at their size.
const THUMBNAIL_QUALITY: u8 = 85;

/// The wish for a picture within a square.
const fn box_of(size: u32) -> Derivative {
    Derivative {
        width: size,
        height: size,
        fit: Fit::KeepRatio,
        enlarge: false,
        format: DerivedFormat::Jpeg,
        quality: THUMBNAIL_QUALITY,
    }
}

/// Most bytes of memory that making a picture takes beside the file itself: what
/// [decoding](Header::memory) takes and the pixels, four bytes each; half of the work of resizing, which is
/// as wide as what is made and as high as the original; and four copies of what is made.
#[must_use]
pub fn memory(header: &Header, wish: &Derivative) -> u64 {
    let area = u64::from(header.width) * u64::from(header.height);
    let side = u64::from(header.width.max(header.height));
    let (wide, made) = match wish.fit {
        Fit::None => (0, area),
        _ => {
            let (width, height) = (u64::from(wish.width), u64::from(wish.height));
            let most = if wish.enlarge { u64::MAX } else { area };
            let made = if wish.fit == Fit::Border { width * height } else { (width * height).min(most) };
            (width.max(height).min(if wish.enlarge { u64::MAX } else { side }), made)
        }
    };
    // Coefficients of a progressive JPEG, two bytes each, are in what decoding takes only for its brightness.
    header.memory() + 12 * area + 4 * wide * side + 16 * made
}

/// [`memory`] of a small copy.
#[must_use]
pub fn thumbnail_memory(header: &Header, size: u32) -> u64 {
    memory(header, &box_of(size))
}

/// Decodes, fits, converts and turns.
fn make(bytes: &[u8], wish: &Derivative, limits: &DecodeLimits) -> Result<Pixels, Rejection> {
    let header = validate::inspect(bytes, limits)?;
    let still = validate::still(bytes, &header)?;
    validate::guarded(|| {
        let (stored, profile) = decode::pixels(&header, still)?;
        let layout = resize::Layout::of(header.width, header.height, header.orientation(), wish);
        let resized = resize::resize(stored.without_opaque_alpha(), &layout)?;
        // What was transparent may have been cut off.
        let picture = colour::to_srgb(resized.without_opaque_alpha(), profile.as_deref())?;
        let picture = picture.turned(header.orientation())?;
        Ok(match wish.fit {
            Fit::Border => picture.in_a_box(wish.width, wish.height),
            _ => picture,
        })
    })
}

fn encode(picture: Pixels, format: DerivedFormat, quality: u8) -> Result<Derived, DeriveError> {
    let picture = if format == DerivedFormat::Jpeg { picture.on_white() } else { picture };
    let (width, height) = (picture.width, picture.height);
    // Encoders get no bytes of others, but pixels of them.
    let encoded = validate::guarded(|| Ok(encode::encode(&picture, format, quality)));
    let bytes = encoded?.map_err(|why| DeriveError::Unwritable { format, why })?;
    Ok(Derived { bytes, width, height, format })
}

#[cfg(test)]
mod tests;
