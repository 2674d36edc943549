//! OFREP 0.3.0, the OpenFeature remote evaluation protocol: any OpenFeature client in any language.
//!
//! What published clients trip over shaped the answers: always `variant` and `errorDetails`, only the reasons
//! of the specification, floats with their point, metadata of scalars alone. A key with `/`, which clients
//! send unescaped, is a flag that does not exist, not a path that does not exist.

//!
//! What is answered in bulk names a stream of events, which tells when to ask again ([`events`]); whoever does gets what
//! the event told of, or nothing ([`fresh`]).

pub mod bulk;
pub mod evaluation;
pub mod events;
pub mod fresh;
pub mod phrases;
mod plain;
pub mod request;
pub mod single;
pub mod visible;
