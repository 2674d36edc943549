//! The one thread that writes. Whatever waits for it shares one transaction, and so one wait for the disk.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::batch::Batch;
use super::failure::{Failure, Work};
use super::open;
use super::shared::Shared;
use super::tables::Numbers;
use crate::{Retention, StoreError};

/// What one transaction may hold at most. More would make the first wait for the last.
const BATCH_MAX: usize = 1_000;

/// Something to do in a transaction, and to be answered once that is on disk.
pub(super) trait Job: Send {
    fn act(&mut self, batch: &mut Batch<'_>) -> Work<()>;
    fn answer(self: Box<Self>, committed: &Work<()>);
}

/// A job that answers with a value.
pub(super) struct Task<T, F> {
    act: Option<F>,
    done: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Batch<'_>) -> Work<Result<T, StoreError>> + Send,
{
    pub(super) fn new(act: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (answer, answered) = oneshot::channel();
        (Self { act: Some(act), done: None, answer }, answered)
    }
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Batch<'_>) -> Work<Result<T, StoreError>> + Send,
{
    fn act(&mut self, batch: &mut Batch<'_>) -> Work<()> {
        if let Some(act) = self.act.take() {
            self.done = Some(act(batch)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: &Work<()>) {
        let done = match (committed, self.done) {
            (Ok(()), Some(done)) => done,
            (Err(Failure::Unknown(why)), _) => Err(StoreError::Unknown(why.clone())),
            (Err(failure), _) => Err(StoreError::Unavailable(failure.to_string())),
            (Ok(()), None) => Err(StoreError::Unavailable("it was not done".to_owned())),
        };
        // Whoever asked may be gone.
        let _ = self.answer.send(done);
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    retention: Retention,
    numbers: Numbers,
    /// A transaction failed, and the file has not been looked at since. Where it was to
    /// lead, if it came as far as to be committed: it may be on disk all the same.
    failed: Option<Option<Numbers>>,
    /// What the disk holds is not known, or not what was answered: nothing is written any more.
    closed: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, numbers: Numbers, retention: Retention) -> Self {
        Self { shared, retention, numbers, failed: None, closed: false }
    }

    /// Does what it is told, until nobody is left to tell it.
    pub(super) fn run(mut self, jobs: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = jobs.recv() {
            let mut batch = vec![first];
            batch.extend(jobs.try_iter().take(BATCH_MAX - 1));
            let committed = self.perform(&mut batch);
            batch.into_iter().for_each(|job| job.answer(&committed));
        }
    }

    fn perform(&mut self, jobs: &mut [Box<dyn Job>]) -> Work<()> {
        let performed = self.try_to_perform(jobs);
        performed.inspect_err(|failure| self.shared.failed(failure))
    }

    fn try_to_perform(&mut self, jobs: &mut [Box<dyn Job>]) -> Work<()> {
        if let Some(outcome) = self.failed.take() {
            // It was not answered as done.
            self.closed |= self.open_again(outcome)?;
        }
        if self.closed {
            let why = "the disk failed, and may hold what was not answered as done; see to it, then restart the server";
            return Err(Failure::Closed(why.to_owned()));
        }
        self.shared.disk().take_sync_failed();
        let mut outcome = None;
        let Err(failure) = self.transact(jobs, &mut outcome) else { return Ok(()) };
        tracing::error!(%failure, "the store failed; its file is opened again");
        let sync_failed = outcome.is_some() && self.shared.disk().take_sync_failed();
        let unknown = match self.open_again(outcome) {
            Ok(there) => {
                // That it is read back says nothing: what could not be written may have been dropped, and is then read
                // from memory until the system restarts.
                self.closed |= there;
                there
            }
            Err(again) => {
                tracing::error!(failure = %again, "the store cannot be opened again; it is tried on");
                sync_failed || self.closed
            }
        };
        Err(if unknown { Failure::Unknown(failure.to_string()) } else { failure })
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>], outcome: &mut Option<Numbers>) -> Work<()> {
        let transaction = self.shared.begin_write()?;
        let mut batch = Batch::new(&transaction, self.numbers, self.retention);
        for job in jobs {
            job.act(&mut batch)?;
        }
        if !batch.changed {
            drop(batch);
            return Ok(transaction.abort()?);
        }
        batch.finish()?;
        let Batch { numbers, commits, .. } = batch;
        *outcome = Some(numbers);
        transaction.commit()?;
        self.numbers = numbers;
        self.shared.stands(commits.len() as u64);
        commits.into_iter().for_each(|commit| self.shared.commits.push(commit));
        Ok(())
    }

    /// Opens the file again after a failure: the database does not go on by itself. Whether the file now reads as if
    /// what it was about to commit were on disk.
    fn open_again(&mut self, outcome: Option<Numbers>) -> Work<bool> {
        let numbers = match self.shared.open_again(open::numbers) {
            Ok(numbers) => numbers,
            Err(failure) => {
                self.failed = Some(outcome);
                return Err(failure);
            }
        };
        if numbers == self.numbers || outcome == Some(numbers) {
            return Ok(numbers != self.numbers);
        }
        self.closed = true;
        Err(Failure::Unreadable(format!("it stands at {}, not at {}", numbers.position, self.numbers.position)))
    }
}
