//! Comparing short texts without a call.

/// Whether two texts have the same bytes.
///
/// Keys, names and operands are short, and evaluating compares a few of them: up to 16 bytes are compared as two
/// words that may overlap, where the library's comparison is a call each time.
#[must_use]
#[inline]
pub fn same_bytes(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        0..4 => one.iter().zip(other).all(|(one, other)| one == other),
        4..8 => one.first_chunk::<4>() == other.first_chunk() && one.last_chunk::<4>() == other.last_chunk(),
        8..=16 => one.first_chunk::<8>() == other.first_chunk() && one.last_chunk::<8>() == other.last_chunk(),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn compares_as_the_library_does(one in "[ab]{0,20}", other in "[ab]{0,20}") {
            let (one, other) = (one.as_bytes(), other.as_bytes());
            prop_assert_eq!(same_bytes(one, other), one == other);
            prop_assert!(same_bytes(one, one));
        }

        #[test]
        fn sees_a_difference_anywhere(text in proptest::collection::vec(any::<u8>(), 1..24), at in any::<prop::sample::Index>()) {
            let mut other = text.clone();
            other[at.index(text.len())] ^= 1;
            prop_assert!(!same_bytes(&text, &other));
        }
    }
}
