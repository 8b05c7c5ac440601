//! The file systems of a private host: layers over the machine's own directories, or over the root directory of another
//! system.
//!
//! Every layer is in memory. So it works on any disk, needs no tidying, and many hosts can share what is below it.

use super::{Host, Try, make_dir, opened, write};
use crate::run::{Result, this_program};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, unmount};
use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The directories that a host's programs own. Home directories and the temporary directory stay the machine's: the
/// command brings its program and takes its results there.
const LAYERED: [&str; 6] = ["dev", "etc", "opt", "srv", "usr", "var"];

/// What a root directory of another system brings itself, and what is mounted anew in it. All other directories stay
/// the machine's, as without a root.
const OWN: &str = "bin boot dev etc lib lib32 lib64 libx32 lost+found opt proc run sbin srv usr var";

impl Host<'_> {
    /// Mounts the file systems of the host, and makes a root directory the host's `/`.
    ///
    /// # Errors
    /// When a directory cannot be mounted, with its path.
    pub(super) fn mounts(&self) -> Result<()> {
        let this = File::open(self.dir).tried(|| format!("open `{}`", self.dir.display()))?;
        let program = this_program()?;
        let terminals = File::open("/dev/pts");
        let machine = ["hosts", "resolv.conf"].map(|name| (name, fs::read(Path::new("/etc").join(name))));
        let layers = self.dir.join("layers");
        make_dir(&layers)?;
        tmpfs(&layers, c"mode=755")?;
        // The kernel takes the directories of a layer relative to the working directory. This avoids quoting the commas
        // and colons of an unusual temporary directory.
        std::env::set_current_dir(&layers).tried(|| format!("go to `{}`", layers.display()))?;
        let (slash, layered): (PathBuf, &[&str]) = match &self.root {
            Some(root) => (self.base(root, &layers)?, &["dev"]),
            None => ("/".into(), &LAYERED),
        };
        for name in layered.iter().filter(|name| Path::new("/").join(name).is_dir()) {
            layer(&Path::new("/").join(name), name, &slash.join(name))?;
            self.show(&this, &slash, name)?;
        }
        if let Ok(terminals) = terminals {
            let pts = slash.join("dev/pts");
            make_dir(&pts)?;
            mount_bind(opened(&terminals), pts).tried(|| "show the terminals".into())?;
        }
        for (name, options) in [("dev/shm", c"mode=1777"), ("run", c"mode=755"), ("run/lock", c"mode=1777")] {
            make_dir(&slash.join(name))?;
            tmpfs(&slash.join(name), options)?;
        }
        self.show(&this, &slash, "run")?;
        // The client's settings name contexts and registries outside.
        if let Some(settings) = std::env::home_dir().map(|home| under(&slash, &home.join(".docker")))
            && settings.is_dir()
        {
            tmpfs(&settings, c"mode=700")?;
        }
        // The daemon's data is the exception: its own layers do not work on a layer.
        let (data, usual) = (self.dir.join("docker"), slash.join("var/lib/docker"));
        make_dir(&data)?;
        make_dir(&usual)?;
        mount_bind(&data, &usual).tried(|| format!("mount `{}`", usual.display()))?;
        // Files of the machine that may be mounts, or links into its /run.
        for (name, content) in machine {
            if let Ok(content) = content {
                write(&slash.join("etc").join(name), &content)?;
            }
        }
        if self.root.is_some() {
            for needed in [self.dir, program.parent().unwrap_or(&program)] {
                let inside = under(&slash, needed);
                if !inside.is_dir() {
                    make_dir(&inside)?;
                    mount_bind(needed, &inside).tried(|| format!("show `{}`", needed.display()))?;
                }
            }
        }
        // This is the last step that needs the machine's /proc: a thread's files are found through it.
        let proc = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", slash.join("proc"), "proc", proc, None).tried(|| "mount `/proc`".into())?;
        if self.root.is_some() {
            pivot(&slash)?;
            // The mount was copied along with the directory that contains the host's own.
            let _ = unmount(&layers, UnmountFlags::DETACH);
        } else {
            // The layers keep what is mounted there, and nobody else needs it. Its path may be covered by now.
            let hidden = unmount(".", UnmountFlags::DETACH).map_err(std::io::Error::from);
            hidden.tried(|| format!("hide `{}`", layers.display()))?;
        }
        let left = std::env::set_current_dir("/").and_then(|()| fs::remove_dir(&layers));
        left.tried(|| format!("hide `{}`", layers.display()))
    }

    /// Mounts a layer over the root directory of another system, with the machine's directories that it does not bring
    /// itself. Returns its path.
    fn base(&self, root: &Path, layers: &Path) -> Result<PathBuf> {
        let slash = layers.join("root");
        make_dir(&slash)?;
        layer(root, "slash", &slash)?;
        let entries = fs::read_dir("/").tried(|| "list `/`".into())?;
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if OWN.split(' ').any(|own| entry.file_name() == own) {
                continue;
            }
            let inside = slash.join(entry.file_name());
            make_dir(&inside)?;
            mount_bind_recursive(entry.path(), &inside).tried(|| format!("show `{}`", entry.path().display()))?;
        }
        Ok(slash)
    }

    /// Keeps the host's directory visible below `above`, which was just covered.
    fn show(&self, this: &File, slash: &Path, above: &str) -> Result<()> {
        if !self.dir.starts_with(Path::new("/").join(above)) {
            return Ok(());
        }
        let inside = under(slash, self.dir);
        let shown = fs::create_dir_all(&inside).and_then(|()| Ok(mount_bind(opened(this), &inside)?));
        shown.tried(|| format!("mount `{}`", self.dir.display()))
    }
}

/// Mounts a layer over a directory. Writes go to `name` in the working directory.
fn layer(lower: &Path, name: &str, target: &Path) -> Result<()> {
    let work = format!("{name}.work");
    make_dir(Path::new(name))?;
    make_dir(Path::new(&work))?;
    let lower = lower.display();
    let quoted = lower.to_string().replace('\\', r"\\").replace(':', r"\:").replace(',', r"\,");
    let options = CString::new(format!("lowerdir={quoted},upperdir={name},workdir={work}"));
    let options = options.tried(|| "name a layer".into())?;
    let mounted = mount("private", target, "overlay", MountFlags::empty(), options.as_c_str());
    mounted.tried(|| format!("lay a private layer over `{lower}`"))
}

fn tmpfs(dir: &Path, options: &std::ffi::CStr) -> Result<()> {
    let mounted = mount("tmpfs", dir, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options);
    mounted.tried(|| format!("mount a private `{}`", dir.display()))
}

/// Makes a mounted directory this process's `/`, and drops the old one.
///
/// A mere `chroot` would not be enough: `docker exec` enters the host's mount namespace with `setns`, which uses the
/// root of that namespace.
fn pivot(slash: &Path) -> Result<()> {
    let inside = std::env::set_current_dir(slash);
    inside.tried(|| format!("go to `{}`", slash.display()))?;
    // They are mounted on top of each other, and the working directory is now the lower one.
    let pivoted = rustix::process::pivot_root(".", ".").and_then(|()| unmount(".", UnmountFlags::DETACH));
    pivoted.tried(|| format!("make `{}` the root directory", slash.display()))
}

/// Returns an absolute path below another root directory.
fn under(slash: &Path, path: &Path) -> PathBuf {
    slash.join(path.strip_prefix("/").unwrap_or(path))
}
