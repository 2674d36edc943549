//! Work that takes long runs elsewhere: the threads that answer requests are free for halts, stops and reports,
//! however much else is asked for. What waits is bounded, and what is beyond that is told to come again.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::RETRY_AFTER;
use opentelemetry::context::FutureExt;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer;
use crate::limits::{DOCUMENTS_MAX, LONG_DOCUMENTS_MAX, READS_MAX};
use crate::problem::{Code, Problem};

/// The threads that read and check documents, and write long answers; none of them answers requests.
#[derive(Clone, Debug)]
pub struct Offload {
    runtime: Handle,
    /// Places for documents, under way or waiting.
    documents: Arc<Semaphore>,
    /// Places for long documents, from their first byte on.
    long: Arc<Semaphore>,
    /// Places for long answers, being written or waiting.
    reads: Arc<Semaphore>,
    /// As many long answers as are written at once.
    threads: Arc<Semaphore>,
}

impl Offload {
    /// Onto this runtime.
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            runtime,
            documents: places(DOCUMENTS_MAX),
            long: places(LONG_DOCUMENTS_MAX),
            reads: places(READS_MAX),
            threads: places(threads),
        }
    }

    /// Reads and checks a document there, to the end, even if nobody waits for it any more.
    ///
    /// # Errors
    /// [`Code::Overloaded`] where [`DOCUMENTS_MAX`] others wait; or when it panics, or the runtime is gone.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
        let place = Arc::clone(&self.documents).try_acquire_owned().map_err(|_| overloaded())?;
        let work = async move {
            let _place = place;
            work.await
        };
        // The spans of what it does are of the request's trace.
        self.runtime
            .spawn(work.with_current_context())
            .await
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))
    }

    /// A place for a long document, to be kept until all is done with it.
    ///
    /// # Errors
    /// [`Code::Overloaded`] where [`LONG_DOCUMENTS_MAX`] others are under way.
    pub fn long_document(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.long).try_acquire_owned().map_err(|_| {
            let detail = format!(
                "{LONG_DOCUMENTS_MAX} long documents are being received or read already, as many as may; send this one again \
                 once one of them is through"
            );
            Problem::new(Code::Overloaded, detail).header(RETRY_AFTER, "1")
        })
    }

    /// Computes there what does nothing but compute.
    ///
    /// # Errors
    /// [`Code::Overloaded`] where [`READS_MAX`] others wait; or when it panics, or the runtime is gone.
    pub async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _place = self.reads.try_acquire().map_err(|_| overloaded())?;
        let internal = |error: &dyn std::error::Error| Problem::new(Code::Internal, error.to_string());
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|error| internal(&error))?;
        let work = move || {
            // Held until the work is done, also when nobody waits for it any more.
            let _thread = thread;
            work()
        };
        self.runtime.spawn_blocking(work).await.map_err(|error| internal(&error))
    }

    /// `200 OK` with a long body for people.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    pub async fn ok<T: Serialize>(&self, body: impl FnOnce() -> T + Send + 'static) -> Result<HttpResponse, Problem> {
        let text = self.compute(move || answer::pretty(&body())).await?;
        Ok(HttpResponse::Ok().content_type("application/json").body(text))
    }
}

fn overloaded() -> Problem {
    let detail = "more is asked for than this server can do; ask again in a second. Halts, stops and reports are \
                  answered all the same";
    Problem::new(Code::Overloaded, detail).header(RETRY_AFTER, "1")
}
