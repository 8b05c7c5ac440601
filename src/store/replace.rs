//! Replaces a file completely or not at all.
//!
//! The new content is written to a file in the same directory and synced. That file gets the old one's owner, mode and
//! extended attributes, and is renamed over it. Other programs find the old content or the new, and a failure at any
//! point leaves the old.

use crate::run::{Error, Kind, Result, cause};
use rustix::fs::{
    Access, AtFlags, CWD, FlockOperation, OFlags, RenameFlags, XattrFlags, accessat, fchmod, fchown, flock,
    renameat_with,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// How often an update starts over because another program writes the file at the same time.
const TRIES: usize = 20;
/// How long an update waits for a program that has the file open for writing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes the content to an existing or a new file. A symbolic link stays, and its target is replaced. Unchanged
/// content is not written again.
///
/// Returns whether the file was changed.
///
/// # Errors
/// When any step fails. The file is then unchanged.
pub fn write(path: &Path, content: &[u8]) -> Result<bool> {
    write_with_mode(path, content, None)
}

/// Like [`write`], and the file has this mode from the start.
///
/// # Errors
/// Same as for [`write`].
pub fn write_with_mode(path: &Path, content: &[u8], mode: Option<u32>) -> Result<bool> {
    let failed = |error: io::Error| explain("write", path, &error);
    let target = Target::find(path).map_err(failed)?;
    if let Some((file, metadata)) = &target.old
        && mode.is_none_or(|mode| metadata.mode() & 0o7777 == mode)
        && same(file, metadata, content).map_err(|error| explain("read", path, &error))?
    {
        return Ok(false);
    }
    let mut new = Unfinished::of(target, Mode::of(mode)).map_err(failed)?;
    new.new.as_file_mut().write_all(content).and_then(|()| new.finish()).map_err(failed)?;
    Ok(true)
}

/// A file that gets its name when it is complete. Dropping it earlier leaves the old one unchanged.
#[derive(Debug)]
pub struct Unfinished {
    target: Target,
    new: NamedTempFile,
    mode: Mode,
}

/// The mode of the new file.
#[derive(Clone, Copy, Debug)]
enum Mode {
    /// The old file's mode. For a new file, this one after the umask.
    Usual(u32),
    /// This mode, whatever the old file has.
    Exact(u32),
}

impl Mode {
    fn of(mode: Option<u32>) -> Self {
        mode.map_or(Self::Usual(0o666), Self::Exact)
    }
}

impl Unfinished {
    /// Creates a file in the target's directory, with the old file's mode or this one.
    ///
    /// # Errors
    /// When the old file cannot be replaced, or its directory cannot be written.
    pub fn begin(path: &Path, mode: Option<u32>) -> Result<Self> {
        let target = Target::find(path).and_then(|target| Self::of(target, Mode::of(mode)));
        target.map_err(|error| explain("write", path, &error))
    }

    fn of(target: Target, mode: Mode) -> io::Result<Self> {
        if target.old.is_some() {
            // A rename only needs the right to write in the directory: it would replace a read-only or immutable file.
            accessat(CWD, &target.real, Access::WRITE_OK, AtFlags::EACCESS)?;
        }
        sweep(target.dir(), target.real.file_name().unwrap_or_default());
        // A new file gets the mode after the umask. Otherwise nobody else sees the new content before it has its owner
        // and mode.
        let first = match mode {
            Mode::Usual(mode) if target.old.is_none() => mode,
            _ => 0o600,
        };
        let new = target.beside("new", first)?;
        Ok(Self { target, new, mode })
    }

    /// Returns the incomplete file to write to.
    ///
    /// # Errors
    /// When the process has too many files open.
    pub fn file(&self) -> Result<File> {
        self.new.as_file().try_clone().map_err(|error| explain("write", &self.target.real, &error))
    }

    /// Gives the complete file its name.
    ///
    /// # Errors
    /// When any step fails. The old file is then unchanged.
    pub fn complete(self) -> Result<()> {
        let path = self.target.real.clone();
        self.finish().map_err(|error| explain("write", &path, &error))
    }

    fn finish(self) -> io::Result<()> {
        let (target, new) = self.made()?;
        target.put(new)
    }

    /// Sets the file's owner, attributes and mode, and syncs it.
    fn made(self) -> io::Result<(Target, NamedTempFile)> {
        if let Some((old, metadata)) = &self.target.old {
            dress(self.new.as_file(), old, metadata)?;
        }
        if let Mode::Exact(mode) = self.mode {
            fchmod(self.new.as_file(), rustix::fs::Mode::from_raw_mode(mode))?;
        }
        self.new.as_file().sync_all()?;
        Ok((self.target, self.new))
    }
}

/// Makes a file's new content from the old one. If another program writes meanwhile, the new content is made again from
/// that, so nothing is lost.
///
/// Returns whether the file was changed.
///
/// # Errors
/// When `make` or any other step fails. The file is then unchanged.
pub fn update(path: &Path, make: &mut dyn FnMut(&[u8]) -> Result<Vec<u8>>) -> Result<bool> {
    let failed = |verb, error: io::Error| explain(verb, path, &error);
    // The source of the new content, and the current content of the file.
    let mut base = std::fs::read(path).map_err(|error| failed("read", error))?;
    let mut present = base.clone();
    // The content that may have been visible for a moment.
    let mut shown = base.clone();
    for _ in 0..TRIES {
        let new = make(&base)?;
        if new == present {
            return Ok(false);
        }
        let target = Target::find(path).map_err(|error| failed("write", error))?;
        let Some(Refused { now, out }) = exchange(target, &new, &present).map_err(|error| failed("write", error))?
        else {
            return Ok(true);
        };
        // An editor that read the file at that moment has written back what it read, plus its own change.
        let common = if now.starts_with(&present) { &present } else { &shown };
        base = with_both(&new, &with_both(common, &base, &now), &out);
        (present, shown) = (now, new);
    }
    Err(Error::new(format!("write `{}`: another program keeps changing it", path.display()))
        .help(format!("`fuser -v {}` shows which", path.display())))
}

/// Merges two contents that were made from a common one, if they have only grown at the end. Of two that replaced it,
/// the later one wins, as it would without moyai.
fn with_both(common: &[u8], earlier: &[u8], later: &[u8]) -> Vec<u8> {
    match (earlier.strip_prefix(common), later.strip_prefix(common)) {
        (Some(more), _) => [later, more].concat(),
        (None, Some(more)) => [earlier, more].concat(),
        (None, None) => later.to_vec(),
    }
}

/// Copies a file's content. A new file gets the mode of the source.
///
/// # Errors
/// When any step fails. The file at `to` is then unchanged.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = open(from).map_err(|error| explain("read", from, &error))?;
    let metadata = source.metadata().map_err(|error| explain("read", from, &error))?;
    let target = Target::find(to).map_err(|error| explain("write", to, &error))?;
    if target.old.as_ref().is_some_and(|(_, old)| is(old, &metadata)) {
        return Err(Error::new(format!("copy `{}`: `{}` is the same file", from.display(), to.display())));
    }
    let failed = |error: io::Error| explain("write", to, &error);
    let mut new = Unfinished::of(target, Mode::Usual(metadata.mode() & 0o777)).map_err(failed)?;
    io::copy(&mut source, new.new.as_file_mut()).and_then(|_| new.finish()).map_err(failed)
}

/// Returns an error about a file, with a next step if there is one.
pub fn explain(verb: &str, path: &Path, error: &io::Error) -> Error {
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir.display().to_string(),
        _ => ".".to_owned(),
    };
    let mut ours = Error::new(format!("{verb} `{}`: {}", path.display(), cause(error)));
    if error.kind() == ErrorKind::NotFound {
        ours.kind = Kind::NotFound;
    }
    let text = path.to_string_lossy();
    match error.kind() {
        ErrorKind::NotFound if text == "~" || text.starts_with("~/") => {
            ours.help("a path is taken as it is: write `env(\"HOME\")` for `~`")
        }
        ErrorKind::NotFound if text.contains(['*', '?']) => {
            ours.help("a path is taken as it is: `for path in glob(pattern) { ... }` goes through those that match")
        }
        ErrorKind::NotFound if !Path::new(&dir).exists() => {
            ours.help(format!("the directory does not exist: `file::mkdir(\"{dir}\")` makes it"))
        }
        ErrorKind::PermissionDenied => ours.help("run it as root, or as the owner of the file and its directory"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ours.help(format!("nothing was changed; make room: `df -h {dir}` and `df -i {dir}` show how much there is"))
        }
        ErrorKind::ReadOnlyFilesystem => {
            ours.help(format!("nothing was changed; `findmnt -T {dir}` shows how it is mounted"))
        }
        _ => ours,
    }
}

/// What others wrote into a file that was to be replaced.
struct Refused {
    /// The current content.
    now: Vec<u8>,
    /// The new content as it was when it was taken out again.
    out: Vec<u8>,
}

/// The target of a path.
#[derive(Debug)]
struct Target {
    /// The path without symbolic links at its end.
    real: PathBuf,
    /// The existing file.
    old: Option<(File, Metadata)>,
}

impl Target {
    fn find(path: &Path) -> io::Result<Self> {
        // The kernel follows links safely (protected_symlinks, proc_sys_fs(5)). If the path leads elsewhere a moment
        // later, somebody has changed it, perhaps an editor.
        for _ in 0..TRIES {
            if let Some(target) = Self::find_once(path)? {
                return Ok(target);
            }
        }
        Err(io::Error::other("the path keeps changing"))
    }

    /// Tries once. Returns nothing if the path was changed meanwhile.
    fn find_once(path: &Path) -> io::Result<Option<Self>> {
        match open(path) {
            Ok(file) => {
                let real = std::fs::canonicalize(path)?;
                let metadata = file.metadata()?;
                let same = is(&metadata, &std::fs::symlink_metadata(&real)?);
                Ok(same.then_some(Self { real, old: Some((file, metadata)) }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // A link to a file that does not exist yet. 40 is the kernel's limit too.
                let mut real = path.to_owned();
                for _ in 0..40 {
                    let Ok(next) = std::fs::read_link(&real) else { return Ok(Some(Self { real, old: None })) };
                    real = real.parent().unwrap_or(Path::new("/")).join(next);
                }
                Err(Errno::LOOP.into())
            }
            Err(error) => Err(error),
        }
    }

    fn dir(&self) -> &Path {
        self.real.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."))
    }

    fn put(&self, new: NamedTempFile) -> io::Result<()> {
        match new.persist(&self.real) {
            Ok(_) => {
                self.sync_folder();
                Ok(())
            }
            // A file that is a mount point, as in a container, cannot be renamed over.
            Err(error) if error.error.kind() == ErrorKind::ResourceBusy && self.old.is_some() => {
                let mut new = error.file.reopen()?;
                self.overwrite(&mut new)
            }
            Err(error) => Err(error.error),
        }
    }

    /// Syncs the directory. Where that is impossible, a power cut may bring the complete old file back.
    fn sync_folder(&self) {
        let _ = File::open(self.dir()).and_then(|dir| dir.sync_all());
    }

    /// Writes in place, with a copy of the old content next to it until the new content is complete.
    fn overwrite(&self, new: &mut File) -> io::Result<()> {
        let mut old = open(&self.real)?;
        let mut copy = self.beside("copy", 0o600)?;
        io::copy(&mut old, copy.as_file_mut())?;
        copy.as_file().sync_all()?;
        let mut place = OpenOptions::new().write(true).open(&self.real)?;
        // Do not empty the file first: on a full disk the old blocks are still there for the way back.
        let mut put = |from: &mut File| {
            place.rewind()?;
            let length = io::copy(from, &mut place)?;
            place.set_len(length)?;
            place.sync_all()
        };
        let Err(error) = put(new) else { return Ok(()) };
        let mut old = copy.reopen()?;
        if put(&mut old).is_err() {
            let kept = copy.into_temp_path().keep().map_err(|kept| kept.error)?;
            let message = format!("{}; its old content is in `{}`", cause(&error), kept.display());
            return Err(io::Error::new(error.kind(), message));
        }
        Err(error)
    }

    /// Creates a file in the target's directory, removed when dropped. Its name begins with a dot, so that an `include
    /// sites/*` or a `run-parts` does not see it.
    fn beside(&self, what: &str, mode: u32) -> io::Result<NamedTempFile> {
        let prefix = prefix(self.real.file_name().unwrap_or_default(), what);
        loop {
            let file = tempfile::Builder::new()
                .prefix(&prefix)
                .rand_bytes(12)
                .permissions(Permissions::from_mode(mode))
                .tempfile_in(self.dir())
                // Drop the temporary file's path from the error: it means nothing to the reader.
                .map_err(|error| error.raw_os_error().map_or(error, io::Error::from_raw_os_error))?;
            // The lock tells `sweep` that the creator lives. A faster sweep has removed the file.
            let _ = flock(file.as_file(), FlockOperation::LockExclusive);
            if file.as_file().metadata()?.nlink() > 0 {
                return Ok(file);
            }
        }
    }
}

/// Exchanges the new content with the old, and undoes that if it was not the expected old content any more. Between a
/// last check and a plain rename, others could write something that would be lost.
fn exchange(target: Target, content: &[u8], old: &[u8]) -> io::Result<Option<Refused>> {
    let mut unfinished = Unfinished::of(target, Mode::of(None))?;
    unfinished.new.as_file_mut().write_all(content)?;
    let (target, new) = unfinished.made()?;
    let swap = || renameat_with(CWD, new.path(), CWD, &target.real, RenameFlags::EXCHANGE);
    let refused = |out| Ok(Some(Refused { now: std::fs::read(&target.real)?, out }));
    // Check as late as possible: a displaced edit comes back, but is invisible meanwhile.
    if std::fs::read(&target.real)? != old {
        return refused(content.to_vec());
    }
    if swap().is_err() {
        // A mount point, or a file system that cannot exchange: the check just before has to be enough.
        return target.put(new).map(|()| None);
    }
    if std::fs::read(new.path())? == old && settled(new.path())? == old {
        target.sync_folder();
        return Ok(None);
    }
    swap()?;
    refused(settled(new.path())?)
}

/// Returns the start of a temporary name. File names have at most 255 bytes.
fn prefix(name: &OsStr, what: &str) -> OsString {
    let name = &name.as_bytes()[..name.len().min(200)];
    OsString::from_vec([b".", name, b".moyai-", what.as_bytes(), b"-"].concat())
}

/// Removes what a killed run left: temporary files that nobody has locked. Copies from an interrupted write in place
/// stay, because they may be all that is left of the content.
fn sweep(dir: &Path, name: &OsStr) {
    let prefix = prefix(name, "new");
    // In a directory with very many files, tidying is not worth the time.
    for entry in std::fs::read_dir(dir).into_iter().flatten().take(10_000).flatten() {
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes())
            && let Ok(file) = OpenOptions::new().read(true).custom_flags(flag(OFlags::NOFOLLOW)).open(entry.path())
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            // Best effort.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Reads a file once no program has it open for writing any more: what one writes afterwards would be lost. Only then
/// does the kernel grant a read lease: F_SETLEASE in fcntl(2).
#[allow(unsafe_code)]
fn settled(path: &Path) -> io::Result<Vec<u8>> {
    // linux/include/uapi/asm-generic/fcntl.h; the crate has no name for it.
    const F_SETSIG: i32 = 10;
    let mut file = File::open(path)?;
    // SAFETY: fcntl(2) gets an open descriptor and numbers, and no memory.
    let ask = |what: i32, value: i32| unsafe { libc::fcntl(file.as_raw_fd(), what, value) };
    let begun = Instant::now();
    // The kernel signals us if somebody opens the file during the lease. The default signal would end the process.
    ask(F_SETSIG, libc::SIGURG);
    // Some file systems have no leases. Do not wait for a program forever.
    while ask(libc::F_SETLEASE, libc::F_RDLCK) < 0
        && io::Error::last_os_error().kind() == ErrorKind::WouldBlock
        && begun.elapsed() < PATIENCE
    {
        std::thread::sleep(Duration::from_millis(1));
    }
    ask(libc::F_SETLEASE, libc::F_UNLCK);
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

fn flag(flag: OFlags) -> i32 {
    flag.bits().cast_signed()
}

/// Opens a regular file for reading. A pipe must not make it hang, and a device must not be replaced.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(flag(OFlags::NONBLOCK)).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(Errno::ISDIR.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

fn is(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn same(mut file: &File, metadata: &Metadata, content: &[u8]) -> io::Result<bool> {
    if metadata.len() != content.len() as u64 {
        return Ok(false);
    }
    let mut old = Vec::with_capacity(content.len());
    file.read_to_end(&mut old)?;
    Ok(old == content)
}

/// Copies the old file's owner, attributes and mode, in this order: changing the owner clears bits of the mode, and an
/// access list sets its group bits.
fn dress(new: &File, old: &File, metadata: &Metadata) -> io::Result<()> {
    use rustix::fs::{Gid, Mode, Uid};
    let ours = new.metadata()?;
    if (ours.uid(), ours.gid()) != (metadata.uid(), metadata.gid()) {
        fchown(new, Some(Uid::from_raw(metadata.uid())), Some(Gid::from_raw(metadata.gid())))
            .map_err(|error| explained("its owner cannot be kept", error))?;
    }
    let wanted = attributes(old)?;
    // A new file inherits the directory's default access list. The old one may have had none.
    let list = OsStr::new("system.posix_acl_access");
    if !wanted.iter().any(|name| name == list) {
        // Usually there is none.
        let _ = rustix::fs::fremovexattr(new, list);
    }
    for name in wanted {
        // Signatures of the old content, and capabilities(7), which a write removes too.
        if ["security.ima", "security.evm", "security.capability"].iter().any(|other| name == *other) {
            continue;
        }
        let Ok(value) = attribute(old, &name) else { continue };
        if attribute(new, &name).is_ok_and(|ours| ours == value) {
            continue;
        }
        rustix::fs::fsetxattr(new, &name, &value, XattrFlags::empty())
            .map_err(|error| explained(&format!("its attribute {} cannot be kept", name.display()), error))?;
    }
    fchmod(new, Mode::from_raw_mode(metadata.mode()))?;
    Ok(())
}

fn explained(what: &str, error: Errno) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("{what}: {}", cause(&error)))
}

fn attributes(file: &File) -> io::Result<Vec<OsString>> {
    let names = read_grown(|buffer| rustix::fs::flistxattr(file, buffer));
    match names {
        Ok(names) => Ok(names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| OsStr::from_bytes(name).to_owned())
            .collect()),
        Err(Errno::NOTSUP) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn attribute(file: &File, name: &OsStr) -> std::result::Result<Vec<u8>, Errno> {
    read_grown(|buffer| rustix::fs::fgetxattr(file, name, buffer))
}

/// 64 KiB is the kernel's limit for a list and for a value: xattr(7).
fn read_grown(read: impl Fn(&mut [u8]) -> std::result::Result<usize, Errno>) -> std::result::Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 64 * 1024];
    let length = read(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<OsString> {
        let mut names: Vec<OsString> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_two_programs_appended_at_the_same_time_is_both_kept() {
        let both = |one, other| String::from_utf8(with_both(b"a\n", one, other)).unwrap();
        assert_eq!(both(b"a\n", b"a\n2\n"), "a\n2\n");
        assert_eq!(both(b"a\n1\n", b"a\n2\n"), "a\n2\n1\n");
        assert_eq!(both(b"a\n1\n", b"b\n"), "b\n1\n");
        assert_eq!(both(b"b\n", b"a\n2\n"), "b\n2\n");
        // Both replaced the complete content.
        assert_eq!(both(b"b\n", b"c\n"), "c\n");
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_owner_and_attributes_and_a_link_to_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o2640)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65534), Some(65533)).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o2640)).unwrap();
        }
        rustix::fs::setxattr(&path, "user.note", b"kept\0", XattrFlags::empty()).unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        let before = std::fs::metadata(&path).unwrap();
        assert!(write(&link, b"new").unwrap());
        let after = std::fs::metadata(&path).unwrap();
        assert_ne!(before.ino(), after.ino());
        assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
        assert_eq!(attribute(&File::open(&path).unwrap(), OsStr::new("user.note")).unwrap(), b"kept\0");
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("file"));
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["file", "link"]);
    }

    #[test]
    fn an_inherited_access_list_does_not_open_a_file_that_had_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        // acl(5) in the form of the kernel's posix_acl_xattr.h: version 2, then (tag, permissions, id);
        // user::rwx, user:65534:rwx, group::r-x, mask::rwx, other::r-x.
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, perm, id) in
            [(1_u16, 7_u16, u32::MAX), (2, 7, 65534), (4, 5, u32::MAX), (16, 7, u32::MAX), (32, 5, u32::MAX)]
        {
            list.extend([&tag.to_le_bytes()[..], &perm.to_le_bytes()].concat());
            list.extend(id.to_le_bytes());
        }
        if let Err(error) = rustix::fs::setxattr(dir.path(), "system.posix_acl_default", &list, XattrFlags::empty()) {
            assert_eq!(error, Errno::NOTSUP, "an access list");
            return;
        }
        write(&path, b"new").unwrap();
        let file = File::open(&path).unwrap();
        assert!(!attributes(&file).unwrap().iter().any(|name| name == "system.posix_acl_access"));
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o644);
        // An access list of the old file is kept.
        rustix::fs::setxattr(&path, "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
        write(&path, b"newer").unwrap();
        assert_eq!(attribute(&File::open(&path).unwrap(), OsStr::new("system.posix_acl_access")).unwrap(), list);
    }

    #[test]
    fn equal_content_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert!(write(&path, b"same").unwrap());
        let before = std::fs::metadata(&path).unwrap();
        assert!(!write(&path, b"same").unwrap());
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    }

    #[test]
    fn what_is_no_file_is_refused_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert!(write(&pipe, b"x").unwrap_err().message.contains("not a regular file"));
        assert!(write(dir.path(), b"x").unwrap_err().message.contains("is a directory"));
        assert!(write(Path::new("/dev/null"), b"x").unwrap_err().message.contains("not a regular file"));
        let missing = write(&dir.path().join("no/file"), b"x").unwrap_err();
        assert!(missing.help.unwrap().contains("file::mkdir"), "{}", missing.message);
        assert_eq!(names(dir.path()), ["pipe"]);
    }

    #[test]
    fn a_link_to_nothing_makes_its_target_and_a_ring_of_links_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink("middle", at("link")).unwrap();
        std::os::unix::fs::symlink("target", at("middle")).unwrap();
        write(&at("link"), b"x").unwrap();
        assert!(std::fs::symlink_metadata(at("target")).unwrap().is_file());
        std::os::unix::fs::symlink("ring", at("ring")).unwrap();
        assert!(write(&at("ring"), b"x").is_err());
    }

    #[test]
    fn the_litter_of_a_killed_run_is_swept_and_a_living_runs_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, b"old").unwrap();
        std::fs::write(dir.path().join(".file.moyai-new-abcdefghijkl"), "litter").unwrap();
        std::fs::write(dir.path().join(".file.moyai-copy-abcdefghijkl"), "a copy").unwrap();
        let living = Target::find(&path).unwrap().beside("new", 0o600).unwrap();
        write(&path, b"new").unwrap();
        let mut expected =
            vec![living.path().file_name().unwrap().to_owned(), ".file.moyai-copy-abcdefghijkl".into(), "file".into()];
        expected.sort();
        assert_eq!(names(dir.path()), expected);
    }

    #[test]
    fn a_copy_has_its_sources_mode_and_never_destroys_the_file_it_copies() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, vec![7; 100_000]).unwrap();
        std::fs::set_permissions(&from, Permissions::from_mode(0o600)).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), vec![7; 100_000]);
        assert_eq!(std::fs::metadata(&to).unwrap().mode() & 0o777, 0o600);
        std::fs::hard_link(&from, dir.path().join("same")).unwrap();
        assert!(copy(&from, &dir.path().join("same")).unwrap_err().message.contains("same file"));
        assert_eq!(std::fs::metadata(&from).unwrap().len(), 100_000);
    }
}
