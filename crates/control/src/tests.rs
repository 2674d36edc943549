//! Changes, the stream, the log.

mod backups;
mod changes;
mod herd;
mod history;
mod random;
mod stream;
mod turns;
