//! Why a run ends early, as one thing to wait on.

use super::{Error, Result, exit, lock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Cancellation: signals, the time limit and a closed standard output, as one thing to wait on.
///
/// A signal writes a byte into a socket that nobody reads, so that every poll that includes
/// [`Cancel::fd`] wakes, on whichever thread it waits.
#[derive(Debug)]
pub struct Cancel {
    signal: Arc<AtomicUsize>,
    closed: AtomicBool,
    wake: UnixStream,
    waker: UnixStream,
    deadline: Mutex<Option<Instant>>,
}

/// Why a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A signal, by its number.
    Signal(i32),
    /// The time limit of the run.
    TimeOut,
    /// Nobody reads standard output any more.
    Closed,
}

impl Cause {
    /// The error of whatever was going on.
    pub fn error(self) -> Error {
        match self {
            Self::Signal(number) => {
                let name = match number {
                    signal_hook::consts::SIGINT => "interrupted",
                    signal_hook::consts::SIGHUP => "the terminal was closed",
                    _ => "asked to stop",
                };
                Error::new(name).exit(128 + number)
            }
            Self::TimeOut => Error::new("the run took longer than its time limit")
                .help("give it more with `--timeout`")
                .exit(exit::TIMED_OUT),
            Self::Closed => Error::new("standard output was closed").exit(0),
        }
    }
}

impl Cancel {
    pub(super) fn new(timeout: Option<Duration>) -> Result<Self> {
        let socket = |error: std::io::Error| Error::new(format!("make a socket pair: {error}"));
        let (wake, waker) = UnixStream::pair().map_err(socket)?;
        wake.set_nonblocking(true).map_err(socket)?;
        Ok(Self {
            signal: Arc::default(),
            closed: AtomicBool::new(false),
            wake,
            waker,
            deadline: Mutex::new(timeout.map(|limit| Instant::now() + limit)),
        })
    }

    /// From now on INT, TERM and HUP end this run in good order.
    pub fn listen(&self) -> Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let failed = |error: std::io::Error| Error::new(format!("listen for signals: {error}"));
        // A second INT or TERM ends the process at once, also while a system call hangs or what was
        // deferred runs. The condition is registered first: handlers run in that order.
        let armed = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, armed.clone()).map_err(failed)?;
            signal_hook::flag::register(signal, armed.clone()).map_err(failed)?;
        }
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The number first: whoever is woken must find it.
            signal_hook::flag::register_usize(signal, self.signal.clone(), signal as usize).map_err(failed)?;
            signal_hook::low_level::pipe::register(signal, self.waker.try_clone().map_err(failed)?).map_err(failed)?;
        }
        Ok(())
    }

    /// Ends the run as this signal would.
    pub fn raise(&self, signal: i32) {
        self.signal.store(signal.unsigned_abs() as usize, Ordering::SeqCst);
        self.wake();
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        // A full socket wakes as well as one more byte.
        let _ = (&self.waker).write(&[0]);
    }

    /// Why the run should end now, if it should.
    pub fn cause(&self) -> Option<Cause> {
        match self.signal.load(Ordering::SeqCst) {
            0 if self.closed.load(Ordering::SeqCst) => Some(Cause::Closed),
            0 if self.deadline().is_some_and(|deadline| Instant::now() >= deadline) => Some(Cause::TimeOut),
            0 => None,
            signal => Some(Cause::Signal(signal as i32)),
        }
    }

    /// An error if the run should end now.
    pub fn check(&self) -> Result<()> {
        self.cause().map_or(Ok(()), |cause| Err(cause.error()))
    }

    /// When the run's time is up.
    pub fn deadline(&self) -> Option<Instant> {
        *lock(&self.deadline)
    }

    /// Forgets what has happened and sets a new limit, so that clean-up can run.
    pub fn clear(&self, limit: Option<Duration>) {
        self.signal.store(0, Ordering::SeqCst);
        self.closed.store(false, Ordering::SeqCst);
        *lock(&self.deadline) = limit.map(|limit| Instant::now() + limit);
        let mut bytes = [0; 64];
        while matches!(std::io::Read::read(&mut (&self.wake), &mut bytes), Ok(read) if read > 0) {}
    }

    /// Readable as soon as a signal has come.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Sleeps, but not past the end of the run.
    pub fn sleep(&self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        loop {
            self.check()?;
            let until = self.deadline().map_or(end, |deadline| deadline.min(end));
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() && Instant::now() >= end {
                return Ok(());
            }
            wait_for(&[self.fd()], Some(left));
        }
    }
}

/// Waits until one of the descriptors is readable or the time is up; says which are.
pub fn wait_for(fds: &[BorrowedFd<'_>], time: Option<Duration>) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let time = time.map(|time| Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        // Rounded up by a microsecond, so that a wait never ends just before its time.
        tv_nsec: i64::from(time.subsec_nanos()) + i64::from(time.subsec_nanos() < 999_999_000) * 1000,
    });
    // EINTR is a wake-up like any other: the caller looks at what it waits for and comes back.
    let _ = poll(&mut polled, time.as_ref());
    polled.iter().map(|fd| !fd.revents().is_empty()).collect()
}
