//! Bytes in, verdict out. Pure: nothing is read or written, and no clock is asked.
//!
//! The order of the checks is: size → magic bytes → dimensions, frames and pixels from
//! the container → full decode of every frame, the perceptual hash and scores → the job's rules.
//! Whatever the header can tell is refused before anything is decoded. One file a format
//! holds both what its container says and how it is decoded.

mod checksum;
mod embedded;
mod gif;
mod jpeg;
pub mod pdq;
mod png;
mod reader;
mod scores;
mod sniff;
mod webp;

use std::panic::{UnwindSafe, catch_unwind};

use ::image::metadata::Orientation;

pub use checksum::check as check_checksum;
pub use embedded::{Embedded, embedded};

use crate::model::{AcceptedImage, Decoded, Format, PictureFacts, Refusal, Rejection, Rules, Sha256};

/// Checks `bytes` completely: [`inspect`], [`decode`], then the rules.
///
/// # Errors
/// The first check that refuses.
pub fn validate(bytes: &[u8], limits: &DecodeLimits, rules: &Rules) -> Result<AcceptedImage, Rejection> {
    let header = inspect(bytes, limits)?;
    let decoded = decode(bytes, &header)?;
    rules.check_picture(&header.facts(bytes.len() as u64, &decoded))?;
    Ok(header.accept(Sha256::of(bytes), crc32fast::hash(bytes), decoded))
}

/// Reads what the container says of the picture, without decoding a pixel. The
/// container is walked to its end, so most files that were cut off are refused here; a JPEG that was
/// cut within a scan is refused by [`decode`].
///
/// # Errors
/// `too-large`, `empty`, `not-an-image`, `unsupported-format`, `too-many-pixels`,
/// `too-many-frames`, `truncated` or `corrupt`.
pub fn inspect(bytes: &[u8], limits: &DecodeLimits) -> Result<Header, Rejection> {
    if bytes.is_empty() {
        return Err(Rejection::new(Refusal::Empty, "no bytes"));
    }
    if bytes.len() as u64 > limits.max_bytes {
        let detail = format!("{} bytes, at most {} are allowed", bytes.len(), limits.max_bytes);
        return Err(Rejection::new(Refusal::TooLarge, detail));
    }
    let format = sniff::sniff(bytes)?;
    match format {
        Format::Jpeg => jpeg::inspect(bytes, limits),
        Format::Png => png::inspect(bytes, limits),
        Format::Gif => gif::inspect(bytes, limits),
        Format::Webp => webp::inspect(bytes, limits),
    }
}

/// Decodes every frame of a picture that was inspected. Takes about [`Header::memory`] bytes
/// while it runs.
///
/// # Errors
/// `truncated` or `corrupt` where a part of the picture is missing or cannot be, whatever a
/// decoder would make up for it; `unsupported-format` where it is whole and the decoder cannot
/// read it; `decoder-fault`.
pub fn decode(bytes: &[u8], header: &Header) -> Result<Decoded, Rejection> {
    let picture = bytes.get(..header.end).unwrap_or(bytes);
    guarded(|| match header.format {
        Format::Jpeg => jpeg::decode(picture, header),
        Format::Png => png::decode(picture, header),
        Format::Gif => gif::decode(picture, header),
        Format::Webp => webp::decode(picture, header),
    })
}

/// Takes the first picture out of a file that was inspected, for decoders that stumble over the rest.
///
/// # Errors
/// `truncated`, `corrupt` or `unsupported-format`, of files that [`decode`] refuses and of a few more.
pub fn still(bytes: &[u8], header: &Header) -> Result<Still, Rejection> {
    let picture = bytes.get(..header.end).unwrap_or(bytes);
    match header.format {
        Format::Jpeg => jpeg::still(picture),
        Format::Png => png::still(picture),
        Format::Gif => Ok(Still { bytes: picture.to_vec(), profile: None, inverted: false }),
        Format::Webp => webp::still(picture, header),
    }
}

/// The first picture of a file, with nothing beside it that makes no pixels.
#[derive(Clone, Debug)]
pub struct Still {
    /// A file of the same format; of a GIF the whole.
    pub bytes: Vec<u8>,
    /// The ICC profile of its colours. Nothing in it was checked.
    pub profile: Option<Vec<u8>>,
    /// It is a JPEG as Adobe's programs write it: inks are stored as what is left of the paper.
    pub inverted: bool,
}

/// What is refused without being decoded.
#[derive(Clone, Copy, Debug)]
pub struct DecodeLimits {
    /// Most bytes of a file.
    pub max_bytes: u64,
    /// Most pixels of the canvas and of any one frame. All frames together may have more
    /// where the file is large enough for them, up to [`Limits::ANIMATION`] times as many.
    pub max_pixels: u64,
    /// Most frames of an animation.
    pub max_frames: u32,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_pixels: 64_000_000, max_frames: 1000 }
    }
}

impl DecodeLimits {
    /// All frames of an animation together may have at most this many times `max_pixels`.
    pub const ANIMATION: u64 = 8;
    /// What all frames together have beyond `max_pixels` must be paid for in bytes: films of a
    /// hundred pixels a byte hardly move, while a few bytes can say that a colour fills millions.
    pub const PIXELS_A_BYTE: u64 = 200;
    /// Longest side: what JPEG and GIF can say. Tables of what scales a picture grow with it.
    pub const MAX_SIDE: u32 = 65_535;

    /// Whether one canvas or frame of this size may be decoded.
    fn check_size(&self, width: u32, height: u32) -> Result<(), Rejection> {
        let refuse = |reason, detail: String| Err(Rejection::new(reason, detail));
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 {
            return refuse(Refusal::Corrupt, format!("{width}×{height} is no size"));
        }
        if pixels > self.max_pixels {
            let detail = format!("{width}×{height} pixels, at most {} are allowed", self.max_pixels);
            return refuse(Refusal::TooManyPixels, detail);
        }
        if width.max(height) > Self::MAX_SIDE {
            let detail = format!("{width}×{height} pixels, at most {} a side are allowed", Self::MAX_SIDE);
            return refuse(Refusal::TooManyPixels, detail);
        }
        Ok(())
    }

    /// Whether this many frames with this many pixels together, in a file of `bytes`, may be decoded.
    fn check_frames(&self, frames: u32, pixels: u64, bytes: usize) -> Result<(), Rejection> {
        if frames > self.max_frames {
            let detail = format!("more than {} frames", self.max_frames);
            return Err(Rejection::new(Refusal::TooManyFrames, detail));
        }
        let paid = self.max_pixels.saturating_add((bytes as u64).saturating_mul(Self::PIXELS_A_BYTE));
        let most = self.max_pixels.saturating_mul(Self::ANIMATION).min(paid);
        if pixels > most {
            let detail = format!("more than {most} pixels in all frames of {bytes} bytes");
            return Err(Rejection::new(Refusal::TooManyPixels, detail));
        }
        Ok(())
    }
}

/// What the container says of a picture that is whole and within the limits.
#[derive(Clone, Debug)]
pub struct Header {
    /// By the magic bytes.
    pub format: Format,
    /// In pixels, as stored.
    pub width: u32,
    /// In pixels, as stored.
    pub height: u32,
    /// As far as the container tells; 1 for a still picture.
    pub frames: u32,
    /// How the stored picture is turned to be upright.
    orientation: Orientation,
    /// Bytes of the picture itself; decoders never see what follows.
    end: usize,
    /// In all frames.
    pixels: u64,
    /// Most bytes that decoding takes beside the file.
    memory: u64,
}

impl Header {
    /// Most bytes of memory that decoding takes beside the file itself.
    #[must_use]
    pub const fn memory(&self) -> u64 {
        self.memory
    }

    /// How the stored picture is turned to be upright.
    #[must_use]
    pub const fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Pixels of all frames together.
    #[must_use]
    pub const fn pixels(&self) -> u64 {
        self.pixels
    }

    /// What rules look at, of a file of so many bytes.
    #[must_use]
    pub const fn facts(&self, bytes: u64, decoded: &Decoded) -> PictureFacts {
        let Self { format, width, height, .. } = *self;
        PictureFacts { format, width, height, bytes, frames: decoded.frames, scores: decoded.scores }
    }

    /// The picture as measured, its bytes with these digests, when it passed every check.
    #[must_use]
    pub const fn accept(&self, sha256: Sha256, crc32: u32, decoded: Decoded) -> AcceptedImage {
        let Self { format, width, height, .. } = *self;
        let Decoded { hash, scores, frames } = decoded;
        AcceptedImage { format, width, height, frames, sha256, crc32, hash, scores }
    }
}

impl Rejection {
    fn corrupt(detail: impl Into<String>) -> Self {
        Self::new(Refusal::Corrupt, detail)
    }

    fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(Refusal::UnsupportedFormat, detail)
    }
}

/// What a decoder says is wrong, where it does not matter how.
impl From<String> for Rejection {
    fn from(detail: String) -> Self {
        Self::corrupt(detail)
    }
}

/// Runs a decoder on hostile bytes: a panic in it is its own fault, not the host's.
///
/// # Errors
/// What it refuses; `decoder-fault` for a panic.
pub fn guarded<T>(decode: impl FnOnce() -> Result<T, Rejection> + UnwindSafe) -> Result<T, Rejection> {
    match catch_unwind(decode) {
        Ok(decoded) => decoded,
        Err(panic) => {
            let detail = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic without a message");
            Err(Rejection::new(Refusal::DecoderFault, detail))
        }
    }
}

#[cfg(test)]
mod tests;
