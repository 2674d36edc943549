//! Waiting for a condition.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a test waits for what must come: long, for machines that are busy. It costs nothing where it comes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until `ask` returns a value.
///
/// # Errors
/// When [`PATIENCE`] runs out: `what` was awaited, and why it last was not there.
pub fn eventually<T, E: Debug>(what: &str, ask: impl FnMut() -> Result<T, E>) -> Result<T> {
    within(PATIENCE, what, ask)
}

/// As [`eventually`], with less patience.
///
/// # Errors
/// When the patience runs out.
pub fn within<T, E: Debug>(patience: Duration, what: &str, mut ask: impl FnMut() -> Result<T, E>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match ask() {
            Ok(value) => return Ok(value),
            Err(why) if Instant::now() > deadline => bail!("waited {patience:?} for {what}: {why:?}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_until_the_answer_comes() {
        let mut asked = 0;
        let answer = eventually("three", || {
            asked += 1;
            if asked < 3 { Err("not yet") } else { Ok(asked) }
        });
        assert_eq!(answer.unwrap(), 3);
        let error = within(Duration::ZERO, "never", || Err::<(), _>("no")).unwrap_err();
        assert!(error.to_string().contains("for never: \"no\""), "{error}");
    }
}
