//! The repair of restores and updates that were killed, also by an older version of moyai.

use crate::common::World;

/// A host with the containers `blog` and `side`, and a note of `blog` as moyai 0.2 wrote it. `back` repairs it, and
/// returns the changes and what was printed.
const HOST: &str = r#"
import "lib/pretend" as pretend;

const NOTE = #{ name: "blog", id: "id-blog", fresh: "blog.new-1", kept: "blog.old-1", made: "id-side", volumes: ["v"],
    composed: false, runs: true, restart: "on-failure:3", engine: "" };

fn back(notes, more) {
    let answers = pretend::host([#{ name: "blog.old-1", id: "id-blog" }, #{ name: "side" }]) + #{
        "journal::repair restore": #{ blog: notes }, "journal::read restore blog": [notes, notes],
        "docker container inspect --format": "/side default private \n",
    };
    let ran = try_script("repairs", #{ answers: answers + more });
    assert(ran.code == 0 && ran.out.ends_with("1\n"), `${ran.out}${ran.err}`);
    #{ acts: ran.acts, err: ran.err.sub("^warning: ", "").trim() }
}
"#;

fn test(functions: &str) {
    let world = World::new();
    world.script("repairs", "print(replacement::repair());");
    world.script("repairs.test", &format!("{HOST}{functions}"));
    let gave = world.moyai(["test", "repairs"]);
    assert_eq!((gave.code, gave.err.as_str()), (0, ""), "{}", gave.out);
}

#[test]
fn the_old_container_gets_its_name_tag_policy_and_data_back_in_this_order() {
    test(
        r##"fn test_an_update() {
    let aside = [#{ source: "/a", copy: "/b/blog/.update/1", file: false }, #{ source: "/f", copy: "/b/blog/.update/2", file: true }];
    let note = NOTE + #{ by: "update", root: "blog", written: true, tag: #{ reference: "site:1", id: "sha256:old" }, aside: aside, later: 1 };
    let ran = back([note], #{});
    assert_eq(ran.err, "blog: an update was interrupted; repaired: rolled back to the old container");
    let rsync = "rsync --archive --hard-links --acls --xattrs --numeric-ids --delete";
    let kept = ran.acts.filter(|act| act.starts_with("# keep the note restore of blog = "))[0];
    assert(kept.contains(`"later":1`) && !kept.contains("written"), kept);
    assert_eq(ran.acts.filter(|act| act != kept), ["docker stop id-side", "docker rm id-side", "docker volume rm v",
        "docker tag sha256:old site:1", "docker rename id-blog blog", "docker update --restart on-failure:3 id-blog",
        "docker stop id-blog", `${rsync} -- /b/blog/.update/1/ /a/`, `${rsync} --inplace -- /b/blog/.update/2 /f`,
        "rm -rf --one-file-system -- /b/blog/.update", "docker start id-blog", "# close the note restore of blog"]);
    // As soon as the old container runs, its own data counts.
    let again = back([note + #{ written: false }], #{});
    assert(!again.acts.some(|act| act.starts_with("rsync")), `${again.acts}`);
}

fn test_a_new_tag_is_removed() {
    let ran = back([NOTE + #{ tag: #{ reference: "site:1", id: "" } }], #{});
    assert("docker rmi site:1" in ran.acts, `${ran.acts}`);
}

fn test_what_shares_its_network_is_restarted() {
    let more = #{ "docker container inspect --format": "/side container:id-blog private \n" };
    let ran = back([NOTE + #{ made: "id-new" }], more);
    assert_eq(ran.acts.tail(3), ["docker start id-blog", "docker restart side", "# close the note restore of blog"]);
}
"##,
    );
}

#[test]
fn restored_data_is_exchanged_back_only_where_it_is() {
    test(
        r##"fn test_swaps() {
    let note = NOTE + #{ made: "", swaps: [#{ place: "/a", beside: "/a.1", bind: true, inode: "1:2" }] };
    let at = |place, beside| back([note], #{ "file::exists /a": true, "file::exists /a.1": true,
        "stat --format %d:%i /a": place, "stat --format %d:%i /a.1": beside }).acts.filter(|act| act.contains("/a"));
    let exchange = "mv -T -- /a /a.exchange && mv -T -- /a.1 /a && mv -T -- /a.exchange /a.1";
    let remove = "rm -rf --one-file-system -- /a.1";
    assert_eq(at.call("1:2", "1:2"), [exchange, remove]);
    assert_eq(at.call("1:1", "1:2"), [remove]);
    assert_eq(at.call("1:1", "1:3"), []);
}
"##,
    );
}

#[test]
fn a_settled_restore_is_completed_and_one_without_its_old_container_is_kept() {
    test(
        r##"fn test_settled() {
    let answers = #{ "docker inspect id-blog": pretend::inspected([#{ name: "blog.old-1", id: "id-blog" }]) };
    let ran = back([NOTE + #{ settled: true, composed: true }], answers);
    assert_eq(ran.err, "blog: a restore was interrupted; repaired: completed");
    let acts = ran.acts.filter(|act| act.starts_with("docker"));
    // Older versions did not note the name of the image.
    assert(acts[0].starts_with("docker commit ") && acts[0].ends_with(" id-blog backup/blog:replaced-blog"), acts[0]);
    assert_eq(acts.skip(1), ["docker rm id-blog"]);
}

fn test_gone() {
    let ran = back([NOTE + #{ id: "id-gone" }], #{});
    assert(ran.err.contains("blog: the old container is gone; the new one is kept"), ran.err);
    let acts = ran.acts.filter(|act| act.starts_with("docker"));
    assert_eq(acts, ["docker rename id-side blog", "docker start id-side"]);
}
"##,
    );
}
