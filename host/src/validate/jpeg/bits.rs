//! The bits of a scan, and the codes that they spell.

use super::super::Rejection;
use super::segment::{RST0, RST7};

/// Codes up to this length are looked up at once.
const LOOKED_UP: u32 = 9;

/// What can be wrong with the data of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They end before the picture does.
    Short,
    /// They spell what means nothing.
    Wrong(&'static str),
}

/// Reads bits, the highest of a byte first, up to a marker.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// Of the next byte that is not in `held`.
    at: usize,
    /// The next bits, from the highest down; zeros behind them.
    held: u64,
    count: u32,
    /// There is nothing more before the next marker, however much fill stands before that.
    ended: bool,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, held: 0, count: 0, ended: false }
    }

    /// Has 32 bits at hand, as far as there are as many before the next marker.
    #[inline]
    fn refill(&mut self) {
        if self.count >= 32 || self.ended {
            return;
        }
        if let Some(word) = self.data.get(self.at..).and_then(<[u8]>::first_chunk::<4>)
            && !word.contains(&0xff)
        {
            self.held |= u64::from(u32::from_be_bytes(*word)) << (32 - self.count);
            self.count += 32;
            self.at += 4;
            return;
        }
        while self.count <= 56 {
            let Some((byte, length)) = self.byte() else {
                self.ended = true;
                return;
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
            self.at += length;
        }
    }

    /// The next byte and how many bytes stand for it; none at a marker or at the end.
    fn byte(&self) -> Option<(u8, usize)> {
        let rest = self.data.get(self.at..)?;
        let byte = *rest.first()?;
        if byte != 0xff {
            return Some((byte, 1));
        }
        let fill = rest.iter().take_while(|byte| **byte == 0xff).count();
        (rest.get(fill) == Some(&0)).then_some((0xff, fill + 1))
    }

    /// Passes over bits.
    #[inline]
    pub(super) fn skip(&mut self, mut count: u32) -> Result<(), Flaw> {
        // A block without bits is often asked for.
        if count == 0 {
            return Ok(());
        }
        while count > 32 {
            self.skip(32)?;
            count -= 32;
        }
        self.refill();
        self.take(count)
    }

    /// Passes over what belongs to a code, at most 16 bits: there is no need to look whether they are
    /// at hand.
    #[inline]
    pub(super) fn skip_value(&mut self, count: u8) -> Result<(), Flaw> {
        self.take(count.into())
    }

    /// Takes away bits that are at hand.
    #[inline]
    fn take(&mut self, count: u32) -> Result<(), Flaw> {
        if count > self.count {
            return Err(Flaw::Short);
        }
        self.held <<= count;
        self.count -= count;
        Ok(())
    }

    /// The number that the next bits are, at most 16 of them.
    #[inline]
    pub(super) fn number(&mut self, count: u32) -> Result<u32, Flaw> {
        self.refill();
        let number = self.held.checked_shr(64 - count).unwrap_or(0) as u32;
        self.skip(count)?;
        Ok(number)
    }

    /// What the next code stands for.
    #[inline]
    pub(super) fn symbol(&mut self, table: &HuffmanTable) -> Result<u8, Flaw> {
        self.refill();
        let found = table.short[(self.held >> (64 - LOOKED_UP)) as usize];
        let (length, symbol) = match found {
            (0, _) => table.long((self.held >> 48) as u32).ok_or(if self.count < 16 {
                Flaw::Short
            } else {
                Flaw::Wrong("a code that stands for nothing")
            })?,
            found => found,
        };
        if u32::from(length) > self.count {
            return Err(Flaw::Short);
        }
        self.held <<= length;
        self.count -= u32::from(length);
        Ok(symbol)
    }

    /// Goes to behind the next restart marker, which must be this one of eight. What is left before
    /// it is passed over.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), Flaw> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let marker = |at: usize| rest.get(at + 1).filter(|marker| matches!(**marker, RST0..=RST7));
        let found = memchr::memchr_iter(0xff, rest).find_map(|at| Some((at, *marker(at)?)));
        let (at, marker) = found.ok_or(Flaw::Short)?;
        if marker != RST0 + number {
            return Err(Flaw::Wrong("a restart marker out of order"));
        }
        *self = Self { data: self.data, at: self.at + at + 2, held: 0, count: 0, ended: false };
        Ok(())
    }
}

/// A Huffman table.
pub(super) struct HuffmanTable {
    /// Length and meaning by the next bits; length 0 where the code is longer.
    short: [(u8, u8); 1 << LOOKED_UP],
    /// For each length: the first code that is too large for it, as 16 bits, and where its symbols
    /// begin, less its first code.
    lengths: [(u32, i32); 17],
    symbols: Vec<u8>,
}

impl HuffmanTable {
    /// Tables as a segment defines them: whether it is for AC, its number, and the table.
    pub(super) fn read(mut segment: &[u8]) -> Result<Vec<(bool, usize, Self)>, Rejection> {
        let mut tables = Vec::new();
        while let Some((head, rest)) = segment.split_first_chunk::<17>() {
            let [class, counts @ ..] = head;
            let total = counts.iter().map(|count| usize::from(*count)).sum();
            let Some((symbols, rest)) = rest.split_at_checked(total) else { break };
            let table = Self::new(counts, symbols).ok_or_else(bogus)?;
            tables.push((class >> 4 != 0, usize::from(class & 0xf), table));
            segment = rest;
        }
        if segment.is_empty() { Ok(tables) } else { Err(bogus()) }
    }

    fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table =
            Self { short: [(0, 0); 1 << LOOKED_UP], lengths: [(0, 0); 17], symbols: symbols.to_vec() };
        let (mut code, mut index) = (0u32, 0usize);
        for (length, count) in (1u32..).zip(counts) {
            let first = code;
            for symbol in symbols.get(index..index + usize::from(*count))? {
                if let Some(spare) = LOOKED_UP.checked_sub(length) {
                    let from = (code as usize) << spare;
                    table.short.get_mut(from..from + (1 << spare))?.fill((length as u8, *symbol));
                }
                code += 1;
            }
            // Ones alone are no code.
            if code >= 1 << length && *count > 0 {
                return None;
            }
            let offset = i32::try_from(index).ok()? - i32::try_from(first).ok()?;
            index += usize::from(*count);
            table.lengths[length as usize] = (code << (16 - length), offset);
            code <<= 1;
        }
        Some(table)
    }

    /// Length and meaning of a code that is not in `short`, by the next 16 bits.
    fn long(&self, bits: u32) -> Option<(u8, u8)> {
        let lengths = self.lengths.iter().enumerate().skip(LOOKED_UP as usize + 1);
        let (length, (_, offset)) = lengths.into_iter().find(|(_, (end, _))| bits < *end)?;
        let code = i32::try_from(bits >> (16 - length)).ok()?;
        Some((length as u8, *self.symbols.get(usize::try_from(code + offset).ok()?)?))
    }
}

fn bogus() -> Rejection {
    Rejection::corrupt("a Huffman table that cannot be")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many that once per read would take hours.
    const MANY: usize = 1_000_000;

    #[test]
    fn fill_before_a_marker_is_passed_over_once() {
        let data = [&[0xa5][..], &[0xff; MANY], &[RST0, 0x0f]].concat();
        let mut bits = Bits::new(&data);
        assert_eq!(bits.number(4), Ok(0xa));
        for _ in 0..MANY {
            assert_eq!((bits.number(0), bits.skip(0)), (Ok(0), Ok(())));
        }
        assert_eq!(bits.number(4), Ok(0x5));
        for _ in 0..MANY {
            assert_eq!(bits.skip(1), Err(Flaw::Short));
        }
        bits.restart(0).unwrap();
        assert_eq!((bits.number(8), bits.number(1)), (Ok(0x0f), Err(Flaw::Short)));
    }

    #[test]
    fn fill_before_stuffing_is_one_byte() {
        let mut bits = Bits::new(&[0xff, 0xff, 0xff, 0, 0x12, 0xff]);
        assert_eq!((bits.number(16), bits.number(1)), (Ok(0xff12), Err(Flaw::Short)));
    }
}
