//! How large a picture becomes, what of it is left, and making it so.

use ::image::metadata::Orientation;
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::pixels::{Channels, Pixels};
use crate::model::{Derivative, Fit};

/// What is taken of a picture and how large that becomes, in the directions in which it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    /// Width and height of what is taken, out of the middle, in pixels of the original.
    taken: (f64, f64),
    /// Width and height that it becomes, in pixels.
    size: (u32, u32),
}

impl Layout {
    /// For a picture of this size as stored.
    pub(super) fn of(width: u32, height: u32, orientation: Orientation, wish: &Derivative) -> Self {
        let (mut across, mut down) = (wish.width, wish.height);
        if lies_on_its_side(orientation) {
            std::mem::swap(&mut across, &mut down);
        }
        let whole = (f64::from(width), f64::from(height));
        let is_wider = u64::from(width) * u64::from(down) >= u64::from(height) * u64::from(across);
        match wish.fit {
            Fit::None => Self { taken: whole, size: (width, height) },
            Fit::KeepRatio | Fit::Border => {
                let is_small = width <= across && height <= down;
                let size = match (is_small && !wish.enlarge, is_wider) {
                    (true, _) => (width, height),
                    (false, true) => (across, scaled(height, across, width)),
                    (false, false) => (scaled(width, down, height), down),
                };
                Self { taken: whole, size }
            }
            // One side may be smaller than that of the box, then the other is cut and nothing is scaled.
            Fit::CenterCrop if !wish.enlarge && (width <= across || height <= down) => {
                let size = (width.min(across), height.min(down));
                Self { taken: (f64::from(size.0), f64::from(size.1)), size }
            }
            Fit::CenterCrop => {
                let (wide, high) = (f64::from(across), f64::from(down));
                let taken = match is_wider {
                    true => (whole.1 * wide / high, whole.1),
                    false => (whole.0, whole.0 * high / wide),
                };
                Self { taken, size: (across, down) }
            }
        }
    }
}

/// Whether width and height change places.
const fn lies_on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// `side` × `to` ÷ `from`, rounded, at least 1.
fn scaled(side: u32, to: u32, from: u32) -> u32 {
    let [side, to, from] = [side, to, from].map(u64::from);
    let rounded = (2 * side * to + from) / (2 * from);
    u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
}

/// Cuts and resizes.
pub(super) fn resize(picture: Pixels, layout: &Layout) -> Result<Pixels, String> {
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    let Layout { taken, size } = *layout;
    if size == (picture.width, picture.height) && taken == (width, height) {
        return Ok(picture);
    }
    // Half a pixel would blur what is only cut.
    let start = |whole: f64, taken: f64, size: u32| {
        let start = (whole - taken) / 2.0;
        if taken == f64::from(size) { start.floor() } else { start }
    };
    let (left, top) = (start(width, taken.0, size.0), start(height, taken.1, size.1));
    let (kind, has_alpha) = match picture.channels {
        Channels::Grey => (PixelType::U8, false),
        Channels::GreyAlpha => (PixelType::U8x2, true),
        Channels::Rgb => (PixelType::U8x3, false),
        Channels::Rgba => (PixelType::U8x4, true),
        Channels::Cmyk => (PixelType::U8x4, false),
    };
    let source = ImageRef::new(picture.width, picture.height, &picture.bytes, kind);
    let source = source.map_err(|error| error.to_string())?;
    let mut made = Image::new(size.0, size.1, kind);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        // The sum may be a hair more than the whole.
        .crop(left, top, taken.0.min(width - left), taken.1.min(height - top))
        .use_alpha(has_alpha);
    Resizer::new().resize(&source, &mut made, &options).map_err(|error| error.to_string())?;
    Ok(Pixels { width: size.0, height: size.1, channels: picture.channels, bytes: made.into_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DerivedFormat;

    fn size(
        fit: Fit,
        enlarge: bool,
        (width, height): (u32, u32),
        into: (u32, u32),
    ) -> ((f64, f64), (u32, u32)) {
        let wish = Derivative {
            width: into.0,
            height: into.1,
            fit,
            enlarge,
            format: DerivedFormat::Png,
            quality: 90,
        };
        let upright = Layout::of(width, height, Orientation::NoTransforms, &wish);
        let turned = Layout::of(height, width, Orientation::Rotate90, &wish);
        let swapped = |(a, b): (f64, f64)| (b, a);
        assert_eq!((swapped(turned.taken), (turned.size.1, turned.size.0)), (upright.taken, upright.size));
        (upright.taken, upright.size)
    }

    #[test]
    fn pictures_get_into_their_box() {
        use Fit::{Border, CenterCrop, KeepRatio, None};
        for (fit, enlarge, from, into, taken, made) in [
            (KeepRatio, false, (400, 300), (100, 100), (400, 300), (100, 75)),
            (KeepRatio, false, (300, 400), (100, 100), (300, 400), (75, 100)),
            (KeepRatio, false, (1000, 3), (100, 100), (1000, 3), (100, 1)),
            (KeepRatio, false, (40, 30), (100, 100), (40, 30), (40, 30)),
            (KeepRatio, true, (40, 30), (100, 100), (40, 30), (100, 75)),
            (KeepRatio, false, (100, 75), (100, 100), (100, 75), (100, 75)),
            (KeepRatio, false, (200, 50), (100, 10), (200, 50), (40, 10)),
            (Border, false, (400, 300), (100, 50), (400, 300), (67, 50)),
            (Border, false, (40, 30), (100, 100), (40, 30), (40, 30)),
            (CenterCrop, false, (400, 300), (100, 100), (300, 300), (100, 100)),
            (CenterCrop, false, (400, 300), (100, 25), (400, 100), (100, 25)),
            (CenterCrop, false, (400, 30), (100, 100), (100, 30), (100, 30)),
            (CenterCrop, false, (40, 30), (100, 100), (40, 30), (40, 30)),
            (CenterCrop, true, (40, 30), (100, 100), (30, 30), (100, 100)),
            (None, false, (40, 30), (1, 1), (40, 30), (40, 30)),
        ] {
            let taken: (u32, u32) = taken;
            let expected = ((f64::from(taken.0), f64::from(taken.1)), made);
            assert_eq!(size(fit, enlarge, from, into), expected, "{fit:?} {from:?} into {into:?}");
        }
    }
}
