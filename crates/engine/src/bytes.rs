//! Reading numbers and texts out of bytes. What is not there reads as nothing: the writer wrote it, so it is.

#[inline]
pub(crate) fn u16(bytes: &[u8], at: usize) -> u16 {
    array(bytes, at).map_or(0, u16::from_le_bytes)
}

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

#[inline]
pub(crate) fn slice(bytes: &[u8], at: usize, len: usize) -> &[u8] {
    bytes.get(at..).and_then(|rest| rest.get(..len)).unwrap_or_default()
}

/// Bytes that were written from a text, as that text.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
