//! Work that takes long runs elsewhere: a document of megabytes must hold up no halt and no report.

use tokio::runtime::Handle;

use crate::problem::{Code, Problem};

/// The threads that read and check documents; none of them answers requests.
#[derive(Clone, Debug)]
pub struct Offload(Handle);

impl Offload {
    /// Onto this runtime.
    #[must_use]
    pub const fn new(runtime: Handle) -> Self {
        Self(runtime)
    }

    /// Runs something to its end there, even if nobody waits for it any more.
    ///
    /// # Errors
    /// When it panics, or the runtime is gone.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
        self.0.spawn(work).await.map_err(|error| Problem::new(Code::Internal, error.to_string()))
    }
}
