//! The names and the libraries of other languages, and what they are here.

/// What other languages name, and what it is here.
const NAMES: &[(&str, &str)] = &[
    ("None null nil NULL undefined Null Nil nullptr", "()"),
    ("True TRUE yes Yes on", "true"),
    ("False FALSE no No off", "false"),
    ("argv ARGV ARGS argc", "args"),
    ("ENV environ _ENV", "env(\"NAME\")"),
    ("self", "this"),
    ("stdin STDIN", "file::lines(\"/dev/stdin\")"),
    ("stderr STDERR", "warn(\"...\")"),
    ("stdout STDOUT", "print(\"...\")"),
    ("RANDOM", "random(0, 32767)"),
    ("SECONDS EPOCHSECONDS", "now().epoch"),
    ("HOSTNAME", "$(`hostname`)"),
    ("UID EUID", "$(`id -u`)"),
    (
        "require include using",
        "import \"lib/notify\" as notify;` for a script of moyai; `moyai api` lists what is there without an import, such as `file::read(path)",
    ),
    ("panic raise", "die(\"...\");"),
    ("array Array tuple", "[1, 2, 3]"),
    ("dict object hash", "#{ name: \"web\", port: 80 }"),
    ("pass", "{}"),
    ("PIPESTATUS", "cmd(`...`).code()"),
];

/// The members of other languages' libraries: names of objects, then names of members.
const MEMBERS: &[(&str, &str)] = &[
    ("environ getenv env", "env(\"NAME\")"),
    ("argv", "args"),
    ("log info debug println Println WriteLine Printf printf print out", "print(\"...\")"),
    ("error warn warning Error", "warn(\"...\")"),
    ("exit Exit abort", "exit(1)"),
    ("system popen run call Popen check_output check_call execSync exec spawn Command", "cmd(`...`).run()"),
    ("exists existsSync", "file::exists(path)"),
    ("isfile", "file::is_file(path)"),
    ("isdir", "file::is_dir(path)"),
    ("join", "`${dir}/${name}`"),
    ("basename", "basename(path)"),
    ("dirname", "dirname(path)"),
    ("listdir readdir readdirSync", "glob(\"*\")"),
    ("remove unlink unlinkSync", "file::remove(path)"),
    ("rmtree", "file::remove_all(path)"),
    ("mkdir makedirs mkdirSync", "file::mkdir(path)"),
    ("rename renameSync move", "file::rename(from, to)"),
    ("copy copyfile copyFileSync", "file::copy(from, to)"),
    ("readFile readFileSync ReadFile", "file::read(path)"),
    ("writeFile writeFileSync WriteFile", "file::write(path, text)"),
    ("sleep", "sleep(\"1s\")"),
    ("now today time", "now()"),
    ("strftime", "now().format(\"%F\")"),
    ("get", "http::get(url)"),
    ("post", "http::post(url, body)"),
    ("loads parse", "parse_json(text)"),
    ("dumps stringify", "value.to_json()"),
    ("match search test", "text.matches(\"pattern\")"),
    ("sub", "text.sub(\"pattern\", \"text\")"),
    ("floor round ceil abs sqrt", "x.floor()`, `x.round()`, `x.abs()"),
    ("max", "[a, b].max()"),
    ("min", "[a, b].min()"),
    ("random randint", "random(1, 6)"),
    ("getcwd cwd", "$(`pwd`)"),
    ("gethostname hostname", "$(`hostname`)"),
    ("keys", "map.keys()"),
    ("values", "map.values()"),
];
const OBJECTS: &str = "console os sys process subprocess System fmt Console logger logging fs path Math math JSON json \
                       time datetime re requests shutil random socket axios Object Date Deno Bun platform glob pathlib";

/// What a name of another language is called here.
pub fn name(name: &str) -> Option<String> {
    let known = NAMES.iter().find(|(names, _)| names.split(' ').any(|known| known == name));
    known.map(|(_, ours)| format!("write `{ours}`"))
}

/// For an unknown name in capitals: it is probably a variable of the environment.
pub fn environment(name: &str) -> Option<String> {
    let shouted = name.len() > 2 && name.chars().all(|char| char.is_ascii_uppercase() || char == '_');
    shouted.then(|| {
        format!(
            "write `env(\"{name}\")` for a variable of the environment; a constant is declared: `const {name} = ...;`"
        )
    })
}

/// What a member of another language's library is called here: `console.log`, `os.path.exists`.
pub fn member(object: &str, members: &[&str]) -> Option<String> {
    if !OBJECTS.split_whitespace().any(|known| known == object) {
        return None;
    }
    let of = |member: &&str| MEMBERS.iter().find(|(names, _)| names.split(' ').any(|known| known == *member));
    let known = members.iter().rev().find_map(of);
    // `process.env.HOME`, `os.environ["HOME"]`
    let named = match members {
        [.., "env" | "environ", name] => Some(*name),
        _ => None,
    };
    match (known, named) {
        (_, Some(name)) => Some(format!("write `env(\"{name}\")`")),
        (Some((_, ours)), None) => Some(format!("write `{ours}`")),
        _ => Some("`moyai api` lists what there is; `moyai api WORD` looks for a word".to_owned()),
    }
}
