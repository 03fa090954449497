//! Containers that are put together wrongly: what walks them comes to an end and is not fooled.

use proptest::{prelude::*, sample::Index, test_runner::TestRunner};

use super::*;

/// What is done to a file.
#[derive(Clone, Debug)]
enum Damage {
    Remove(Index, usize),
    /// What stands at the first place comes again at the second.
    Repeat(Index, usize, Index),
    /// From here on it is another file.
    Graft(Index, Index, Index),
    /// Four bytes that may be a length.
    Length(Index, u32),
    Insert(Index, Vec<u8>),
}

fn change() -> impl Strategy<Value = Damage> {
    let length = prop_oneof![Just(0), Just(1), Just(4), Just(0x7fff_ffff), Just(u32::MAX), any::<u32>()];
    prop_oneof![
        (any::<Index>(), 1..64usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        (any::<Index>(), 1..64usize, any::<Index>())
            .prop_map(|(at, count, to)| Damage::Repeat(at, count, to)),
        (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, file, from)| Damage::Graft(at, file, from)),
        (any::<Index>(), length).prop_map(|(at, length)| Damage::Length(at, length)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, new)| Damage::Insert(at, new)),
    ]
}

fn apply(change: Damage, bytes: &mut Vec<u8>, others: &[(&str, Vec<u8>, &str)]) {
    let place = |index: Index| index.index(bytes.len().max(1));
    match change {
        Damage::Remove(at, count) => {
            let at = place(at);
            bytes.drain(at.min(bytes.len())..(at + count).min(bytes.len()));
        }
        Damage::Repeat(at, count, to) => {
            let (at, to) = (place(at), place(to));
            let part = bytes[at.min(bytes.len())..(at + count).min(bytes.len())].to_vec();
            bytes.splice(to..to, part);
        }
        Damage::Graft(at, file, from) => {
            let other = &others[file.index(others.len())].1;
            let at = place(at);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from.index(other.len())..]);
        }
        Damage::Length(at, length) => {
            let at = place(at);
            let end = (at + 4).min(bytes.len());
            bytes[at..end].copy_from_slice(&length.to_be_bytes()[..end - at]);
        }
        Damage::Insert(at, new) => {
            let at = place(at);
            bytes.splice(at..at, new);
        }
    }
}

/// What is kept has the size that another decoder sees, if that sees anything.
fn check_kept(bytes: &[u8]) -> Result<(), TestCaseError> {
    let limits = DecodeLimits { max_pixels: 1_000_000, ..DecodeLimits::default() };
    if let Ok(found) = validate(bytes, &limits, &Rules::default())
        && let Some(size) = size_elsewhere(bytes)
    {
        prop_assert_eq!(size, (found.width, found.height));
    }
    Ok(())
}

/// Cases of the properties here, eight times as many as of others.
fn runner() -> TestRunner {
    let default = ProptestConfig::default();
    TestRunner::new(ProptestConfig { cases: 8 * default.cases, failure_persistence: None, ..default })
}

#[test]
fn files_that_were_cut_and_glued() {
    let small = small();
    let changes = prop::collection::vec(change(), 1..6);
    let run = runner().run(&(0..small.len(), changes), |(which, changes)| {
        let mut bytes = small[which].1.clone();
        for change in changes {
            apply(change, &mut bytes, &small);
        }
        check_kept(&bytes)
    });
    run.unwrap();
}

/// The parts of a container, each well-formed, with anything in them.
type ContainerParts = Vec<(usize, Vec<u8>)>;

fn png(parts: &ContainerParts) -> Vec<u8> {
    const KINDS: [&[u8; 4]; 9] =
        [b"IHDR", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"PLTE", b"eXIf", b"tRNS"];
    let ihdr = [0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0];
    let parts = parts.iter().map(|(kind, data)| (*KINDS[kind % KINDS.len()], data.clone()));
    samples::png_of(&std::iter::once((*KINDS[0], ihdr.to_vec())).chain(parts).collect::<Vec<_>>())
}

fn jpeg(parts: &ContainerParts) -> Vec<u8> {
    const MARKERS: [u8; 14] =
        [0xc0, 0xc2, 0xc4, 0xda, 0xdb, 0xdd, 0xe0, 0xe1, 0xee, 0xfe, 0xd0, 0xd9, 0xcc, 0x01];
    let mut file = vec![0xff, 0xd8];
    for (marker, data) in parts {
        file.extend([0xff, MARKERS[marker % MARKERS.len()]]);
        file.extend(u16::try_from(data.len() + 2).unwrap().to_be_bytes());
        file.extend(data);
    }
    file
}

fn gif(parts: &ContainerParts) -> Vec<u8> {
    const BLOCKS: [&[u8]; 6] = [
        &[0x21, 0xf9, 4, 0, 0, 0, 0, 0],
        &[0x21, 0xff],
        &[0x21, 0xfe],
        &[0x2c, 0, 0, 0, 0, 8, 0, 8, 0, 0, 2],
        &[0x3b],
        &[0],
    ];
    let mut file = b"GIF89a\x08\0\x08\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    for (block, data) in parts {
        file.extend(BLOCKS[block % BLOCKS.len()]);
        file.push(u8::try_from(data.len()).unwrap());
        file.extend(data);
        file.push(0);
    }
    file
}

fn webp(parts: &ContainerParts) -> Vec<u8> {
    const KINDS: [&[u8; 4]; 8] = [b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"EXIF", b"XMP "];
    let parts = parts.iter().map(|(kind, data)| (*KINDS[kind % KINDS.len()], data.clone()));
    samples::webp_of(&parts.collect::<Vec<_>>())
}

/// What reads the codes of a JPEG itself comes to an end, whatever they are, and where the decoder
/// alone was asked, nothing is missing.
#[test]
fn any_codes_are_read() {
    let small: Vec<_> = small().into_iter().filter(|(what, ..)| what.contains("jpeg")).collect();
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..8);
    let parts = prop::collection::vec((0..64usize, prop::collection::vec(any::<u8>(), 0..40)), 0..12);
    let run = runner().run(&(0..small.len(), changes, parts), |(which, changes, parts)| {
        let mut bytes = small[which].1.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if validate(
            &bytes,
            &DecodeLimits { max_pixels: 1_000_000, ..DecodeLimits::default() },
            &Rules::default(),
        )
        .is_ok()
        {
            // The decoder makes do with codes that are none; what matters is that none is missing.
            let walked = super::super::jpeg::walk(&bytes).map_err(|rejected| rejected.reason);
            prop_assert_ne!(walked, Err(Refusal::Truncated));
        }
        let _ = super::super::jpeg::walk(&jpeg(&parts));
        Ok(())
    });
    run.unwrap();
}

#[test]
fn parts_in_any_order() {
    let parts = prop::collection::vec((0..64usize, prop::collection::vec(any::<u8>(), 0..40)), 0..12);
    let run = runner()
        .run(&(parts, 0..4usize), |(parts, format)| check_kept(&[png, jpeg, gif, webp][format](&parts)));
    run.unwrap();
}
