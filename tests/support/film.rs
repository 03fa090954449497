//! A picture that costs more than it is worth, for the tests and for `make soak`.

/// A film whose frames are each a large area of one colour: some hundred bytes that take seconds.
pub(crate) fn film_of_one_colour(side: u32, frames: usize, colour: u8) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        let mut chunk = [kind, &(content.len() as u32).to_le_bytes()[..], content].concat();
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    };
    // A lossless picture: signature, size, no transformation, no cache, one set of five codes,
    // each of one symbol, which then takes no bit.
    let mut bits = vec![];
    let mut put = |value: u32, count: usize| bits.extend((0..count).map(|bit| value >> bit & 1 == 1));
    for (value, count) in [(0x2f, 8), (side - 1, 14), (side - 1, 14), (0, 1 + 3), (0, 1 + 1 + 1)] {
        put(value, count);
    }
    for symbol in [colour, 0, 0, 255, 0] {
        put(0b101, 3);
        put(symbol.into(), 8);
    }
    let bytes: Vec<u8> = bits
        .chunks(8)
        .map(|bits| bits.iter().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum())
        .collect();
    let size = |value: u32| value.to_le_bytes()[..3].to_vec();
    let (side, time) = (size(side - 1), size(100));
    let frame = [vec![0; 6], side.clone(), side.clone(), time, vec![0], chunk(b"VP8L", &bytes)].concat();
    let canvas = [vec![0x02, 0, 0, 0], side.clone(), side].concat();
    let frames = chunk(b"ANMF", &frame).repeat(frames);
    chunk(b"RIFF", &[&b"WEBP"[..], &chunk(b"VP8X", &canvas), &chunk(b"ANIM", &[0; 6]), &frames].concat())
}
