//! Snapshots as gzip (RFC 1952), compressed once and sent to many.
//!
//! Deflate (RFC 1951) lets blocks that know nothing of each other follow one another, compressed ones and such that hold bytes
//! as they are. So the compressed snapshot is shared by everybody: as a whole, and within a stream, where each message
//! stands before and after it as it is. Nobody needs a compressor of their own, which would cost more than their stream.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Every file of gzip begins so: deflate, and neither a name nor a time.
pub(crate) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// The most bytes that one block can hold as they are.
const STORED_MAX: usize = 0xffff;
/// A block that holds bytes as they are begins so, where others follow; and where it is the last.
const STORED: u8 = 0;
const STORED_LAST: u8 = 1;
/// Snapshots are much of the same: more effort saves little, and every change makes another.
const LEVEL: Compression = Compression::new(3);
/// By how much a snapshot shrinks at least, in most cases.
const SHRINKS: usize = 8;

/// A text of one line, compressed.
#[derive(Clone, Debug)]
pub struct Packed {
    whole: Bytes,
    /// Where the blocks of the line end, which begin after the header.
    blocks: usize,
}

impl Packed {
    /// Compresses a line, which ends in a newline.
    pub(crate) fn new(line: &[u8]) -> Self {
        let (text, ending) = line.split_at(line.len().saturating_sub(1));
        let mut whole = compressed(text);
        let blocks = whole.len();
        put_stored_head(&mut whole, STORED_LAST, ending.len());
        whole.extend_from_slice(ending);
        let mut crc = Crc::new();
        crc.update(line);
        whole.put_u32_le(crc.sum());
        whole.put_u32_le(crc.amount());
        Self { whole: whole.into(), blocks }
    }

    /// The whole line, as a file of gzip.
    #[must_use]
    pub fn whole(&self) -> &Bytes {
        &self.whole
    }

    /// The line without its end, to stand within a stream of gzip.
    pub(crate) fn within(&self) -> Bytes {
        self.whole.slice(HEADER.len()..self.blocks)
    }
}

/// The header, and the text in blocks that others can follow.
fn compressed(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(text.len() / SHRINKS + 1024);
    packed.extend_from_slice(&HEADER);
    let mut compress = Compress::new(LEVEL, false);
    loop {
        let read = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = text.get(read..).unwrap_or_default();
        // It says that it has to be asked again by leaving no room.
        match compress.compress_vec(rest, &mut packed, FlushCompress::Full) {
            Ok(Status::Ok) if packed.len() == packed.capacity() => packed.reserve(packed.len().max(1024)),
            Ok(Status::Ok | Status::BufError | Status::StreamEnd) => return packed,
            // Compressing has no error of its own; what is not compressed is sent as it is.
            Err(_) => return [&HEADER[..], &stored(&Bytes::copy_from_slice(text)).concat()].concat(),
        }
    }
}

/// Bytes as they are, to stand within a stream of gzip. They are not copied.
pub(crate) fn stored(bytes: &Bytes) -> Vec<Bytes> {
    let mut blocks = Vec::new();
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let block = rest.split_to(rest.len().min(STORED_MAX));
        let mut head = BytesMut::with_capacity(5);
        put_stored_head(&mut head, STORED, block.len());
        blocks.extend([head.freeze(), block]);
    }
    blocks
}

fn put_stored_head(into: &mut impl BufMut, kind: u8, length: usize) {
    // It is cut to what fits by whoever calls.
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    into.put_u8(kind);
    into.put_u16_le(length);
    into.put_u16_le(!length);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::read::GzDecoder;
    use flate2::write;
    use proptest::prelude::*;

    use super::*;

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut text).unwrap();
        text
    }

    /// What somebody has read who was sent this much of a stream.
    fn read_so_far(pieces: &[Bytes]) -> Vec<u8> {
        let mut decoder = write::GzDecoder::new(Vec::new());
        decoder.write_all(&HEADER).unwrap();
        pieces.iter().for_each(|piece| decoder.write_all(piece).unwrap());
        decoder.flush().unwrap();
        decoder.get_ref().clone()
    }

    #[test]
    fn a_line_as_a_whole_and_within_a_stream() {
        let long = "{\"flag\":{\"variants\":{\"off\":false,\"on\":true}}}".repeat(20_000);
        // What does not shrink needs more room than was thought of.
        let random: String = (0..300_000_u64).map(|n| char::from(b'!' + (n * n * 31 % 89) as u8)).collect();
        for text in ["", "{}", &long, &random] {
            let packed = Packed::new(format!("{text}\n").as_bytes());
            assert_eq!(unpacked(packed.whole()), format!("{text}\n").into_bytes());
            let (before, after) = (Bytes::from_static(b"data: "), Bytes::from_static(b"\n\nevent: heartbeat\n"));
            let mut pieces = stored(&before);
            pieces.push(packed.within());
            assert_eq!(read_so_far(&pieces), format!("data: {text}").into_bytes(), "it waits for nothing");
            pieces.extend(stored(&after));
            assert_eq!(read_so_far(&pieces), format!("data: {text}\n\nevent: heartbeat\n").into_bytes());
        }
        let packed = Packed::new(format!("{long}\n").as_bytes());
        assert!(packed.whole().len() * 20 < long.len(), "{} of {}", packed.whole().len(), long.len());
    }

    #[test]
    fn what_is_stored_is_not_copied() {
        let bytes = Bytes::from(vec![7; 2 * STORED_MAX + 1]);
        let blocks = stored(&bytes);
        assert_eq!(blocks.len(), 6);
        assert_eq!(blocks[1].as_ptr(), bytes.as_ptr());
        assert_eq!(read_so_far(&blocks), bytes);
        assert!(stored(&Bytes::new()).is_empty());
    }

    proptest! {
        #[test]
        fn any_line_comes_back(text in "[a-c]{0,200}|\\PC{0,300}") {
            let line = format!("{}\n", text.replace('\n', ""));
            prop_assert_eq!(unpacked(Packed::new(line.as_bytes()).whole()), line.into_bytes());
        }
    }
}
