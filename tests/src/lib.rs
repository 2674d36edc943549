//! What the whole-system tests stand on: the real `daybreak`, real curl, real connections that can be held, cut
//! and stalled, and processes that can be killed, suspended and resumed.
//!
//! Nothing here waits for a fixed time: [`eventually`] waits for a condition, and fails with what it last saw.

mod binaries;
mod boot_time;
pub mod crash;
mod curl;
mod figures;
mod fleet;
mod http;
pub mod load;
pub mod measure;
mod overload;
mod patience;
mod process;
mod proxy;
mod raw;
mod server;
mod soak;
mod witnesses;

pub use binaries::{binary, shop};
pub use boot_time::BootTime;
pub use curl::{Answer, curl, shell};
pub use figures::{Commanded, Figures, percent_before};
pub use fleet::Fleet;
pub use http::{Http, HttpAnswer};
pub use overload::{Counts, Loaded, Overload};
pub use patience::{PATIENCE, eventually, within};
pub use process::Process;
pub use proxy::Proxy;
pub use raw::{Raw, RawAnswer};
pub use server::{Server, root};
pub use soak::{Outcome, Soak};
pub use witnesses::Witnesses;
