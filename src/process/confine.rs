//! Confinement of a dry run's programs: the kernel only allows them what they are granted at their start.
//!
//! It has three parts, because each leaves something open:
//! 1. Landlock restricts files, TCP ports, signals and abstract sockets (landlock(7)).
//! 2. A seccomp filter refuses system calls that Landlock does not cover: those that change a file's mode, owner, times
//!    and attributes, the host's name and clock, and other processes' priorities.
//! 3. Root's programs lose the capabilities that change the host, such as `CAP_NET_ADMIN`.
//!
//! All three restrict the calling thread and its children. A separate thread confines itself, starts the program and
//! ends, so moyai itself stays unrestricted. None of them covers a request to a daemon through a socket file: for
//! `docker` and `systemctl` the table of [`super::reads`] decides.

use super::reads::Grant;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, Scope,
};
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The newest Landlock rules to use. From ABI 9 on Landlock can also refuse socket files, which `docker` needs.
const NEWEST: ABI = ABI::V7;

/// The capabilities that root's programs keep in a dry run: those that reading needs.
const KEPT: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::SYSLOG)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::IPC_LOCK)
    .union(CapabilitySet::AUDIT_WRITE)
    .union(CapabilitySet::AUDIT_READ);

/// Starts a confined program. `scratch` is the only directory that it can write to.
///
/// # Errors
/// When the kernel supports a restriction but it cannot be set up, and when the program cannot be started.
pub(super) fn start(expression: &duct::Expression, grant: &Grant, scratch: &Path) -> io::Result<duct::Handle> {
    apart(|| {
        restrict(grant, scratch)?;
        expression.start()
    })
}

/// Runs work in a separate thread, which keeps its restrictions to itself.
fn apart<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("confined".into()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the confined thread panicked")))
    })
}

fn restrict(grant: &Grant, scratch: &Path) -> io::Result<()> {
    if !grant.processes {
        files(grant, scratch).map_err(|error| io::Error::other(format!("confine it with Landlock: {error}")))?;
    }
    if !grant.powers {
        drop_powers();
    }
    if grant.owners {
        return Ok(());
    }
    match apply_filter(filter()?) {
        Ok(()) => Ok(()),
        // The kernel has no seccomp. As without Landlock, the table alone decides.
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error))
            if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) =>
        {
            Ok(())
        }
        Err(error) => Err(io::Error::other(format!("confine it with seccomp: {error}"))),
    }
}

/// Applies Landlock.
fn files(grant: &Grant, scratch: &Path) -> Result<LandlockStatus, landlock::RulesetError> {
    let all = AccessFs::from_write(NEWEST);
    let mut handled = all;
    if grant.devices {
        handled &= !AccessFs::IoctlDev;
    }
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(handled)?;
    let ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
    let ruleset = if grant.net { ruleset } else { ruleset.handle_access(AccessNet::ConnectTcp)? };
    let mut ruleset = ruleset.scope(Scope::from_all(NEWEST))?.create()?;
    let device = AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate;
    let mut open = vec![(PathBuf::from("/dev/null"), device), (PathBuf::from("/dev/tty"), device)];
    open.extend(terminals().into_iter().map(|path| (path, device)));
    open.push((scratch.to_owned(), all));
    for path in grant.paths {
        let file = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
        let dir = AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::MakeDir;
        let access = if Path::new(path).is_dir() { dir } else { file };
        open.push((path.into(), access));
    }
    for (path, access) in open {
        // A missing device needs no rule.
        if let Ok(fd) = PathFd::new(&path) {
            ruleset = ruleset.add_rule(PathBeneath::new(fd, access & handled))?;
        }
    }
    // Root keeps setuid programs, which are confined too. A user has to give them up.
    let ruleset = ruleset.no_new_privs(!rustix::process::geteuid().is_root());
    ruleset.restrict_self().map(|status| status.landlock)
}

/// Returns the terminals that are standard input, output or error.
fn terminals() -> Vec<PathBuf> {
    let names = (0..3).filter_map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok());
    names.filter(|path| path.starts_with("/dev/pts") || path.starts_with("/dev/tty")).collect()
}

/// Drops the capabilities that change the host for the children of this thread.
fn drop_powers() {
    // Without CAP_SETPCAP there is nothing important to drop: a user has no capabilities.
    for capability in CapabilitySet::all().difference(KEPT).iter() {
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    if let Ok(sets) = rustix::thread::capabilities(None) {
        let inheritable = CapabilitySet::empty();
        let _ = rustix::thread::set_capabilities(None, CapabilitySets { inheritable, ..sets });
    }
}

/// Returns the filter of system calls, compiled once.
fn filter() -> io::Result<&'static BpfProgram> {
    static FILTER: OnceLock<Result<BpfProgram, String>> = OnceLock::new();
    let made = FILTER.get_or_init(|| compile().map_err(|error| error.to_string()));
    made.as_ref().map_err(|error| io::Error::other(format!("make the seccomp filter: {error}")))
}

fn compile() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(REFUSED_X86.iter().map(|call| (*call, Vec::new())));
    let mut when = |call: i64, argument: u8, operator: Op, value: u64| {
        let condition = SeccompCondition::new(argument, Len::Dword, operator, value)?;
        rules.entry(call).or_default().push(SeccompRule::new(vec![condition])?);
        Ok(())
    };
    // A file opened for reading can still be truncated. Landlock covers this from ABI 3 on.
    let (emptied, mask) = (libc::O_TRUNC as u64, (libc::O_TRUNC | libc::O_ACCMODE) as u64);
    when(libc::SYS_openat, 2, Op::MaskedEq(mask), emptied)?;
    #[cfg(target_arch = "x86_64")]
    when(libc::SYS_open, 1, Op::MaskedEq(mask), emptied)?;
    // FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR, which chattr(1) uses, and TIOCSTI, which types into a terminal.
    for request in [0x4008_6602, 0x4004_6602, 0x401c_5820, 0x5412] {
        when(libc::SYS_ioctl, 1, Op::Eq, request)?;
    }
    // Clearing the kernel's log and changing its console level, syslog(2): only 4 to 8.
    for request in 4..=8 {
        when(libc::SYS_syslog, 0, Op::Eq, request)?;
    }
    // Removing System V shared memory, semaphores and queues: IPC_RMID is 0.
    for (call, argument) in [(libc::SYS_shmctl, 1), (libc::SYS_semctl, 2), (libc::SYS_msgctl, 1)] {
        when(call, argument, Op::Eq, 0)?;
    }
    // Priorities and processors of other processes. 0 is the caller's own.
    for (call, argument) in [
        (libc::SYS_setpriority, 1),
        (libc::SYS_ioprio_set, 1),
        (libc::SYS_sched_setaffinity, 0),
        (libc::SYS_sched_setscheduler, 0),
        (libc::SYS_sched_setparam, 0),
        (libc::SYS_sched_setattr, 0),
    ] {
        when(call, argument, Op::Ne, 0)?;
    }
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EACCES as u32), arch)?.try_into()
}

/// Calls that change something that Landlock does not cover, whatever their arguments. Numbers from 400 on are the same
/// on every architecture. `io_uring` could make such calls past the filter.
const REFUSED: &[i64] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    452, // fchmodat2
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    463, // setxattrat
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    466, // removexattrat
    469, // file_setattr
    libc::SYS_truncate,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_acct,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    442, // mount_setattr
    libc::SYS_mq_unlink,
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
];

/// Older calls that only x86 has.
#[cfg(target_arch = "x86_64")]
const REFUSED_X86: &[i64] =
    &[libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];

/// Returns what this kernel supports, as `moyai doctor` prints it.
///
/// # Errors
/// A sentence about what the kernel lacks.
pub fn kernel() -> Result<String, String> {
    let scratch = std::env::temp_dir();
    let asked = apart(|| files(&Grant::default(), &scratch).map_err(io::Error::other));
    match asked {
        Ok(LandlockStatus::Available { effective_abi, kernel_abi }) => {
            let abi = kernel_abi.unwrap_or(effective_abi as i32);
            let lacking = match abi {
                ..=2 => " (the kernel cannot stop emptying files, TCP connections and signals)",
                3 => " (the kernel cannot stop TCP connections and signals)",
                4 | 5 => " (the kernel cannot stop signals)",
                _ => "",
            };
            Ok(format!("confined with Landlock ABI {abi}{lacking}"))
        }
        Ok(LandlockStatus::NotEnabled) => Err("Landlock is not enabled on this kernel".into()),
        Ok(_) => Err("this kernel has no Landlock (it came with 5.13)".into()),
        Err(error) => Err(format!("Landlock cannot be used: {error}")),
    }
}
