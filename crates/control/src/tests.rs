//! Changes, the stream, the log.

mod backups;
mod changes;
mod history;
mod random;
mod stream;
mod turns;
