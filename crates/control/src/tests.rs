//! Changes, the stream, the log.

mod changes;
mod history;
mod random;
mod stream;
mod turns;
