//! Why a run ends early, as one thing to wait on.

use super::{Error, Result, exit, lock, out};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Cancellation: signals, the time limit and a closed standard output, as one thing to wait on.
///
/// A signal writes a byte into a socket that nobody reads, so that every poll that includes
/// [`Cancel::fd`] wakes, on whichever thread it waits.
#[derive(Debug)]
pub struct Cancel {
    signal: Arc<AtomicUsize>,
    /// True if the next INT or TERM ends the process at once.
    armed: Arc<AtomicBool>,
    /// The handler that sets `armed` at an INT.
    arming: Mutex<Option<signal_hook::SigId>>,
    /// The errno with which standard output has failed, or 0.
    closed: AtomicI32,
    full: AtomicBool,
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
    /// The run takes more memory than allowed.
    Memory,
    /// Standard output cannot be written any more. The value is the errno.
    Closed(i32),
}

impl Cause {
    /// Returns the error for the current operation.
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
            Self::Memory => super::memory::error(),
            Self::Closed(number) => out::error(number),
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
            armed: Arc::default(),
            arming: Mutex::default(),
            closed: AtomicI32::new(0),
            full: AtomicBool::new(false),
            wake,
            waker,
            deadline: Mutex::new(timeout.map(|limit| Instant::now() + limit)),
        })
    }

    /// Lets INT, TERM, QUIT and HUP end this run in an orderly way from now on.
    pub fn listen(&self) -> Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        let failed = |error: std::io::Error| Error::new(format!("listen for signals: {error}"));
        // A second INT or TERM ends the process at once, even if a system call hangs or deferred closures run. The
        // condition is registered first: handlers run in that order.
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, self.armed.clone())
                .map_err(failed)?;
        }
        signal_hook::flag::register(SIGTERM, self.armed.clone()).map_err(failed)?;
        *lock(&self.arming) = Some(signal_hook::flag::register(SIGINT, self.armed.clone()).map_err(failed)?);
        for signal in [SIGINT, SIGTERM, SIGQUIT, SIGHUP] {
            // Store the number first: whoever is woken must find it.
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

    /// Ends the run because it takes too much memory.
    pub fn fill(&self) {
        self.full.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(super) fn close(&self, number: i32) {
        self.closed.store(number, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        // If the socket is full, it wakes the reader without another byte.
        let _ = (&self.waker).write(&[0]);
    }

    /// Returns why the run should end now, if it should.
    pub fn cause(&self) -> Option<Cause> {
        match self.signal.load(Ordering::SeqCst) {
            0 if self.closed.load(Ordering::SeqCst) != 0 => Some(Cause::Closed(self.closed.load(Ordering::SeqCst))),
            0 if self.full.load(Ordering::SeqCst) => Some(Cause::Memory),
            0 if self.deadline().is_some_and(|deadline| Instant::now() >= deadline) => Some(Cause::TimeOut),
            0 => None,
            signal => Some(Cause::Signal(signal as i32)),
        }
    }

    /// Returns an error if the run should end now.
    pub fn check(&self) -> Result<()> {
        self.cause().map_or(Ok(()), |cause| Err(cause.error()))
    }

    /// Returns the time at which the run has to end.
    pub fn deadline(&self) -> Option<Instant> {
        *lock(&self.deadline)
    }

    /// Ignores INTs while an interactive program has the terminal.
    pub fn share_terminal(&self) -> Shared<'_> {
        let arming = lock(&self.arming).take();
        if let Some(id) = arming {
            signal_hook::low_level::unregister(id);
        }
        Shared(self, arming.is_some())
    }

    /// Forgets signals and sets a new limit, so that clean-up can run.
    pub fn clear(&self, limit: Option<Duration>) {
        self.signal.store(0, Ordering::SeqCst);
        self.closed.store(0, Ordering::SeqCst);
        self.full.store(false, Ordering::SeqCst);
        *lock(&self.deadline) = limit.map(|limit| Instant::now() + limit);
        let mut bytes = [0; 64];
        while matches!(std::io::Read::read(&mut (&self.wake), &mut bytes), Ok(read) if read > 0) {}
    }

    /// Returns a descriptor that becomes readable at a signal.
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

/// Gives the terminal to a program until this is dropped; see [`Cancel::share_terminal`].
pub struct Shared<'a>(&'a Cancel, bool);

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        if self.1 {
            self.0.armed.store(false, Ordering::SeqCst);
            // Without the handler, the first INT would not arm the second.
            let again = signal_hook::flag::register(signal_hook::consts::SIGINT, self.0.armed.clone());
            *lock(&self.0.arming) = again.ok();
        }
    }
}

/// Waits until one of the descriptors is readable or the time is up. Returns which are readable.
pub fn wait_for(fds: &[BorrowedFd<'_>], time: Option<Duration>) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let time = time.map(|time| Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        // Rounded up by a microsecond, so that a wait never ends just before its time.
        tv_nsec: i64::from(time.subsec_nanos()) + i64::from(time.subsec_nanos() < 999_999_000) * 1000,
    });
    // EINTR is a wake-up like any other: the caller checks and comes back.
    let _ = poll(&mut polled, time.as_ref());
    polled.iter().map(|fd| !fd.revents().is_empty()).collect()
}
