//! Changes, the stream, the log.

mod changes;
mod history;
mod stream;
