//! `par_map` and `par_each`.

use crate::common::World;
use std::time::{Duration, Instant};

#[test]
fn results_keep_their_order_and_every_error_has_its_element() {
    let world = World::new();
    let add = "let plus = 10; print([3, 1, 2].par_map(|n| { sleep(n.to_float() / 50.0); n + plus }));";
    assert_eq!(world.run(add).ok(), "[13, 11, 12]\n");
    let err = world.run("[1, 2, 3, 4].par_each(2, |n| { if n % 2 == 0 { die(`no ` + n); } });").failed(1);
    assert!(err.contains("par_each: 2 of 4 failed: `2`: no 2; `4`: no 4"), "{err}");
    assert!(world.run("[1].par_map(0, |n| n);").failed(1).contains("`0` workers"));
    assert_eq!(world.run("print([].par_map(|n| n));").ok(), "[]\n");
}

#[test]
fn work_is_done_at_once_but_by_no_more_than_the_limit() {
    let world = World::new();
    let most = "let dir = file::temp_dir();
        let seen = (1..=8).collect().par_map(3, |n| {
            file::write(`${dir}/${n}`, ``); sleep(0.2);
            let now = file::glob(`${dir}/*`).len(); file::remove(`${dir}/${n}`); now
        });
        seen.sort(); print(seen[0 - 1]);";
    let most = most.replace("(1..=8).collect()", "[1, 2, 3, 4, 5, 6, 7, 8]");
    assert_eq!(world.run(&most).ok(), "3\n");
}

#[test]
fn a_signal_ends_all_of_it() {
    let world = World::new();
    world.script("test", "[1, 2, 3, 4].par_each(2, |n| { cmd(`touch begun${n}`).run(); cmd(`sleep 60`).run(); });");
    let mut child = world.command(["run", "test"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while !(world.path("begun1").exists() && world.path("begun2").exists()) {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!world.path("begun3").exists());
}

#[test]
fn exit_in_a_closure_ends_the_script() {
    let world = World::new();
    assert_eq!(world.run("[1, 2].par_each(1, |n| exit(7)); print(`not this`);").code, 7);
}
