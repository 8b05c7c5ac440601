//! Suggests the name that was probably meant.

use crate::run::text;

/// Scripts, options, libraries and settings that had another name in an older version: the old and the new one.
const RENAMED: &[(&str, &str)] = &[
    ("prove", "verify"),
    ("proof", "verify"),
    ("proof_with", "verify_with"),
    ("proof_for", "verify_for"),
    ("PROOF_WAIT", "VERIFY_WAIT"),
    ("PROOF_STAYS", "VERIFY_STAYS"),
    ("folder", "directory"),
    ("lib/prove", "lib/verify"),
    ("lib/look", "lib/check-sites"),
    ("lib/watch", "lib/site-changes"),
    ("lib/entry", "lib/site-errors"),
    ("lib/values", "lib/config-errors"),
    ("lib/shown", "lib/redact"),
    ("lib/site-look", "lib/site-list"),
    ("lib/parts", "lib/status-sites"),
    ("lib/held", "lib/placeholders"),
    ("lib/green", "lib/blue-green"),
    ("lib/guest", "lib/site-guest"),
    ("lib/owed", "lib/due-reload"),
    ("lib/seen", "lib/served-sites"),
    ("lib/behind", "lib/upstreams"),
    ("lib/again", "lib/recreate"),
    ("lib/step", "lib/site-state"),
    ("lib/updating", "lib/update-steps"),
    ("lib/updates", "lib/update-policy"),
    ("lib/restoring", "lib/restore-steps"),
    ("lib/nameless", "lib/after-backup"),
    ("lib/rotate-images", "lib/after-backup"),
    ("lib/elsewhere", "lib/after-backup"),
    ("lib/hook", "lib/finish-backup"),
    ("lib/repair", "lib/finish-backup"),
    ("lib/stopped", "lib/left-out"),
];

/// Libraries of older versions whose functions are in a namespace now.
const MOVED: &[(&str, &str)] = &[
    ("lib/archive", "volumes"),
    ("lib/aside", "replacement"),
    ("lib/backup-record", "backups"),
    ("lib/chosen", "backups"),
    ("lib/comes-back", "replacement"),
    ("lib/data-copies", "replacement"),
    ("lib/dirs", "volumes"),
    ("lib/find-backup", "backups"),
    ("lib/folders", "volumes"),
    ("lib/kept", "replacement"),
    ("lib/load-images", "store"),
    ("lib/lost", "backups"),
    ("lib/made", "backups"),
    ("lib/missing-backups", "backups"),
    ("lib/nested", "volumes"),
    ("lib/new-volumes", "replacement"),
    ("lib/notes", "replacement"),
    ("lib/old-container", "replacement"),
    ("lib/packed", "volumes"),
    ("lib/replace", "replacement"),
    ("lib/safe", "volumes"),
    ("lib/save-mounts", "volumes"),
    ("lib/sharing", "docker"),
    ("lib/swap", "replacement"),
    ("lib/undo", "replacement"),
    ("lib/unlisted", "volumes"),
    ("lib/unlisted-archives", "volumes"),
    ("lib/again-network", "docker"),
    ("lib/again-volume", "store"),
    ("lib/complete", "store"),
    ("lib/compose", "compose"),
    ("lib/copied", "store"),
    ("lib/copy-store", "store"),
    ("lib/from-store", "store"),
    ("lib/host-files", "store"),
    ("lib/manifest", "store"),
    ("lib/recall", "store"),
    ("lib/records", "store"),
    ("lib/recreate-networks", "docker"),
    ("lib/recreate-volumes", "store"),
    ("lib/rotate", "store"),
    ("lib/rotate-store", "store"),
    ("lib/snapshots", "store"),
    ("lib/store", "store"),
    ("lib/store-record", "store"),
    ("lib/store-run", "store"),
    ("lib/stored", "store"),
    ("lib/to-store", "store"),
    ("lib/volume-plans", "volumes"),
    ("lib/volumes", "volumes"),
];

/// Libraries of older versions that a few functions replace.
const REPLACED: &[(&str, &str)] = &[
    ("lib/errors", "why(e)` or `why_and_help(e)"),
    ("lib/flatten", "docker::flatten(name, reference, labels, dir)"),
    ("lib/freeze", "docker::pause(name)"),
    ("lib/news", "warn_once(key, lines)"),
    ("lib/rebuild", "moyai::run(\"rebuild\", [container])"),
    ("lib/refs", "docker::valid_reference(config::backup_ref(backups::original(c), version))"),
    ("lib/room", "df::require([#{ path: dir, bytes: bytes }], config::STAYS_FREE)"),
    ("lib/single", "moyai::run(\"restore-path\", [container, version, path])"),
    ("lib/single-files", "moyai::run(\"restore-path\", [container, version, path])"),
    ("lib/table", "table(rows)` or `size_text(bytes)"),
    ("lib/up", "c.up"),
    ("lib/warn-once", "warn_once(key, lines)"),
];

/// Returns what replaces a library of an older version.
pub fn replaced(lib: &str) -> Option<&'static str> {
    REPLACED.iter().find(|(old, _)| *old == lib).map(|(_, code)| *code)
}

/// Returns the namespace with the functions of a library of an older version.
pub fn moved(lib: &str) -> Option<&'static str> {
    MOVED.iter().find(|(old, _)| *old == lib).map(|(_, space)| *space)
}

/// Returns whether a name is the new one of something that an older version called differently.
pub fn is_renamed(old: &str, new: &str) -> bool {
    RENAMED.contains(&(old, new))
}

/// Returns the known name that was probably meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    text::nearest(name, known, |known| is_renamed(name, known))
}
