//! The one thread that writes. Whatever waits for it shares one transaction, and so one wait for the disk.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::batch::Batch;
use super::failure::{Failure, Work};
use super::open;
use super::shared::Shared;
use super::tables::Numbers;
use crate::{Commit, Retention, StoreError};

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
        let failed = |why: String| Err(StoreError::Unavailable(why));
        let done = match (committed, self.done) {
            (Ok(()), Some(done)) => done,
            (Err(failure), _) => failed(failure.to_string()),
            (Ok(()), None) => failed("it was not done".to_owned()),
        };
        // Whoever asked may be gone.
        let _ = self.answer.send(done);
    }
}

/// What stands once a transaction is on disk.
struct Outcome {
    numbers: Numbers,
    commits: Vec<Commit>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    retention: Retention,
    numbers: Numbers,
    /// A transaction failed, and the file has not been looked at since. What it held, if it came as far as to be
    /// committed: it may be on disk all the same.
    failed: Option<Option<Outcome>>,
    /// The disk has what nobody was told of.
    diverged: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, numbers: Numbers, retention: Retention) -> Self {
        Self { shared, retention, numbers, failed: None, diverged: false }
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
        if let Some(outcome) = self.failed.take() {
            // It was answered as failed.
            self.diverged |= self.open_again(outcome)?;
        }
        if self.diverged {
            let why = "the disk failed so that it holds what was answered as failed; restart the server";
            return Err(Failure::Closed(why.to_owned()));
        }
        let mut outcome = None;
        let Err(failure) = self.transact(jobs, &mut outcome) else { return Ok(()) };
        tracing::error!(%failure, "the store failed; its file is opened again");
        match self.open_again(outcome) {
            // The failure came after the deed: it is on disk.
            Ok(true) => Ok(()),
            Ok(false) => Err(failure),
            Err(again) => {
                tracing::error!(failure = %again, "the store cannot be opened again; it is tried on");
                Err(failure)
            }
        }
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>], outcome: &mut Option<Outcome>) -> Work<()> {
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
        *outcome = Some(Outcome { numbers, commits });
        transaction.commit()?;
        outcome.take().into_iter().for_each(|outcome| self.stand(outcome));
        Ok(())
    }

    /// What is on disk is so.
    fn stand(&mut self, Outcome { numbers, commits }: Outcome) {
        self.numbers = numbers;
        self.shared.count(commits.len() as u64);
        commits.into_iter().for_each(|commit| self.shared.commits.push(commit));
    }

    /// Opens the file again after a failure: the database does not go on by itself. Whether what it was about to
    /// commit is on disk; then it stands.
    fn open_again(&mut self, outcome: Option<Outcome>) -> Work<bool> {
        let opened = self.shared.open_again(open::numbers);
        let numbers = match opened {
            Ok(numbers) => numbers,
            Err(failure) => {
                self.failed = Some(outcome);
                return Err(failure);
            }
        };
        if numbers == self.numbers {
            return Ok(false);
        }
        match outcome {
            Some(outcome) if outcome.numbers == numbers => {
                self.stand(outcome);
                Ok(true)
            }
            _ => {
                self.diverged = true;
                Err(Failure::Unreadable(format!("it stands at {}, not at {}", numbers.position, self.numbers.position)))
            }
        }
    }
}
