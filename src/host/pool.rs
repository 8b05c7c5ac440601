//! Parallel work: one bounded pool of threads, with cancellation, serves everything.

use crate::run::{Error, Result, Run, lock};
use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many workers run at once if a script gives no number.
pub const WORKERS: usize = 32;
/// The stack of a worker. Closures of scripts run there, with the same depth as in the main script.
pub const STACK: usize = 64 * 1024 * 1024;
/// Maximum number of waiting results of [`Pool::stream_apart`].
const WAITING: usize = 32;
/// How long it takes to notice that the run is cancelled.
const TICK: Duration = Duration::from_millis(50);

/// A bounded pool. Threads live only while there is work.
#[derive(Debug, Default)]
pub struct Pool;

impl Pool {
    /// Runs `work` for each item, at most `workers` at once, and returns the results in the items' order.
    ///
    /// # Errors
    /// When the run is cancelled. No further item is then started. Work that waits must check [`crate::run::Cancel`]
    /// itself.
    pub fn map<T: Send, R: Send>(
        &self,
        run: &Run,
        items: Vec<T>,
        workers: usize,
        work: impl Fn(T) -> R + Sync,
    ) -> Result<Vec<R>> {
        let _order = run.recording.as_ref().map(|recording| recording.in_parallel());
        let count = items.len();
        let queue: Mutex<VecDeque<(usize, T)>> = Mutex::new(items.into_iter().enumerate().collect());
        let mut results: Vec<Option<R>> = std::iter::repeat_with(|| None).take(count).collect();
        std::thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            for _ in 0..workers.clamp(1, count.max(1)) {
                let (send, queue, work) = (send.clone(), &queue, &work);
                let worker = move || {
                    while run.cancel.cause().is_none() {
                        let Some((index, item)) = lock(queue).pop_front() else { return };
                        if send.send((index, work(item))).is_err() {
                            return;
                        }
                    }
                };
                // If a thread cannot be created, the others take over its share.
                if std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).is_err() {
                    break;
                }
            }
            drop(send);
            while let Ok((index, result)) = receive.recv_timeout(Duration::from_secs(u32::MAX.into())) {
                results[index] = Some(result);
            }
        });
        run.cancel.check()?;
        Ok(results.into_iter().flatten().collect())
    }

    /// Like [`Pool::map`], for work that cannot be interrupted, such as a name lookup. When the run is cancelled, its
    /// threads are abandoned and end with the process.
    ///
    /// # Errors
    /// When the run is cancelled, when no thread can be created, and when work panics.
    pub fn map_apart<T: Send + 'static, R: Send + 'static>(
        &self,
        run: &Run,
        items: Vec<T>,
        workers: usize,
        stack: usize,
        work: impl Fn(T) -> R + Send + Sync + 'static,
    ) -> Result<Vec<R>> {
        self.stream_apart(run, items, workers, stack, work, |_, result| Ok(result))
    }

    /// Like [`Pool::map_apart`], but passes each result and its index to `each`, in this thread and as soon as it is
    /// there. Results are not kept: a worker waits if `each` is slower.
    ///
    /// # Errors
    /// Same as for `map_apart`, and what `each` returns.
    pub fn stream_apart<T: Send + 'static, R: Send + 'static, S>(
        &self,
        run: &Run,
        items: Vec<T>,
        workers: usize,
        stack: usize,
        work: impl Fn(T) -> R + Send + Sync + 'static,
        mut each: impl FnMut(usize, R) -> Result<S>,
    ) -> Result<Vec<S>> {
        let _order = run.recording.as_ref().map(|recording| recording.in_parallel());
        let count = items.len();
        let mut results: Vec<Option<S>> = std::iter::repeat_with(|| None).take(count).collect();
        let shared = Arc::new((Mutex::new(items.into_iter().enumerate().collect::<VecDeque<_>>()), work));
        let (send, receive) = mpsc::sync_channel(WAITING);
        for _ in 0..workers.min(count) {
            let (send, shared) = (send.clone(), shared.clone());
            let worker = move || {
                // Do not hold the lock while working.
                let next = || lock(&shared.0).pop_front();
                while let Some((index, item)) = next() {
                    if send.send((index, (shared.1)(item))).is_err() {
                        return;
                    }
                }
            };
            // If a thread cannot be created, the others take over its share.
            if std::thread::Builder::new().stack_size(stack).spawn(worker).is_err() {
                break;
            }
        }
        drop(send);
        loop {
            run.cancel.check()?;
            match receive.recv_timeout(TICK) {
                Ok((index, result)) => results[index] = Some(each(index, result)?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let results: Option<Vec<S>> = results.into_iter().collect();
        results.ok_or_else(|| Error::new("work in parallel: a thread could not be started, or failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;

    #[test]
    fn results_keep_the_order_of_the_items_whatever_ends_first() {
        let run = Run::new(Options::default()).unwrap();
        let out = Pool.map(&run, (0..100_u64).collect(), 8, |n| {
            std::thread::sleep(Duration::from_micros((100 - n) * 20));
            n * 2
        });
        assert_eq!(out.unwrap(), (0..100).map(|n| n * 2).collect::<Vec<u64>>());
    }
}
