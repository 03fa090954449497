//! A picture in memory, 8 bits a channel.

use ::image::{DynamicImage, RgbImage, RgbaImage, metadata::Orientation};

/// What the channels of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// Inks: 0 is none, 255 all of it.
    Cmyk,
}

impl Channels {
    pub(super) const fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// Rows from the top, without gaps.
#[derive(Debug)]
pub(super) struct Pixels {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) channels: Channels,
    pub(super) bytes: Vec<u8>,
}

impl Pixels {
    pub(super) const fn has_alpha(&self) -> bool {
        matches!(self.channels, Channels::GreyAlpha | Channels::Rgba)
    }

    /// Leaves alpha away where nothing is transparent.
    pub(super) fn without_opaque_alpha(self) -> Self {
        let count = self.channels.count();
        let channels = match self.channels {
            Channels::GreyAlpha => Channels::Grey,
            Channels::Rgba => Channels::Rgb,
            _ => return self,
        };
        if self.bytes.chunks_exact(count).any(|pixel| pixel[count - 1] != u8::MAX) {
            return self;
        }
        let mut bytes = self.bytes;
        let kept = count - 1;
        for at in 0..bytes.len() / count {
            bytes.copy_within(at * count..at * count + kept, at * kept);
        }
        bytes.truncate(bytes.len() / count * kept);
        Self { channels, bytes, ..self }
    }

    /// The picture upright: RGB or RGBA, as colours are by then.
    pub(super) fn turned(self, orientation: Orientation) -> Result<Self, String> {
        if orientation == Orientation::NoTransforms {
            return Ok(self);
        }
        let Self { width, height, channels, bytes } = self;
        let image = if channels == Channels::Rgba {
            RgbaImage::from_raw(width, height, bytes).map(DynamicImage::from)
        } else {
            RgbImage::from_raw(width, height, bytes).map(DynamicImage::from)
        };
        let mut image = image.ok_or("pixels are missing")?;
        image.apply_orientation(orientation);
        Ok(Self { width: image.width(), height: image.height(), channels, bytes: image.into_bytes() })
    }

    /// The picture in the middle of a white box that is not smaller.
    pub(super) fn in_a_box(self, width: u32, height: u32) -> Self {
        if (width, height) == (self.width, self.height) {
            return self;
        }
        let count = self.channels.count();
        let mut bytes = vec![u8::MAX; width as usize * height as usize * count];
        let left = (width.saturating_sub(self.width) / 2) as usize * count;
        let top = (height.saturating_sub(self.height) / 2) as usize;
        let (from, to) = (self.width as usize * count, width as usize * count);
        for (row, pixels) in bytes.chunks_exact_mut(to).skip(top).zip(self.bytes.chunks_exact(from)) {
            row[left..left + from].copy_from_slice(pixels);
        }
        Self { width, height, bytes, ..self }
    }

    /// The picture on white, without alpha.
    pub(super) fn on_white(self) -> Self {
        if self.channels != Channels::Rgba {
            return self;
        }
        let (pixels, _) = self.bytes.as_chunks::<4>();
        let bytes = pixels.iter().flat_map(|[r, g, b, alpha]| {
            let over = |channel: &u8| mixed(*channel, u8::MAX, *alpha);
            [over(r), over(g), over(b)]
        });
        Self { channels: Channels::Rgb, bytes: bytes.collect(), ..self }
    }
}

/// So much of `above` as `alpha` says, the rest of `below`, rounded.
fn mixed(above: u8, below: u8, alpha: u8) -> u8 {
    let [above, below, alpha] = [above, below, alpha].map(u32::from);
    let sum = above * alpha + below * (255 - alpha);
    u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
}
