//! Middleware: what opens scopes on the way in, and passes fault points on the way out.

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(any(feature = "actix", feature = "tower"))]
mod body;
#[cfg(feature = "tower")]
mod grpc;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "tower")]
pub mod tower;

#[cfg(any(feature = "actix", feature = "tower"))]
pub use body::Body;

/// The fault point that every request passes on its way in.
pub const SERVER_POINT: &str = "http.server";
/// The fault point that every call to another service passes on its way out.
pub const CLIENT_POINT: &str = "http.client";
/// Says on an injected answer which fault it is of.
pub const INJECTED_HEADER: &str = "daybreak-injected";
