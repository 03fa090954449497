//! Pixels of every kind to sRGB.

use super::{
    pixels::{Channels, Pixels},
    profile::Conversion,
};

/// As RGB, or RGBA where there is alpha, by the profile if it is of use.
pub(super) fn to_srgb(picture: Pixels, profile: Option<&[u8]>) -> Result<Pixels, String> {
    let count = picture.channels.count();
    let alpha = picture.has_alpha();
    let conversion = profile.and_then(|profile| Conversion::by(profile, count - usize::from(alpha)));
    let channels = if alpha { Channels::Rgba } else { Channels::Rgb };
    if picture.channels == channels && conversion.is_none() {
        return Ok(picture);
    }
    let made = channels.count();
    let mut bytes = vec![0; picture.bytes.len() / count * made];
    // Neighbours are alike, and a grid takes its time.
    let mut last: Option<(&[u8], [u8; 3])> = None;
    for (to, from) in bytes.chunks_exact_mut(made).zip(picture.bytes.chunks_exact(count)) {
        let stored = &from[..count - usize::from(alpha)];
        let colour = match (last, &conversion) {
            (Some((known, colour)), _) if known == stored => colour,
            (_, Some(conversion)) => conversion.pixel(stored),
            (_, None) => plain(stored),
        };
        last = Some((stored, colour));
        to[..3].copy_from_slice(&colour);
        if alpha {
            to[3] = from[count - 1];
        }
    }
    Ok(Pixels { channels, bytes, ..picture })
}

/// Without a profile: grey and RGB are sRGB, and ink takes away light.
fn plain(stored: &[u8]) -> [u8; 3] {
    match *stored {
        [grey] => [grey; 3],
        [r, g, b] => [r, g, b],
        [c, m, y, k] => [c, m, y].map(|ink| {
            let left = u32::from(!ink) * u32::from(!k);
            u8::try_from((left + 127) / 255).unwrap_or(u8::MAX)
        }),
        _ => [0; 3],
    }
}

/// Brightness, colour and black as JPEG may store inks, turned into inks, as JFIF has the numbers.
pub(super) fn ycck_to_cmyk(bytes: &mut [u8]) {
    let (pixels, _) = bytes.as_chunks_mut::<4>();
    for [y, cb, cr, _] in pixels {
        let (luma, blue, red) = (i32::from(*y), i32::from(*cb) - 128, i32::from(*cr) - 128);
        let ink = |parts: i32| {
            let light = luma + ((parts + (1 << 15)) >> 16);
            !u8::try_from(light.clamp(0, 255)).unwrap_or_default()
        };
        [*y, *cb, *cr] = [ink(91_881 * red), ink(-22_554 * blue - 46_802 * red), ink(116_130 * blue)];
    }
}
