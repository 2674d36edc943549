//! Memory that is in use no longer goes back to the system.
//!
//! Reading many documents takes several times what is kept of them. The C library keeps what was freed wherever something
//! above it is still in use, which after a load is most of it.
#![expect(unsafe_code, reason = "the C library's function is the only way to ask for it")]

/// Changes of this many resources leave enough behind to look for it.
pub(crate) const MANY: usize = 100;

/// Gives back what is free, away from the threads that answer. It takes milliseconds for each 100 MB, and is nothing where
/// the C library is not GNU's.
pub(crate) async fn give_back() {
    // An error only says that the runtime ends.
    let _ = tokio::task::spawn_blocking(trim).await;
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: it takes no pointer, touches only what is free, under the allocator's own locks, and may be called by any
    // thread at any time.
    let _ = unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn trim() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Pages of memory that this process has.
    fn resident() -> Option<usize> {
        let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
        pages.split(' ').nth(1)?.parse().ok()
    }

    #[tokio::test]
    async fn what_is_free_goes_back() {
        const PIECES: usize = 40_000;
        let mut pieces: Vec<Box<[u8]>> = (0..PIECES).map(|_| vec![1; 1_000].into()).collect();
        // What is still in use keeps the C library from giving the rest back by itself.
        let last = pieces.pop();
        let most = resident().unwrap();
        drop(pieces);
        give_back().await;
        let given_back = most.saturating_sub(resident().unwrap());
        assert!(given_back > PIECES / 8, "{given_back} pages of 4 KiB");
        drop(last);
    }
}
