//! Suggests the name that was probably meant.

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
    ("lib/news", "lib/warn-once"),
    ("lib/shown", "lib/redact"),
    ("lib/site-look", "lib/site-list"),
    ("lib/parts", "lib/status-sites"),
    ("lib/folders", "lib/dirs"),
    ("lib/held", "lib/placeholders"),
    ("lib/green", "lib/blue-green"),
    ("lib/guest", "lib/site-guest"),
    ("lib/owed", "lib/due-reload"),
    ("lib/seen", "lib/served-sites"),
    ("lib/behind", "lib/upstreams"),
    ("lib/single", "lib/single-files"),
    ("lib/again", "lib/recreate"),
    ("lib/again-network", "lib/recreate-networks"),
    ("lib/again-volume", "lib/recreate-volumes"),
    ("lib/step", "lib/site-state"),
    ("lib/lost", "lib/missing-backups"),
    ("lib/chosen", "lib/find-backup"),
    ("lib/made", "lib/backup-record"),
    ("lib/stored", "lib/store-record"),
    ("lib/packed", "lib/save-mounts"),
    ("lib/kept", "lib/old-container"),
    ("lib/aside", "lib/data-copies"),
    ("lib/copied", "lib/copy-store"),
    ("lib/updating", "lib/update-steps"),
    ("lib/updates", "lib/update-policy"),
    ("lib/restoring", "lib/restore-steps"),
    ("lib/unlisted", "lib/unlisted-archives"),
    ("lib/nameless", "lib/rotate-images"),
    ("lib/rotate", "lib/rotate-store"),
    ("lib/recall", "lib/load-images"),
];

/// Returns whether a name is the new one of something that an older version called differently.
pub fn is_renamed(old: &str, new: &str) -> bool {
    RENAMED.contains(&(old, new))
}

/// Returns the known name that was probably meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = name.chars().count().div_ceil(3);
    let distance = |known: &str| match is_renamed(name, known) {
        true => 0,
        false => strsim::damerau_levenshtein(name, known),
    };
    let near = known.map(|known| (distance(known), known));
    near.filter(|(distance, known)| *distance <= far && *distance * 2 < known.len()).min().map(|(_, known)| known)
}
