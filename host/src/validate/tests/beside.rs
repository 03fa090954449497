//! What lies beside a picture: XMP and C2PA in every container, whole, in parts, compressed and broken.

use std::io::Write as _;

use super::*;

const XMP: &[u8] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>";
/// Beginning of a manifest store: a box and its description.
const C2PA: &[u8] = b"\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0";

fn scene() -> RgbImage {
    samples::scene(21, 19)
}

/// A JPEG with these segments behind its first marker.
fn jpeg_with(segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let jpeg = samples::jpeg(&scene());
    let mut bytes = jpeg[..2].to_vec();
    for (marker, content) in segments {
        bytes.extend([0xff, *marker]);
        bytes.extend(u16::try_from(content.len() + 2).unwrap().to_be_bytes());
        bytes.extend(content);
    }
    [&bytes, &jpeg[2..]].concat()
}

/// A PNG with this chunk behind its header.
fn png_with(kind: &[u8], content: &[u8]) -> Vec<u8> {
    png_with_all(&[(kind, content)])
}

/// A PNG with these chunks behind its header.
fn png_with_all(chunks: &[(&[u8], &[u8])]) -> Vec<u8> {
    let png = samples::png(&scene().into());
    let mut bytes = png[..33].to_vec();
    for (kind, content) in chunks {
        let checked = [*kind, *content].concat();
        bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend(&checked);
        bytes.extend(crc32fast::hash(&checked).to_be_bytes());
    }
    [&bytes, &png[33..]].concat()
}

/// A GIF with this extension before its trailer.
fn gif_with(name: &[u8], content: &[u8]) -> Vec<u8> {
    let gif = samples::gif(&scene(), 2);
    let (trailer, rest) = gif.split_last().unwrap();
    [rest, &[0x21, 0xff, 11], name, content, &[*trailer]].concat()
}

/// A WebP with this chunk at its end.
fn webp_with(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let webp = samples::webp(&scene());
    let length = u32::try_from(content.len()).unwrap().to_le_bytes();
    let padding = &[0][..content.len() % 2];
    let mut bytes = [&webp, kind, &length, content, padding].concat();
    let size = u32::try_from(bytes.len() - 8).unwrap();
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
    bytes
}

/// As programs write it into GIF: the packet as it is, and what leads its readers to the end.
fn gif_packet(packet: &[u8]) -> Vec<u8> {
    let ramp: Vec<u8> = std::iter::once(1).chain((0..=255).rev()).chain([0]).collect();
    [packet, &ramp].concat()
}

fn itxt(compressed: bool, text: &[u8]) -> Vec<u8> {
    [b"XML:com.adobe.xmp\0", &[u8::from(compressed), 0][..], b"en\0XMP\0", text].concat()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A part of an extended packet.
fn extension(digest: &[u8; 32], at: u32, part: &[u8]) -> (u8, Vec<u8>) {
    let head: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
    (0xe1, [head, digest, &99u32.to_be_bytes(), &at.to_be_bytes(), part].concat())
}

/// The segment of a packet.
fn main_segment(packet: &[u8]) -> (u8, Vec<u8>) {
    (0xe1, [b"http://ns.adobe.com/xap/1.0/\0", packet].concat())
}

/// A packet that is extended by the one of this digest.
fn naming(digest: &[u8; 32]) -> Vec<u8> {
    [b"<x:xmpmeta xmlns:x='adobe:ns:meta/' xmpNote:HasExtendedXMP = '", &digest[..], b"'/>"].concat()
}

#[test]
fn metadata_is_found_in_every_container() {
    let jumbf = (0xeb, [b"JP\0\x01\0\0\0\x01", C2PA].concat());
    let (found, other) = (b"0123456789ABCDEF0123456789ABCDEF", b"ffffffffffffffffffffffffffffffff");
    let named = naming(found);
    for (what, bytes, xmp, has_c2pa) in [
        ("jpeg", jpeg_with(&[main_segment(XMP), jumbf.clone()]), vec![XMP.to_vec()], true),
        (
            "extended jpeg",
            jpeg_with(&[
                extension(found, 3, b"def"),
                extension(other, 0, b"x"),
                main_segment(&named),
                extension(found, 0, b"abc"),
            ]),
            vec![named.clone(), b"abcdef".to_vec()],
            false,
        ),
        ("png", png_with(b"iTXt", &itxt(false, XMP)), vec![XMP.to_vec()], false),
        ("packed png", png_with(b"iTXt", &itxt(true, &packed(XMP))), vec![XMP.to_vec()], false),
        ("signed png", png_with(b"caBX", C2PA), vec![], true),
        ("gif", gif_with(b"XMP DataXMP", &gif_packet(XMP)), vec![XMP.to_vec()], false),
        (
            "signed gif",
            gif_with(b"C2PA_GIF\x01\0\0", &[&[C2PA.len() as u8], C2PA, &[0]].concat()),
            vec![],
            true,
        ),
        ("webp", webp_with(b"XMP ", XMP), vec![XMP.to_vec()], false),
        ("signed webp", webp_with(b"C2PA", C2PA), vec![], true),
        ("another box", png_with(b"caBX", b"\0\0\0\x40jumb\0\0\0\x1ejumdjson"), vec![], false),
        ("another text", png_with(b"iTXt", b"Comment\0\0\0\0\0<x/>"), vec![], false),
    ] {
        let header = inspect(&bytes, &DecodeLimits::default()).unwrap();
        assert_eq!(embedded(&bytes, header.format), Embedded { xmp, has_c2pa }, "{what}");
    }
}

#[test]
fn metadata_is_bounded() {
    const MOST: usize = 4 << 20;
    let sizes =
        |bytes: &[u8], format| -> Vec<usize> { embedded(bytes, format).xmp.iter().map(Vec::len).collect() };
    let bomb = png_with(b"iTXt", &itxt(true, &packed(&vec![b' '; 64 << 20])));
    assert_eq!(sizes(&bomb, Format::Png), [MOST]);
    let large = webp_with(b"XMP ", &vec![b' '; MOST + 99]);
    assert_eq!(sizes(&large, Format::Webp), [MOST]);
    let cut = png_with(b"iTXt", &itxt(true, &packed(&[b'x'; 4000])[..20]));
    assert!(sizes(&cut, Format::Png).iter().all(|size| *size <= 4000));
    let main = (0xe1, [b"http://ns.adobe.com/xap/1.0/\0", XMP].concat());
    assert_eq!(sizes(&jpeg_with(&vec![main; 20]), Format::Jpeg).len(), 8);
}

#[test]
fn parts_that_no_packet_names_are_passed_over() {
    let digest = |number: u32| -> [u8; 32] { format!("{number:032X}").into_bytes().try_into().unwrap() };
    let xmp = |segments: &[(u8, Vec<u8>)]| embedded(&jpeg_with(segments), Format::Jpeg).xmp;
    // A digest elsewhere in a packet names nothing.
    let mentions = [XMP, &digest(1)[..]].concat();
    let segments = [main_segment(&mentions), extension(&digest(1), 0, b"abc")];
    assert_eq!(xmp(&segments), [mentions]);
    // As an element, among very many that are not meant.
    let element = [b"<xmpNote:HasExtendedXMP>", &digest(7)[..], b"</xmpNote:HasExtendedXMP><dc:a/>"].concat();
    let mut segments = vec![main_segment(&element)];
    segments.extend((0..50_000).map(|number| extension(&digest(number), 0, &number.to_be_bytes())));
    assert_eq!(xmp(&segments), [element, 7u32.to_be_bytes().to_vec()]);
    // Of very many parts the first ones.
    let named = naming(&digest(1));
    let mut segments = vec![main_segment(&named)];
    segments.extend((0..5000).map(|at| extension(&digest(1), at, b"a")));
    assert_eq!(xmp(&segments), [named, vec![b'a'; 256]]);
}

#[test]
fn what_is_compressed_is_not_unpacked_without_end() {
    let real = itxt(true, &packed(XMP));
    let after = |count: usize, chunk: &[u8]| {
        let chunks: Vec<(&[u8], &[u8])> =
            std::iter::repeat_n((&b"iTXt"[..], chunk), count).chain([(&b"iTXt"[..], &real[..])]).collect();
        embedded(&png_with_all(&chunks), Format::Png).xmp
    };
    // What gives nothing counts as an attempt, be it empty or broken.
    for nothing in [itxt(true, &packed(b"")), itxt(true, b"no zlib")] {
        assert_eq!(after(20, &nothing), [XMP.to_vec()]);
        assert!(after(100, &nothing).is_empty());
    }
    // Nothing is unpacked of what would not be taken.
    let mut found = Embedded::default();
    let mut budget = 4 << 20;
    for _ in 0..99 {
        found.add_compressed_xmp(&packed(XMP), &mut budget);
    }
    assert_eq!((found.xmp.len(), budget), (8, (4 << 20) - 8 * (64 << 10)));
}

proptest! {
    #[test]
    fn any_file_is_looked_through(noise: Vec<u8>, likely in prop::collection::vec(prop::sample::select(vec![
        &b"\xff\xd8"[..], b"\xff\xe1\x00\x30http://ns.adobe.com/xap/1.0/\0", b"\xff\xeb\x00\x10JP",
        b"\xff\xe1\x00\x60http://ns.adobe.com/xmp/extension/\0", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x20iTXtXML:com.adobe.xmp\0\x01\0",
        b"\0\0\0\x02caBX", b"GIF89a\x10\0\x10\0\0\0\0", b"\x21\xff\x0bXMP DataXMP", b"\x21\xff\x0bC2PA_GIF\x01\0\0", b"<a>", b"\0",
        b"RIFF\x40\0\0\0WEBP", b"XMP \x10\0\0\0", b"C2PA\x02\0\0\0",
    ]), 0..12)) {
        let likely = likely.concat();
        for bytes in [&noise[..], &likely, &[&likely[..], &noise].concat()] {
            for format in Format::ALL {
                let _ = embedded(bytes, format);
            }
        }
    }
}
