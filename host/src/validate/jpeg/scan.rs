//! Whether every coefficient of a picture is in the file. Decoders make up what is missing and say
//! nothing, so the codes of all scans are read here once more, without making pixels of them.

use super::{
    super::Rejection,
    Frame,
    bits::{Bits, Flaw, HuffmanTable},
    scan_header,
    segment::{DHT, DRI, SOS, Segment, Segments},
};
use crate::model::Refusal;

/// Coefficients of a block.
const BLOCK: u8 = 64;
/// No scan has had a coefficient yet.
const MISSING: u8 = u8::MAX;

/// Reads every scan to its end.
///
/// # Errors
/// `truncated` where a scan ends early or scans are missing, `corrupt` where the codes are no codes.
pub(super) fn check(file: &[u8], frame: &Frame) -> Result<(), Rejection> {
    let mut picture = Picture::new(frame);
    let mut segments = Segments::new(file);
    let mut scans = 0;
    while let Some(segment) = segments.next()? {
        match segment.marker {
            DHT => {
                for (is_ac, number, table) in HuffmanTable::read(segment.content)? {
                    let tables = if is_ac { &mut picture.ac } else { &mut picture.dc };
                    *tables.get_mut(number).ok_or_else(|| Rejection::corrupt("a fifth Huffman table"))? =
                        Some(table);
                }
            }
            DRI => {
                picture.interval = match segment.content {
                    [high, low] => u16::from_be_bytes([*high, *low]).into(),
                    _ => return Err(Rejection::corrupt("a restart interval that is none")),
                };
            }
            SOS => {
                scans += 1;
                picture.read(&segment).map_err(|flaw| match flaw {
                    Flaw::Short => {
                        Rejection::new(Refusal::Truncated, format!("scan {scans} ends before the picture"))
                    }
                    Flaw::Wrong(what) => Rejection::corrupt(format!("{what} in scan {scans}")),
                })?;
                if !frame.progressive && picture.is_complete() {
                    // Nobody shows what may follow.
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    if picture.is_complete() {
        return Ok(());
    }
    Err(Rejection::new(Refusal::Truncated, format!("{scans} scans leave coefficients out")))
}

/// What the scans so far have told.
struct Picture {
    progressive: bool,
    components: Vec<ComponentState>,
    /// Units of all components that a scan of several has.
    units: (usize, usize),
    dc: [Option<HuffmanTable>; 4],
    ac: [Option<HuffmanTable>; 4],
    /// Units from one restart to the next; 0 for none.
    interval: usize,
}

struct ComponentState {
    id: u8,
    /// Blocks in a unit, across and down.
    sampling: (usize, usize),
    /// Blocks that a scan of this component alone has, across and down.
    blocks: (usize, usize),
    /// Blocks of a row with those that only fill a unit.
    stride: usize,
    /// For each coefficient, how many of its lowest bits are still missing.
    missing: [u8; BLOCK as usize],
    /// For each block of a progressive picture, which coefficients are not zero so far.
    filled: Vec<u64>,
}

/// A component as it takes part in a scan.
struct ScanComponent {
    component: usize,
    dc: usize,
    ac: usize,
}

/// Which coefficients a scan has, and which of their bits.
#[derive(Clone, Copy)]
struct Band {
    first: u8,
    last: u8,
    /// It has one more bit of what came before.
    refines: bool,
}

impl Picture {
    fn new(frame: &Frame) -> Self {
        let (across, down) = frame.sampling();
        let size = (usize::from(frame.width), usize::from(frame.height));
        let units = (size.0.div_ceil(8 * across), size.1.div_ceil(8 * down));
        let component = |component: &super::FrameComponent| {
            let sampling = (usize::from(component.across), usize::from(component.down));
            let stride = units.0 * sampling.0;
            let blocks = stride * units.1 * sampling.1;
            ComponentState {
                id: component.id,
                sampling,
                blocks: (
                    (size.0 * sampling.0).div_ceil(8 * across),
                    (size.1 * sampling.1).div_ceil(8 * down),
                ),
                stride,
                missing: [MISSING; BLOCK as usize],
                filled: if frame.progressive { vec![0; blocks] } else { Vec::new() },
            }
        };
        Self {
            progressive: frame.progressive,
            components: frame.components.iter().map(component).collect(),
            units,
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            interval: 0,
        }
    }

    fn is_complete(&self) -> bool {
        self.components.iter().all(|component| component.missing.iter().all(|missing| *missing == 0))
    }

    fn read(&mut self, scan: &Segment<'_>) -> Result<(), Flaw> {
        const NO_HEADER: Flaw = Flaw::Wrong("a header that is none");
        let Ok((parts, &[first, last, bits])) = scan_header(scan.content) else {
            return Err(NO_HEADER);
        };
        let part = |part: &[u8]| {
            let component = self.components.iter().position(|component| component.id == part[0])?;
            Some(ScanComponent { component, dc: usize::from(part[1] >> 4), ac: usize::from(part[1] & 0xf) })
        };
        let parts: Vec<ScanComponent> =
            parts.chunks_exact(2).map(part).collect::<Option<_>>().ok_or(NO_HEADER)?;
        let repeated = parts
            .iter()
            .enumerate()
            .any(|(at, part)| parts[..at].iter().any(|other| other.component == part.component));
        if parts.is_empty() || repeated {
            return Err(NO_HEADER);
        }
        // What stands there in a sequential picture means nothing.
        if !self.progressive {
            self.walk(&parts, scan.data, Self::whole_block)?;
            for part in &parts {
                self.components[part.component].missing.fill(0);
            }
            return Ok(());
        }
        let (high, low) = (bits >> 4, bits & 0xf);
        let band = Band { first, last, refines: high > 0 };
        let alone = parts.len() == 1;
        if first > last || last >= BLOCK || (first == 0) != (last == 0) || first > 0 && !alone {
            return Err(Flaw::Wrong("a band that cannot be"));
        }
        let coefficients = usize::from(first)..=usize::from(last);
        for part in &parts {
            let missing = &mut self.components[part.component].missing;
            let missing = &mut missing[coefficients.clone()];
            if band.refines && (high != low + 1 || missing.iter().any(|bits| *bits != high)) {
                return Err(Flaw::Wrong("bits of what did not come before"));
            }
            missing.fill(low);
        }
        match (first, band.refines) {
            (0, false) => self.walk(&parts, scan.data, Self::mean),
            (0, true) => self.walk(&parts, scan.data, |_, bits, _, _, _| bits.skip(1)),
            (_, false) => self.walk(&parts, scan.data, |picture, bits, part, block, run| {
                picture.new_coefficients(bits, part, block, run, band)
            }),
            (_, true) => self.walk(&parts, scan.data, |picture, bits, part, block, run| {
                picture.refined_coefficients(bits, part, block, run, band)
            }),
        }
    }

    /// Reads the blocks of a scan in their order: the component, the number of the block in it, and how
    /// many blocks have nothing more.
    #[inline]
    fn walk(
        &mut self,
        parts: &[ScanComponent],
        data: &[u8],
        read: impl Fn(&mut Self, &mut Bits<'_>, &ScanComponent, usize, &mut u32) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        let mut bits = Bits::new(data);
        let mut run = 0;
        let (across, down) = match parts {
            [part] => self.components[part.component].blocks,
            _ => self.units,
        };
        let (mut left, mut restarts) = (self.interval, 0);
        for y in 0..down {
            for x in 0..across {
                if self.interval > 0 {
                    if left == 0 {
                        bits.restart(restarts)?;
                        restarts = (restarts + 1) % 8;
                        left = self.interval;
                        run = 0;
                    }
                    left -= 1;
                }
                if let [part] = parts {
                    let block = y * self.components[part.component].stride + x;
                    read(self, &mut bits, part, block, &mut run)?;
                    continue;
                }
                for part in parts {
                    let ComponentState { sampling, stride, .. } = self.components[part.component];
                    for row in 0..sampling.1 {
                        let first = (y * sampling.1 + row) * stride + x * sampling.0;
                        for block in first..first + sampling.0 {
                            read(self, &mut bits, part, block, &mut run)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// All coefficients of a block of a sequential picture.
    #[inline]
    fn whole_block(
        &mut self,
        bits: &mut Bits<'_>,
        part: &ScanComponent,
        block: usize,
        run: &mut u32,
    ) -> Result<(), Flaw> {
        self.mean(bits, part, block, run)?;
        let table = table(&self.ac, part.ac)?;
        let mut at = 1;
        while at < BLOCK {
            let symbol = bits.symbol(table)?;
            let (zeros, size) = (symbol >> 4, symbol & 0xf);
            if size == 0 {
                if zeros < 15 {
                    break;
                }
                at += 16;
                continue;
            }
            at += zeros;
            if at >= BLOCK {
                return Err(Flaw::Wrong("a coefficient too many"));
            }
            bits.skip_value(size)?;
            at += 1;
        }
        Ok(())
    }

    /// The mean of a block, as far as the scan has it.
    #[inline]
    fn mean(&mut self, bits: &mut Bits<'_>, part: &ScanComponent, _: usize, _: &mut u32) -> Result<(), Flaw> {
        let size = bits.symbol(table(&self.dc, part.dc)?)?;
        if size > 16 {
            return Err(Flaw::Wrong("a mean value too large"));
        }
        bits.skip_value(size)
    }

    /// The first bits of the coefficients in a band.
    #[inline]
    fn new_coefficients(
        &mut self,
        bits: &mut Bits<'_>,
        part: &ScanComponent,
        block: usize,
        run: &mut u32,
        band: Band,
    ) -> Result<(), Flaw> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let table = table(&self.ac, part.ac)?;
        let filled = &mut self.components[part.component].filled[block];
        let mut at = band.first;
        while at <= band.last {
            let symbol = bits.symbol(table)?;
            let (zeros, size) = (symbol >> 4, symbol & 0xf);
            if size == 0 {
                if zeros < 15 {
                    *run = (1 << zeros) - 1 + bits.number(zeros.into())?;
                    break;
                }
                at += 16;
                continue;
            }
            at += zeros;
            if at > band.last {
                return Err(Flaw::Wrong("a coefficient too many"));
            }
            bits.skip_value(size)?;
            *filled |= 1 << at;
            at += 1;
        }
        Ok(())
    }

    /// One more bit of each coefficient in a band.
    #[inline]
    fn refined_coefficients(
        &mut self,
        bits: &mut Bits<'_>,
        part: &ScanComponent,
        block: usize,
        run: &mut u32,
        band: Band,
    ) -> Result<(), Flaw> {
        let filled = &mut self.components[part.component].filled[block];
        let mut at = band.first;
        if *run == 0 {
            let table = table(&self.ac, part.ac)?;
            while at <= band.last {
                let symbol = bits.symbol(table)?;
                let (zeros, size) = (symbol >> 4, symbol & 0xf);
                if size == 0 && zeros < 15 {
                    *run = (1 << zeros) + bits.number(zeros.into())?;
                    break;
                }
                // Over so many that are zero still; those between that are not have one bit each, and what
                // is new has its sign.
                let rest = coefficients(at, band.last);
                let free = (0..zeros).fold(!*filled & rest, |free, _| free & free.wrapping_sub(1));
                at = if free == 0 { band.last + 1 } else { free.trailing_zeros() as u8 };
                let passed = *filled & rest & !u64::MAX.checked_shl(at.into()).unwrap_or(0);
                let count = passed.count_ones() + u32::from(size > 0);
                bits.skip(count)?;
                if size > 0 {
                    if at > band.last {
                        return Err(Flaw::Wrong("a coefficient too many"));
                    }
                    *filled |= 1 << at;
                }
                at += 1;
            }
        }
        if *run > 0 {
            *run -= 1;
            if at <= band.last {
                bits.skip((*filled & coefficients(at, band.last)).count_ones())?;
            }
        }
        Ok(())
    }
}

/// A bit for each coefficient of a band.
const fn coefficients(first: u8, last: u8) -> u64 {
    (u64::MAX << first) & (u64::MAX >> (BLOCK - 1 - last))
}

#[inline]
fn table(tables: &[Option<HuffmanTable>; 4], number: usize) -> Result<&HuffmanTable, Flaw> {
    tables.get(number).and_then(Option::as_ref).ok_or(Flaw::Wrong("a Huffman table that is not there"))
}
