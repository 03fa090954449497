//! Which pictures look alike, directly or by way of others: all pairs of hashes that are near each other are
//! found, however many hashes there are, without comparing each with each.

use super::Pdq;

/// Parts of a hash by which hashes are sorted into cells: of two that are near, one part is the same or differs
/// in one bit, as there are too few bits in which they may differ for two of each.
const BANDS: usize = 16;
/// Values of a part.
const CELLS: usize = 1 << 16;
const _: () = assert!((Pdq::ALIKE as usize) < 2 * BANDS);
/// Hashes, and pairs of them, that are gone through between two looks whether it is to end: some milliseconds.
const LOOK: usize = 1 << 20;

/// Sets of things that are joined until they are asked for.
struct Sets {
    /// Of each thing one that is in the same set and not after it, itself in the first of a set.
    parents: Vec<u32>,
}

impl Sets {
    fn new(count: usize) -> Self {
        Self { parents: (0..).take(count).collect() }
    }

    fn first(&mut self, mut of: u32) -> u32 {
        while self.parents[of as usize] != of {
            let above = self.parents[self.parents[of as usize] as usize];
            self.parents[of as usize] = above;
            of = above;
        }
        of
    }

    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.first(one), self.first(other));
        self.parents[one.max(other) as usize] = one.min(other);
    }
}

/// Hashes by their value in one band.
struct Cells {
    /// Where in `order` those of each value begin, and the end.
    starts: Vec<u32>,
    /// The hashes, by value.
    order: Vec<u32>,
}

impl Cells {
    fn new(hashes: &[Pdq], band: usize) -> Self {
        let mut starts = vec![0; CELLS + 1];
        hashes.iter().for_each(|hash| starts[value(hash, band) + 1] += 1);
        for cell in 0..CELLS {
            starts[cell + 1] += starts[cell];
        }
        let (mut next, mut order) = (starts.clone(), vec![0; hashes.len()]);
        for (number, hash) in (0..).zip(hashes) {
            let place = &mut next[value(hash, band)];
            order[*place as usize] = number;
            *place += 1;
        }
        Self { starts, order }
    }

    fn of(&self, value: usize) -> &[u32] {
        &self.order[self.starts[value] as usize..self.starts[value + 1] as usize]
    }

    /// The cells beside that of this value, whose hashes may be near its own; each two cells once.
    fn beside(&self, value: usize) -> impl Iterator<Item = &[u32]> {
        let is_empty = self.of(value).is_empty();
        let values = (0..16).map(move |bit| value ^ (1 << bit)).filter(move |of| !is_empty && *of > value);
        values.map(|value| self.of(value))
    }

    /// Pairs of hashes that it takes to look at.
    fn cost(&self) -> u64 {
        let of_cell = |value: usize| {
            let count = self.of(value).len() as u64;
            triangle(count) + self.beside(value).map(|other| count * other.len() as u64).sum::<u64>()
        };
        (0..CELLS).map(of_cell).sum()
    }
}

const fn triangle(of: u64) -> u64 {
    of * of.saturating_sub(1) / 2
}

fn value(hash: &Pdq, band: usize) -> usize {
    usize::from(u16::from_be_bytes([hash.0[2 * band], hash.0[2 * band + 1]]))
}

/// Tells of each picture the first that it is connected with, be it itself. Each hash is that of a picture, which
/// may have several; those that differ in `distance` bits at most, 31 or fewer, connect their pictures, and so do
/// `equal` ones. None where it would take to look at more than `most_pairs`, because very many are nearly alike, or
/// when it `is_over` before its end.
///
/// It takes 16 bytes a picture, and 60 a hash.
pub fn groups(
    pictures: usize,
    hashes: &[(u32, Pdq)],
    equal: &[(u32, u32)],
    distance: u8,
    most_pairs: u64,
    is_over: impl Fn() -> bool,
) -> Option<Vec<u32>> {
    let mut sets = Sets::new(pictures);
    equal.iter().for_each(|(one, other)| sets.join(*one, *other));
    // The same hash once.
    let mut sorted: Vec<(Pdq, u32)> = hashes.iter().map(|(picture, hash)| (*hash, *picture)).collect();
    sorted.sort_unstable();
    let (mut unique, mut owners): (Vec<Pdq>, Vec<u32>) = (Vec::new(), Vec::new());
    for (hash, picture) in sorted {
        if unique.last() == Some(&hash) {
            sets.join(owners[owners.len() - 1], picture);
        } else {
            unique.push(hash);
            owners.push(picture);
        }
    }
    let mut join = |one: u32, other: u32| {
        if unique[one as usize].distance(&unique[other as usize]) <= distance.into() {
            sets.join(owners[one as usize], owners[other as usize]);
        }
    };
    // The first look is before the first pair.
    let mut since = LOOK;
    let mut is_over = |pairs: usize| {
        since += 1 + pairs;
        let looks = since > LOOK;
        if looks {
            since = 0;
        }
        looks && is_over()
    };
    let all = triangle(unique.len() as u64);
    // It takes as long to go through the cells as to look at some pairs.
    let of_cells = (BANDS * CELLS) as u64;
    let by_cells = if all > of_cells {
        of_cells + (0..BANDS).map(|band| Cells::new(&unique, band).cost()).sum::<u64>()
    } else {
        of_cells
    };
    if all.min(by_cells) > most_pairs {
        return None;
    }
    if all <= by_cells {
        for one in (0..).take(unique.len()) {
            if is_over(one as usize) {
                return None;
            }
            (0..one).for_each(|other| join(one, other));
        }
    } else {
        for band in 0..BANDS {
            let cells = Cells::new(&unique, band);
            for value in 0..CELLS {
                let beside = cells.beside(value).map(<[u32]>::len).sum::<usize>();
                for (at, one) in cells.of(value).iter().enumerate() {
                    // A cell may have nearly all hashes.
                    if is_over(at + beside) {
                        return None;
                    }
                    cells.of(value)[..at].iter().for_each(|other| join(*one, *other));
                    cells.beside(value).flatten().for_each(|other| join(*one, *other));
                }
            }
        }
    }
    Some((0..).take(pictures).map(|picture| sets.first(picture)).collect())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::SmallRng};

    use super::*;

    fn near_groups(pictures: usize, hashes: &[(u32, Pdq)], equal: &[(u32, u32)]) -> Option<Vec<u32>> {
        groups(pictures, hashes, equal, 31, u64::MAX, || false)
    }

    /// By comparing each with each.
    fn plainly(pictures: usize, hashes: &[(u32, Pdq)], distance: u8) -> Vec<u32> {
        let mut sets = Sets::new(pictures);
        for (at, (one, hash)) in hashes.iter().enumerate() {
            for (other, near) in &hashes[..at] {
                if hash.distance(near) <= distance.into() {
                    sets.join(*one, *other);
                }
            }
        }
        (0..).take(pictures).map(|picture| sets.first(picture)).collect()
    }

    fn random(random: &mut SmallRng) -> Pdq {
        Pdq(std::array::from_fn(|_| random.random()))
    }

    /// The same with this many other bits.
    fn near(hash: Pdq, bits: usize, random: &mut SmallRng) -> Pdq {
        let mut places: Vec<usize> = (0..256).collect();
        let mut hash = hash;
        for _ in 0..bits {
            let bit = places.swap_remove(random.random_range(0..places.len()));
            hash.0[bit / 8] ^= 1 << (bit % 8);
        }
        hash
    }

    #[test]
    fn all_that_are_near_are_found() {
        let random_numbers = &mut SmallRng::seed_from_u64(7);
        // Enough for cells to be less work than all pairs.
        let mut hashes: Vec<(u32, Pdq)> = (0..3000).map(|number| (number, random(random_numbers))).collect();
        for number in 0..600_u32 {
            let (of, hash) = hashes[random_numbers.random_range(0..hashes.len())];
            let distance = [1, 15, 30, 31, 32, 33][number as usize % 6];
            // Some are a second hash of a picture.
            let picture = if number % 10 == 0 { of / 2 } else { 3000 + number };
            hashes.push((picture, near(hash, distance, random_numbers)));
        }
        let found = near_groups(3600, &hashes, &[]).unwrap();
        assert_eq!(found, plainly(3600, &hashes, 31));
        let connected = (0..).zip(&found).filter(|(number, first)| number != *first).count();
        assert!((300..600).contains(&connected), "{connected}");
    }

    /// Where all are in the same cells, they are compared each with each, and no more often.
    #[test]
    fn many_that_are_nearly_alike_take_no_longer_than_all_pairs() {
        let random_numbers = &mut SmallRng::seed_from_u64(8);
        let hash = random(random_numbers);
        let hashes: Vec<(u32, Pdq)> =
            (0..2000).map(|number| (number, near(hash, 20, random_numbers))).collect();
        assert_eq!(near_groups(2000, &hashes, &[]).unwrap(), plainly(2000, &hashes, 31));
        // The same hash is one, and the same bytes are one picture.
        let same: Vec<(u32, Pdq)> = (0..300_000).map(|number| (number, hash)).collect();
        assert_eq!(near_groups(300_000, &same, &[]).unwrap(), vec![0; 300_000]);
        assert_eq!(near_groups(3, &[], &[(1, 2)]).unwrap(), [0, 1, 1]);
        assert!(near_groups(0, &[], &[]).unwrap().is_empty());
    }

    #[test]
    fn it_ends_where_it_is_told_to() {
        let hashes = [(0, Pdq([0; 32])), (1, Pdq([255; 32])), (2, Pdq([15; 32]))];
        assert_eq!(groups(3, &hashes, &[], 31, 3, || false).unwrap(), [0, 1, 2]);
        assert!(groups(3, &hashes, &[], 31, 2, || false).is_none());
        assert!(groups(3, &hashes, &[], 31, 3, || true).is_none());
    }

    #[test]
    fn it_looks_whether_to_end_by_the_pairs_that_it_has_gone_through() {
        let random_numbers = &mut SmallRng::seed_from_u64(9);
        let hash = random(random_numbers);
        let hashes: Vec<(u32, Pdq)> =
            (0..3000).map(|number| (number, near(hash, 20, random_numbers))).collect();
        let looks = Cell::new(0);
        let look = || {
            looks.set(looks.get() + 1);
            false
        };
        groups(3000, &hashes, &[], 31, u64::MAX, look).unwrap();
        assert_eq!(looks.get(), 1 + 3000 * 2999 / 2 / LOOK);
    }

    proptest! {
        #[test]
        fn groups_are_those_of_all_pairs(
            seeds in prop::collection::vec((0u64..6, prop::collection::vec(0usize..256, 0..20)), 1..40),
            distance in 0u8..=31,
        ) {
            let hashes: Vec<(u32, Pdq)> = (0..)
                .zip(&seeds)
                .map(|(number, (seed, flipped))| {
                    let mut hash = [1, 2, 3, 4].map(|word: u64| (seed * 4 + word).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                    flipped.iter().for_each(|bit| hash[bit / 64] ^= 1 << (bit % 64));
                    let bytes: Vec<u8> = hash.iter().flat_map(|word| word.to_be_bytes()).collect();
                    (number, Pdq(bytes.try_into().unwrap()))
                })
                .collect();
            let found = groups(seeds.len(), &hashes, &[], distance, u64::MAX, || false).unwrap();
            prop_assert_eq!(found, plainly(seeds.len(), &hashes, distance));
        }
    }
}
