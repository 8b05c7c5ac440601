//! Which containers get which lines. Names that would do harm are skipped, with a reason.

use super::Entry;
use super::containers::{Container, address};
use crate::host::resolver::Answer;
use crate::host::routes::Routes;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// The address of a needed name that nobody has. Nothing can be sent there, so nginx answers 502 for this site at once.
/// (A loopback address would lead nginx to itself, and an unused one would make it wait.)
pub const PLACEHOLDER: &str = "255.255.255.255";

/// The address of a needed name on which nginx would listen. A loopback address can always be bound.
pub const LISTENER: &str = "127.255.255.254";

/// A name that nginx needs.
#[derive(Clone, Debug, Default)]
pub struct Needed {
    /// The name.
    pub name: String,
    /// True if nginx would listen at its address.
    pub listens: bool,
    /// True if nginx reports that it cannot resolve it.
    pub missing: bool,
}

/// A name that gets no line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Skipped {
    /// The name.
    pub name: String,
    /// The reason, and what to do.
    pub reason: String,
}

impl Skipped {
    /// An alias can be any text of any length.
    fn new(name: &str, reason: String) -> Self {
        let mut shown = name.escape_debug().to_string();
        if let Some((end, _)) = shown.char_indices().nth(100) {
            shown.replace_range(end.., "...");
        }
        Self { name: shown, reason }
    }
}

/// A line of the block.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// An address, or under a dry run a placeholder such as `<address of blog>`.
    pub address: String,
    /// The container's own name first.
    pub names: Vec<String>,
}

impl Line {
    /// Returns each name separately, as `address name`.
    pub fn pairs(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| format!("{} {name}", self.address))
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.address, self.names.join(" "))
    }
}

/// What decides which names the block contains.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Every container, or those that are up.
    pub containers: &'a [Container],
    /// The entries outside the block.
    pub theirs: &'a [Entry],
    /// The current block, as `address name`.
    pub old: &'a [String],
    /// This host's name.
    pub host: &'a str,
    /// In a dry run, a container that would have been started has a placeholder as address.
    pub dry: bool,
    /// The routes of this host, if the names are for this host.
    pub routes: Option<&'a Routes>,
}

impl<'a> Scope<'a> {
    /// Returns the lines of the block, and the names of running containers that get none.
    ///
    /// A container's own name has priority. Of two that differ only in case, the one that the file has already stays.
    /// Another name is given if it is unambiguous: only one running container has it, or only replicas of one compose
    /// service, and no container, not even a stopped one, has it as its own name. Replicas get a line each: the C
    /// library and nginx use every address of a name.
    pub fn lines(self) -> (Vec<Line>, Vec<Skipped>) {
        let known = |name: &str| self.old.iter().any(|pair| pair.split_once(' ').is_some_and(|(_, had)| had == name));
        let mut alive: Vec<&Container> = self.containers.iter().filter(|one| one.alive()).collect();
        alive.sort_by_cached_key(|one| (one.name.to_lowercase(), !known(&one.name), &one.name));
        let mut taken: HashMap<String, (&str, String)> = HashMap::new();
        let (mut lines, mut skipped) = (Vec::new(), Vec::new());
        for container in &alive {
            let (name, address) = (container.name.as_str(), address(container, self.dry, self.routes));
            let harmless = harm(name, self.host).map_or(Ok(()), |what| Err(format!("{what}: rename the container")));
            let own = harmless.and_then(|()| {
                let (lower, address) = (name.to_lowercase(), address.clone()?);
                if let Some((other, its)) = taken.get(&lower) {
                    return match name == *other {
                        true if address == *its => Ok(false),
                        true => Err(format!("another container of this name has the address {its}")),
                        false => Err(format!("`{other}` differs from it only in case, and hosts names have no case")),
                    };
                }
                let free = self.free(name, &address)?;
                taken.insert(lower, (name, address));
                Ok(free)
            });
            let names = if own == Ok(true) { vec![name.to_owned()] } else { Vec::new() };
            skipped.extend(own.err().map(|reason| Skipped::new(name, reason)));
            lines.push((*container, address.map(|address| Line { address, names })));
        }

        let mut having: BTreeMap<String, (&str, Vec<usize>)> = BTreeMap::new();
        for (index, (container, _)) in lines.iter().enumerate() {
            for name in &container.further {
                having.entry(name.to_lowercase()).or_insert((name, Vec::new())).1.push(index);
            }
        }
        for (name, having) in having.into_values() {
            let who = || having.iter().map(|index| lines[*index].0.name.as_str()).collect::<Vec<_>>().join(" and ");
            let own = self.containers.iter().any(|one| one.name.eq_ignore_ascii_case(name));
            let reason = if let Some(what) = harm(name, self.host) {
                Err(format!("an alias of {}: {what}", who()))
            } else if own {
                Err(format!("an alias of {}, and a container's own name: only that container gets it", who()))
            } else if !replicas(having.iter().map(|index| lines[*index].0)) {
                Err(format!("an alias of {}: none gets it", who()))
            } else {
                Ok(())
            };
            // The reason why a container has no line is reported with its own name.
            let given = reason.and_then(|()| {
                let addressed = having.iter().filter_map(|index| Some((*index, lines[*index].1.as_ref().ok()?)));
                addressed
                    .map(|(index, line)| Ok((index, self.free(name, &line.address)?)))
                    .collect::<std::result::Result<Vec<_>, String>>()
            });
            match given {
                Ok(given) => {
                    for (index, _) in given.into_iter().filter(|(_, free)| *free) {
                        lines[index].1.iter_mut().for_each(|line| line.names.push(name.to_owned()));
                    }
                }
                Err(reason) => skipped.push(Skipped::new(name, reason)),
            }
        }
        let lines = lines.into_iter().filter_map(|(_, line)| line.ok()).filter(|line| !line.names.is_empty());
        (sorted(lines.collect()), skipped)
    }

    /// Returns the needed names that no line gives an address and that moyai may hold. Public names are not included
    /// unless nginx cannot resolve them: their name server may only be unreachable. `shop.` gets the address of `shop`:
    /// to the C library these are two names.
    pub fn unnamed(self, needed: &[Needed], lines: &mut Vec<Line>) -> Vec<String> {
        let mut unnamed: Vec<String> = Vec::new();
        for Needed { name, missing, .. } in needed {
            let same = |other: &String| other.eq_ignore_ascii_case(name);
            let plain = name.trim_end_matches('.');
            let is_plain = |names: &[String]| names.iter().any(|other| other.eq_ignore_ascii_case(plain));
            let named = lines.iter().any(|line| line.names.iter().any(same))
                || self.theirs.iter().any(|entry| entry.names.iter().any(same));
            if plain != name && !named {
                lines.iter_mut().filter(|line| is_plain(&line.names)).for_each(|line| line.names.push(name.clone()));
                let theirs = self.theirs.iter().filter(|entry| is_plain(&entry.names));
                let line = |entry: &Entry| Line { address: entry.address.to_string(), names: vec![name.clone()] };
                lines.extend(theirs.map(line));
            }
            // On a host without IPv6, nginx cannot use a name that has only an IPv6 address.
            let counts = |address: IpAddr| address.is_ipv4() || !missing;
            let has = |line: &Line| line.names.iter().any(same) && line.address.parse().map_or(true, counts);
            let theirs = self.theirs.iter().any(|entry| entry.names.iter().any(same) && counts(entry.address));
            let ours = !plain.contains('.') || *missing || self.is_ours(name);
            let has = lines.iter().any(has);
            if !has && !theirs && ours && can_be_held(name, self.host) && !unnamed.iter().any(same) {
                unnamed.push(name.clone());
            }
        }
        unnamed
    }

    /// Adds a line with the placeholder for each unnamed name that has no other address, and returns these names.
    ///
    /// A name without an answer is held too, otherwise nginx could not start while a name server is down. A name that
    /// had another address before is not held: its name server will come back, and nginx still has the old address.
    pub fn hold(
        self,
        needed: &[Needed],
        unnamed: &[String],
        answer: impl Fn(&str) -> Answer,
        lines: &mut Vec<Line>,
    ) -> Vec<String> {
        let is = |name: &str, flag: fn(&Needed) -> bool| {
            needed.iter().any(|one| flag(one) && one.name.eq_ignore_ascii_case(name))
        };
        let held = |name: &&String| match answer(name) {
            Answer::NotFound | Answer::Silent => true,
            Answer::Known | Answer::KnownBefore => false,
            Answer::Unasked => self.is_ours(name) || is(name, |one| one.missing),
        };
        let waiting: Vec<String> = unnamed.iter().filter(held).cloned().collect();
        lines.extend(waiting.iter().map(|name| {
            let address = if is(name, |one| one.listens) { LISTENER } else { PLACEHOLDER };
            Line { address: address.to_owned(), names: vec![name.clone()] }
        }));
        *lines = sorted(std::mem::take(lines));
        waiting
    }

    /// Returns whether a container has this name, or the block had it before.
    fn is_ours(self, name: &str) -> bool {
        let was = |pair: &String| pair.split_once(' ').is_some_and(|(_, had)| had.eq_ignore_ascii_case(name));
        self.old.iter().any(was) || self.containers.iter().any(|one| one.is_called(name))
    }

    /// Returns whether a name is free. If not, a line outside the block has the same address already.
    fn free(self, name: &str, address: &str) -> std::result::Result<bool, String> {
        let same = |entry: &&Entry| entry.names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let defined: Vec<&Entry> = self.theirs.iter().filter(same).collect();
        match defined.iter().find(|entry| entry.address.to_string() != address) {
            Some(entry) => Err(elsewhere(entry)),
            None => Ok(defined.is_empty()),
        }
    }
}

/// Returns whether these are one container, or the replicas of one service.
fn replicas<'a>(mut containers: impl Iterator<Item = &'a Container>) -> bool {
    let first = containers.next();
    containers.all(|other| other.service.is_some() && first.is_some_and(|first| first.service == other.service))
}

fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|one, other| one.names.cmp(&other.names));
    lines
}

/// Returns why a name must not be in a hosts file.
fn harm(name: &str, host: &str) -> Option<&'static str> {
    // `^[a-zA-Z0-9][a-zA-Z0-9_.-]+$` in moby/moby:daemon/names/names.go. A newline would start another line. Only an
    // alias or a service can have a single letter.
    let bytes = name.as_bytes();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    if bytes.is_empty() || bytes.len() > 253 || !bytes[0].is_ascii_alphanumeric() || !bytes.iter().all(part) {
        return Some("it is not a name that Docker gives");
    }
    reserved(name, host)
}

/// Returns whether a name in nginx's configuration can be in the hosts file: a name, and not an address.
fn can_be_held(name: &str, host: &str) -> bool {
    let part = |char: char| !char.is_whitespace() && !char.is_control() && !"#:/%[]".contains(char);
    !name.is_empty() && name.len() <= 253 && name.chars().all(part) && reserved(name, host).is_none()
}

/// Returns why a name does not mean a container.
fn reserved(name: &str, host: &str) -> Option<&'static str> {
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    // Names that distributions give to ::1 and the multicast groups, and RFC 6761, section 6.3.
    let family = ["localhost4", "localhost6", "localdomain", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix"];
    let local = lower == "localhost"
        || lower.ends_with(".localhost")
        || lower.starts_with("localhost.")
        || lower.ends_with(".localdomain")
        || ["ip6-localhost", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts"].contains(&lower.as_str())
        || family.iter().any(|name| lower == *name);
    if local {
        return Some("this name means the host itself");
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if lower == host || Some(lower.as_str()) == host.split('.').next() {
        return Some("it is this host's own name");
    }
    // inet_aton(3) takes one to four decimal, octal or hexadecimal numbers for an address, so programs would never look
    // the name up in the hosts file.
    let number = |part: &str| {
        let hex = part.strip_prefix("0x").map(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        hex.unwrap_or_else(|| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    lower.split('.').all(number).then_some("programs read it as a number, not as a name")
}

/// A line outside the block gives the name another address. Programs would alternate between both.
fn elsewhere(entry: &Entry) -> String {
    let (line, text) = (entry.line, &entry.text);
    if entry.is_of_2014() {
        format!("line {line}, `{text}`, gives it another address; it looks like the old script's: hosts-sync --adopt")
    } else if entry.names.len() == 1 {
        format!("line {line}, `{text}`, gives it another address: delete it, or rename the container")
    } else {
        format!("line {line}, `{text}`, gives it another address: remove the name from it, or rename the container")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::docker::Network;
    use std::collections::BTreeSet;

    fn on(driver: &str, address: &str, address6: &str) -> Network {
        let [driver, address, address6] = [driver, address, address6].map(str::to_owned);
        Network { network: format!("{driver}0"), driver, address, address6, aliases: Vec::new() }
    }

    fn container(name: &str, networks: Vec<Network>) -> Container {
        Container { name: name.to_owned(), state: "running".to_owned(), networks, ..Container::default() }
    }

    fn simple(name: &str, last: u8) -> Container {
        container(name, vec![on("bridge", &format!("172.17.0.{last}"), "")])
    }

    fn chosen(containers: &[Container], file: &str, old: &[&str]) -> (Vec<String>, Vec<String>) {
        let theirs: Vec<Entry> = super::super::entries(file.as_bytes()).collect();
        let old: Vec<String> = old.iter().map(|line| (*line).to_owned()).collect();
        let scope =
            Scope { containers, theirs: &theirs, old: &old, host: "Pier.example.org", dry: false, routes: None };
        let (lines, skipped) = scope.lines();
        let lines = lines.iter().map(Line::to_string).collect();
        (lines, skipped.into_iter().map(|skipped| format!("{}: {}", skipped.name, skipped.reason)).collect())
    }

    fn called(mut container: Container, further: &[&str]) -> Container {
        container.further = further.iter().map(|name| (*name).to_owned()).collect();
        container
    }

    /// Returns the names that are held, given these answers. Other names are not found.
    fn held(
        containers: &[Container],
        file: &str,
        old: &[&str],
        needed: &[&str],
        answers: &[(&str, Answer)],
    ) -> Vec<String> {
        let theirs: Vec<Entry> = super::super::entries(file.as_bytes()).collect();
        let old: Vec<String> = old.iter().map(|text| (*text).to_owned()).collect();
        // `!` marks a name that nginx cannot resolve, `:` one on which it would listen.
        let needed = needed.iter().map(|text| Needed {
            name: text.trim_end_matches(['!', ':']).to_owned(),
            missing: text.ends_with('!'),
            listens: text.ends_with(':'),
        });
        let needed: Vec<Needed> = needed.collect();
        let scope = Scope { containers, theirs: &theirs, old: &old, host: "pier", dry: false, routes: None };
        let mut lines = scope.lines().0;
        let unnamed = scope.unnamed(&needed, &mut lines);
        let answer = |name: &str| {
            let found = answers.iter().find(|(other, _)| *other == name);
            found.map_or(Answer::NotFound, |(_, answer)| *answer)
        };
        let waiting = scope.hold(&needed, &unnamed, answer, &mut lines);
        let held = lines.iter().filter(|line| [PLACEHOLDER, LISTENER].contains(&line.address.as_str()));
        let held = held.flat_map(|line| line.names.clone());
        assert_eq!(held.collect::<BTreeSet<_>>(), waiting.iter().cloned().collect());
        waiting
    }

    #[test]
    fn names_that_would_hurt_are_passed_over_and_others_are_not() {
        let bad = [
            "localhost",
            "LocalHost",
            "localhost.",
            "localhost.localdomain",
            "x.localhost",
            "localhost6",
            "ip6-loopback",
            "ip6-allnodes",
            "pier",
            "PIER",
            "pier.example.org",
            "10.11",
            "10",
            "127.1",
            "0x7f",
            "0x7f.1",
            "1.2.3.4",
            "0177.0.0.1",
            "10.",
            "99999999999",
            "",
            "7",
            "-",
            "-ab",
            "_ab",
            "a b",
            "ab\n10.0.0.1 cd",
            "a\tb",
            "ab#",
            "なんとか",
            "a/b",
        ];
        for name in bad {
            let (lines, skipped) = chosen(&[simple(name, 2)], "", &[]);
            assert_eq!((lines.len(), skipped.len()), (0, 1), "{name:?}: {lines:?}");
        }
        for name in [
            "blog",
            "x",
            "my_App",
            "x-",
            "a-.b",
            "1a",
            "10.blog",
            "0xg1",
            "beef",
            "a.b.c",
            "localhosts",
            "pier2",
            "example",
        ] {
            let (lines, skipped) = chosen(&[simple(name, 2)], "", &[]);
            assert_eq!(lines, [format!("172.17.0.2 {name}")], "{skipped:?}");
        }
    }

    #[test]
    fn only_an_address_that_this_host_reaches_is_taken() {
        for (networks, expected) in [
            (vec![on("macvlan", "10.0.0.2", ""), on("bridge", "172.18.0.3", "")], "172.18.0.3 blog"),
            (vec![on("bridge", "", "fd00::2"), on("bridge", "172.19.0.2", "")], "172.19.0.2 blog"),
            (vec![on("bridge", "", "FD00:0::2")], "fd00::2 blog"),
            (vec![], "blog: it has no network of its own"),
            (vec![on("host", "", "")], "blog: it shares the network of this host"),
            (vec![on("null", "", "")], "blog: it has no network"),
            (
                vec![Network { network: "container:web".into(), driver: "container".into(), ..Network::default() }],
                "blog: it shares the network of `web`, which does not run",
            ),
            (vec![on("bridge", "", "")], "blog: it has no address"),
            (
                vec![on("overlay", "10.0.1.2", "")],
                "blog: this host cannot reach it: its network `overlay0` is of the kind `overlay`",
            ),
            (
                vec![on("bridge", "1.2.3.4\n6.6.6.6 bank", "")],
                "blog: `1.2.3.4\\n6.6.6.6 bank` is not the address of a container",
            ),
            (vec![on("bridge", "127.0.0.1", "")], "blog: `127.0.0.1` is not the address of a container"),
            (
                vec![on("bridge", "<address of blog>", "")],
                "blog: `<address of blog>` is not the address of a container",
            ),
        ] {
            let (lines, skipped) = chosen(&[container("blog", networks)], "", &[]);
            assert_eq!([lines, skipped].concat(), [expected]);
        }
        let planned = container("blog", vec![on("bridge", "<address of blog>", "")]);
        let scope = Scope { containers: &[planned], theirs: &[], old: &[], host: "pier", dry: true, routes: None };
        assert_eq!(scope.lines().0[0].to_string(), "<address of blog> blog");
    }

    #[test]
    fn a_network_that_the_host_is_not_in_comes_last() {
        // 172.18.0.0/16 and fd00:1::/64.
        let network = format!("{:08X}", u32::from_ne_bytes([172, 18, 0, 0]));
        let mask = format!("{:08X}", u32::from_ne_bytes([255, 255, 0, 0]));
        let four = format!("Iface Destination\nbr-1 {network} 00000000 0001 0 0 0 {mask} 0 0 0\n");
        let six = "fd000001000000000000000000000000 40 0 00 0 00000100 00000001 00000000 00000001 br-1\n";
        let routes = Routes::parse(&four, six);
        for (networks, expected) in [
            (vec![on("bridge", "172.17.0.2", ""), on("bridge", "172.18.0.2", "")], Ok("172.18.0.2")),
            (vec![on("bridge", "172.17.0.2", "fd00:1::2")], Ok("fd00:1::2")),
            (
                vec![on("bridge", "172.17.0.2", "")],
                Err("this host cannot reach it: no route leads into its network `bridge0`"),
            ),
        ] {
            let found = address(&container("blog", networks), false, Some(&routes));
            assert_eq!(found.as_deref().map_err(String::as_str), expected);
        }
    }

    #[test]
    fn a_name_of_the_admins_is_left_to_the_admin_and_an_old_line_is_called_by_its_age() {
        let file = "127.0.0.1 localhost\n172.17.0.9 blog\n10.0.0.1 DB db.example.org # main\n172.17.0.4 same\n# 10.9.9.9 wiki\nx wiki\n";
        let containers = [simple("blog", 2), simple("db", 3), simple("same", 4), simple("wiki", 5)];
        let (lines, skipped) = chosen(&containers, file, &[]);
        assert_eq!(lines, ["172.17.0.5 wiki"]);
        assert_eq!(
            skipped,
            [
                "blog: line 2, `172.17.0.9 blog`, gives it another address; it looks like the old script's: hosts-sync --adopt",
                "db: line 3, `10.0.0.1 DB db.example.org`, gives it another address: remove the name from it, or rename the container",
            ]
        );
    }

    #[test]
    fn the_order_is_that_of_the_names_and_a_new_namesake_does_not_take_the_place() {
        let some = [simple("web", 4), simple("Blog", 2), simple("blog", 3), simple("app", 5), simple("app", 5)];
        let (lines, skipped) = chosen(&some, "", &["172.17.0.3 blog"]);
        assert_eq!(lines, ["172.17.0.5 app", "172.17.0.3 blog", "172.17.0.4 web"]);
        assert_eq!(skipped, ["Blog: `blog` differs from it only in case, and hosts names have no case"]);
        let mut backwards = some.to_vec();
        backwards.reverse();
        assert_eq!(chosen(&backwards, "", &["172.17.0.3 blog"]).0, lines);
    }

    #[test]
    fn stopped_containers_are_no_matter_and_paused_ones_keep_their_line() {
        let mut containers = [simple("gone", 2), simple("still", 3)];
        containers[0].state = "exited".to_owned();
        containers[1].state = "paused".to_owned();
        assert_eq!(chosen(&containers, "", &[]), (vec!["172.17.0.3 still".to_owned()], vec![]));
    }

    #[test]
    fn a_further_name_is_given_only_where_it_is_clear() {
        let mut stopped = simple("old", 9);
        stopped.state = "exited".to_owned();
        let stopped = called(stopped, &["cache"]);
        let containers = [
            called(simple("blog-db-1", 2), &["db", "db.blog", "Store"]),
            called(simple("shop-db-1", 3), &["db", "db.shop", "cache", "web", "old"]),
            called(simple("web", 4), &["www", "admin", "same"]),
            stopped,
        ];
        let (lines, skipped) = chosen(&containers, "10.0.0.1 admin\n172.17.0.4 same\n", &[]);
        assert_eq!(
            lines,
            [
                "172.17.0.2 blog-db-1 db.blog Store",
                // The stopped container has an alias, not a name of its own.
                "172.17.0.3 shop-db-1 cache db.shop",
                "172.17.0.4 web www",
            ]
        );
        assert_eq!(
            skipped,
            [
                "admin: line 1, `10.0.0.1 admin`, gives it another address: delete it, or rename the container",
                "db: an alias of blog-db-1 and shop-db-1: none gets it",
                "old: an alias of shop-db-1, and a container's own name: only that container gets it",
                "web: an alias of shop-db-1, and a container's own name: only that container gets it",
            ]
        );
    }

    #[test]
    fn replicas_of_one_service_share_its_names_and_nobody_else_does() {
        let replica = |name: &str, last, project: &str, service: &str, names: &[&str]| Container {
            service: Some((project.to_owned(), service.to_owned())),
            ..called(simple(name, last), names)
        };
        let mut gone = replica("shop-web-3", 9, "shop", "web", &["web", "w"]);
        gone.state = "exited".to_owned();
        let web = ["web", "w", "web.shop", "api", "mine", "taken"];
        let containers = [
            replica("shop-web-2", 3, "shop", "web", &web),
            replica("shop-web-1", 2, "shop", "web", &web),
            gone,
            replica("shop-api-1", 4, "shop", "api", &["api"]),
            simple("mine", 5),
        ];
        let (lines, skipped) = chosen(&containers, "10.0.0.1 taken\n", &[]);
        assert_eq!(
            lines,
            [
                "172.17.0.5 mine",
                "172.17.0.4 shop-api-1",
                "172.17.0.2 shop-web-1 w web web.shop",
                "172.17.0.3 shop-web-2 w web web.shop",
            ]
        );
        assert_eq!(
            skipped,
            [
                "api: an alias of shop-api-1 and shop-web-1 and shop-web-2: none gets it",
                "mine: an alias of shop-web-1 and shop-web-2, and a container's own name: only that container gets it",
                "taken: line 1, `10.0.0.1 taken`, gives it another address: delete it, or rename the container",
            ]
        );
        // The same service name in two projects is not the same service.
        let two = [replica("a-web-1", 2, "a", "web", &["web"]), replica("b-web-1", 3, "b", "web", &["web"])];
        assert_eq!(chosen(&two, "", &[]).0, ["172.17.0.2 a-web-1", "172.17.0.3 b-web-1"]);
    }

    #[test]
    fn hostile_aliases_are_shown_short_and_never_written() {
        let long = "a".repeat(10_000);
        let bad = called(
            simple("web", 2),
            &["x\n6.6.6.6 bank", "a;b", "localhost", "q}r", "10", "pier", &format!("{long} {long}")],
        );
        let (lines, skipped) = chosen(&[bad], "", &[]);
        assert_eq!(lines, ["172.17.0.2 web"]);
        assert_eq!(skipped.len(), 7);
        assert!(skipped.iter().all(|line| line.len() < 200 && !line.contains('\n')), "{skipped:?}");
        assert!(skipped.iter().any(|line| line.starts_with("x\\n6.6.6.6 bank: an alias of web: it is not a name")));
        // A host name has at most 253 bytes: RFC 1035, section 2.3.4.
        assert_eq!(chosen(&[called(simple("web", 2), &[&long])], "", &[]).0, ["172.17.0.2 web"]);
    }

    #[test]
    fn a_container_without_an_own_line_can_still_have_its_aliases() {
        let (lines, skipped) = chosen(&[called(simple("localhost", 2), &["web"])], "", &[]);
        assert_eq!((lines, skipped.len()), (vec!["172.17.0.2 web".to_owned()], 1));
        let far = called(container("far", vec![on("macvlan", "10.0.0.2", "")]), &["web"]);
        let (lines, skipped) = chosen(&[far], "", &[]);
        assert_eq!((lines.len(), skipped.len()), (0, 1), "{skipped:?}");
    }

    #[test]
    fn only_a_name_that_nobody_knows_is_held() {
        let mut gone = simple("gone.jp", 5);
        gone.state = "exited".to_owned();
        let far = container("far", vec![on("macvlan", "10.0.0.2", "")]);
        let containers = [called(simple("web", 2), &["www"]), gone, far];
        let needed = [
            "WEB",
            "www",
            "admin",
            "shop",
            "shop",
            "mail",
            "far",
            "gone.jp",
            "was.jp",
            "api.example.com",
            "127.0.0.1",
            "localhost",
            "pier",
            "a b",
        ];
        let file = "10.0.0.1 admin\n";
        let held_with = |answers: &[(&str, Answer)]| held(&containers, file, &["172.17.0.7 was.jp"], &needed, answers);
        assert_eq!(held_with(&[("mail", Answer::Known)]), ["shop", "far", "gone.jp", "was.jp"]);
        // Without an answer, hold names that were never known, but not names that had another address.
        let silent = [("mail", Answer::KnownBefore), ("shop", Answer::Silent), ("far", Answer::KnownBefore)];
        assert_eq!(held_with(&silent), ["shop", "gone.jp", "was.jp"]);
        // Without getent(1), hold only container names.
        let unasked = needed.map(|name| (name, Answer::Unasked));
        assert_eq!(held_with(&unasked), ["far", "gone.jp", "was.jp"]);
    }

    #[test]
    fn whatever_nginx_may_be_given_as_a_name_is_held() {
        let needed = ["_web", "-x", "なんとか", "a..b!", "x-", "a#b", "a b", "fd00::1", "10.1", "LOCALHOST", "a\tb"];
        assert_eq!(held(&[], "", &[], &needed, &[]), ["_web", "-x", "なんとか", "a..b", "x-"]);
    }

    #[test]
    fn a_name_with_a_dot_at_its_end_gets_every_address_of_the_name_without() {
        let replica = |name: &str, last: u8| {
            let mut one = called(simple(name, last), &["web"]);
            one.service = Some(("shop".to_owned(), "web".to_owned()));
            one
        };
        let containers = [replica("shop-web-1", 2), replica("shop-web-2", 3)];
        let theirs: Vec<Entry> = super::super::entries(b"10.0.0.1 admin").collect();
        let scope =
            Scope { containers: &containers, theirs: &theirs, old: &[], host: "pier", dry: false, routes: None };
        let mut lines = scope.lines().0;
        let needed = ["web.", "WEB.", "admin."].map(|name| Needed { name: name.to_owned(), ..Needed::default() });
        assert_eq!(scope.unnamed(&needed, &mut lines), [""; 0]);
        let lines: Vec<String> = lines.iter().map(Line::to_string).collect();
        assert_eq!(lines, ["172.17.0.2 shop-web-1 web web.", "172.17.0.3 shop-web-2 web web.", "10.0.0.1 admin."]);
    }
}
