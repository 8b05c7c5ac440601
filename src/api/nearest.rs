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

/// Functions of libraries that had another name in an older version: `OLD=NEW`.
const FUNCTIONS: &str = "ask_registry=query_registry away=only_in_store bare=name_of below=small \
    beside=recreate_dependent beside=sharing_reasons beside_it=create_sharing called=check_function \
    called=containers_named can=is_here can_be_beside=can_run_both checked=with_conflicts come_up=wait_until_up \
    comes_up=wait_until_up command=run_hook containers=check_containers copies_in=saved_volumes \
    drained=wait_for_old_workers drop=remove_unnamed drop_nameless=remove_unnamed end=upstream ended=end \
    ends=expiring has_room=check_archives helped=with_help illness=container_error image_of=replaced_image \
    is_closed=is_in_maintenance is_filled=is_restored is_nginx=is_from_nginx is_to=leads_to keep_done=save_outcomes \
    keep_known=save_known known=for_containers known=this_host lacks=allows let_go=release_noted made=finished \
    named=find named=with_versions near=key_text need_room=require_room no_way_back=data_reasons note_of=new_note \
    other=notes paid=done part=check_kind patience=health_limit pay=reload place=create_and_exchange \
    put_in_place=replace ran=check_command reaches_out=leaks refused_plans=refused_volumes renew=sync_hosts \
    replaced=replace room_for=require_room room_to_pull=require_room_to_pull rotate=remove_older_names \
    say=paragraph seen=result send=copy_elsewhere settled=watch_or_roll_back shows=check_sites sickness=site_error \
    stays=wait_until_up take=commit_and_save taken_by_others=conflict to_one=send_all tried=back_up tried=or_error \
    tried_copy=pull_and_try try_hard=send_with_retries unfinished=why_ended users_of=volume_users verified=verify \
    why_not=reasons without=capability_note wrong_with=answer_error wrong_with=site_error";

/// Namespaces, each with the libraries of older versions whose functions are in it now.
const MOVED: &[(&str, &str)] = &[
    (
        "volumes",
        "lib/archive lib/dirs lib/folders lib/nested lib/packed lib/safe lib/save-mounts lib/unlisted \
         lib/unlisted-archives lib/volume-plans lib/volumes",
    ),
    (
        "replacement",
        "lib/aside lib/comes-back lib/data-copies lib/kept lib/new-volumes lib/notes lib/old-container \
         lib/replace lib/swap lib/undo",
    ),
    ("backups", "lib/backup-record lib/chosen lib/find-backup lib/lost lib/made lib/missing-backups"),
    (
        "store",
        "lib/load-images lib/again-volume lib/complete lib/copied lib/copy-store lib/from-store lib/host-files \
         lib/manifest lib/recall lib/records lib/recreate-volumes lib/rotate lib/rotate-store lib/snapshots \
         lib/store lib/store-record lib/store-run lib/stored lib/to-store",
    ),
    ("docker", "lib/sharing lib/again-network lib/recreate-networks"),
    ("compose", "lib/compose"),
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
    MOVED.iter().find(|(_, old)| old.split(' ').any(|old| old == lib)).map(|(space, _)| *space)
}

/// Returns whether a name is the new one of something that an older version called differently.
pub fn is_renamed(old: &str, new: &str) -> bool {
    RENAMED.contains(&(old, new))
}

/// Returns the known name that was probably meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    text::nearest(name, known, |known| is_renamed(name, known))
}

/// Like [`nearest`], for the functions of a library.
pub fn nearest_function<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_old_name = |known: &str| FUNCTIONS.split(' ').any(|pair| pair.split_once('=') == Some((name, known)));
    text::nearest(name, known, |known| is_old_name(known) || is_renamed(name, known))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_new_names_of_functions_exist() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lib")).unwrap();
        let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        for pair in super::FUNCTIONS.split(' ') {
            let (_, new) = pair.split_once('=').unwrap();
            assert!(text.contains(&format!("\nfn {new}(")), "{pair}");
        }
    }
}
