//! OFREP 0.3.0, the OpenFeature remote evaluation protocol: any OpenFeature client in any language.
//!
//! What published clients trip over shaped the answers: always `variant` and `errorDetails`, only the reasons
//! of the specification, floats with their point, metadata of scalars alone. A key with `/`, which clients
//! send unescaped, is a flag that does not exist, not a path that does not exist.

pub mod bulk;
pub mod evaluation;
pub mod request;
pub mod single;
