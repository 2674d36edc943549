//! Standard output, whose reader may have had enough (`daybreak export | head`): then there is no more to print, and
//! nothing is wrong.

use std::io::{ErrorKind, Write, stdout};

/// Prints a text; whether anybody still reads.
///
/// # Errors
/// When it cannot be written, for another reason than that.
pub(crate) fn print(text: &str) -> anyhow::Result<bool> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}
