//! Nothing unpacks to more than its limit, and what was packed unpacks to the same.

use forebay_protocol::records::codec::{Codec, CodecError, Compressor, Decompressor, Scratch};

/// The most that anything may unpack to.
const LIMIT: usize = 256 << 10;

/// A byte for the codec, and data: packed once for the unpacker, once as it is for the packer.
///
/// # Panics
/// When a limit is passed, or data does not come back.
pub fn check(data: &[u8]) {
    let Some((&codec, data)) = data.split_first() else { return };
    let Some(codec) = Codec::from_id(codec % 5) else { return };
    let (mut decompressor, mut out) = (Decompressor::new(), Scratch::new());
    if decompressor.decompress(codec, data, LIMIT, &mut out).is_ok() {
        assert!(out.as_slice().len() <= LIMIT);
        let size = out.as_slice().len();
        limited(codec, data, size);
    }
    let mut packed = Vec::new();
    Compressor::default().compress(codec, data, &mut packed).expect("packs");
    decompressor.decompress(codec, &packed, data.len(), &mut out).expect("fits exactly");
    assert_eq!(out.as_slice(), data);
}

/// What unpacks to `size` bytes does so with that limit, and is refused with one less.
fn limited(codec: Codec, packed: &[u8], size: usize) {
    let (mut decompressor, mut out) = (Decompressor::new(), Scratch::new());
    decompressor.decompress(codec, packed, size, &mut out).expect("fits exactly");
    assert_eq!(out.as_slice().len(), size);
    if let Some(limit) = size.checked_sub(1) {
        let refused = decompressor.decompress(codec, packed, limit, &mut out);
        assert_eq!(refused, Err(CodecError::TooLarge { codec, limit }));
    }
}
