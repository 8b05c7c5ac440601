//! Which containers get which line: names that would hurt are passed over, with a reason.

use super::Entry;
use crate::run::{Error, Result};
use rhai::{Dynamic, Map};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

/// What a name gets that is needed and that nobody has: nothing can be sent there, so that nginx
/// answers for this site with 502 at once. (An address of the loopback would lead nginx to itself,
/// one that is only unused makes it wait.)
pub const PLACEHOLDER: &str = "255.255.255.255";

/// What the hosts file needs to know of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// Its name, without a slash.
    pub name: String,
    /// As Docker says it: `running`, `paused`, `exited` and so on.
    pub state: String,
    /// The networks it is in.
    pub networks: Vec<Network>,
    /// What it is called besides: its aliases in networks, its compose service alone and before
    /// the project's name.
    pub further: BTreeSet<String>,
}

/// A container in a network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// The network's name.
    pub network: String,
    /// `bridge`, `host`, `null`, `macvlan` and so on.
    pub driver: String,
    /// The IPv4 address, or nothing.
    pub address: String,
    /// The IPv6 address, or nothing.
    pub address6: String,
}

impl Container {
    /// From one of the maps of `docker::ps_all()`.
    ///
    /// # Errors
    /// When a field is missing or is something else.
    pub fn from_map(value: &Dynamic) -> Result<Self> {
        let map = as_map(value)?;
        let networks = field(&map, "networks")?.into_typed_array::<Dynamic>().map_err(|_| odd("networks"))?;
        let name = text(&map, "name")?;
        let mut further = BTreeSet::new();
        for network in &networks {
            let Some(aliases) = as_map(network)?.get("aliases").cloned() else { continue };
            let aliases = aliases.into_typed_array::<String>().map_err(|_| odd("aliases"))?;
            // One with a dot is mostly a public name, which its neighbours are to find inside.
            further.extend(aliases.into_iter().filter(|alias| !alias.contains('.')));
        }
        let labels = map.get("labels").map(as_map).transpose()?.unwrap_or_default();
        // An empty one is what a backup image has of them.
        let label = |name: &str| {
            let value = labels.get(&*format!("com.docker.compose.{name}")).map(ToString::to_string);
            value.filter(|value| !value.is_empty())
        };
        // `docker compose run` makes one that stands for no service.
        if let Some(service) = label("service")
            && !label("oneoff").is_some_and(|oneoff| oneoff.eq_ignore_ascii_case("true"))
        {
            // The labels may be the image maker's: a dot in one would name a host of the internet.
            if !service.contains('.') {
                let project = label("project").filter(|project| !project.contains('.'));
                further.extend(project.map(|project| format!("{service}.{project}")));
                further.insert(service);
            }
        }
        further.retain(|other| !other.eq_ignore_ascii_case(&name));
        let networks = networks.iter().map(Network::from_map).collect::<Result<_>>()?;
        Ok(Self { name, state: text(&map, "state")?, networks, further })
    }

    /// Whether it has its addresses: a paused one keeps them.
    fn alive(&self) -> bool {
        matches!(self.state.as_str(), "running" | "paused")
    }

    fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.further.iter().any(|other| other.eq_ignore_ascii_case(name))
    }
}

impl Network {
    fn from_map(value: &Dynamic) -> Result<Self> {
        let map = as_map(value)?;
        Ok(Self {
            network: text(&map, "network")?,
            driver: text(&map, "driver")?,
            address: text(&map, "address")?,
            address6: text(&map, "address6")?,
        })
    }
}

fn odd(field: &str) -> Error {
    Error::new(format!("update the hosts file: a container's `{field}` is missing or is not what it should be"))
        .help("give `hosts::update` what `docker::ps_all()` gives")
}

fn as_map(value: &Dynamic) -> Result<Map> {
    value.clone().try_cast::<Map>().ok_or_else(|| odd("map"))
}

fn field(map: &Map, name: &str) -> Result<Dynamic> {
    map.get(name).cloned().ok_or_else(|| odd(name))
}

/// A string; `()` is an empty one.
fn text(map: &Map, name: &str) -> Result<String> {
    let value = field(map, name)?;
    if value.is_unit() { Ok(String::new()) } else { value.into_string().map_err(|_| odd(name)) }
}

/// A name without a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    /// The name.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

impl Skipped {
    /// An alias may be anything, of any length.
    fn new(name: &str, reason: String) -> Self {
        let mut shown = name.escape_debug().to_string();
        if let Some((end, _)) = shown.char_indices().nth(100) {
            shown.replace_range(end.., "...");
        }
        Self { name: shown, reason }
    }
}

/// One line of the block.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// An address, or under a dry run a placeholder such as `<address of blog>`.
    pub address: String,
    /// The container's own name first.
    pub names: Vec<String>,
}

impl Line {
    /// Each name for itself, as `address name`.
    pub fn pairs(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| format!("{} {name}", self.address))
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.address, self.names.join(" "))
    }
}

/// What decides which names stand in the block.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Every container, or those that are up.
    pub containers: &'a [Container],
    /// The entries outside of the block.
    pub theirs: &'a [Entry],
    /// The block so far, as `address name`.
    pub old: &'a [String],
    /// This host's name.
    pub host: &'a str,
    /// Under a dry run a container that would have been started has a placeholder for an address.
    pub dry: bool,
}

impl<'a> Scene<'a> {
    /// The lines of the block, and the names of running containers that get none.
    ///
    /// A container's own name goes before: of two that differ only in case, the one that is in the
    /// file already stays. A further name is given where it is clear: exactly one running container
    /// has it, and no container, not even one that is stopped, has it as its own.
    pub fn lines(self) -> (Vec<Line>, Vec<Skipped>) {
        let known = |name: &str| self.old.iter().any(|pair| pair.split_once(' ').is_some_and(|(_, had)| had == name));
        let mut alive: Vec<&Container> = self.containers.iter().filter(|one| one.alive()).collect();
        alive.sort_by_cached_key(|one| (one.name.to_lowercase(), !known(&one.name), &one.name));
        let mut taken: HashMap<String, (&str, String)> = HashMap::new();
        let (mut lines, mut skipped) = (Vec::new(), Vec::new());
        for container in &alive {
            let (name, address) = (container.name.as_str(), address(container, self.dry));
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
                Err(format!("an alias of {}, and the name of a container: only that gets it", who()))
            } else if having.len() > 1 {
                Err(format!("an alias of {}: none gets it", who()))
            } else {
                // What keeps the container from a line is told with its name.
                lines[having[0]].1.as_ref().map_or(Ok(false), |line| self.free(name, &line.address))
            };
            match (reason, &mut lines[having[0]].1) {
                (Ok(true), Ok(line)) => line.names.push(name.to_owned()),
                (Ok(_), _) => {}
                (Err(reason), _) => skipped.push(Skipped::new(name, reason)),
            }
        }
        let lines = lines.into_iter().filter_map(|(_, line)| line.ok()).filter(|line| !line.names.is_empty());
        (sorted(lines.collect()), skipped)
    }

    /// Adds a line with the placeholder for each name that is needed and that nobody has; gives
    /// these names. `resolves` says whether anything but the file knows a name.
    pub fn hold(
        self,
        needed: &'a [String],
        lines: &mut Vec<Line>,
        resolves: &mut dyn FnMut(&str) -> Result<bool>,
    ) -> Result<Vec<String>> {
        let mut waiting: Vec<String> = Vec::new();
        for name in needed {
            let same = |other: &String| other.eq_ignore_ascii_case(name);
            let has = lines.iter().any(|line| line.names.iter().any(same));
            let theirs = self.theirs.iter().any(|entry| entry.names.iter().any(same));
            let old =
                self.old.iter().any(|pair| pair.split_once(' ').is_some_and(|(_, had)| had.eq_ignore_ascii_case(name)));
            // A public name whose server gives no answer just now is not ours to hold.
            let ours = !name.contains('.') || old || self.containers.iter().any(|one| one.is_called(name));
            if !has && !theirs && ours && harm(name, self.host).is_none() && !resolves(name)? {
                lines.push(Line { address: PLACEHOLDER.to_owned(), names: vec![name.clone()] });
                waiting.push(name.clone());
            }
        }
        *lines = sorted(std::mem::take(lines));
        Ok(waiting)
    }

    /// Whether a name is free; if not, a line outside of the block says the same already.
    fn free(self, name: &str, address: &str) -> std::result::Result<bool, String> {
        let same = |entry: &&Entry| entry.names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let defined: Vec<&Entry> = self.theirs.iter().filter(same).collect();
        match defined.iter().find(|entry| entry.address.to_string() != address) {
            Some(entry) => Err(elsewhere(entry)),
            None => Ok(defined.is_empty()),
        }
    }
}

fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|one, other| one.names.cmp(&other.names));
    lines
}

/// Why a name must not stand in a hosts file.
fn harm(name: &str, host: &str) -> Option<&'static str> {
    // `^[a-zA-Z0-9][a-zA-Z0-9_.-]+$` in moby/moby:daemon/names/names.go; a newline would be a line.
    let bytes = name.as_bytes();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    if bytes.len() < 2 || bytes.len() > 253 || !bytes[0].is_ascii_alphanumeric() || !bytes.iter().all(part) {
        return Some("it is not a name that Docker gives");
    }
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    // The names that distributions give to ::1 and the multicast groups, and RFC 6761, section 6.3.
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
    // inet_aton(3) takes one to four decimal, octal or hexadecimal numbers for an address, so that
    // the hosts file is never asked.
    let number = |part: &str| {
        let hex = part.strip_prefix("0x").map(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        hex.unwrap_or_else(|| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    lower.split('.').all(number).then_some("programs read it as a number, not as a name")
}

/// The address at which this host reaches a container: the first in a network of the kind
/// `bridge`, of IPv4 if there is one.
fn address(container: &Container, dry: bool) -> std::result::Result<String, String> {
    let bridges = || container.networks.iter().filter(|network| network.driver == "bridge");
    let texts = bridges().map(|network| &network.address).chain(bridges().map(|network| &network.address6));
    let mut bad = None;
    for text in texts.filter(|text| !text.is_empty()) {
        match text.parse() {
            Ok(address) if usable(address) => return Ok(address.to_string()),
            Err(_) if dry && text.starts_with('<') => return Ok(text.clone()),
            _ => bad = Some(format!("`{}` is not the address of a container", text.escape_debug())),
        }
    }
    Err(bad.unwrap_or_else(|| match container.networks.first() {
        None => "it has no network of its own".to_owned(),
        Some(_) if bridges().next().is_some() => "it has no address".to_owned(),
        Some(network) if network.driver == "host" => "it shares the network of this host".to_owned(),
        Some(network) if network.driver == "null" => "it has no network".to_owned(),
        Some(network) if network.driver == "container" => {
            let other = network.network.strip_prefix("container:").unwrap_or_default();
            format!("it shares the network of `{other}`, which does not run")
        }
        Some(network) => {
            format!("this host cannot reach it: its network `{}` is of the kind `{}`", network.network, network.driver)
        }
    }))
}

/// Whether a container can have this address. (`fe80::` needs an interface, which hosts(5) cannot say.)
fn usable(address: IpAddr) -> bool {
    let local = matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    !(local || address.is_unspecified() || address.is_loopback() || address.is_multicast())
}

/// A line outside of the block gives the name another address: programs would use both by turns.
fn elsewhere(entry: &Entry) -> String {
    let (line, text) = (entry.line, &entry.text);
    if entry.is_of_2014() {
        format!("line {line}, `{text}`, gives it another address; it looks like the old script's: hosts-sync --adopt")
    } else if entry.names.len() == 1 {
        format!("line {line}, `{text}`, gives it another address: delete it, or rename the container")
    } else {
        format!("line {line}, `{text}`, gives it another address: take the name off it, or rename the container")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(driver: &str, address: &str, address6: &str) -> Network {
        let [driver, address, address6] = [driver, address, address6].map(str::to_owned);
        Network { network: format!("{driver}0"), driver, address, address6 }
    }

    fn container(name: &str, networks: Vec<Network>) -> Container {
        Container { name: name.to_owned(), state: "running".to_owned(), networks, further: BTreeSet::new() }
    }

    fn simple(name: &str, last: u8) -> Container {
        container(name, vec![on("bridge", &format!("172.17.0.{last}"), "")])
    }

    fn chosen(containers: &[Container], file: &str, old: &[&str]) -> (Vec<String>, Vec<String>) {
        let theirs: Vec<Entry> = super::super::entries(file.as_bytes()).collect();
        let old: Vec<String> = old.iter().map(|line| (*line).to_owned()).collect();
        let scene = Scene { containers, theirs: &theirs, old: &old, host: "Pier.example.org", dry: false };
        let (lines, skipped) = scene.lines();
        let lines = lines.iter().map(Line::to_string).collect();
        (lines, skipped.into_iter().map(|skipped| format!("{}: {}", skipped.name, skipped.reason)).collect())
    }

    fn called(mut container: Container, further: &[&str]) -> Container {
        container.further = further.iter().map(|name| (*name).to_owned()).collect();
        container
    }

    /// The names of which a placeholder is held, where only `known` is known besides.
    fn held(containers: &[Container], file: &str, old: &[&str], needed: &[&str], known: &str) -> Vec<String> {
        let theirs: Vec<Entry> = super::super::entries(file.as_bytes()).collect();
        let [old, needed] = [old, needed].map(|list| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let scene = Scene { containers, theirs: &theirs, old: &old, host: "pier", dry: false };
        let mut lines = scene.lines().0;
        let waiting = scene.hold(&needed, &mut lines, &mut |name| Ok(name == known)).unwrap();
        let held = lines.iter().filter(|line| line.address == PLACEHOLDER).flat_map(|line| line.names.clone());
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
            "x",
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
        for name in
            ["blog", "my_App", "x-", "a-.b", "1a", "10.blog", "0xg1", "beef", "a.b.c", "localhosts", "pier2", "example"]
        {
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
        let scene = Scene { containers: &[planned], theirs: &[], old: &[], host: "pier", dry: true };
        assert_eq!(scene.lines().0[0].to_string(), "<address of blog> blog");
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
                "db: line 3, `10.0.0.1 DB db.example.org`, gives it another address: take the name off it, or rename the container",
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
                // The stopped one has an alias and not a name of its own.
                "172.17.0.3 shop-db-1 cache db.shop",
                "172.17.0.4 web www",
            ]
        );
        assert_eq!(
            skipped,
            [
                "admin: line 1, `10.0.0.1 admin`, gives it another address: delete it, or rename the container",
                "db: an alias of blog-db-1 and shop-db-1: none gets it",
                "old: an alias of shop-db-1, and the name of a container: only that gets it",
                "web: an alias of shop-db-1, and the name of a container: only that gets it",
            ]
        );
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
        // No name of hosts is longer than 253 bytes: RFC 1035, section 2.3.4.
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
        let held = held(&containers, "10.0.0.1 admin\n", &["172.17.0.7 was.jp"], &needed, "mail");
        // A public name is not held: its name server may only be away.
        assert_eq!(held, ["shop", "far", "gone.jp", "was.jp"]);
    }

    #[test]
    fn the_names_of_compose_are_read_from_labels_and_aliases() {
        let read = |text: &str| {
            let map: Map = rhai::Engine::new().eval(text).unwrap();
            Container::from_map(&map.into()).unwrap().further.into_iter().collect::<Vec<_>>().join(" ")
        };
        let labels = r#""com.docker.compose.project": "blog", "com.docker.compose.service": "web""#;
        let network = r#"#{network: "n", driver: "bridge", address: "", address6: "", aliases: ["blog-web-1", "web", "blog.jp"]}"#;
        let text = |labels: &str, networks: &str| {
            format!(r#"#{{name: "blog-web-1", state: "running", labels: #{{{labels}}}, networks: [{networks}]}}"#)
        };
        assert_eq!(read(&text(labels, network)), "web web.blog");
        assert_eq!(read(&text(&format!(r#"{labels}, "com.docker.compose.oneoff": "True""#), "")), "");
        assert_eq!(read(&text("", network)), "web");
        let empty = r#""com.docker.compose.project": "", "com.docker.compose.service": """#;
        assert_eq!(read(&text(empty, "")), "");
        let without = r#""com.docker.compose.project": "", "com.docker.compose.service": "web""#;
        assert_eq!(read(&text(without, "")), "web");
        // No label gives this host a name of the internet.
        let dotted = r#""com.docker.compose.project": "blog", "com.docker.compose.service": "deb.debian.org""#;
        assert_eq!(read(&text(dotted, "")), "");
        let dotted = r#""com.docker.compose.project": "debian.org", "com.docker.compose.service": "deb""#;
        assert_eq!(read(&text(dotted, "")), "deb");
        assert_eq!(read(r#"#{name: "blog", state: "running", networks: []}"#), "");
    }
}
