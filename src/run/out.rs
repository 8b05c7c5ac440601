//! The state of standard output: closed, full or working.

use super::{Error, cause};
use crate::run::exit;
use rustix::io::Errno;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// True if there was no standard output when the program began (`>&-`). Rust opens `/dev/null` instead before `main`,
/// and every write to that succeeds.
static MISSING: AtomicBool = AtomicBool::new(false);

extern "C" fn check() {
    // SAFETY: F_GETFD only reads the flags of a descriptor, which is allowed for one that is not open.
    #[allow(unsafe_code)]
    let flags = unsafe { libc::fcntl(1, libc::F_GETFD) };
    MISSING.store(flags < 0, Ordering::Relaxed);
}

/// The C library calls the functions in this section before `main`, and so before Rust's start-up code.
#[used]
#[allow(unsafe_code)]
// SAFETY: the section holds pointers to functions without arguments. This one allocates nothing.
#[unsafe(link_section = ".init_array")]
static CHECK: extern "C" fn() = check;

/// Writes everything to standard output at once.
///
/// # Errors
/// Those of write(2), and EBADF when the program was started without a standard output.
pub fn write(bytes: &[u8]) -> io::Result<()> {
    if MISSING.load(Ordering::Relaxed) {
        return Err(Errno::BADF.into());
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Returns the error of a write that failed with this errno.
pub fn error(number: i32) -> Error {
    match Errno::from_raw_os_error(number) {
        // As in a shell for a program that SIGPIPE ends.
        Errno::PIPE => Error::new("standard output is closed").exit(exit::CLOSED),
        Errno::BADF => Error::new("standard output is closed"),
        errno => Error::new(format!("write to standard output: {}", cause(&errno.into()))),
    }
}

/// The first failure of standard output in a run.
#[derive(Debug, Default)]
pub struct Lost(AtomicI32);

impl Lost {
    /// Saves a failure. Returns its errno if it is the first.
    pub fn keep(&self, error: &io::Error) -> Option<i32> {
        let number = error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
        self.0.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst).is_ok().then_some(number)
    }

    /// Returns the errno of the first failure.
    pub fn number(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Relaxed)).filter(|number| *number != 0)
    }
}
