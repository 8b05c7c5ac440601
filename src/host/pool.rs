//! Parallel work: bounded numbers of threads, with cancellation.

use crate::run::{Error, Result, Run, lock};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many workers run at once if a script gives no number.
pub const WORKERS: usize = 32;
/// The stack of a worker. Closures of scripts run there, with the same depth as in the main script.
pub const STACK: usize = 64 * 1024 * 1024;
/// The stack of a worker of [`stream_apart`]. No script runs there.
const SMALL_STACK: usize = 1024 * 1024;
/// Maximum number of waiting results of [`stream_apart`].
const WAITING: usize = 32;
/// How long it takes to notice that the run is cancelled.
const TICK: Duration = Duration::from_millis(50);

/// Runs `work` for each item, at most `workers` at once, and returns the results in the items' order. Threads live only
/// while there is work.
///
/// # Errors
/// When the run is cancelled. No further item is then started. Work that waits must check [`crate::run::Cancel`] itself.
pub fn map<T: Send, R: Send>(run: &Run, items: Vec<T>, workers: usize, work: impl Fn(T) -> R + Sync) -> Result<Vec<R>> {
    let _order = run.recording.as_ref().map(|recording| recording.in_parallel());
    let count = items.len();
    let results: Mutex<Vec<Option<R>>> = Mutex::new(std::iter::repeat_with(|| None).take(count).collect());
    let queue = Mutex::new(items.into_iter().enumerate());
    let worker = || {
        while run.cancel.cause().is_none() {
            let Some((index, item)) = lock(&queue).next() else { return };
            let result = work(item);
            lock(&results)[index] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, count.max(1)) {
            // If a thread cannot be created, the others take over its share.
            if std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker).is_err() {
                break;
            }
        }
    });
    run.cancel.check()?;
    let results = std::mem::take(&mut *lock(&results));
    Ok(results.into_iter().flatten().collect())
}

/// Like [`map`], for work that cannot be interrupted, such as a name lookup. When the run is cancelled, its threads are
/// abandoned and end with the process. Passes each result and its index to `each`, in this thread and as soon as it is
/// there. Results are not kept: a worker waits if `each` is slower.
///
/// # Errors
/// When the run is cancelled, when no thread can be created, when work panics, and what `each` returns.
pub fn stream_apart<T: Send + 'static, R: Send + 'static, S>(
    run: &Run,
    items: Vec<T>,
    workers: usize,
    work: impl Fn(T) -> R + Send + Sync + 'static,
    mut each: impl FnMut(usize, R) -> Result<S>,
) -> Result<Vec<S>> {
    let _order = run.recording.as_ref().map(|recording| recording.in_parallel());
    let count = items.len();
    let mut results: Vec<Option<S>> = std::iter::repeat_with(|| None).take(count).collect();
    let shared = Arc::new((Mutex::new(items.into_iter().enumerate()), work));
    let (send, receive) = mpsc::sync_channel(WAITING);
    for _ in 0..workers.min(count) {
        let (send, shared) = (send.clone(), shared.clone());
        let worker = move || {
            // Do not hold the lock while working.
            let next = || lock(&shared.0).next();
            while let Some((index, item)) = next() {
                if send.send((index, (shared.1)(item))).is_err() {
                    return;
                }
            }
        };
        // If a thread cannot be created, the others take over its share.
        if std::thread::Builder::new().stack_size(SMALL_STACK).spawn(worker).is_err() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Options;

    #[test]
    fn results_keep_the_order_of_the_items_whatever_ends_first() {
        let run = Run::new(Options::default()).unwrap();
        let out = map(&run, (0..100_u64).collect(), 8, |n| {
            std::thread::sleep(Duration::from_micros((100 - n) * 20));
            n * 2
        });
        assert_eq!(out.unwrap(), (0..100).map(|n| n * 2).collect::<Vec<u64>>());
    }
}
