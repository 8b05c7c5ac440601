//! The volumes of backups, as far as they need no Docker.

use crate::common::World;

/// Makes a version with one archive of three files.
const MAKE: &str = r#"
    let backups = file::temp_dir() + "/backups";
    let dir = volumes::make_dir(backups, "web", "Mon");
    let data = file::temp_dir();
    file::write(data + "/a b", "hello\n");
    file::mkdir(data + "/sub");
    file::write(data + "/sub/x", "deep\n");
    let archive = dir + "/1-data.new.tar.gz";
    cmd(`tar --create --gzip --file ${archive} --directory ${data} .`).run();
    let entry = #{ target: "/data", kind: "volume", source: "data", file: archive, files: 4, driver: "local" };
"#;

#[test]
fn archives_are_kept_shared_checked_and_unpacked() {
    let world = World::new();
    let text = r#"
        file::write(dir + "/1-data.old.tar.gz", "a replaced archive");
        file::write(dir + "/.1-data.part.tar.gz.x", "a part of one");
        volumes::keep("web", dir, "sha256:1", [entry]);
        print(`${glob(dir, "*").map(|path| file::basename(path))} ${glob(dir, ".*").len()} ${file::mode(backups)}`);
        let one = volumes::of(dir)[0];
        print([one.image, one.driver, one.bytes == file::size(archive), one.file == archive, "files" in one]);
        let other = volumes::dir(backups, "web", "Nov");
        volumes::share(dir, other);
        volumes::check(volumes::of(other));
        volumes::refuse_unsafe(volumes::of(other), false);
        print(volumes::size(volumes::of(other)));
        let to = file::temp_dir();
        volumes::unpack(one, to);
        print(file::read(to + "/a b").trim());
        print(file::read(volumes::unpack_path(one, "/sub/x", file::temp_dir())).trim());
        print(file::exists(volumes::unpack_path(one, "/gone", file::temp_dir())));
        print(state::get("backup.sizes", #{}).web["/data"]);
    "#;
    let gave = world.run(&format!("{MAKE}{text}"));
    let want = r#"["1-data.new.tar.gz", "volumes.json"] 0 0700
["sha256:1", "local", true, true, false]
10240
hello
deep
false
"#;
    assert_eq!(gave.code, 0, "{}", gave.err);
    let bytes = gave.out.strip_prefix(want).unwrap_or_else(|| panic!("{}", gave.out));
    assert!(bytes.starts_with("#{\"bytes\": ") && bytes.ends_with("\"read\": 10240}\n"), "{bytes}");
    let list = world.run(&format!(
        "{MAKE}volumes::keep(\"web\", dir, \"sha256:1\", [entry]); print(file::read(dir + \"/volumes.json\"));"
    ));
    // The fields are in the order of the alphabet, as older versions wrote them.
    let list = list.ok();
    let mut fields: Vec<&str> =
        list.split('"').skip(1).step_by(2).filter(|word| list.contains(&format!("\"{word}\":"))).collect();
    assert_eq!(fields.len(), 8, "{list}");
    let written = fields.clone();
    fields.sort_unstable();
    assert_eq!(written, fields, "{list}");
}

#[test]
fn an_archive_that_lacks_files_or_was_changed_is_never_restored() {
    let world = World::new();
    let keep = format!("{MAKE}volumes::keep(\"web\", dir, \"sha256:1\", [entry + #{{ files: files }}]);");
    let check = "volumes::check(volumes::of(dir));";
    let fails = |files: u8, work: &str| {
        let err = world.run(&format!("let files = {files};{keep}{work}{check}")).failed(1);
        err.lines().next().unwrap_or_default().to_owned()
    };
    assert!(fails(5, "").ends_with("1-data.new.tar.gz has 4 of 5 files"));
    assert!(fails(4, "file::append(archive, \"x\");").ends_with("has another sha256 than when it was saved"));
    assert!(fails(4, "file::remove(archive);").contains("the copy of /data is gone: "));
    let cut = "cmd(`truncate -s 100 ${archive}`).run();";
    let err = world
        .run(&format!("let files = 4;{}{check}", keep.replace("volumes::keep", &format!("{cut}volumes::keep"))))
        .failed(1);
    assert!(err.contains("the copy of /data is damaged: ") && err.contains(" cannot be read: "), "{err}");
}

#[test]
fn archives_that_lead_out_of_their_directory_are_refused() {
    let world = World::new();
    let fails = |make: &str, force: bool| {
        let remake = format!("cmd(`rm -f ${{archive}}`).run(); sh(`{make}`).run();");
        world.run(&format!("{MAKE}{remake}volumes::refuse_unsafe([entry], {force});"))
    };
    let out = "cd ${data}; tar -czPf ${archive} --transform 's,^a b,../../x,' 'a b'";
    assert!(fails(out, true).failed(1).contains("has a path that leads out of /data: "));
    let setuid = "cd ${data}; chmod 4755 'a b'; tar -czf ${archive} .";
    let err = fails(setuid, false).failed(1);
    assert!(err.contains("has a device or a setuid file: ") && err.contains("--force restores it anyway"), "{err}");
    fails(setuid, true).ok();
}

#[test]
fn a_broken_or_strange_list_is_an_error_with_its_path() {
    let world = World::new();
    let list = format!("{MAKE}cmd(`mkfifo ${{dir}}/volumes.json`).run(); volumes::of(dir);");
    assert!(world.run(&list).failed(1).contains("volumes.json is not a regular file"));
    let list = format!("{MAKE}file::write(dir + \"/volumes.json\", \"{{\"); volumes::of(dir);");
    assert!(world.run(&list).failed(1).contains("read the list `/"));
    // A list of one version does not stop the removal of partial archives of the others.
    let text = "file::write(dir + \"/volumes.json\", \"{\"); let other = volumes::make_dir(backups, \"web\", \"Nov\");
        file::write(other + \"/1-x.tar.zst.part\", \"\"); volumes::remove_all_partial(backups, \"web\");
        print(glob(other, \"*\").len());";
    assert_eq!(world.run(&format!("{MAKE}{text}")).ok(), "0\n");
}

#[test]
fn a_copy_is_unpacked_beside_the_old_data_only_in_a_free_place_of_root() {
    let world = World::new();
    let text = "let place = file::temp_dir() + \"/data\"; file::mkdir(place); let beside = place + \".new\";";
    let unpack = "volumes::unpack_beside(entry, place, beside); print(file::read(beside + \"/sub/x\").trim());";
    let gave = world.run(&format!("{MAKE}{text}{unpack}"));
    if rustix::process::getuid().is_root() {
        assert_eq!(gave.ok(), "deep\n");
    } else {
        assert!(gave.failed(1).contains("is not a safe place to restore to"));
    }
    let taken = world.run(&format!("{MAKE}{text}file::link(\"/nowhere\", beside);{unpack}")).failed(1);
    assert!(taken.contains("data.new exists already; nothing was restored"), "{taken}");
}
