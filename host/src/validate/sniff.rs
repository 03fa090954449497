//! What a file is by its first bytes. Names and media types are never asked.

use super::Rejection;
use crate::model::{Format, Refusal};

/// The format, when it is one that is kept.
///
/// # Errors
/// `unsupported-format` for other pictures, `not-an-image` for anything else.
pub(super) fn sniff(bytes: &[u8]) -> Result<Format, Rejection> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => return Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => return Ok(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => return Ok(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => return Ok(Format::Webp),
        _ => {}
    }
    Err(match other_picture(bytes) {
        Some(name) => Rejection::new(Refusal::UnsupportedFormat, format!("{name} is not kept")),
        None => Rejection::new(Refusal::NotAnImage, format!("begins with {}", preview(bytes))),
    })
}

/// Name of a picture format that is not kept.
fn other_picture(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => "TIFF",
        // Two letters are weak: the reserved fields, which are zero, decide.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => "BMP",
        [0, 0, 1, 0, count, 0, ..] if *count > 0 => "ICO",
        [0, 0, 2, 0, count, 0, ..] if *count > 0 => "CUR",
        [b'8', b'B', b'P', b'S', ..] => "PSD",
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', 13, 10, 0x87, 10, ..] | [0xff, 0x4f, 0xff, 0x51, ..] => {
            "JPEG 2000"
        }
        [0, 0, 0, 12, b'J', b'X', b'L', b' ', 13, 10, 0x87, 10, ..] | [0xff, 0x0a, ..] => "JPEG XL",
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4)? {
            b"avif" | b"avis" => "AVIF",
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => "HEIC",
            _ => return None,
        },
        [0x8a | 0x8b, b'M' | b'J', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "MNG",
        [0x76, 0x2f, 0x31, 0x01, ..] => "OpenEXR",
        [b'q', b'o', b'i', b'f', ..] => "QOI",
        _ if is_svg(bytes) => "SVG",
        _ => return None,
    })
}

/// Whether the first element of what may be XML is `svg`.
fn is_svg(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4096)];
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut rest = head.trim_ascii_start();
    // Declaration, doctype and comments may stand before the first element.
    while let [b'<', b'?' | b'!', ..] = rest {
        let end: &[u8] = if rest.starts_with(b"<!--") { b"-->" } else { b">" };
        let Some(at) = memchr::memmem::find(rest, end) else { return false };
        rest = rest[at + end.len()..].trim_ascii_start();
    }
    rest.starts_with(b"<svg") || rest.starts_with(b"<svg:svg")
}

/// The first bytes, for people.
fn preview(bytes: &[u8]) -> String {
    format!("`{}`", bytes[..bytes.len().min(16)].escape_ascii())
}
