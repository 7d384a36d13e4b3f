//! The checksum of LZ4 frames: xxHash with 32 bits and seed 0.

const P1: u32 = 0x9e37_79b1;
const P2: u32 = 0x85eb_ca77;
const P3: u32 = 0xc2b2_ae3d;
const P4: u32 = 0x27d4_eb2f;
const P5: u32 = 0x1656_67b1;

/// The checksum of `bytes`.
pub(super) fn xxh32(bytes: &[u8]) -> u32 {
    let (stripes, tail) = bytes.as_chunks::<16>();
    let mixed = if stripes.is_empty() { P5 } else { mix_stripes(stripes) };
    // The format counts modulo 2^32.
    let [length @ .., _, _, _, _] = (bytes.len() as u64).to_le_bytes();
    let (words, rest) = tail.as_chunks::<4>();
    let mixed = words.iter().fold(mixed.wrapping_add(u32::from_le_bytes(length)), |mixed, word| {
        let word = u32::from_le_bytes(*word).wrapping_mul(P3);
        mixed.wrapping_add(word).rotate_left(17).wrapping_mul(P4)
    });
    let mixed = rest.iter().fold(mixed, |mixed, byte| {
        let byte = u32::from(*byte).wrapping_mul(P5);
        mixed.wrapping_add(byte).rotate_left(11).wrapping_mul(P1)
    });
    avalanche(mixed)
}

fn mix_stripes(stripes: &[[u8; 16]]) -> u32 {
    let [mut a, mut b, mut c, mut d] = [P1.wrapping_add(P2), P2, 0, 0_u32.wrapping_sub(P1)];
    for stripe in stripes {
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = *stripe;
        a = round(a, u32::from_le_bytes([a0, a1, a2, a3]));
        b = round(b, u32::from_le_bytes([b0, b1, b2, b3]));
        c = round(c, u32::from_le_bytes([c0, c1, c2, c3]));
        d = round(d, u32::from_le_bytes([d0, d1, d2, d3]));
    }
    a.rotate_left(1)
        .wrapping_add(b.rotate_left(7))
        .wrapping_add(c.rotate_left(12))
        .wrapping_add(d.rotate_left(18))
}

const fn round(lane: u32, word: u32) -> u32 {
    lane.wrapping_add(word.wrapping_mul(P2)).rotate_left(13).wrapping_mul(P1)
}

const fn avalanche(mut mixed: u32) -> u32 {
    mixed ^= mixed >> 15;
    mixed = mixed.wrapping_mul(P2);
    mixed ^= mixed >> 13;
    mixed = mixed.wrapping_mul(P3);
    mixed ^ (mixed >> 16)
}

#[cfg(test)]
mod tests;
