//! Names in bash and other languages, and their counterparts in moyai.

/// Lines that replace a word.
const LINES: &[(&str, &str)] = &[
    ("awk", "x.field(2)"),
    ("case", "switch x { \"a\" => ..., _ => ... }"),
    ("cat", "file::read(path)"),
    ("cd", "cmd(`...`).dir(path)"),
    ("chgrp", "file::chown(path, \":group\")"),
    ("chmod", "file::mode(path, \"0644\")"),
    ("chown", "file::chown(path, \"user:group\")"),
    ("cp", "file::copy(from, to)"),
    ("curl wget", "http::get(url)"),
    ("date", "now().format(\"%F\")"),
    ("declare export local", "let name = value;"),
    ("defer trap", "defer(|| ...);"),
    ("each foreach", "for x in list { ... }"),
    ("echo print printf println", "print(\"...\");"),
    ("ENV environ", "env(\"NAME\")"),
    ("elif", "else if x { ... }"),
    ("exec system", "cmd(`...`).run();"),
    ("exit", "exit(1);"),
    ("function", "fn name(arguments) { ... }"),
    ("getopts", "flag(\"q\")`, `opt(\"f\", \"default\")"),
    ("hostname", "$(`hostname`)"),
    ("input", "ask(\"...\")"),
    ("length size", "x.len()`, of lines `x.count()"),
    ("ln", "file::link(target, path)"),
    ("lower lowercase", "x.to_lower()"),
    ("ls", "glob(\"*\")"),
    ("mktemp", "file::temp_dir()"),
    ("mv", "file::rename(from, to)"),
    ("pwd", "$(`pwd`)"),
    ("rand", "random(1, 6)"),
    ("read", "ask(\"...\")`, for the lines of stdin `file::lines(\"/dev/stdin\")"),
    ("readonly", "const NAME = value;"),
    ("rm rmdir", "file::remove(path)"),
    ("sed", "x.sub(\"pattern\", \"text\")"),
    ("seq", "range(1, 4)"),
    ("shift", "args.skip(1)"),
    ("sleep", "sleep(\"1s\");"),
    ("slice", "x.sub_string(from, count)`, of a list `x.extract(from, count)"),
    ("source", "import \"lib\" as lib;"),
    ("stat", "file::size(path)`, `file::modified(path)`, `file::mode(path)`, `file::owner(path)"),
    ("strip", "x.trim()"),
    ("substr substring", "x.sub_string(from, count)"),
    ("tac", "x.reversed()"),
    ("test", "file::exists(path)"),
    ("touch", "file::append(path, \"\")"),
    ("tr", "x.replace(\"from\", \"to\")"),
    ("uniq", "x.unique()"),
    ("unset", "name = ();"),
    ("upper uppercase", "x.to_upper()"),
    ("wc", "x.count()"),
    ("whoami", "$(`whoami`)"),
    ("words", "x.split()"),
];

/// Lines that replace a call, for words that are also good names of variables and for names with a dot.
/// Capitals and `_` do not count, and a word that begins with a dot is a method.
const CALLS: &[(&str, &str)] = &[
    ("command.input command.write command.send", "x.stdin(text)"),
    ("command.cwd command.chdir command.workdir command.pushd", "x.dir(path)"),
    ("command.save command.tee command.redirect command.outputto", "x.to_file(path)"),
    ("command.environ command.environment command.setenv", "x.env(\"NAME\", value)"),
    ("command.background command.async command.nohup", "x.start();"),
    ("command.limit command.deadline", "x.timeout(\"30s\")"),
    ("command.repeat command.tries command.retries", "x.retry(3, \"2s\")"),
    ("time.add time.after time.adddays time.addhours", "x.plus(\"1 day\")"),
    ("time.sub time.minus time.before time.subtract", "x.ago(\"1 day\")"),
    ("time.toiso time.isoformat time.iso time.strftime time.tostr time.date", "x.format(\"%F\")"),
    ("time.unix time.timestamp time.gettime time.seconds", "x.epoch"),
    (".add .append .enqueue .pushback", "x.push(value)"),
    (".any", "x.some(|y| ...)"),
    (".collect .tolist", "x.to_array()"),
    (".count .length .size", "x.len()`, of lines `x.count()"),
    (".del .delete .discard", "map.remove(\"name\")"),
    (".each .foreach .apply", "for y in x { ... }"),
    (".json .tojson .parse", "parse_json(text)`, of a page `parse_json(page.body)"),
    ("require include load dofile", "import \"lib\" as lib;"),
    ("map filter reduce sorted reversed", "x.map(|y| ...)"),
    ("open fopen", "file::read(path)`, `file::write(path, text)"),
    ("sum max min", "list.sum()`, `list.max()`, `list.min()"),
    (".every", "x.all(|y| ...)"),
    (".exec .execute .call .start .spawn .wait", "x.run();"),
    (".get .fetch .at", "x[0]`, of a map `x[\"name\"]"),
    (".select .where", "x.filter(|y| ...)"),
    (".stdout .out .result .text .output .capture", "x.read()"),
    (".success .succeeded .failed .check", "x.ok()"),
    (".status .exitcode .returncode", "x.code()"),
    (
        "alert console.log console.error console.info fmt.println logger.info logging.info puts say stdout system.out.println",
        "print(\"...\");",
    ),
    ("logger.error logger.warning logging.error logging.warning eprint eprintln", "warn(\"...\");"),
    ("math.abs math.ceil math.floor math.round", "x.floor()`, `x.ceiling()`, `x.round()`, `x.abs()"),
    ("math.max math.min", "[a, b].max()`, `[a, b].min()"),
    ("math.random random.choice random.randint random.random", "random(1, 6)"),
    ("object.keys object.values", "map.keys()`, `map.values()"),
    ("glob.glob", "glob(\"*\")"),
    ("date.now datetime.datetime.now", "now()"),
    ("bool boolean", "x == \"yes\""),
    ("chdir os.chdir", "cmd(`...`).dir(path)"),
    ("date.today datetime.now datetime.today strftime today", "now().format(\"%F\")"),
    ("dict map object", "#{ name: value }"),
    ("enumerate", "for (x, i) in list { ... }"),
    ("endswith hassuffix", "x.ends_with(\"text\")"),
    ("explode", "x.split(\",\")"),
    ("float double parsefloat tof", "\"1.5\".to_float()"),
    ("getattr getitem", "map[\"name\"]"),
    ("group groups", "x.find(\"a(.*)b\")"),
    ("haskey containskey hasownproperty", "\"name\" in map"),
    ("implode", "x.join(\",\")"),
    ("includes has hasitem", "x.contains(y)"),
    ("int integer parseint atoi toi toint number tonumber", "\"5\".to_int()"),
    ("isblank isnull isnil", "x.is_empty()"),
    ("isinstance typeof", "type_of(x)"),
    ("items entries", "for key in map.keys() { ... }"),
    ("json.dumps json.stringify json.encode tojson dumps stringify", "x.to_json()"),
    ("json.loads json.parse json.load json.decode fromjson jq", "parse_json(text)"),
    ("list array tuple vec", "[a, b]"),
    ("os.environ os.environ.get os.getenv process.env", "env(\"NAME\")"),
    ("os.gethostname socket.gethostname os.hostname", "$(`hostname`)"),
    ("os.path.exists path.exists fs.existssync", "file::exists(path)"),
    (
        "popen shell run runcommand os.system os.popen subprocess.run subprocess.call subprocess.checkoutput subprocess.popen",
        "cmd(`...`).run();",
    ),
    ("process.exit sys.exit os.exit quit", "exit(1);"),
    ("cwd getcwd os.getcwd process.cwd", "$(`pwd`)"),
    ("re.match re.search regex.match", "x.matches(\"pattern\")"),
    ("re.sub regsub gsub replaceall", "x.sub(\"pattern\", \"text\")"),
    ("sprintf string.format", "[a, b].format(\"%s %5d\")"),
    ("splitlines eachline readlines", "x.lines()"),
    ("startswith hasprefix beginswith", "x.starts_with(\"text\")"),
    ("str string tostring tos", "`${x}`"),
    ("strlen", "x.len()"),
    ("strtolower tolower tolowercase downcase lowercase lower lcase", "x.to_lower()"),
    ("strtoupper toupper touppercase upcase uppercase upper ucase capitalize", "x.to_upper()"),
    ("sys.argv process.argv", "args[0]"),
    ("time.sleep settimeout usleep delay pause sleepms", "sleep(\"1s\");"),
    ("trimstart trimend trimleft trimright lstrip rstrip chomp chop", "x.trim()"),
    ("distinct", "x.unique()"),
    ("zfill rjust ljust center padstart padend", "x.format(\"%5s\")"),
];

/// Functions by their names in other languages.
const NAMES: &[(&str, &str)] = &[
    ("move mv ren", "file::rename"),
    ("list dir entries", "file::glob file::find"),
    ("delete del unlink rm rmdir", "file::remove file::remove_all"),
    ("rm -rf|rm -r|rm -fr|rmtree|removedirs|remove_dir|remove_dir_all|delete_all", "file::remove_all"),
    ("chmod permissions umask set_mode", "file::mode"),
    ("chown chgrp set_owner", "file::chown"),
    ("symlink ln ln_s readlink hardlink", "file::link file::real_path"),
    ("mtime ctime age last_modified", "file::modified"),
    ("stat", "file::size file::modified file::mode file::owner"),
    ("is_directory isdir dir_exists", "file::is_dir"),
    ("isfile regular", "file::is_file"),
    ("exist file_exists is_there", "file::exists file::is_file"),
    ("mkdir -p|makedirs|mkdir_p|create_dir", "file::mkdir"),
    ("realpath absolute canonicalize", "file::real_path"),
    ("cp copyfile copy_file", "file::copy"),
    ("read_file read_text slurp open cat get load contents content", "file::read file::lines"),
    ("read_lines readlines", "file::lines"),
    ("write_file write_text tee echo_to_file save put create touch", "file::write file::append"),
    ("append_file add append_text", "file::append"),
    ("tmpdir tempfile mktemp tmp temp", "file::temp_dir"),
    ("listdir ls readdir list_dir", "glob file::glob file::find"),
    ("walk rglob os.walk", "file::find"),
    ("checksum sha256sum hash digest", "file::sha256"),
    ("filename name base", "file::basename"),
    ("parent folder directory", "file::dirname"),
    ("length du bytes", "file::size"),
    ("urlencode quote encodeuricomponent encode_uri uri_escape percent_encode", "url_encode"),
    ("urldecode unquote decodeuricomponent", "url_decode"),
    ("base64 b64encode btoa", "base64_encode base64_decode"),
    ("b64decode atob", "base64_decode"),
    ("rand shuf randint $RANDOM", "random"),
    ("password token pwgen uuid uuidgen", "random_text"),
    ("human_size humanize filesize numfmt format_bytes bytes_to_human", "human parse_size"),
    ("parse_bytes", "parse_size"),
    ("whereis type command_v command_exists has_command", "which"),
    ("prompt confirm input readline read", "ask"),
    ("total reduce_sum", "array.sum"),
    ("sort_by_key order", "array.sorted"),
    ("reverse_list", "array.reversed"),
    ("take limit", "array.head"),
    ("collect list", "lines.to_array"),
    ("drop", "array.skip"),
    ("maximum largest", "array.max"),
    ("minimum smallest", "array.min"),
    ("strftime format_time format_date", "time.format"),
    ("strptime parse_time parse_date mktime", "time"),
    ("timestamp unix_time unixtime", "now"),
    ("getenv environ", "env"),
    ("argv getopt getopts optparse argparse", "flag opt"),
    ("fetch wget curl request download head", "http::get http::post http::post_form"),
    ("form urlencoded multipart", "http::post_form"),
    ("upload put patch", "http::post"),
    ("docker_exec execute", "docker::exec"),
    ("log log_lines container_logs", "docker::logs"),
    ("ps containers container list all running", "docker::ps docker::ps_all"),
    ("listall stopped", "docker::ps_all"),
    ("volume", "docker::volumes"),
    ("image image_list list_images", "docker::images"),
    ("remove delete del destroy", "docker::rm"),
    ("remove_image delete_image", "docker::rmi"),
    ("kill down halt", "docker::stop"),
    ("up run", "docker::start"),
    ("reboot", "docker::restart"),
    ("resume unfreeze", "docker::unpause"),
    ("freeze suspend", "docker::pause"),
    ("save snapshot backup", "docker::commit"),
    ("get find show status describe", "docker::inspect docker::ps"),
    ("top usage", "docker::stats"),
    ("version", "docker::info"),
    ("size du", "docker::sizes"),
    ("check validate valid configtest", "nginx::test"),
    ("restart refresh start", "nginx::reload"),
    ("is_running active is_active up", "nginx::running"),
    ("list hosts vhosts upstreams", "nginx::sites nginx::servers"),
    ("sync write save set add", "hosts::update"),
    ("get list entries lines", "hosts::read"),
    ("load read", "state::get"),
    ("save write put store", "state::set"),
    ("incr increment", "state::update"),
    ("percent get free used disk df path", "df::usage"),
    ("list mounts", "df::all"),
    ("send", "http::post message::mail"),
    ("error fail abort throw raise panic", "die"),
    ("atexit cleanup finally", "defer"),
    ("mutex flock", "lock"),
];

/// Namespaces by their names in other languages.
const SPACES: &[(&str, &str)] = &[
    ("fs os io path files shutil pathlib dir", "file"),
    ("containers container podman image images", "docker"),
    ("requests web url net fetch curl axios", "http"),
    ("disk disks fs_usage usage", "df"),
    ("host dns etc_hosts", "hosts"),
    ("mail notify", "message"),
    ("kv store storage cache", "state"),
    ("wal transaction undo recovery", "journal"),
    ("web_server proxy", "nginx"),
];

/// Fields and options by their names in other languages.
const FIELDS: &[(&str, &str)] = &[
    ("ip ip_address ipaddr ipv4 addr host", "address"),
    ("ipv6 ip6", "address6"),
    ("msg text reason error description", "message"),
    ("stderr error_output", "err"),
    ("stdout output text", "out"),
    ("hint suggestion", "help"),
    ("status exit_status exit_code returncode retcode rc exit", "code"),
    ("success succeeded", "ok"),
    ("status_code statuscode http_code http_status code", "status"),
    ("text content html data json payload", "body"),
    ("time elapsed duration latency", "seconds"),
    ("percentage usage use pct used_percent", "percent"),
    ("total capacity bytes", "size"),
    ("available avail free_space", "free"),
    ("mountpoint mount_point path", "mount"),
    ("fstype filesystem", "type"),
    ("device", "source"),
    ("inodes", "inodes_percent"),
    ("container_id uuid hash", "id"),
    ("names container_name title", "name"),
    ("running up is_running", "state"),
    ("label", "labels"),
    ("started_at start_time", "started"),
    ("created_at creation date", "created"),
    ("exitcode returncode", "exit_code"),
    ("volumes binds", "mounts"),
    ("net ports", "networks"),
    ("healthy health_status", "health"),
    ("image_name", "image"),
    ("cpu_percent", "cpu"),
    ("mem ram memory_usage", "memory"),
    ("pids", "processes"),
    ("destination dst path", "target"),
    ("hostname domain", "names"),
    ("permissions perm chmod umask", "mode"),
    ("header", "headers"),
    ("auth user userpwd credentials", "basic"),
    ("token authorization", "bearer"),
    ("follow follow_redirects max_redirects location redirect", "redirects"),
    ("time_limit max_time max_timeout deadline", "timeout"),
    ("max_size size", "limit"),
    ("cwd workdir directory", "dir"),
    ("environment vars", "env"),
    ("username uid", "user"),
    ("freeze paused", "pause"),
    ("lines last count", "tail"),
    ("from after", "since"),
    ("to before", "until"),
    ("hour hh hours", "hour"),
    ("minutes min", "minute"),
    ("seconds sec", "second"),
    ("day_of_week dow wday", "weekday"),
    ("timestamp unix unixtime", "epoch"),
];

/// Answers for which there is no function.
const TOPICS: &[(&str, &str)] = &[
    (
        "cmd|cmd()|cmd(...)|command|system|subprocess|popen|run a command|exec",
        "cmd(`program arguments`) is a command as a value. Nothing runs until a method says so:
  cmd(`nginx -s reload`).run();               changes something; only printed under --dry-run
  let text = cmd(`id -un`).read();            its output; $(`id -un`) is short for this
  for line in cmd(`df`).lines() { ... }       its lines
  if cmd(`grep -q x f`).ok() { ... }          whether it succeeded
  let n = cmd(`grep -q x f`).code();          its exit status
Words are split at spaces. Quotes and `|` work as in bash. ${value} is one argument, whatever it contains, and
an array is one argument per element. \"text ${value}\" is one argument that contains the value.
For `> < & ; * ? ~ $`, the error says what to write instead. `moyai api command` lists all methods.",
    ),
    (
        "$|$()|$(...)|$(`...`)|backtick|backticks|command substitution|substitution",
        "$(`program arguments`) is the output of a command without the newlines at its end: bash's $(...). It is
short for cmd(`...`).read() and fails if the command fails. The command must be read-only, because a dry run runs it too.
  let user = $(`id -un`);
  let last = $(`sort names | tail -n 1`);",
    ),
    (
        "sh|sh()|sh(...)|bash line|shell|subshell|<(...)",
        "sh(`a line of bash`) is a command that bash runs with `set -eu -o pipefail`. Use it for bash's redirections, loops and
`$(...)`. ${value} is data there too: a word of a command, a file after `>`, an element of a `for`.
  sh(`zcat access.log.*.gz | sort -u > ${out}`).run();
Paste a line as a raw string, in which nothing is filled in: sh(#\"for f in \"${A[@]}\"; do echo $f; done\"#).run();
It has the methods of cmd(...): .run() .read() .lines() .ok() .code() and the others.",
    ),
    (
        "pretend|lib/pretend|fake|mock|mocks|pretend::host",
        "lib/pretend is a Docker host for the tests of scripts (`moyai test`), in NAME.test.rhai:
  import \"lib/pretend\" as pretend;
  fn test_it() {
      let host = pretend::host([#{ name: \"blog\", image: \"site:1\", health: \"unhealthy\" }]);
      let ran = try_script(\"monitor\", #{ answers: host });
  }
The fields of a container: address, created, exit_code, health, id, image, image_id, labels, mounts, name,
networks, oom, restarts, size, started, state, status. `moyai eject lib/pretend` copies the file for you.",
    ),
    (
        "set|set -e|set -u|set -x|set -o|set -o pipefail|pipefail|set -eu|set -euo|set -euo pipefail|errexit|nounset|xtrace",
        "There is nothing to set. A script ends at the first error, an unknown variable is found before it runs, and a
pipe fails if one of its programs fails. `moyai run -x` prints each command; `.ok()`, `.code()`, `.try_run()`
and `try { ... } catch (e) { ... }` go on after a failure.",
    ),
    (
        "args|$@|$#|$*|$1|argument|arguments|option|options|getopts|getopt",
        "`args` is the list of arguments: args[0] is $1, args.len() is $#, args.get(0) ?? \"all\" is ${1:-all}.
  for name in args { ... }            for name in \"$@\"
  flag(\"quick\"), flag(\"q\")           true with --quick, with -q
  opt(\"keep\", 7), opt(\"k\", 7)        the value of --keep VALUE or --keep=VALUE, of -k VALUE or -kVALUE
A script that calls flag or opt accepts options before and after its arguments. An unknown option ends the run with
exit code 2. Every word after `--` is an argument. A script that calls neither gets all words after its first argument
as they are, so that they can be a command: moyai run wrapper nightly bash -c 'x'. moyai's own options (-n, -x, -v,
--at, --timeout and others, see `moyai run --help`) may come before and after the name. Put `--` before words that
are not for moyai.",
    ),
    (
        "prune|docker prune|docker system prune|image prune|clean up images",
        "`moyai run prune` removes unused images and keeps backups. In a script:
  moyai::run(\"prune\", [\"--keep\", \"10d\"]);
or select volumes: for v in docker::volumes().filter(|v| !v.used) { cmd(`docker volume rm -- ${v.name}`).run(); }",
    ),
    (
        "compose|docker compose|docker-compose",
        "No function starts or stops a project. Write the command:
  cmd(`docker compose -f ${file} up -d`).run();
  let up = $(`docker compose -f ${file} ps --services --status running`);
docker::ps() has the labels com.docker.compose.project and com.docker.compose.service of each container.",
    ),
    (
        "pipe|\\||2>&1|2>|>|>>|<|<<|<<<|redirect|redirection|heredoc|here document|here-document|/dev/null",
        "cmd(`a | b`) is a pipe. `> file` is .to_file(path), `>> file` .append_to(path), `< file` .stdin(file::read(path)),
`<<< text` .stdin(text), `2>&1` .both(), `> /dev/null` .quiet(). Write text of several lines in backticks.",
    ),
    (
        "&&|\\|\\||and|or|if|test|[|[[",
        "For `a && b` write two statements: the second runs only if the first succeeds. For `a || b` write
  if !cmd(`a`).ok() { cmd(`b`).run(); }
Tests: file::exists(p) file::is_file(p) file::is_dir(p), x == \"\" for -z, x != \"\" for -n, n > 3 for -gt, text.matches(re) for =~.",
    ),
    (
        "&|nohup|background|disown|wait|jobs|bg",
        "  let job = cmd(`program`).start();   in the background, until the script ends
  job.wait();                         its result
  cmd(`program`).daemon().run();      for a program that must outlive the script",
    ),
    (
        "glob pattern|wildcard|*|**|?|globstar|nullglob",
        "for path in glob(\"logs/*.log\") { ... }, or for a directory in a variable glob(dir, \"*.log\"). Without a match the list is empty.
See also `moyai api glob` and `moyai api file::find`.",
    ),
    (
        "escape|escapes|\\n|\\t|newline|tab",
        "\"...\" has escapes, \\n \\t \\\" \\\\ \\x41 \\u00e9, but no values. `...` has values, ${x}, and several lines, but no escapes:
bash and JavaScript disagree about `\\n` there, so `moyai check` refuses it. Write \"a\\tb\", or `a${\"\\t\"}b`, or the newline itself.
Commands in backticks and regular expressions are exact: a backslash there is a backslash. #\"...\"# is exact too.",
    ),
];

pub(super) fn has(words: &str, word: &str) -> bool {
    if words.contains('|') {
        // `\|` is the pipe itself.
        let words = words.replace("\\|", "\u{1}");
        return words.split('|').any(|known| known.replace('\u{1}', "|") == word);
    }
    words.split(' ').any(|known| plain(known) == plain(word))
}

/// Returns a name without capitals and `_`: `toUpperCase`, `to_upper_case`.
fn plain(word: &str) -> String {
    word.replace('_', "").to_lowercase()
}

/// Returns the hint for a word of another language.
pub fn instead(word: &str) -> Option<String> {
    match word {
        "set" => Some("a script ends at the first error without it; `moyai run -x` shows each command".to_owned()),
        _ => {
            let (_, ours) = LINES.iter().find(|(theirs, _)| super::listed(theirs, word))?;
            Some(written(ours))
        }
    }
}

/// Returns the line that replaces a call, by the function's name: `int`, `console.log`, `toUpperCase`.
pub fn called(word: &str) -> Option<String> {
    let (_, ours) = CALLS.iter().find(|(words, _)| has(words, word))?;
    Some(written(ours))
}

/// Makes a sentence of a line. A line with backticks needs none around it.
fn written(ours: &str) -> String {
    if ours.contains('`') && !ours.contains("`,") { format!("write {ours}") } else { format!("write `{ours}`") }
}

/// Returns the namespace for a name of another language.
pub fn space(word: &str) -> Option<&'static str> {
    SPACES.iter().find(|(words, _)| has(words, word)).map(|(_, space)| *space)
}

/// Returns the fields and options that a name may mean.
pub fn fields(word: &str) -> impl Iterator<Item = &'static str> {
    FIELDS.iter().filter(move |(words, _)| has(words, word)).map(|(_, field)| *field)
}

/// Returns the functions for a word of another language.
pub fn functions(word: &str) -> Vec<&'static str> {
    NAMES.iter().filter(|(words, _)| has(words, word)).flat_map(|(_, names)| names.split(' ')).collect()
}

/// Returns the answer to a word that is about more than one function.
pub fn topic(word: &str) -> Option<&'static str> {
    TOPICS.iter().find(|(words, _)| has(words, word)).map(|(_, text)| *text)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns every name in a hint, for a test that all functions exist.
    pub fn targets() -> Vec<&'static str> {
        NAMES.iter().flat_map(|(_, names)| names.split(' ')).collect()
    }

    #[test]
    fn finds_a_word_with_any_separator_in_its_row() {
        assert_eq!(functions("move"), ["file::rename"]);
        assert_eq!(functions("rm -rf"), ["file::remove_all"]);
        assert_eq!(functions("rm"), ["file::remove", "file::remove_all"]);
        assert!(topic("|").unwrap().contains("pipe") && topic("||").unwrap().contains("ok()"));
        assert!(
            topic("set -o pipefail").is_some()
                && topic("sh").is_some()
                && topic("$").is_some()
                && topic("-rf").is_none()
        );
    }

    #[test]
    fn every_function_in_a_hint_exists() {
        let run = crate::run::Run::new(crate::run::Options::default()).unwrap();
        let all = crate::engine::functions::functions(&run);
        for name in targets() {
            let bare = name.rsplit(['.', ':']).next().unwrap_or_default();
            let known = |function: &crate::engine::functions::Function| {
                function.name == name || (name.contains('.') && function.name.ends_with(&format!(".{bare}")))
            };
            assert!(all.iter().any(known), "{name}");
        }
    }
}
