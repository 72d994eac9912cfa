//! The pieces of an answer, gzipped as they are made.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::sources::Pieces;

/// The least that is worth a piece of its own, in bytes.
const PIECE_MIN: usize = 16 << 10;

/// `pieces` as one stream of gzip (RFC 1952), again piece by piece; never more than one of them is held.
///
/// At the fastest level: names and labels repeat so much that more effort saves little.
pub(crate) fn packed(pieces: Pieces) -> Pieces {
    Box::new(Packed { pieces, stream: Some(GzEncoder::new(Vec::new(), Compression::fast())) })
}

struct Packed {
    pieces: Pieces,
    /// Until it is finished.
    stream: Option<GzEncoder<Vec<u8>>>,
}

impl Iterator for Packed {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        while let Some(stream) = &mut self.stream {
            let Some(piece) = self.pieces.next() else { break };
            stream.write_all(&piece).expect("memory takes everything");
            if stream.get_ref().len() >= PIECE_MIN {
                return Some(std::mem::take(stream.get_mut()));
            }
        }
        Some(self.stream.take()?.finish().expect("memory takes everything"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn every_piece_comes_out_again() {
        // Digits that hardly repeat, so that several pieces come of them.
        let numbers = |piece: u64| {
            let number = |at: u64| (piece * 1_000 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string();
            (0..1_000).map(number).collect::<String>().into_bytes()
        };
        for count in [0, 1, 2, 40] {
            let packed: Vec<_> = packed(Box::new((0..count).map(numbers))).collect();
            assert!(packed.iter().all(|piece| piece.len() < 3 * PIECE_MIN));
            assert_eq!(packed.len() > 2, count == 40, "{count}: {}", packed.len());
            let mut text = Vec::new();
            GzDecoder::new(&*packed.concat()).read_to_end(&mut text).unwrap();
            assert_eq!(text, (0..count).flat_map(numbers).collect::<Vec<_>>());
        }
    }
}
