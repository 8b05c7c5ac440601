//! What `moyai check` knows about moyai's own names: functions, their arguments and options, fields of their results,
//! names in `config.rhai`. Each line is a mistake, and a word that its help must contain.

use crate::common::World;

/// Checks each script. Its help must contain the word.
fn helped(name: &str, scripts: &[(&str, &str)]) {
    let world = World::new();
    let missed: Vec<String> = scripts
        .iter()
        .filter_map(|(script, word)| {
            world.script(name, script);
            let gave = world.moyai(["check", name]);
            let help = gave.err.split("help: ").skip(1).collect::<String>();
            (gave.code != 2 || !help.contains(word)).then(|| format!("{script}\n{word}\n{}", gave.err))
        })
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_name_from_another_language_leads_to_the_equivalent_function() {
    helped(
        "test",
        &[
            ("docker::list_all();", "docker::ps_all()"),
            ("docker::frobnicate();", "`moyai api docker`"),
            ("file::rmtree(\"x\");", "file::remove_all(path)"),
            ("fs::read(\"x\");", "file::read(path)"),
            ("docker.list();", "docker::ps()"),
            ("for c in docker::ps { }", "docker::ps()"),
            ("docker_stop(\"x\");", "docker::stop(name)"),
            ("restart_container(\"x\");", "docker::restart(name)"),
            ("if os.path.exists(\"x\") { }", "file::exists(path)"),
            ("print(process.env.HOME);", "env("),
            ("print(\"x\".toUpperCase());", "x.to_upper()"),
            ("print(\"x\".starts_With(\"a\"));", "starts_with("),
            ("print([1].size());", "x.len()"),
            ("print(parseInt(\"5\"));", ".to_int()"),
            ("print(foo);", "let foo = ...;"),
        ],
    );
}

#[test]
fn a_wrong_number_of_arguments_lists_the_forms_of_the_function() {
    helped(
        "test",
        &[
            ("file::write(\"x\");", "`file::write(path, text)` or `file::write(path, text, options)`"),
            ("docker::commit(\"x\");", "docker::commit(name, reference)"),
            ("print(\"a\".replace(\"b\"));", ".replace(from, to)"),
            ("cmd(`date`).retry(3).run();", ".retry(times, pause)"),
            ("cmd(`date`).env(\"A=B\").run();", ".env(name, value)"),
            ("fn greet(who) { print(who); } greet();", "greet(who)"),
            ("range(3);", "range(from, to)"),
        ],
    );
}

#[test]
fn an_argument_of_the_wrong_kind_suggests_a_conversion() {
    helped(
        "test",
        &[
            ("print(int(\"5\"));", ".to_int()"),
            ("for c in docker::ps() { docker::stop(c); }", "c.name"),
            ("docker::exec(\"x\", \"id -un\").run();", "[\"id\", \"-un\"]"),
            ("let a = []; a.append(1);", "x.push(value)"),
            ("print(cmd(`date`).trim());", ".read()"),
            ("\"ls -l\".run();", "cmd(`ls -l`).run()"),
            // The interpreter's own `exit` would accept any value and report success.
            ("exit(\"1\");", ".to_int()"),
        ],
    );
}

#[test]
fn an_unknown_field_suggests_an_existing_one() {
    helped(
        "test",
        &[
            ("print(docker::ps()[0].nmae);", ".name"),
            ("for c in docker::ps_all() { print(c[\"sate\"]); }", ".state"),
            ("let up = docker::ps().filter(|c| c.sate == \"x\"); print(up.len());", ".state"),
            ("print(docker::ps().map(|c| c.IPAddress));", "networks[0].address"),
            ("print(docker::ps().find(|c| c.name == \"x\").nmae);", ".name"),
            ("for c in docker::ps() { for m in c.mounts { print(m.destination); } }", ".target"),
            ("fn f() { let all = docker::ps(); all.for_each(|c| print(c.nmae)); } f();", ".name"),
            ("let n = 3; print(docker::ps().filter(|c| c.nmae.len() > n));", ".name"),
            ("for c in docker::ps() { print(c.name()); }", ".name"),
            ("print(docker::ps().name);", "list[0].name"),
            ("print(df::all()[0].mountpoint);", ".mount"),
            ("print(http::post(\"http://localhost/\", \"x\").status_code);", ".status"),
            ("print(cmd(`ls`).timeout(\"1s\").try_run().exit_code);", ".code"),
            ("try { cmd(`ls`).run(); } catch (e) { print(e.stderr); }", ".err"),
            ("print(now().day_of_week);", ".weekday"),
            ("print(\"x\".length);", "x.len()"),
            ("let m = #{ name: 1 }; print(m.nmae);", ".name"),
            ("if df::usage(\"/\").percent > \"90\" { }", ".to_int()"),
        ],
    );
}

#[test]
fn unknown_options_and_wrong_option_kinds_are_named() {
    helped(
        "test",
        &[
            ("http::get(\"http://localhost/\", #{ time_out: \"5s\" });", "`timeout`"),
            ("http::get_all([#{ url: \"http://localhost/\", follow: 1 }]);", "`redirects`"),
            ("let how = #{ auth: \"a:b\" }; http::get(\"http://localhost/\", how);", "`basic`"),
            ("http::get(\"http://localhost/\", #{ redirects: \"5\" });", "redirects: 5"),
            ("file::write(\"x\", \"\", #{ mode: \"rw\" });", "\"0644\""),
            ("cmd(`date`).to_file(\"x\", #{ mod: \"0600\" });", "`mode`"),
            ("docker::logs(\"x\", #{ from: \"1h\" });", "`since`"),
        ],
    );
}

#[test]
fn check_finds_constants_that_a_function_refuses() {
    helped(
        "test",
        &[
            ("http::get(\"localhost/\");", "http://localhost/"),
            ("docker::commit(\"x\", \"Backup/x:Mon\");", "backup/blog:Mon"),
            ("print(\"a\".matches(\"*.log\"));", "backslash"),
            ("print(parse_size(\"10 gigs\"));", "1.5G"),
            ("for f in glob(\"x/*.{jpg,png}\") { }", "glob(\"x/*.jpg\") + glob(\"x/*.png\")"),
            ("for f in glob(\"x\", \"[a.log\") { }", "special"),
            ("for f in \"x/*.log\" { }", "glob(\"x/*.log\")"),
            ("for f in \"a b\" { }", "[\"a\", \"b\"]"),
            ("exit(256);", "exit(1)"),
        ],
    );
}

#[test]
fn an_unused_configuration_name_suggests_a_known_one() {
    helped(
        "config",
        &[
            ("const SITE = #{};", "const SITES"),
            ("const MAILTO = [];", "const TELL"),
            ("let DISKS = [\"/\"];", "const DISKS"),
            ("const TELL = \"mailto:root\";", "const TELL = [\"mailto:root\"];"),
            ("const CERT_DAYS = \"10\";", "const CERT_DAYS = 10;"),
            ("fn backs_up() { true }", "fn backs_up(c)"),
            ("fn back_up(c) { true }", "fn backs_up(c)"),
            ("const SITES = [#{ url: \"http://a/\", timout: \"5s\" }];", "`timeout`"),
        ],
    );
}

#[test]
fn a_configuration_may_define_its_own_names() {
    let world = World::new();
    world.script("mine", "import \"config\" as mine; print(mine::SITE);");
    let own = "const SITE = \"x\"; const DISC = \"/\"; const DISKS = [DISC]; const OTHER = 1; fn starts(c) { start(c) } \
               fn start(c) { true } fn backs_up(c) { backs_up(c, 1) } fn backs_up(c, x) { true }";
    world.script("config", own);
    world.moyai(["check", "config"]).ok();
}
