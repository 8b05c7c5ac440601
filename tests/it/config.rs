//! The names, kinds and values of `config.rhai` and `rules.rhai` are checked by `moyai check` and before every run.

use crate::common::World;

/// Each of these stops a run with exit code 2. `check` prints the line and the fix.
const NAMES: &[(&str, &str, &str)] = &[
    ("const SITE = #{};", "does not read the constant `SITE`", "const SITES"),
    ("\nconst sites = #{};", "does not read the constant `sites`", "const SITES"),
    ("let SITES = #{};", "`SITES` is a variable", "const SITES"),
    ("let SITE = #{};", "`SITE` is a variable", "const SITES"),
    ("const CERT_DAY = 5;", "does not read the constant `CERT_DAY`", "const CERT_DAYS"),
    ("const MAILTO = \"root\";", "does not read the constant `MAILTO`", "const TELL"),
    ("const TELL = [];\nconst TELL = [\"syslog:\"];", "`TELL` is set twice", "line 1"),
    ("if 1 == 1 { const SITES = #{}; }", "inside a block", "const SITES"),
    ("const backs_up = |c| true;", "but this is a constant", "fn backs_up(c)"),
    ("fn SITES() { #{} }", "but this is a function", "const SITES"),
    ("fn back_up(c) { true }", "does not call the function `back_up`", "fn backs_up(c)"),
    ("fn Backs_Up(c) { true }", "does not call the function `Backs_Up`", "fn backs_up(c)"),
    ("fn proof(c) { \"true\" }", "does not call the function `proof`", "fn verify(c)"),
    ("fn proof(c) { \"run\" } fn how(c) { proof(c) }", "does not call the function `proof`", "fn verify(c)"),
    ("fn proof_with(c) { [] }", "does not call the function `proof_with`", "fn verify_with(c)"),
    ("fn proof_for(c) { [] }", "does not call the function `proof_for`", "fn verify_for(c)"),
    ("const PROOF_WAIT = 60;", "does not read the constant `PROOF_WAIT`", "const VERIFY_WAIT"),
    ("const PROOF_STAYS = 9;", "does not read the constant `PROOF_STAYS`", "const VERIFY_STAYS"),
    ("fn backs_up() { false }", "`backs_up` with 1 argument, but this one takes 0", "fn backs_up(c)"),
    ("fn versions(when) { [] }", "`versions` with 2 arguments, but this one takes 1", "fn versions(when, taken)"),
    ("fn ping(a, b, c) { a }", "`ping` with 2 arguments, but this one takes 3", "fn ping(address, what)"),
    ("private fn backs_up(c) { false }", "it is private", "private fn"),
    ("fn backs_up(c) { \"no\" }", "returns text, but moyai needs true or false", "true or false"),
    ("fn backs_up(c) { }", "returns nothing, but moyai needs true or false", "true or false"),
    ("fn how(c) { \"freeze\" }", "not \"freeze\"", "\"pause\""),
    ("const DISKS = \"/\";", "DISKS is an array, not text", "const DISKS = [\"/\"];"),
    ("const DISKS = [5];", "an absolute path in each place, but 5 is not one", "const DISKS"),
    ("const TELL = \"syslog:\";", "TELL is an array, not text", "const TELL = [\"syslog:\"];"),
    ("const CERT_DAYS = \"10\";", "CERT_DAYS is a number, 0 or more, not text", "const CERT_DAYS = 10;"),
    ("const HOOK_TAKES = 30;", "HOOK_TAKES is a time such as \"30s\", not a number", "\"30s\""),
    ("const METRICS = 5;", "that ends with .prom", "const METRICS"),
    ("const REPORT = true;", "REPORT is \"change\" or \"always\", not true or false", "const REPORT"),
    ("const PINGS = [];", "PINGS is a map, not an array", "const PINGS"),
];

/// `check` reports each of these as an error. Runs only skip the entry.
const VALUES: &[(&str, &str, &str)] = &[
    ("const BACKUPS = \"backups\";", "BACKUPS is an absolute path, not \"backups\"", "const BACKUPS"),
    ("const HOOK_TAKES = \"soon\";", "HOOK_TAKES is a time such as \"30s\", not \"soon\"", "\"10m\""),
    ("const CERT_DAYS = -1;", "CERT_DAYS is a number, 0 or more, not -1", "const CERT_DAYS"),
    ("const DISKS = [\"var\"];", "but \"var\" is not one", "const DISKS"),
    ("const PINGS = #{ bakup: \"https://hc-ping.com/x\" };", "there is no script `bakup`", "did you mean `backup`?"),
    ("const PINGS = #{ prove: \"https://hc-ping.com/x\" };", "there is no script `prove`", "did you mean `verify`?"),
    ("const TELL = [\"/opt/none.py\"];", "there is no program /opt/none.py", "install it"),
    ("const TELL = [#{ to: \"no-such-tweet now\" }];", "there is no program no-such-tweet", "install it"),
    ("const DIGEST = [\"/opt/none.py\"];", "DIGEST: there is no program /opt/none.py", "install it"),
    ("const REPORT = \"never\";", "REPORT is \"change\" or \"always\", not \"never\"", "const REPORT"),
    ("const METRICS = \"moyai.prom\";", "that ends with .prom, or \"\", not \"moyai.prom\"", "const METRICS"),
    ("const TELL = [\"slack+https://hooks.slack.com\"];", "secret `slack`: it does not exist", "mode 0600"),
    ("const SITES = [#{ url: \"http://a/\", bearer: \"tok\" }];", "secret `tok`: it does not exist", "mode 0600"),
    ("const PINGS = #{ backup: \"https://a/#key\" };", "secret `key`: it does not exist", "mode 0600"),
    (
        "const SITES = [#{ name: \"a\", url: \"http://a/\" },\n #{ name: \"a\", url: \"http://b/\" }];",
        "two sites have the name a",
        "give one of them another",
    ),
    ("const SITES = [#{ uri: \"http://a/\" }];", "a site has no `url`", "write a site like `#{ url: "),
    ("const SITES = #{ \"http://a/\": 5 };", "a word is text", "write it like `const SITES = #{"),
    ("const SITES = [\"http://a/\", \"http://a/\"];", "two sites have the name http://a/", "give one of them another"),
    (
        "const SITES = [#{ name: \"p\", command: \"no-such-pool x\" }];",
        "there is no program no-such-pool",
        "install it",
    ),
    ("const REMIND = \"da\" + \"ily\";", "REMIND is a time such as \"30s\", or \"\", not \"daily\"", "const REMIND"),
];

fn world(config: &str) -> World {
    let world = World::new();
    world.script("config", config).script("mine", "print(\"ran\");");
    world
}

#[test]
fn a_wrong_name_or_kind_is_an_error_with_its_line_and_the_fix() {
    for (config, message, help) in NAMES.iter().chain(VALUES) {
        let gave = world(config).moyai(["check", "config"]);
        assert_eq!(gave.code, 2, "{config}");
        assert!(gave.err.contains(message) && gave.err.contains(help), "{config}\n{}", gave.err);
        let line = if config.starts_with('\n') || message.contains("twice") { 2 } else { 1 };
        assert!(gave.err.contains(&format!("config.rhai:{line}:")), "{config}\n{}", gave.err);
    }
}

#[test]
fn a_wrong_name_or_kind_stops_every_script_before_its_first_line() {
    for (config, message, _) in NAMES {
        let world = world(config);
        let err = world.moyai(["run", "mine"]).failed(2);
        assert!(err.contains(message), "{config}\n{err}");
        let err = world.moyai(["run", "report", "-n"]).failed(2);
        assert!(err.contains(message), "{config}\n{err}");
    }
    // A wrong entry only affects its site or target.
    for (config, ..) in VALUES {
        assert_eq!(world(config).moyai(["run", "mine"]).ok(), "ran\n", "{config}");
    }
}

#[test]
fn a_correct_configuration_is_accepted() {
    for config in [
        "",
        "const SITES = #{};",
        "export const SITES = [\"http://a/\", \"http://b/\"];",
        "const SITES = [#{ url: \"http://a/\", words: regex(\"a+\") }, #{ name: \"b\", url: \"http://a/\" }];",
        "const DISKS = if 1 == 1 { [\"/\"] } else { [] };",
        "const ASK_AGAIN = \"\"; const REMIND = \"\"; const SEND_AGAIN = []; const METRICS = \"\"; const SICK_AFTER = 0;",
        "const SEND_AGAIN = [1, \"4s\", 2.5];",
        "const HOOK_TAKES = \"1 day\"; const BACKUPS = \"/srv/b\"; const METRICS = \"/var/lib/x.prom\";",
        "const DISC = \"/\"; const DISKS = [DISC, \"/srv\"];",
        "let all = [\"http://a/\"]; const SITES = all;",
        "fn start(c) { c.name != \"x\" } fn starts(c) { start(c) }",
        "fn backs_up(c) { if c.name == \"x\" { return false; } true } fn how(c) { \"stop\" }",
        "fn how(c) { if c.name == \"x\" { \"stop\" } else { \"run\" } } fn before(c) { `a ${c.name}` }",
        "fn versions(when, taken) { [when.format(\"%a\")] } fn verify_with(c) { [] } fn elsewhere(backup) { }",
        "fn verify(c) { proof(c) } fn proof(c) { \"true\" }",
        "fn orders() { \"\" } const SITES = [#{ name: \"o\", check: \"orders\" }];",
        "const PINGS = #{ backup: \"https://a/\", mine: \"https://b/\" }; const TELL = [\"sh\", \"syslog:\", \"mailto:root\"];",
        "import \"lib/offsite\" as offsite; fn elsewhere(b) { offsite::save(b); }",
    ] {
        let world = world(config);
        let gave = world.moyai(["check", "config"]);
        assert_eq!((gave.code, gave.err.as_str()), (0, ""), "{config}");
        assert_eq!(gave.out, "1 script checked, no errors\n");
        assert_eq!(world.moyai(["run", "mine"]).ok(), "ran\n", "{config}");
    }
}

#[test]
fn an_error_in_the_configuration_is_printed_once_however_many_scripts_import_it() {
    let world = world("const SITE = #{};");
    let err = world.moyai(["check"]).failed(2);
    assert_eq!(err.matches("does not read the constant `SITE`").count(), 1, "{err}");
}

#[test]
fn possibly_correct_settings_are_only_warnings() {
    for (config, message) in [
        ("const PINGS = #{ elsewhere_job: \"https://a/\" };", "warning: PINGS: there is no script `elsewhere_job`"),
        ("const TELL = [\"bash /opt/none.sh\"];", "warning: TELL: there is no file /opt/none.sh"),
    ] {
        let gave = world(config).moyai(["check", "config"]);
        assert_eq!(gave.code, 0, "{}", gave.err);
        assert!(gave.err.contains(message) && gave.err.contains("help: "), "{}", gave.err);
    }
}

#[test]
fn wrong_rules_are_found_with_their_line() {
    for (rules, message) in [
        ("evry(\"0 3 * * *\", \"backup\");", "every"),
        ("every(\"0 3 * * *\", \"bakup\");", "did you mean `backup`?"),
        ("every(\"0 3 * * *\", \"prove\", [\"blog\"]);", "did you mean `verify`?"),
        ("every(\"0 3 * * *\", \"backup\", [\"--prove\"]);", "did you mean `--verify`?"),
        ("every(\"0 3 * * *\");", "every(line, script"),
        ("every(\"0 25 * * *\", \"backup\");", "25"),
        ("every(\"0 3 * * *\", \"backup\", [], #{ catchup: 1 });", "catch_up"),
        ("every(\"0 3 * * *\", \"backup\", [], #{ retry: \"often\" });", "retry"),
        ("on(\"container begin\", \"backup\");", "begin"),
    ] {
        let world = World::new();
        world.script("rules", rules);
        let err = world.moyai(["check", "rules"]).failed(2);
        assert!(err.contains(message) && err.contains("rules.rhai:1:"), "{rules}\n{err}");
    }
    let world = World::new();
    world.script("rules", "every(\"0 3 * * *\", \"backup\");\nalarm(\"/opt/none.py\");");
    let gave = world.moyai(["check", "rules"]);
    assert_eq!(gave.code, 0, "{}", gave.err);
    assert!(gave.err.contains("warning: alarm:") && gave.err.contains("rules.rhai:2:"), "{}", gave.err);
}

#[test]
fn doctor_reads_a_partial_configuration_as_runs_do() {
    let line = |config: &str| {
        let out = world(config).moyai(["doctor"]).out;
        out.lines().skip_while(|line| !line.contains("  config ")).take(2).collect::<Vec<_>>().join("\n")
    };
    let found = line("const SITES = #{ \"http://a/\": \"x\" };");
    assert!(found.starts_with("ok") && found.contains("1 in SITES, 0 in TELL"), "{found}");
    let found = line("const TELL = [\"syslog:\"];");
    assert!(found.starts_with("warn") && found.contains("SITES is empty"), "{found}");
    let found = line("const SITE = #{};");
    assert!(found.starts_with("fail") && found.contains("the constant `SITE`") && found.contains("SITES"), "{found}");
}

#[test]
fn the_labels_of_an_older_version_still_configure_the_verification() {
    let script = "import \"config\" as config;
        let c = #{ labels: #{ \"moyai.proof\": \"true\", \"moyai.proof.with\": \"a b\", \"moyai.proof.for\": \"c\" } };
        print([config::verify(c), config::verify_with(c), config::verify_for(c)]);
        c.labels[\"moyai.verify\"] = \"false\"; print(config::verify(c));";
    assert_eq!(World::new().run(script).ok(), "[\"true\", [\"a\", \"b\"], [\"c\"]]\nfalse\n");
}
