//! Reading numbers and texts out of bytes. What is not there reads as nothing: the writer wrote it, so it is.

#[inline]
pub(crate) fn u32(bytes: &[u8], at: usize) -> u32 {
    array(bytes, at).map_or(0, u32::from_le_bytes)
}

#[inline]
pub(crate) fn u64(bytes: &[u8], at: usize) -> u64 {
    array(bytes, at).map_or(0, u64::from_le_bytes)
}

#[inline]
pub(crate) fn f64(bytes: &[u8], at: usize) -> f64 {
    f64::from_bits(u64(bytes, at))
}

/// From one place to another.
#[inline]
pub(crate) fn slice(bytes: &[u8], at: usize, end: usize) -> &[u8] {
    bytes.get(at..end).unwrap_or_default()
}

/// The first eight bytes, and the rest.
#[inline]
pub(crate) fn split_word(bytes: &[u8]) -> (u64, &[u8]) {
    bytes.split_first_chunk().map_or((0, &[]), |(word, rest)| (u64::from_le_bytes(*word), rest))
}

/// The first bytes, and the rest.
#[inline]
pub(crate) fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or_default()
}

/// Bytes that were written from a text, as that text.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
