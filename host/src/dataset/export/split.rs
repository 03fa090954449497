//! Which part of a split each picture of an export is in: by chance, the same for the same pictures and seed,
//! each label shared out like the whole, and what looks alike on one side.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256 as Hash};

use crate::model::{Pdq, Sha256, Split, SplitPart, groups};

/// Most pictures of an export that is split: about 300 bytes of memory each.
pub(super) const MOST_IMAGES: usize = 1_000_000;
/// Most pairs of hashes that are looked at, some minutes of one processor. Of hashes that are spread as those of
/// pictures are, a million have a tenth of it.
const MOST_PAIRS: u64 = 20_000_000_000;

/// A picture that is to be in a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Number of its first label, in their order.
    pub(super) label: u32,
    /// Of its bytes.
    pub(super) sha256: Sha256,
    /// By which others are found to look like it, as far as they say anything.
    pub(super) hashes: [Option<Pdq>; 2],
}

/// Pictures that are on one side.
struct Group {
    label: u32,
    images: u32,
    /// Its place among those of its label and size.
    chance: [u8; 32],
    /// The first of its members.
    first: u32,
}

/// The part of each member; `stood_for` are hashes of pictures that members stand for, which connect them, too. None
/// where it takes too long to tell which look alike, or when it `is_over` before that is told.
///
/// Groups are gone through by label, the largest of each first and those of one size by chance, and each is given
/// to the part that lacks most of what it should have by then. So the parts of a label, as those of the whole, have
/// what they should, but for one or two pictures or what a group has too many.
pub(super) fn parts(
    members: &[Member],
    stood_for: &[(u32, Pdq)],
    split: Split,
    seed: i64,
    is_over: impl Fn() -> bool,
) -> Option<Vec<SplitPart>> {
    let mut by_hash: Vec<u32> = (0..).take(members.len()).collect();
    by_hash.sort_unstable_by_key(|member| {
        let Member { sha256, label, .. } = members[*member as usize];
        (sha256.0, label)
    });
    let equal: Vec<(u32, u32)> = by_hash
        .windows(2)
        .filter(|pair| members[pair[0] as usize].sha256 == members[pair[1] as usize].sha256)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    let hashes: Vec<(u32, Pdq)> = (0..)
        .zip(members)
        .flat_map(|(number, member)| member.hashes.into_iter().flatten().map(move |hash| (number, hash)))
        .chain(stood_for.iter().copied())
        .collect();
    let firsts = groups(members.len(), &hashes, &equal, Pdq::ALIKE, MOST_PAIRS, is_over)?;
    let mut all: HashMap<u32, Group> = HashMap::new();
    // The member with the least hash speaks for a group: in whatever order they came.
    for member in by_hash {
        let first = firsts[member as usize];
        let Member { label, sha256, .. } = members[member as usize];
        let group = all.entry(first).or_insert_with(|| {
            let chance = Hash::digest(format!("split:{seed}:{sha256}")).into();
            Group { label, images: 0, chance, first }
        });
        group.images += 1;
    }
    let mut ordered: Vec<Group> = all.into_values().collect();
    ordered.sort_unstable_by_key(|group| (group.label, std::cmp::Reverse(group.images), group.chance));
    let parts: Vec<SplitPart> = SplitPart::ALL.into_iter().filter(|part| split.share(*part) > 0).collect();
    let (mut there, mut counts): (i64, HashMap<SplitPart, i64>) = (0, HashMap::new());
    let mut part_of: HashMap<u32, SplitPart> = HashMap::with_capacity(ordered.len());
    for Group { images, first, .. } in ordered {
        there += i64::from(images);
        let lacks = |part: &SplitPart| {
            i64::from(split.share(*part)) * there - 100 * counts.get(part).copied().unwrap_or_default()
        };
        // Of several that lack as much the first.
        let part = parts.iter().copied().rev().max_by_key(lacks).unwrap_or(SplitPart::Train);
        *counts.entry(part).or_default() += i64::from(images);
        part_of.insert(first, part);
    }
    Some(firsts.iter().map(|first| part_of[first]).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPLIT: Split = Split { train: 80, validation: 10, test: 10 };

    fn parts(
        members: &[Member],
        stood_for: &[(u32, Pdq)],
        split: Split,
        seed: i64,
    ) -> Option<Vec<SplitPart>> {
        super::parts(members, stood_for, split, seed, || false)
    }

    fn member(number: u32, label: u32, look: Option<u32>) -> Member {
        let hash = |text: String| Hash::digest(text).into();
        let look = look.map(|look| Pdq(hash(format!("look {look}"))));
        Member { label, sha256: Sha256(hash(format!("bytes {number}"))), hashes: [look, None] }
    }

    fn count(parts: &[SplitPart], part: SplitPart) -> usize {
        parts.iter().filter(|of| **of == part).count()
    }

    /// Two that are far from each other, and one between them that the first stands for.
    #[test]
    fn what_a_member_stands_for_connects_it() {
        let hash = |bits: usize| {
            let is_set = |bit: usize| u8::from(bit < bits);
            Pdq(std::array::from_fn(|byte| (0..8).fold(0, |all, bit| all << 1 | is_set(8 * byte + bit))))
        };
        let member = |number: u8| Member {
            label: 0,
            sha256: Sha256([number; 32]),
            hashes: [Some(hash(if number == 0 { 0 } else { 50 })), None],
        };
        let members = [member(0), member(1)];
        let half = Split { train: 50, validation: 0, test: 50 };
        let apart = parts(&members, &[], half, 0).unwrap();
        assert_ne!(apart[0], apart[1]);
        let together = parts(&members, &[(0, hash(25))], half, 0).unwrap();
        assert_eq!(together[0], together[1]);
    }

    #[test]
    fn labels_are_shared_out_like_the_whole() {
        let members: Vec<Member> = (0..1000).map(|number| member(number, number % 7, Some(number))).collect();
        let found = parts(&members, &[], SPLIT, 0).unwrap();
        assert_eq!(SplitPart::ALL.map(|part| count(&found, part)), [800, 100, 100]);
        for label in 0..7 {
            let of_label: Vec<SplitPart> = members
                .iter()
                .zip(&found)
                .filter(|(member, _)| member.label == label)
                .map(|of| *of.1)
                .collect();
            for (part, share) in SplitPart::ALL.into_iter().zip([0.8, 0.1, 0.1]) {
                let expected = share * of_label.len() as f64;
                let is = count(&of_label, part) as f64;
                assert!((is - expected).abs() < 2.0, "{label}: {is} of {expected}");
            }
        }
        // Of classes that are too small to be shared out, each part has its share all the same.
        let small: Vec<Member> = (0..300).map(|number| member(number, number / 3, None)).collect();
        let found = parts(&small, &[], SPLIT, 0).unwrap();
        assert_eq!(SplitPart::ALL.map(|part| count(&found, part)), [240, 30, 30]);
        let other = parts(&small, &[], SPLIT, 1).unwrap();
        assert_ne!(found, other, "the seed says by which chance");
        // A share of nothing is none.
        let none = Split { train: 90, validation: 0, test: 10 };
        let found = parts(&small, &[], none, 0).unwrap();
        assert_eq!(SplitPart::ALL.map(|part| count(&found, part)), [270, 0, 30]);
        assert_eq!(
            parts(&small[..1], &[], Split { train: 0, validation: 0, test: 100 }, 0).unwrap(),
            [SplitPart::Test]
        );
        assert!(parts(&[], &[], SPLIT, 0).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn what_looks_alike_is_on_one_side_in_whatever_order(
            looks in prop::collection::vec((0_u32..4, prop::option::of(0_u32..40)), 0..80),
            seed: i64,
            turn in 0_usize..80,
        ) {
            let members: Vec<Member> =
                (0..).zip(&looks).map(|(number, (label, look))| member(number, *label, *look)).collect();
            let found = parts(&members, &[], SPLIT, seed).unwrap();
            for (one, part) in members.iter().zip(&found) {
                for (other, of_other) in members.iter().zip(&found) {
                    let alike = one.hashes[0].is_some() && one.hashes[0] == other.hashes[0];
                    prop_assert!(!alike || part == of_other);
                }
            }
            let turn = turn.min(members.len());
            let turned = [&members[turn..], &members[..turn]].concat();
            let again = parts(&turned, &[], SPLIT, seed).unwrap();
            prop_assert_eq!([&again[members.len() - turn..], &again[..members.len() - turn]].concat(), found);
        }
    }
}
